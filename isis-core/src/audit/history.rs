//! A trace, indexed for the properties: who sent and took what in which order, who survived, whose
//! deliveries count, and what *precedes* what (§3.2), all computed here from the trace alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::delivery::{GroupView, Label, Olabel};
use crate::ids::{Class, GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Address;
use crate::view::SiteView;

use super::trace::{Delivered, Record, Sent, Trace, What};

/// Place in the trace.
pub type At = usize;

/// One thing that a process did or saw, in its own order.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Its application sent a broadcast.
    Send(&'a Sent),
    /// Its application took a broadcast.
    Deliver(&'a Delivered),
    /// It took a view of a group.
    View(&'a Arc<GroupView>),
    /// It took a site view.
    SiteView(&'a Arc<SiteView>),
}

/// The life of a process.
#[derive(Debug, Default)]
pub struct Life<'a> {
    /// What it did and saw, in order.
    pub steps: Vec<(At, Step<'a>)>,
    /// Where it, or its site, ended.
    pub end: Option<At>,
    /// Where its application closed it, if it did; from there on it need not take anything.
    pub closed: Option<At>,
    /// Its site crashed or was excluded.
    pub crashed: bool,
    /// Up to here what it did and took counts: all for survivors, for others as far as a survivor
    /// saw a consequence (promise 2).
    pub counted: At,
}

impl<'a> Life<'a> {
    /// What it took.
    pub fn deliveries(&self) -> impl Iterator<Item = (At, &'a Delivered)> + '_ {
        self.steps.iter().filter_map(|(at, step)| match step {
            Step::Deliver(m) => Some((*at, *m)),
            _ => None,
        })
    }

    /// Deliveries that count.
    pub fn counted(&self) -> impl Iterator<Item = (At, &'a Delivered)> + '_ {
        self.deliveries().filter(|(at, _)| *at <= self.counted)
    }

    fn survived(&self, merged: bool) -> bool {
        match merged {
            true => self.closed.is_some() && !self.crashed,
            false => self.end.is_none() && self.closed.is_none(),
        }
    }

    /// The group views that it took.
    pub fn views(&self) -> impl Iterator<Item = (At, &'a Arc<GroupView>)> + '_ {
        self.steps.iter().filter_map(|(at, step)| match step {
            Step::View(v) => Some((*at, *v)),
            _ => None,
        })
    }
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
    /// Every broadcast, and where it was sent.
    pub sends: BTreeMap<MessageId, (At, &'a Sent)>,
    /// Every group view that somebody took, by group and number.
    pub views: BTreeMap<(GroupId, u64), &'a Arc<GroupView>>,
    /// Where each broadcast was taken, per process.
    pub taken: BTreeMap<MessageId, BTreeMap<ProcessId, (At, &'a Delivered)>>,
    /// Between OBCASTs.
    pub precedes: Precedes,
    /// Broadcasts that a destination which survived never took, and one such.
    missed: BTreeMap<MessageId, ProcessId>,
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
            sends: BTreeMap::new(),
            views: BTreeMap::new(),
            taken: BTreeMap::new(),
            precedes: Precedes::default(),
            missed: BTreeMap::new(),
        };
        for (at, record) in trace.records.iter().enumerate() {
            history.index(at, &record.what);
        }
        history.count();
        history.precedes = Precedes::new(&history);
        history.missed = history.find_missed();
        history
    }

    fn index(&mut self, at: At, what: &'a What) {
        match what {
            What::Open(p) => {
                self.life(*p);
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
                self.step(m.id.sender, at, Step::Send(m));
                self.sends.entry(m.id).or_insert((at, m));
            }
            What::Deliver(p, m) => {
                self.step(*p, at, Step::Deliver(m));
                self.taken
                    .entry(m.id)
                    .or_default()
                    .entry(*p)
                    .or_insert((at, m));
            }
            What::View(p, v) => {
                self.step(*p, at, Step::View(v));
                self.views.entry((v.group, v.number)).or_insert(v);
            }
            What::SiteView(p, v) => self.step(*p, at, Step::SiteView(v)),
            _ => {}
        }
    }

    fn life(&mut self, p: ProcessId) -> &mut Life<'a> {
        self.lives.entry(p).or_default()
    }

    fn step(&mut self, p: ProcessId, at: At, step: Step<'a>) {
        self.life(p).steps.push((at, step));
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
                for (_, m) in life.counted() {
                    if let Some((sent, _)) = self.sends.get(&m.id) {
                        let at = later.entry(m.id.sender).or_default();
                        *at = (*at).max(*sent);
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

    /// The destinations of a broadcast, where the trace tells: of one to a group they are the members
    /// of the view in which somebody took it.
    pub fn destinations(&self, id: MessageId) -> Option<&[ProcessId]> {
        if let Some((_, sent)) = self.sends.get(&id)
            && let Address::List(list) = &sent.to
        {
            return Some(list);
        }
        let (_, (_, m)) = self.taken.get(&id)?.first_key_value()?;
        let view = self.views.get(&m.group?)?;
        Some(&view.members)
    }

    /// A destination that survived and did not take the broadcast.
    pub fn survivor_without(&self, id: MessageId) -> Option<ProcessId> {
        self.missed.get(&id).copied()
    }

    fn find_missed(&self) -> BTreeMap<MessageId, ProcessId> {
        let missed = |id: &MessageId| {
            let took = |q: &ProcessId| self.taken.get(id).is_some_and(|t| t.contains_key(q));
            let certain = self.certain_destinations(*id).into_iter();
            let q = certain.filter(|q| self.survived(*q)).find(|q| !took(q))?;
            Some((*id, q))
        };
        self.sends.keys().filter_map(missed).collect()
    }

    /// Processes that certainly are destinations of a broadcast, even if nobody took it: members of
    /// its group in every view from the one in which its sender sent it on.
    pub fn certain_destinations(&self, id: MessageId) -> BTreeSet<ProcessId> {
        if let Some(known) = self.destinations(id) {
            return known.iter().copied().collect();
        }
        let Some((at, sent)) = self.sends.get(&id) else {
            return BTreeSet::new();
        };
        let Address::Group(group) = sent.to else {
            return BTreeSet::new();
        };
        let first = self
            .view_at(id.sender, group, *at)
            .map_or(u64::MAX, |v| v.number);
        let mut views = self
            .views
            .range((group, first)..=(group, u64::MAX))
            .map(|(_, v)| v);
        let mut members: BTreeSet<ProcessId> = match views.next() {
            Some(view) => view.members.iter().copied().collect(),
            None => return BTreeSet::new(),
        };
        for view in views {
            members.retain(|p| view.members.contains(p));
        }
        members
    }

    /// The view of the group that the process had taken last, at this place of the trace.
    pub fn view_at(&self, p: ProcessId, group: GroupId, at: At) -> Option<&'a Arc<GroupView>> {
        let views = self.lives.get(&p)?.views();
        views
            .take_while(|(a, _)| *a < at)
            .filter(|(_, v)| v.group == group)
            .last()
            .map(|(_, v)| v)
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
}

/// The relation *precedes* of §3.2 between OBCASTs, transitively closed.
#[derive(Debug, Default)]
pub struct Precedes {
    index: BTreeMap<MessageId, usize>,
    ids: Vec<MessageId>,
    before: Vec<Vec<u64>>,
}

impl Precedes {
    fn new(history: &History<'_>) -> Precedes {
        let mut obcasts: Vec<(At, &Sent)> = history
            .sends
            .values()
            .filter(|(_, m)| m.id.class == Class::Obcast)
            .copied()
            .collect();
        obcasts.sort_by_key(|(at, _)| *at);
        let ids: Vec<MessageId> = obcasts.iter().map(|(_, m)| m.id).collect();
        let index: BTreeMap<_, _> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let words = ids.len().div_ceil(64);
        let mut before: Vec<Vec<u64>> = Vec::with_capacity(ids.len());
        for (at, m) in &obcasts {
            let mut set = vec![0u64; words];
            for (_, step) in history.lives[&m.id.sender]
                .steps
                .iter()
                .take_while(|(a, _)| a < at)
            {
                let Some(earlier) = earlier_obcast(history, step) else {
                    continue;
                };
                let Some(&i) = index.get(&earlier.id) else {
                    continue;
                };
                if comparable(earlier, m) && i < before.len() {
                    set[i / 64] |= 1 << (i % 64);
                    for (word, more) in set.iter_mut().zip(&before[i]) {
                        *word |= more;
                    }
                }
            }
            before.push(set);
        }
        Precedes { index, ids, before }
    }

    /// Whether the first precedes the second.
    pub fn holds(&self, first: MessageId, second: MessageId) -> bool {
        match (self.index.get(&first), self.index.get(&second)) {
            (Some(&a), Some(&b)) => self.before[b][a / 64] >> (a % 64) & 1 == 1,
            _ => false,
        }
    }

    /// Everything that precedes this one.
    pub fn before(&self, id: MessageId) -> impl Iterator<Item = MessageId> + '_ {
        let set = self.index.get(&id).map(|i| &self.before[*i]);
        let is_in = move |i: &usize| set.is_some_and(|s| s[i / 64] >> (i % 64) & 1 == 1);
        (0..self.ids.len()).filter(is_in).map(|i| self.ids[i])
    }
}

fn earlier_obcast<'a>(history: &History<'a>, step: &Step<'a>) -> Option<&'a Sent> {
    match step {
        Step::Send(m) if m.id.class == Class::Obcast => Some(m),
        Step::Deliver(m) if m.id.class == Class::Obcast => {
            history.sends.get(&m.id).map(|(_, sent)| *sent)
        }
        _ => None,
    }
}

/// Whether two olabels are comparable; the direction is then that of potential causality.
pub fn comparable(a: &Sent, b: &Sent) -> bool {
    let group = |m: &Sent| match m.to {
        Address::Group(g) => Some(g),
        Address::List(_) => None,
    };
    match (&a.label, &b.label) {
        (Label::Obcast(Olabel::Unordered), _) | (_, Label::Obcast(Olabel::Unordered)) => false,
        (Label::Obcast(Olabel::Stream(x)), Label::Obcast(Olabel::Stream(y))) => x == y,
        (Label::Obcast(_), Label::Obcast(_)) => group(a) == group(b),
        _ => false,
    }
}
