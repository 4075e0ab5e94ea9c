//! An exhaustive explorer over the shipped view machine (PROPERTIES §3).
//!
//! A state is the machines, the messages ever sent, and what the adversary has left to spend. A message
//! that was sent stays: it may arrive at any later time, any number of times, or never, which covers
//! loss, doubling and reordering. Time stands still but for back-off: a machine that waits for its
//! random delay may be told at any moment that it is over. The transport withholds at once.
//! A write to a store is done at once: a crash before it is one before the input, and a crash after it is
//! one whose messages are late for ever.
//! Machines are deterministic, so each (machine, input) is run once and its outcome remembered.

#[path = "checks.rs"]
mod checks;
#[path = "machine.rs"]
mod machine;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use isis_core::ids::{Epoch, Incarnation, Site, SiteId, ViewNumber};
use isis_core::machine::view::{Effect, Input, Note};
use isis_core::machine::{Evidence, LinkReport, TransportToView, ViewToTransport};
use isis_core::time::Time;
use isis_core::view::{Memory, SiteView, Views, describe};

use machine::{Machine, newborn};

const NOW: Time = Time(1_000_000_000);
/// Later than every back-off that began at `NOW`, earlier than every repetition.
const LATER: Time = Time(2_000_000_000);

/// What the adversary may still do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub suspicions: u32,
    pub restarts: u32,
    pub leaves: u32,
    pub back_offs: u32,
}

/// What can happen; a run in which nothing of interest does proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    Installed,
    TakeOver,
    Refused,
    /// A promise told of a proposal that another had made.
    AcceptedReported,
    Joined,
    /// All members of a view had failed, and their stores are about to go on.
    Revived,
    /// A site led the decision that excluded it.
    ExcludedItself,
    Excluded,
    Left,
}

/// What a machine did with an input.
struct Outcome {
    machine: Rc<Machine>,
    sent: Vec<u32>,
    /// What its store knows to be committed.
    committed: Vec<SiteView>,
    installed: Vec<SiteView>,
    happened: Vec<Happening>,
}

#[derive(Clone)]
struct State {
    machines: Vec<Rc<Machine>>,
    sent: Rc<BTreeSet<u32>>,
    history: Rc<BTreeMap<(Epoch, ViewNumber), SiteView>>,
    budget: Budget,
    path: Option<Rc<Path>>,
    depth: usize,
}

struct Path {
    at: Site,
    action: Action,
    before: Option<Rc<Path>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The first input. It puts off all repetitions, and finds that nobody is there.
    Wake,
    Arrive(u32),
    BackOffEnds,
    Leave,
    Suspect(Site),
    Hear(Site),
}

#[derive(Clone, Hash, PartialEq, Eq)]
struct Sent {
    from: Site,
    to: Site,
    message: Vec<u8>,
}

/// How an exploration ended.
pub struct Report {
    pub states: usize,
    pub depth: usize,
    /// Every reachable state was seen.
    pub whole: bool,
    pub violation: Option<String>,
}

/// Whether status messages arrive: without joins they only spread suspicions, which the budget has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Arrives,
    Dropped,
}

/// Where an exploration begins: sites that hear each other and have said nothing yet, or the same in
/// their first view with nothing in flight.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Outside(u32),
    Formed(u32),
}

/// Whether the sites have stores, and go on from them when they restart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stores {
    With,
    Without,
}

pub struct Explorer {
    status: Status,
    stores: Stores,
    pub happened: BTreeMap<Happening, usize>,
    messages: Vec<(Sent, String)>,
    names: HashMap<Sent, u32>,
    outcomes: HashMap<(u64, Action), Rc<Outcome>>,
}

type Checked<T> = Result<T, String>;

impl Explorer {
    pub fn new(status: Status, stores: Stores) -> Explorer {
        Explorer {
            status,
            stores,
            happened: BTreeMap::new(),
            messages: Vec::new(),
            names: HashMap::new(),
            outcomes: HashMap::new(),
        }
    }

    fn outside(&mut self, n: u32) -> State {
        let sites: Vec<Site> = (0..n).map(|id| site(id, 1)).collect();
        let disk = (self.stores == Stores::With).then(Memory::default);
        let newborn = |s: &Site| newborn(*s, n, disk.clone());
        let mut state = State {
            machines: sites.iter().map(newborn).collect(),
            sent: Rc::default(),
            history: Rc::default(),
            budget: Budget::default(),
            path: None,
            depth: 0,
        };
        for at in 0..sites.len() {
            state = self.act(&state, at, Action::Wake).expect("harmless");
        }
        for (at, other) in pairs(&sites) {
            state = self.act(&state, at, Action::Hear(other)).expect("harmless");
        }
        state
    }

    fn formed(&mut self, n: u32) -> State {
        // Who is not among the founders is admitted by what the others say of whom they hear.
        let status = std::mem::replace(&mut self.status, Status::Arrives);
        let mut state = self.outside(n);
        let mut arrived = BTreeSet::new();
        while let Some(next) = state.sent.iter().copied().find(|m| !arrived.contains(m)) {
            arrived.insert(next);
            let at = self.receiver(&state, next).expect("all are there");
            state = self
                .act(&state, at, Action::Arrive(next))
                .expect("harmless");
        }
        assert!(state.machines.iter().all(|m| m.views.current().is_some()));
        self.happened.clear();
        self.status = status;
        State {
            sent: Rc::default(),
            path: None,
            depth: 0,
            ..state
        }
    }

    /// Visits every state that can follow, shortest paths first, until `limit` is over.
    pub fn explore(&mut self, start: Start, budget: Budget, limit: Duration) -> Report {
        let end = Instant::now() + limit;
        let mut initial = match start {
            Start::Outside(n) => self.outside(n),
            Start::Formed(n) => self.formed(n),
        };
        initial.budget = budget;
        let mut seen = HashSet::from([initial.digest()]);
        let mut queue = VecDeque::from([initial]);
        let mut report = Report {
            states: 0,
            depth: 0,
            whole: false,
            violation: None,
        };
        while let Some(state) = queue.pop_front() {
            report.states += 1;
            report.depth = state.depth;
            if report.states.is_multiple_of(1024) && Instant::now() > end {
                return report;
            }
            match self.successors(&state) {
                Ok(next) => queue.extend(next.into_iter().filter(|s| seen.insert(s.digest()))),
                Err(violation) => {
                    report.violation = Some(violation);
                    return report;
                }
            }
        }
        report.whole = true;
        report
    }

    fn successors(&mut self, state: &State) -> Checked<Vec<State>> {
        let mut next = Vec::new();
        for message in state.sent.iter() {
            if let Some(at) = self.receiver(state, *message) {
                let action = Action::Arrive(*message);
                if !self.is_idle(state, at, &action) {
                    next.push(self.act(state, at, action)?);
                }
            }
        }
        for at in 0..state.machines.len() {
            let machine = &state.machines[at];
            if state.budget.back_offs > 0 && machine.views.deadline().is_some_and(|d| d <= LATER) {
                let mut after = self.act(state, at, Action::BackOffEnds)?;
                after.budget.back_offs -= 1;
                next.push(after);
            }
            let Some(view) = machine.views.current() else {
                continue;
            };
            if state.budget.leaves > 0 {
                let mut after = self.act(state, at, Action::Leave)?;
                after.budget.leaves -= 1;
                next.push(after);
            }
            if state.budget.suspicions > 0 {
                for suspect in view.sites().filter(|s| *s != machine.site) {
                    let mut after = self.act(state, at, Action::Suspect(suspect))?;
                    after.budget.suspicions -= 1;
                    next.push(after);
                }
            }
        }
        if state.budget.restarts > 0 {
            for at in 0..state.machines.len() {
                next.push(self.restart(state, at)?);
            }
        }
        Ok(next)
    }

    /// The site halts, and its next incarnation and the others hear each other.
    fn restart(&mut self, state: &State, at: usize) -> Checked<State> {
        let old = state.machines[at].site;
        let new = site(old.id.0, old.incarnation.0 + 1);
        let disk = state.machines[at].disk.clone();
        let mut after = state.clone();
        after.machines[at] = newborn(new, state.machines.len() as u32, disk);
        after.budget.restarts -= 1;
        after = self.act(&after, at, Action::Wake)?;
        for other in (0..state.machines.len()).filter(|other| *other != at) {
            let site = after.machines[other].site;
            after = self.act(&after, other, Action::Hear(new))?;
            after = self.act(&after, at, Action::Hear(site))?;
        }
        Ok(after)
    }

    /// The running machine that a message is for.
    fn receiver(&self, state: &State, message: u32) -> Option<usize> {
        let to = self.messages[message as usize].0.to;
        state.machines.iter().position(|m| m.site == to)
    }

    /// One input to one machine, and the checks on what it did.
    fn act(&mut self, state: &State, at: usize, action: Action) -> Checked<State> {
        let outcome = self.outcome_of(&state.machines[at], &action);
        let machine = &state.machines[at];
        let mut after = state.clone();
        after.depth += 1;
        after.path = Some(Rc::new(Path {
            at: machine.site,
            action,
            before: state.path.clone(),
        }));
        after.machines[at] = outcome.machine.clone();
        if !outcome.sent.iter().all(|m| after.sent.contains(m)) {
            Rc::make_mut(&mut after.sent).extend(&outcome.sent);
        }
        for happened in &outcome.happened {
            *self.happened.entry(*happened).or_default() += 1;
        }
        for view in &outcome.committed {
            self.check_sequence(&mut after, machine.site, view)
                .map_err(|violation| self.explain(&after, violation))?;
        }
        let mut own = machine.views.current();
        for view in &outcome.installed {
            self.check(&mut after, machine.site, own, view)
                .map_err(|violation| self.explain(&after, violation))?;
            own = Some(view);
        }
        Ok(after)
    }

    /// A late copy that changes nothing.
    fn is_idle(&mut self, state: &State, at: usize, action: &Action) -> bool {
        let outcome = self.outcome_of(&state.machines[at], action);
        outcome.machine.digest == state.machines[at].digest
            && outcome.sent.iter().all(|m| state.sent.contains(m))
    }

    fn outcome_of(&mut self, machine: &Machine, action: &Action) -> Rc<Outcome> {
        let key = (machine.digest, action.clone());
        if let Some(outcome) = self.outcomes.get(&key) {
            return outcome.clone();
        }
        let outcome = Rc::new(self.run(machine, action));
        self.outcomes.insert(key, outcome.clone());
        outcome
    }

    fn run(&mut self, machine: &Machine, action: &Action) -> Outcome {
        let mut views = machine.views.clone();
        let mut effects = Vec::new();
        let (now, input) = match action {
            Action::Wake => (LATER, Input::Timeout),
            Action::Arrive(message) => {
                let sent = &self.messages[*message as usize].0;
                let message = sent.message.clone().into();
                let from = sent.from;
                (
                    NOW,
                    Input::Transport(TransportToView::Message { from, message }),
                )
            }
            Action::BackOffEnds => (LATER, Input::Timeout),
            Action::Leave => (NOW, Input::Leave),
            Action::Suspect(site) => {
                let (site, evidence) = (*site, Evidence::Refused);
                (NOW, report(LinkReport::Lost { site, evidence }))
            }
            Action::Hear(site) => {
                let (site, address, epoch) = (*site, String::new(), None);
                (
                    NOW,
                    report(LinkReport::Up {
                        site,
                        address,
                        epoch,
                    }),
                )
            }
        };
        views.handle(now, input, &mut effects);
        self.outcome(machine, views, effects)
    }

    fn outcome(&mut self, machine: &Machine, mut views: Views, effects: Vec<Effect>) -> Outcome {
        let mut outcome = Outcome {
            machine: Machine::new(machine.site, views.clone(), machine.disk.clone()),
            sent: Vec::new(),
            committed: Vec::new(),
            installed: Vec::new(),
            happened: Vec::new(),
        };
        let mut work = VecDeque::from(effects);
        let mut disk = machine.disk.clone();
        let mut leads = false;
        while let Some(effect) = work.pop_front() {
            let happening = match effect {
                Effect::ToTransport(ViewToTransport::Send { to, message }) => {
                    let (from, message) = (machine.site, message.to_vec());
                    let words = describe(&message);
                    leads |= words.starts_with("commit");
                    let happening = match &words {
                        w if w.starts_with("refuse") => Some(Happening::Refused),
                        w if w.contains("accepted v") => Some(Happening::AcceptedReported),
                        _ => None,
                    };
                    if !(self.status == Status::Dropped && words.starts_with("status")) {
                        outcome
                            .sent
                            .push(self.name(Sent { from, to, message }, words));
                    }
                    happening
                }
                Effect::ToTransport(ViewToTransport::Withhold { token, .. }) => {
                    let mut more = Vec::new();
                    let withheld = Input::Transport(TransportToView::Withheld { token });
                    views.handle(NOW, withheld, &mut more);
                    work.extend(more);
                    None
                }
                Effect::Persist { token, memory } => {
                    outcome.committed.extend(memory.view().cloned());
                    disk = Some(*memory);
                    let mut more = Vec::new();
                    views.handle(NOW, Input::Stored { token }, &mut more);
                    work.extend(more);
                    None
                }
                Effect::Install(view) => {
                    let joined = view.joined.contains(&machine.site) && view.number.0 > 0;
                    outcome.installed.push(view);
                    Some([Happening::Installed, Happening::Joined][usize::from(joined)])
                }
                Effect::Note(Note::TakeOver { .. }) => Some(Happening::TakeOver),
                Effect::Note(Note::Reviving { .. }) => Some(Happening::Revived),
                Effect::Excluded { asked: true, .. } => Some(Happening::Left),
                Effect::Excluded { asked: false, .. } if leads => Some(Happening::ExcludedItself),
                Effect::Excluded { .. } => Some(Happening::Excluded),
                _ => None,
            };
            outcome.happened.extend(happening);
        }
        outcome.machine = Machine::new(machine.site, views, disk);
        outcome
    }

    fn name(&mut self, sent: Sent, words: String) -> u32 {
        *self.names.entry(sent.clone()).or_insert_with(|| {
            self.messages.push((sent, words));
            self.messages.len() as u32 - 1
        })
    }
}

impl State {
    fn digest(&self) -> u64 {
        let machines: Vec<u64> = self.machines.iter().map(|m| m.digest).collect();
        digest(&(machines, &self.sent, self.budget))
    }
}

fn report(report: LinkReport) -> Input {
    Input::Transport(TransportToView::Report(report))
}

fn site(id: u32, incarnation: u64) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(incarnation),
    }
}

fn pairs(sites: &[Site]) -> Vec<(usize, Site)> {
    let at = 0..sites.len();
    at.flat_map(|at| sites.iter().map(move |s| (at, *s)))
        .filter(|(at, other)| sites[*at] != *other)
        .collect()
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
