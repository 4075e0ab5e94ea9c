//! How long an answer takes, measured by hellos, and the patience that follows from it.

use core::time::Duration;

use super::ACK_DELAY;

/// Before anything is measured.
const FIRST_REPEAT: Duration = Duration::from_secs(1);
const LEAST_REPEAT: Duration = Duration::from_millis(200);
const MOST_REPEAT: Duration = Duration::from_secs(4);
/// A peer is given at most this many times the configured silence.
const MOST_PATIENCE: u32 = 5;

/// The smoothed round trip and its mean deviation, in microseconds, as in RFC 6298.
#[derive(Debug)]
pub(super) struct Delay {
    suspect_after: Duration,
    hello_interval: Duration,
    measured: Option<(u64, u64)>,
    /// What a suspicion that proved wrong taught; fades with every measurement.
    lesson: Duration,
}

impl Delay {
    pub(super) fn new(suspect_after: Duration, hello_interval: Duration) -> Delay {
        Delay {
            suspect_after,
            hello_interval,
            measured: None,
            lesson: Duration::ZERO,
        }
    }

    /// How often hellos go out.
    pub(super) fn hello_interval(&self) -> Duration {
        self.hello_interval
    }

    /// An answer took this long.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        let r = round_trip.min(self.most()).as_micros() as u64;
        self.measured = Some(match self.measured {
            None => (r, r / 2),
            Some((smooth, deviation)) => (
                (7 * smooth + r) / 8,
                (3 * deviation + smooth.abs_diff(r)) / 4,
            ),
        });
        self.lesson = self.lesson * 15 / 16;
    }

    /// The peer was suspected and then heard again, after this much silence.
    pub(super) fn wrongly_suspected(&mut self, silence: Duration) {
        self.lesson = (silence * 3 / 2).min(self.most());
    }

    /// A silence this long calls for suspicion (§4.1): the configured one, or longer where answers
    /// take longer.
    pub(super) fn silence(&self) -> Duration {
        let measured = self.hello_interval * 2 + self.spread().unwrap_or_default();
        measured
            .max(self.lesson)
            .min(self.most())
            .max(self.suspect_after)
    }

    /// A frame that is not acknowledged for this long is sent again.
    pub(super) fn repeat(&self) -> Duration {
        self.spread().map_or(FIRST_REPEAT, |spread| {
            (spread * 5 / 4 + ACK_DELAY).clamp(LEAST_REPEAT, MOST_REPEAT)
        })
    }

    fn spread(&self) -> Option<Duration> {
        let (smooth, deviation) = self.measured?;
        Some(Duration::from_micros(smooth + 4 * deviation))
    }

    fn most(&self) -> Duration {
        self.suspect_after.max(self.hello_interval) * MOST_PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn patience_grows_with_the_delay_and_shrinks_again() {
        let mut delay = Delay::new(ms(500), ms(100));
        assert_eq!(delay.silence(), ms(500));
        (0..50).for_each(|_| delay.sample(ms(800)));
        assert!(delay.silence() > ms(900) && delay.silence() <= ms(2500));
        assert!(delay.repeat() > ms(800));
        (0..50).for_each(|_| delay.sample(ms(1)));
        assert_eq!(delay.silence(), ms(500));
        assert_eq!(delay.repeat(), LEAST_REPEAT);
    }

    #[test]
    fn a_wrong_suspicion_is_a_lesson_that_fades() {
        let mut delay = Delay::new(ms(500), ms(100));
        delay.wrongly_suspected(ms(1000));
        assert_eq!(delay.silence(), ms(1500));
        (0..40).for_each(|_| delay.sample(ms(1)));
        assert_eq!(delay.silence(), ms(500));
    }
}
