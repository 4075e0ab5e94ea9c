//! Broadcast machines on a network that the test drives by hand. A link hands over in any order that
//! the lanes allow; a test passes single messages, or holds some back and lets everything else run.
//! Site views are given, not agreed. What processes ask and take is in `calls`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use isis_core::broadcast::{Completion, Control, Gbcast, Message, Stamped};
use isis_core::config::Config;
use isis_core::delivery::{Endpoint, Event};
use isis_core::group::Machine;
use isis_core::ids::{Epoch, Incarnation, ProcessId, Site, SiteId, ViewNumber};
use isis_core::machine::broadcast::{Effect, Input, Note};
use isis_core::machine::{FromPeer, Lane, Packet};
use isis_core::time::Time;
use isis_core::view::{LeftReason, Member, SiteView};
use isis_core::wire;

/// The site with this number, first incarnation.
pub fn site(id: u32) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(1),
    }
}

/// Process 1 of a site.
pub fn p(id: u32) -> ProcessId {
    at(id, 1)
}

/// A process of a site, counted from 1.
pub fn at(id: u32, index: u32) -> ProcessId {
    ProcessId {
        site: site(id),
        index,
    }
}

/// A message on a link.
pub struct Flying {
    lane: Lane,
    what: String,
    pub message: Bytes,
}

/// Machines, their endpoints, and what is in flight.
pub struct Cluster {
    pub machines: BTreeMap<Site, Machine>,
    pub endpoints: BTreeMap<ProcessId, Endpoint>,
    /// What each process has taken, crashed ones included.
    pub taken: BTreeMap<ProcessId, Vec<Event>>,
    pub notes: Vec<(Site, Note)>,
    /// Processes that take their events only when told to.
    pub slow: BTreeSet<ProcessId>,
    pub config: Config,
    pub links: BTreeMap<(Site, Site), Vec<Flying>>,
    holds: Vec<(Site, Site, &'static str)>,
    pub now: Time,
    view: Option<SiteView>,
}

impl Cluster {
    /// Sites 0..n, no view yet.
    pub fn new(n: u32) -> Cluster {
        let mut cluster = Cluster {
            machines: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            taken: BTreeMap::new(),
            notes: Vec::new(),
            slow: BTreeSet::new(),
            config: Config::new(SiteId(0)),
            links: BTreeMap::new(),
            holds: Vec::new(),
            now: Time(1),
            view: None,
        };
        (0..n).for_each(|id| cluster.start(site(id)));
        cluster
    }

    /// Sites 0..n in view 0, each with a process 1.
    pub fn running(n: u32) -> Cluster {
        let mut cluster = Cluster::new(n);
        for id in 0..n {
            cluster.open(site(id), 1);
        }
        cluster.install_everywhere(&(0..n).map(site).collect::<Vec<_>>());
        cluster.run();
        cluster
    }

    /// A machine starts.
    pub fn start(&mut self, site: Site) {
        self.machines
            .insert(site, Machine::new(&Config::new(site.id), site));
    }

    /// The site halts; with it goes what is still on its links.
    pub fn crash(&mut self, id: u32) {
        let halted = site(id);
        self.machines.remove(&halted);
        self.links
            .retain(|(from, to), _| *from != halted && *to != halted);
        self.endpoints.retain(|id, _| id.site != halted);
    }

    /// Hands an input to a machine and carries out its effects.
    pub fn step(&mut self, at: Site, input: Input) {
        let mut effects = Vec::new();
        let Some(machine) = self.machines.get_mut(&at) else {
            return;
        };
        machine.handle(self.now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { to, lane, packet } => self.launch(at, &to, lane, &packet),
                Effect::Deliver { process, item } => {
                    let id = ProcessId {
                        site: at,
                        index: process,
                    };
                    let endpoint = self.endpoints.get_mut(&id);
                    endpoint.expect("an open process").push(item);
                }
                Effect::Note(note) => self.notes.push((at, note)),
            }
        }
    }

    fn launch(&mut self, from: Site, to: &[Site], lane: Lane, packet: &Packet) {
        let message = Bytes::from([&packet.head[..], &packet.body[..]].concat());
        let what = describe(packet);
        for to in to {
            self.links.entry((from, *to)).or_default().push(Flying {
                lane,
                what: what.clone(),
                message: message.clone(),
            });
        }
    }

    // ---- site views ----

    /// The next committed view, of these sites. Nobody has installed it yet.
    pub fn commit(&mut self, members: &[Site]) -> SiteView {
        let old: Vec<Site> = self.view.iter().flat_map(|v| v.sites()).collect();
        let new = |s: &&Site| !old.contains(s);
        let gone = |s: &&Site| !members.contains(s);
        let view = SiteView {
            epoch: Epoch(1),
            number: ViewNumber(self.view.as_ref().map_or(0, |v| v.number.0 + 1)),
            members: members.iter().map(|s| member(*s)).collect(),
            joined: members.iter().filter(new).copied().collect(),
            left: old
                .iter()
                .filter(gone)
                .map(|s| (*s, LeftReason::Failed))
                .collect(),
            founding: vec![],
            highest: BTreeMap::new(),
        };
        self.view = Some(view.clone());
        view
    }

    /// One site installs a view.
    pub fn install(&mut self, id: u32, view: &SiteView) {
        self.step(site(id), Input::Install(view.clone()));
    }

    /// Commits the next view and installs it at all of its sites.
    pub fn install_everywhere(&mut self, members: &[Site]) -> SiteView {
        let view = self.commit(members);
        for at in members {
            self.step(*at, Input::Install(view.clone()));
        }
        view
    }

    /// These sites halt; the others install the view without them.
    pub fn fail(&mut self, ids: &[u32]) -> SiteView {
        ids.iter().for_each(|id| self.crash(*id));
        let view = self.view.clone().expect("a view to fail out of");
        let left: Vec<Site> = view.sites().filter(|s| !ids.contains(&s.id.0)).collect();
        self.install_everywhere(&left)
    }

    /// A site learns that it was excluded.
    pub fn exclude(&mut self, id: u32, view: &SiteView) {
        self.step(site(id), Input::Excluded(view.clone()));
    }

    // ---- the network ----

    /// Messages of this link whose description contains `word`, and what they are ahead of, stay.
    pub fn hold(&mut self, from: u32, to: u32, word: &'static str) {
        self.holds.push((site(from), site(to), word));
    }

    /// The link runs again.
    pub fn release(&mut self, from: u32, to: u32) {
        self.holds
            .retain(|(f, t, _)| (*f, *t) != (site(from), site(to)));
    }

    /// All links run again.
    pub fn release_all(&mut self) {
        self.holds.clear();
    }

    /// Hands over the first message of a link that contains `word`, and before it only those that it
    /// must not overtake.
    pub fn pass(&mut self, from: u32, to: u32, word: &str) {
        let (from, to) = (site(from), site(to));
        self.tick(from);
        let link = self.links.entry((from, to)).or_default();
        let found = link.iter().position(|m| m.what.contains(word));
        let Some(mut target) = found else {
            panic!(
                "no {word:?} from {from} to {to}: {:?}",
                link.iter().map(|m| &m.what).collect::<Vec<_>>()
            )
        };
        let lane = link[target].lane;
        while let Some(first) = self.links[&(from, to)][..target]
            .iter()
            .position(|m| m.lane <= lane)
        {
            self.hand_over(from, to, first);
            target -= 1;
        }
        self.hand_over(from, to, target);
    }

    /// What is on a link, in words.
    pub fn flying(&self, from: u32, to: u32) -> Vec<String> {
        let link = self.links.get(&(site(from), site(to)));
        link.map(|l| l.iter().map(|m| m.what.clone()).collect())
            .unwrap_or_default()
    }

    fn hand_over(&mut self, from: Site, to: Site, index: usize) {
        let link = self.links.get_mut(&(from, to)).expect("a link in use");
        let message = link.remove(index).message;
        self.step(to, Input::Receive(FromPeer { from, message }));
    }

    /// Hands over the most urgent message of a link that is not held; says whether there was one.
    fn deliver(&mut self, from: Site, to: Site) -> bool {
        let link = &self.links[&(from, to)];
        let held = |m: &Flying| {
            let held =
                |(f, t, word): &(Site, Site, &str)| (*f, *t) == (from, to) && m.what.contains(word);
            self.holds.iter().any(held)
        };
        let free = |i: &usize| {
            !link[..=*i]
                .iter()
                .any(|m| m.lane <= link[*i].lane && held(m))
        };
        let next = (0..link.len())
            .filter(free)
            .min_by_key(|i| (link[*i].lane, *i));
        next.is_some_and(|index| {
            self.hand_over(from, to, index);
            true
        })
    }

    /// Sends off what a machine has gathered.
    fn tick(&mut self, at: Site) {
        let due = self.machines.get(&at).and_then(Machine::deadline);
        if due.is_some_and(|due| due <= self.now) {
            self.step(at, Input::Timeout);
        }
    }

    /// Runs until nothing moves: links, timers, and processes that take their events.
    pub fn run(&mut self) {
        let rests = self.run_for(100_000);
        assert!(rests, "the cluster does not come to rest");
    }

    /// Runs for at most so many rounds; says whether nothing moves any more.
    pub fn run_for(&mut self, rounds: usize) -> bool {
        for _ in 0..rounds {
            let links: Vec<(Site, Site)> = self.links.keys().copied().collect();
            let mut moved = false;
            for (from, to) in links {
                moved |= self.deliver(from, to);
            }
            moved |= self.take_all();
            moved |= self.run_timers(!moved);
            if !moved {
                return true;
            }
        }
        false
    }

    /// Runs the timers that are due, or the next one.
    fn run_timers(&mut self, advance: bool) -> bool {
        let due = |m: &Machine| m.deadline();
        let Some(next) = self.machines.values().filter_map(due).min() else {
            return false;
        };
        if next > self.now && !advance {
            return false;
        }
        self.now = self.now.max(next);
        let sites: Vec<Site> = self.machines.keys().copied().collect();
        sites.into_iter().for_each(|at| self.tick(at));
        true
    }
}

fn member(site: Site) -> Member {
    Member {
        site,
        address: String::new(),
    }
}

/// A message in words: its kind, and of a body the payload.
fn describe(packet: &Packet) -> String {
    let stamped: Stamped = wire::decode_exact(&packet.head).expect("a machine's own message");
    let text = String::from_utf8_lossy(&packet.body);
    match stamped.message {
        Message::Bcast(_) => format!("bcast {text}"),
        Message::Obcast(m) if m.whole => format!("obcast {text}"),
        Message::Obcast(m) => format!("header {}", m.id),
        Message::Control(control) => describe_control(&control),
        Message::Gbcast(message) => describe_run(&message).into(),
        Message::Completion(message) => describe_completion(&message).into(),
    }
}

fn describe_control(control: &Control) -> String {
    let parts = [
        ("proposals", control.proposals.is_empty()),
        ("finals", control.finals.is_empty()),
        ("received", control.received.is_empty()),
        ("placed", control.placed.is_empty()),
        ("known", control.finals_known.is_empty()),
        ("taken", control.taken.is_empty()),
        ("floors", control.floors.is_empty()),
    ];
    let present = parts.iter().filter(|(_, empty)| !empty);
    present.fold("control".into(), |all, (word, _)| format!("{all} {word}"))
}

fn describe_run(message: &Gbcast) -> &'static str {
    match message {
        Gbcast::Request { .. } => "run request",
        Gbcast::Gone { .. } => "run gone",
        Gbcast::Start { .. } => "run start",
        Gbcast::Number { .. } => "run number",
        Gbcast::Final { .. } => "run final",
        Gbcast::Head { .. } => "run head",
        Gbcast::Up { .. } => "run up",
        Gbcast::List { .. } => "run list",
        Gbcast::Store(_) => "run store",
        Gbcast::Stored { .. } => "run has stored",
        Gbcast::Commit { .. } => "run commit",
        Gbcast::Committed { .. } => "run has committed",
        Gbcast::Announce(_) => "run announce",
    }
}

fn describe_completion(message: &Completion) -> &'static str {
    match message {
        Completion::PushEnd { .. } => "push end",
        Completion::Report(_) => "cut report",
        Completion::Decision(_) => "cut decision",
        Completion::Stored => "cut has stored",
        Completion::Go => "cut go",
        Completion::Directory(_) => "cut directory",
    }
}
