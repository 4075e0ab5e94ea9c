//! OBCAST (§4.3.2) within an era.
//!
//! Once it is *received*, with what precedes it and is addressed here (`travel`), an OBCAST is placed,
//! unless a wait queue is up (§4.3.3) or its group view is not placed yet (§3.5). So the order of
//! receiving at a site is a linear extension of *precedes*. Of the report's three optimizations: one
//! packet per site, not per process; one copy in the site's store for all its processes; SENT_TO, here
//! `sent_to`.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::address::Locals;
use super::era::SiteSet;
use super::message::{Obcast, To};
use super::{Broadcast, SITE_PROCESS};
use crate::delivery::{Event, Label, Message as Delivered};
use crate::ids::MessageId;

/// An OBCAST in the store (§4.4), until it is settled (R21).
#[derive(Clone, Debug, Hash)]
pub(super) struct Node {
    pub body: Obcast,
    /// Local destinations where it is not placed yet; `None` while its stamp is not known here.
    locals: Option<BTreeSet<u32>>,
    /// The site that we have it from.
    pub from: usize,
    /// Sites that have it, or its header, from us, from whom we have it, or that sent it.
    pub sent_to: SiteSet,
    /// It went to somebody on the bulk lane: so does what depends on it.
    pub bulk: bool,
    /// It is *received*: all before it that is addressed here is here too.
    pub complete: bool,
    /// Once complete: the destination sites of it and of what precedes it.
    pub spans: SiteSet,
}

impl Node {
    pub fn new(body: Obcast, from: usize, sent_to: SiteSet) -> Node {
        Node {
            body,
            locals: None,
            from,
            sent_to,
            bulk: false,
            complete: false,
            spans: SiteSet::default(),
        }
    }
}

impl Broadcast {
    /// An OBCAST leaves: placed here at once, then sent to each site after what precedes it.
    pub(super) fn send_obcast(&mut self, process: u32, body: Obcast) {
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
        let node = Node::new(body, me, SiteSet::one(me));
        self.store.insert(id, node);
        for rank in self.era().others(sites) {
            self.transmit(id, rank);
        }
        self.complete(id);
        self.floors_changed();
    }

    /// Places an OBCAST at its processes here, or puts it on their wait queues.
    pub(super) fn arrive(&mut self, id: MessageId) {
        let Some(node) = self.store.get(&id) else {
            return;
        };
        let locals = match self.locals(id.sender, &node.body.to) {
            _ if self.is_behind_unresolved(node.body.after()) => Locals::Unknown,
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
    fn is_behind_unresolved(&self, after: impl Iterator<Item = MessageId>) -> bool {
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
            || self.waits_for_any(process, body.after())
    }

    /// Whether it is stamped with a group view that is not placed at the process yet.
    fn is_early(&self, process: u32, body: &Obcast) -> bool {
        match &body.to {
            To::Group { group, stamp, .. } => {
                self.processes[&process].view_of(*group) < *stamp && !cfg!(isis_mutant = "G5")
            }
            To::List(_) => false,
        }
    }

    /// Whether something at or before this frontier is addressed to the process and not placed there.
    pub(super) fn waits_for_any(
        &self,
        process: u32,
        after: impl Iterator<Item = MessageId>,
    ) -> bool {
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
    pub(super) fn closure(&self, frontier: impl Iterator<Item = MessageId>) -> BTreeSet<MessageId> {
        let mut closed = BTreeSet::new();
        let mut stack: Vec<MessageId> = frontier.collect();
        while let Some(id) = stack.pop() {
            if let Some(node) = self.store.get(&id)
                && closed.insert(id)
            {
                stack.extend(node.body.after());
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
        let after = body.after().collect();
        let silent = self.is_silent(process, id.sender, &body.to);
        if let Some(p) = self.processes.get_mut(&process)
            && !(silent && cfg!(isis_mutant = "R26"))
        {
            p.id_list.insert(id);
        }
        if silent {
            self.taken_here(id);
        } else if process != SITE_PROCESS {
            let message = Delivered {
                id,
                group: match body.to {
                    To::Group { group, stamp, .. } => Some((group, stamp)),
                    To::List(_) => None,
                },
                label: Label::Obcast(body.olabel),
                payload: body.payload,
            };
            self.deliver(process, Event::Message(message), after);
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
            let behind = !stay.is_empty() && !stay.is_disjoint(&self.closure(node.body.after()));
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
