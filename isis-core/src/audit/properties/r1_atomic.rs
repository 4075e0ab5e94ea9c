//! R1: if one survivor took a broadcast, all surviving destinations did.

use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    for (id, takers) in &history.taken {
        let Some((p, (at, _))) = takers.iter().find(|(p, _)| history.survived(**p)) else {
            continue;
        };
        if let Some(q) = history.survivor_without(*id) {
            return Err(format!(
                "{q} never took what {p} took: {}",
                history.text(*at)
            ));
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
