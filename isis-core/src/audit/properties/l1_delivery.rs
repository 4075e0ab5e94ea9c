//! L1: what a process on a live site sent arrives at every live destination, also if the process was
//! closed afterwards (R31).

use std::collections::BTreeSet;

use crate::ids::Site;

use crate::audit::history::History;
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    let mut gone: BTreeSet<Site> = BTreeSet::new();
    for record in history.records {
        match &record.what {
            // A recorded site that was closed in good order lived as long as it was needed.
            What::Out { asked: true, .. } if history.merged => {}
            What::Crash(site) | What::Out { site, .. } => _ = gone.insert(*site),
            _ => {}
        }
    }
    for (n, broadcast) in history.broadcasts.iter().enumerate() {
        let Some((at, _)) = broadcast.sent else {
            continue;
        };
        if gone.contains(&broadcast.id.sender.site) {
            continue;
        }
        if let Some(q) = history.survivor_without(n) {
            return Err(format!("{q} never took it: {}", history.text(at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_message_that_never_arrives() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let m = s.bcast_to(0, "q", &[1]);
    assert!(!s.passes(check));
    s.take(&[1], m);
    assert!(s.passes(check));
    let mut s = Sketch::new();
    s.bcast_to(0, "q", &[1]);
    s.crash(0);
    assert!(s.passes(check));
}
