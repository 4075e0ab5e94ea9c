//! The end of an era, as the completion of a site view drives it: pushes, the report, placing in the
//! decided order, and forgetting it all for the next era.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::address::Locals;
use super::bcast::Entry;
use super::message::{Message, Report};
use super::runs::NumberRun;
use super::stability::Outbox;
use super::{Broadcast, Era, SiteSet};
use crate::delivery::GroupView;
use crate::ids::{Class, MessageId, ProcessId};
use crate::machine::broadcast::ToEndpoint;
use crate::view::SiteView;

impl Broadcast {
    /// Passes on what this site holds of sites that are not in `view`, to the destinations that are.
    /// Says how many messages it sent.
    pub fn push_for_failed(&mut self, view: &SiteView) -> usize {
        let failed = |id: &MessageId| !view.contains(id.sender.site);
        let alive = self.era().set(view.sites());
        if cfg!(isis_mutant = "B3") {
            self.bcasts
                .retain(|id, entry| entry.number.is_some() || !failed(id));
        }
        #[cfg(isis_mutant = "B4")]
        self.leave_missing_proposals_out(alive);
        let obcasts: Vec<(MessageId, SiteSet)> = self
            .store
            .iter()
            .filter(|(id, n)| failed(id) && n.body.whole && !cfg!(isis_mutant = "C6"))
            .map(|(id, n)| (*id, n.body.sites))
            .collect();
        let bcasts: Vec<_> = self
            .bcasts
            .iter()
            .filter(|(id, _)| failed(id))
            .map(|(_, e)| e.body.clone())
            .collect();
        let before = self.effects.len();
        for (id, sites) in obcasts {
            for rank in self.era().others(sites.and(alive)) {
                self.transmit(id, rank);
            }
        }
        for body in bcasts {
            for rank in self.era().others(body.sites.and(alive)) {
                self.flush_finals(rank);
                let lane = self.lane(body.payload.len(), body.after.iter().map(|l| l.id));
                self.send(core::iter::once(rank), lane, Message::Bcast(body.clone()));
            }
        }
        self.effects.len() - before
    }

    /// The REPORT of this site.
    pub fn report(&mut self) -> Report {
        let mut finals = Vec::new();
        for (id, (number, label)) in &self.finals {
            NumberRun::push(&mut finals, *id, *number, *label);
        }
        let open = self.bcasts.iter().filter(|(_, e)| e.number.is_none());
        let lacks = |e: &&Entry| self.first_missing(&e.body.after).is_some();
        let lacking = open.clone().filter(|(_, e)| lacks(e)).map(|(id, _)| *id);
        Report {
            applied: self.era.as_ref().map(|e| e.number),
            informed: false,
            clock: self.clock,
            finals,
            lacking: lacking.collect(),
            open: open.map(|(id, e)| (*id, e.label)).collect(),
            records: self.records(),
            stored: Vec::new(),
        }
    }

    /// Gives the decided numbers to the BCASTs here that are not placed at all their processes, and
    /// returns them.
    pub fn decide_finals(&mut self, finals: &[(MessageId, u64)]) -> Vec<(u64, MessageId)> {
        let finals: BTreeMap<MessageId, u64> = finals.iter().copied().collect();
        let ids: Vec<MessageId> = self.bcasts.keys().copied().collect();
        let mut decided = Vec::new();
        for id in ids {
            let entry = &self.bcasts[&id];
            // One that all destinations know final is in no report (R21), and may still wait here.
            let Some(number) = entry.number.or_else(|| finals.get(&id).copied()) else {
                // It is lost with what it comes after.
                let origin = entry.origin();
                self.takes.remove(&origin);
                continue;
            };
            // One whose proposal was withheld is in no queue yet.
            let locals = match (entry.proposal, self.locals(id.sender, &entry.body.to)) {
                (None, Locals::Known(locals)) => Some(locals),
                _ => None,
            };
            let origin = entry.origin();
            if let Some(locals) = &locals {
                self.expect_takes(origin, locals.len());
            }
            let entry = self.bcasts.get_mut(&id).expect("from the list of keys");
            entry.queued.extend(locals.into_iter().flatten());
            entry.number = Some(number);
            decided.push((number, id));
        }
        decided
    }

    /// Places a BCAST at all its processes here that have it pending.
    pub fn place_decided_bcast(&mut self, id: MessageId) {
        let queued: Vec<u32> = self
            .bcasts
            .get(&id)
            .map(|e| e.queued.iter().copied().collect())
            .unwrap_or_default();
        for process in queued {
            self.place_bcast(process, id);
        }
    }

    /// Everything of the era is placed everywhere: forgets it, and goes on with the sites of `next`.
    pub fn begin_era(&mut self, next: Era) {
        let stored = self.store.keys().map(|id| id.sender);
        let senders: BTreeSet<ProcessId> = stored.chain(self.floors.keys().copied()).collect();
        let indices: Vec<u32> = self.processes.keys().copied().collect();
        for sender in senders {
            let below = match next.rank(sender.site) {
                Some(_) => self.seen_of(sender),
                None => u64::MAX,
            };
            for process in &indices {
                self.tell(*process, ToEndpoint::Settled { sender, below });
            }
        }
        self.bcasts.clear();
        self.outgoing.clear();
        self.withheld.clear();
        self.finals.clear();
        self.carry_log.clear();
        self.safe.clear();
        self.store.clear();
        self.unresolved.clear();
        let is_dissolved = |v: &GroupView| v.members.is_empty();
        self.views
            .retain(|_, views| !views.last_key_value().is_some_and(|(_, v)| is_dissolved(v)));
        self.pinned.clear();
        self.travel.next_era();
        self.floors.clear();
        self.runs.clear();
        self.floors_due = None;
        self.outbox.retain(|site, _| next.rank(*site).is_some());
        self.outbox.values_mut().for_each(Outbox::next_era);
        let previous = self.era.replace(next);
        for process in indices {
            self.begin_era_of(process, previous.as_ref());
        }
    }

    /// One past the last OBCAST of a sender that is or was in the store.
    fn seen_of(&self, sender: ProcessId) -> u64 {
        let id = |seq| MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let last = self.store.range(id(0)..id(u64::MAX)).next_back();
        let floor = self.floors.get(&sender).map_or(0, |f| f.placed);
        last.map_or(floor, |(id, _)| floor.max(id.seq + 1))
    }

    fn begin_era_of(&mut self, process: u32, previous: Option<&Era>) {
        let era = self.era.as_ref().expect("just begun");
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.queues.clear();
        p.up = None;
        p.id_list.clear();
        p.left.clear();
        let out = &mut p.sent;
        out.unreceived.clear();
        out.unplaced.clear();
        out.told = Some((out.obcasts + 1, out.obcasts + 1, out.bcasts + 1));
        for (_, origin) in core::mem::take(&mut out.unfinal).into_values() {
            if let Some(origin) = origin {
                out.unsafe_bcasts.remove(&origin);
            }
        }
        out.end_era();
        for flush in &mut p.flushes {
            flush.others.clear();
        }
        let ids: Vec<MessageId> = out
            .window
            .keys()
            .map(|(class, seq)| MessageId {
                sender: p.id,
                class: *class,
                seq: *seq,
            })
            .collect();
        for flight in out.window.values_mut() {
            if let (Some(untaken), Some(previous)) = (&mut flight.untaken, previous) {
                let now = previous.translate(*untaken, era);
                let failed = untaken
                    .ranks()
                    .map(|r| previous.sites[r])
                    .filter(|s| era.rank(*s).is_none());
                flight.failed.extend(failed);
                *untaken = now;
            }
        }
        for id in ids {
            self.check_window(process, id);
        }
    }
}
