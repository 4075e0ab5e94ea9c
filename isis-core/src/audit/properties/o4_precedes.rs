//! O4: if one OBCAST precedes another, it comes first at every common destination.

use super::o1c_after_obcasts::{Latest, counted};
use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (q, life) in &history.lives {
        let places = history.places(*q);
        history.precedes.sum_up(
            |n| Latest::of(n, &places),
            Latest::join,
            |n, latest| match counted(places[n], life.counted) {
                Some(at) => latest
                    .must_be_before(history, *q, at)
                    .map_err(|e| format!("against *precedes*, {e}")),
                None => Ok(()),
            },
        )?;
    }
    Ok(())
}

#[test]
fn rejects_a_set_of_streams_before_one_of_them() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let (x, y, z) = (s.obcast(0, "x"), s.obcast(0, "y"), s.obcast(0, "z"));
    let both = s.obcast(0, "y,x");
    s.take(&[1], x);
    s.take(&[1], y);
    s.take(&[1], both);
    s.take(&[1], z);
    assert!(s.passes(check));
    s.take(&[2], x);
    s.take(&[2], both);
    assert!(!s.passes(check));
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
