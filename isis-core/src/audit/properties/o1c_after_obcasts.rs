//! O1c: a BCAST or GBCAST comes after the OBCASTs that its sender had sent or taken, at common
//! destinations.

use crate::ids::{Class, MessageId, ProcessId};

use crate::audit::history::{At, History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for life in history.lives.values() {
        for (i, (_, step)) in life.steps.iter().enumerate() {
            let Step::Send(later) = step else { continue };
            if later.id.class == Class::Obcast {
                continue;
            }
            let Some(takers) = history.taken.get(&later.id) else {
                continue;
            };
            for (_, step) in &life.steps[..i] {
                let first = match step {
                    Step::Send(m) => m.id,
                    Step::Deliver(m) => m.id,
                    _ => continue,
                };
                if first.class == Class::Obcast {
                    let takers = takers.iter().map(|(q, (at, _))| (*q, *at));
                    all_before(history, first, takers)
                        .map_err(|e| format!("{} comes after {first}: {e}", later.id))?;
                }
            }
        }
    }
    Ok(())
}

/// All these takers of a later broadcast who are destinations of `first` took it before.
pub fn all_before(
    history: &History<'_>,
    first: MessageId,
    takers: impl Iterator<Item = (ProcessId, At)>,
) -> Result<(), String> {
    let took = history.taken.get(&first);
    let mut destinations = None;
    for (q, at) in takers.filter(|(q, at)| *at <= history.lives[q].counted) {
        match took.and_then(|t| t.get(&q)) {
            Some((first_at, _)) if *first_at < at => continue,
            Some(_) => return Err(format!("not in order at {q}: {}", history.text(at))),
            None => {}
        }
        let to = destinations.get_or_insert_with(|| history.certain_destinations(first));
        if to.contains(&q) {
            return Err(format!("it is missing at {q}: {}", history.text(at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_release_before_the_update() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let o = s.obcast(0, "x");
    let b = s.bcast(0, "lock");
    s.take(&[0, 1], o);
    s.take(&[0, 1], b);
    assert!(s.passes(check));
    s.take(&[2], b);
    assert!(!s.passes(check));
    s.take(&[2], o);
    assert!(!s.passes(check));
}
