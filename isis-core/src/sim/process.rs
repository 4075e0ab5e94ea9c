//! A process of the simulation: its endpoint, driven as the runtime drives it, and recorded.

use bytes::Bytes;

use crate::Error;
use crate::audit::trace::{Delivered, Sent, What, digest};
use crate::delivery::{Endpoint, Event, Label, Limits, Olabel, Outcome};
use crate::ids::{GroupId, MessageId, ProcessId};
use crate::machine::broadcast::{Address, Call, ToEndpoint};

use super::world::{Env, World};

/// A process. Every call is one of [`Endpoint`], and is carried out by its site's machines afterwards.
/// Calls that return a token end with [`Event::Completed`], except [`Process::status`].
#[derive(Debug)]
pub struct Process {
    endpoint: Endpoint,
    /// For the broadcast machine, in order.
    calls: Vec<Call>,
    /// A wake-up for taking events is scheduled.
    pub(super) awake: bool,
}

impl Process {
    pub(super) fn new(id: ProcessId, limits: Limits) -> Process {
        Process {
            endpoint: Endpoint::new(id, limits),
            calls: Vec::new(),
            awake: false,
        }
    }

    /// Which one.
    pub fn id(&self) -> ProcessId {
        self.endpoint.id()
    }

    /// Its state, to look at.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// From the broadcast machine.
    pub(super) fn push<W: World>(&mut self, item: ToEndpoint, env: &mut Env<'_, W>) {
        if let ToEndpoint::Event { event, after } = &item
            && let Event::Message(m) = event
        {
            env.record(What::Placed(self.id(), m.id, after.clone()));
        }
        self.endpoint.push(item);
    }

    /// What it has for the broadcast machine.
    pub(super) fn calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// Tells the broadcast machine what it has taken.
    pub(super) fn report_taken(&mut self) {
        self.calls.extend(self.endpoint.taken());
    }

    /// Takes the next event, if there is one.
    pub fn next<W: World>(&mut self, env: &mut Env<'_, W>) -> Option<Event> {
        let event = self.endpoint.next()?;
        let what = taken(self.id(), &event);
        what.into_iter().for_each(|what| env.record(what));
        Some(event)
    }

    /// See [`Endpoint::bcast`].
    pub fn bcast<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        to: Address,
        label: &str,
        payload: Bytes,
    ) -> Result<MessageId, Error> {
        let done = self.endpoint.bcast(to.clone(), label, payload.clone())?;
        Ok(self.sent(env, to, Label::Bcast(label.into()), &payload, done))
    }

    /// See [`Endpoint::safe_bcast`].
    pub fn safe_bcast<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        to: Address,
        label: &str,
        payload: Bytes,
    ) -> Result<MessageId, Error> {
        let done = self
            .endpoint
            .safe_bcast(to.clone(), label, payload.clone())?;
        Ok(self.sent(env, to, Label::Bcast(label.into()), &payload, done))
    }

    /// See [`Endpoint::obcast`].
    pub fn obcast<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        to: Address,
        olabel: Olabel,
        payload: Bytes,
    ) -> Result<MessageId, Error> {
        let done = self
            .endpoint
            .obcast(to.clone(), olabel.clone(), payload.clone())?;
        Ok(self.sent(env, to, Label::Obcast(olabel), &payload, done))
    }

    /// See [`Endpoint::gbcast`].
    pub fn gbcast<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        group: GroupId,
        payload: Bytes,
    ) -> Result<MessageId, Error> {
        let done = self.endpoint.gbcast(group, payload.clone())?;
        Ok(self.sent(env, Address::Group(group), Label::Gbcast, &payload, done))
    }

    fn sent<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        to: Address,
        label: Label,
        payload: &Bytes,
        (id, call): (MessageId, Call),
    ) -> MessageId {
        let (after, safe) = match &call {
            Call::Send(send) => (send.after.clone(), send.safe),
            _ => (Vec::new(), false),
        };
        env.record(What::Send(Sent {
            id,
            to,
            label,
            after,
            safe,
            length: payload.len(),
            digest: digest(payload),
        }));
        self.calls.push(call);
        id
    }

    /// See [`Endpoint::join`].
    pub fn join<W: World>(&mut self, env: &mut Env<'_, W>, name: &str) -> Result<u64, Error> {
        let done = self.endpoint.join(name)?;
        Ok(self.began(env, done, |p, _| What::AskJoin(p, name.into())))
    }

    /// See [`Endpoint::lookup`].
    pub fn lookup<W: World>(&mut self, env: &mut Env<'_, W>, name: &str) -> Result<u64, Error> {
        let done = self.endpoint.lookup(name)?;
        Ok(self.began(env, done, |p, _| What::AskLookup(p, name.into())))
    }

    /// See [`Endpoint::leave`].
    pub fn leave<W: World>(&mut self, env: &mut Env<'_, W>, group: GroupId) -> Result<u64, Error> {
        let done = self.endpoint.leave(group)?;
        Ok(self.began(env, done, |p, _| What::AskLeave(p, group)))
    }

    /// See [`Endpoint::flush`].
    pub fn flush<W: World>(&mut self, env: &mut Env<'_, W>) -> Result<u64, Error> {
        let done = self.endpoint.flush()?;
        Ok(self.began(env, done, What::FlushBegin))
    }

    /// See [`Endpoint::close`].
    pub fn close<W: World>(&mut self, env: &mut Env<'_, W>) -> Result<u64, Error> {
        let done = self.endpoint.close()?;
        Ok(self.began(env, done, |p, _| What::Close(p)))
    }

    fn began<W: World>(
        &mut self,
        env: &mut Env<'_, W>,
        (token, call): (u64, Call),
        what: impl FnOnce(ProcessId, u64) -> What,
    ) -> u64 {
        env.record(what(self.id(), token));
        self.calls.push(call);
        token
    }

    /// See [`Endpoint::status`]; [`Process::outcome`] has the answer when there is one.
    pub fn status(&mut self, id: MessageId) -> Result<u64, Error> {
        let (token, call) = self.endpoint.status(id)?;
        self.endpoint.expect(token);
        self.calls.push(call);
        Ok(token)
    }

    /// The answer to a status call, once.
    pub fn outcome(&mut self, token: u64) -> Option<Result<Outcome, Error>> {
        self.endpoint.outcome(token)
    }
}

/// What is recorded of an event that the application takes.
fn taken(me: ProcessId, event: &Event) -> Option<What> {
    let what = match event {
        Event::Message(m) => {
            let delivered = Delivered {
                id: m.id,
                group: m.group,
                label: m.label.clone(),
                length: m.payload.len(),
                digest: digest(&m.payload),
            };
            What::Deliver(me, delivered)
        }
        Event::View(view) => What::View(me, view.clone()),
        Event::Undeliverable(id) => What::Undeliverable(*id),
        Event::SiteView(view) => What::SiteView(me, view.clone()),
        Event::Blocked => What::Blocked(me),
        Event::Unblocked => What::Unblocked(me),
        Event::Completed { token, result } => match result {
            Ok(Outcome::Flushed) => What::FlushEnd(me, *token),
            Ok(Outcome::Left(group)) => What::Left(me, *group),
            _ => return None,
        },
        Event::Closed => What::Ended(me),
        Event::Writable | Event::Excluded(_) => return None,
    };
    Some(what)
}
