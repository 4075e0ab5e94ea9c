//! What a *safe* BCAST waits for.
//!
//! A plain BCAST is placed where its final is known (§4.3.1 step 4). Whoever takes it and then fails
//! together with its sender may have been the only one to know that: the survivors get it too, but in
//! another place among the BCASTs of its label. A safe one is placed only when every operational
//! destination site is known to hold it with its final, and all that comes before it by its label
//! likewise. So what anybody has taken up to a safe BCAST is what all survivors take, in that order.
//!
//! All sites hear of this by the floor of finals (`stability`), which is told without delay while a safe
//! BCAST is under way. Those finals wait for no placing, so nothing waits in a circle. What is plain
//! and stands behind a safe BCAST of its label waits along with it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Broadcast;
use super::queue::Priority;
use crate::ids::MessageId;

/// Of a label, while a safe BCAST of it is under way: sent here and not below the floor yet, or not
/// placed here yet.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Underway {
    ids: BTreeSet<MessageId>,
    /// The finals of the label that may not be known everywhere, whoever their BCASTs go to.
    unknown: BTreeSet<Priority>,
}

impl Underway {
    /// A BCAST of the label has a final.
    pub fn learn(&mut self, at: Priority) {
        self.unknown.insert(at);
    }

    /// Whether all finals of the label up to this one are known at all destinations.
    pub fn reaches(&self, at: Priority) -> bool {
        self.unknown.first().is_none_or(|first| *first > at)
    }
}

impl Broadcast {
    /// A safe BCAST leaves, or is to be placed here.
    pub(super) fn await_safe(&mut self, id: MessageId, label: u32) {
        let safe = self.safe.entry(label).or_default();
        if safe.ids.is_empty() {
            let finals = self.finals.iter().filter(|(_, (_, l))| *l == label);
            safe.unknown = finals.map(|(id, (number, _))| (*number, *id)).collect();
        }
        safe.ids.insert(id);
        if self.floors_due.is_some() {
            self.floors_changed();
        }
    }

    /// A BCAST is placed or rejected here, or the floor has passed it.
    pub(super) fn forget_safe(&mut self, id: MessageId, label: u32) {
        let Some(safe) = self.safe.get_mut(&label) else {
            return;
        };
        let settled = self.floors.get(&id.sender).map_or(0, |f| f.finals);
        if id.seq < settled && !self.bcasts.contains_key(&id) {
            safe.ids.remove(&id);
        }
        if safe.ids.is_empty() {
            self.safe.remove(&label);
        }
    }

    /// A floor has passed these finals, with their labels: places what is safe by that.
    pub(super) fn known_everywhere(&mut self, known: &[(MessageId, (u64, u32))]) {
        let mut labels = BTreeSet::new();
        for (id, (number, label)) in known {
            if let Some(safe) = self.safe.get_mut(label) {
                safe.unknown.remove(&(*number, *id));
                labels.insert(*label);
                self.forget_safe(*id, *label);
            }
        }
        let processes: Vec<u32> = self.processes.keys().copied().collect();
        for label in labels {
            for process in &processes {
                self.place_bcasts(*process, label);
            }
        }
    }

    /// The safe BCASTs that are final here and wait, in words.
    pub(super) fn unsafe_waits(&self) -> impl Iterator<Item = String> {
        let wait = |id: &MessageId, safe: &Underway| {
            let number = self.bcasts.get(id)?.number?;
            let (_, first) = safe.unknown.first().filter(|u| **u <= (number, *id))?;
            Some(format!(
                "{id} is not safe: the final of {first} may not be known everywhere"
            ))
        };
        let labels = self.safe.values();
        labels.flat_map(move |safe| safe.ids.iter().filter_map(move |id| wait(id, safe)))
    }
}
