//! Labels (§3.1) and olabels (§3.2), and the live past from which precedence is decided.
//!
//! The sender alone decides what *precedes* its OBCAST, from what its process has sent and taken
//! (R19). What travels is ids: a **frontier**, the latest of the predecessors, whose own
//! predecessors are implied. Three indexes keep the frontiers: per stream name, per group (what a
//! *causal* OBCAST to it follows) and per group the *causal* ones alone (what a stream's OBCAST to
//! it follows besides its own stream).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{Class, GroupId, MessageId, ProcessId};

/// The olabel of an OBCAST: which others it is comparable with (§3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Olabel {
    /// With all OBCASTs to the same group, except unordered ones; for explicit destination lists,
    /// with all sent to explicit lists.
    #[default]
    Causal,
    /// With all of the same stream, whatever their address, and with causal ones of the same group.
    Stream(Arc<str>),
    /// With none.
    Unordered,
}

/// The label of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Label {
    /// Of a BCAST: same label, same order (§3.1).
    Bcast(Arc<str>),
    /// Of an OBCAST.
    Obcast(Olabel),
    /// A GBCAST has none: it is ordered against everything.
    Gbcast,
}

impl Label {
    /// The label's text; empty where there is none.
    pub fn as_str(&self) -> &str {
        match self {
            Label::Bcast(s) | Label::Obcast(Olabel::Stream(s)) => s,
            _ => "",
        }
    }
}

type Frontier = BTreeSet<MessageId>;

/// The OBCASTs that a process has sent or taken and that may matter to its later broadcasts.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// All of them, with what is needed to take them out again.
    live: BTreeMap<MessageId, (Option<GroupId>, Olabel)>,
    streams: BTreeMap<Arc<str>, Frontier>,
    groups: BTreeMap<Option<GroupId>, Frontier>,
    causal: BTreeMap<Option<GroupId>, Frontier>,
    unordered: Frontier,
    /// Per sender: everything below is settled, also what is taken only later.
    floors: BTreeMap<ProcessId, u64>,
}

impl Past {
    /// The frontier of what precedes an OBCAST sent now.
    pub fn before_obcast(&self, group: Option<GroupId>, olabel: &Olabel) -> Vec<MessageId> {
        let of = |f: Option<&Frontier>| f.cloned().unwrap_or_default();
        match olabel {
            Olabel::Causal => of(self.groups.get(&group)),
            Olabel::Stream(name) => &of(self.streams.get(name)) | &of(self.causal.get(&group)),
            Olabel::Unordered => Frontier::new(),
        }
        .into_iter()
        .collect()
    }

    /// The frontier of all OBCASTs that a BCAST or GBCAST sent now must follow (R16).
    pub fn before_bcast(&self) -> Vec<MessageId> {
        let mut all = self.unordered.clone();
        for frontier in self.streams.values().chain(self.groups.values()) {
            all.extend(frontier);
        }
        all.into_iter().collect()
    }

    /// The latest OBCAST of every other sender that this process has taken (flush, §3.4).
    pub fn latest_of_others(&self, me: ProcessId) -> Vec<MessageId> {
        let mut latest: Vec<MessageId> = Vec::new();
        for id in self.live.keys().filter(|id| id.sender != me) {
            match latest.last_mut() {
                Some(last) if last.sender == id.sender => *last = *id,
                _ => latest.push(*id),
            }
        }
        latest
    }

    /// The process has sent or taken this OBCAST, which comes after the frontier `after`.
    pub fn add(
        &mut self,
        id: MessageId,
        group: Option<GroupId>,
        olabel: Olabel,
        after: &[MessageId],
    ) {
        if self
            .floors
            .get(&id.sender)
            .is_some_and(|floor| id.seq < *floor)
        {
            return;
        }
        let replace = |frontier: &mut Frontier| {
            for old in after {
                frontier.remove(old);
            }
            frontier.insert(id);
        };
        match &olabel {
            Olabel::Unordered => {
                self.unordered.insert(id);
            }
            Olabel::Stream(name) => {
                replace(self.streams.entry(name.clone()).or_default());
                replace(self.groups.entry(group).or_default());
            }
            Olabel::Causal => {
                replace(self.groups.entry(group).or_default());
                replace(self.causal.entry(group).or_default());
            }
        }
        self.live.insert(id, (group, olabel));
    }

    /// OBCASTs of `sender` below `below` are placed everywhere: forget them (R21).
    pub fn settle(&mut self, sender: ProcessId, below: u64) {
        let floor = self.floors.entry(sender).or_default();
        *floor = below.max(*floor);
        let id = |seq| MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let settled: Vec<_> = self
            .live
            .range(id(0)..id(below))
            .map(|(id, _)| *id)
            .collect();
        for id in settled {
            let Some((group, olabel)) = self.live.remove(&id) else {
                continue;
            };
            match olabel {
                Olabel::Unordered => {
                    self.unordered.remove(&id);
                }
                Olabel::Stream(name) => {
                    discard(&mut self.streams, &name, &id);
                    discard(&mut self.groups, &group, &id);
                }
                Olabel::Causal => {
                    discard(&mut self.groups, &group, &id);
                    discard(&mut self.causal, &group, &id);
                }
            }
        }
    }

    /// How many OBCASTs it still names.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }
}

fn discard<K: Ord>(index: &mut BTreeMap<K, Frontier>, key: &K, id: &MessageId) {
    if let Some(frontier) = index.get_mut(key) {
        frontier.remove(id);
        if frontier.is_empty() {
            index.remove(key);
        }
    }
}
