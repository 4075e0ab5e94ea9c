//! O6: GBCASTs to a group, changes of view and applications' ones, are in one order, and every
//! message is on the same side of each of them at all who take both, whatever its address. Who watches
//! a group takes its changes of view.

use std::collections::{BTreeMap, BTreeSet};

use crate::delivery::Label;
use crate::ids::{GroupId, MessageId, ProcessId};

use crate::audit::history::{At, History, Step};

/// A point in the history of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    View(u64),
    Gbcast(MessageId),
}

type Cuts = BTreeMap<GroupId, BTreeMap<ProcessId, Vec<(At, Cut)>>>;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (group, processes) in &cuts(history) {
        let all: Vec<(&ProcessId, &Vec<(At, Cut)>)> = processes.iter().collect();
        for (i, (p, a)) in all.iter().enumerate() {
            for (q, b) in &all[..i] {
                let said = |e: String| format!("in {group}, at {p} and {q}: {e}");
                one_order(history, a, b).map_err(said)?;
                same_side(history, (**p, a), (**q, b)).map_err(said)?;
            }
        }
    }
    Ok(())
}

fn cuts(history: &History<'_>) -> Cuts {
    let mut cuts = Cuts::new();
    for (p, life) in &history.lives {
        let mut watched = BTreeSet::new();
        for (at, step) in life.steps.iter().filter(|(at, _)| *at <= life.counted) {
            let (group, cut) = match step {
                // Where a watch begins nothing changes.
                Step::Watch(v) if watched.insert(v.group) => continue,
                Step::WatchEnd(g) => {
                    watched.remove(g);
                    continue;
                }
                Step::Watch(v) => (v.group, Cut::View(v.number)),
                Step::View(v) => {
                    watched.remove(&v.group);
                    (v.group, Cut::View(v.number))
                }
                Step::Deliver(_, m) if m.label == Label::Gbcast => match m.group {
                    Some((group, _)) => (group, Cut::Gbcast(m.id)),
                    None => continue,
                },
                _ => continue,
            };
            cuts.entry(group)
                .or_default()
                .entry(*p)
                .or_default()
                .push((*at, cut));
        }
    }
    cuts
}

fn one_order(history: &History<'_>, a: &[(At, Cut)], b: &[(At, Cut)]) -> Result<(), String> {
    let at_b: BTreeMap<Cut, At> = b.iter().map(|(at, c)| (*c, *at)).collect();
    let common: Vec<(At, At)> = a
        .iter()
        .filter_map(|(at, c)| Some((*at, *at_b.get(c)?)))
        .collect();
    for pair in common.windows(2) {
        let ((x, first), (y, second)) = (pair[0], pair[1]);
        if first > second {
            let places = history.texts([x, y, second, first]);
            return Err(format!("GBCASTs in two orders:{places}"));
        }
    }
    Ok(())
}

fn same_side(
    history: &History<'_>,
    (p, a): (ProcessId, &[(At, Cut)]),
    (q, b): (ProcessId, &[(At, Cut)]),
) -> Result<(), String> {
    let at_q: BTreeMap<Cut, At> = b.iter().map(|(at, c)| (*c, *at)).collect();
    // In one order at both, as found above.
    let common: Vec<(At, At)> = a
        .iter()
        .filter_map(|(at, c)| Some((*at, *at_q.get(c)?)))
        .collect();
    for (at, n, m) in history.lives[&p].counted() {
        let Some(other) = history.broadcasts[n].taken_by(q) else {
            continue;
        };
        if other > history.lives[&q].counted {
            continue;
        }
        let before_p = common.partition_point(|(x, _)| *x < at);
        let before_q = common.partition_point(|(_, y)| *y < other);
        if before_p != before_q {
            let (x, y) = common[before_p.min(before_q)];
            let places = history.texts([at, x, other, y]);
            return Err(format!("{} is not on one side of a GBCAST:{places}", m.id));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_message_on_both_sides() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    let m = s.bcast_to(0, "q", &[1, 2]);
    s.take(&[1], m);
    s.view(&[1, 2], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    s.take(&[2], m);
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_message_on_both_sides_at_a_watcher() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    s.watch(&[3], group_view(1, &[0, 1, 2], &[]));
    let m = s.bcast_to(0, "q", &[1, 3]);
    s.take(&[1], m);
    s.view(&[1], group_view(2, &[0, 1, 2], &[]));
    s.take(&[3], m);
    s.watch(&[3], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    let wrong = s.bcast_to(0, "q", &[1, 3]);
    s.take(&[1], wrong);
    s.view(&[1], group_view(3, &[0, 1, 2], &[]));
    s.watch(&[3], group_view(3, &[0, 1, 2], &[]));
    s.take(&[3], wrong);
    assert!(!s.passes(check));
}

#[test]
fn rejects_gbcasts_in_two_orders() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let (g, h) = (s.gbcast(0), s.gbcast(1));
    s.take(&[0], g);
    s.take(&[0, 1], h);
    assert!(s.passes(check));
    s.take(&[1], g);
    assert!(!s.passes(check));
}
