use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::olabel::Label;
use crate::error::Error;
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Status;
use crate::view::SiteView;

/// A delivered broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The sender's name for it: what its send returned.
    pub id: MessageId,
    /// The group it was addressed to and the number of the group view it is delivered in; `None`
    /// for an explicit destination list.
    pub group: Option<(GroupId, u64)>,
    /// Its label or olabel, which also tells the primitive.
    pub label: Label,
    /// The application's bytes.
    pub payload: Bytes,
}

/// Why a process left a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LeaveReason {
    /// It asked to.
    Left,
    /// Its site failed.
    SiteFailed,
    /// It ended, or its own site declared it failed (R31).
    ProcessFailed,
}

/// A numbered membership list of a group, oldest first (§3.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupView {
    /// The instance of the group.
    pub group: GroupId,
    /// The group's name.
    pub name: String,
    /// Counts from 1 per instance.
    pub number: u64,
    /// The members, oldest first.
    pub members: Vec<ProcessId>,
    /// Those of `members` that are new in this view.
    pub joined: Vec<ProcessId>,
    /// Those of the view before that are not in this one.
    pub left: Vec<(ProcessId, LeaveReason)>,
}

/// An answer to a status call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusAnswer {
    /// The state of the broadcast.
    pub status: Status,
    /// Destination sites that failed before they had it.
    pub failed: Vec<Site>,
}

/// How an operation started with a token ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `join`: the view that admitted the process is the group's `View` event before this.
    Joined(GroupId),
    /// `lookup`: the group's view is the `View` event before this.
    Watching(GroupId),
    /// `leave`: no more events of the group follow.
    Left(GroupId),
    /// `flush`.
    Flushed,
    /// `close` of the process.
    Closed,
    /// `status`.
    Status(StatusAnswer),
}

/// One event of a process, in the order in which it must see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A broadcast.
    Message(Message),
    /// A new view of a group that this process is in, or watches. The view that ends its own membership
    /// comes last of the group, and does not list it among `members`; to a watcher the view without
    /// any members comes last: the group is dissolved.
    View(Arc<GroupView>),
    /// A new site view; every message of the views before it came before this event.
    SiteView(Arc<SiteView>),
    /// No quorum of the site view is reachable: broadcasts wait. Ends with `Unblocked` or `Excluded`.
    Blocked,
    /// A quorum is reachable again.
    Unblocked,
    /// A broadcast of this process reached nobody: the group that it watched was dissolved first.
    Undeliverable(MessageId),
    /// A send that would have blocked may be tried again.
    Writable,
    /// An operation has ended.
    Completed {
        /// What the call that started it returned.
        token: u64,
        /// How it ended.
        result: Result<Outcome, Error>,
    },
    /// The others agreed that this site had failed. Only `Closed` follows.
    Excluded(Arc<SiteView>),
    /// The process or its site is closed. Nothing follows.
    Closed,
}
