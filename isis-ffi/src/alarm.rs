//! The pollable descriptor of a process, and the alarm that a signal handler may ring on it.
//!
//! The descriptor is readable while the process's queue holds events, as the core tells [`Readiness`]
//! to show. A ring makes it readable too, until the wait it was meant for has ended. Both may make it
//! readable once for nothing, and neither is ever lost.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use isis_core::runtime::Notifier;

use crate::status::{Failure, ISIS_ENOMEM};

/// The descriptor, an eventfd.
pub(crate) struct Readiness {
    fd: OwnedFd,
    alarm: &'static Alarm,
}

impl Readiness {
    pub(crate) fn new(alarm: &'static Alarm) -> Result<Readiness, Failure> {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return Err(Failure::new(ISIS_ENOMEM, format!("eventfd: {error}")));
        }
        Ok(Readiness {
            // SAFETY: the descriptor is new and nobody else's.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            alarm,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Whether the alarm has rung since the last call. For the process's one consumer, which found
    /// the queue empty. What the ring did to the descriptor stays until the next [`Notifier::clear`].
    pub(crate) fn answer(&self) -> bool {
        self.alarm.ringing.swap(false, SeqCst)
    }

    /// Waits until the descriptor is readable, the deadline has come (`Ok(false)`), or a signal
    /// handler has run (`Err`).
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Result<bool, ()> {
        let mut poll = libc::pollfd {
            fd: self.fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&mut poll, 1, rest_ms(deadline)) } {
            0 => Ok(false),
            n if n > 0 => Ok(true),
            _ => Err(()),
        }
    }
}

/// What is left of a deadline, rounded up so that a wait never ends early and spins.
fn rest_ms(deadline: Option<Instant>) -> i32 {
    let Some(deadline) = deadline else { return -1 };
    let rest = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    rest.as_millis().min(i32::MAX as u128) as i32
}

impl Notifier for Readiness {
    fn raise(&self) {
        poke(self.fd());
    }

    fn clear(&self) {
        drain(self.fd());
        if self.alarm.ringing.load(SeqCst) {
            poke(self.fd());
        }
    }
}

/// What the core shows events to. The descriptor is closed with the process's handle, unless one of
/// the library's threads is just showing something: then when that has been done.
pub(crate) struct Showing(pub(crate) Weak<Readiness>);

impl Notifier for Showing {
    fn raise(&self) {
        if let Some(readiness) = self.0.upgrade() {
            readiness.raise();
        }
    }

    fn clear(&self) {
        if let Some(readiness) = self.0.upgrade() {
            readiness.clear();
        }
    }
}

/// Async-signal-safe.
fn poke(fd: RawFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight valid bytes. It can fail only if the counter is full: then it is readable.
    unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
}

fn drain(fd: RawFd) {
    let mut count = [0u8; 8];
    // SAFETY: room for eight bytes. It fails only where there is nothing to drain.
    unsafe { libc::read(fd, count.as_mut_ptr().cast(), count.len()) };
}

/// What a signal handler can reach of a process: atomics in the handle's slot, which is never freed.
pub(crate) struct Alarm {
    /// Of the process whose descriptor this is; 0 for none.
    generation: AtomicU32,
    fd: AtomicI32,
    ringing: AtomicBool,
    /// Rings under way: the descriptor is not closed under them.
    ringers: AtomicU32,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm::new()
    }
}

impl Alarm {
    const fn new() -> Alarm {
        Alarm {
            generation: AtomicU32::new(0),
            fd: AtomicI32::new(-1),
            ringing: AtomicBool::new(false),
            ringers: AtomicU32::new(0),
        }
    }

    pub(crate) fn arm(&self, generation: u32, fd: RawFd) {
        self.ringing.store(false, SeqCst);
        self.fd.store(fd, SeqCst);
        self.generation.store(generation, SeqCst);
    }

    /// After this no ring touches the descriptor. A ring takes two system calls at most, and a
    /// handler that interrupts this thread ends before it goes on: the wait is short.
    pub(crate) fn disarm(&self) {
        self.generation.store(0, SeqCst);
        while self.ringers.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
    }

    /// Makes the descriptor readable and the process's wait end. Async-signal-safe: atomics and
    /// write(2), with errno kept.
    pub(crate) fn ring(&self, generation: u32) -> bool {
        self.ringers.fetch_add(1, SeqCst);
        let ours = self.generation.load(SeqCst) == generation && generation != 0;
        if ours {
            self.ringing.store(true, SeqCst);
            // SAFETY: this thread's errno.
            let errno = unsafe { *libc::__errno_location() };
            poke(self.fd.load(SeqCst));
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = errno };
        }
        self.ringers.fetch_sub(1, SeqCst);
        ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(alarm: &'static Alarm) -> Readiness {
        let readiness = Readiness::new(alarm).unwrap();
        alarm.arm(1, readiness.fd());
        readiness
    }

    fn readable(readiness: &Readiness) -> bool {
        readiness.wait(Some(Instant::now())).unwrap()
    }

    #[test]
    fn the_descriptor_follows_the_queue() {
        static ALARM: Alarm = Alarm::new();
        let r = readiness(&ALARM);
        assert!(!readable(&r));
        r.raise();
        r.raise();
        assert!(readable(&r));
        r.clear();
        assert!(!readable(&r));
    }

    #[test]
    fn a_ring_survives_the_queue_running_empty_and_ends_with_its_answer() {
        static ALARM: Alarm = Alarm::new();
        let r = readiness(&ALARM);
        assert!(!ALARM.ring(2), "another generation's");
        assert!(!readable(&r));
        r.raise();
        assert!(ALARM.ring(1));
        r.clear();
        assert!(readable(&r), "the ring is not lost with the events");
        assert!(r.answer());
        r.clear();
        assert!(!readable(&r));
        assert!(!r.answer());
    }

    #[test]
    fn a_closed_descriptor_is_shown_nothing() {
        static ALARM: Alarm = Alarm::new();
        let r = std::sync::Arc::new(readiness(&ALARM));
        let showing = Showing(std::sync::Arc::downgrade(&r));
        showing.raise();
        assert!(readable(&r));
        showing.clear();
        assert!(!readable(&r));
        drop(r);
        showing.raise();
        showing.clear();
    }

    #[test]
    fn a_disarmed_alarm_touches_no_descriptor() {
        static ALARM: Alarm = Alarm::new();
        let r = readiness(&ALARM);
        ALARM.disarm();
        assert!(!ALARM.ring(1));
        assert!(!readable(&r));
    }
}
