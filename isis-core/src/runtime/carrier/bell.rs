use std::io;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use parking_lot::Mutex;

/// Wakes the transport thread from its poll. Ringing costs a system call only while it sleeps.
#[derive(Debug)]
pub(crate) struct Bell {
    asleep: AtomicBool,
    /// None once there is nobody to wake.
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    pub(crate) fn new(poll: &Poll, token: Token) -> io::Result<Bell> {
        Ok(Bell {
            asleep: AtomicBool::new(false),
            waker: Mutex::new(Some(Waker::new(poll.registry(), token)?)),
        })
    }

    /// To be called after the item is in the channel.
    pub(crate) fn ring(&self) {
        // Pairs with the fence in `sleep`: either the sleeper sees the item, or this sees it asleep.
        fence(Ordering::SeqCst);
        let asleep = self.asleep.load(Ordering::Relaxed);
        if asleep
            && self.asleep.swap(false, Ordering::Relaxed)
            && let Some(waker) = &*self.waker.lock()
        {
            // Fails only if the eventfd's counter is full, and then it is readable anyway.
            let _ = waker.wake();
        }
    }

    /// Closes its descriptor, which would otherwise stay open as long as a handle of the site.
    pub(crate) fn close(&self) {
        *self.waker.lock() = None;
    }

    /// Polls, without waiting if something is `pending` already.
    pub(crate) fn sleep(
        &self,
        poll: &mut Poll,
        events: &mut Events,
        timeout: Option<Duration>,
        pending: impl Fn() -> bool,
    ) -> io::Result<()> {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let timeout = if pending() {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let result = poll.poll(events, timeout);
        self.asleep.store(false, Ordering::Relaxed);
        match result {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result,
        }
    }
}
