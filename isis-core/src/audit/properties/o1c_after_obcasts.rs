//! O1c: a BCAST or GBCAST comes after the OBCASTs that its sender had sent or taken, at common
//! destinations.

use crate::ids::{Class, ProcessId};

use crate::audit::history::{At, History, Number, Place, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (q, at_q) in &history.lives {
        let places = history.places(*q);
        for life in history.lives.values() {
            let mut latest = Latest::default();
            for (_, step) in &life.steps {
                let (n, class, sent) = match step {
                    Step::Send(n, m) => (*n, m.id.class, true),
                    Step::Deliver(n, m) => (*n, m.id.class, false),
                    _ => continue,
                };
                if class == Class::Obcast {
                    latest.join(&Latest::of(n, &places));
                } else if sent && let Some(at) = counted(places[n], at_q.counted) {
                    latest.must_be_before(history, *q, at)?;
                }
            }
        }
    }
    Ok(())
}

/// Where a process took a broadcast, if that counts.
pub fn counted(place: Place, upto: At) -> Option<At> {
    match place {
        Place::At(at) if at <= upto => Some(at),
        _ => None,
    }
}

/// The one that a process takes last of several broadcasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Latest {
    place: Place,
    number: Number,
}

impl Latest {
    /// Of this one alone.
    pub fn of(number: Number, places: &[Place]) -> Latest {
        let place = places[number];
        Latest { place, number }
    }

    /// Of these and others.
    pub fn join(&mut self, other: &Latest) {
        *self = (*self).max(*other);
    }

    /// An error unless the process took them all before what it took here.
    pub fn must_be_before(
        &self,
        history: &History<'_>,
        q: ProcessId,
        at: At,
    ) -> Result<(), String> {
        let first = || history.broadcasts[self.number].id;
        match self.place {
            Place::At(later) if later > at => {
                let both = history.texts([at, later]);
                Err(format!("{} comes too late at {q}:{both}", first()))
            }
            Place::Missing => {
                let (first, text) = (first(), history.texts([at]));
                Err(format!(
                    "{first}, which comes before it, is missing at {q}:{text}"
                ))
            }
            _ => Ok(()),
        }
    }
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
