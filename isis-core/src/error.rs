//! What can go wrong, by what the caller can do about it.

use alloc::string::String;

/// The error of every public call. Unless a variant says otherwise, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's argument or configuration is wrong; the text says what was expected.
    #[error("invalid argument: {0}")]
    Invalid(String),
    /// The site, process or group has been closed or left.
    #[error("closed: {0}")]
    Closed(String),
    /// The time given ran out. The operation goes on; its outcome comes as a *completed* event.
    #[error("timed out")]
    TimedOut,
    /// The site is closed, but the time given ran out before the others knew of it, and why. They will
    /// take it for failed.
    #[error("closed before the others knew: {0}")]
    NotTold(String),
    /// Back-pressure: nothing was started; a *writable* event follows.
    #[error("would block: too many broadcasts are still undelivered somewhere")]
    WouldBlock,
    /// The message is larger than the configured limit.
    #[error("message of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Of the message.
        size: usize,
        /// The configured limit.
        limit: usize,
    },
    /// The process is neither a member of the group nor watches it.
    #[error("neither a member nor a watcher of the group")]
    NotMember,
    /// The others agreed that this site had failed ("you are dead", §4.1). Open a new one.
    #[error("this site was excluded from the site view: {0}")]
    Excluded(String),
    /// A name is empty, too long or not UTF-8, or no group has it.
    #[error("bad name: {0}")]
    Name(String),
    /// A peer or file broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// The operating system refused something.
    #[error("{0}")]
    Io(String),
    /// Interrupted by `wakeup`.
    #[error("interrupted")]
    Interrupted,
    /// A blocking call was made from inside a callback, or the object is in use elsewhere.
    #[error("busy: {0}")]
    Busy(String),
    /// Not available in this build or configuration.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// No quorum of the site view is reachable; goes on by itself when one is.
    #[error("blocked: no quorum of the site view is reachable")]
    Blocked,
    /// The process was forked after the site was opened.
    #[error("this handle belongs to the parent process")]
    Forked,
    /// The registered comparison of olabels failed or contradicts itself; the text names both olabels.
    /// The site has halted: mend the comparison.
    #[error("comparison of olabels: {0}")]
    Olabels(String),
    /// An invariant of the library broke; the site has halted. Please report it.
    #[error("internal error: {0}")]
    Internal(String),
}
