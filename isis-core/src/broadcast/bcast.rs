//! BCAST (§4.3.1) within an era: the sender's and the recipient's side.
//!
//! Departures from the report: one clock per site serves all labels, bodies carry it, and finals of
//! one sender and label are computed in send order and never decrease (R14: FIFO and causal order);
//! a site proposes only after it has placed the OBCASTs that the BCAST lists (R16); finals travel
//! ahead of every later body on every link (R15); a *safe* BCAST waits at the head of its queue
//! (`safe`).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::address::Locals;
use super::era::SiteSet;
use super::message::{Bcast, Control, Listed, Message, To};
use super::queue::Tag;
use super::runs::NumberRun;
use super::{Broadcast, SITE_PROCESS, Upcall, origin_id};
use crate::delivery::{Event, Label, Message as Delivered};
use crate::ids::{Class, GroupId, MessageId};
use crate::machine::Lane;

/// The key under which a label is compared: its FNV-1a hash. Two labels that collide are ordered as
/// one, which costs concurrency and no promise.
pub fn label_key(label: &str) -> u32 {
    label.bytes().fold(0x811c_9dc5, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    })
}

/// A BCAST at a destination site, until it is placed or rejected at all its processes here.
#[derive(Clone, Debug, Hash)]
pub(super) struct Entry {
    pub body: Bcast,
    pub label: u32,
    /// This site's proposal, once given.
    pub proposal: Option<u64>,
    pub number: Option<u64>,
    /// Local processes in whose queues it stands.
    pub queued: BTreeSet<u32>,
}

/// A BCAST of a local process that has no final yet.
#[derive(Clone, Debug, Hash)]
pub(super) struct Outgoing {
    sites: SiteSet,
    waiting: SiteSet,
    largest: u64,
    label: u32,
    process: u32,
}

impl Entry {
    pub fn origin(&self) -> MessageId {
        origin_id(self.body.id.sender, Class::Bcast, self.body.origin)
    }
}

impl Broadcast {
    /// Step 1: the body leaves, behind the finals known here.
    pub(super) fn send_bcast(&mut self, process: u32, mut body: Bcast) {
        let label = label_key(&body.label);
        body.clock = self.clock;
        let (id, sites) = (body.id, body.sites);
        body.after = self.before_at(&body.after, sites);
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.sent.unfinal.insert(id.seq, (sites, Some(body.origin)));
        p.sent
            .labels
            .entry(label)
            .or_default()
            .unfinal
            .push_back(id);
        self.outgoing.insert(
            id,
            Outgoing {
                sites,
                waiting: sites,
                largest: 0,
                label,
                process,
            },
        );
        if body.safe {
            self.await_safe(id, label);
        }
        let lane = self.lane(body.payload.len(), body.after.iter().map(|l| l.id));
        let me = self.era().me;
        self.send_behind_finals(sites, lane, Message::Bcast(body.clone()));
        if sites.contains(me) {
            self.accept_bcast(body);
        }
        self.finalize_in_order(process, label);
    }

    /// Step 2, first half: a body arrives.
    pub(super) fn receive_bcast(&mut self, body: Bcast) {
        let settled = self.floors.get(&body.id.sender).map_or(0, |f| f.finals);
        let known = self.bcasts.contains_key(&body.id)
            || self.finals.contains_key(&body.id)
            || body.id.seq < settled;
        // The mutant keeps nothing that it first hears of in a completion.
        let known = known || (self.frozen && cfg!(isis_mutant = "B7"));
        if !known && body.sites.contains(self.era().me) {
            self.accept_bcast(body);
        }
    }

    fn accept_bcast(&mut self, body: Bcast) {
        let id = body.id;
        self.clock = self.clock.max(body.clock);
        let label = label_key(&body.label);
        if body.safe {
            self.await_safe(id, label);
        }
        let entry = Entry {
            body,
            label,
            proposal: None,
            number: None,
            queued: BTreeSet::new(),
        };
        self.bcasts.insert(id, entry);
        self.withheld.insert(id);
        self.propose(id);
    }

    /// Step 2: gives this site's proposal, unless something must be placed first (R16) or the group
    /// view of the stamp is not known here yet.
    pub(super) fn propose(&mut self, id: MessageId) {
        if self.frozen {
            return;
        }
        let Some(entry) = self.bcasts.get(&id) else {
            return;
        };
        if let Some(missing) = self.first_missing(&entry.body.after) {
            return self.await_obcast(missing, id);
        }
        let locals = match self.locals(id.sender, &entry.body.to) {
            Locals::Unknown => return,
            Locals::Past => Vec::new(),
            Locals::Known(locals) => {
                let after = || entry.body.after.iter().map(|l| l.id);
                let waits = |q: &u32| self.waits_for_any(*q, after());
                if locals.iter().any(waits) && !cfg!(isis_mutant = "R16") {
                    return;
                }
                let origin = entry.origin();
                self.expect_takes(origin, locals.len());
                locals
            }
        };
        let label = self.bcasts[&id].label;
        self.withheld.remove(&id);
        self.clock += 1;
        let number = self.clock;
        for q in &locals {
            if let Some(p) = self.processes.get_mut(q) {
                p.queues.propose(label, (number, id));
            }
        }
        let entry = self.bcasts.get_mut(&id).expect("looked up above");
        entry.proposal = Some(number);
        entry.queued = locals.into_iter().collect();
        match self.era().rank(id.sender.site) {
            Some(rank) if rank == self.era().me => self.receive_proposal(rank, id, number),
            Some(rank) => self.outbox_of(rank).propose(id, number),
            None => {}
        }
    }

    /// The first of these that is addressed here and is not received.
    pub(super) fn first_missing(&self, after: &[Listed]) -> Option<MessageId> {
        let me = self.era().me;
        let missing = |l: &&Listed| l.sites.contains(me) && !self.is_complete(l.id);
        after.iter().find(missing).map(|l| l.id)
    }

    /// Gives the withheld proposals that may be given now.
    pub(super) fn propose_withheld(&mut self) {
        if !self.withheld.is_empty() {
            for id in self.withheld.clone() {
                self.propose(id);
            }
        }
    }

    /// Step 3: a proposal arrives at the sender.
    pub(super) fn receive_proposal(&mut self, rank: usize, id: MessageId, number: u64) {
        let Some(out) = self.outgoing.get_mut(&id) else {
            return;
        };
        out.waiting.remove(rank);
        out.largest = out.largest.max(number);
        let (process, label, complete) = (out.process, out.label, out.waiting.is_empty());
        if complete {
            self.finalize_in_order(process, label);
        }
    }

    /// Computes the finals that are due, in send order (R14).
    fn finalize_in_order(&mut self, process: u32, label: u32) {
        while let Some(p) = self.processes.get_mut(&process)
            && let Some(lane) = p.sent.labels.get_mut(&label)
            && let Some(&id) = lane.unfinal.front()
            && self.outgoing.get(&id).is_some_and(|o| o.waiting.is_empty())
        {
            lane.unfinal.pop_front();
            let out = self.outgoing.remove(&id).expect("checked above");
            let least = if cfg!(isis_mutant = "R14") {
                0
            } else {
                lane.last_final
            };
            let number = out.largest.max(least);
            lane.last_final = number;
            p.sent.forget_label(label);
            for rank in self.era().others(out.sites) {
                NumberRun::push(&mut self.outbox_of(rank).finals, id, number, label);
            }
            let bystanders = self.era().everyone().minus(out.sites);
            self.learn_final(id, number, label, bystanders);
        }
    }

    /// A final arrives, first hand or passed on (R15, R17).
    pub(super) fn receive_final(&mut self, from: usize, id: MessageId, number: u64, label: u32) {
        let mut needs = self.era().everyone().without(from);
        if let Some(rank) = self.era().rank(id.sender.site) {
            needs.remove(rank);
        }
        self.learn_final(id, number, label, needs);
    }

    /// A final is known here; `needs` may not know it.
    fn learn_final(&mut self, id: MessageId, number: u64, label: u32, needs: SiteSet) {
        if !cfg!(isis_mutant = "B5") {
            self.clock = self.clock.max(number);
        }
        let settled = self.floors.get(&id.sender).map_or(0, |f| f.finals);
        if id.seq < settled || self.finals.contains_key(&id) {
            return;
        }
        self.finals.insert(id, (number, label));
        if let Some(safe) = self.safe.get_mut(&label) {
            safe.learn((number, id));
        }
        let needs = needs.without(self.era().me);
        if !needs.is_empty() {
            self.carry_log.push_back(Carried {
                id,
                number,
                label,
                needs,
            });
        }
        let Some(entry) = self.bcasts.get_mut(&id) else {
            return;
        };
        entry.number = Some(number);
        let (label, proposal) = (entry.label, entry.proposal);
        let tag = match entry.body.safe && !cfg!(isis_mutant = "U") {
            true => Tag::Safe,
            false => Tag::Final,
        };
        let queued: Vec<u32> = entry.queued.iter().copied().collect();
        for q in &queued {
            if let (Some(p), Some(proposal)) = (self.processes.get_mut(q), proposal) {
                p.queues.finalize(label, proposal, (number, id), tag);
            }
        }
        self.final_known_here(id);
        if queued.is_empty() && proposal.is_some() {
            self.bcasts.remove(&id);
        }
        for q in queued {
            self.place_bcasts(q, label);
        }
    }

    /// Mutant B4: a removed destination's missing proposal is left out instead of counted as K+1.
    #[cfg(isis_mutant = "B4")]
    pub(super) fn leave_missing_proposals_out(&mut self, alive: SiteSet) {
        let mut lanes = BTreeSet::new();
        for out in self.outgoing.values_mut() {
            out.waiting = out.waiting.and(alive);
            lanes.insert((out.process, out.label));
        }
        for (process, label) in lanes {
            self.finalize_in_order(process, label);
        }
    }

    /// Step 4: places what has become deliverable at a process.
    pub(super) fn place_bcasts(&mut self, process: u32, label: u32) {
        if self.frozen {
            return;
        }
        while let Some(p) = self.processes.get_mut(&process)
            && let Some(id) = p.queues.pop(label, |at| {
                self.safe.get(&label).is_some_and(|safe| safe.reaches(at))
            })
        {
            self.place_bcast(process, id);
        }
        self.heads_changed(process);
    }

    /// Places what has become deliverable at a process, of all labels.
    pub(super) fn place_all_bcasts(&mut self, process: u32) {
        let labels: Vec<u32> = self
            .processes
            .get(&process)
            .map(|p| p.queues.pending_labels().collect())
            .unwrap_or_default();
        for label in labels {
            self.place_bcasts(process, label);
        }
        self.heads_changed(process);
    }

    /// Puts a BCAST on the delivery queue of a process.
    pub(super) fn place_bcast(&mut self, process: u32, id: MessageId) {
        let Some(entry) = self.bcasts.get_mut(&id) else {
            return;
        };
        entry.queued.remove(&process);
        let done = entry.queued.is_empty() && entry.number.is_some();
        let (body, label) = (entry.body.clone(), entry.label);
        if done {
            self.bcasts.remove(&id);
            self.forget_safe(id, label);
        }
        if process == SITE_PROCESS {
            self.upcalls.push_back(Upcall::ForSite {
                from: id.sender.site,
                payload: body.payload.clone(),
            });
            self.taken_here(origin_id(id.sender, Class::Bcast, body.origin));
        } else if self.is_silent(process, id.sender, &body.to) {
            self.taken_here(origin_id(id.sender, Class::Bcast, body.origin));
        } else {
            let message = Delivered {
                id: origin_id(id.sender, Class::Bcast, body.origin),
                group: match body.to {
                    To::Group { group, stamp, .. } => Some((group, stamp)),
                    To::List(_) => None,
                },
                label: Label::Bcast(body.label.clone()),
                payload: body.payload.clone(),
            };
            self.deliver(process, Event::Message(message), Vec::new());
        }
        if id.sender.site == self.me && id.sender.index == process {
            self.placed_at_sender(id);
        }
    }

    /// Takes a BCAST out of a process's queue: it fell behind the end of the view that it was
    /// addressed to (R27).
    pub(super) fn reject_bcast(&mut self, process: u32, id: MessageId) {
        let Some(entry) = self.bcasts.get_mut(&id) else {
            return;
        };
        if !entry.queued.remove(&process) {
            return;
        }
        let (label, number) = (entry.label, entry.number.or(entry.proposal));
        let done = entry.queued.is_empty() && entry.number.is_some();
        if let (Some(p), Some(number)) = (self.processes.get_mut(&process), number) {
            p.queues.reject(label, (number, id));
        }
        if done {
            self.bcasts.remove(&id);
            self.forget_safe(id, label);
        }
    }

    /// The BCASTs queued at a process that are addressed to the group in a view before `number`.
    pub(super) fn outdated_bcasts(
        &self,
        process: u32,
        group: GroupId,
        number: u64,
    ) -> Vec<MessageId> {
        let old = |to: &To| matches!(to, To::Group { group: g, stamp, .. } if *g == group && *stamp < number);
        self.bcasts
            .iter()
            .filter(|(_, e)| e.queued.contains(&process) && old(&e.body.to))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Which lane a body takes: large ones, and what depends on them, may be overtaken by the rest.
    pub(super) fn lane(&self, size: usize, mut after: impl Iterator<Item = MessageId>) -> Lane {
        let bulk = |id: MessageId| self.store.get(&id).is_some_and(|n| n.bulk);
        if size > BULK_ABOVE || after.any(bulk) {
            Lane::Bulk
        } else {
            Lane::Data
        }
    }

    /// Sends what an application said, or asked for, behind all that it may have seen (R15).
    pub fn send_behind_finals(&mut self, sites: SiteSet, lane: Lane, message: Message) {
        for rank in self.era().others(sites) {
            self.flush_finals(rank);
        }
        self.send(sites.ranks(), lane, message);
    }

    /// Before a body leaves on a link, the finals known here have left on it (R15): those computed
    /// here for this site, and those that it may not have heard from others.
    pub(super) fn flush_finals(&mut self, rank: usize) {
        if cfg!(isis_mutant = "R15") {
            return;
        }
        let site = self.era().sites[rank];
        let end = self.carried_from + self.carry_log.len() as u64;
        let outbox = self.outbox.entry(site).or_default();
        let skip = outbox.carried.saturating_sub(self.carried_from) as usize;
        outbox.carried = end;
        let mut runs = core::mem::take(&mut outbox.finals);
        for c in self
            .carry_log
            .iter()
            .skip(skip)
            .filter(|c| c.needs.contains(rank))
        {
            NumberRun::push(&mut runs, c.id, c.number, c.label);
        }
        if !runs.is_empty() {
            let control = Control {
                finals: runs,
                ..Control::default()
            };
            self.send_control(rank, control);
        }
    }
}

/// A final to pass on before the next body to the sites in `needs`.
#[derive(Clone, Debug, Hash)]
pub(super) struct Carried {
    pub id: MessageId,
    number: u64,
    label: u32,
    needs: SiteSet,
}

/// Payloads above this travel on the bulk lane.
pub const BULK_ABOVE: usize = 16 << 10;
