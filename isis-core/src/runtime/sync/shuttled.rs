//! The same over shuttle: each use is a place where another thread may go on. Its atomics are all
//! sequentially consistent, and it knows no time: a wait with a deadline is one without.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use shuttle::thread::{JoinHandle, Thread, current, park, park_timeout};

/// As parking_lot's: a panic does not poison it.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(|e| e.into_inner())))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|e| e.into_inner())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("held but while waiting")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held but while waiting")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// Never.
pub(crate) struct TimedOut;

impl TimedOut {
    pub(crate) fn timed_out(&self) -> bool {
        false
    }
}

impl Condvar {
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("held but while waiting");
        guard.0 = Some(self.0.wait(held).unwrap_or_else(|e| e.into_inner()));
    }

    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> TimedOut {
        self.wait(guard);
        TimedOut
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Each operation is one step, as crossbeam's is.
#[derive(Debug)]
pub(crate) struct AtomicCell<T>(shuttle::sync::Mutex<T>);

impl<T: Default> AtomicCell<T> {
    pub(crate) fn new(value: T) -> AtomicCell<T> {
        AtomicCell(shuttle::sync::Mutex::new(value))
    }

    pub(crate) const fn is_lock_free() -> bool {
        true
    }

    pub(crate) fn take(&self) -> T {
        self.swap(T::default())
    }

    pub(crate) fn store(&self, value: T) {
        drop(self.swap(value));
    }

    pub(crate) fn swap(&self, value: T) -> T {
        let mut held = self.0.lock().unwrap_or_else(|e| e.into_inner());
        std::mem::replace(&mut *held, value)
    }
}

/// Nobody waits for a better moment here.
pub(crate) struct Backoff;

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff
    }

    pub(crate) fn is_completed(&self) -> bool {
        true
    }

    pub(crate) fn snooze(&self) {}
}

pub(crate) mod queue {
    use std::sync::Arc;

    use super::{Mutex, VecDeque};

    /// Nothing when the receiver has ended.
    type Items<T> = Arc<Mutex<Option<VecDeque<T>>>>;

    #[derive(Debug)]
    pub(crate) struct Sender<T>(Items<T>);

    #[derive(Debug)]
    pub(crate) struct Receiver<T>(Items<T>);

    pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
        let items = Arc::new(Mutex::new(Some(VecDeque::new())));
        (Sender(items.clone()), Receiver(items))
    }

    impl<T> Clone for Sender<T> {
        fn clone(&self) -> Sender<T> {
            Sender(self.0.clone())
        }
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, item: T) -> Result<(), T> {
            match &mut *self.0.lock() {
                Some(items) => {
                    items.push_back(item);
                    Ok(())
                }
                None => Err(item),
            }
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().as_ref().map_or(0, VecDeque::len)
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn try_recv(&self) -> Result<T, ()> {
            let mut items = self.0.lock();
            items.as_mut().and_then(VecDeque::pop_front).ok_or(())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().as_ref().is_none_or(VecDeque::is_empty)
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            let items = self.0.lock().take();
            drop(items);
        }
    }
}

pub(crate) fn spawn(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let thread = shuttle::thread::Builder::new().name(name).spawn(run);
    thread.map_err(|e| e.to_string())
}
