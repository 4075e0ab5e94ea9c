//! Clocks that begin anywhere and differ in speed.

use crate::time::Time;

/// A site's own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) base: u64,
    /// Its speed, per mille.
    pub(super) speed: u64,
}

impl Clock {
    pub(super) fn local(self, now: u64) -> Time {
        Time(self.base + (u128::from(now) * u128::from(self.speed) / 1000) as u64)
    }

    /// The first moment at which `local` is at least this.
    pub(super) fn when(self, local: Time) -> u64 {
        let ticks = u128::from(local.0.saturating_sub(self.base)) * 1000;
        ticks.div_ceil(u128::from(self.speed)) as u64
    }
}
