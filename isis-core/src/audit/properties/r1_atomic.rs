//! R1: if one survivor took a broadcast, all surviving destinations did.

use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    for (n, broadcast) in history.broadcasts.iter().enumerate() {
        let mut takers = broadcast.taken.iter();
        let Some((p, at, _)) = takers.find(|(p, _, _)| history.survived(*p)) else {
            continue;
        };
        if let Some(q) = history.survivor_without(n) {
            let text = history.text(*at);
            return Err(format!("{q} never took what {p} took: {text}"));
        }
    }
    Ok(())
}

#[test]
fn rejects_some_but_not_all() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let m = s.bcast(0, "q");
    s.take(&[0, 1], m);
    assert!(!s.passes(check));
    s.take(&[2], m);
    assert!(s.passes(check));
}

/// In a recorded history, where all are closed in the end: who was closed before it heard that the
/// sender's site had failed need not have what that sender left under way; who had heard must.
#[test]
fn accepts_a_destination_that_left_before_the_senders_failure_was_told() {
    use super::sketch::{Sketch, p, site_view};
    use crate::audit::trace::What;
    use crate::view::LeftReason;
    for told in [false, true] {
        let mut s = Sketch::new();
        s.trace.merged = true;
        let m = s.bcast_to(0, "q", &[1, 2]);
        s.crash(0);
        let without = site_view(1, &[1, 2], &[(0, LeftReason::Failed)]);
        s.take(&[1], m);
        if told {
            s.site_view(&[2], without.clone());
        }
        s.add(What::Close(p(2)));
        s.site_view(&[1], without);
        s.add(What::Close(p(1)));
        assert_eq!(s.passes(check), !told);
    }
}
