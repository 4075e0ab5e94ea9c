//! Time, incarnations and seeds: what the machines are told instead of finding out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;
use crate::ids::Incarnation;
use crate::time::Time;

/// A site's monotonic clock, one for its three threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(self) -> Time {
        Time(self.0.elapsed().as_micros() as u64)
    }

    /// From now until then; nothing if it has passed.
    pub(crate) fn until(self, then: Option<Time>) -> Option<Duration> {
        then.map(|then| then - self.now())
    }
}

/// Low bits of an incarnation that are random.
const RANDOM_BITS: u32 = 12;

/// The highest incarnation that any site of this program had, or was told of.
static HIGHEST: AtomicU64 = AtomicU64::new(0);

/// The incarnation of a site that opens now: microseconds since 1970, then random bits.
///
/// It grows over restarts as the wall clock does. If the clock was stepped back in between, the
/// random bits still keep two incarnations apart; peers that admitted the higher one refuse the
/// lower one, and tell it the higher: the next that this program opens is above that ([`raise`]). With
/// a store it is above all that the store knows, whatever the clock says. Within one program it
/// always grows.
pub(crate) fn incarnation() -> Result<Incarnation, Error> {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let micros = since_1970.as_micros() as u64;
    let random = seed()? & ((1 << RANDOM_BITS) - 1);
    let drawn = micros << RANDOM_BITS | random;
    let last = HIGHEST.fetch_max(drawn, Ordering::Relaxed);
    if last < drawn {
        return Ok(Incarnation(drawn));
    }
    Ok(Incarnation(
        HIGHEST.fetch_add(1, Ordering::Relaxed).saturating_add(1),
    ))
}

/// From now on sites of this program get incarnations above this one.
pub(crate) fn raise(known: Incarnation) {
    HIGHEST.fetch_max(known.0, Ordering::Relaxed);
}

/// A seed for a machine's generator.
pub(crate) fn seed() -> Result<u64, Error> {
    getrandom::u64().map_err(|e| Error::Io(format!("no random numbers: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_grow() {
        let drawn: Vec<Incarnation> = (0..1000).map(|_| incarnation().unwrap()).collect();
        assert!(drawn.is_sorted_by(|a, b| a < b));
    }
}
