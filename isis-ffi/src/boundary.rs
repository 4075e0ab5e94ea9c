//! The one way into the library: every `extern "C"` body is one call of [`boundary`], [`accessor`]
//! or [`signal_safe`] (a test finds a body that is not). No panic crosses it; a panic halts the site that the
//! call was about, since the library's rule is to stop rather than to go on with broken state.

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use isis_core::runtime::fork;

use crate::status::{Failure, ISIS_EBUSY, ISIS_EFORKED, ISIS_EPANIC};

static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The handle that the running call looked up last: what a panic would halt.
    static SUBJECT: Cell<u64> = const { Cell::new(0) };
    /// How many callbacks of the application this thread is in.
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

extern "C" fn child_after_fork() {
    signal_safe(|| {
        FORKED.store(true, Ordering::SeqCst);
        fork::in_child();
        0
    });
}

/// From the first site on, a fork leaves a child without the library's threads: it is told so.
pub(crate) fn watch_for_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only stores to atomics.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(child_after_fork)) };
        if failed == 0 {
            fork::child_handler_registered();
        }
    });
}

/// Whether this is the child of a fork made after a site was opened. Async-signal-safe.
pub(crate) fn forked() -> bool {
    FORKED.load(Ordering::SeqCst)
}

/// Runs the body of a call that can fail.
pub(crate) fn boundary(body: impl FnOnce() -> Result<c_int, Failure>) -> c_int {
    if forked() {
        return Failure::new(
            ISIS_EFORKED,
            "this program is the child of a fork made after a site was opened",
        )
        .record();
    }
    let outer = SUBJECT.try_with(|subject| subject.replace(0)).unwrap_or(0);
    let result = catch_unwind(AssertUnwindSafe(body));
    let subject = SUBJECT
        .try_with(|subject| subject.replace(outer))
        .unwrap_or(0);
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => failure.record(),
        Err(panic) => {
            let _ = catch_unwind(|| crate::site::halt_site_of(subject));
            Failure::new(ISIS_EPANIC, format!("internal error: {}", words(&*panic))).record()
        }
    }
}

/// Runs the body of a call that only reads or frees memory and that has nothing to fail with.
/// Allowed in a forked child.
pub(crate) fn accessor<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// Runs the body of a call that a signal handler may make: no lock, no allocation, no thread-local.
pub(crate) fn signal_safe(body: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(ISIS_EPANIC)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}

/// Notes which handle the running call is about.
pub(crate) fn about(handle: u64) {
    let _ = SUBJECT.try_with(|subject| subject.set(handle));
}

/// Runs a callback of the application.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    CALLBACKS.with(|depth| depth.set(depth.get() + 1));
    let answer = call();
    CALLBACKS.with(|depth| depth.set(depth.get() - 1));
    answer
}

/// Refuses what would wait, or take events, inside a callback: nothing could end that wait.
pub(crate) fn not_in_callback(call: &str) -> Result<(), Failure> {
    if CALLBACKS.with(Cell::get) == 0 {
        return Ok(());
    }
    Err(Failure::new(
        ISIS_EBUSY,
        format!("{call} would block inside a callback; pass a timeout of 0 or call it elsewhere"),
    ))
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::status::{ISIS_OK, isis_last_error};

    fn last() -> &'static CStr {
        // SAFETY: never NULL; the test's thread makes no other failing call while it looks.
        unsafe { CStr::from_ptr(isis_last_error()) }
    }

    #[test]
    fn a_panic_becomes_a_code_with_its_words() {
        assert_eq!(boundary(|| panic!("broke {}", 7)), ISIS_EPANIC);
        assert_eq!(last(), c"internal error: broke 7");
        assert_eq!(accessor(5, || panic!()), 5);
        assert_eq!(signal_safe(|| panic!()), ISIS_EPANIC);
    }

    #[test]
    fn blocking_is_refused_only_inside_callbacks() {
        assert!(not_in_callback("x").is_ok());
        in_callback(|| {
            let call = boundary(|| not_in_callback("isis_flush").map(|()| ISIS_OK));
            assert_eq!(call, ISIS_EBUSY);
        });
        assert!(not_in_callback("x").is_ok());
    }
}
