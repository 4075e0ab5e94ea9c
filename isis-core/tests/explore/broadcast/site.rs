//! One site in a state of the exploration: its broadcast machine, a process with its endpoint, and the
//! application, which takes every event at once and sends what its script says.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isis_core::audit::trace::{Delivered, Sent, What, digest as payload_digest};
use isis_core::config::Config;
use isis_core::delivery::{Endpoint, Event, Label, Limits, Olabel};
use isis_core::group::Machine;
use isis_core::ids::{ProcessId, Site};
use isis_core::machine::broadcast::{Address, Call, Effect, Input, Note};
use isis_core::machine::{FromPeer, Lane};
use isis_core::time::Time;
use isis_core::view::SiteView;

use super::letter::Letter;
use super::model::{Explorer, Happening, process};
use crate::engine::{Table, digest};

pub const NOW: Time = Time(1_000_000_000);
/// Whatever waits for company or has patience has waited for long enough.
const LATE: Time = Time(2_000_000_000);

/// To whom.
#[derive(Clone, Copy, Debug)]
pub enum To {
    Group,
    Sites(&'static [u32]),
}

/// What the application does.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Join,
    Bcast(&'static str, To),
    Obcast(&'static str, To),
    Gbcast,
    Leave,
}

/// One line of a script.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub at: u32,
    /// Once its process has taken so many messages.
    pub taken: usize,
    pub operation: Operation,
}

/// What happens to a site.
#[derive(Clone)]
pub enum Act {
    Arrive(&'static Letter),
    /// The inbox is empty.
    Flush,
    /// Nothing has happened for long.
    Wait,
    Operate(Operation),
    Install(SiteView),
    Halt,
}

/// What the site and its process did and saw, the latest first.
#[derive(Clone)]
pub struct Log(Option<Arc<Entry>>);

struct Entry {
    what: What,
    before: Log,
    digest: u128,
}

impl Log {
    pub fn digest(&self) -> u128 {
        self.0.as_ref().map_or(0, |e| e.digest)
    }

    fn add(&mut self, what: What) {
        let before = self.clone();
        let digest = digest(&(before.digest(), format!("{what:?}")));
        self.0 = Some(Arc::new(Entry {
            what,
            before,
            digest,
        }));
    }

    /// In the order in which it happened.
    pub fn records(&self) -> Vec<What> {
        let mut records = Vec::new();
        let mut entry = &self.0;
        while let Some(e) = entry {
            records.push(e.what.clone());
            entry = &e.before.0;
        }
        records.reverse();
        records
    }
}

#[derive(Clone)]
pub struct Member {
    pub id: Site,
    pub machine: Machine,
    endpoint: Endpoint,
    /// Lines of the script that are done, messages taken, views installed.
    pub done: usize,
    pub taken: usize,
    pub installed: usize,
    pub halted: bool,
    pub log: Log,
}

/// A site as others see it in a state: there is one of each as long as somebody holds it.
pub struct Node {
    pub site: Member,
    pub digest: u128,
    /// What comes of what, as far as it has been tried.
    outcomes: Mutex<Table<Outcome>>,
}

/// What a site did with an input.
#[derive(Clone)]
pub struct Outcome {
    /// None: it is as it was.
    pub node: Option<Arc<Node>>,
    pub sent: Arc<[(Site, &'static Letter)]>,
    pub happened: Arc<[Happening]>,
    pub violation: Option<Arc<str>>,
}

impl Node {
    fn new(site: Member) -> Arc<Node> {
        let at = (site.done, site.taken, site.installed, site.halted);
        let digest = match site.halted {
            // Nothing comes of it any more but what it had taken.
            true => digest(&(site.id, site.log.digest())),
            false => digest(&(
                site.id,
                at,
                &site.machine,
                &site.endpoint,
                site.log.digest(),
            )),
        };
        Arc::new(Node {
            site,
            digest,
            outcomes: Mutex::default(),
        })
    }
}

impl Act {
    fn digest(&self) -> u128 {
        match self {
            Act::Arrive(letter) => letter.digest,
            Act::Flush => 0,
            Act::Wait => 1,
            // A process does one thing at a time, and a node knows which is the next.
            Act::Operate(_) => 2,
            Act::Install(view) => digest(view),
            Act::Halt => 3,
        }
    }
}

impl Explorer {
    /// A site that starts, and opens its process.
    pub fn newborn(&self, id: Site) -> Arc<Node> {
        let config = Config::new(id.id);
        let process = ProcessId { site: id, index: 1 };
        let mut site = Member {
            id,
            machine: Machine::new(&config, id),
            endpoint: Endpoint::new(process, Limits::from(&config)),
            done: 0,
            taken: 0,
            installed: 0,
            halted: false,
            log: Log(None),
        };
        site.log.add(What::Start(id));
        site.log.add(What::Open(process));
        let call = Call::Open { name: "p".into() };
        let input = Input::Call { process: 1, call };
        site.machine.handle(NOW, input, &mut Vec::new());
        Node::new(site)
    }

    /// What a site does with an input; each is run once.
    pub fn outcome(&self, node: &Arc<Node>, act: &Act) -> Outcome {
        let key = act.digest();
        let known = || node.outcomes.lock().expect("no thread panics");
        if let Some(outcome) = known().get(&key) {
            return outcome.clone();
        }
        let mut run = Run {
            explorer: self,
            site: node.site.clone(),
            sent: Vec::new(),
            happened: Vec::new(),
            violation: None,
        };
        run.act(act);
        let after = self.nodes.one(Node::new(run.site), |n| n.digest);
        let outcome = Outcome {
            node: (after.digest != node.digest).then_some(after),
            sent: run.sent.into(),
            happened: run.happened.into(),
            violation: run.violation.map(Arc::from),
        };
        if outcome.node.is_none()
            && let Act::Arrive(letter) = act
            && letter.words.starts_with("obcast")
        {
            let happened = [Happening::CopyDropped].into();
            return known()
                .entry(key)
                .or_insert(Outcome {
                    happened,
                    ..outcome
                })
                .clone();
        }
        known().entry(key).or_insert(outcome).clone()
    }
}

struct Run<'a> {
    explorer: &'a Explorer,
    site: Member,
    sent: Vec<(Site, &'static Letter)>,
    happened: Vec<Happening>,
    violation: Option<String>,
}

impl Run<'_> {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Arrive(letter) => self.handle(
                NOW,
                Input::Receive(FromPeer {
                    from: letter.from,
                    message: letter.bytes.clone(),
                }),
            ),
            Act::Flush => self.handle(NOW, Input::Timeout),
            Act::Wait => self.handle(LATE, Input::Timeout),
            Act::Operate(operation) => self.operate(*operation),
            Act::Install(view) => {
                self.site.installed += 1;
                self.site.log.add(What::Install(self.site.id, view.clone()));
                self.handle(NOW, Input::Install(view.clone()));
            }
            Act::Halt => {
                self.site.halted = true;
                self.site.log.add(What::Crash(self.site.id));
            }
        }
    }

    fn handle(&mut self, now: Time, input: Input) {
        let mut effects = Vec::new();
        self.site.machine.handle(now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { to, lane, packet } => {
                    let letter = self.explorer.letter(self.site.id, lane, &packet);
                    self.happened.extend(Happening::of(letter));
                    self.sent.extend(to.into_iter().map(|to| (to, letter)));
                }
                Effect::Deliver { item, .. } => self.site.endpoint.push(item),
                Effect::Note(note) => self.note(&note),
            }
        }
        while let Some(event) = self.site.endpoint.next() {
            self.take(event);
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Malformed { from } => {
                self.violation = Some(format!("what {from} says cannot be meant"));
            }
            Note::CompletionBegan { .. } => {}
            Note::CompletionEnded {
                orphans,
                aborted_runs,
                orphaned_runs,
                carried_records,
                ..
            } => {
                let counts = [
                    (Happening::OrphanCompleted, orphans),
                    (Happening::RunCutOff, aborted_runs),
                    (Happening::CoordinatorLost, orphaned_runs),
                    (Happening::RecordCarried, carried_records),
                ];
                let some = counts.iter().filter(|(_, n)| **n > 0);
                self.happened.extend(some.map(|(what, _)| *what));
                if *aborted_runs > 0 && *carried_records == 0 {
                    self.happened.push(Happening::RunRepeated);
                }
            }
            Note::Resent { .. } => self.happened.push(Happening::Resent),
        }
    }

    fn take(&mut self, event: Event) {
        let me = self.site.endpoint.id();
        let what = match event {
            Event::Message(m) => {
                self.site.taken += 1;
                What::Deliver(
                    me,
                    Delivered {
                        id: m.id,
                        group: m.group,
                        label: m.label,
                        length: m.payload.len(),
                        digest: payload_digest(&m.payload),
                    },
                )
            }
            Event::View(view) => What::View(me, view),
            Event::SiteView(view) => What::SiteView(me, view),
            Event::Undeliverable(id) => What::Undeliverable(id),
            Event::Completed { result, .. } => {
                if let Err(error) = result {
                    self.violation = Some(format!("an operation fails: {error}"));
                }
                return;
            }
            _ => return,
        };
        self.site.log.add(what);
    }

    fn operate(&mut self, operation: Operation) {
        let group = || self.explorer.group.expect("it was made");
        let address = |to| match to {
            To::Group => Address::Group(group()),
            To::Sites(sites) => Address::List(sites.iter().map(|s| process(*s)).collect()),
        };
        let me = self.site.endpoint.id();
        let payload = Bytes::from_static(b"x");
        let endpoint = &mut self.site.endpoint;
        let (what, call) = match operation {
            Operation::Join => {
                let call = endpoint.join("g").map(|(_, call)| call);
                (Some(What::AskJoin(me, "g".into())), call)
            }
            Operation::Leave => {
                let call = endpoint.leave(group()).map(|(_, call)| call);
                (Some(What::AskLeave(me, group())), call)
            }
            Operation::Bcast(label, to) => (
                None,
                endpoint.bcast(address(to), label, payload).map(|s| s.1),
            ),
            Operation::Obcast(stream, to) => {
                let olabel = Olabel::Stream(stream.into());
                (
                    None,
                    endpoint.obcast(address(to), olabel, payload).map(|s| s.1),
                )
            }
            Operation::Gbcast => (None, endpoint.gbcast(group(), payload).map(|s| s.1)),
        };
        let call = match call {
            Ok(call) => call,
            Err(error) => {
                self.violation = Some(format!("{operation:?} at {me}: {error}"));
                return;
            }
        };
        self.site.done += usize::from(!matches!(operation, Operation::Join));
        self.site.log.add(what.unwrap_or_else(|| sent(&call)));
        self.handle(NOW, Input::Call { process: 1, call });
    }
}

/// The record of a broadcast.
fn sent(call: &Call) -> What {
    let (id, to, label, after, safe, payload) = match call {
        Call::Send(s) => {
            let (address, label) = (s.address.clone(), s.label.clone());
            (s.id, address, label, &s.after, s.safe, &s.payload)
        }
        Call::Gbcast {
            id,
            group,
            after,
            payload,
        } => {
            let address = Address::Group(*group);
            (*id, address, Label::Gbcast, after, false, payload)
        }
        _ => unreachable!("a broadcast"),
    };
    What::Send(Sent {
        id,
        to,
        label,
        after: after.clone(),
        safe,
        length: payload.len(),
        digest: payload_digest(payload),
    })
}

impl Explorer {
    fn letter(
        &self,
        from: Site,
        lane: Lane,
        packet: &isis_core::machine::Packet,
    ) -> &'static Letter {
        let key = digest(&(from, lane, packet));
        self.letters
            .get_or(key, || Box::leak(Box::new(Letter::new(from, lane, packet))))
    }

    pub fn knows_group(&mut self, node: &Node) {
        let views = node.site.log.records().into_iter().rev();
        let group = views.into_iter().find_map(|what| match what {
            What::View(_, view) => Some(view.group),
            _ => None,
        });
        self.group = group;
    }
}
