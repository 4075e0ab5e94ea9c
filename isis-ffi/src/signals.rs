//! Dispatching threads leave all signals to the application's, as the threads of the core do: they
//! start with every one blocked.

use std::mem::MaybeUninit;

/// Runs `start`, whose new threads inherit a mask that blocks every signal; this thread's own mask
/// is what it was afterwards.
pub(crate) fn blocked<T>(start: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are valid places, and the first is filled before it is used.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let restore = Restore(before);
    let result = start();
    drop(restore);
    result
}

/// The mask comes back even if `start` panics.
struct Restore(MaybeUninit<libc::sigset_t>);

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: pthread_sigmask filled the set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, self.0.as_ptr(), std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(signal: i32) -> bool {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: asks only for the mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn threads_started_inside_block_signals_and_the_caller_goes_on_as_before() {
        assert!(!blocks(libc::SIGINT));
        let inside =
            blocked(|| std::thread::spawn(|| blocks(libc::SIGINT) && blocks(libc::SIGCHLD)));
        assert!(inside.join().unwrap());
        assert!(!blocks(libc::SIGINT));
    }
}
