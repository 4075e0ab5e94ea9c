//! S2, virtual synchrony: processes that go from one view of a group to the next took the same
//! broadcasts to the group in the first. That holds for those who crash afterwards too.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{GroupId, ProcessId};

use crate::audit::history::{At, History, Life, Number, Step};

/// By view: what a process took in it, and where it went on to the next.
type Finished = BTreeMap<(GroupId, u64), (BTreeSet<Number>, At)>;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut first: BTreeMap<(GroupId, u64), (ProcessId, BTreeSet<Number>, At)> = BTreeMap::new();
    for (p, life) in &history.lives {
        for (view, (set, at)) in finished_views(*p, life) {
            let Some((q, other, other_at)) = first.get(&view) else {
                first.insert(view, (*p, set, at));
                continue;
            };
            if let Some(n) = set.symmetric_difference(other).next() {
                let (has, lacks) = if set.contains(n) { (p, q) } else { (q, p) };
                let ((group, number), broadcast) = (view, &history.broadcasts[*n]);
                let places = broadcast.taken_by(*has).into_iter().chain([*other_at, at]);
                return Err(format!(
                    "both went on from view {number} of {group}, but {has} took {} in it and {lacks} \
                     did not:{}",
                    broadcast.id,
                    history.texts(places)
                ));
            }
        }
    }
    Ok(())
}

/// What a process took in each view that it left for the next one as a member.
fn finished_views(p: ProcessId, life: &Life<'_>) -> Finished {
    let mut open: BTreeMap<(GroupId, u64), BTreeSet<Number>> = BTreeMap::new();
    let mut finished = Finished::new();
    let mut current: BTreeMap<GroupId, u64> = BTreeMap::new();
    for (at, step) in &life.steps {
        match step {
            Step::View(v) => {
                let before = match v.members.contains(&p) {
                    true => current.insert(v.group, v.number),
                    false => current.remove(&v.group),
                };
                if let Some(n) = before {
                    let set = open.remove(&(v.group, n)).unwrap_or_default();
                    finished.insert((v.group, n), (set, *at));
                }
            }
            Step::Deliver(n, m) => {
                if let Some(view) = m.group {
                    open.entry(view).or_default().insert(*n);
                }
            }
            _ => {}
        }
    }
    finished
}

#[test]
fn rejects_a_view_left_with_different_messages() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    let m = s.bcast(0, "q");
    s.take(&[0, 1], m);
    s.view(&[0, 1], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    s.view(&[2], group_view(2, &[0, 1, 2], &[]));
    assert!(!s.passes(check));
}
