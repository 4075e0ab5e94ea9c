//! S3: a sender that is a destination takes its own broadcast, unless it fails.

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    for (p, life) in history.survivors() {
        for (at, step) in &life.steps {
            let Step::Send(n, _) = step else { continue };
            let mine = history.certain_destinations(*n).contains(&p);
            if mine && history.broadcasts[*n].taken_by(p).is_none() {
                return Err(format!("it never took its own: {}", history.text(*at)));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_a_sender_without_its_own() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let m = s.bcast(0, "q");
    s.take(&[1, 2], m);
    assert!(!s.passes(check));
    s.take(&[0], m);
    assert!(s.passes(check));
}
