//! O5: an OBCAST waits for nothing that does not precede it. White box: what its sender's endpoint
//! says it comes after, and what it was placed after.

use isis_core::ids::{Class, MessageId};

use crate::history::History;
use crate::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (at, record) in history.records.iter().enumerate() {
        let (id, after) = match &record.what {
            What::Send(m) => (m.id, &m.after),
            What::Placed(_, id, after) => (*id, after),
            _ => continue,
        };
        let stranger = |first: &&MessageId| !history.precedes.holds(**first, id);
        if id.class == Class::Obcast
            && let Some(first) = after.iter().find(stranger)
        {
            return Err(format!("{first} does not precede: {}", history.text(at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_waiting_for_another_stream() {
    use super::sketch::{Sketch, p};
    let mut s = Sketch::new();
    let (a, b, c) = (s.obcast(0, "x"), s.obcast(0, "x"), s.obcast(0, "y"));
    s.add(What::Placed(p(1), b, vec![a]));
    assert!(s.passes(check));
    s.add(What::Placed(p(1), c, vec![a]));
    assert!(!s.passes(check));
}
