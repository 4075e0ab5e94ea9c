//! An application process: it takes events at its own pace, and sends, joins, leaves, flushes and
//! ends as chance has it, sometimes in answer to what it has just taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::audit::trace::{Delivered, Sent, What, digest};
use isis_core::delivery::{Endpoint, Event, GroupView, Label, Limits, Olabel, Outcome};
use isis_core::ids::{Class, GroupId, MessageId, ProcessId};
use isis_core::machine::broadcast::{Address, Call, ToEndpoint};
use isis_core::view::SiteView;

use super::options::Operation;
use super::properties::l4_calls::{self, Calls};
use super::site::Env;

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
    pub endpoint: Endpoint,
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
    pub closed: bool,
    pub ended: bool,
    /// A wake-up for taking events is scheduled.
    pub awake: bool,
}

impl App {
    pub fn new(id: ProcessId, limits: Limits, env: &mut Env<'_>) -> App {
        let slow = env.rng.per_mille(env.options.slow);
        App {
            endpoint: Endpoint::new(id, limits),
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
            awake: false,
        }
    }

    fn id(&self) -> ProcessId {
        self.endpoint.id()
    }

    /// From the broadcast machine. Says after which time it looks at its events, if it must be woken.
    pub fn push(&mut self, item: ToEndpoint, env: &mut Env<'_>) -> Option<u64> {
        if let ToEndpoint::Event {
            event: Event::Message(m),
            after,
        } = &item
        {
            env.record(What::Placed(self.id(), m.id, after.clone()));
        }
        self.endpoint.push(item);
        let endpoint = &mut self.endpoint;
        self.statuses
            .retain(|token| endpoint.outcome(*token).is_none());
        if self.awake || self.deaf || self.endpoint.pending() == 0 {
            return None;
        }
        self.awake = true;
        Some(self.think(env))
    }

    /// How long it lets its events wait.
    pub fn think(&self, env: &mut Env<'_>) -> u64 {
        let most = match (env.smooth, self.slow) {
            (true, _) => 1000,
            (false, true) => env.options.think * 50,
            (false, false) => env.options.think,
        };
        env.rng.below(most + 1)
    }

    /// Takes some events; the calls that follow are for the broadcast machine. Says whether more wait.
    pub fn take(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) -> bool {
        self.awake = false;
        let some = if self.slow { 2 } else { env.rng.within(1, 16) };
        for _ in 0..some {
            let Some(event) = self.endpoint.next() else {
                break;
            };
            self.took(event, env, calls);
        }
        calls.extend(self.endpoint.taken());
        !self.deaf && self.endpoint.pending() > 0
    }

    fn took(&mut self, event: Event, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        let me = self.id();
        assert!(!self.ended, "X2: {me} gets {event:?} after its last event");
        match event {
            Event::Message(m) => {
                let (id, group, label) = (m.id, m.group, m.label);
                let (length, digest) = (m.payload.len(), digest(&m.payload));
                env.record(What::Deliver(
                    me,
                    Delivered {
                        id,
                        group,
                        label,
                        length,
                        digest,
                    },
                ));
                if env.rng.per_mille(env.options.echo) && env.budget > 0 {
                    self.send_something(env, calls);
                }
            }
            Event::View(view) => self.took_view(view, env),
            Event::Undeliverable(id) => {
                env.counts.undeliverable += 1;
                env.record(What::Undeliverable(id));
            }
            Event::SiteView(view) => {
                env.record(What::SiteView(me, view.clone()));
                self.site_view = Some(view);
            }
            Event::Blocked => {
                self.blocked = true;
                env.record(What::Blocked(me));
            }
            Event::Unblocked => {
                self.blocked = false;
                env.record(What::Unblocked(me));
            }
            Event::Writable => self.waits_for_room = false,
            Event::Completed { token, result } => self.completed(token, &result, env),
            Event::Excluded(_) => {}
            Event::Closed => {
                self.ended = true;
                env.record(What::Ended(me));
            }
        }
    }

    fn took_view(&mut self, view: Arc<GroupView>, env: &mut Env<'_>) {
        let (me, group) = (self.id(), view.group);
        env.record(What::View(me, view.clone()));
        if view.members.is_empty() || view.members.contains(&me) {
            self.watched.remove(&group);
        }
        if view.members.contains(&me) {
            self.groups.insert(group, view);
        } else {
            self.groups.remove(&group);
        }
    }

    fn completed(&mut self, token: u64, result: &Result<Outcome, Error>, env: &mut Env<'_>) {
        let started = self.operations.remove(&token);
        let fits = match (&started, result) {
            (Some(Started::Flush), Ok(Outcome::Flushed)) => {
                env.record(What::FlushEnd(self.id(), token));
                true
            }
            (Some(Started::Lookup), Ok(Outcome::Watching(group))) => {
                if !self.groups.contains_key(group) {
                    self.watched.insert(*group);
                }
                true
            }
            (Some(Started::Leave), Ok(Outcome::Left(group))) => {
                self.watched.remove(group);
                env.record(What::Left(self.id(), *group));
                true
            }
            (Some(Started::Join), Ok(Outcome::Joined(_)))
            | (Some(Started::Close), Ok(Outcome::Closed)) => true,
            (Some(_), Err(_)) => true,
            _ => false,
        };
        assert!(fits, "X2: {} gets {result:?} for {started:?}", self.id());
    }

    /// Does one thing of the kind drawn, if it can.
    pub fn operate(&mut self, operation: Operation, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        match operation {
            Operation::Flush => {
                if let Ok((token, call)) = self.endpoint.flush() {
                    env.record(What::FlushBegin(self.id(), token));
                    self.start(token, Started::Flush, call, calls);
                }
            }
            Operation::Status => self.ask_status(env, calls),
            Operation::Join => self.join(env, calls),
            Operation::Lookup => self.lookup(env, calls),
            Operation::Leave => self.leave(env, calls),
            Operation::Open => {}
            send => self.send(send, env, calls),
        }
    }

    fn start(&mut self, token: u64, what: Started, call: Call, calls: &mut Vec<Call>) {
        self.operations.insert(token, what);
        calls.push(call);
    }

    pub fn join(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        let name = format!("group{}", env.rng.below(env.options.groups as u64));
        if let Ok((token, call)) = self.endpoint.join(&name) {
            env.record(What::AskJoin(self.id(), name));
            self.start(token, Started::Join, call, calls);
        }
    }

    fn lookup(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        let name = format!("group{}", env.rng.below(env.options.groups as u64));
        if let Ok((token, call)) = self.endpoint.lookup(&name) {
            env.record(What::AskLookup(self.id(), name));
            self.start(token, Started::Lookup, call, calls);
        }
    }

    fn leave(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        if let Some(group) = self.some_group(env)
            && let Ok((token, call)) = self.endpoint.leave(group)
        {
            env.record(What::AskLeave(self.id(), group));
            self.start(token, Started::Leave, call, calls);
        }
    }

    fn ask_status(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        let class = if env.rng.per_mille(500) {
            Class::Bcast
        } else {
            Class::Obcast
        };
        let id = MessageId {
            sender: self.id(),
            class,
            seq: env.rng.within(1, 10),
        };
        if let Ok((token, call)) = self.endpoint.status(id) {
            self.endpoint.expect(token);
            self.statuses.push(token);
            calls.push(call);
        }
    }

    /// Ends the process; half of those that end take nothing more.
    pub fn close(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        if let Ok((token, call)) = self.endpoint.close() {
            env.record(What::Close(self.id()));
            self.closed = true;
            self.deaf = env.rng.per_mille(500);
            self.start(token, Started::Close, call, calls);
        }
    }

    fn some_group(&self, env: &mut Env<'_>) -> Option<GroupId> {
        let groups: Vec<GroupId> = self.groups.keys().chain(&self.watched).copied().collect();
        env.rng.pick(&groups).copied()
    }

    /// Some that it may have heard of: a site that is not in the site view yet is no destination.
    fn some_processes(&self, env: &mut Env<'_>) -> Vec<ProcessId> {
        let mut list: Vec<ProcessId> = Vec::new();
        for _ in 0..env.rng.within(1, 4) {
            if let Some(p) = env.rng.pick(env.known).copied()
                && self.site_view.as_ref().is_some_and(|v| v.contains(p.site))
                && !list.contains(&p)
            {
                list.push(p);
            }
        }
        list
    }

    fn send_something(&mut self, env: &mut Env<'_>, calls: &mut Vec<Call>) {
        let sends: Vec<Operation> = env.options.operations.clone();
        if let Some(operation) = env.rng.pick(&sends).copied() {
            use Operation::*;
            if matches!(operation, Bcast | Obcast | Gbcast | BcastTo | ObcastTo) {
                self.send(operation, env, calls);
            }
        }
    }

    fn send(&mut self, kind: Operation, env: &mut Env<'_>, calls: &mut Vec<Call>) {
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
        let (length, digest) = (payload.len(), digest(&payload));
        let (label, sent) = match kind {
            Operation::Bcast | Operation::BcastTo => {
                let label = format!("label{}", env.rng.below(env.options.labels as u64));
                let sent = match env.options.safe > 0 && env.rng.per_mille(env.options.safe) {
                    true => self.endpoint.safe_bcast(to.clone(), &label, payload),
                    false => self.endpoint.bcast(to.clone(), &label, payload),
                };
                (Label::Bcast(label.as_str().into()), sent)
            }
            Operation::Obcast | Operation::ObcastTo => {
                let olabel = draw_olabel(env);
                let sent = self.endpoint.obcast(to.clone(), olabel.clone(), payload);
                (Label::Obcast(olabel), sent)
            }
            _ => {
                let Address::Group(group) = to else { return };
                (Label::Gbcast, self.endpoint.gbcast(group, payload))
            }
        };
        match sent {
            Ok((id, call)) => {
                let (after, safe) = match &call {
                    Call::Send(send) => (send.after.clone(), send.safe),
                    _ => (Vec::new(), false),
                };
                env.counts.broadcasts += 1;
                env.counts.safe += u64::from(safe);
                if let Address::Group(group) = to {
                    env.counts.outside += u64::from(!self.groups.contains_key(&group));
                }
                env.budget = env.budget.saturating_sub(1);
                env.record(What::Send(Sent {
                    id,
                    to,
                    label,
                    after,
                    safe,
                    length,
                    digest,
                }));
                calls.push(call);
            }
            Err(Error::WouldBlock) => {
                env.counts.would_block += 1;
                self.waits_for_room = true;
            }
            Err(_) => {}
        }
    }

    /// What it still waits for, by name.
    pub fn pending(&self) -> Option<String> {
        let waits = if self.closed {
            match !self.ended && !self.deaf {
                true => Err(String::from("its end")),
                false => Ok(()),
            }
        } else {
            let first = self.operations.first_key_value();
            l4_calls::check(&Calls {
                events: self.endpoint.pending(),
                operation: first.map(|(token, what)| format!("operation {token}, {what:?},")),
                statuses: self.statuses.len(),
                waits_for_room: self.waits_for_room,
                blocked: self.blocked,
                window: self.endpoint.in_flight(),
                past: self.endpoint.past_len(),
            })
        };
        let reason = waits.err()?;
        Some(format!("{}: {reason}", self.id()))
    }
}

fn draw_olabel(env: &mut Env<'_>) -> Olabel {
    match env.rng.below(6) {
        0..3 => Olabel::Causal,
        3..5 => {
            let mut stream = || format!("stream{}", env.rng.below(env.options.streams as u64));
            let (one, other) = (stream(), stream());
            match env.rng.per_mille(300) {
                true => Olabel::Stream(format!("{one},{other}").as_str().into()),
                false => Olabel::Stream(one.as_str().into()),
            }
        }
        _ => Olabel::Unordered,
    }
}

fn draw_payload(env: &mut Env<'_>) -> Bytes {
    let size = if env.rng.per_mille(env.options.large) {
        env.rng.index(env.options.large_size)
    } else {
        env.rng.index(40)
    };
    let mut payload = env.rng.next().to_le_bytes().to_vec();
    payload.resize(size.max(8), size as u8);
    Bytes::from(payload)
}
