//! Taking events: dispatching to callbacks, one by one, or waiting for the descriptor.
//!
//! Each event is taken on its own, never in batches: what a callback sends comes after what the
//! process has *taken* (R19), and an event not yet shown to the application is not taken.

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use isis_core::Error;
use isis_core::delivery::{Event, GroupView, Message, Outcome};
use parking_lot::MutexGuard;

use crate::args::{give, present, timeout};
use crate::boundary::{about, boundary, forked, not_in_callback, signal_safe};
use crate::callbacks::CallbackSet;
use crate::delivery_status::Answer;
use crate::event::{Body, Completed, isis_event};
use crate::group::{self, isis_group};
use crate::message::isis_message;
use crate::process::{PROCESSES, ProcessEntry, isis_process};
use crate::status::{
    Failure, ISIS_EBUSY, ISIS_ECLOSED, ISIS_EFORKED, ISIS_EINTR, ISIS_EINVAL, ISIS_OK, code_of,
};
use crate::table::generation_of;
use crate::view::{isis_group_view, isis_site_view};

/// An event and the callbacks of its group, if that has its own.
struct Taken {
    event: isis_event,
    callbacks: Option<Arc<CallbackSet>>,
}

/// What became of a wait.
enum Waited {
    Ready,
    TimedOut,
}

type Consumer<'a> = MutexGuard<'a, Vec<Event>>;

impl ProcessEntry {
    fn consume(&self, call: &str) -> Result<Consumer<'_>, Failure> {
        not_in_callback(call)?;
        self.consumer
            .try_lock()
            .ok_or_else(|| Failure::new(ISIS_EBUSY, "another thread takes this process's events"))
    }

    fn take(&self, consumer: &mut Consumer<'_>) -> Option<Taken> {
        self.process.next_batch(1, consumer);
        let event = consumer.pop()?;
        let (group, callbacks, body) = match event {
            Event::Message(message) => self.message(message),
            Event::View(view) => self.view(view),
            Event::SiteView(view) => (0, None, Body::SiteView(isis_site_view::new(view))),
            Event::Blocked => (0, None, Body::Blocked),
            Event::Unblocked => (0, None, Body::Unblocked),
            Event::Writable => (0, None, Body::Writable),
            Event::Completed { token, result } => self.completed(token, &result),
            Event::Undeliverable(id) => (0, None, Body::Undeliverable(id.into())),
            Event::Excluded(view) => (0, None, Body::Excluded(isis_site_view::new(view))),
            Event::Closed => {
                self.closed.store(true, Ordering::SeqCst);
                (0, None, Body::Closed)
            }
        };
        Some(Taken {
            event: isis_event {
                process: self.handle,
                group,
                body,
            },
            callbacks,
        })
    }

    fn message(&self, message: Message) -> (isis_group, Option<Arc<CallbackSet>>, Body) {
        let (group, callbacks) = message
            .group
            .and_then(|(id, _)| {
                let book = self.book.lock();
                let membership = book.memberships.get(&id)?;
                Some((membership.handle, membership.callbacks.clone()))
            })
            .unwrap_or_default();
        (
            group,
            callbacks,
            Body::Message(isis_message::new(message, group)),
        )
    }

    fn view(&self, view: Arc<GroupView>) -> (isis_group, Option<Arc<CallbackSet>>, Body) {
        let id = view.group;
        group::bind(self, id, None);
        let (group, callbacks) = self
            .book
            .lock()
            .memberships
            .get(&id)
            .map(|m| (m.handle, m.callbacks.clone()))
            .unwrap_or_default();
        group::unbind_if_over(self, id);
        (
            group,
            callbacks,
            Body::View(isis_group_view::new(view, group)),
        )
    }

    fn completed(
        &self,
        token: u64,
        result: &Result<Outcome, Error>,
    ) -> (isis_group, Option<Arc<CallbackSet>>, Body) {
        let known = self.book.lock().pending.get(&token).map(|p| Completed {
            token: p.token,
            operation: p.operation,
            status: result.as_ref().err().map_or(ISIS_OK, code_of),
            answer: match result {
                Ok(Outcome::Status(answer)) => Some(Answer::new(answer)),
                _ => None,
            },
        });
        let group = match result {
            Ok(Outcome::Joined(id) | Outcome::Watching(id)) => {
                group::bind(self, *id, Some(token)).unwrap_or(0)
            }
            Ok(Outcome::Left(id)) => {
                group::unbind_if_over(self, *id);
                0
            }
            _ => 0,
        };
        // A failed join's callbacks are dropped here, outside the lock.
        let ended = self.book.lock().pending.remove(&token);
        drop(ended);
        (group, None, Body::Completed(known.unwrap_or_default()))
    }

    fn tell(&self, taken: &Taken) {
        let told = taken
            .callbacks
            .as_ref()
            .is_some_and(|c| c.call(&taken.event));
        if !told && let Some(callbacks) = self.callbacks() {
            callbacks.call(&taken.event);
        }
    }

    /// Waits for something to take. The consumer has just found nothing.
    fn wait(&self, deadline: Option<Instant>) -> Result<Waited, Failure> {
        loop {
            if self.closed.load(Ordering::SeqCst) {
                return Err(Failure::new(ISIS_ECLOSED, "the process has ended"));
            }
            let interrupted = || Failure::new(ISIS_EINTR, "interrupted");
            if self.readiness.answer() {
                self.process.renew_notifier();
                return Err(interrupted());
            }
            if self.process.pending() > 0 {
                return Ok(Waited::Ready);
            }
            if deadline.is_some_and(|d| d <= Instant::now()) {
                return Ok(Waited::TimedOut);
            }
            self.readiness.wait(deadline).map_err(|()| interrupted())?;
        }
    }

    fn dispatch(
        &self,
        consumer: &mut Consumer<'_>,
        deadline: Option<Instant>,
        most: usize,
    ) -> Result<usize, Failure> {
        let mut handled = 0;
        loop {
            while handled < most
                && let Some(taken) = self.take(consumer)
            {
                self.tell(&taken);
                handled += 1;
            }
            if handled > 0 || matches!(self.wait(deadline)?, Waited::TimedOut) {
                return Ok(handled);
            }
        }
    }

    /// The library thread's body. It is the consumer for as long as the process lives.
    pub(crate) fn dispatch_until_closed(&self) {
        let mut consumer = self.consumer.lock();
        boundary(|| {
            about(self.handle);
            loop {
                match self.dispatch(&mut consumer, None, usize::MAX) {
                    Ok(_) => {}
                    Err(failure) if failure.code == ISIS_EINTR => {}
                    Err(failure) => return Err(failure),
                }
            }
        });
    }
}

fn deadline(timeout_ms: c_int) -> Option<Instant> {
    timeout(timeout_ms).and_then(|t| Instant::now().checked_add(t))
}

/// A descriptor for poll(), epoll and their like: readable while events wait to be taken
/// (level-triggered), and after isis_wakeup(). It may be readable once for nothing, when what it was
/// about has just been taken; nothing is ever lost. Never read it: isis_dispatch() and isis_next() do what is needed.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the library's, closed with the
/// process: take it out of your poll set first.
/// Result: the descriptor, or a negative code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
#[unsafe(no_mangle)]
pub extern "C" fn isis_fd(process: isis_process) -> c_int {
    boundary(|| Ok(PROCESSES.get(process)?.readiness.fd()))
}

/// Takes events and calls the callbacks for them, on this thread; at most `max_events` (0: until
/// none is left).
///
/// `timeout_ms`: how long to wait for the first one; -1 for ever, 0 not at all.
/// Thread: any, one at a time; not inside a callback. Blocking: as `timeout_ms` says.
/// Result: how many events were handled, 0 if none came in time; or a negative code: ISIS_EINVAL
/// bad handle; ISIS_ECLOSED the event *closed* has been handled, or the handle is closed: stop
/// dispatching; ISIS_EINTR isis_wakeup() or a signal handler ended the wait: call again; ISIS_EBUSY
/// inside a callback, or another thread dispatches.
#[unsafe(no_mangle)]
pub extern "C" fn isis_dispatch(
    process: isis_process,
    timeout_ms: c_int,
    max_events: c_int,
) -> c_int {
    boundary(|| {
        let most = usize::try_from(max_events)
            .map_err(|_| Failure::invalid(format!("max_events is {max_events}")))?;
        let most = if most == 0 { c_int::MAX as usize } else { most };
        let entry = PROCESSES.get(process)?;
        let mut consumer = entry.consume("isis_dispatch")?;
        let handled = entry.dispatch(&mut consumer, deadline(timeout_ms), most)?;
        Ok(handled as c_int)
    })
}

/// Takes the next event. From here on it is *delivered*: what the process sends may depend on it.
///
/// `timeout_ms`: how long to wait; -1 for ever, 0 not at all.
/// Thread: any, one at a time; not inside a callback. Blocking: as `timeout_ms` says. Ownership:
/// `*out` is the caller's, to be given to isis_event_free(); NULL unless ISIS_OK.
/// Codes: ISIS_ETIMEDOUT no event came in time; ISIS_EINVAL bad handle, or NULL; ISIS_ECLOSED the
/// event *closed* has been taken, or the handle is closed: stop; ISIS_EINTR isis_wakeup() or a
/// signal handler ended the wait: call again; ISIS_EBUSY inside a callback, or another thread
/// dispatches.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_next(
    process: isis_process,
    timeout_ms: c_int,
    out: *mut *mut isis_event,
) -> c_int {
    boundary(|| {
        present(out, "out")?;
        // SAFETY: the caller's promise.
        unsafe { give(out, null_mut(), "out") }?;
        let entry = PROCESSES.get(process)?;
        let mut consumer = entry.consume("isis_next")?;
        let deadline = deadline(timeout_ms);
        loop {
            if let Some(taken) = entry.take(&mut consumer) {
                let event = Box::into_raw(Box::new(taken.event));
                // SAFETY: the caller's promise.
                unsafe { give(out, event, "out") }?;
                return Ok(ISIS_OK);
            }
            if let Waited::TimedOut = entry.wait(deadline)? {
                return Err(Error::TimedOut.into());
            }
        }
    })
}

/// Ends a wait: the isis_dispatch() or isis_next() that waits for this process's events, or the next
/// one that finds none, returns ISIS_EINTR. Makes isis_fd() readable until then. A ring is never
/// lost; several may count as one.
///
/// Thread: any, also inside a callback; **async-signal-safe**: a signal handler may call it (it takes
/// no lock, allocates nothing, keeps errno and leaves isis_last_error() alone). Blocking: no.
/// Codes: ISIS_EINVAL bad or closed handle; ISIS_EFORKED in a forked child.
#[unsafe(no_mangle)]
pub extern "C" fn isis_wakeup(process: isis_process) -> c_int {
    signal_safe(|| {
        if forked() {
            return ISIS_EFORKED;
        }
        match PROCESSES.slot(process) {
            Some(slot) if slot.side.ring(generation_of(process)) => ISIS_OK,
            _ => ISIS_EINVAL,
        }
    })
}
