//! What the broadcast machine keeps per local process.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::bcast::label_key;
use super::era::SiteSet;
use super::message::{Bcast, To};
use super::queue::PriorityQueues;
use crate::delivery::GroupView;
use crate::ids::{Class, GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Send;

/// A local process. Its queues are its own, never shared with others of the site (§4.3, R17).
#[derive(Clone, Debug, Hash)]
pub struct Process {
    /// Its name.
    pub id: ProcessId,
    /// BCASTs and GBCASTs that are not placed yet.
    pub queues: PriorityQueues,
    /// OBCASTs that may not be placed yet, as they arrived: the wait queue of §4.3.3 step 3.2.
    /// Arrival is a linear extension of *precedes*, because predecessors arrive first.
    pub wait_queue: VecDeque<MessageId>,
    /// The GBCAST that the wait queue is up for.
    pub up: Option<MessageId>,
    /// IDlist of §4.3.3: OBCASTs placed here that are not settled.
    pub id_list: BTreeSet<MessageId>,
    /// The groups that it is in or watches, in the views that are placed here.
    pub groups: BTreeMap<GroupId, Arc<GroupView>>,
    /// Groups that it was in or watched in this era, with the view that ended that: what is addressed to
    /// an earlier one is too late for it.
    pub left: BTreeMap<GroupId, u64>,
    /// Sends that wait: for the end of a wait phase (R25) or of a completion.
    pub held: VecDeque<Send>,
    /// `held` is being sent off.
    pub releasing: bool,
    /// What it has sent.
    pub sent: Outbound,
    /// Index of the last event on its delivery queue, and the broadcasts among those not taken yet.
    pub delivered: u64,
    /// See `delivered`.
    pub untaken: VecDeque<(u64, MessageId)>,
    /// Flushes that have not returned.
    pub flushes: Vec<Flush>,
    /// It takes no more events: what is placed counts as taken.
    pub deaf: bool,
}

impl Process {
    /// A process that has just opened.
    pub fn new(id: ProcessId) -> Process {
        Process {
            id,
            queues: PriorityQueues::default(),
            wait_queue: VecDeque::new(),
            up: None,
            id_list: BTreeSet::new(),
            groups: BTreeMap::new(),
            left: BTreeMap::new(),
            held: VecDeque::new(),
            releasing: false,
            sent: Outbound::default(),
            delivered: 0,
            untaken: VecDeque::new(),
            flushes: Vec::new(),
            deaf: false,
        }
    }

    /// Whether it is a member, and does not only watch.
    pub fn is_member(&self, group: GroupId) -> bool {
        let view = self.groups.get(&group);
        view.is_some_and(|v| v.members.contains(&self.id))
    }

    /// The number of the last view of the group placed here; 0 before the first.
    pub fn view_of(&self, group: GroupId) -> u64 {
        let left = self.left.get(&group).copied().unwrap_or_default();
        self.groups.get(&group).map_or(left, |v| v.number)
    }
}

/// The sending side of a process.
#[derive(Clone, Debug, Default, Hash)]
pub struct Outbound {
    /// The last BCAST and OBCAST that left.
    pub bcasts: u64,
    /// See `bcasts`.
    pub obcasts: u64,
    /// OBCASTs that left, with the sites that have not received them.
    pub unreceived: BTreeMap<u64, SiteSet>,
    /// OBCASTs that left, with the sites that have not placed them.
    pub unplaced: BTreeMap<u64, SiteSet>,
    /// BCASTs that left, with the sites that do not know their final and the sequence number that the
    /// application knows; that is `None` once it was rejected.
    pub unfinal: BTreeMap<u64, (SiteSet, Option<u64>)>,
    /// BCASTs and GBCASTs accepted that a failure could still undo, as the application counts.
    pub unsafe_bcasts: BTreeSet<u64>,
    /// See `unsafe_bcasts`.
    pub unsafe_gbcasts: BTreeSet<u64>,
    /// BCASTs that left, by label.
    pub labels: BTreeMap<u32, Label>,
    /// Group-addressed BCASTs that left and are neither placed nor rejected at this process (R27),
    /// with what is needed to send them again.
    open: BTreeMap<u64, Bcast>,
    /// The last broadcast of each class accepted, as the application counts.
    pub accepted: [u64; 3],
    /// Accepted broadcasts that count against the window, by the application's sequence numbers.
    pub window: BTreeMap<(Class, u64), InFlight>,
    /// The floors last told to the other sites; `None` while nothing has left.
    pub told: Option<(u64, u64, u64)>,
}

impl Outbound {
    /// The floors as of now: received, placed, finals.
    pub fn floors(&self) -> (u64, u64, u64) {
        let first = |table: &BTreeMap<u64, SiteSet>| {
            table.keys().next().copied().unwrap_or(self.obcasts + 1)
        };
        let finals = self
            .unfinal
            .keys()
            .next()
            .copied()
            .unwrap_or(self.bcasts + 1);
        let received = first(&self.unreceived);
        let placed = if cfg!(isis_mutant = "R21") {
            received
        } else {
            first(&self.unplaced)
        };
        (received, placed.min(received), finals)
    }

    /// A group-addressed BCAST leaves.
    pub fn opened(&mut self, body: Bcast, label: u32) {
        if let To::Group { group, .. } = body.to {
            *self
                .labels
                .entry(label)
                .or_default()
                .open
                .entry(group)
                .or_default() += 1;
            self.open.insert(body.id.seq, body);
        }
    }

    /// A group-addressed BCAST is placed or rejected at its sender.
    pub fn closed(&mut self, seq: u64) -> Option<Bcast> {
        let body = self.open.remove(&seq)?;
        let (key, To::Group { group, .. }) = (label_key(&body.label), &body.to) else {
            return None;
        };
        if let Some(label) = self.labels.get_mut(&key) {
            match label.open.get_mut(group) {
                Some(n) if *n > 1 => *n -= 1,
                _ => {
                    label.open.remove(group);
                }
            }
        }
        self.forget_label(key);
        Some(body)
    }

    /// Forgets the state of a label that nothing is under way in: bodies that leave from now on carry a
    /// clock that is above its finals.
    pub fn forget_label(&mut self, key: u32) {
        if self.labels.get(&key).is_some_and(Label::is_idle) {
            self.labels.remove(&key);
        }
    }

    /// Whether a group-addressed BCAST is neither placed nor rejected at its sender.
    pub fn is_open(&self, seq: u64) -> bool {
        self.open.contains_key(&seq)
    }

    /// The open ones that are addressed to the group in a view before `number`, in send order.
    pub fn outdated(&self, group: GroupId, number: u64) -> Vec<u64> {
        let old = |b: &Bcast| matches!(b.to, To::Group { group: g, stamp, .. } if g == group && stamp < number);
        self.open
            .iter()
            .filter(|(_, b)| old(b))
            .map(|(seq, _)| *seq)
            .collect()
    }

    /// At the end of an era everything is placed or sent again; only what waits to leave stays.
    pub fn end_era(&mut self) {
        self.open.clear();
        for label in self.labels.values_mut() {
            label.unfinal.clear();
            label.open.clear();
        }
        self.labels.retain(|_, label| !label.is_idle());
    }

    /// Whether all that left is settled everywhere and the other sites have been told.
    pub fn is_finished(&self) -> bool {
        let all = (self.obcasts + 1, self.obcasts + 1, self.bcasts + 1);
        let idle = (self.obcasts, self.bcasts) == (0, 0);
        idle || (self.floors() == all && self.told == Some(all))
    }
}

/// The BCASTs of one sender and label.
#[derive(Clone, Debug, Default, Hash)]
pub struct Label {
    /// Those without final, in send order: finals are computed in that order (R14).
    pub unfinal: VecDeque<MessageId>,
    /// The last final computed; finals never decrease.
    pub last_final: u64,
    /// Sends that wait for an earlier one to another address (R27).
    pub waiting: VecDeque<Send>,
    /// How many of [`Outbound::open`] are of this label, per group.
    open: BTreeMap<GroupId, usize>,
}

impl Label {
    /// Whether a send to `group`, or to a list, must wait for an open one to another address.
    pub fn must_wait(&self, group: Option<GroupId>) -> bool {
        let other = |open: &GroupId| Some(*open) != group;
        (!self.waiting.is_empty() || self.open.keys().any(other)) && !cfg!(isis_mutant = "R27")
    }

    fn is_idle(&self) -> bool {
        self.unfinal.is_empty() && self.waiting.is_empty() && self.open.is_empty()
    }
}

/// A broadcast in the window of its sender.
#[derive(Clone, Debug, Hash)]
pub struct InFlight {
    /// Destination sites whose processes have not all taken it; `None` until it leaves.
    pub untaken: Option<SiteSet>,
    /// Its payload's length.
    pub bytes: usize,
    /// Destination sites that failed before they had it.
    pub failed: Vec<Site>,
}

/// A flush that waits (§3.4).
#[derive(Clone, Debug, Hash)]
pub struct Flush {
    /// Named in its outcome.
    pub token: u64,
    /// The last broadcast of each class accepted before it.
    pub upto: [u64; 3],
    /// OBCASTs of others up to these must be received everywhere; emptied by the end of the era.
    pub others: Vec<MessageId>,
}
