//! S1: a broadcast to a group is taken in one view by all, the one that the taker has taken last,
//! and its sender is a member of that view, or has asked to watch the group from outside.

use std::collections::BTreeMap;

use crate::audit::history::{History, Step};
use crate::audit::trace::Delivered;
use crate::delivery::GroupView;
use crate::ids::ProcessId;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let outside = |p: &ProcessId, v: &GroupView| {
        let life = history.lives.get(p);
        life.is_some_and(|l| l.has_looked_up(v))
    };
    for life in history.lives.values() {
        let mut views = BTreeMap::new();
        for (at, step) in &life.steps {
            match step {
                Step::View(v) => {
                    views.insert(v.group, *v);
                }
                Step::Deliver(_, m) => {
                    let Some((group, number)) = m.group else {
                        continue;
                    };
                    let fits = |v: &&std::sync::Arc<GroupView>| {
                        let inside = v.members.contains(&m.id.sender);
                        v.number == number && (inside || outside(&m.id.sender, v))
                    };
                    if !views.get(&group).is_some_and(fits) {
                        return Err(format!("not in that view: {}", history.text(*at)));
                    }
                }
                _ => {}
            }
        }
    }
    for broadcast in &history.broadcasts {
        let Some((_, first, m)) = broadcast.taken.first() else {
            continue;
        };
        let other = |(_, _, o): &&(_, _, &Delivered)| o.group != m.group;
        if let Some((_, second, _)) = broadcast.taken.iter().find(other) {
            let both = history.texts([*first, *second]);
            return Err(format!("{} was taken in two views:{both}", broadcast.id));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_stranger() {
    use super::sketch::Sketch;
    use crate::audit::trace::What;
    let sent_by = |watches: bool| {
        let mut s = Sketch::new();
        if watches {
            s.add(What::AskLookup(super::sketch::p(3), "g".into()));
        }
        let m = s.bcast(3, "q");
        s.take(&[0, 1, 2], m);
        s
    };
    assert!(sent_by(true).passes(check));
    assert!(!sent_by(false).passes(check));
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
