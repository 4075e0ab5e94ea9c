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
//!
//! The queue is crossbeam's, the sleep is ours: its own would have senders take a lock that the
//! receiver may be holding when the system takes the processor from it, and a send of the
//! application must not wait for that. Here a sender rings and goes on.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::sync::{
    AtomicBool, Backoff, Ordering, Thread, current, fence, park, park_timeout, queue,
};

/// The sending end. Cloned by every thread that has something to say.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    queue: queue::Sender<T>,
    sleeper: Arc<Sleeper>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender {
            queue: self.queue.clone(),
            sleeper: self.sleeper.clone(),
        }
    }
}

/// The receiving end, owned by one thread.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    queue: queue::Receiver<T>,
    sleeper: Arc<Sleeper>,
}

/// The receiver's thread and whether it sleeps, or is about to.
#[derive(Debug, Default)]
struct Sleeper {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A channel.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = queue::unbounded();
    let sleeper = Arc::new(Sleeper::default());
    let theirs = sleeper.clone();
    let sender = Sender {
        queue: sender,
        sleeper: theirs,
    };
    let receiver = Receiver {
        queue: receiver,
        sleeper,
    };
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Never waits. False if the receiver has ended: then nobody wants the item.
    pub(crate) fn send(&self, item: T) -> bool {
        let sent = self.queue.send(item).is_ok();
        self.sleeper.wake();
        sent
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl<T> Receiver<T> {
    /// The next item, if one waits.
    pub(crate) fn try_recv(&self) -> Option<T> {
        self.queue.try_recv().ok()
    }

    /// Whether no item waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Waits for the next item; for ever if no time is given. Nothing if the time has run out.
    pub(crate) fn recv_timeout(&self, timeout: Option<Duration>) -> Option<T> {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let backoff = Backoff::new();
        loop {
            if let Some(item) = self.try_recv() {
                return Some(item);
            }
            if deadline.is_some_and(|d| d <= Instant::now()) {
                return None;
            }
            if !backoff.is_completed() {
                // More is likely to come soon, and a sleep costs sender and receiver a system call.
                backoff.snooze();
            } else {
                self.sleeper.sleep(deadline, || self.is_empty());
            }
        }
    }
}

impl Sleeper {
    /// To be called after the item is in the queue.
    fn wake(&self) {
        // Pairs with the fence in `sleep`: either the sleeper sees the item, or this sees it asleep.
        fence(Ordering::SeqCst);
        let asleep = self.asleep.load(Ordering::Relaxed);
        if asleep
            && self.asleep.swap(false, Ordering::Relaxed)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps unless there is something to do. May return early.
    fn sleep(&self, deadline: Option<Instant>, idle: impl FnOnce() -> bool) {
        self.thread.get_or_init(current);
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if cfg!(isis_mutant = "H2") || idle() {
            match deadline {
                Some(deadline) => {
                    park_timeout(deadline.saturating_duration_since(Instant::now()));
                }
                None => park(),
            }
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}
