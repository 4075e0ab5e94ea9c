//! Closing a site without waiting: a thread of its own does what waits.

use std::os::unix::thread::JoinHandleExt;
use std::ptr::null_mut;
use std::thread::Builder;

use isis_core::runtime::{FAREWELL, Site};

use crate::signals;
use crate::status::{Failure, ISIS_ENOMEM};

/// The thread that says farewell for a site and ends its threads. It is asked whether it has ended,
/// which the standard library cannot do without a moment's waiting.
pub(crate) struct Farewell(libc::pthread_t);

impl Farewell {
    /// Goes on with a close that has been started.
    pub(crate) fn begin(site: Site) -> Result<Farewell, Failure> {
        // Who closes without waiting does not ask whether the others could be told in time.
        let farewell = move || drop(site.finish_close(Some(FAREWELL)));
        let thread = Builder::new().name("isis-close".into());
        let thread = signals::blocked(|| thread.spawn(farewell));
        let thread =
            thread.map_err(|e| Failure::new(ISIS_ENOMEM, format!("no thread to close it: {e}")))?;
        Ok(Farewell(thread.into_pthread_t()))
    }

    /// Whether the site has stopped, all its threads with it. Does not wait.
    pub(crate) fn end(self) -> Result<(), Farewell> {
        // SAFETY: a thread that has been neither joined nor detached.
        match unsafe { libc::pthread_tryjoin_np(self.0, null_mut()) } {
            0 => {
                std::mem::forget(self);
                Ok(())
            }
            _ => Err(self),
        }
    }

    /// Waits until it has.
    pub(crate) fn wait(self) {
        // SAFETY: as above.
        unsafe { libc::pthread_join(self.0, null_mut()) };
        std::mem::forget(self);
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // SAFETY: as above. It ends by itself.
        unsafe { libc::pthread_detach(self.0) };
    }
}
