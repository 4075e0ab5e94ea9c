//! M7: nobody leaves a view without a cause that is in the trace, and whoever is out takes nothing
//! more in views that it is not in (M1 and S1 see to the latter).

use std::collections::BTreeSet;

use crate::delivery::LeaveReason;
use crate::view::LeftReason;

use crate::audit::history::History;
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    // Of real sites it is unknown whether they were silent for too long.
    let mut disturbed = history.merged;
    let (mut halted, mut leaving, mut out) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut closed, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for (at, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Disturbance(_) => disturbed = true,
            What::Crash(site) => _ = halted.insert(*site),
            What::Leaving(site) => _ = leaving.insert(*site),
            What::Close(p) => _ = closed.insert(*p),
            What::AskLeave(p, g) => _ = asked.insert((*p, *g)),
            _ => {}
        }
        let caused = match &record.what {
            What::Install(_, v) => v.left.iter().all(|(site, why)| {
                out.insert(*site);
                match why {
                    LeftReason::Asked => leaving.contains(site),
                    LeftReason::Failed => disturbed || halted.contains(site),
                }
            }),
            What::View(_, v) => v.left.iter().all(|(p, why)| match why {
                LeaveReason::Left => asked.contains(&(*p, v.group)),
                LeaveReason::ProcessFailed => closed.contains(p),
                LeaveReason::SiteFailed => out.contains(&p.site),
            }),
            _ => true,
        };
        if !caused {
            return Err(format!(
                "somebody is out for no reason: {}",
                history.text(at)
            ));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_failure_of_the_living() {
    use super::sketch::{Sketch, site_view};
    let mut s = Sketch::new();
    s.crash(2);
    s.site_view(&[0], site_view(1, &[0, 1], &[(2, LeftReason::Failed)]));
    assert!(s.passes(check));
    s.site_view(&[0], site_view(2, &[0], &[(1, LeftReason::Failed)]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_leave_that_nobody_asked_for() {
    use super::sketch::{Sketch, group, group_view, p};
    let mut s = Sketch::new();
    s.add(What::AskLeave(p(1), group()));
    s.view(&[0], group_view(2, &[0, 2], &[(1, LeaveReason::Left)]));
    assert!(s.passes(check));
    s.view(&[0], group_view(3, &[0], &[(2, LeaveReason::Left)]));
    assert!(!s.passes(check));
}
