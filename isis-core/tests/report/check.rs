//! What every run must satisfy, whatever it is about: §3's promises, checked on what the processes
//! have taken. Crashed processes count as far as they got.

use std::collections::{BTreeMap, BTreeSet};

use isis_core::delivery::{Event, GroupView, Label, Message};
use isis_core::ids::{GroupId, MessageId, ProcessId, Site};

use crate::cluster::Cluster;

impl Cluster {
    /// Lets everything run, then checks the run and that nothing is kept.
    pub fn settle(&mut self) {
        self.release_all();
        let slow = std::mem::take(&mut self.slow);
        self.run();
        self.slow = slow;
        self.assert_idle();
        self.check();
    }

    /// Every queue and store is empty, and nobody waits for anything.
    pub fn assert_idle(&self) {
        for (at, machine) in &self.machines {
            let pending = machine.pending();
            assert_eq!(pending, Vec::<String>::new(), "at {at}");
            assert_eq!(machine.gauges(), Default::default(), "at {at}");
        }
        for (id, endpoint) in &self.endpoints {
            assert_eq!(endpoint.in_flight(), (0, 0), "window of {id}");
            assert_eq!(endpoint.past_len(), 0, "past of {id}");
        }
    }

    /// Checks all logs.
    pub fn check(&self) {
        for (process, log) in &self.taken {
            once_only(*process, log);
            in_its_view(*process, log);
            failure_last(*process, log);
        }
        one_sequence_of_views(&self.taken);
        let logs: Vec<_> = self.taken.iter().collect();
        for (i, (p, a)) in logs.iter().enumerate() {
            for (q, b) in &logs[i + 1..] {
                same_order(**p, a, **q, b);
                let lives = |p, log: &[Event]| {
                    self.endpoints.contains_key(p) && !log.contains(&Event::Closed)
                };
                if lives(p, a) && lives(q, b) {
                    same_messages(**p, a, **q, b);
                }
            }
        }
    }
}

fn messages(log: &[Event]) -> impl Iterator<Item = &Message> {
    log.iter().filter_map(|e| match e {
        Event::Message(m) => Some(m),
        _ => None,
    })
}

/// I2.
fn once_only(process: ProcessId, log: &[Event]) {
    let mut seen = BTreeSet::new();
    for m in messages(log) {
        assert!(seen.insert(m.id), "{process} got {} twice", m.id);
    }
}

/// S1: a message to a group comes in the view that it names.
fn in_its_view(process: ProcessId, log: &[Event]) {
    let mut current: BTreeMap<GroupId, u64> = BTreeMap::new();
    for event in log {
        match event {
            Event::View(v) => {
                let before = current.insert(v.group, v.number);
                let next = before.is_none_or(|n| n + 1 == v.number);
                assert!(next, "{process} went from {before:?} to view {}", v.number);
            }
            Event::Message(m) => {
                if let Some((group, number)) = m.group {
                    assert_eq!(current.get(&group), Some(&number), "{process}: {}", m.id);
                }
            }
            _ => {}
        }
    }
}

/// F1: nothing comes from a process or a site after the view without it.
fn failure_last(process: ProcessId, log: &[Event]) {
    let mut gone: BTreeSet<Site> = BTreeSet::new();
    for event in log {
        match event {
            Event::SiteView(v) => gone.extend(v.left.iter().map(|(s, _)| *s)),
            Event::Message(m) => {
                assert!(!gone.contains(&m.id.sender.site), "{process}: {}", m.id);
            }
            _ => {}
        }
    }
}

/// M4, M5: one view of each number, the same everywhere.
fn one_sequence_of_views(logs: &BTreeMap<ProcessId, Vec<Event>>) {
    let mut known: BTreeMap<(GroupId, u64), &GroupView> = BTreeMap::new();
    for event in logs.values().flatten() {
        if let Event::View(v) = event {
            let first = known.entry((v.group, v.number)).or_insert(v);
            assert_eq!(**first, **v, "two group views of one number");
        }
    }
}

/// What is ordered against everything of its group, or of its label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Message(MessageId),
    View(GroupId, u64),
}

/// O1, O6: common BCASTs of one label, GBCASTs and views come in one order, and every other common
/// message on the same side of them.
fn same_order(p: ProcessId, a: &[Event], q: ProcessId, b: &[Event]) {
    let (a, b) = (items(a), items(b));
    let place: BTreeMap<Item, usize> = b.iter().enumerate().map(|(i, (x, _))| (*x, i)).collect();
    let common: Vec<_> = a.iter().filter(|(x, _)| place.contains_key(x)).collect();
    for (i, (x, x_order)) in common.iter().enumerate() {
        for (y, y_order) in &common[i + 1..] {
            let ordered = x_order == y_order && *x_order != Order::Free
                || *x_order == Order::Total
                || *y_order == Order::Total;
            if ordered {
                assert!(
                    place[x] < place[y],
                    "{p} and {q} differ: {} and {}",
                    name(x),
                    name(y)
                );
            }
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Order {
    Free,
    Label(String),
    Total,
}

fn items(log: &[Event]) -> Vec<(Item, Order)> {
    let item = |e: &Event| match e {
        Event::Message(m) => {
            let order = match &m.label {
                Label::Bcast(label) => Order::Label(label.to_string()),
                Label::Obcast(_) => Order::Free,
                Label::Gbcast => Order::Total,
            };
            Some((Item::Message(m.id), order))
        }
        Event::View(v) => Some((Item::View(v.group, v.number), Order::Total)),
        _ => None,
    };
    log.iter().filter_map(item).collect()
}

fn name(item: &Item) -> String {
    match item {
        Item::Message(id) => id.to_string(),
        Item::View(group, number) => format!("view {number} of {group}"),
    }
}

/// S2 and R1: two survivors that were in a view together delivered the same of what was sent to it.
fn same_messages(p: ProcessId, a: &[Event], q: ProcessId, b: &[Event]) {
    let of = |me: ProcessId, log: &[Event]| -> BTreeMap<(GroupId, u64), BTreeSet<MessageId>> {
        let mut sets: BTreeMap<_, BTreeSet<MessageId>> = BTreeMap::new();
        for event in log {
            match event {
                Event::View(v) if !v.members.contains(&me) => {}
                Event::View(v) => drop(sets.entry((v.group, v.number)).or_default()),
                Event::Message(m) => {
                    if let Some(view) = m.group {
                        sets.entry(view).or_default().insert(m.id);
                    }
                }
                _ => {}
            }
        }
        sets
    };
    let other = of(q, b);
    for (view, ids) in of(p, a) {
        if let Some(others) = other.get(&view) {
            assert_eq!(&ids, others, "{p} and {q} in view {} of {}", view.1, view.0);
        }
    }
}
