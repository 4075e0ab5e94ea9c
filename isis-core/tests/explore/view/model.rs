//! An exhaustive explorer over the shipped view machine (PROPERTIES §3).
//!
//! A state is the machines, the messages ever sent, and what the adversary has left to spend. A message
//! that was sent stays: it may arrive at any later time, any number of times, or never, which covers
//! loss, doubling and reordering. Time stands still but for back-off: a machine that waits for its
//! random delay may be told at any moment that it is over. The transport withholds at once.
//! A write to a store is done at once: a crash before it is one before the input, and a crash after it is
//! one whose messages are late for ever.
//! Machines are deterministic, so each (machine, input) is run once and its outcome remembered.
//!
//! An exploration may be of the first views alone: what would decide a later one is not sent then. Nor is
//! the commit of the last one, and whoever has installed it is left alone: it would only say the same commit,
//! which nobody can install before the quorum that made it was there, and was checked. A run in which a site
//! installs by the commit breaks nothing that is not broken by the same run in which it hears nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use isis_core::ids::{Epoch, Incarnation, Site, SiteId, ViewNumber};
use isis_core::time::Time;
use isis_core::view::{Memory, SiteView};

use super::machine::Machine;
use super::post::{Letter, Letters, Post};
use super::run::Outcome;
use crate::engine::{Counts, Model, Shared, digest};

pub const NOW: Time = Time(1_000_000_000);
/// Later than every back-off that began at `NOW`, earlier than every repetition.
pub const LATER: Time = Time(2_000_000_000);

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

impl Happening {
    pub const ALL: [Happening; 9] = {
        use Happening::*;
        [
            Installed,
            TakeOver,
            Refused,
            AcceptedReported,
            Joined,
            Revived,
            ExcludedItself,
            Excluded,
            Left,
        ]
    };
}

#[derive(Clone)]
pub struct State {
    pub machines: Box<[&'static Machine]>,
    pub sent: Letters,
    pub history: Arc<BTreeMap<(Epoch, ViewNumber), SiteView>>,
    /// Of `sent` and `history`: the digests of what is in them, added without carry.
    pub past: u128,
    pub budget: Budget,
    pub path: Option<Arc<Path>>,
}

pub struct Path {
    pub at: Site,
    pub action: Action,
    pub before: Option<Arc<Path>>,
}

#[derive(Clone)]
pub enum Action {
    /// The first input. It puts off all repetitions, and finds that nobody is there.
    Wake,
    Arrive(&'static Letter),
    BackOffEnds,
    Leave,
    Suspect(Site),
    Hear(Site),
    Restart,
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
    pub status: Status,
    pub stores: Stores,
    /// The last view number that is decided.
    pub last: u64,
    /// Keep the way to each state, for telling a violation; costs memory.
    pub paths: bool,
    pub happened: Counts<{ Happening::ALL.len() }>,
    pub letters: Shared<&'static Letter>,
    pub post: Post,
    pub machines: Shared<&'static Machine>,
}

pub type Checked<T> = Result<T, String>;

impl Explorer {
    pub fn new(status: Status, stores: Stores, last: u64, paths: bool) -> Explorer {
        Explorer {
            status,
            stores,
            last,
            paths,
            happened: Counts::new(),
            letters: Shared::new(),
            post: Post::new(),
            machines: Shared::new(),
        }
    }

    /// All that was ever sent.
    pub fn sent(&self, state: &State) -> impl Iterator<Item = &'static Letter> {
        state.sent.0.iter().map(|number| self.post.get(*number))
    }

    /// Where the exploration begins.
    pub fn initial(&mut self, start: Start, budget: Budget) -> State {
        let state = match start {
            Start::Outside(n) => self.outside(n),
            Start::Formed(n) => self.formed(n),
        };
        State { budget, ..state }
    }

    fn outside(&self, n: u32) -> State {
        let sites: Vec<Site> = (0..n).map(|id| site(id, 1)).collect();
        let disk = (self.stores == Stores::With).then(Memory::default);
        let newborn = |s: &Site| self.newborn(*s, n, disk.clone());
        let mut state = State {
            machines: sites.iter().map(newborn).collect(),
            sent: Letters::default(),
            history: Arc::default(),
            past: 0,
            budget: Budget::default(),
            path: None,
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
        loop {
            let next = self.sent(&state).find(|l| !arrived.contains(&l.digest));
            let Some(next) = next else { break };
            arrived.insert(next.digest);
            let at = receiver(&state, next).expect("all are there");
            state = self
                .act(&state, at, Action::Arrive(next))
                .expect("harmless");
        }
        assert!(state.machines.iter().all(|m| m.views.current().is_some()));
        self.happened.clear();
        // What became of a message while status arrived is forgotten.
        self.status = status;
        self.machines = Shared::new();
        let anew = |m: &&'static Machine| self.machine(m.site, m.views.clone(), m.disk.clone());
        let machines = state.machines.iter().map(anew).collect();
        let past = self.sent(&state).fold(state.past, |p, l| p ^ l.digest);
        State {
            machines,
            sent: Letters::default(),
            past,
            path: None,
            ..state
        }
    }

    /// It has installed the last view, and is left alone.
    fn is_over(&self, machine: &Machine) -> bool {
        let view = machine.views.current();
        view.is_some_and(|v| v.number.0 >= self.last)
    }

    /// What can be done next, and where.
    pub fn moves(&self, state: &State) -> Vec<(usize, Action)> {
        let is_over = |at: usize| self.is_over(state.machines[at]);
        let to = |l| receiver(state, l).map(|at| (at, Action::Arrive(l)));
        let arrivals = self.sent(state).filter_map(to);
        let mut moves: Vec<_> = arrivals.filter(|(at, _)| !is_over(*at)).collect();
        let budget = &state.budget;
        for (at, machine) in state.machines.iter().enumerate() {
            let backs_off = !is_over(at) && machine.views.deadline().is_some_and(|d| d <= LATER);
            if budget.back_offs > 0 && backs_off {
                moves.push((at, Action::BackOffEnds));
            }
            if budget.restarts > 0 {
                moves.push((at, Action::Restart));
            }
            let view = machine.views.current();
            let Some(view) = view.filter(|_| !is_over(at)) else {
                continue;
            };
            if budget.leaves > 0 {
                moves.push((at, Action::Leave));
            }
            if budget.suspicions > 0 {
                let others = view.sites().filter(|s| *s != machine.site);
                moves.extend(others.map(|s| (at, Action::Suspect(s))));
            }
        }
        moves
    }

    /// Does it; nothing comes of a late copy that changes nothing.
    pub fn make(&self, state: &State, at: usize, action: Action) -> Checked<Option<State>> {
        let mut after = match &action {
            Action::Restart => self.restart(state, at)?,
            // A suspicion that a site has already is one that is not spent.
            Action::Arrive(_) | Action::Suspect(_) => {
                let outcome = self.outcome_of(state.machines[at], &action);
                if is_idle(state, at, outcome) {
                    return Ok(None);
                }
                self.follow(state, at, action.clone(), outcome)?
            }
            _ => self.act(state, at, action.clone())?,
        };
        match action {
            Action::BackOffEnds => after.budget.back_offs -= 1,
            Action::Restart => after.budget.restarts -= 1,
            Action::Leave => after.budget.leaves -= 1,
            Action::Suspect(_) => after.budget.suspicions -= 1,
            Action::Wake | Action::Hear(_) | Action::Arrive(_) => {}
        }
        Ok(Some(after))
    }

    /// The site halts, and its next incarnation and the others hear each other.
    fn restart(&self, state: &State, at: usize) -> Checked<State> {
        let old = state.machines[at].site;
        let new = site(old.id.0, old.incarnation.0 + 1);
        let disk = state.machines[at].disk.clone();
        let mut after = state.clone();
        after.machines[at] = self.newborn(new, state.machines.len() as u32, disk);
        after = self.act(&after, at, Action::Wake)?;
        for other in (0..state.machines.len()).filter(|other| *other != at) {
            let site = after.machines[other].site;
            after = self.act(&after, other, Action::Hear(new))?;
            after = self.act(&after, at, Action::Hear(site))?;
        }
        Ok(after)
    }

    /// One input to one machine, and the checks on what it did.
    fn act(&self, state: &State, at: usize, action: Action) -> Checked<State> {
        let outcome = self.outcome_of(state.machines[at], &action);
        self.follow(state, at, action, outcome)
    }

    fn follow(
        &self,
        state: &State,
        at: usize,
        action: Action,
        outcome: &Outcome,
    ) -> Checked<State> {
        let machine = &state.machines[at];
        let mut after = state.clone();
        if self.paths {
            after.path = Some(Arc::new(Path {
                at: machine.site,
                action,
                before: state.path.clone(),
            }));
        }
        after.machines[at] = outcome.machine;
        for letter in &outcome.sent {
            let is_dead =
                receiver(&after, letter).is_some_and(|to| self.is_over(after.machines[to]));
            if !is_dead && after.sent.add(letter) {
                after.past ^= letter.digest;
            }
        }
        for happened in &outcome.happened {
            self.happened.add(*happened as usize);
        }
        let mut own = machine.views.current();
        for view in &outcome.installed {
            self.check(&mut after, machine.site, own, view)
                .map_err(|violation| self.explain(&after, violation))?;
            own = Some(view);
        }
        // After these: a store gets what several views of one step have come to at once.
        for view in &outcome.committed {
            self.check_sequence(&mut after, machine.site, view)
                .map_err(|violation| self.explain(&after, violation))?;
        }
        if self.is_over(after.machines[at]) {
            self.burn(&mut after, machine.site);
        }
        Ok(after)
    }

    /// What was sent to a site that is left alone makes no difference any more.
    fn burn(&self, state: &mut State, to: Site) {
        let (dead, kept): (Vec<_>, Vec<_>) = self.sent(state).partition(|l| l.to == to);
        if dead.is_empty() {
            return;
        }
        state.past = dead.iter().fold(state.past, |past, l| past ^ l.digest);
        state.sent = Letters(kept.iter().map(|l| l.number).collect());
    }

    fn outcome_of(&self, machine: &'static Machine, action: &Action) -> &'static Outcome {
        let key = action.digest();
        let known = || machine.outcomes.lock().expect("no thread panics");
        if let Some(outcome) = known().get(&key) {
            return outcome;
        }
        let outcome: &Outcome = Box::leak(Box::new(self.run(machine, action)));
        known().entry(key).or_insert(outcome)
    }
}

impl Action {
    pub fn digest(&self) -> u128 {
        match self {
            Action::Arrive(letter) => letter.digest,
            Action::Wake => digest(&0),
            Action::BackOffEnds => digest(&1),
            Action::Leave => digest(&2),
            Action::Suspect(site) => digest(&(3, site)),
            Action::Hear(site) => digest(&(4, site)),
            Action::Restart => digest(&5),
        }
    }
}

impl Model for Explorer {
    type State = State;

    fn digest(&self, state: &State) -> u128 {
        let machines: Vec<u128> = state.machines.iter().map(|m| m.digest).collect();
        digest(&(machines, state.past, state.budget))
    }

    fn successors(&self, state: &State, next: &mut Vec<State>) -> Checked<()> {
        for (at, action) in self.moves(state) {
            next.extend(self.make(state, at, action)?);
        }
        Ok(())
    }
}

/// The running machine that a message is for.
fn receiver(state: &State, letter: &Letter) -> Option<usize> {
    state.machines.iter().position(|m| m.site == letter.to)
}

/// A late copy that changes nothing.
fn is_idle(state: &State, at: usize, outcome: &Outcome) -> bool {
    outcome.machine.digest == state.machines[at].digest
        && outcome.sent.iter().all(|l| state.sent.contains(l))
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
