//! O2: if somebody took one BCAST before another of its label, whoever takes the second and is a
//! destination of the first took that before.

use std::collections::BTreeMap;

use super::o1c_after_obcasts::{Latest, counted};
use crate::audit::history::{At, History, Life, bcast_label};

pub fn check(history: &History<'_>) -> Result<(), String> {
    check_upto(history, &|life, _| life.counted)
}

/// The same, where this says how far what a process took of a label counts.
pub fn check_upto(
    history: &History<'_>,
    counts: &impl Fn(&Life<'_>, &str) -> At,
) -> Result<(), String> {
    for (q, at_q) in &history.lives {
        let places = history.places(*q);
        for life in history.lives.values() {
            let mut latest: BTreeMap<&str, Latest> = BTreeMap::new();
            for (at, n, m) in life.deliveries() {
                let Some(label) = bcast_label(&m.label).filter(|l| at <= counts(life, l)) else {
                    continue;
                };
                let latest = latest.entry(label).or_default();
                if let Some(at) = counted(places[n], counts(at_q, label)) {
                    latest.must_be_before(history, *q, at)?;
                }
                latest.join(&Latest::of(n, &places));
            }
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
