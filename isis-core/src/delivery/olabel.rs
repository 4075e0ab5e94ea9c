//! Labels (§3.1) and olabels (§3.2), and the live past from which precedence is decided.
//!
//! The sender alone decides what *precedes* its OBCAST, from what its process has sent and taken
//! (R19). What travels is ids: a **frontier**, the latest of the predecessors, whose own
//! predecessors are implied. Three indexes keep the frontiers: per stream name, per group (what a
//! *causal* OBCAST to it follows) and per group the *causal* ones alone (what a stream's OBCAST to
//! it follows besides its own streams).
//!
//! With a registered comparison a name is compared with the others instead of being taken apart, and
//! the first index is by name as it stands. The comparison itself is not here: the caller asks it
//! ([`Past::questions`]) and brings the answers ([`Past::learn`]), so that the application's code runs
//! on its own thread and under no lock. An answer is kept as long as both names are in the past.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;

use serde::{Deserialize, Serialize};

use crate::ids::{Class, GroupId, MessageId, ProcessId};
use crate::order::Relation;

/// The olabel of an OBCAST: which others it is comparable with (§3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Olabel {
    /// With all OBCASTs to the same group, except unordered ones; for explicit destination lists,
    /// with all sent to explicit lists.
    #[default]
    Causal,
    /// With all of the same stream, whatever their address, and with causal ones of the same group.
    /// `"x,y"` is in both streams, x and y. With a registered comparison the name stands as that says to
    /// other names, and to causal ones of the same group as here.
    Stream(Arc<str>),
    /// With none.
    Unordered,
}

/// The streams that a name stands for.
pub fn streams(name: &str) -> impl Iterator<Item = &str> {
    name.split(',')
}

/// The label of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// How the first name stands to the second.
type Relations = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Relation>>;

/// The OBCASTs that a process has sent or taken and that may matter to its later broadcasts.
#[derive(Clone, Debug, Default, Hash)]
pub struct Past {
    /// All of them, with what is needed to take them out again.
    live: BTreeMap<MessageId, Live>,
    streams: BTreeMap<Arc<str>, Frontier>,
    groups: BTreeMap<Option<GroupId>, Frontier>,
    causal: BTreeMap<Option<GroupId>, Frontier>,
    unordered: Frontier,
    /// With a registered comparison: how the names of `streams` stand to others, as far as is known.
    relations: Option<Relations>,
    /// Per sender: everything below is settled, also what is taken only later.
    floors: BTreeMap<ProcessId, u64>,
}

#[derive(Clone, Debug, Hash)]
struct Live {
    group: Option<GroupId>,
    olabel: Olabel,
    /// With a registered comparison: the frontier that it comes after.
    after: Vec<MessageId>,
}

impl Past {
    /// An empty one; `compared` if there is a registered comparison.
    pub fn new(compared: bool) -> Past {
        Past {
            relations: compared.then(BTreeMap::new),
            ..Past::default()
        }
    }

    /// The names in the past of which it is not known how they stand to this olabel's; none without a
    /// registered comparison.
    pub fn questions(&self, olabel: &Olabel) -> Vec<Arc<str>> {
        let (Some(_), Olabel::Stream(name)) = (&self.relations, olabel) else {
            return Vec::new();
        };
        let unknown = |earlier: &&Arc<str>| self.relation(earlier, name).is_none();
        self.streams.keys().filter(unknown).cloned().collect()
    }

    /// How an earlier name stands to another.
    pub fn learn(&mut self, earlier: &Arc<str>, name: &Arc<str>, relation: Relation) {
        if let Some(relations) = &mut self.relations
            && self.streams.contains_key(earlier)
        {
            let row = relations.entry(earlier.clone()).or_default();
            row.insert(name.clone(), relation);
        }
    }

    fn relation(&self, earlier: &str, name: &str) -> Option<Relation> {
        self.relations.as_ref()?.get(earlier)?.get(name).copied()
    }

    /// Whether this olabel is less than one sent or taken before (§3.2): nothing orders the two.
    pub fn is_late(&self, olabel: &Olabel) -> bool {
        let Olabel::Stream(name) = olabel else {
            return false;
        };
        let greater = |earlier: &Arc<str>| self.relation(earlier, name) == Some(Relation::After);
        self.relations.is_some() && self.streams.keys().any(greater)
    }

    /// The frontier of what precedes an OBCAST sent now.
    pub fn before_obcast(&self, group: Option<GroupId>, olabel: &Olabel) -> Vec<MessageId> {
        let mut before = match olabel {
            Olabel::Causal => self.groups.get(&group).cloned().unwrap_or_default(),
            Olabel::Stream(_) => self.causal.get(&group).cloned().unwrap_or_default(),
            Olabel::Unordered => Frontier::new(),
        };
        if let Olabel::Stream(name) = olabel {
            match &self.relations {
                None => before.extend(streams(name).filter_map(|s| self.streams.get(s)).flatten()),
                Some(_) => {
                    before.extend(self.at_or_below(name));
                    self.leave_out_implied(&mut before);
                }
            }
        }
        before.into_iter().collect()
    }

    /// The latest of each name that is less than this one, or equal.
    fn at_or_below(&self, name: &str) -> impl Iterator<Item = &MessageId> {
        let before = |earlier: &str| {
            let relation = self.relation(earlier, name);
            matches!(relation, Some(Relation::Before | Relation::Equal))
        };
        let names = self.streams.iter().filter(move |(n, _)| before(n));
        names.flat_map(|(_, frontier)| frontier)
    }

    /// Takes out of a frontier what other members of it come after.
    fn leave_out_implied(&self, frontier: &mut Frontier) {
        let after = |id: &MessageId| self.live.get(id).map_or(&[][..], |l| &l.after);
        let mut stack: Vec<MessageId> = frontier.iter().flat_map(after).copied().collect();
        let mut implied = Frontier::new();
        while let Some(id) = stack.pop() {
            if implied.insert(id) {
                stack.extend(after(&id));
            }
        }
        frontier.retain(|id| !implied.contains(id));
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
                match &self.relations {
                    Some(_) => replace(self.streams.entry(name.clone()).or_default()),
                    None => streams(name).for_each(|s| match self.streams.get_mut(s) {
                        Some(frontier) => replace(frontier),
                        None => replace(self.streams.entry(Arc::from(s)).or_default()),
                    }),
                }
                replace(self.groups.entry(group).or_default());
            }
            Olabel::Causal => {
                replace(self.groups.entry(group).or_default());
                replace(self.causal.entry(group).or_default());
            }
        }
        let after = match self.relations {
            Some(_) => after.to_vec(),
            None => Vec::new(),
        };
        let live = Live {
            group,
            olabel,
            after,
        };
        self.live.insert(id, live);
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
            let Some(Live { group, olabel, .. }) = self.live.remove(&id) else {
                continue;
            };
            match olabel {
                Olabel::Unordered => {
                    self.unordered.remove(&id);
                }
                Olabel::Stream(name) => {
                    self.leave_streams(&name, &id);
                    discard(&mut self.groups, &group, &id);
                }
                Olabel::Causal => {
                    discard(&mut self.groups, &group, &id);
                    discard(&mut self.causal, &group, &id);
                }
            }
        }
    }

    fn leave_streams(&mut self, name: &Arc<str>, id: &MessageId) {
        let Some(relations) = &mut self.relations else {
            return streams(name).for_each(|s| discard(&mut self.streams, s, id));
        };
        discard(&mut self.streams, &**name, id);
        if !self.streams.contains_key(name) {
            relations.remove(name);
            relations.values_mut().for_each(|row| {
                row.remove(name);
            });
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

fn discard<K: Ord + Borrow<Q>, Q: Ord + ?Sized>(
    index: &mut BTreeMap<K, Frontier>,
    key: &Q,
    id: &MessageId,
) {
    if let Some(frontier) = index.get_mut(key) {
        frontier.remove(id);
        if frontier.is_empty() {
            index.remove(key);
        }
    }
}
