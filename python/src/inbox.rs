//! Who gets which event of a process.
//!
//! The library has one queue per process. Here its events go to callbacks, to iteration over the
//! process, to iteration over one group, or to the caller that waits for the outcome of an
//! operation. At any time one of those who wait, the *leader*, takes from the queue; what is not
//! for itself it holds ready for the others, in order, and wakes them. So an event is taken only
//! when somebody wants one, and nobody overtakes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use isis_core::Error;
use isis_core::delivery::{Event, GroupView, Outcome};
use isis_core::ids::{GroupId, ProcessId};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::descriptor::Descriptor;

/// Where events come from: the library's queue.
pub trait Source {
    /// Waits for the next event; [`Error::TimedOut`] if none came in time.
    fn next(&self, timeout: Duration) -> Result<Event, Error>;
    /// How many wait.
    fn pending(&self) -> usize;
}

/// The kinds of events, one bit each.
#[derive(Clone, Copy, Default)]
pub struct Kinds(u16);

impl Kinds {
    /// With this kind.
    pub fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u16)
    }

    fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // as in `Event`
pub enum Kind {
    Message,
    View,
    SiteView,
    Blocked,
    Unblocked,
    Writable,
    Completed,
    Undeliverable,
    Excluded,
    Closed,
}

impl Kind {
    /// All of them, with the names of their callbacks.
    pub const ALL: [(Kind, &'static str); 10] = [
        (Kind::Message, "on_message"),
        (Kind::View, "on_view"),
        (Kind::SiteView, "on_site_view"),
        (Kind::Blocked, "on_blocked"),
        (Kind::Unblocked, "on_unblocked"),
        (Kind::Writable, "on_writable"),
        (Kind::Completed, "on_completed"),
        (Kind::Undeliverable, "on_undeliverable"),
        (Kind::Excluded, "on_excluded"),
        (Kind::Closed, "on_closed"),
    ];

    /// Of this event.
    pub fn of(event: &Event) -> Kind {
        match event {
            Event::Message(_) => Kind::Message,
            Event::View(_) => Kind::View,
            Event::SiteView(_) => Kind::SiteView,
            Event::Blocked => Kind::Blocked,
            Event::Unblocked => Kind::Unblocked,
            Event::Writable => Kind::Writable,
            Event::Completed { .. } => Kind::Completed,
            Event::Undeliverable(_) => Kind::Undeliverable,
            Event::Excluded(_) => Kind::Excluded,
            Event::Closed => Kind::Closed,
        }
    }
}

/// Whom an event is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Iteration,
    Callbacks,
    Caller(u64),
}

struct Held {
    to: To,
    group: Option<GroupId>,
    event: Event,
}

/// An event for a callback, and the name of its group.
pub struct ForCallback {
    /// The event.
    pub event: Event,
    /// Of its group, if it has one.
    pub group: Option<Arc<str>>,
}

/// How many held events earn a warning.
const MANY: usize = 65_536;

#[derive(Default)]
struct State {
    ready: VecDeque<Held>,
    /// How many of `ready` are for iteration.
    iterable: usize,
    leading: bool,
    closed: bool,
    end: Option<Error>,
    process_callbacks: Kinds,
    group_callbacks: BTreeMap<Arc<str>, Kinds>,
    names: BTreeMap<GroupId, Arc<str>>,
    views: BTreeMap<GroupId, Arc<GroupView>>,
    /// Groups that this process is in, or watches, as of the events taken from the queue.
    joined: BTreeSet<GroupId>,
    watched: BTreeSet<GroupId>,
    /// Groups whose last event has been taken from the queue.
    over: BTreeSet<GroupId>,
    claimed: BTreeSet<u64>,
    descriptor: Option<Arc<Descriptor>>,
}

/// The events of one process. See the module's head.
pub struct Inbox<S> {
    source: S,
    me: ProcessId,
    state: Mutex<State>,
    changed: Condvar,
}

impl<S: Source> Inbox<S> {
    /// The inbox of process `me`.
    pub fn new(source: S, me: ProcessId) -> Inbox<S> {
        Inbox {
            source,
            me,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Where its events come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// From now on these kinds go to callbacks, for all groups.
    pub fn call_back(&self, kinds: Kinds) {
        self.state.lock().process_callbacks = kinds;
    }

    /// From now on these kinds of the group's events go to callbacks.
    pub fn call_back_for(&self, group: &str, kinds: Kinds) {
        let mut state = self.state.lock();
        state.group_callbacks.insert(Arc::from(group), kinds);
    }

    /// The next event for iteration: any, or of this group and the whole process. `None` when the
    /// group has none to come.
    pub fn next(&self, group: Option<GroupId>, patience: Duration) -> Result<Option<Event>, Error> {
        self.until(patience, |state| match state.take_for_iteration(group) {
            Some(event) => Some(Some(event)),
            None => {
                let over = group.is_some_and(|group| state.over.contains(&group));
                over.then_some(None)
            }
        })
    }

    /// The next event for a callback.
    pub fn next_for_callback(&self, patience: Duration) -> Result<ForCallback, Error> {
        self.until(patience, |state| {
            let (group, event) = state.take(|held| held.to == To::Callbacks)?;
            let group = group.and_then(|group| state.names.get(&group).cloned());
            Some(ForCallback { event, group })
        })
    }

    /// Starts an operation whose outcome is for [`Inbox::outcome`], not for iteration.
    pub fn start(&self, start: impl FnOnce() -> Result<u64, Error>) -> Result<u64, Error> {
        let mut state = self.state.lock();
        let token = start()?;
        state.claimed.insert(token);
        Ok(token)
    }

    /// The outcome of an operation started by [`Inbox::start`].
    pub fn outcome(&self, token: u64, patience: Duration) -> Result<Outcome, Error> {
        let event = self.until(patience, |state| {
            let (_, event) = state.take(|held| held.to == To::Caller(token))?;
            state.claimed.remove(&token);
            Some(event)
        })?;
        match event {
            Event::Completed { result, .. } => result,
            other => unreachable!("{other:?} has no token"),
        }
    }

    /// Nobody waits for the outcome any more: it becomes an event for iteration or a callback.
    pub fn give_up(&self, token: u64) {
        let mut state = self.state.lock();
        state.claimed.remove(&token);
        let found = state.take(|held| held.to == To::Caller(token));
        if let Some((_, event)) = found {
            state.hold(self.me, event);
            self.changed.notify_all();
        }
    }

    /// Waits for the view that admitted this process to the group, or with which its watch began.
    pub fn admitted(&self, group: GroupId, patience: Duration) -> Result<(), Error> {
        self.until(patience, |state| {
            let admitted = state.views.contains_key(&group) && !state.over.contains(&group);
            admitted.then_some(())
        })
    }

    /// The view of the last `View` event of the group that was handed out; until then the one that
    /// admitted this process, or with which its watch began.
    pub fn view(&self, group: GroupId) -> Option<Arc<GroupView>> {
        self.state.lock().views.get(&group).cloned()
    }

    /// How many events wait for iteration, or for callbacks in the library's queue.
    pub fn pending(&self) -> usize {
        self.state.lock().iterable + self.source.pending()
    }

    /// From now on the descriptor shows whether events are held here.
    pub fn show(&self, descriptor: &Arc<Descriptor>) {
        let mut state = self.state.lock();
        state.descriptor = Some(descriptor.clone());
        state.show();
    }

    /// Leads or follows until `done` has an answer, at most for `patience`.
    fn until<R>(
        &self,
        patience: Duration,
        mut done: impl FnMut(&mut State) -> Option<R>,
    ) -> Result<R, Error> {
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = done(&mut state) {
                return Ok(answer);
            }
            if let Some(end) = &state.end {
                return Err(end.clone());
            }
            let left = match deadline {
                None if patience.is_zero() => Duration::ZERO,
                None => {
                    deadline = Some(Instant::now() + patience);
                    patience
                }
                Some(deadline) => Instant::saturating_duration_since(&deadline, Instant::now()),
            };
            let timed_out = if state.leading {
                self.changed.wait_for(&mut state, left).timed_out()
            } else {
                self.lead(&mut state, left)
            };
            if timed_out {
                return done(&mut state).ok_or(Error::TimedOut);
            }
        }
    }

    /// Takes one event from the queue. True if none came in time.
    fn lead(&self, state: &mut MutexGuard<'_, State>, patience: Duration) -> bool {
        state.leading = true;
        let next = MutexGuard::unlocked(state, || self.source.next(patience));
        state.leading = false;
        let mut timed_out = false;
        match next {
            Ok(event) => state.hold(self.me, event),
            Err(Error::TimedOut) => timed_out = true,
            Err(Error::Interrupted) => {}
            Err(end) => state.end = Some(end),
        }
        self.changed.notify_all();
        timed_out
    }
}

impl State {
    fn hold(&mut self, me: ProcessId, event: Event) {
        let group = match &event {
            Event::View(view) => {
                self.note(me, view);
                Some(view.group)
            }
            Event::Message(message) => message.group.map(|(group, _)| group),
            Event::Completed {
                result: Ok(Outcome::Left(group)),
                ..
            } => {
                if self.watched.remove(group) {
                    self.over.insert(*group);
                }
                None
            }
            Event::Closed => {
                self.closed = true;
                None
            }
            _ => None,
        };
        let to = self.route(&event, group);
        self.iterable += usize::from(to == To::Iteration);
        if self.iterable > 0 && self.iterable.is_multiple_of(MANY) {
            log::warn!(
                target: "isis",
                "{me} has {} events that nobody iterates over", self.iterable
            );
        }
        self.ready.push_back(Held { to, group, event });
        self.show();
    }

    /// Keeps track of the groups that this process is in or watches.
    fn note(&mut self, me: ProcessId, view: &Arc<GroupView>) {
        let group = view.group;
        let begins = if view.members.contains(&me) {
            self.watched.remove(&group);
            self.joined.insert(group)
        } else if self.joined.remove(&group) || view.members.is_empty() {
            self.watched.remove(&group);
            self.over.insert(group);
            false
        } else {
            self.watched.insert(group)
        };
        if begins {
            self.over.remove(&group);
            self.names.insert(group, Arc::from(&*view.name));
            self.views.insert(group, view.clone());
        }
    }

    fn route(&self, event: &Event, group: Option<GroupId>) -> To {
        if let Event::Completed { token, .. } = event
            && self.claimed.contains(token)
        {
            return To::Caller(*token);
        }
        let kind = Kind::of(event);
        let of_group = group
            .and_then(|group| self.names.get(&group))
            .and_then(|name| self.group_callbacks.get(name));
        let called_back = self.process_callbacks.contains(kind)
            || of_group.is_some_and(|kinds| kinds.contains(kind));
        if called_back {
            To::Callbacks
        } else {
            To::Iteration
        }
    }

    fn take_for_iteration(&mut self, group: Option<GroupId>) -> Option<Event> {
        let (_, event) = self.take(|held| {
            let of_another = group.is_some() && held.group.is_some() && held.group != group;
            held.to == To::Iteration && !of_another
        })?;
        Some(event)
    }

    fn take(&mut self, wanted: impl FnMut(&Held) -> bool) -> Option<(Option<GroupId>, Event)> {
        let index = self.ready.iter().position(wanted)?;
        let held = self.ready.remove(index)?;
        if held.to == To::Iteration {
            self.iterable -= 1;
            self.show();
        }
        if let Event::View(view) = &held.event {
            self.views.insert(view.group, view.clone());
        }
        Some((held.group, held.event))
    }

    fn show(&self) {
        if let Some(descriptor) = &self.descriptor {
            descriptor.set_held(self.iterable > 0 || self.closed);
        }
    }
}

#[cfg(test)]
mod tests;
