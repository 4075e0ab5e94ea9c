//! O1f: among BCASTs of one label, what its sender had sent or taken before comes first.

use std::collections::BTreeMap;

use super::o1c_after_obcasts::{Latest, counted};
use crate::audit::history::{History, Place, Step, bcast_label};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (q, at_q) in &history.lives {
        let mut places = history.places(*q);
        for place in &mut places {
            // What is missing is the matter of other properties.
            *place = counted(*place, at_q.counted).map_or(Place::Nowhere, Place::At);
        }
        for life in history.lives.values() {
            let mut latest: BTreeMap<&str, Latest> = BTreeMap::new();
            for (_, step) in &life.steps {
                let (n, label, sent) = match step {
                    Step::Send(n, m) => (*n, &m.label, true),
                    Step::Deliver(n, m) => (*n, &m.label, false),
                    _ => continue,
                };
                let Some(label) = bcast_label(label) else {
                    continue;
                };
                let latest = latest.entry(label).or_default();
                if sent && let Place::At(at) = places[n] {
                    latest.must_be_before(history, *q, at)?;
                }
                latest.join(&Latest::of(n, &places));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_an_answer_before_its_question() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let a = s.bcast_to(0, "q", &[1, 2]);
    s.take(&[1], a);
    let b = s.bcast_to(1, "q", &[2]);
    s.take(&[2], b);
    assert!(s.passes(check));
    s.take(&[2], a);
    assert!(!s.passes(check));
}
