//! What library threads hand to the application's without a lock between them.
//!
//! A call of the application that does not wait must not wait for a lock either: the thread that
//! holds it may be one of ours, from which the system has just taken the processor. So what they hand
//! over is in slots that one atomic exchange empties or fills, and a call takes it from there into
//! what the application's threads have among themselves. Only callers that wait anyway share a lock
//! with our threads, [`Waiters`].

use std::time::Instant;

use super::sync::{
    AtomicBool, AtomicCell, AtomicU64, AtomicUsize, Condvar, Mutex, Ordering, fence,
};

/// One thread puts in, callers take out. What has not been taken grows by what is put in.
pub(crate) struct Mailbox<T> {
    mail: AtomicCell<Option<Box<T>>>,
    /// An empty one to fill, so that nobody needs to allocate.
    spare: AtomicCell<Option<Box<T>>>,
    /// Something may have been put in since the last taking.
    news: AtomicBool,
}

impl<T: Default> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        const {
            assert!(AtomicCell::<Option<Box<u8>>>::is_lock_free());
        }
        Mailbox {
            mail: AtomicCell::new(None),
            spare: AtomicCell::new(None),
            news: AtomicBool::new(false),
        }
    }

    /// Puts something in: `add` gets what has not been taken. One thread at a time.
    pub(crate) fn put<R>(&self, add: impl FnOnce(&mut T) -> R) -> R {
        let mut mail = self
            .mail
            .take()
            .or_else(|| self.spare.take())
            .unwrap_or_default();
        let added = add(&mut mail);
        // An exchange, and not a store: it comes after the taker's, and so does saying so after the
        // taker's saying that there is no news.
        drop(self.mail.swap(Some(mail)));
        self.news.store(true, Ordering::Release);
        added
    }

    /// Hands what has come to `take`, which leaves it empty. One thread at a time.
    pub(crate) fn take(&self, take: impl FnOnce(&mut T)) {
        if !self.news.load(Ordering::Acquire) {
            return;
        }
        // Before the exchange: what comes after that says so again.
        self.news.store(false, Ordering::Release);
        if let Some(mut mail) = self.mail.take() {
            take(&mut mail);
            self.spare.store(Some(mail));
        }
    }
}

/// Whether somebody has been told of what waits, so that one telling is enough.
///
/// The teller says so after what it tells of is in place, and rings if the flag was down. The listener
/// first makes the bell silent, then lowers the flag, and only then looks whether anything is there,
/// for what came before that found the flag up and did not ring; if so it raises the flag itself. A
/// ring may come late, when what it was about has been taken: once for nothing, never lost.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    /// True if it was down: ring.
    pub(crate) fn raise(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// To be called when the bell is silent. An exchange, and not a store, so that it sees what was
    /// put in place before each raising that it undoes.
    pub(crate) fn lower(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// When somebody who lacks room in the window is to be told of more.
#[derive(Debug)]
pub(crate) struct Room {
    /// Messages and bytes that the window has got back by now. The broadcast thread's.
    released: [AtomicU64; 2],
    /// Tell when both are reached.
    wanted: [AtomicU64; 2],
}

const NOBODY: u64 = u64::MAX;

impl Room {
    pub(crate) fn new() -> Room {
        Room {
            released: [AtomicU64::new(0), AtomicU64::new(0)],
            wanted: [AtomicU64::new(NOBODY), AtomicU64::new(NOBODY)],
        }
    }

    /// To be called after what was released is in the mailbox. True if somebody is to be told.
    pub(crate) fn release(&self, messages: usize, bytes: usize) -> bool {
        let reached = |kind: usize, more: usize| {
            let released = self.released[kind].load(Ordering::Relaxed) + more as u64;
            self.released[kind].store(released, Ordering::Relaxed);
            released
        };
        let (messages, bytes) = (reached(0, messages), reached(1, bytes));
        // Pairs with the fence in `want`: either that sees the release, or this sees the wish.
        fence(Ordering::SeqCst);
        let wanted = self.wanted[0].load(Ordering::Acquire);
        if messages < wanted || bytes < self.wanted[1].load(Ordering::Relaxed) {
            return false;
        }
        // If the wish has changed meanwhile, the new one stands: also one that differs in bytes alone,
        // which the exchange takes for the old one, and which is put back.
        let (taken, idle) = (Ordering::Acquire, Ordering::Relaxed);
        let met = self.wanted[0].compare_exchange(wanted, NOBODY, taken, idle);
        let overtaken = met.is_ok() && bytes < self.wanted[1].load(Ordering::Relaxed);
        if overtaken {
            let _ = self.wanted[0].compare_exchange(NOBODY, wanted, idle, idle);
        }
        !overtaken
    }

    /// From now on [`Room::release`] tells when so many messages and bytes have come back in all. Look
    /// into the mailbox after this.
    pub(crate) fn want(&self, messages: u64, bytes: u64) {
        self.wanted[1].store(bytes, Ordering::Relaxed);
        self.wanted[0].store(messages, Ordering::Release);
        fence(Ordering::SeqCst);
    }
}

/// Where callers wait for what our threads do. Nobody who does not wait takes its lock.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: AtomicUsize,
    rounds: Mutex<u64>,
    changed: Condvar,
}

impl Waiters {
    /// To be called after the news is in place.
    pub(crate) fn wake(&self) {
        // Pairs with the fence in `until`: either who is about to wait sees the news, or this sees it.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            *self.rounds.lock() += 1;
            self.changed.notify_all();
        }
    }

    /// Waits until `ready` gives something; nothing if the time runs out first.
    pub(crate) fn until<T>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        loop {
            let late = deadline.is_some_and(|d| d <= Instant::now());
            // If the time has run out, once more: what came just then has come.
            let found = ready();
            if found.is_some() || late {
                return found;
            }
            let _waiting = Waiting::begin(&self.waiting);
            let round = *self.rounds.lock();
            if let Some(found) = ready() {
                return Some(found);
            }
            self.sleep(round, deadline);
        }
    }

    fn sleep(&self, round: u64, deadline: Option<Instant>) {
        let mut rounds = self.rounds.lock();
        while *rounds == round {
            match deadline {
                Some(deadline) => {
                    if self.changed.wait_until(&mut rounds, deadline).timed_out() {
                        return;
                    }
                }
                None => self.changed.wait(&mut rounds),
            }
        }
    }
}

/// Counts one who waits, whatever ends it.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn begin(waiting: &AtomicUsize) -> Waiting<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
