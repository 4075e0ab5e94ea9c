//! O1: per label, the orders in which processes take BCASTs, over all groups and lists, have no
//! cycle. What crashed processes took counts as far as a survivor saw a consequence.

use std::collections::{BTreeMap, BTreeSet};

use crate::delivery::Label;
use crate::ids::MessageId;

use crate::audit::history::History;

type Edges = BTreeMap<MessageId, BTreeSet<MessageId>>;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut labels: BTreeMap<&str, Edges> = BTreeMap::new();
    for life in history.lives.values() {
        let mut last: BTreeMap<&str, MessageId> = BTreeMap::new();
        for (_, m) in life.counted() {
            let Label::Bcast(label) = &m.label else {
                continue;
            };
            let edges = labels.entry(label).or_default();
            edges.entry(m.id).or_default();
            if let Some(before) = last.insert(label, m.id) {
                edges.entry(before).or_default().insert(m.id);
            }
        }
    }
    for (label, edges) in &labels {
        let cycle = remains(edges);
        if !cycle.is_empty() {
            let names: Vec<String> = cycle.iter().map(|id| id.to_string()).collect();
            return Err(format!(
                "no one order of label {label:?}: {}",
                names.join(" ")
            ));
        }
    }
    Ok(())
}

/// What is left when whatever has nothing before it is taken out, again and again: the cycles.
fn remains(edges: &Edges) -> Vec<MessageId> {
    let mut before: BTreeMap<MessageId, usize> = edges.keys().map(|id| (*id, 0)).collect();
    for id in edges.values().flatten() {
        *before.entry(*id).or_default() += 1;
    }
    let mut free: Vec<MessageId> = Vec::new();
    free.extend(before.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id));
    while let Some(id) = free.pop() {
        before.remove(&id);
        for next in &edges[&id] {
            let n = before.get_mut(next).expect("counted above");
            *n -= 1;
            if *n == 0 {
                free.push(*next);
            }
        }
    }
    before.into_keys().collect()
}

#[test]
fn rejects_two_orders() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let (a, b) = (s.bcast(0, "q"), s.bcast(1, "q"));
    s.take(&[0, 1], a);
    s.take(&[0, 1, 2], b);
    assert!(s.passes(check));
    s.take(&[2], a);
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_cycle_over_three_lists() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let a = s.bcast_to(0, "q", &[0, 1]);
    let b = s.bcast_to(1, "q", &[1, 2]);
    let c = s.bcast_to(2, "q", &[2, 0]);
    s.take(&[1], a);
    s.take(&[1, 2], b);
    s.take(&[2, 0], c);
    assert!(s.passes(check));
    s.take(&[0], a);
    assert!(!s.passes(check));
}

#[test]
fn counts_a_crashed_process_only_as_far_as_it_was_heard() {
    use super::sketch::Sketch;
    let start = || {
        let mut s = Sketch::new();
        let (a, b) = (s.bcast(0, "q"), s.bcast(1, "q"));
        s.take(&[0, 1], a);
        s.take(&[0, 1, 2], b);
        s.take(&[2], a);
        s
    };
    let mut unheard = start();
    unheard.crash(2);
    assert!(unheard.passes(check));
    let mut heard = start();
    let m = heard.obcast(2, "x");
    heard.crash(2);
    assert!(heard.passes(check));
    heard.take(&[0], m);
    assert!(!heard.passes(check));
}
