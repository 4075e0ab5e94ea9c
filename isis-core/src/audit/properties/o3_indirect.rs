//! O3, footnote 2 of §3: what a process had taken when it sent something that a survivor took, is
//! taken by all surviving destinations; so is what *precedes* an OBCAST that a survivor took.

use crate::ids::Class;

use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    for (p, life) in &history.lives {
        for (at, m) in life.counted() {
            let text = || history.text(at);
            if m.id.class != Class::Obcast
                && let Some(q) = history.survivor_without(m.id)
            {
                return Err(format!("this was seen, {q} never took it: {}", text()));
            }
            if !history.survived(*p) {
                continue;
            }
            for first in history.precedes.before(m.id) {
                if let Some(q) = history.survivor_without(first) {
                    return Err(format!(
                        "{q} never took {first}, which precedes: {}",
                        text()
                    ));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_what_was_seen_and_is_lost() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let b = s.bcast(2, "q");
    s.take(&[2], b);
    let o = s.obcast(2, "x");
    s.crash(2);
    assert!(s.passes(check));
    s.take(&[0, 1], o);
    assert!(!s.passes(check));
    s.take(&[0, 1], b);
    assert!(s.passes(check));
}
