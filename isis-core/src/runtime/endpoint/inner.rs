//! The endpoint as callers have it, under their lock.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use super::KnownGroup;
use super::mail::Mail;
use crate::delivery::{Endpoint, Event, GroupView, Outcome};
use crate::error::Error;
use crate::ids::GroupId;
use crate::machine::broadcast::{Call, ToEndpoint};
use crate::runtime::broadcast::Inbox;
use crate::runtime::channel::Sender;
use crate::runtime::ending::Ending;
use crate::runtime::recorder::Recorder;

pub(super) struct Inner {
    pub(super) endpoint: Endpoint,
    calls: Sender<Inbox>,
    pub(super) recorder: Option<Arc<Recorder>>,
    ending: Option<Ending>,
    /// `Event::Closed` is in the queue, or taken.
    pub(super) closed: Closed,
    pub(super) interrupted: bool,
    pub(super) groups: BTreeMap<GroupId, KnownGroup>,
    /// Names of the groups being joined or looked up, by token.
    naming: BTreeMap<u64, String>,
    /// Messages and bytes that the window has got back by now.
    pub(super) released: (u64, u64),
}

/// An operation on the group of a name.
pub(crate) type Named = fn(&mut Endpoint, &str) -> Result<(u64, Call), Error>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    No,
    Queued,
    Taken,
}

fn event(event: Event) -> ToEndpoint {
    ToEndpoint::Event {
        event,
        after: Vec::new(),
    }
}

impl Inner {
    pub(super) fn new(
        endpoint: Endpoint,
        calls: Sender<Inbox>,
        recorder: Option<Arc<Recorder>>,
    ) -> Inner {
        Inner {
            endpoint,
            calls,
            recorder,
            ending: None,
            closed: Closed::No,
            interrupted: false,
            groups: BTreeMap::new(),
            naming: BTreeMap::new(),
            released: (0, 0),
        }
    }

    /// Why nothing more can be done, if so.
    pub(super) fn check(&self) -> Result<(), Error> {
        match (&self.ending, self.closed) {
            (None, Closed::No) => Ok(()),
            _ => Err(self.closed_error()),
        }
    }

    pub(super) fn closed_error(&self) -> Error {
        match &self.ending {
            Some(ending) => ending.error(),
            None => Error::Closed(format!("{} has ended", self.endpoint.id())),
        }
    }

    /// Lets the endpoint make a call and passes it on.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Endpoint) -> Result<(T, Call), Error>,
    ) -> Result<T, Error> {
        self.check()?;
        let (answer, call) = call(&mut self.endpoint)?;
        self.pass(call);
        Ok(answer)
    }

    fn pass(&self, call: Call) {
        if let Some(recorder) = &self.recorder {
            let (in_flight, _) = self.endpoint.in_flight();
            recorder.called(self.endpoint.id(), in_flight, &call);
        }
        // If the broadcast thread has just ended, `end` follows and tells everybody.
        self.calls.send(Inbox::Call {
            process: self.endpoint.id().index,
            call,
        });
    }

    pub(super) fn named(&mut self, name: &str, call: Named) -> Result<u64, Error> {
        let token = self.call(|endpoint| call(endpoint, name))?;
        self.naming.insert(token, name.to_owned());
        Ok(token)
    }

    pub(super) fn take_in(&mut self, mail: &mut Mail) {
        for item in mail.events.drain(..) {
            self.push(item);
        }
        while let Some((sender, below)) = mail.settled.pop_first() {
            self.endpoint.push(ToEndpoint::Settled { sender, below });
        }
        let (messages, bytes) = (take(&mut mail.messages), take(&mut mail.bytes));
        if messages > 0 {
            self.released.0 += messages as u64;
            self.released.1 += bytes as u64;
            self.endpoint.push(ToEndpoint::Released { messages, bytes });
        }
    }

    /// The site has ended.
    pub(super) fn end(&mut self, ending: &Ending) {
        self.ending.get_or_insert_with(|| ending.clone());
        if self.closed == Closed::No {
            if let Ending::Excluded(view) = ending {
                self.push(event(Event::Excluded(view.clone())));
            }
            self.push(event(Event::Closed));
        }
    }

    fn push(&mut self, item: ToEndpoint) {
        if let ToEndpoint::Event { event, .. } = &item {
            self.note_pushed(event);
        }
        self.endpoint.push(item);
    }

    fn note_pushed(&mut self, event: &Event) {
        match event {
            Event::Completed { token, result } => {
                let name = self.naming.remove(token).unwrap_or_default();
                match result {
                    Ok(Outcome::Joined(group)) => self.know(*group, name, false),
                    Ok(Outcome::Watching(group)) => self.know(*group, name, true),
                    // A membership ends with the view without the process.
                    Ok(Outcome::Left(group))
                        if self.groups.get(group).is_some_and(|g| g.watched) =>
                    {
                        self.groups.remove(group);
                    }
                    _ => {}
                }
            }
            Event::Excluded(view) => self.ending = Some(Ending::Excluded(view.clone())),
            Event::Closed => self.closed = Closed::Queued,
            _ => {}
        }
    }

    fn know(&mut self, group: GroupId, name: String, watched: bool) {
        let known = self.groups.entry(group).or_default();
        known.name = name;
        known.watched = watched && !self.endpoint.is_member(group);
    }

    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.endpoint.next()?;
        if let Some(recorder) = &self.recorder {
            recorder.took(self.endpoint.id(), &event);
        }
        match &event {
            Event::View(view) => self.took_view(view),
            Event::Closed => self.closed = Closed::Taken,
            _ => {}
        }
        Some(event)
    }

    fn took_view(&mut self, view: &Arc<GroupView>) {
        let group = view.group;
        let inside = view.members.contains(&self.endpoint.id());
        let left = !inside && self.saw_itself_in(group);
        let watches = self.endpoint.is_watching(group)
            || !left && !view.members.is_empty() && self.groups.contains_key(&group);
        if inside || watches {
            let known = self.groups.entry(group).or_default();
            known.name.clone_from(&view.name);
            known.view = Some(view.clone());
        } else {
            self.groups.remove(&group);
        }
    }

    /// Whether the last view of the group that was taken has the process as a member.
    fn saw_itself_in(&self, group: GroupId) -> bool {
        let view = self.groups.get(&group).and_then(|g| g.view.as_ref());
        view.is_some_and(|v| v.members.contains(&self.endpoint.id()))
    }

    pub(super) fn report_taken(&mut self) {
        if let Some(call) = self.endpoint.taken() {
            self.pass(call);
        }
    }
}
