//! What calls return: about twenty codes, by what the caller can do next, and this thread's last
//! failure in words.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use isis_core::Error;

use crate::boundary::accessor;

/// Success.
pub const ISIS_OK: c_int = 0;
/// Not an error: the operation has been started; its outcome comes as a *completed* event.
pub const ISIS_PENDING: c_int = 1;
/// An argument is wrong (NULL, a stale handle, an empty list, configuration); isis_last_error()
/// says which. Mend the program.
pub const ISIS_EINVAL: c_int = -1;
/// The system gave no more memory, descriptors or threads. Free some, try again.
pub const ISIS_ENOMEM: c_int = -2;
/// The site or process has been closed. Open another one.
pub const ISIS_ECLOSED: c_int = -3;
/// The time given has passed. An operation that was started goes on, and its outcome comes as a
/// *completed* event.
pub const ISIS_ETIMEDOUT: c_int = -4;
/// Back-pressure: nothing was started. Try again after the *writable* event, or pass ISIS_WAIT.
pub const ISIS_EAGAIN: c_int = -5;
/// The message is larger than the site's `max_message`. Send less at a time.
pub const ISIS_EMSGSIZE: c_int = -6;
/// The process is no member of the group: it has left it, or has not joined yet. Join.
pub const ISIS_ENOTMEMBER: c_int = -7;
/// The other sites agreed that this one had failed (4.1, "you are dead"). Close it, open another.
pub const ISIS_EEXCLUDED: c_int = -8;
/// A name or label is empty, longer than 255 bytes, or not UTF-8. Choose another one.
pub const ISIS_ENAME: c_int = -9;
/// A peer or a file broke the protocol. See the log.
pub const ISIS_EPROTO: c_int = -10;
/// The operating system refused something, such as a port in use; isis_last_error() says what.
pub const ISIS_EIO: c_int = -11;
/// isis_wakeup() or a signal handler ended the wait. Look at what it was about, call again.
pub const ISIS_EINTR: c_int = -12;
/// The program forked after a site was opened, and this is the child. Only exec helps.
pub const ISIS_EFORKED: c_int = -13;
/// A blocking call inside a callback, or another thread is taking this process's events. Pass a
/// timeout of 0, or call from elsewhere.
pub const ISIS_EBUSY: c_int = -14;
/// Not available in this build or configuration; isis_last_error() says what would be needed.
pub const ISIS_ENOTSUP: c_int = -15;
/// The program was compiled against a newer isis.h than this library has. Install that library.
pub const ISIS_EVERSION: c_int = -16;
/// No quorum of the site view is reachable. Wait for the *unblocked* event.
pub const ISIS_EBLOCKED: c_int = -17;
/// An invariant of the library broke, or the registered comparison of olabels is at fault:
/// isis_last_error() says which. The site has halted; close it. Please report the one, mend the other.
pub const ISIS_EPANIC: c_int = -18;

/// A failed call: its code, and the words that isis_last_error() will give.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: c_int,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: c_int, text: impl Into<String>) -> Failure {
        Failure {
            code,
            text: text.into(),
        }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Failure {
        Failure::new(ISIS_EINVAL, text)
    }

    /// Remembers the words for this thread and gives the code.
    pub(crate) fn record(self) -> c_int {
        // Where the thread is ending there is nobody left to read the words.
        let _ = LAST.try_with(|last| *last.borrow_mut() = c_text(&self.text));
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let code = code_of(&error);
        let text = match error {
            // What these say before the colon is what isis_strerror() says of the code.
            Error::Invalid(text)
            | Error::Closed(text)
            | Error::Excluded(text)
            | Error::Name(text)
            | Error::Protocol(text)
            | Error::Busy(text)
            | Error::NotSupported(text) => text,
            other => other.to_string(),
        };
        Failure::new(code, text)
    }
}

/// The code of an error of the core.
pub(crate) fn code_of(error: &Error) -> c_int {
    match error {
        Error::Invalid(_) => ISIS_EINVAL,
        Error::Closed(_) => ISIS_ECLOSED,
        Error::TimedOut | Error::NotTold(_) => ISIS_ETIMEDOUT,
        Error::WouldBlock => ISIS_EAGAIN,
        Error::TooLarge { .. } => ISIS_EMSGSIZE,
        Error::NotMember => ISIS_ENOTMEMBER,
        Error::Excluded(_) => ISIS_EEXCLUDED,
        Error::Name(_) => ISIS_ENAME,
        Error::Protocol(_) => ISIS_EPROTO,
        Error::Io(_) => ISIS_EIO,
        Error::Interrupted => ISIS_EINTR,
        Error::Busy(_) => ISIS_EBUSY,
        Error::NotSupported(_) => ISIS_ENOTSUP,
        Error::Blocked => ISIS_EBLOCKED,
        Error::Forked => ISIS_EFORKED,
        // Olabels, Internal; and the core may learn of failures that this header does not know yet.
        _ => ISIS_EPANIC,
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// Text for C: up to its first NUL, if it has one.
pub(crate) fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Name and meaning of every code, in the order of their numbers from ISIS_PENDING down.
const CODES: [(c_int, &CStr, &CStr); 20] = [
    (
        ISIS_PENDING,
        c"ISIS_PENDING",
        c"started; the outcome comes as a completed event",
    ),
    (ISIS_OK, c"ISIS_OK", c"success"),
    (ISIS_EINVAL, c"ISIS_EINVAL", c"invalid argument"),
    (
        ISIS_ENOMEM,
        c"ISIS_ENOMEM",
        c"out of memory, descriptors or threads",
    ),
    (
        ISIS_ECLOSED,
        c"ISIS_ECLOSED",
        c"the site or process is closed",
    ),
    (ISIS_ETIMEDOUT, c"ISIS_ETIMEDOUT", c"timed out"),
    (
        ISIS_EAGAIN,
        c"ISIS_EAGAIN",
        c"would block; nothing was started",
    ),
    (ISIS_EMSGSIZE, c"ISIS_EMSGSIZE", c"message too large"),
    (
        ISIS_ENOTMEMBER,
        c"ISIS_ENOTMEMBER",
        c"neither a member nor a watcher of the group",
    ),
    (
        ISIS_EEXCLUDED,
        c"ISIS_EEXCLUDED",
        c"this site was excluded from the site view",
    ),
    (ISIS_ENAME, c"ISIS_ENAME", c"bad name, or no group has it"),
    (ISIS_EPROTO, c"ISIS_EPROTO", c"protocol error"),
    (ISIS_EIO, c"ISIS_EIO", c"input/output error"),
    (ISIS_EINTR, c"ISIS_EINTR", c"interrupted"),
    (
        ISIS_EFORKED,
        c"ISIS_EFORKED",
        c"forked after a site was opened",
    ),
    (
        ISIS_EBUSY,
        c"ISIS_EBUSY",
        c"busy, or a blocking call inside a callback",
    ),
    (ISIS_ENOTSUP, c"ISIS_ENOTSUP", c"not supported"),
    (
        ISIS_EVERSION,
        c"ISIS_EVERSION",
        c"header newer than the library",
    ),
    (
        ISIS_EBLOCKED,
        c"ISIS_EBLOCKED",
        c"no quorum of the site view is reachable",
    ),
    (
        ISIS_EPANIC,
        c"ISIS_EPANIC",
        c"internal error; the site has halted",
    ),
];

fn described(code: c_int) -> Option<&'static (c_int, &'static CStr, &'static CStr)> {
    CODES.iter().find(|(known, ..)| *known == code)
}

/// The meaning of a code, in a few words. Unknown codes give "unknown code".
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn isis_strerror(code: c_int) -> *const c_char {
    accessor(c"".as_ptr(), || {
        described(code)
            .map_or(c"unknown code", |(_, _, text)| text)
            .as_ptr()
    })
}

/// The name of a code as this header spells it, such as "ISIS_EINVAL". Unknown codes give
/// "ISIS_E?".
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn isis_error_name(code: c_int) -> *const c_char {
    accessor(c"".as_ptr(), || {
        described(code)
            .map_or(c"ISIS_E?", |(_, name, _)| name)
            .as_ptr()
    })
}

/// What exactly went wrong in this thread's last failed call; "" if none has failed. Calls that
/// succeed leave it as it is.
///
/// Thread: any, each has its own; allowed inside a callback. Blocking: no. Ownership: the
/// library's, valid until the next call that fails in the same thread; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn isis_last_error() -> *const c_char {
    accessor(c"".as_ptr(), || {
        LAST.try_with(|last| last.borrow().as_ptr())
            .unwrap_or(c"".as_ptr())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_name_and_a_meaning() {
        for (place, (code, name, text)) in CODES.iter().enumerate() {
            assert_eq!(*code, 1 - place as c_int, "the table has no gap");
            // SAFETY: both functions return static text.
            let (n, t) = unsafe {
                (
                    CStr::from_ptr(isis_error_name(*code)),
                    CStr::from_ptr(isis_strerror(*code)),
                )
            };
            assert_eq!((n, t), (*name, *text));
        }
        // SAFETY: as above.
        let unknown = unsafe { CStr::from_ptr(isis_error_name(-1000)) };
        assert_eq!(unknown, c"ISIS_E?");
    }

    #[test]
    fn the_last_error_belongs_to_its_thread() {
        Failure::invalid("here").record();
        let elsewhere = std::thread::spawn(|| {
            // SAFETY: never NULL, and no other call of this thread fails meanwhile.
            unsafe { CStr::from_ptr(isis_last_error()) }.to_owned()
        });
        assert_eq!(elsewhere.join().unwrap().as_c_str(), c"");
        // SAFETY: as above.
        assert_eq!(unsafe { CStr::from_ptr(isis_last_error()) }, c"here");
    }
}
