use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::endpoint::{Notifier, SharedEndpoint};
use super::group::Group;
use super::site::Site;
use crate::delivery::{Endpoint, Event, Olabel, Outcome, StatusAnswer};
use crate::error::Error;
use crate::ids::{GroupId, MessageId, ProcessId};
use crate::machine::broadcast::Address;

/// What a send does when too many broadcasts are still undelivered somewhere (R29).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// [`Error::WouldBlock`]; an [`Event::Writable`] follows when there is room again.
    No,
    /// Waits for room.
    Forever,
    /// Waits for room, [`Error::TimedOut`] after this time.
    For(Duration),
}

/// What [`Process::run`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// [`Process::join`].
    Join(&'a str),
    /// [`Process::lookup`].
    Lookup(&'a str),
    /// [`Group::leave`].
    Leave(GroupId),
    /// [`Process::flush`].
    Flush,
    /// [`Process::close`].
    Close,
    /// [`Process::status`].
    Status(MessageId),
}

/// A process: it joins groups, sends, and takes its events one by one, in order.
///
/// Clones are the same process; it ends with [`Process::close`], or when the last clone and the
/// last of its groups is dropped. Blocking calls take an optional timeout: none waits for ever, zero
/// only starts the operation. When time runs out the operation goes on, and its outcome comes as
/// [`Event::Completed`].
#[derive(Clone)]
pub struct Process(Arc<Handle>);

struct Handle {
    id: ProcessId,
    name: String,
    endpoint: Arc<SharedEndpoint>,
    site: Site,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.site.check_fork().is_ok() {
            // Fails only if it has ended already.
            let _ = self.endpoint.start(Endpoint::close);
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({} {:?})", self.0.id, self.0.name)
    }
}

impl Process {
    pub(crate) fn new(
        id: ProcessId,
        name: &str,
        endpoint: Arc<SharedEndpoint>,
        site: Site,
    ) -> Process {
        Process(Arc::new(Handle {
            id,
            name: name.to_owned(),
            endpoint,
            site,
        }))
    }

    /// Its name in the system.
    pub fn id(&self) -> ProcessId {
        self.0.id
    }

    /// Its name for people.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it runs.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    pub(crate) fn endpoint(&self) -> Result<&SharedEndpoint, Error> {
        self.0.site.check_fork()?;
        Ok(&self.0.endpoint)
    }

    /// Becomes a member of the group of this name (§3.3), created if there is none. The view that
    /// admitted the process comes as its first event of the group.
    pub fn join(&self, name: &str, timeout: Option<Duration>) -> Result<Group, Error> {
        match self.run(Operation::Join(name), timeout, |_| ())? {
            Outcome::Joined(id) => Ok(Group::new(id, name, self.clone())),
            other => Err(Error::Internal(format!("join completed with {other:?}"))),
        }
    }

    /// Addresses the group of this name without joining it (R26): from now on the process *watches* the
    /// group (R31). It gets the group's view as it is, then every later one, in the place that the view
    /// has among the messages at the members; and it sends to the members as one of them does, in the
    /// same order and with the same safety, but gets no messages of the group. It goes on until
    /// [`Group::leave`], until the process joins, or until a view without members comes: the group is
    /// dissolved, and what had not left then comes back as [`Event::Undeliverable`].
    ///
    /// [`Error::Name`] if there is no such group. At a member it is the membership that is returned.
    pub fn lookup(&self, name: &str, timeout: Option<Duration>) -> Result<Group, Error> {
        match self.run(Operation::Lookup(name), timeout, |_| ())? {
            Outcome::Watching(id) => Ok(Group::new(id, name, self.clone())),
            other => Err(Error::Internal(format!("look-up completed with {other:?}"))),
        }
    }

    /// Starts to look up a group; the token comes back in [`Event::Completed`].
    pub fn start_lookup(&self, name: &str) -> Result<u64, Error> {
        self.endpoint()?.start_named(name, Endpoint::lookup)
    }

    /// Any operation, for callers that must know its token even if they wait: `started` gets it
    /// before any event can carry it, under the process's lock (it must not call the library, and
    /// must be short). The outcome is an event only if this returns [`Error::TimedOut`]; with a
    /// timeout of zero that is so without any waiting.
    pub fn run(
        &self,
        operation: Operation<'_>,
        timeout: Option<Duration>,
        started: impl FnOnce(u64),
    ) -> Result<Outcome, Error> {
        let endpoint = self.endpoint()?;
        match operation {
            Operation::Join(name) => {
                endpoint.complete_named(name, Endpoint::join, timeout, started)
            }
            Operation::Lookup(name) => {
                endpoint.complete_named(name, Endpoint::lookup, timeout, started)
            }
            Operation::Leave(id) => endpoint.complete(timeout, started, |e| e.leave(id)),
            Operation::Flush => endpoint.complete(timeout, started, Endpoint::flush),
            Operation::Close => endpoint.complete(timeout, started, Endpoint::close),
            Operation::Status(id) => endpoint.complete(timeout, started, |e| e.status(id)),
        }
    }

    /// Starts to join; the token comes back in [`Event::Completed`].
    pub fn start_join(&self, name: &str) -> Result<u64, Error> {
        self.endpoint()?.start_named(name, Endpoint::join)
    }

    /// The handle of a group that the process is in, or watches.
    pub fn group(&self, id: GroupId) -> Option<Group> {
        let known = self.endpoint().ok()?.group(id)?;
        Some(Group::new(id, &known.name, self.clone()))
    }

    /// Takes the next event. [`Error::Interrupted`] after [`Process::wakeup`]; after
    /// [`Event::Closed`] was taken, the error says why the process ended.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Event, Error> {
        self.endpoint()?.next(timeout)
    }

    /// Takes the next event if there is one.
    pub fn try_next(&self) -> Option<Event> {
        let mut one = Vec::with_capacity(1);
        self.next_batch(1, &mut one);
        one.pop()
    }

    /// Appends up to `max` events to `out`, without waiting; how many.
    pub fn next_batch(&self, max: usize, out: &mut Vec<Event>) -> usize {
        self.endpoint().map_or(0, |e| e.next_batch(max, out))
    }

    /// How many events wait.
    pub fn pending(&self) -> usize {
        self.endpoint().map_or(0, SharedEndpoint::pending)
    }

    /// Makes one present or future [`Process::next`] that finds no event return
    /// [`Error::Interrupted`]. Takes a lock: not for signal handlers.
    pub fn wakeup(&self) {
        if let Ok(endpoint) = self.endpoint() {
            endpoint.wakeup();
        }
    }

    /// Shows from now on whether events wait; see [`Notifier`]. The first one stays: false if there
    /// is one already.
    pub fn set_notifier(&self, notifier: Arc<dyn Notifier>) -> bool {
        self.endpoint().is_ok_and(|e| e.set_notifier(notifier))
    }

    /// Has the notifier show once more whether events wait, for one that shows other things too.
    pub fn renew_notifier(&self) {
        if let Ok(endpoint) = self.endpoint() {
            endpoint.renew_notifier();
        }
    }

    /// BCAST to an explicit destination list (§3.1).
    pub fn bcast_to(
        &self,
        dests: &[ProcessId],
        label: &str,
        payload: Bytes,
        wait: Wait,
    ) -> Result<MessageId, Error> {
        let (to, size) = (Address::List(dests.to_vec()), payload.len());
        self.endpoint()?
            .send(size, wait, |e| e.bcast(to, label, payload))
    }

    /// A safe BCAST to an explicit destination list; see [`Group::safe_bcast`].
    pub fn safe_bcast_to(
        &self,
        dests: &[ProcessId],
        label: &str,
        payload: Bytes,
        wait: Wait,
    ) -> Result<MessageId, Error> {
        let (to, size) = (Address::List(dests.to_vec()), payload.len());
        self.endpoint()?
            .send(size, wait, |e| e.safe_bcast(to, label, payload))
    }

    /// OBCAST to an explicit destination list (§3.2).
    pub fn obcast_to(
        &self,
        dests: &[ProcessId],
        olabel: Olabel,
        payload: Bytes,
        wait: Wait,
    ) -> Result<MessageId, Error> {
        let address = Address::List(dests.to_vec());
        self.send_obcast(address, olabel, payload, wait)
    }

    pub(crate) fn send_obcast(
        &self,
        address: Address,
        olabel: Olabel,
        payload: Bytes,
        wait: Wait,
    ) -> Result<MessageId, Error> {
        let size = payload.len();
        let endpoint = self.endpoint()?;
        let stream = match &olabel {
            Olabel::Stream(name) => Some(name.clone()),
            _ => None,
        };
        let send = |e: &mut Endpoint| e.obcast(address.clone(), olabel.clone(), payload.clone());
        match self.site().olabels().zip(stream) {
            Some((order, name)) => {
                let sent = endpoint.send_compared(size, wait, order, &name, send);
                self.site().compared(sent)
            }
            None => endpoint.send(size, wait, send),
        }
    }

    /// §3.4: waits until every OBCAST that the process sent or delivered is received, and every
    /// BCAST that it sent is final, at all operational destinations.
    pub fn flush(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.run(Operation::Flush, timeout, |_| ())?;
        Ok(())
    }

    /// Starts a flush; the token comes back in [`Event::Completed`].
    pub fn start_flush(&self) -> Result<u64, Error> {
        self.endpoint()?.start(Endpoint::flush)
    }

    /// §4.1's *status* of a broadcast of this process.
    pub fn status(&self, id: MessageId, timeout: Option<Duration>) -> Result<StatusAnswer, Error> {
        match self.run(Operation::Status(id), timeout, |_| ())? {
            Outcome::Status(answer) => Ok(answer),
            other => Err(Error::Internal(format!("status completed with {other:?}"))),
        }
    }

    /// Asks for the status; the token comes back in [`Event::Completed`], with the answer.
    pub fn start_status(&self, id: MessageId) -> Result<u64, Error> {
        self.endpoint()?.start(|e| e.status(id))
    }

    /// Ends the process (R31): its groups see it fail after its messages are received and final.
    pub fn close(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.run(Operation::Close, timeout, |_| ())?;
        Ok(())
    }

    /// Starts to end the process; [`Event::Closed`] is its last event.
    pub fn start_close(&self) -> Result<u64, Error> {
        self.endpoint()?.start(Endpoint::close)
    }
}
