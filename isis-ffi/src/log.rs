//! The library's log, handed to the application.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::RwLock;

use crate::boundary::{boundary, in_callback, not_in_callback};
use crate::status::{Failure, ISIS_OK, c_text};

/// No log.
pub const ISIS_LOG_OFF: c_int = 0;
/// The library has a bug, or the site had to stop.
pub const ISIS_LOG_ERROR: c_int = 1;
/// A peer misbehaves: garbage, refusals, suspicions.
pub const ISIS_LOG_WARN: c_int = 2;
/// Views, and whom the site waits for.
pub const ISIS_LOG_INFO: c_int = 3;
/// Connections and protocol runs.
pub const ISIS_LOG_DEBUG: c_int = 4;
/// Everything.
pub const ISIS_LOG_TRACE: c_int = 5;

/// Gets one line of the log: its level (ISIS_LOG_*), the part of the library that it is from, and
/// the text, all borrowed. Called from any thread, also the library's: be quick, and call no function
/// of the library that blocks.
pub type isis_log_callback = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        level: c_int,
        target: *const c_char,
        message: *const c_char,
    ),
>;

struct Sink {
    callback: isis_log_callback,
    user: *mut c_void,
}

// SAFETY: `user` is only handed back to the application, which is told that any thread may call.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    /// This thread is in the callback: what it logs itself meanwhile is dropped.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

struct Forwarder;

impl Log for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Not what the libraries under it say to themselves.
        metadata.level() <= log::max_level() && metadata.target().starts_with("isis")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || LOGGING.replace(true) {
            return;
        }
        let (target, message) = (c_text(record.target()), c_text(&record.args().to_string()));
        // Held during the call: when isis_set_log() returns, no call to the old sink is under way.
        let sink = SINK.read();
        if let Some(Sink {
            callback: Some(callback),
            user,
        }) = *sink
        {
            let level = level_of(record.level());
            // SAFETY: the application's function, with its own pointer and valid strings.
            in_callback(|| unsafe { callback(user, level, target.as_ptr(), message.as_ptr()) });
        }
        LOGGING.set(false);
    }

    fn flush(&self) {}
}

fn level_of(level: Level) -> c_int {
    match level {
        Level::Error => ISIS_LOG_ERROR,
        Level::Warn => ISIS_LOG_WARN,
        Level::Info => ISIS_LOG_INFO,
        Level::Debug => ISIS_LOG_DEBUG,
        Level::Trace => ISIS_LOG_TRACE,
    }
}

fn filter_of(level: c_int) -> Result<LevelFilter, Failure> {
    Ok(match level {
        ISIS_LOG_OFF => LevelFilter::Off,
        ISIS_LOG_ERROR => LevelFilter::Error,
        ISIS_LOG_WARN => LevelFilter::Warn,
        ISIS_LOG_INFO => LevelFilter::Info,
        ISIS_LOG_DEBUG => LevelFilter::Debug,
        ISIS_LOG_TRACE => LevelFilter::Trace,
        other => {
            return Err(Failure::invalid(format!(
                "level is {other}: none of ISIS_LOG_*"
            )));
        }
    })
}

/// Has `callback` told of the log, lines of `level` and graver, for all sites of the program. NULL
/// switches it off, as it is at the start. When this returns, the callback set before is not
/// running and will not be called again.
///
/// Thread: any; not inside a callback. Blocking: while the old callback runs. Ownership: `user` goes
/// along with every call and stays the caller's.
/// Codes: ISIS_EINVAL no such level; ISIS_EBUSY inside a callback: call it elsewhere.
///
/// # Safety
/// `callback` keeps to the rules of isis_log_callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_set_log(
    callback: isis_log_callback,
    user: *mut c_void,
    level: c_int,
) -> c_int {
    boundary(|| {
        static ONCE: Once = Once::new();
        not_in_callback("isis_set_log")?;
        let filter = filter_of(level)?;
        // A logger that the embedding Rust program has set stays; this copy of `log` is ours alone
        // in the shared library.
        ONCE.call_once(|| {
            let _ = log::set_logger(&Forwarder);
        });
        let filter = callback.map_or(LevelFilter::Off, |_| filter);
        *SINK.write() = Some(Sink { callback, user });
        log::set_max_level(filter);
        Ok(ISIS_OK)
    })
}
