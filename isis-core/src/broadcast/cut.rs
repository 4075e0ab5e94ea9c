//! What the completion of a site view needs of the broadcast layer: pushes, the report, and placing
//! in the decided order.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::address::Locals;
use super::message::{Message, Report};
use super::runs::NumberRun;
use super::{Broadcast, SiteSet};
use crate::ids::MessageId;
use crate::view::SiteView;

impl Broadcast {
    /// Passes on what this site holds of sites that are not in `view`, to the destinations that are.
    /// Says how many messages it sent.
    pub fn push_for_failed(&mut self, view: &SiteView) -> usize {
        let failed = |id: &MessageId| !view.contains(id.sender.site);
        if cfg!(isis_mutant = "B3") {
            self.bcasts
                .retain(|id, entry| entry.number.is_some() || !failed(id));
            return 0;
        }
        let alive = self.era().set(view.sites());
        let obcasts: Vec<(MessageId, SiteSet)> = self
            .store
            .iter()
            .filter(|(id, _)| failed(id))
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
                self.send_predecessors(&body.after, rank);
                self.flush_finals(rank);
                let lane = self.lane(body.payload.len(), &body.after);
                self.send(core::iter::once(rank), lane, Message::Bcast(body.clone()));
            }
        }
        self.effects.len() - before
    }

    /// The REPORT of this site.
    pub fn report(&mut self) -> Report {
        #[cfg(isis_mutant = "B4")]
        self.leave_missing_proposals_out();
        let mut finals = Vec::new();
        for (id, (number, label)) in &self.finals {
            NumberRun::push(&mut finals, *id, *number, *label);
        }
        let open = self.bcasts.iter().filter(|(_, e)| e.number.is_none());
        Report {
            applied: self.era.as_ref().map(|e| e.number),
            informed: false,
            clock: self.clock,
            finals,
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
                continue;
            };
            // One whose proposal was withheld is in no queue yet.
            let locals = match (entry.proposal, self.locals(&entry.body.to)) {
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
}
