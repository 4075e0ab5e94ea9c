//! F1: once a process has taken a view, of sites or of a group that it is in or watches, that tells
//! of a failure, it takes
//! nothing more from who failed.

use std::collections::BTreeSet;

use crate::delivery::LeaveReason;

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for life in history.lives.values() {
        let (mut sites, mut processes) = (BTreeSet::new(), BTreeSet::new());
        for (at, step) in &life.steps {
            match step {
                Step::SiteView(v) => sites.extend(v.left.iter().map(|(s, _)| *s)),
                Step::View(v) | Step::Watch(v) => {
                    let failed = v.left.iter().filter(|(_, why)| *why != LeaveReason::Left);
                    processes.extend(failed.map(|(p, _)| *p));
                }
                Step::Deliver(_, m) => {
                    let sender = m.id.sender;
                    if sites.contains(&sender.site) || processes.contains(&sender) {
                        return Err(format!("it had failed before: {}", history.text(*at)));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_a_message_from_who_failed_before_a_watchers_eyes() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    let m = s.bcast_to(2, "q", &[3]);
    let failed = group_view(2, &[0, 1], &[(2, LeaveReason::ProcessFailed)]);
    s.watch(&[3], failed);
    assert!(s.passes(check));
    s.take(&[3], m);
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_message_from_the_dead() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    let m = s.bcast_to(2, "q", &[0, 1]);
    s.take(&[0], m);
    s.view(
        &[0, 1],
        group_view(2, &[0, 1], &[(2, LeaveReason::SiteFailed)]),
    );
    assert!(s.passes(check));
    s.take(&[1], m);
    assert!(!s.passes(check));
}
