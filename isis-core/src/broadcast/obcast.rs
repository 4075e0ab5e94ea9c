//! OBCAST (§4.3.2) within an era.
//!
//! A broadcast takes the bodies of its predecessors along to every site that may not have them, so
//! that arrival at a site is a linear extension of *precedes* and an OBCAST is placed as soon as it
//! arrives, unless a wait queue is up (§4.3.3) or its group view is not placed yet (§3.5). The
//! report's three optimizations: one packet per site, not per process; one copy in the site's store
//! for all its processes; SENT_TO, here `sent_to`. To a site that is no destination, of a message
//! that is received at all its destinations, only the header goes: it carries the order on.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::address::Locals;
use super::era::SiteSet;
use super::message::{Message, Obcast, To};
use super::{Broadcast, SITE_PROCESS};
use crate::delivery::{Event, Label, Message as Delivered};
use crate::ids::MessageId;
use crate::machine::Lane;

/// An OBCAST in the store (§4.4), until it is settled (R21).
#[derive(Debug)]
pub(super) struct Node {
    pub body: Obcast,
    /// Local destinations where it is not placed yet; `None` while its stamp is not known here.
    locals: Option<BTreeSet<u32>>,
    /// Sites that have it from us, from whom we have it, or that sent it.
    pub sent_to: SiteSet,
    /// It, or something before it, is large: it keeps to the bulk lane.
    pub bulk: bool,
}

impl Broadcast {
    /// An OBCAST leaves: placed here at once, then sent to each site after what precedes it.
    pub(super) fn send_obcast(&mut self, process: u32, mut body: Obcast) {
        body.after.retain(|id| self.store.contains_key(id));
        let (id, sites, me) = (body.id, body.sites, self.era().me);
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        if !sites.without(me).is_empty() {
            p.sent.unreceived.insert(id.seq, sites.without(me));
        }
        if !sites.is_empty() {
            p.sent.unplaced.insert(id.seq, sites);
        }
        let bulk = self.lane(body.payload.len(), &body.after) == Lane::Bulk;
        self.store.insert(
            id,
            Node {
                body,
                locals: None,
                sent_to: SiteSet::one(me),
                bulk,
            },
        );
        for rank in self.era().others(sites) {
            self.transmit(id, rank);
        }
        if sites.contains(me) {
            self.arrive(id);
        }
        self.floors_changed();
    }

    /// Sends an OBCAST to a site, behind what precedes it and is not there (§4.3.2 step 1).
    pub(super) fn transmit(&mut self, id: MessageId, rank: usize) {
        let mut stack = Vec::from([(id, false)]);
        while let Some((id, predecessors_done)) = stack.pop() {
            let Some(node) = self.store.get(&id) else {
                continue;
            };
            if node.sent_to.contains(rank) {
                continue;
            }
            if predecessors_done {
                self.transmit_one(id, rank);
            } else {
                stack.push((id, true));
                let before = node.body.after.iter();
                stack.extend(
                    before
                        .filter(|a| self.goes_along(a, rank))
                        .map(|a| (*a, false)),
                );
            }
        }
    }

    /// A predecessor goes along to every site; the mutant's only to its own destinations.
    fn goes_along(&self, id: &MessageId, rank: usize) -> bool {
        let addressed = |node: &Node| node.body.sites.contains(rank);
        !cfg!(isis_mutant = "C5") || self.store.get(id).is_some_and(addressed)
    }

    fn transmit_one(&mut self, id: MessageId, rank: usize) {
        let received = self.received_everywhere(id);
        self.flush_finals(rank);
        let Some(node) = self.store.get_mut(&id) else {
            return;
        };
        node.sent_to.insert(rank);
        let mut body = node.body.clone();
        if !body.sites.contains(rank) && received {
            body.whole = false;
            body.payload = bytes::Bytes::new();
        }
        let lane = if node.bulk { Lane::Bulk } else { Lane::Data };
        self.send(core::iter::once(rank), lane, Message::Obcast(body));
    }

    /// Sends what a BCAST lists, and what precedes that, ahead of it (R16).
    pub(super) fn send_predecessors(&mut self, after: &[MessageId], rank: usize) {
        for id in after {
            self.transmit(*id, rank);
        }
    }

    /// Steps 4–6: a body or header arrives.
    pub(super) fn receive_obcast(&mut self, from: usize, mut body: Obcast) {
        let id = body.id;
        let settled = self.floors.get(&id.sender).map_or(0, |f| f.placed);
        if let Some(node) = self.store.get_mut(&id) {
            node.sent_to.insert(from);
            if body.whole && !node.body.whole {
                node.body.whole = true;
                node.body.payload = body.payload;
            }
            return;
        }
        if id.seq < settled && !cfg!(isis_mutant = "C1") {
            return;
        }
        let mut sent_to = SiteSet::one(self.era().me);
        sent_to.insert(from);
        if let Some(rank) = self.era().rank(id.sender.site) {
            sent_to.insert(rank);
        }
        // What precedes it arrived first. What is not here any more is placed everywhere, and what never
        // was would make a circle possible.
        body.after.retain(|before| self.store.contains_key(before));
        let bulk = self.lane(body.payload.len(), &body.after) == Lane::Bulk;
        let mine = body.sites.contains(self.era().me);
        self.store.insert(
            id,
            Node {
                body,
                locals: None,
                sent_to,
                bulk,
            },
        );
        if mine {
            self.received_here(id);
            self.arrive(id);
            self.commits_may_place();
        }
    }

    /// Places an OBCAST at its processes here, or puts it on their wait queues.
    pub(super) fn arrive(&mut self, id: MessageId) {
        let Some(node) = self.store.get(&id) else {
            return;
        };
        let locals = match self.locals(&node.body.to) {
            _ if self.is_behind_unresolved(&node.body.after) => Locals::Unknown,
            locals => locals,
        };
        let locals = match locals {
            Locals::Unknown => return self.unresolved.push(id),
            Locals::Past => Vec::new(),
            Locals::Known(locals) => locals,
        };
        let node = self.store.get_mut(&id).expect("looked up above");
        node.locals = Some(locals.iter().copied().collect());
        self.expect_takes(id, locals.len());
        if locals.is_empty() {
            self.placed_here(id);
        }
        for q in locals {
            if !self.must_wait(q, id) {
                self.place_obcast(q, id);
            } else if let Some(p) = self.processes.get_mut(&q) {
                p.wait_queue.push_back(id);
            }
        }
    }

    /// Whether something before is stamped with a group view that is not known here: whom it is
    /// addressed to here is open, and it must come first on their wait queues.
    fn is_behind_unresolved(&self, after: &[MessageId]) -> bool {
        let closed = match self.unresolved.is_empty() {
            true => return false,
            false => self.closure(after),
        };
        self.unresolved.iter().any(|id| closed.contains(id))
    }

    /// Whether an OBCAST that arrives may not be placed at a local process yet.
    fn must_wait(&self, process: u32, id: MessageId) -> bool {
        let up = self.processes[&process].up.is_some() && !cfg!(isis_mutant = "G1");
        let body = &self.store[&id].body;
        self.frozen
            || up
            || self.is_early(process, body)
            || self.waits_for_any(process, &body.after)
    }

    /// Whether it is stamped with a group view that is not placed at the process yet.
    fn is_early(&self, process: u32, body: &Obcast) -> bool {
        match &body.to {
            To::Group { group, stamp } => {
                self.processes[&process].view_of(*group) < *stamp && !cfg!(isis_mutant = "G5")
            }
            To::List(_) => false,
        }
    }

    /// Whether something at or before this frontier is addressed to the process and not placed there.
    pub(super) fn waits_for_any(&self, process: u32, after: &[MessageId]) -> bool {
        let idle = self
            .processes
            .get(&process)
            .is_none_or(|p| p.wait_queue.is_empty());
        if idle && self.unresolved.is_empty() {
            return false;
        }
        let waits = |id: &MessageId| {
            self.unresolved.contains(id)
                || self.store[id]
                    .locals
                    .as_ref()
                    .is_some_and(|l| l.contains(&process))
        };
        self.closure(after).iter().any(waits)
    }

    /// A frontier and everything before it that is in the store.
    pub(super) fn closure(&self, frontier: &[MessageId]) -> BTreeSet<MessageId> {
        let mut closed = BTreeSet::new();
        let mut stack = Vec::from(frontier);
        while let Some(id) = stack.pop() {
            if let Some(node) = self.store.get(&id)
                && closed.insert(id)
            {
                stack.extend(&node.body.after);
            }
        }
        closed
    }

    /// Puts an OBCAST on the delivery queue of a process.
    fn place_obcast(&mut self, process: u32, id: MessageId) {
        let Some(node) = self.store.get_mut(&id) else {
            return;
        };
        let mut last = false;
        if let Some(locals) = &mut node.locals {
            last = locals.remove(&process) && locals.is_empty();
        }
        let body = node.body.clone();
        if let Some(p) = self.processes.get_mut(&process) {
            p.id_list.insert(id);
        }
        if process != SITE_PROCESS {
            let message = Delivered {
                id,
                group: match body.to {
                    To::Group { group, stamp } => Some((group, stamp)),
                    To::List(_) => None,
                },
                label: Label::Obcast(body.olabel),
                payload: body.payload,
            };
            self.deliver(process, Event::Message(message), body.after);
        }
        if last {
            self.placed_here(id);
        }
    }

    /// Places those of the wait queue that a GBCAST's *before* names (§4.3.3 step 4.2), in order. They
    /// wait for nothing that stays, since *before* is closed under *precedes*.
    pub(super) fn place_before(&mut self, process: u32, before: &BTreeSet<MessageId>) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let waiting: Vec<MessageId> = p.wait_queue.drain(..).collect();
        let (placed, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|id| before.contains(id));
        p.wait_queue = rest.into();
        for id in placed {
            self.place_obcast(process, id);
        }
    }

    /// Step 4.3: the wait queue is down; places what waits for nothing else.
    pub(super) fn drain_wait_queue(&mut self, process: u32) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let mut stay = BTreeSet::new();
        for id in core::mem::take(&mut p.wait_queue) {
            let Some(node) = self.store.get(&id) else {
                continue;
            };
            let behind = !stay.is_empty() && !stay.is_disjoint(&self.closure(&node.body.after));
            if self.is_early(process, &node.body) || behind {
                stay.insert(id);
                if let Some(p) = self.processes.get_mut(&process) {
                    p.wait_queue.push_back(id);
                }
            } else {
                self.place_obcast(process, id);
            }
        }
        self.propose_withheld();
    }

    /// At the end of an era: places all that is held here, in order of arrival.
    pub fn place_all_obcasts(&mut self, process: u32) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        for id in core::mem::take(&mut p.wait_queue) {
            self.place_obcast(process, id);
        }
    }
}
