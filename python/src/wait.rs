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

/// How many threads are inside the library without the interpreter's lock.
static DETACHED: Mutex<usize> = Mutex::new(0);
static ATTACHED: Condvar = Condvar::new();

/// Runs `body` without the interpreter's lock.
pub fn detached<R: Send>(py: Python<'_>, body: impl FnOnce() -> R + Send) -> R {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            *DETACHED.lock() -= 1;
            ATTACHED.notify_all();
        }
    }
    *DETACHED.lock() += 1;
    let _back = Back; // dropped when the lock is held again
    py.detach(body)
}

/// In a forked child, which has this thread only. The lock is taken with the interpreter's lock held,
/// as everywhere but at the end, so that no other thread can have had it.
pub fn none_detached() {
    *DETACHED.lock() = 0;
}

/// Waits until no thread is in [`detached`]: when the interpreter ends, one that came back later
/// would find it gone.
pub fn until_attached(py: Python<'_>, patience: Duration) {
    py.detach(|| {
        let mut detached = DETACHED.lock();
        ATTACHED.wait_while_for(&mut detached, |n| *n > 0, patience);
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
            match detached(py, || step(left.min(SLICE))) {
                Err(Error::TimedOut) if left > Duration::ZERO => py.check_signals()?,
                other => return other.map_err(exception),
            }
        }
    }
}
