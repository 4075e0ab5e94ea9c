//! I1–I3: what is taken was sent, byte for byte, is taken once, and only by destinations; what its
//! sender is told to reach nobody, nobody takes.

use std::collections::BTreeSet;

use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (p, life) in &history.lives {
        let mut seen = BTreeSet::new();
        for (at, n, m) in life.deliveries() {
            let text = || history.text(at);
            let Some((sent_at, sent)) = history.broadcasts[n].sent else {
                return Err(format!("I1: never sent: {}", text()));
            };
            let same = (sent.digest, sent.length, &sent.label) == (m.digest, m.length, &m.label);
            if sent_at > at || !same {
                let both = history.texts([sent_at, at]);
                return Err(format!("I1: not as it was sent:{both}"));
            }
            if !seen.insert(n) {
                let first = history.broadcasts[n].taken_by(*p);
                let both = history.texts(first.into_iter().chain([at]));
                return Err(format!("I2: taken twice:{both}"));
            }
            if history.undeliverable.contains(&m.id) {
                return Err(format!("I3: it was to reach nobody: {}", text()));
            }
            if !history.destinations(n).is_some_and(|d| d.contains(p)) {
                return Err(format!("I3: not a destination: {}", text()));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_other_bytes_duplicates_and_strangers() {
    use super::sketch::Sketch;
    use crate::audit::trace::What;
    let start = || {
        let mut s = Sketch::new();
        let m = s.bcast_to(0, "q", &[1]);
        s.take(&[1], m);
        assert!(s.passes(check));
        (s, m)
    };
    let (mut s, m) = start();
    s.take(&[1], m);
    assert!(!s.passes(check));
    let (mut s, m) = start();
    s.take(&[2], m);
    assert!(!s.passes(check));
    let (mut s, _) = start();
    for record in &mut s.trace.records {
        if let What::Deliver(_, m) = &mut record.what {
            m.digest += 1;
        }
    }
    assert!(!s.passes(check));
    let (mut s, _) = start();
    s.trace.records.retain(|r| !matches!(r.what, What::Send(_)));
    assert!(!s.passes(check));
    let (mut s, m) = start();
    s.add(What::Undeliverable(m));
    assert!(!s.passes(check));
}
