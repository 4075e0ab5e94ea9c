//! Waiting without the interpreter's lock, in slices short enough for Ctrl-C.

use std::cell::Cell;
use std::time::{Duration, Instant};

use isis_core::Error;
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

use crate::error::{ArgumentError, exception};

/// The longest time without a look at signals.
const SLICE: Duration = Duration::from_millis(50);

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// How many calls are inside this crate.
static INSIDE: Mutex<usize> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();

/// A call that is inside this crate, waiting or with Python code under it.
pub struct Inside(());

impl Inside {
    /// From now on until it is dropped.
    pub fn enter() -> Inside {
        *INSIDE.lock() += 1;
        Inside(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = INSIDE.lock();
        // Less than were entered, if the fork was inside one.
        *inside = inside.saturating_sub(1);
        LEFT.notify_all();
    }
}

/// In a forked child, which has this thread only. The lock is taken with the interpreter's lock held,
/// as everywhere but at the end, so that no other thread can have had it.
pub fn nobody_inside() {
    *INSIDE.lock() = 0;
}

/// Waits until only the caller is inside. When the interpreter ends it ends the threads that come back
/// for its lock, and that must not happen under a frame of this crate.
pub fn until_alone(py: Python<'_>, patience: Duration) {
    py.detach(|| {
        let mut inside = INSIDE.lock();
        LEFT.wait_while_for(&mut inside, |n| *n > 1, patience);
    });
}

/// An error if this thread is inside a callback and the call would block.
pub fn may_block(timeout: Timeout) -> Result<(), Error> {
    if timeout != Timeout::ZERO && in_callback() {
        return Err(Error::Busy(
            "blocking calls are not allowed inside a callback".into(),
        ));
    }
    Ok(())
}

/// Whether this thread is inside a callback.
pub fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs `body` as a callback.
pub fn as_callback<R>(body: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            IN_CALLBACK.set(false);
        }
    }
    IN_CALLBACK.set(true);
    let _leave = Leave;
    body()
}

/// A timeout argument: seconds, or `None` to wait for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timeout(pub Option<Duration>);

impl<'py> FromPyObject<'_, 'py> for Timeout {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Timeout> {
        let seconds = object.extract::<f64>()?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(ArgumentError::new_err(format!(
                "timeout is a number of seconds, 0 or more, or None, not {seconds}"
            )));
        }
        // More than a Duration can hold is for ever.
        Ok(Timeout(Duration::try_from_secs_f64(seconds).ok()))
    }
}

impl Timeout {
    /// Not at all.
    pub const ZERO: Timeout = Timeout(Some(Duration::ZERO));

    /// Calls `step` without waiting, then with short times until it answers something else than
    /// [`Error::TimedOut`], or this timeout has passed, or a signal handler raised.
    pub fn wait<R: Send>(
        self,
        py: Python<'_>,
        mut step: impl FnMut(Duration) -> Result<R, Error> + Send,
    ) -> PyResult<R> {
        // First of all, so that it does not depend on what happens to wait already.
        may_block(self).map_err(exception)?;
        match step(Duration::ZERO) {
            Err(Error::TimedOut) if self != Timeout::ZERO => {}
            other => return other.map_err(exception),
        }
        let deadline = self.0.and_then(|t| Instant::now().checked_add(t));
        loop {
            let left = deadline.map_or(SLICE, |d| d.saturating_duration_since(Instant::now()));
            match py.detach(|| step(left.min(SLICE))) {
                Err(Error::TimedOut) if left > Duration::ZERO => py.check_signals()?,
                other => return other.map_err(exception),
            }
        }
    }
}
