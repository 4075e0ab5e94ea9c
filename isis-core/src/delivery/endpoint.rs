//! The endpoint of a process: the small machine on the caller's side (R19).
//!
//! It holds the process's delivery queue, its live past and its window, and turns the
//! application's calls into [`Call`]s for the broadcast machine. Drive it so: hand every
//! [`ToEndpoint`] to [`Endpoint::push`]; take events with [`Endpoint::next`]; pass every returned
//! `Call` on, in order; after taking events, pass on [`Endpoint::taken`] when it has one.

mod sends;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::{Event, Outcome, StatusAnswer};
use super::limits::Limits;
use super::memberships::Memberships;
use super::name::check_name;
use super::olabel::{Label, Past};
use crate::error::Error;
use crate::ids::{Class, GroupId, MessageId, ProcessId};
use crate::machine::broadcast::{Call, ToEndpoint};

/// How many taken events may go unreported before the machine must hear of it.
const TAKEN_BATCH: u64 = 64;

/// The machine of one process. See the module's head for how to drive it.
#[derive(Clone, Debug, Hash)]
pub struct Endpoint {
    id: ProcessId,
    limits: Limits,
    queue: VecDeque<Queued>,
    /// Index of the last event pushed, of the last one before which all are taken, and of the last
    /// one that the machine was told of.
    pushed: u64,
    taken: u64,
    reported: u64,
    past: Past,
    /// OBCASTs whose olabel was less than that of an earlier one.
    late: u64,
    memberships: Memberships,
    /// Accepted broadcasts that some destination has not taken yet (R29).
    in_flight: (usize, usize),
    refused: bool,
    seqs: [u64; 3],
    tokens: u64,
    /// Operations whose outcome somebody waits for, and those outcomes; they are no events.
    expected: BTreeMap<u64, Option<Result<Outcome, Error>>>,
    closed: bool,
}

#[derive(Clone, Debug, Hash)]
struct Queued {
    event: Event,
    /// The machine's number for it; `Writable` and an answer to a status call have none.
    index: Option<u64>,
    /// The frontier that a taken OBCAST brings along.
    after: Vec<MessageId>,
}

impl Endpoint {
    /// The endpoint of process `id`; introduce it to the machine with `Call::Open`.
    pub fn new(id: ProcessId, limits: Limits) -> Endpoint {
        Endpoint {
            id,
            limits,
            queue: VecDeque::new(),
            pushed: 0,
            taken: 0,
            reported: 0,
            past: Past::new(limits.compared),
            late: 0,
            memberships: Memberships::default(),
            in_flight: (0, 0),
            refused: false,
            seqs: [0; 3],
            tokens: 0,
            expected: BTreeMap::new(),
            closed: false,
        }
    }

    /// The process.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Takes what the machine hands over.
    pub fn push(&mut self, item: ToEndpoint) {
        match item {
            ToEndpoint::Event { event, after } => self.push_event(event, after),
            ToEndpoint::Released { messages, bytes } => self.release(messages, bytes),
            ToEndpoint::Settled { sender, below } => self.past.settle(sender, below),
            ToEndpoint::Status {
                token,
                status,
                failed,
            } => self.push_status(token, StatusAnswer { status, failed }),
        }
    }

    fn push_event(&mut self, event: Event, after: Vec<MessageId>) {
        self.pushed += 1;
        self.memberships.note(self.id, &event);
        match &event {
            Event::Completed { token, result } if self.expected.contains_key(token) => {
                self.expected.insert(*token, Some(result.clone()));
                return;
            }
            Event::Closed | Event::Excluded(_) => self.closed = true,
            _ => {}
        }
        self.queue.push_back(Queued {
            event,
            index: Some(self.pushed),
            after,
        });
    }

    fn push_status(&mut self, token: u64, answer: StatusAnswer) {
        let result = Ok(Outcome::Status(answer));
        if let Some(expected) = self.expected.get_mut(&token) {
            *expected = Some(result);
            return;
        }
        self.queue.push_back(Queued {
            event: Event::Completed { token, result },
            index: None,
            after: Vec::new(),
        });
    }

    fn release(&mut self, messages: usize, bytes: usize) {
        self.in_flight.0 = self.in_flight.0.saturating_sub(messages);
        self.in_flight.1 = self.in_flight.1.saturating_sub(bytes);
        if self.refused && self.is_roomy() {
            self.refused = false;
            // It has no order against anything, and the application waits for it.
            self.queue.push_front(Queued {
                event: Event::Writable,
                index: None,
                after: Vec::new(),
            });
        }
    }

    /// Whether a quarter of the window is free: time for those who wait for room.
    fn is_roomy(&self) -> bool {
        self.in_flight.0 <= self.limits.window_messages / 4 * 3
            && self.in_flight.1 <= self.limits.window_bytes / 4 * 3
    }

    /// How many messages and bytes must come back until a send that was refused is worth another try.
    pub fn missing_room(&self) -> (usize, usize) {
        if self.is_roomy() {
            // Not enough for that one: any more may be.
            return (1, 0);
        }
        let (messages, bytes) = self.in_flight;
        (
            messages.saturating_sub(self.limits.window_messages / 4 * 3),
            bytes.saturating_sub(self.limits.window_bytes / 4 * 3),
        )
    }

    /// Whether a broadcast of this size would not be refused for want of room.
    pub fn has_room(&self, size: usize) -> bool {
        let (messages, bytes) = self.in_flight;
        // One over the limit is refused for that; one larger than the whole window may go alone.
        size > self.limits.max_message
            || messages < self.limits.window_messages
                && (messages == 0 || bytes + size <= self.limits.window_bytes)
    }

    /// How many events wait to be taken.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Somebody waits for the outcome of this operation: it is kept for [`Endpoint::outcome`]
    /// instead of becoming an event. Say so before anything else is pushed.
    pub fn expect(&mut self, token: u64) {
        self.expected.insert(token, None);
    }

    /// The outcome of an expected operation, once it has come.
    pub fn outcome(&mut self, token: u64) -> Option<Result<Outcome, Error>> {
        self.expected.get(&token)?.as_ref()?;
        self.expected.remove(&token).flatten()
    }

    /// Nobody waits any more: the outcome is an event again.
    pub fn give_up(&mut self, token: u64) {
        self.expected.remove(&token);
    }

    /// OBCASTs that later sends may still have to name; 0 when all is placed everywhere.
    pub fn past_len(&self) -> usize {
        self.past.len()
    }

    /// Broadcasts and payload bytes that count against the window.
    pub fn in_flight(&self) -> (usize, usize) {
        self.in_flight
    }

    /// Takes the next event: from here on it is *delivered*, and what the process sends may depend
    /// on it.
    #[allow(clippy::should_implement_trait)] // not an iterator: more events come later
    pub fn next(&mut self) -> Option<Event> {
        let Queued {
            event,
            index,
            after,
        } = self.queue.pop_front()?;
        if let Some(index) = index {
            self.taken = index;
        }
        if let Event::Message(m) = &event
            && let Label::Obcast(olabel) = &m.label
            && m.id.sender != self.id
        {
            self.past
                .add(m.id, m.group.map(|(g, _)| g), olabel.clone(), &after);
        }
        Some(event)
    }

    /// The report of what has been taken, once it is worth a message.
    pub fn taken(&mut self) -> Option<Call> {
        if self.queue.is_empty() {
            // The last ones may have been expected outcomes.
            self.taken = self.pushed;
        }
        let news = self.taken - self.reported;
        if news == 0 || (news < TAKEN_BATCH && !self.queue.is_empty()) {
            return None;
        }
        self.reported = self.taken;
        Some(Call::Taken { upto: self.taken })
    }

    /// Whether the process is a member of the group.
    pub fn is_member(&self, group: GroupId) -> bool {
        self.memberships.is_member(group)
    }

    /// Whether the process watches the group from outside and may send to it.
    pub fn is_watching(&self, group: GroupId) -> bool {
        self.memberships.is_watching(group)
    }

    /// Joins the group of this name (§3.3); the token names the operation.
    pub fn join(&mut self, name: &str) -> Result<(u64, Call), Error> {
        self.check_open()?;
        check_name("group name", name, false)?;
        let token = self.token();
        Ok((
            token,
            Call::Join {
                name: String::from(name),
                token,
            },
        ))
    }

    /// Watches the group of this name from outside (R26, R31); the token names the operation.
    pub fn lookup(&mut self, name: &str) -> Result<(u64, Call), Error> {
        self.check_open()?;
        check_name("group name", name, false)?;
        let token = self.token();
        Ok((
            token,
            Call::Lookup {
                name: String::from(name),
                token,
            },
        ))
    }

    /// Leaves the group, or ends the watch: no sends to it from now on; events until the view without
    /// this process, or the outcome.
    pub fn leave(&mut self, group: GroupId) -> Result<(u64, Call), Error> {
        self.check_may_send(group)?;
        self.memberships.leave(group);
        let token = self.token();
        Ok((token, Call::Leave { group, token }))
    }

    /// §3.4.
    pub fn flush(&mut self) -> Result<(u64, Call), Error> {
        self.check_open()?;
        let token = self.token();
        Ok((
            token,
            Call::Flush {
                after: self.past.latest_of_others(self.id),
                token,
            },
        ))
    }

    /// §4.1's *status*, for a broadcast of this process.
    pub fn status(&mut self, id: MessageId) -> Result<(u64, Call), Error> {
        self.check_open()?;
        if id.sender != self.id || id.seq == 0 || id.seq > self.seqs[id.class as usize] {
            return Err(Error::Invalid(format!(
                "{id} is no broadcast of this process"
            )));
        }
        let token = self.token();
        Ok((token, Call::Status { id, token }))
    }

    /// Ends the process (R31); `Closed` is its last event.
    pub fn close(&mut self) -> Result<(u64, Call), Error> {
        self.check_open()?;
        self.closed = true;
        self.memberships = Memberships::default();
        let token = self.token();
        Ok((token, Call::Close { token }))
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn next_id(&mut self, class: Class) -> MessageId {
        let seq = &mut self.seqs[class as usize];
        *seq += 1;
        MessageId {
            sender: self.id,
            class,
            seq: *seq,
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed {
            Err(Error::Closed(format!("{} has ended", self.id)))
        } else {
            Ok(())
        }
    }

    fn check_may_send(&self, group: GroupId) -> Result<(), Error> {
        self.check_open()?;
        if self.is_member(group) || self.is_watching(group) {
            Ok(())
        } else {
            Err(Error::NotMember)
        }
    }
}
