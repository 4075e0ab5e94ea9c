//! S2, virtual synchrony: processes that go from one view of a group to the next took the same
//! broadcasts to the group in the first. That holds for those who crash afterwards too.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{GroupId, MessageId, ProcessId};

use crate::audit::history::{History, Life, Step};

type Sets = BTreeMap<(GroupId, u64), BTreeSet<MessageId>>;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut first: BTreeMap<(GroupId, u64), (ProcessId, BTreeSet<MessageId>)> = BTreeMap::new();
    for (p, life) in &history.lives {
        for (view, set) in finished_views(*p, life) {
            let Some((q, other)) = first.get(&view) else {
                first.insert(view, (*p, set));
                continue;
            };
            if let Some(m) = set.symmetric_difference(other).next() {
                let (has, lacks) = if set.contains(m) { (p, q) } else { (q, p) };
                let (group, n) = view;
                return Err(format!(
                    "both went on from view {n} of {group}, but {has} took {m} in it and {lacks} did not"
                ));
            }
        }
    }
    Ok(())
}

/// What a process took in each view that it left for the next one as a member.
fn finished_views(p: ProcessId, life: &Life<'_>) -> Sets {
    let (mut open, mut finished) = (Sets::new(), Sets::new());
    let mut current: BTreeMap<GroupId, u64> = BTreeMap::new();
    for (_, step) in &life.steps {
        match step {
            Step::View(v) => {
                let before = match v.members.contains(&p) {
                    true => current.insert(v.group, v.number),
                    false => current.remove(&v.group),
                };
                if let Some(n) = before {
                    let set = open.remove(&(v.group, n)).unwrap_or_default();
                    finished.insert((v.group, n), set);
                }
            }
            Step::Deliver(m) => {
                if let Some(view) = m.group {
                    open.entry(view).or_default().insert(m.id);
                }
            }
            Step::Send(_) | Step::SiteView(_) => {}
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
