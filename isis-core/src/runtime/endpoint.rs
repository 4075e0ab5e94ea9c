//! A process's [`Endpoint`] between the application's threads and the broadcast thread.
//!
//! One lock guards the endpoint. A call enters the broadcast thread's channel under it, so that
//! calls arrive in the order in which the endpoint made them; deliveries come in as one batch per
//! wake-up. Under the lock nobody waits, and no other lock is taken: only the notifier is called.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::broadcast::Inbox;
use super::channel::Sender;
use super::ending::Ending;
use super::process::Wait;
use crate::delivery::{Endpoint, Event, GroupView, Outcome, StatusAnswer};
use crate::error::Error;
use crate::ids::{GroupId, MessageId};
use crate::machine::broadcast::{Call, ToEndpoint};

/// Makes a process's queue visible to a poll loop. Both methods are called under the queue's lock:
/// they must not call the library, and must be short.
pub trait Notifier: Send + Sync {
    /// The queue has become non-empty.
    fn raise(&self);
    /// The queue has become empty.
    fn clear(&self);
}

/// What a handle knows of one of its groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownGroup {
    pub(crate) name: String,
    /// Of the last `View` event taken.
    pub(crate) view: Option<Arc<GroupView>>,
}

pub(crate) struct SharedEndpoint {
    inner: Mutex<Inner>,
    /// Events, outcomes, answers, the end.
    changed: Condvar,
    /// Room in the window.
    room: Condvar,
}

struct Inner {
    endpoint: Endpoint,
    calls: Sender<Inbox>,
    /// The site has ended.
    ending: Option<Ending>,
    /// `Event::Closed` is in the queue, or taken.
    closed: Closed,
    interrupted: bool,
    notifier: Option<Arc<dyn Notifier>>,
    raised: bool,
    groups: BTreeMap<GroupId, KnownGroup>,
    /// Names of the groups being joined, by token.
    joining: BTreeMap<u64, String>,
    /// Of status calls that somebody waits for.
    answers: BTreeMap<u64, Option<StatusAnswer>>,
    waiting_for_room: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    No,
    Queued,
    Taken,
}

/// When to stop waiting.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|t| Instant::now().checked_add(t))
}

impl SharedEndpoint {
    pub(crate) fn new(endpoint: Endpoint, calls: Sender<Inbox>) -> SharedEndpoint {
        SharedEndpoint {
            inner: Mutex::new(Inner {
                endpoint,
                calls,
                ending: None,
                closed: Closed::No,
                interrupted: false,
                notifier: None,
                raised: false,
                groups: BTreeMap::new(),
                joining: BTreeMap::new(),
                answers: BTreeMap::new(),
                waiting_for_room: 0,
            }),
            changed: Condvar::new(),
            room: Condvar::new(),
        }
    }

    // --- the broadcast thread's side ---

    /// Takes a batch. True if `Event::Closed` was in it: nothing follows.
    pub(crate) fn deliver(&self, items: impl Iterator<Item = ToEndpoint>) -> bool {
        let mut inner = self.inner.lock();
        for item in items {
            inner.push(item);
        }
        inner.notify();
        self.changed.notify_all();
        let closed = inner.closed != Closed::No;
        if inner.waiting_for_room > 0 && (closed || inner.endpoint.is_roomy()) {
            self.room.notify_all();
        }
        closed
    }

    /// The site has ended; so has the process.
    pub(crate) fn end(&self, ending: &Ending) {
        let mut inner = self.inner.lock();
        if inner.ending.is_some() {
            return;
        }
        inner.ending = Some(ending.clone());
        if inner.closed == Closed::No {
            if let Ending::Excluded(view) = ending {
                inner.push(event(Event::Excluded(view.clone())));
            }
            inner.push(event(Event::Closed));
        }
        inner.notify();
        self.changed.notify_all();
        self.room.notify_all();
    }

    // --- the application's side ---

    /// Starts an operation; its outcome comes as an event with the token.
    pub(crate) fn start(
        &self,
        call: impl FnOnce(&mut Endpoint) -> Result<(u64, Call), Error>,
    ) -> Result<u64, Error> {
        self.inner.lock().call(call)
    }

    /// Ends the process without its knowing: the outcome is no event.
    pub(crate) fn close_quietly(&self) {
        let mut inner = self.inner.lock();
        // Fails only if it has ended already.
        if let Ok(token) = inner.call(Endpoint::close) {
            inner.endpoint.expect(token);
        }
    }

    /// Starts to join the group of this name.
    pub(crate) fn start_join(&self, name: &str) -> Result<u64, Error> {
        self.inner.lock().join(name)
    }

    /// Starts an operation and waits for its outcome, which then is no event. `started` gets the
    /// token before any event can carry it, under the lock.
    pub(crate) fn complete(
        &self,
        timeout: Option<Duration>,
        started: impl FnOnce(u64),
        call: impl FnOnce(&mut Endpoint) -> Result<(u64, Call), Error>,
    ) -> Result<Outcome, Error> {
        let mut inner = self.inner.lock();
        let token = inner.call(call)?;
        started(token);
        self.wait_outcome(inner, token, timeout)
    }

    /// Joins the group of this name and waits until the process is a member.
    pub(crate) fn join(
        &self,
        name: &str,
        timeout: Option<Duration>,
        started: impl FnOnce(u64),
    ) -> Result<Outcome, Error> {
        let mut inner = self.inner.lock();
        let token = inner.join(name)?;
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
        let deadline = deadline(timeout);
        inner.endpoint.expect(token);
        let mut late = false;
        loop {
            if let Some(result) = inner.endpoint.outcome(token) {
                inner.report_taken();
                return result;
            }
            let ended = inner.check();
            if late || ended.is_err() {
                inner.endpoint.give_up(token);
                return Err(ended.err().unwrap_or(Error::TimedOut));
            }
            // An outcome that came as the time ran out is still an outcome: look once more.
            late = self.wait_changed(&mut inner, deadline);
        }
    }

    /// §4.1's *status* of a broadcast of this process.
    pub(crate) fn status(
        &self,
        id: MessageId,
        timeout: Option<Duration>,
    ) -> Result<StatusAnswer, Error> {
        let deadline = deadline(timeout);
        let mut inner = self.inner.lock();
        let token = inner.call(|endpoint| endpoint.status(id))?;
        inner.answers.insert(token, None);
        let mut late = false;
        loop {
            let answered = inner.answers.get(&token).is_some_and(Option::is_some);
            let ended = inner.check();
            if answered || late || ended.is_err() {
                let answer = inner.answers.remove(&token).flatten();
                return answer.ok_or(ended.err().unwrap_or(Error::TimedOut));
            }
            late = self.wait_changed(&mut inner, deadline);
        }
    }

    /// A broadcast, with back-pressure at the caller's choice.
    pub(crate) fn send(
        &self,
        size: usize,
        wait: Wait,
        send: impl FnOnce(&mut Endpoint) -> Result<(MessageId, Call), Error>,
    ) -> Result<MessageId, Error> {
        let mut inner = self.inner.lock();
        match wait {
            Wait::No => {}
            Wait::Forever => self.wait_room(&mut inner, size, None)?,
            Wait::For(time) => self.wait_room(&mut inner, size, deadline(Some(time)))?,
        }
        inner.call(send)
    }

    fn wait_room(
        &self,
        inner: &mut MutexGuard<'_, Inner>,
        size: usize,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        while inner.check().is_ok() && !inner.endpoint.has_room(size) {
            inner.waiting_for_room += 1;
            let timed_out = wait(&self.room, inner, deadline);
            inner.waiting_for_room -= 1;
            if timed_out {
                return Err(Error::TimedOut);
            }
        }
        Ok(())
    }

    /// The next event.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Result<Event, Error> {
        let deadline = deadline(timeout);
        let mut inner = self.inner.lock();
        loop {
            if let Some(event) = inner.take() {
                inner.report_taken();
                return Ok(event);
            }
            if std::mem::take(&mut inner.interrupted) {
                return Err(Error::Interrupted);
            }
            if inner.closed == Closed::Taken {
                return Err(inner.closed_error());
            }
            if self.wait_changed(&mut inner, deadline) {
                return Err(Error::TimedOut);
            }
        }
    }

    /// Up to `max` events, without waiting; how many.
    pub(crate) fn next_batch(&self, max: usize, out: &mut Vec<Event>) -> usize {
        let mut inner = self.inner.lock();
        let before = out.len();
        while out.len() - before < max
            && let Some(event) = inner.take()
        {
            out.push(event);
        }
        inner.report_taken();
        out.len() - before
    }

    pub(crate) fn pending(&self) -> usize {
        self.inner.lock().endpoint.pending()
    }

    pub(crate) fn wakeup(&self) {
        self.inner.lock().interrupted = true;
        self.changed.notify_all();
    }

    pub(crate) fn set_notifier(&self, notifier: Option<Arc<dyn Notifier>>) {
        let mut inner = self.inner.lock();
        inner.notifier = notifier;
        inner.raised = false;
        inner.notify();
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<KnownGroup> {
        self.inner.lock().groups.get(&id).cloned()
    }

    /// Events waiting, broadcasts and bytes in flight, OBCASTs of the live past.
    pub(crate) fn gauges(&self) -> (usize, (usize, usize), usize) {
        let inner = self.inner.lock();
        let endpoint = &inner.endpoint;
        (
            endpoint.pending(),
            endpoint.in_flight(),
            endpoint.past_len(),
        )
    }

    fn wait_changed(&self, inner: &mut MutexGuard<'_, Inner>, deadline: Option<Instant>) -> bool {
        wait(&self.changed, inner, deadline)
    }
}

/// True if the time has run out.
fn wait(on: &Condvar, inner: &mut MutexGuard<'_, Inner>, deadline: Option<Instant>) -> bool {
    match deadline {
        Some(deadline) => on.wait_until(inner, deadline).timed_out(),
        None => {
            on.wait(inner);
            false
        }
    }
}

fn event(event: Event) -> ToEndpoint {
    ToEndpoint::Event {
        event,
        after: Vec::new(),
    }
}

impl Inner {
    /// Why nothing more can be done, if so.
    fn check(&self) -> Result<(), Error> {
        match (&self.ending, self.closed) {
            (None, Closed::No) => Ok(()),
            _ => Err(self.closed_error()),
        }
    }

    fn closed_error(&self) -> Error {
        match &self.ending {
            Some(ending) => ending.error(),
            None => Error::Closed(format!("{} has ended", self.endpoint.id())),
        }
    }

    /// Lets the endpoint make a call and passes it on.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Endpoint) -> Result<(T, Call), Error>,
    ) -> Result<T, Error> {
        self.check()?;
        let (answer, call) = call(&mut self.endpoint)?;
        self.pass(call);
        Ok(answer)
    }

    fn pass(&self, call: Call) {
        // If the broadcast thread has just ended, `end` follows and tells everybody.
        self.calls.send(Inbox::Call {
            process: self.endpoint.id().index,
            call,
        });
    }

    fn join(&mut self, name: &str) -> Result<u64, Error> {
        let token = self.call(|endpoint| endpoint.join(name))?;
        self.joining.insert(token, name.to_owned());
        Ok(token)
    }

    fn push(&mut self, item: ToEndpoint) {
        match &item {
            ToEndpoint::Event { event, .. } => self.note_pushed(event),
            ToEndpoint::Status { .. } => {
                self.endpoint.push(item);
                self.keep_answers();
                return;
            }
            _ => {}
        }
        self.endpoint.push(item);
    }

    fn note_pushed(&mut self, event: &Event) {
        match event {
            Event::Completed { token, result } => {
                if let (Some(name), Ok(Outcome::Joined(group))) =
                    (self.joining.remove(token), result)
                {
                    self.groups.entry(*group).or_default().name = name;
                }
            }
            Event::Excluded(view) => self.ending = Some(Ending::Excluded(view.clone())),
            Event::Closed => self.closed = Closed::Queued,
            _ => {}
        }
    }

    fn keep_answers(&mut self) {
        while let Some(answer) = self.endpoint.next_status() {
            if let Some(slot) = self.answers.get_mut(&answer.token) {
                *slot = Some(answer);
            }
        }
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.endpoint.next()?;
        match &event {
            Event::View(view) if view.members.contains(&self.endpoint.id()) => {
                let known = self.groups.entry(view.group).or_default();
                known.name.clone_from(&view.name);
                known.view = Some(view.clone());
            }
            Event::View(view) => {
                self.groups.remove(&view.group);
            }
            Event::Closed => self.closed = Closed::Taken,
            _ => {}
        }
        Some(event)
    }

    fn report_taken(&mut self) {
        if let Some(call) = self.endpoint.taken() {
            self.pass(call);
        }
        self.notify();
    }

    /// Shows the notifier whether the queue is empty.
    fn notify(&mut self) {
        let raised = self.endpoint.pending() > 0;
        if let Some(notifier) = &self.notifier
            && raised != self.raised
        {
            if raised {
                notifier.raise();
            } else {
                notifier.clear();
            }
        }
        self.raised = raised && self.notifier.is_some();
    }
}
