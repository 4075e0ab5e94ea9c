//! What goes into and comes out of the broadcast machine: broadcasts, groups, completion, queues.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{FromPeer, Lane, Packet};
use crate::delivery::{Event, Label};
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::view::SiteView;

/// What happens to the broadcast machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A committed site view (R10). Views come in order, without gaps, from the first that has us.
    Install(SiteView),
    /// Whether a quorum of the site view is reachable; changes only.
    Quorum {
        /// Reachable again, or no longer.
        reachable: bool,
    },
    /// A committed view excludes us ("you are dead"). Nothing is sent any more.
    Excluded(SiteView),
    /// A message from a peer.
    Receive(FromPeer),
    /// A call of a local process, made by its [`crate::delivery::Endpoint`].
    Call {
        /// The process's index at this site, from 1; `Open` introduces a new one, in order.
        process: u32,
        /// What it wants.
        call: Call,
    },
    /// `deadline()` has come.
    Timeout,
}

/// Where a broadcast goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// To the members of the group, in the view in which it leaves (§3.5). The sender is one of them, or
    /// watches the group.
    Group(GroupId),
    /// To exactly these processes.
    List(Vec<ProcessId>),
}

/// A BCAST or OBCAST as the endpoint hands it over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Send {
    /// The endpoint's name for it, returned to the application.
    pub id: MessageId,
    /// Its destinations.
    pub address: Address,
    /// Its label, which also tells the primitive.
    pub label: Label,
    /// OBCASTs sent or taken by this process that come before it: those that *precede* it (OBCAST,
    /// §3.2) or all (BCAST, R16), as a frontier: what these depend on is implied.
    pub after: Vec<MessageId>,
    /// A BCAST that is to be placed only once it is safe.
    pub safe: bool,
    /// The application's bytes.
    pub payload: Bytes,
}

/// A call of a local process. Calls with a token end with a `Completed` event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A new process; `name` is for people.
    Open {
        /// Its name.
        name: String,
    },
    /// The process ends. Its groups see it fail (R31) after its messages are received and final.
    Close {
        /// Named in the outcome.
        token: u64,
    },
    /// Become a member of the group of this name; creates the group if there is none (R30).
    Join {
        /// The group's name.
        name: String,
        /// Named in the outcome.
        token: u64,
    },
    /// Watch the group of this name from outside (R26, R31): be told its views, and address it.
    Lookup {
        /// The group's name.
        name: String,
        /// Named in the outcome.
        token: u64,
    },
    /// Stop being a member, or watching.
    Leave {
        /// The group.
        group: GroupId,
        /// Named in the outcome.
        token: u64,
    },
    /// BCAST or OBCAST, by its label.
    Send(Send),
    /// GBCAST as an application primitive (§3.3).
    Gbcast {
        /// The endpoint's name for it.
        id: MessageId,
        /// The group.
        group: GroupId,
        /// OBCASTs sent or taken by this process: it comes after them (R16).
        after: Vec<MessageId>,
        /// The application's bytes.
        payload: Bytes,
    },
    /// §3.4: completes when all that the process sent or delivered is safe from failures.
    Flush {
        /// OBCASTs taken from others that may not yet be received everywhere.
        after: Vec<MessageId>,
        /// Named in the outcome.
        token: u64,
    },
    /// §4.1 *status*: answered by [`ToEndpoint::Status`].
    Status {
        /// A broadcast of this process.
        id: MessageId,
        /// Returned in the answer.
        token: u64,
    },
    /// The process has taken all its events with index up to this one (the first event is 1).
    Taken {
        /// The index.
        upto: u64,
    },
}

/// §4.1's *status*, for a whole broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Some operational destination site may not have it yet.
    Pending,
    /// Received at every operational destination site (OBCAST), or its place is final (BCAST, GBCAST).
    Sent,
    /// Received, and final, at every operational destination site: no failure can undo it.
    Stable,
}

/// From the machine to a process's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToEndpoint {
    /// The next event of the process's delivery queue. Events are numbered from 1 in this order.
    Event {
        /// The event.
        event: Event,
        /// Of an OBCAST: the frontier that it comes after, for the endpoint's live past.
        after: Vec<MessageId>,
    },
    /// Broadcasts of this process that count against its window no more.
    Released {
        /// How many.
        messages: usize,
        /// Their payload bytes.
        bytes: usize,
    },
    /// OBCASTs of `sender` with `seq` below this are placed at all destinations: no send needs to
    /// name them any more (R21).
    Settled {
        /// Their sender.
        sender: ProcessId,
        /// The floor.
        below: u64,
    },
    /// The answer to `Call::Status`.
    Status {
        /// From the call.
        token: u64,
        /// The state of the broadcast.
        status: Status,
        /// Destination sites that failed before they had it.
        failed: Vec<Site>,
    },
}

/// What the broadcast machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Hand this to the transport for each of these sites.
    Send {
        /// The destination sites; never this one.
        to: Vec<Site>,
        /// How it ranks.
        lane: Lane,
        /// The message.
        packet: Packet,
    },
    /// Hand this to the endpoint of a local process.
    Deliver {
        /// The process's index.
        process: u32,
        /// What for.
        item: ToEndpoint,
    },
    /// Something worth a log line or a counter.
    Note(Note),
}

/// What the broadcast machine did that people (and the simulator's event counts) want to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// A peer sent bytes that do not decode, or that cannot be meant or are not its to say; they were
    /// dropped.
    Malformed {
        /// Who.
        from: Site,
    },
    /// The completion of this view began (R12).
    CompletionBegan {
        /// The view's number.
        view: u64,
    },
    /// The completion of this view is applied here.
    CompletionEnded {
        /// The view's number.
        view: u64,
        /// BCASTs of failed sites completed by the survivors.
        orphans: usize,
        /// Messages of failed sites that this site passed on to others.
        pushed: usize,
        /// GBCAST runs not committed here when the view came. Without a stored record they start again.
        aborted_runs: usize,
        /// Those of them whose coordinator's site failed.
        orphaned_runs: usize,
        /// Commit records that the decision carried.
        carried_records: usize,
    },
    /// BCASTs of a local process were rejected by a change of group view and sent again (R27).
    Resent {
        /// How many.
        count: usize,
    },
}
