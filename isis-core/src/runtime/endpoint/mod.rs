//! A process's [`Endpoint`] between the application's threads and the broadcast thread.
//!
//! The endpoint belongs to the application's threads: one lock guards it, which no thread of the
//! library takes, so that in a program of one thread nobody ever waits for it. Each call first takes
//! in what the broadcast thread has handed over meanwhile ([`handover`](super::handover)). Its own
//! calls enter the broadcast thread's channel under the lock, so that they arrive in the order in which
//! the endpoint made them. Under the lock nobody waits: only the notifier is called.

mod inner;
mod mail;

use std::mem::take;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use inner::{Closed, Inner, Named};
use mail::Mail;

use super::broadcast::Inbox;
use super::channel::Sender;
use super::ending::Ending;
use super::handover::{Flag, Mailbox, Room, Waiters};
use super::process::Wait;
use super::recorder::Recorder;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::delivery::{Endpoint, Event, GroupView, Olabel, Outcome};
use crate::error::Error;
use crate::ids::{GroupId, MessageId};
use crate::machine::broadcast::{Call, ToEndpoint};
use crate::order::Comparison;

/// Makes a process's queue visible to a poll loop. Both methods must not call the library, and must be
/// short; they may be called at the same time.
///
/// A `raise` may come when what it was about has been taken already; the call that finds nothing to
/// take then clears it. None is lost.
pub trait Notifier: Send + Sync {
    /// The queue has become non-empty. Called by the library's threads and by calls.
    fn raise(&self);
    /// The queue has become empty. Called by calls only, one at a time.
    fn clear(&self);
}

/// What a handle knows of a group that its process is in, or watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownGroup {
    pub(crate) name: String,
    /// Of the last `View` event taken.
    pub(crate) view: Option<Arc<GroupView>>,
    /// From outside, by the last outcome.
    watched: bool,
}

pub(crate) struct SharedEndpoint {
    /// Of the application's threads.
    inner: Mutex<Inner>,
    mailbox: Mailbox<Mail>,
    /// The site has ended.
    ending: OnceLock<Ending>,
    /// Its last event has been handed over.
    ended: AtomicBool,
    room: Room,
    /// Whether the notifier has been told of events.
    shown: Flag,
    notifier: OnceLock<Arc<dyn Notifier>>,
    waiters: Waiters,
}

/// When to stop waiting.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|t| Instant::now().checked_add(t))
}

impl SharedEndpoint {
    pub(crate) fn new(
        endpoint: Endpoint,
        calls: Sender<Inbox>,
        recorder: Option<Arc<Recorder>>,
    ) -> SharedEndpoint {
        SharedEndpoint {
            inner: Mutex::new(Inner::new(endpoint, calls, recorder)),
            mailbox: Mailbox::new(),
            ending: OnceLock::new(),
            ended: AtomicBool::new(false),
            room: Room::new(),
            shown: Flag::default(),
            notifier: OnceLock::new(),
            waiters: Waiters::default(),
        }
    }

    // --- the broadcast thread's side ---

    /// Hands over a batch. True if `Event::Closed` was in it: nothing follows.
    pub(crate) fn deliver(&self, items: impl Iterator<Item = ToEndpoint>) -> bool {
        let news = self.mailbox.put(|mail| mail.add(items));
        if news.closed {
            self.ended.store(true, Ordering::Relaxed);
        }
        let roomy = self.room.release(news.messages, news.bytes);
        if news.events || roomy {
            self.tell();
        }
        news.closed
    }

    /// The site has ended; so has the process. Once, and nothing is handed over after it.
    pub(crate) fn end(&self, ending: &Ending) {
        if self.ending.set(ending.clone()).is_ok() {
            self.ended.store(true, Ordering::Relaxed);
            self.tell();
        }
    }

    fn tell(&self) {
        self.raise();
        self.waiters.wake();
    }

    // --- the application's side ---

    /// Takes the lock, and in what has been handed over.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        self.take_in(&mut inner);
        inner
    }

    fn take_in(&self, inner: &mut Inner) {
        // First, for all that was handed over before it is in the mailbox then.
        let ending = self.ending.get();
        self.mailbox.take(|mail| inner.take_in(mail));
        if let Some(ending) = ending {
            inner.end(ending);
        }
    }

    /// Starts an operation; its outcome comes as an event with the token.
    pub(crate) fn start(
        &self,
        call: impl FnOnce(&mut Endpoint) -> Result<(u64, Call), Error>,
    ) -> Result<u64, Error> {
        self.lock().call(call)
    }

    /// Ends the process without its knowing: the outcome is no event.
    pub(crate) fn close_quietly(&self) {
        let mut inner = self.lock();
        // Fails only if it has ended already.
        if let Ok(token) = inner.call(Endpoint::close) {
            inner.endpoint.expect(token);
        }
    }

    /// Starts an operation on the group of this name.
    pub(crate) fn start_named(&self, name: &str, call: Named) -> Result<u64, Error> {
        self.lock().named(name, call)
    }

    /// Starts an operation and waits for its outcome, which then is no event. `started` gets the
    /// token before any event can carry it, under the lock.
    pub(crate) fn complete(
        &self,
        timeout: Option<Duration>,
        started: impl FnOnce(u64),
        call: impl FnOnce(&mut Endpoint) -> Result<(u64, Call), Error>,
    ) -> Result<Outcome, Error> {
        let mut inner = self.lock();
        let token = inner.call(call)?;
        started(token);
        self.wait_outcome(inner, token, timeout)
    }

    /// An operation on the group of this name, and its outcome.
    pub(crate) fn complete_named(
        &self,
        name: &str,
        call: Named,
        timeout: Option<Duration>,
        started: impl FnOnce(u64),
    ) -> Result<Outcome, Error> {
        let mut inner = self.lock();
        let token = inner.named(name, call)?;
        started(token);
        self.wait_outcome(inner, token, timeout)
    }

    fn wait_outcome(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        token: u64,
        timeout: Option<Duration>,
    ) -> Result<Outcome, Error> {
        if timeout == Some(Duration::ZERO) {
            return Err(Error::TimedOut);
        }
        inner.endpoint.expect(token);
        drop(inner);
        let outcome = self.waiters.until(deadline(timeout), || {
            let mut inner = self.lock();
            self.outcome(&mut inner, token)
        });
        outcome.unwrap_or_else(|| {
            let mut inner = self.lock();
            // It may have come as the time ran out.
            let outcome = self.outcome(&mut inner, token);
            inner.endpoint.give_up(token);
            outcome.unwrap_or(Err(Error::TimedOut))
        })
    }

    fn outcome(&self, inner: &mut Inner, token: u64) -> Option<Result<Outcome, Error>> {
        if let Some(result) = inner.endpoint.outcome(token) {
            if let Some(recorder) = &inner.recorder {
                recorder.completed(inner.endpoint.id(), token, &result);
            }
            inner.report_taken();
            self.show(inner);
            return Some(result);
        }
        let ended = inner.check().err()?;
        inner.endpoint.give_up(token);
        Some(Err(ended))
    }

    /// A broadcast, with back-pressure at the caller's choice.
    pub(crate) fn send(
        &self,
        size: usize,
        wait: Wait,
        send: impl FnOnce(&mut Endpoint) -> Result<(MessageId, Call), Error>,
    ) -> Result<MessageId, Error> {
        let deadline = match wait {
            Wait::No => return self.try_send(send),
            Wait::Forever => None,
            Wait::For(time) => deadline(Some(time)),
        };
        let roomy = self.waiters.until(deadline, || {
            let mut inner = self.lock();
            let enough = |inner: &Inner| inner.check().is_err() || inner.endpoint.has_room(size);
            if !enough(&inner) {
                self.want_room(&mut inner);
            }
            enough(&inner).then_some(inner)
        });
        roomy.ok_or(Error::TimedOut)?.call(send)
    }

    /// An OBCAST, with its olabel compared with those of the past. The comparison is the
    /// application's code: it runs here, on the caller's thread, and under no lock. Also says whether
    /// the olabel is less than an earlier one.
    pub(crate) fn send_compared(
        &self,
        size: usize,
        wait: Wait,
        order: &Comparison,
        name: &Arc<str>,
        mut send: impl FnMut(&mut Endpoint) -> Result<(MessageId, Call), Error>,
    ) -> Result<(MessageId, bool), Error> {
        let olabel = Olabel::Stream(name.clone());
        loop {
            let (mut asked, mut late) = (Vec::new(), 0);
            let sent = self.send(size, wait, |e| {
                asked = e.questions(&olabel);
                if !asked.is_empty() {
                    return Err(Error::Interrupted);
                }
                late = e.late();
                let sent = send(e);
                late = e.late() - late;
                sent
            });
            if asked.is_empty() {
                return sent.map(|id| (id, late > 0));
            }
            for earlier in asked {
                let relation = order.relation(&earlier, name)?;
                self.lock().endpoint.learn(&earlier, name, relation);
            }
        }
    }

    fn try_send(
        &self,
        send: impl FnOnce(&mut Endpoint) -> Result<(MessageId, Call), Error>,
    ) -> Result<MessageId, Error> {
        let mut inner = self.lock();
        let sent = inner.call(send);
        if sent == Err(Error::WouldBlock) {
            self.want_room(&mut inner);
            self.show(&mut inner);
        }
        sent
    }

    /// Has the broadcast thread tell when there is room again.
    fn want_room(&self, inner: &mut Inner) {
        let (messages, bytes) = inner.endpoint.missing_room();
        let (m, b) = inner.released;
        self.room.want(m + messages as u64, b + bytes as u64);
        if !cfg!(isis_mutant = "H4") {
            self.take_in(inner);
        }
    }

    /// The next event.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Result<Event, Error> {
        let found = self.waiters.until(deadline(timeout), || {
            let mut inner = self.lock();
            if let Some(event) = inner.take() {
                inner.report_taken();
                self.show(&mut inner);
                return Some(Ok(event));
            }
            self.settle(&mut inner);
            if take(&mut inner.interrupted) {
                return Some(Err(Error::Interrupted));
            }
            (inner.closed == Closed::Taken).then(|| Err(inner.closed_error()))
        });
        found.unwrap_or(Err(Error::TimedOut))
    }

    /// Up to `max` events, without waiting; how many.
    pub(crate) fn next_batch(&self, max: usize, out: &mut Vec<Event>) -> usize {
        let mut inner = self.lock();
        let before = out.len();
        while out.len() - before < max
            && let Some(event) = inner.take()
        {
            out.push(event);
        }
        inner.report_taken();
        let taken = out.len() - before;
        if taken > 0 {
            self.show(&mut inner);
        } else {
            self.settle(&mut inner);
        }
        taken
    }

    pub(crate) fn pending(&self) -> usize {
        self.lock().endpoint.pending()
    }

    pub(crate) fn wakeup(&self) {
        self.inner.lock().interrupted = true;
        self.waiters.wake();
    }

    /// True if it is the first.
    pub(crate) fn set_notifier(&self, notifier: Arc<dyn Notifier>) -> bool {
        let first = self.notifier.set(notifier).is_ok();
        self.settle(&mut self.lock());
        first
    }

    /// Makes the notifier tell the truth.
    pub(crate) fn renew_notifier(&self) {
        self.settle(&mut self.lock());
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<KnownGroup> {
        self.lock().groups.get(&id).cloned()
    }

    /// Its last event has been handed over.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Events waiting, broadcasts and bytes in flight, OBCASTs of the live past.
    pub(crate) fn gauges(&self) -> (usize, (usize, usize), usize) {
        let inner = self.lock();
        let endpoint = &inner.endpoint;
        (
            endpoint.pending(),
            endpoint.in_flight(),
            endpoint.past_len(),
        )
    }

    fn raise(&self) {
        if self.shown.raise()
            && let Some(notifier) = self.notifier.get()
        {
            notifier.raise();
        }
    }

    /// Shows the notifier whether events wait, if that may have changed.
    fn show(&self, inner: &mut Inner) {
        if inner.endpoint.pending() > 0 {
            self.raise();
        } else if self.shown.is_up() {
            self.settle(inner);
        }
    }

    /// The same, whatever it has been told before; see [`Flag`].
    fn settle(&self, inner: &mut Inner) {
        if let Some(notifier) = self.notifier.get() {
            notifier.clear();
        }
        if cfg!(isis_mutant = "H1") {
            self.take_in(inner);
            self.shown.lower();
        } else {
            self.shown.lower();
            self.take_in(inner);
        }
        if inner.endpoint.pending() > 0 {
            self.raise();
        }
    }
}
