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
