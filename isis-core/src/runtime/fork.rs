//! Calls in a forked child are refused: the threads did not come along, and a lock may be held by
//! one of them for ever.
//!
//! Without help a handle compares process numbers, one short system call per use. An embedder that
//! may use `pthread_atfork` (the C library does) calls [`child_handler_registered`] once and
//! [`in_child`] from the child's handler; from then on the check is one load.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static HANDLER: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A handler that calls [`in_child`] is registered with `pthread_atfork`.
pub fn child_handler_registered() {
    HANDLER.store(true, Ordering::Relaxed);
}

/// For the child's handler; async-signal-safe.
pub fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The program's process in which something was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pid: u32,
    forks: u32,
}

impl Origin {
    pub(crate) fn here() -> Origin {
        Origin {
            pid: std::process::id(),
            forks: FORKS.load(Ordering::Relaxed),
        }
    }

    /// Whether this is a forked child of it.
    pub(crate) fn forked(self) -> bool {
        if self.forks != FORKS.load(Ordering::Relaxed) {
            return true;
        }
        !HANDLER.load(Ordering::Relaxed) && self.pid != std::process::id()
    }
}
