//! O4: if one OBCAST precedes another, it comes first at every common destination.

use crate::ids::Class;

use super::o1c_after_obcasts::all_before;
use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (id, takers) in &history.taken {
        if id.class != Class::Obcast {
            continue;
        }
        for first in history.precedes.before(*id) {
            let takers = takers.iter().map(|(q, (at, _))| (*q, *at));
            all_before(history, first, takers)
                .map_err(|e| format!("{first} precedes {id}: {e}"))?;
        }
    }
    Ok(())
}

#[test]
fn rejects_a_chain_out_of_order() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let a = s.obcast(0, "x");
    s.take(&[0, 1], a);
    let b = s.obcast(1, "x");
    s.take(&[1, 0], b);
    let c = s.obcast(0, "x");
    assert!(s.passes(check));
    s.take(&[2], b);
    assert!(!s.passes(check));
    s.take(&[2], a);
    s.take(&[2], c);
    assert!(!s.passes(check));
}
