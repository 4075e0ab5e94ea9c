//! Threads and what is between them, under one order of steps after the other: shuttle runs each test
//! many times, lets another thread go on wherever one touches something shared, and reports a deadlock
//! when all wait: that is what a lost wake-up looks like. `make schedules` runs them.
//!
//! What shuttle does not show: effects of weak memory orderings, and timeouts, for it knows no time.

mod endpoint;
mod handover;
mod lifecycle;

use std::sync::Arc;

use bytes::Bytes;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config as Settings, Runner};

use super::endpoint::Notifier;
use super::sync::{Condvar, JoinHandle, Mutex};
use crate::config::Config;
use crate::ids::{Incarnation, ProcessId, Site, SiteId};

/// How many orders each test tries.
fn schedules() -> usize {
    let given = std::env::var("SCHEDULES").ok();
    given.map_or(1000, |n| n.parse().expect("SCHEDULES is a number"))
}

/// Orders that are drawn step by step.
fn check_random(test: impl Fn() + Send + Sync + 'static) {
    Runner::new(RandomScheduler::new(schedules()), settings()).run(test);
}

/// As many with few changes of thread, at places that are drawn, too: they find what needs one thread
/// to stand still for long. Not for tests in which somebody spins, for whom nobody else would go on.
fn check(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    let same = test.clone();
    check_random(move || same());
    Runner::new(PctScheduler::new(3, schedules()), settings()).run(move || test());
}

fn settings() -> Settings {
    let mut settings = Settings::new();
    settings.stack_size = 1 << 18;
    // We know that it takes all orderings for the strongest one.
    settings.silence_warnings = true;
    settings
}

fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    shuttle::thread::spawn(run)
}

fn here() -> Site {
    Site {
        id: SiteId(1),
        incarnation: Incarnation(1),
    }
}

fn process(index: u32) -> ProcessId {
    ProcessId {
        site: here(),
        index,
    }
}

/// A configuration with a window of this many messages.
fn config(window: usize) -> Config {
    let mut config = Config::new(SiteId(1));
    config.window_messages = window;
    config
}

fn payload(n: usize) -> Bytes {
    Bytes::copy_from_slice(&n.to_le_bytes())
}

fn number(payload: &Bytes) -> usize {
    usize::from_le_bytes(payload[..].try_into().expect("a number"))
}

/// The descriptor of a process, as a program polls it.
#[derive(Default)]
struct Descriptor {
    readable: Mutex<bool>,
    changed: Condvar,
}

impl Descriptor {
    /// Sleeps until it is readable.
    fn poll(&self) {
        let mut readable = self.readable.lock();
        while !*readable {
            self.changed.wait(&mut readable);
        }
    }

    fn is_readable(&self) -> bool {
        *self.readable.lock()
    }
}

impl Notifier for Descriptor {
    fn raise(&self) {
        *self.readable.lock() = true;
        self.changed.notify_all();
    }

    fn clear(&self) {
        *self.readable.lock() = false;
    }
}
