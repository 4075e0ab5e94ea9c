//! Handles do not survive a fork: the child has their memory, but not the library's threads, and
//! locks may be held for ever. So every use of a handle first asks its [`Origin`].
//!
//! The module has Python call [`after_in_child`] in every child.

use std::sync::atomic::{AtomicUsize, Ordering};

use isis_core::Error;
use pyo3::prelude::*;

use crate::wait;

/// How many forks lie between the process that loaded the module and this one.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// For os.register_at_fork.
#[pyfunction(name = "_after_fork_in_child")]
pub fn after_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    wait::nobody_inside();
}

/// How many forks lie between the process that loaded the module and this one.
pub fn generation() -> usize {
    FORKS.load(Ordering::Relaxed)
}

/// The operating system's process in which a handle was made.
#[derive(Clone, Copy)]
pub struct Origin(usize);

impl Origin {
    /// This one.
    pub fn here() -> Origin {
        Origin(FORKS.load(Ordering::Relaxed))
    }

    /// [`Error::Forked`] in a child of it.
    pub fn check(self) -> Result<(), Error> {
        if self.0 == FORKS.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }
}
