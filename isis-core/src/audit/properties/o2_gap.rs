//! O2: if somebody took one BCAST before another of its label, whoever takes the second and is a
//! destination of the first took that before.

use std::collections::{BTreeMap, BTreeSet};

use crate::delivery::Label;
use crate::ids::MessageId;

use super::o1c_after_obcasts::all_before;
use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut seen: BTreeSet<(MessageId, MessageId)> = BTreeSet::new();
    for (p, life) in &history.lives {
        let mut earlier: BTreeMap<&str, Vec<MessageId>> = BTreeMap::new();
        for (_, m) in life.counted() {
            let Label::Bcast(label) = &m.label else {
                continue;
            };
            let before = earlier.entry(label).or_default();
            for first in before.iter().filter(|first| seen.insert((**first, m.id))) {
                let takers = history.taken[&m.id].iter().map(|(q, (at, _))| (*q, *at));
                all_before(history, *first, takers)
                    .map_err(|e| format!("{p} took {first} before {}: {e}", m.id))?;
            }
            before.push(m.id);
        }
    }
    Ok(())
}

#[test]
fn rejects_a_gap() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let (a, b) = (s.bcast(0, "q"), s.bcast(1, "q"));
    s.take(&[0, 1], a);
    s.take(&[0, 1], b);
    assert!(s.passes(check));
    s.take(&[2], b);
    assert!(!s.passes(check));
}
