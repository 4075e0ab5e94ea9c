//! An application process: it takes events at its own pace, and sends, joins, leaves, flushes and
//! ends as chance has it, sometimes in answer to what it has just taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::{Event, GroupView, Olabel, Outcome};
use isis_core::ids::{Class, GroupId, MessageId, ProcessId};
use isis_core::machine::broadcast::Address;
use isis_core::sim::Process;
use isis_core::view::SiteView;

use super::cluster::{Env, Node};
use super::options::Operation;
use super::properties::l4_calls::{self, Calls};

/// What an open operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Started {
    Join,
    Lookup,
    Leave,
    Flush,
    Close,
}

#[derive(Debug)]
pub struct App {
    /// As taken.
    site_view: Option<Arc<SiteView>>,
    groups: BTreeMap<GroupId, Arc<GroupView>>,
    /// Watched from outside.
    watched: BTreeSet<GroupId>,
    operations: BTreeMap<u64, Started>,
    statuses: Vec<u64>,
    /// A send was refused; `Writable` must come.
    waits_for_room: bool,
    blocked: bool,
    /// It takes its time.
    slow: bool,
    /// It was closed and does not look at its events any more.
    deaf: bool,
    closed: bool,
    ended: bool,
}

/// Lets a process do one thing of the kind drawn, if it can.
pub fn operate(node: &mut Node, process: u32, operation: Operation, env: &mut Env<'_>) {
    node.act(process, |app, process| app.operate(process, operation, env));
}

impl App {
    pub fn new(env: &mut Env<'_>) -> App {
        let slow = env.chance.per_mille(env.world.options.slow);
        App {
            site_view: None,
            groups: BTreeMap::new(),
            watched: BTreeSet::new(),
            operations: BTreeMap::new(),
            statuses: Vec::new(),
            waits_for_room: false,
            blocked: false,
            slow,
            deaf: false,
            closed: false,
            ended: false,
        }
    }

    /// How long it lets its events wait.
    pub fn pace(&self, env: &mut Env<'_>) -> Option<u64> {
        let think = env.world.options.think;
        let most = match (env.quiet, self.slow) {
            (true, _) => 1000,
            (false, true) => think * 50,
            (false, false) => think,
        };
        (!self.deaf).then(|| env.chance.below(most + 1))
    }

    /// Takes some events, and answers some of them.
    pub fn take(&mut self, process: &mut Process, env: &mut Env<'_>) {
        let some = if self.slow {
            2
        } else {
            env.chance.within(1, 16)
        };
        for _ in 0..some {
            let Some(event) = process.next(env) else {
                break;
            };
            self.took(event, process, env);
        }
    }

    fn took(&mut self, event: Event, process: &mut Process, env: &mut Env<'_>) {
        let me = process.id();
        assert!(!self.ended, "X2: {me} gets {event:?} after its last event");
        match event {
            Event::Message(_) => {
                if env.chance.per_mille(env.world.options.echo) && env.world.budget > 0 {
                    self.send_something(process, env);
                }
            }
            Event::View(view) => self.took_view(me, view),
            Event::Undeliverable(_) => env.world.counts.undeliverable += 1,
            Event::SiteView(view) => self.site_view = Some(view),
            Event::Blocked => self.blocked = true,
            Event::Unblocked => self.blocked = false,
            Event::Writable => self.waits_for_room = false,
            Event::Completed { token, result } => self.completed(me, token, &result),
            Event::Excluded(_) => {}
            Event::Closed => self.ended = true,
        }
    }

    fn took_view(&mut self, me: ProcessId, view: Arc<GroupView>) {
        let group = view.group;
        if view.members.is_empty() || view.members.contains(&me) {
            self.watched.remove(&group);
        }
        if view.members.contains(&me) {
            self.groups.insert(group, view);
        } else {
            self.groups.remove(&group);
        }
    }

    fn completed(&mut self, me: ProcessId, token: u64, result: &Result<Outcome, Error>) {
        let started = self.operations.remove(&token);
        let fits = match (&started, result) {
            (Some(Started::Lookup), Ok(Outcome::Watching(group))) => {
                if !self.groups.contains_key(group) {
                    self.watched.insert(*group);
                }
                true
            }
            (Some(Started::Leave), Ok(Outcome::Left(group))) => {
                self.watched.remove(group);
                true
            }
            (Some(Started::Flush), Ok(Outcome::Flushed))
            | (Some(Started::Join), Ok(Outcome::Joined(_)))
            | (Some(Started::Close), Ok(Outcome::Closed)) => true,
            (Some(_), Err(_)) => true,
            _ => false,
        };
        assert!(fits, "X2: {me} gets {result:?} for {started:?}");
    }

    fn operate(&mut self, process: &mut Process, operation: Operation, env: &mut Env<'_>) {
        match operation {
            Operation::Flush => {
                if let Ok(token) = process.flush(env) {
                    self.operations.insert(token, Started::Flush);
                }
            }
            Operation::Status => self.ask_status(process, env),
            Operation::Join => self.join(process, env),
            Operation::Lookup => {
                let name = draw_name(env);
                if let Ok(token) = process.lookup(env, &name) {
                    self.operations.insert(token, Started::Lookup);
                }
            }
            Operation::Leave => {
                if let Some(group) = self.some_group(env)
                    && let Ok(token) = process.leave(env, group)
                {
                    self.operations.insert(token, Started::Leave);
                }
            }
            Operation::Open => {}
            send => self.send(process, send, env),
        }
    }

    pub fn join(&mut self, process: &mut Process, env: &mut Env<'_>) {
        let name = draw_name(env);
        if let Ok(token) = process.join(env, &name) {
            self.operations.insert(token, Started::Join);
        }
    }

    fn ask_status(&mut self, process: &mut Process, env: &mut Env<'_>) {
        let class = if env.chance.per_mille(500) {
            Class::Bcast
        } else {
            Class::Obcast
        };
        let id = MessageId {
            sender: process.id(),
            class,
            seq: env.chance.within(1, 10),
        };
        self.statuses.extend(process.status(id));
    }

    /// Ends the process; half of those that end take nothing more.
    pub fn close(&mut self, process: &mut Process, env: &mut Env<'_>) {
        if let Ok(token) = process.close(env) {
            self.closed = true;
            self.deaf = env.chance.per_mille(500);
            self.operations.insert(token, Started::Close);
        }
    }

    fn some_group(&self, env: &mut Env<'_>) -> Option<GroupId> {
        let groups: Vec<GroupId> = self.groups.keys().chain(&self.watched).copied().collect();
        env.chance.pick(&groups).copied()
    }

    /// Some that it may have heard of: a site that is not in the site view yet is no destination.
    fn some_processes(&self, env: &mut Env<'_>) -> Vec<ProcessId> {
        let mut list: Vec<ProcessId> = Vec::new();
        for _ in 0..env.chance.within(1, 4) {
            if let Some(p) = env.chance.pick(&env.world.known).copied()
                && self.site_view.as_ref().is_some_and(|v| v.contains(p.site))
                && !list.contains(&p)
            {
                list.push(p);
            }
        }
        list
    }

    fn send_something(&mut self, process: &mut Process, env: &mut Env<'_>) {
        let sends: Vec<Operation> = env.world.options.operations.clone();
        if let Some(operation) = env.chance.pick(&sends).copied() {
            use Operation::*;
            if matches!(operation, Bcast | Obcast | Gbcast | BcastTo | ObcastTo) {
                self.send(process, operation, env);
            }
        }
    }

    fn send(&mut self, process: &mut Process, kind: Operation, env: &mut Env<'_>) {
        let lists = matches!(kind, Operation::BcastTo | Operation::ObcastTo);
        let to = if lists {
            Address::List(self.some_processes(env))
        } else {
            match self.some_group(env) {
                Some(group) => Address::Group(group),
                None => return,
            }
        };
        let payload = draw_payload(env);
        let sent = match kind {
            Operation::Bcast | Operation::BcastTo => {
                let label = format!("label{}", env.chance.below(env.world.options.labels as u64));
                let safe = env.world.options.safe;
                match safe > 0 && env.chance.per_mille(safe) {
                    true => process.safe_bcast(env, to.clone(), &label, payload),
                    false => process.bcast(env, to.clone(), &label, payload),
                }
            }
            Operation::Obcast | Operation::ObcastTo => {
                let olabel = draw_olabel(env);
                process.obcast(env, to.clone(), olabel, payload)
            }
            _ => {
                let Address::Group(group) = to else { return };
                process.gbcast(env, group, payload)
            }
        };
        match sent {
            Ok(_) => {
                env.world.counts.broadcasts += 1;
                if let Address::Group(group) = to {
                    env.world.counts.outside += u64::from(!self.groups.contains_key(&group));
                }
                env.world.budget = env.world.budget.saturating_sub(1);
            }
            Err(Error::WouldBlock) => {
                env.world.counts.would_block += 1;
                self.waits_for_room = true;
            }
            Err(_) => {}
        }
    }

    /// What it still waits for, by name.
    pub fn pending(&mut self, process: &mut Process) -> Option<String> {
        self.statuses
            .retain(|token| process.outcome(*token).is_none());
        let endpoint = process.endpoint();
        let waits = if self.closed {
            match !self.ended && !self.deaf {
                true => Err(String::from("its end")),
                false => Ok(()),
            }
        } else {
            let first = self.operations.first_key_value();
            l4_calls::check(&Calls {
                events: endpoint.pending(),
                operation: first.map(|(token, what)| format!("operation {token}, {what:?},")),
                statuses: self.statuses.len(),
                waits_for_room: self.waits_for_room,
                blocked: self.blocked,
                window: endpoint.in_flight(),
                past: endpoint.past_len(),
            })
        };
        let reason = waits.err()?;
        Some(format!("{}: {reason}", process.id()))
    }
}

fn draw_name(env: &mut Env<'_>) -> String {
    format!("group{}", env.chance.below(env.world.options.groups as u64))
}

fn draw_olabel(env: &mut Env<'_>) -> Olabel {
    match env.chance.below(6) {
        0..3 => Olabel::Causal,
        3..5 => {
            let mut stream = || {
                format!(
                    "stream{}",
                    env.chance.below(env.world.options.streams as u64)
                )
            };
            let (one, other) = (stream(), stream());
            match env.chance.per_mille(300) {
                true => Olabel::Stream(format!("{one},{other}").as_str().into()),
                false => Olabel::Stream(one.as_str().into()),
            }
        }
        _ => Olabel::Unordered,
    }
}

fn draw_payload(env: &mut Env<'_>) -> Bytes {
    let size = if env.chance.per_mille(env.world.options.large) {
        env.chance.index(env.world.options.large_size)
    } else {
        env.chance.index(40)
    };
    let mut payload = env.chance.draw().to_le_bytes().to_vec();
    payload.resize(size.max(8), size as u8);
    Bytes::from(payload)
}
