//! A trace, indexed for the properties: who sent and took what in which order, who survived and whose
//! deliveries count, all found out here from the trace alone. What *precedes* what is in
//! `history/precedes.rs`.
//!
//! Broadcasts have numbers here, from 0 in the order of the trace, so that a property can keep what it
//! knows of each in a vector.

mod precedes;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::delivery::{GroupView, Label};
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Address;
use crate::view::SiteView;

use super::trace::{Delivered, Record, Sent, Trace, What};

pub use precedes::Precedes;

/// Place in the trace.
pub type At = usize;

/// Number of a broadcast.
pub type Number = usize;

/// One thing that a process did or saw, in its own order.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Its application sent a broadcast.
    Send(Number, &'a Sent),
    /// Its application took a broadcast.
    Deliver(Number, &'a Delivered),
    /// It took a view of a group.
    View(&'a Arc<GroupView>),
    /// It took a view of a group that it watches from outside.
    Watch(&'a Arc<GroupView>),
    /// It watches that group no more.
    WatchEnd(GroupId),
    /// It took a site view.
    SiteView(&'a Arc<SiteView>),
}

/// The life of a process.
#[derive(Debug, Default)]
pub struct Life<'a> {
    /// What it did and saw, in order.
    pub steps: Vec<(At, Step<'a>)>,
    /// The group views that it took, as a member or from outside.
    pub views: Vec<(At, &'a Arc<GroupView>)>,
    /// Where it, or its site, ended.
    pub end: Option<At>,
    /// Where its application closed it, if it did; from there on it need not take anything.
    pub closed: Option<At>,
    /// Its site crashed or was excluded.
    pub crashed: bool,
    /// Up to here what it did and took counts: all for survivors, for others as far as a survivor
    /// saw a consequence (promise 2).
    pub counted: At,
    /// By label: where it took the last safe BCAST.
    safe: BTreeMap<&'a str, At>,
    /// The names that it has looked up, and the groups that it is in by the last view that it took.
    looked_up: BTreeSet<&'a str>,
    inside: BTreeSet<GroupId>,
}

impl<'a> Life<'a> {
    /// What it took.
    pub fn deliveries(&self) -> impl Iterator<Item = (At, Number, &'a Delivered)> + '_ {
        self.steps.iter().filter_map(|(at, step)| match step {
            Step::Deliver(n, m) => Some((*at, *n, *m)),
            _ => None,
        })
    }

    /// Deliveries that count.
    pub fn counted(&self) -> impl Iterator<Item = (At, Number, &'a Delivered)> + '_ {
        self.deliveries().filter(|(at, _, _)| *at <= self.counted)
    }

    /// Up to here what it took of a label is what survivors take: as far as it counts, and as far as
    /// it took a safe BCAST.
    pub fn counted_or_safe(&self, label: &str) -> At {
        let safe = self.safe.get(label).copied().unwrap_or_default();
        self.counted.max(safe)
    }

    fn survived(&self, merged: bool) -> bool {
        match merged {
            true => self.closed.is_some() && !self.crashed,
            false => self.end.is_none() && self.closed.is_none(),
        }
    }

    /// Whether it has asked to watch the group from outside.
    pub fn has_looked_up(&self, view: &GroupView) -> bool {
        self.looked_up.contains(&*view.name)
    }
}

/// A broadcast.
#[derive(Debug)]
pub struct Broadcast<'a> {
    /// ID(B).
    pub id: MessageId,
    /// Where it was sent.
    pub sent: Option<(At, &'a Sent)>,
    /// Who took it, and where first, in the order of the trace.
    pub taken: Vec<(ProcessId, At, &'a Delivered)>,
}

impl Broadcast<'_> {
    /// Where a process took it.
    pub fn taken_by(&self, p: ProcessId) -> Option<At> {
        let found = self.taken.iter().find(|(q, _, _)| *q == p);
        found.map(|(_, at, _)| *at)
    }
}

/// Where a process takes a broadcast, compared with other broadcasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It is no destination.
    #[default]
    Nowhere,
    /// Here.
    At(At),
    /// It is a destination and never takes it: later than anything.
    Missing,
}

/// See the module's head.
#[derive(Debug)]
pub struct History<'a> {
    /// Of the trace.
    pub records: &'a [Record],
    /// Of the trace: the promises for survivors count.
    pub live: bool,
    /// Of the trace: merged from recorded histories.
    pub merged: bool,
    files: &'a [String],
    /// Every process that the trace names as doing something.
    pub lives: BTreeMap<ProcessId, Life<'a>>,
    /// Every broadcast, by its number.
    pub broadcasts: Vec<Broadcast<'a>>,
    numbers: BTreeMap<MessageId, Number>,
    /// Every group view that somebody took, by group and number.
    pub views: BTreeMap<(GroupId, u64), &'a Arc<GroupView>>,
    /// Broadcasts that reach nobody, as their senders were told.
    pub undeliverable: BTreeSet<MessageId>,
    /// Between OBCASTs.
    pub precedes: Precedes,
    /// By number: a destination that survived and never took it.
    missed: Vec<Option<ProcessId>>,
}

impl<'a> History<'a> {
    /// Indexes a trace.
    pub fn new(trace: &'a Trace) -> History<'a> {
        let mut history = History {
            records: &trace.records,
            live: trace.live,
            merged: trace.merged,
            files: &trace.files,
            lives: BTreeMap::new(),
            broadcasts: Vec::new(),
            numbers: BTreeMap::new(),
            views: BTreeMap::new(),
            undeliverable: BTreeSet::new(),
            precedes: Precedes::default(),
            missed: Vec::new(),
        };
        for (at, record) in trace.records.iter().enumerate() {
            history.index(at, &record.what);
        }
        history.count();
        history.find_safe();
        history.precedes = Precedes::new(&history);
        let numbers = 0..history.broadcasts.len();
        history.missed = numbers.map(|n| history.find_missed(n)).collect();
        history
    }

    fn index(&mut self, at: At, what: &'a What) {
        match what {
            What::Open(p) => {
                self.life(*p);
            }
            What::Undeliverable(id) => {
                self.undeliverable.insert(*id);
            }
            What::Close(p) => {
                let life = self.life(*p);
                life.closed.get_or_insert(at);
            }
            What::Ended(p) => {
                self.life(*p).end.get_or_insert(at);
            }
            What::Crash(site) => self.end_site(at, *site, true),
            What::Out { site, asked } => self.end_site(at, *site, !asked),
            What::Send(m) => {
                let n = self.enter(m.id);
                self.step(m.id.sender, at, Step::Send(n, m));
                self.broadcasts[n].sent.get_or_insert((at, m));
            }
            What::Deliver(p, m) => {
                let n = self.enter(m.id);
                self.step(*p, at, Step::Deliver(n, m));
                if self.broadcasts[n].taken_by(*p).is_none() {
                    self.broadcasts[n].taken.push((*p, at, m));
                }
            }
            What::View(p, v) => {
                self.took_view(*p, at, v);
                self.views.entry((v.group, v.number)).or_insert(v);
            }
            What::AskLookup(p, name) => _ = self.life(*p).looked_up.insert(name),
            What::Left(p, g) => self.step(*p, at, Step::WatchEnd(*g)),
            What::SiteView(p, v) => self.step(*p, at, Step::SiteView(v)),
            _ => {}
        }
    }

    /// A view without the process ends its membership, or else it watches the group.
    fn took_view(&mut self, p: ProcessId, at: At, view: &'a Arc<GroupView>) {
        let life = self.life(p);
        life.views.push((at, view));
        let step = if view.members.contains(&p) {
            life.inside.insert(view.group);
            Step::View(view)
        } else if life.inside.remove(&view.group) || !life.has_looked_up(view) {
            Step::View(view)
        } else {
            Step::Watch(view)
        };
        let dissolved = matches!(step, Step::Watch(_)) && view.members.is_empty();
        self.step(p, at, step);
        if dissolved {
            self.step(p, at, Step::WatchEnd(view.group));
        }
    }

    fn life(&mut self, p: ProcessId) -> &mut Life<'a> {
        self.lives.entry(p).or_default()
    }

    fn step(&mut self, p: ProcessId, at: At, step: Step<'a>) {
        self.life(p).steps.push((at, step));
    }

    fn enter(&mut self, id: MessageId) -> Number {
        let next = self.broadcasts.len();
        let number = *self.numbers.entry(id).or_insert(next);
        if number == next {
            self.broadcasts.push(Broadcast {
                id,
                sent: None,
                taken: Vec::new(),
            });
        }
        number
    }

    fn end_site(&mut self, at: At, site: Site, crashed: bool) {
        for (p, life) in &mut self.lives {
            if p.site == site {
                life.end.get_or_insert(at);
                life.crashed |= crashed;
            }
        }
    }

    /// Finds how much of each life counts. What a process did before it sent something that took
    /// effect where it counts, counts.
    fn count(&mut self) {
        let all = self.records.len();
        for life in self.lives.values_mut() {
            life.counted = if life.survived(self.merged) { all } else { 0 };
        }
        loop {
            let mut later: BTreeMap<ProcessId, At> = BTreeMap::new();
            for life in self.lives.values() {
                for (_, n, m) in life.counted() {
                    if let Some((sent, _)) = self.broadcasts[n].sent {
                        let at = later.entry(m.id.sender).or_default();
                        *at = (*at).max(sent);
                    }
                }
            }
            let mut changed = false;
            for (p, at) in later {
                let life = self.life(p);
                changed |= life.counted < at;
                life.counted = life.counted.max(at);
            }
            if !changed {
                return;
            }
        }
    }

    fn find_safe(&mut self) {
        for life in self.lives.values_mut() {
            for (at, step) in &life.steps {
                if let Step::Deliver(n, m) = step
                    && let Some(label) = bcast_label(&m.label)
                    && self.broadcasts[*n].sent.is_some_and(|(_, m)| m.safe)
                {
                    life.safe.insert(label, *at);
                }
            }
        }
    }

    /// Alive at the end and never closed; of recorded histories, which all end: closed, at a site that
    /// did not fail.
    pub fn survived(&self, p: ProcessId) -> bool {
        self.lives.get(&p).is_some_and(|l| l.survived(self.merged))
    }

    /// Those who survived, see [`Self::survived`].
    pub fn survivors(&self) -> impl Iterator<Item = (ProcessId, &Life<'a>)> {
        self.lives
            .iter()
            .filter(|(p, _)| self.survived(**p))
            .map(|(p, l)| (*p, l))
    }

    /// The number of a broadcast.
    pub fn number(&self, id: MessageId) -> Option<Number> {
        self.numbers.get(&id).copied()
    }

    /// The destinations of a broadcast, where the trace tells: of one to a group they are the members
    /// of the view in which somebody took it.
    pub fn destinations(&self, n: Number) -> Option<&'a [ProcessId]> {
        let broadcast = &self.broadcasts[n];
        if let Some((_, sent)) = broadcast.sent
            && let Address::List(list) = &sent.to
        {
            return Some(list);
        }
        let (_, _, m) = broadcast.taken.first()?;
        Some(&self.views.get(&m.group?)?.members)
    }

    /// Processes that certainly are destinations of a broadcast, even if nobody took it: members of
    /// its group in every view from the one in which its sender sent it on.
    pub fn certain_destinations(&self, n: Number) -> Cow<'a, [ProcessId]> {
        let none = Cow::Borrowed(&[][..]);
        if let Some(known) = self.destinations(n) {
            return Cow::Borrowed(known);
        }
        let broadcast = &self.broadcasts[n];
        let Some((at, sent)) = broadcast.sent else {
            return none;
        };
        let Address::Group(group) = sent.to else {
            return none;
        };
        let first = self
            .view_at(broadcast.id.sender, group, at)
            .map_or(u64::MAX, |v| v.number);
        let mut views = self
            .views
            .range((group, first)..=(group, u64::MAX))
            .map(|(_, v)| v);
        let Some(view) = views.next() else {
            return none;
        };
        let mut members = view.members.clone();
        for view in views {
            members.retain(|p| view.members.contains(p));
        }
        Cow::Owned(members)
    }

    /// The view of the group that the process, a member or a watcher, had taken last at this place of
    /// the trace.
    pub fn view_at(&self, p: ProcessId, group: GroupId, at: At) -> Option<&'a Arc<GroupView>> {
        let views = &self.lives.get(&p)?.views;
        let mut before = views.iter().rev().skip_while(|(a, _)| *a >= at);
        before.find(|(_, v)| v.group == group).map(|(_, v)| *v)
    }

    /// Where a process takes each broadcast, by number.
    pub fn places(&self, p: ProcessId) -> Vec<Place> {
        let place = |n: Number| match self.broadcasts[n].taken_by(p) {
            Some(at) => Place::At(at),
            None if self.certain_destinations(n).contains(&p) => Place::Missing,
            None => Place::Nowhere,
        };
        (0..self.broadcasts.len()).map(place).collect()
    }

    /// A destination that survived and did not take the broadcast.
    pub fn survivor_without(&self, n: Number) -> Option<ProcessId> {
        self.missed[n]
    }

    fn find_missed(&self, n: Number) -> Option<ProcessId> {
        let broadcast = &self.broadcasts[n];
        let destinations = self.certain_destinations(n);
        let missed = |q: &&ProcessId| {
            broadcast.taken_by(**q).is_none()
                && self.survived(**q)
                && self.saw_the_end_of(broadcast.id.sender, **q)
        };
        destinations.iter().find(missed).copied()
    }

    /// False if the sender's site failed, and the process was closed before it was told: what others
    /// have of that sender may have been on its way to it. Recorded histories alone have processes that
    /// were closed and survived.
    fn saw_the_end_of(&self, sender: ProcessId, q: ProcessId) -> bool {
        let failed = self.lives.get(&sender).is_some_and(|life| life.crashed);
        let told = |(_, step): &(At, Step<'_>)| match step {
            Step::SiteView(view) => !view.contains(sender.site),
            _ => false,
        };
        let steps = |q| self.lives.get(q).map_or(&[][..], |life| &life.steps);
        !(self.merged && failed) || steps(&q).iter().any(told)
    }

    /// The text of a record, for messages, with its place in the recorded history.
    pub fn text(&self, at: At) -> String {
        let record = &self.records[at];
        match record.origin {
            Some(origin) => {
                let (file, line) = (&self.files[origin.file as usize], origin.line);
                format!("{file}:{line}: {}", record.to_string().trim_start())
            }
            None => record.to_string(),
        }
    }

    /// The records of some places, each on a line of its own.
    pub fn texts(&self, places: impl IntoIterator<Item = At>) -> String {
        let lines = places
            .into_iter()
            .map(|at| format!("\n  {}", self.text(at)));
        lines.collect()
    }
}

/// The label of a BCAST.
pub fn bcast_label(label: &Label) -> Option<&str> {
    match label {
        Label::Bcast(label) => Some(label),
        _ => None,
    }
}
