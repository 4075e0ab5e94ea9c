//! What travels with an OBCAST (R18), and when it counts as *received* (R20).
//!
//! To its destinations it goes by itself, and waits there for whatever precedes it and is addressed
//! there too: within an era every sender lives, so that comes. What precedes it and is *not*
//! addressed there goes ahead as a header, for the order through it; and the body with it, since who
//! has the later message must be able to complete the earlier one (§3, footnote 2), unless that is
//! received at all its destinations. A body that is too large for this holds the later message
//! instead, until it is received there or [`Travel::patience`] is over.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::Broadcast;
use super::era::SiteSet;
use super::message::{Listed, Message, Obcast};
use super::obcast::Node;
use crate::config::Config;
use crate::ids::{Class, MessageId};
use crate::machine::Lane;
use crate::time::Time;

/// OBCASTs that are held here, and those that are awaited.
#[derive(Clone, Debug)]
pub(super) struct Travel {
    /// Bodies up to this size go along to sites that are no destinations.
    along: usize,
    /// How long an OBCAST is held for a larger one, and how long a missing one is awaited before it is
    /// asked for.
    patience: Duration,
    holds: Vec<Hold>,
    /// By what is not here, or not complete: what waits for it. Each waits for one at a time.
    awaited: BTreeMap<MessageId, Awaited>,
    /// When to look for what to ask for.
    pull_due: Option<Time>,
    pub counts: Counts,
}

/// How often each of [`TRAVELLED`] has happened, since the site began.
pub type Counts = [u64; 5];

/// What is counted of OBCASTs that travel.
pub const TRAVELLED: [&str; 5] = [
    "predecessor sent as header alone",
    "predecessor's body sent along",
    "OBCAST held for a large predecessor",
    "missing predecessor asked for",
    "OBCAST come before its predecessor",
];

const HEADER: usize = 0;
const ALONG: usize = 1;
const HELD: usize = 2;
const PULLED: usize = 3;
const AWAITED: usize = 4;

/// An OBCAST that may not go to a site yet.
#[derive(Clone, Debug, Hash)]
struct Hold {
    id: MessageId,
    rank: usize,
    due: Time,
}

#[derive(Clone, Debug, Hash)]
struct Awaited {
    waiters: BTreeSet<MessageId>,
    since: Time,
    asked: bool,
}

/// Without the counts: what was counted makes no other state.
impl Hash for Travel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.along, self.patience, &self.holds).hash(state);
        (&self.awaited, self.pull_due).hash(state);
    }
}

impl Travel {
    pub fn new(config: &Config) -> Travel {
        Travel {
            along: config.along_bytes,
            patience: config.patience,
            holds: Vec::new(),
            awaited: BTreeMap::new(),
            pull_due: None,
            counts: Counts::default(),
        }
    }

    /// What is awaited at the end of an era nobody has: it is lost with its senders.
    pub fn next_era(&mut self) {
        self.holds.clear();
        self.awaited.clear();
        self.pull_due = None;
    }

    /// When something held or awaited has taken too long.
    pub fn deadline(&self) -> Option<Time> {
        let held = self.holds.iter().map(|h| h.due).min();
        held.into_iter().chain(self.pull_due).min()
    }
}

impl Broadcast {
    // ---- sending ----

    /// Sends an OBCAST to a site, behind what precedes it and does not come there by itself, unless
    /// that is too large to go along.
    pub(super) fn transmit(&mut self, id: MessageId, rank: usize) {
        let chain = self.chain(id, rank);
        if !self.frozen && self.is_heavy(&chain, rank) {
            self.travel.counts[HELD] += 1;
            let due = self.now + self.travel.patience;
            self.travel.holds.push(Hold { id, rank, due });
        } else {
            self.send_chain(&chain, rank);
        }
    }

    /// What must go to a site for this OBCAST, in order: what precedes it, is not addressed there and
    /// is not there yet, then itself.
    fn chain(&self, id: MessageId, rank: usize) -> Vec<MessageId> {
        let mut chain = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = Vec::from([(id, false)]);
        while let Some((next, predecessors_done)) = stack.pop() {
            let Some(node) = self.store.get(&next).filter(|n| !n.sent_to.contains(rank)) else {
                continue;
            };
            if predecessors_done {
                chain.push(next);
            } else if (next == id || !node.body.sites.contains(rank)) && seen.insert(next) {
                stack.push((next, true));
                if !cfg!(isis_mutant = "C5") {
                    stack.extend(node.body.after().map(|a| (a, false)));
                }
            }
        }
        chain
    }

    /// Whether a body in the chain is too large to go along, and not safe without.
    fn is_heavy(&self, chain: &[MessageId], rank: usize) -> bool {
        chain.iter().any(|id| {
            let body = &self.store[id].body;
            !body.sites.contains(rank)
                && body.whole
                && body.payload.len() > self.travel.along
                && !self.received_everywhere(*id)
        })
    }

    fn send_chain(&mut self, chain: &[MessageId], rank: usize) {
        for id in chain {
            self.transmit_one(*id, rank);
        }
    }

    fn transmit_one(&mut self, id: MessageId, rank: usize) {
        let received = self.received_everywhere(id);
        self.flush_finals(rank);
        let Some(node) = self.store.get(&id) else {
            return;
        };
        let mut body = node.body.clone();
        if body.after().any(|a| self.is_settled(a)) {
            // The other end may not have heard of that yet.
            body.set_after(body.after().filter(|a| !self.is_settled(*a)).collect());
        }
        let lane = match node.bulk {
            true => Lane::Bulk,
            false => self.lane(body.payload.len(), body.after()),
        };
        if !body.sites.contains(rank) {
            if received || cfg!(isis_mutant = "R18") {
                body.whole = false;
                body.payload = bytes::Bytes::new();
            }
            self.travel.counts[if body.whole { ALONG } else { HEADER }] += 1;
        }
        let node = self.store.get_mut(&id).expect("looked up above");
        node.sent_to.insert(rank);
        node.bulk = lane == Lane::Bulk;
        self.send(core::iter::once(rank), lane, Message::Obcast(body));
    }

    /// Sends what was held and need not be any more; all of it at the end of an era.
    pub(super) fn release_holds(&mut self, all: bool) {
        for hold in core::mem::take(&mut self.travel.holds) {
            let chain = self.chain(hold.id, hold.rank);
            if !all && hold.due > self.now && self.is_heavy(&chain, hold.rank) {
                self.travel.holds.push(hold);
            } else {
                self.send_chain(&chain, hold.rank);
            }
        }
    }

    /// Of the OBCASTs that come before a BCAST, those that its destinations must wait for: for every
    /// site the latest of those that go there too.
    pub(super) fn before_at(&self, after: &[Listed], sites: SiteSet) -> Vec<Listed> {
        // Per OBCAST: the sites that something after it has, too.
        let mut covered: BTreeMap<MessageId, SiteSet> = BTreeMap::new();
        let mut stack: Vec<(MessageId, SiteSet)> =
            after.iter().map(|l| (l.id, SiteSet::default())).collect();
        while let Some((id, by)) = stack.pop() {
            let Some(node) = self.store.get(&id) else {
                continue;
            };
            let known = covered.get(&id).copied();
            let by = by.or(known.unwrap_or_default());
            if known == Some(by) {
                continue;
            }
            covered.insert(id, by);
            let by = by.or(node.body.sites.and(sites));
            if !node.spans.and(sites).minus(by).is_empty() {
                stack.extend(node.body.after().map(|a| (a, by)));
            }
        }
        let listed = covered.into_iter().map(|(id, by)| {
            let sites = self.store[&id].body.sites;
            (Listed { id, sites }, by)
        });
        listed
            .filter(|(l, by)| !l.sites.and(sites).minus(*by).is_empty())
            .map(|(l, _)| l)
            .collect()
    }

    // ---- receiving ----

    /// Steps 4–6: a body or header arrives.
    pub(super) fn receive_obcast(&mut self, from: usize, body: Obcast) {
        let id = body.id;
        if let Some(node) = self.store.get_mut(&id) {
            node.sent_to.insert(from);
            if body.whole && !node.body.whole {
                node.body.whole = true;
                node.body.payload = body.payload;
            }
            return;
        }
        let settled = self.is_below_floor(id) && !cfg!(isis_mutant = "C1");
        let before = body.after().find(|a| !self.is_settled(*a));
        match before {
            // A copy, or one that the order does not run through.
            None if settled => return,
            Some(_) if settled && body.sites.contains(self.era().me) => return,
            Some(before) if settled => self.pinned.entry(before).or_default().push(id),
            _ => {}
        }
        let mut sent_to = SiteSet::one(self.era().me);
        sent_to.insert(from);
        if let Some(rank) = self.era().rank(id.sender.site) {
            sent_to.insert(rank);
        }
        self.store.insert(id, Node::new(body, from, sent_to));
        self.look_again(id);
    }

    fn is_below_floor(&self, id: MessageId) -> bool {
        let floor = self.floors.get(&id.sender).map_or(0, |f| f.placed);
        id.seq < floor
    }

    /// Whether an OBCAST that somebody named is placed everywhere, and so is all before it.
    pub(super) fn is_settled(&self, id: MessageId) -> bool {
        !self.store.contains_key(&id) && self.is_below_floor(id)
    }

    /// Whether an OBCAST and all before it that is addressed to this site is here, or was.
    pub(super) fn is_complete(&self, id: MessageId) -> bool {
        match self.store.get(&id) {
            Some(node) => node.complete,
            None => self.is_below_floor(id),
        }
    }

    /// An OBCAST that has come, or what waited for it, may be complete now: then it is *received*, and
    /// so may be what waits for it.
    fn look_again(&mut self, id: MessageId) {
        let mut next = VecDeque::from([id]);
        while let Some(id) = next.pop_front() {
            if id.class == Class::Bcast {
                self.propose(id);
                continue;
            }
            let Some(node) = self.store.get(&id) else {
                continue;
            };
            let missing = node.body.after().find(|a| !self.is_complete(*a));
            match missing {
                Some(missing) => self.await_obcast(missing, id),
                None => {
                    self.complete(id);
                    let awaited = self.travel.awaited.remove(&id);
                    next.extend(awaited.into_iter().flat_map(|a| a.waiters));
                }
            }
        }
        self.commits_may_place();
    }

    pub(super) fn complete(&mut self, id: MessageId) {
        let spans = |a: MessageId| self.store.get(&a).map(|n| n.spans).unwrap_or_default();
        let body = &self.store[&id].body;
        let mine = body.sites.contains(self.era().me);
        let spans = body.after().fold(body.sites, |all, a| all.or(spans(a)));
        let node = self.store.get_mut(&id).expect("in the store");
        node.spans = spans;
        node.complete = true;
        if mine {
            self.received_here(id);
            self.arrive(id);
        }
    }

    /// Something here comes after an OBCAST that has not come.
    pub(super) fn await_obcast(&mut self, missing: MessageId, waiter: MessageId) {
        let since = self.now;
        let awaited = self.travel.awaited.entry(missing).or_insert(Awaited {
            waiters: BTreeSet::new(),
            since,
            asked: false,
        });
        if awaited.waiters.insert(waiter) && !self.store.contains_key(&missing) {
            self.travel.counts[AWAITED] += 1;
            self.travel
                .pull_due
                .get_or_insert(since + self.travel.patience);
        }
    }

    /// Asks for what has been awaited for too long, whoever named it: that site has it.
    fn pull(&mut self) {
        let (now, patience) = (self.now, self.travel.patience);
        let mut due = Vec::new();
        let mut next: Option<Time> = None;
        for (id, awaited) in &mut self.travel.awaited {
            if awaited.asked || self.store.contains_key(id) {
                continue;
            }
            let at = awaited.since + patience;
            if at > now {
                next = Some(next.map_or(at, |n| n.min(at)));
                continue;
            }
            awaited.asked = true;
            due.extend(awaited.waiters.first().map(|waiter| (*id, *waiter)));
        }
        self.travel.pull_due = next;
        for (id, waiter) in due {
            let namer = match self.store.get(&waiter) {
                Some(node) => Some(node.from),
                None => self.era().rank(waiter.sender.site),
            };
            // From its sender it comes by itself.
            let sender = self.era().rank(id.sender.site);
            if let Some(rank) = namer.filter(|_| namer != sender) {
                self.travel.counts[PULLED] += 1;
                self.outbox_of(rank).pulls.push(id);
            }
        }
    }

    /// A site asks for an OBCAST that this one named.
    pub(super) fn pulled(&mut self, from: usize, id: MessageId) {
        let here = self.store.get(&id).is_some_and(|n| n.body.whole);
        if here && !self.frozen {
            self.transmit(id, from);
        }
    }

    /// What was held or awaited for too long.
    pub(super) fn lose_patience(&mut self) {
        if self.frozen {
            return;
        }
        if !self.travel.holds.is_empty() {
            self.release_holds(false);
        }
        if self.travel.pull_due.is_some_and(|due| due <= self.now) {
            self.pull();
        }
    }

    /// What is awaited, in words.
    pub(super) fn awaited(&self) -> impl Iterator<Item = (MessageId, MessageId)> + '_ {
        let missing = self.travel.awaited.iter();
        missing.filter_map(|(id, a)| {
            let first = a.waiters.first()?;
            (!self.store.contains_key(id)).then_some((*first, *id))
        })
    }
}
