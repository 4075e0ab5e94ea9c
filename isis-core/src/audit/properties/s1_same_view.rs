//! S1: a broadcast to a group is taken in one view by all, the one that the taker has taken last,
//! and its sender is a member of that view.

use std::collections::BTreeMap;

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for life in history.lives.values() {
        let mut views = BTreeMap::new();
        for (at, step) in &life.steps {
            match step {
                Step::View(v) => {
                    views.insert(v.group, *v);
                }
                Step::Deliver(m) => {
                    let Some((group, number)) = m.group else {
                        continue;
                    };
                    let fits = |v: &&std::sync::Arc<crate::delivery::GroupView>| {
                        v.number == number && v.members.contains(&m.id.sender)
                    };
                    if !views.get(&group).is_some_and(fits) {
                        return Err(format!("not in that view: {}", history.text(*at)));
                    }
                }
                Step::Send(_) | Step::SiteView(_) => {}
            }
        }
    }
    for (id, takers) in &history.taken {
        let mut views = takers.values().map(|(_, m)| m.group);
        let first = views.next();
        if let Some(other) = views.find(|v| Some(*v) != first) {
            return Err(format!("{id} was taken in {first:?} and in {other:?}"));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_message_in_two_views() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    let m = s.bcast(0, "q");
    s.take(&[0, 1], m);
    assert!(s.passes(check));
    s.view(&[2], group_view(2, &[0, 1, 2], &[]));
    s.take(&[2], m);
    assert!(!s.passes(check));
}
