//! An exhaustive explorer over the shipped group and broadcast machine with its endpoints (PROPERTIES §3).
//!
//! A state is the sites, and per pair of them the messages in flight in the order in which they were
//! sent. Any may arrive next that overtakes none of its own or of a more urgent lane: what the transport
//! promises. Nothing is lost or doubled between sites of one view; that is the transport's business.
//!
//! The view manager is an oracle. It may decide any view without some of the sites, at any moment, and
//! each survivor installs each view at any later one, in order. *A site halts in the moment in which the view
//! without it is decided*, and what it has sent stays in flight until its receiver installs that view. That
//! covers a site that lives on, suspected or not: until its last survivor has installed the view, all that
//! it does hangs on what it got before the first one did, for those that have installed say nothing more to
//! it. So all its steps can be made before that moment, in the same order, and the survivors see the same.
//! Messages that a site lost with its sender are those that are in flight when it installs the view.
//! A crash in the middle of a step is covered likewise: each link loses what it has not handed over.
//!
//! Time is abstract. Small things that wait for company (`Outbox`) leave when the machine is told that its
//! inbox is empty, which may be at any moment; floors and pulls, where an exploration has them, when it is
//! told that much time has gone by, at any moment at which nothing small waits (else the small things would
//! leave in one message with them instead of two in a row). Applications take what comes at once, and never
//! say so (R29 is not explored).

use std::collections::BTreeMap;
use std::sync::Arc;

use isis_core::ids::{Epoch, GroupId, Incarnation, ProcessId, Site, SiteId, ViewNumber};
use isis_core::view::{LeftReason, Member, SiteView};

use super::letter::Letter;
use super::site::{Act, Line, NOW, Node, Operation};
use crate::engine::{Counts, Model, One, Shared, digest};

/// What can happen; a run in which nothing of interest does proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// All that could happen has, and the properties hold.
    AtRest,
    Halted,
    /// A BCAST of a failed sender got its place in a completion.
    OrphanCompleted,
    BcastPassedOn,
    ObcastPassedOn,
    /// A final told by another than its sender's site (R15).
    FinalPassedOn,
    /// Ahead of a new decision (R13).
    DecisionRepeated,
    RunCutOff,
    CoordinatorLost,
    RecordCarried,
    /// A run was cut off, nobody had its record, and who asked asks again.
    RunRepeated,
    /// BCASTs fell behind the view that they name (R27).
    Resent,
    Pulled,
    HeaderAlone,
    /// An OBCAST that was here, and that nothing here needs any more (R21).
    CopyDropped,
}

impl Happening {
    pub const ALL: [Happening; 15] = {
        use Happening::*;
        [
            AtRest,
            Halted,
            OrphanCompleted,
            BcastPassedOn,
            ObcastPassedOn,
            FinalPassedOn,
            DecisionRepeated,
            RunCutOff,
            CoordinatorLost,
            RecordCarried,
            RunRepeated,
            Resent,
            Pulled,
            HeaderAlone,
            CopyDropped,
        ]
    };

    pub fn of(letter: &Letter) -> Option<Happening> {
        let words = &letter.words;
        let says = |word: &str| words.contains(word);
        match words.split(' ').next()? {
            "bcast" if says("passed on") => Some(Happening::BcastPassedOn),
            "obcast" if says("passed on") => Some(Happening::ObcastPassedOn),
            "header" => Some(Happening::HeaderAlone),
            "decision" if says("repeating") => Some(Happening::DecisionRepeated),
            "control" if says("pulls") => Some(Happening::Pulled),
            "control" if says("finals-of-others") => Some(Happening::FinalPassedOn),
            _ => None,
        }
    }
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Setup {
    pub sites: u32,
    /// The sites' processes are in one group.
    pub grouped: bool,
    pub script: Vec<Line>,
    pub crashes: u32,
    /// Floors, and so collection within an era; pulls.
    pub collects: bool,
}

type Link = Option<Arc<Vec<&'static Letter>>>;

#[derive(Clone)]
pub struct State {
    pub nodes: Vec<Arc<Node>>,
    /// From the first index to the second.
    pub links: Vec<Link>,
    pub views: Arc<Vec<SiteView>>,
    pub crashes: u32,
    pub path: Option<Arc<Path>>,
}

pub struct Path {
    words: String,
    before: Option<Arc<Path>>,
}

pub struct Explorer {
    pub setup: Setup,
    /// Keep the way to each state, for telling a violation; costs memory.
    pub paths: bool,
    pub group: Option<GroupId>,
    pub happened: Counts<{ Happening::ALL.len() }>,
    pub letters: Shared<&'static Letter>,
    pub nodes: One<Node>,
    /// Records of runs that came to rest, and what is wrong with them.
    pub verdicts: Shared<Option<Arc<str>>>,
}

impl Explorer {
    pub fn new(setup: Setup, paths: bool) -> Explorer {
        Explorer {
            setup,
            paths,
            group: None,
            happened: Counts::new(),
            letters: Shared::new(),
            nodes: One::new(),
            verdicts: Shared::new(),
        }
    }

    /// All are in the first view, and in the group if there is one; nothing is in flight.
    pub fn initial(&mut self) -> State {
        let n = self.setup.sites;
        let view = SiteView {
            epoch: Epoch(1),
            number: ViewNumber(0),
            members: (0..n).map(|id| member(site(id))).collect(),
            joined: (0..n).map(site).collect(),
            left: Vec::new(),
            founding: Vec::new(),
            highest: BTreeMap::new(),
        };
        let mut state = State {
            nodes: (0..n).map(|id| self.newborn(site(id))).collect(),
            links: vec![None; (n * n) as usize],
            views: Arc::new(vec![view]),
            crashes: 0,
            path: None,
        };
        self.settle(&mut state);
        for at in 0..n as usize {
            if self.setup.grouped {
                state = self
                    .act(&state, at, &Act::Operate(Operation::Join))
                    .expect("harmless");
                self.settle(&mut state);
            }
        }
        if self.setup.grouped {
            let first = state.nodes[0].clone();
            self.knows_group(&first);
        }
        self.happened.clear();
        State {
            crashes: self.setup.crashes,
            path: None,
            ..state
        }
    }

    /// Goes on, in one way, until nothing happens any more.
    fn settle(&self, state: &mut State) {
        loop {
            let mut next = Vec::new();
            self.steps(state, &mut next, true).expect("harmless");
            match next.into_iter().next() {
                Some(after) => *state = after,
                None => break,
            }
        }
    }

    /// What happens by itself.
    fn steps(&self, state: &State, next: &mut Vec<State>, collects: bool) -> Result<(), String> {
        let n = state.nodes.len();
        for (link, letters) in state.links.iter().enumerate() {
            for place in letters.iter().flat_map(|l| deliverable(l)) {
                let letter = letters.as_ref().expect("not empty")[place];
                let mut after = state.clone();
                remove(&mut after.links[link], place);
                next.push(self.follow(after, link % n, &Act::Arrive(letter))?);
            }
        }
        for (at, node) in state
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, n)| !n.site.halted)
        {
            if node.site.installed < state.views.len() {
                next.push(self.install(state, at)?);
            }
            match node.site.machine.deadline() {
                Some(due) if due <= NOW => next.push(self.act(state, at, &Act::Flush)?),
                Some(_) if collects => next.push(self.act(state, at, &Act::Wait)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// What applications do.
    fn operations(&self, state: &State, next: &mut Vec<State>) -> Result<(), String> {
        for (at, node) in state
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, n)| !n.site.halted)
        {
            let mut lines = self.setup.script.iter().filter(|l| l.at as usize == at);
            let Some(line) = lines
                .nth(node.site.done)
                .filter(|l| node.site.taken >= l.taken)
            else {
                continue;
            };
            next.push(self.act(state, at, &Act::Operate(line.operation))?);
        }
        Ok(())
    }

    /// Links with those who are not in the view are cut.
    fn install(&self, state: &State, at: usize) -> Result<State, String> {
        let n = state.nodes.len();
        let view = &state.views[state.nodes[at].site.installed];
        let mut after = state.clone();
        for from in 0..n {
            if !view.contains(state.nodes[from].site.id) {
                after.links[from * n + at] = None;
            }
        }
        self.follow(after, at, &Act::Install(view.clone()))
    }

    /// These halt, and the view without them is decided.
    fn fail(&self, state: &State, failed: u32) -> Result<State, String> {
        let n = state.nodes.len();
        let is_failed = |s: &Site| failed >> s.id.0 & 1 == 1;
        let last = state.views.last().expect("the first");
        let mut view = last.clone();
        view.number.0 += 1;
        view.members.retain(|m| !is_failed(&m.site));
        view.joined.clear();
        let left = last.sites().filter(|s| is_failed(s));
        view.left = left.map(|s| (s, LeftReason::Failed)).collect();
        let mut after = state.clone();
        after.crashes -= failed.count_ones();
        Arc::make_mut(&mut after.views).push(view);
        for at in (0..n).filter(|at| failed >> at & 1 == 1) {
            after = self.follow(after, at, &Act::Halt)?;
            (0..n).for_each(|from| after.links[from * n + at] = None);
            self.happened.add(Happening::Halted as usize);
        }
        Ok(after)
    }

    fn act(&self, state: &State, at: usize, act: &Act) -> Result<State, String> {
        self.follow(state.clone(), at, act)
    }

    /// Hands an input to a site, and puts what it sends on the links.
    fn follow(&self, mut after: State, at: usize, act: &Act) -> Result<State, String> {
        let n = after.nodes.len();
        let outcome = self.outcome(&after.nodes[at], act);
        if self.paths {
            after.path = Some(Arc::new(Path {
                words: tell(after.nodes[at].site.id, act),
                before: after.path.take(),
            }));
        }
        if let Some(node) = outcome.node {
            after.nodes[at] = node;
        }
        for (to, letter) in outcome.sent.iter() {
            let to = to.id.0 as usize;
            if !after.nodes[to].site.halted {
                let link = after.links[at * n + to].get_or_insert_default();
                Arc::make_mut(link).push(letter);
            }
        }
        for happened in outcome.happened.iter() {
            self.happened.add(*happened as usize);
        }
        match outcome.violation {
            Some(violation) => Err(self.explain(&after, &violation)),
            None => Ok(after),
        }
    }

    /// The way to a violation.
    pub fn explain(&self, state: &State, violation: &str) -> String {
        let mut lines = vec![violation.to_owned()];
        let mut path = &state.path;
        while let Some(step) = path {
            lines.push(step.words.clone());
            path = &step.before;
        }
        lines.reverse();
        lines.join("\n")
    }
}

impl Model for Explorer {
    type State = State;

    fn digest(&self, state: &State) -> u128 {
        let mut parts: Vec<u128> = state.nodes.iter().map(|n| n.digest).collect();
        for link in &state.links {
            let letters = link.iter().flat_map(|l| l.iter());
            let before = parts.len();
            parts.extend(letters.map(|l| l.digest));
            parts.push((parts.len() - before) as u128);
        }
        let members = |v: &SiteView| v.sites().fold(0, |all, s| all | 1u128 << s.id.0);
        parts.extend(state.views.iter().map(members));
        digest(&(parts, state.crashes))
    }

    fn successors(&self, state: &State, next: &mut Vec<State>) -> Result<(), String> {
        self.steps(state, next, self.setup.collects)?;
        self.operations(state, next)?;
        if next.is_empty() {
            self.check_at_rest(state)?;
            self.happened.add(Happening::AtRest as usize);
        }
        let members = state.views.last().expect("the first").sites();
        let alive = members.fold(0u32, |all, s| all | 1 << s.id.0);
        for failed in (1..alive).filter(|f| f & !alive == 0) {
            if failed.count_ones() <= state.crashes {
                next.push(self.fail(state, failed)?);
            }
        }
        Ok(())
    }
}

/// The places of those that overtake none of their own or of a more urgent lane.
fn deliverable(letters: &[&'static Letter]) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for (place, letter) in letters.iter().enumerate() {
        if places.iter().all(|p| letters[*p].lane > letter.lane) {
            places.push(place);
        }
    }
    places
}

fn remove(link: &mut Link, place: usize) {
    let letters = Arc::make_mut(link.as_mut().expect("not empty"));
    letters.remove(place);
    if letters.is_empty() {
        *link = None;
    }
}

fn tell(at: Site, act: &Act) -> String {
    match act {
        Act::Arrive(letter) => format!("{} -> {at}: {}", letter.from, letter.words),
        Act::Flush => format!("{at} sends small things"),
        Act::Wait => format!("{at} has waited for long"),
        Act::Operate(operation) => format!("{at}: {operation:?}"),
        Act::Install(view) => format!("{at} installs {view}"),
        Act::Halt => format!("{at} halts, and a view without it is decided"),
    }
}

/// The site with this number.
fn site(id: u32) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(1),
    }
}

/// The process of that site.
pub fn process(id: u32) -> ProcessId {
    ProcessId {
        site: site(id),
        index: 1,
    }
}

fn member(site: Site) -> Member {
    Member {
        site,
        address: String::new(),
    }
}
