//! The channels between threads: one per thread, with one kind of inbox, and no select.
//!
//! They have no bound, because what they hold is bounded elsewhere. A thread that could wait for
//! room in another's channel would be an edge of the waits-for graph; without bounds there is no
//! such edge, and readers never block (R29). What can queue up:
//!
//! * *broadcasts of local processes*: a send takes its place in the process's window before it
//!   enters the channel, and the window opens only when destinations have taken the message;
//! * *operations* (join, flush, ...): each ends with an event in the caller's own queue;
//! * *messages from peers*: their senders took the same credit for every destination site, and the
//!   link's window bounds what is on its way;
//! * *view messages, resolved names, accepted connections*: a few per peer, limited at the source.

use std::time::Duration;

pub(crate) use crossbeam_channel::{RecvTimeoutError, TryRecvError};

/// The sending end. Cloned by every thread that has something to say.
#[derive(Debug)]
pub(crate) struct Sender<T>(crossbeam_channel::Sender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender(self.0.clone())
    }
}

/// The receiving end, owned by one thread.
#[derive(Debug)]
pub(crate) struct Receiver<T>(crossbeam_channel::Receiver<T>);

/// A channel.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    (Sender(sender), Receiver(receiver))
}

impl<T> Sender<T> {
    /// Never waits. False if the receiver has ended: then nobody wants the item.
    pub(crate) fn send(&self, item: T) -> bool {
        self.0.send(item).is_ok()
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Receiver<T> {
    /// The next item, if one waits.
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Whether no item waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for the next item; for ever if no time is given.
    pub(crate) fn recv_timeout(&self, timeout: Option<Duration>) -> Result<T, RecvTimeoutError> {
        match timeout {
            Some(timeout) => self.0.recv_timeout(timeout),
            None => self.0.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}
