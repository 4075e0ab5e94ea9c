//! The primitives of the library.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use std::thread::{JoinHandle, Thread, current, park, park_timeout};

pub(crate) use crossbeam_utils::Backoff;
pub(crate) use crossbeam_utils::atomic::AtomicCell;
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

/// A queue that neither end waits at.
pub(crate) mod queue {
    pub(crate) use crossbeam_channel::{Receiver, Sender, unbounded};
}

/// Starts a thread of this name that blocks all signals: they are the application's.
pub(crate) fn spawn(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    use nix::sys::signal::{SigSet, SigmaskHow};

    // The mask is inherited, so no signal slips in before the thread could block it itself.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let thread = std::thread::Builder::new().name(name).spawn(run);
    if let Ok(mask) = mask {
        mask.thread_set_mask()
            .map_err(|e| format!("cannot restore the signal mask: {e}"))?;
    }
    thread.map_err(|e| e.to_string())
}
