//! Starting a thread of the library, and what becomes of its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use log::error;

use super::ending::Ending;
use super::shared::Shared;
use super::sync::{self, JoinHandle};
use crate::error::Error;

/// Starts a thread. A panic in it ends the site
/// (fail-stop), so that nobody waits for a thread that is gone.
pub(crate) fn start(
    role: &'static str,
    shared: &Arc<Shared>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let shared = shared.clone();
    let name = format!("isis-{role}-{}", shared.me.id);
    let run = move || {
        shared.counters.threads.fetch_add(1, Ordering::Relaxed);
        fail_stop(role, &shared, body);
        shared.counters.threads.fetch_sub(1, Ordering::Relaxed);
    };
    sync::spawn(name, run).map_err(|e| Error::Io(format!("cannot start the {role} thread: {e}")))
}

/// Runs part of a thread's body, after which the thread goes on even if it panics.
pub(crate) fn fail_stop(role: &str, shared: &Shared, part: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(part)) {
        let what = format!("the {role} thread panicked: {}", text(panic.as_ref()));
        error!("site {}: {what}", shared.me);
        shared.end(Ending::Broken(what));
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
