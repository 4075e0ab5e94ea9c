//! O1: per label, the orders in which processes take BCASTs, over all groups and lists, have no
//! cycle. What crashed processes took counts as far as a survivor saw a consequence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::audit::history::{At, History, Life, Number, bcast_label};

/// From each BCAST to those that somebody took next, with where he took the two.
type Edges = BTreeMap<Number, BTreeMap<Number, (At, At)>>;

pub fn check(history: &History<'_>) -> Result<(), String> {
    check_upto(history, &|life, _| life.counted)
}

/// The same, where this says how far what a process took of a label counts.
pub fn check_upto(
    history: &History<'_>,
    counts: &impl Fn(&Life<'_>, &str) -> At,
) -> Result<(), String> {
    let mut labels: BTreeMap<&str, Edges> = BTreeMap::new();
    for life in history.lives.values() {
        let mut last: BTreeMap<&str, (Number, At)> = BTreeMap::new();
        for (at, n, m) in life.deliveries() {
            let Some(label) = bcast_label(&m.label).filter(|l| at <= counts(life, l)) else {
                continue;
            };
            let edges = labels.entry(label).or_default();
            edges.entry(n).or_default();
            if let Some((before, before_at)) = last.insert(label, (n, at)) {
                let next = edges.entry(before).or_default();
                next.entry(n).or_insert((before_at, at));
            }
        }
    }
    for (label, edges) in &labels {
        let cycle = shortest_cycle(edges, &remains(edges));
        if !cycle.is_empty() {
            let names: Vec<String> = cycle
                .iter()
                .map(|(n, _)| history.broadcasts[*n].id.to_string())
                .collect();
            let places = cycle.iter().flat_map(|(_, (a, b))| [*a, *b]);
            return Err(format!(
                "no one order of label {label:?}: {} go round:{}",
                names.join(", "),
                history.texts(places)
            ));
        }
    }
    Ok(())
}

/// What is left when whatever has nothing before it is taken out, again and again: the cycles, and
/// what comes after them.
fn remains(edges: &Edges) -> BTreeSet<Number> {
    let mut before: BTreeMap<Number, usize> = edges.keys().map(|n| (*n, 0)).collect();
    for n in edges.values().flat_map(BTreeMap::keys) {
        *before.entry(*n).or_default() += 1;
    }
    let mut free: Vec<Number> = Vec::new();
    free.extend(before.iter().filter(|(_, k)| **k == 0).map(|(n, _)| *n));
    while let Some(n) = free.pop() {
        before.remove(&n);
        for next in edges[&n].keys() {
            let count = before.get_mut(next).expect("counted above");
            *count -= 1;
            if *count == 0 {
                free.push(*next);
            }
        }
    }
    before.into_keys().collect()
}

/// Enough beginnings to find a short cycle; each costs a walk over all that is left.
const TRIES: usize = 64;

/// A short cycle among these, each member with its edge to the next.
fn shortest_cycle(edges: &Edges, among: &BTreeSet<Number>) -> Vec<(Number, (At, At))> {
    let cycles = among.iter().filter_map(|n| cycle_through(edges, among, *n));
    cycles.take(TRIES).min_by_key(Vec::len).unwrap_or_default()
}

fn cycle_through(
    edges: &Edges,
    among: &BTreeSet<Number>,
    start: Number,
) -> Option<Vec<(Number, (At, At))>> {
    let mut came: BTreeMap<Number, Number> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(n) = queue.pop_front() {
        for next in edges[&n].keys().filter(|next| among.contains(next)) {
            if came.contains_key(next) {
                continue;
            }
            came.insert(*next, n);
            queue.push_back(*next);
        }
    }
    let mut cycle = Vec::new();
    let mut n = start;
    loop {
        let before = *came.get(&n)?;
        cycle.push((before, edges[&before][&n]));
        n = before;
        if n == start {
            cycle.reverse();
            return Some(cycle);
        }
    }
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
