//! The priority queues of one process (§4.3.1, §4.3.3).
//!
//! One ordered queue per label for BCASTs, and the pending GBCASTs beside them, which stand in every
//! label's queue at once (§4.3.3 step 2.2).

use alloc::collections::BTreeMap;

use crate::ids::MessageId;

/// A priority: the number, then the id, so that many may share a number (R14).
pub type Priority = (u64, MessageId);

/// Whether the number is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// §4.3.1's *undeliverable*.
    Tentative,
    /// §4.3.1's *deliverable*.
    Final,
    /// Of a safe BCAST: final, and deliverable once it is safe.
    Safe,
}

/// See the module's head.
#[derive(Clone, Debug, Default, Hash)]
pub struct PriorityQueues {
    labels: BTreeMap<u32, BTreeMap<Priority, Tag>>,
    gbcasts: BTreeMap<Priority, Tag>,
}

impl PriorityQueues {
    /// A BCAST enters with this site's proposal.
    pub fn propose(&mut self, label: u32, priority: Priority) {
        self.labels
            .entry(label)
            .or_default()
            .insert(priority, Tag::Tentative);
    }

    /// A BCAST moves to its final place.
    pub fn finalize(&mut self, label: u32, proposal: u64, priority: Priority, tag: Tag) {
        let queue = self.labels.entry(label).or_default();
        queue.remove(&(proposal, priority.1));
        queue.insert(priority, tag);
    }

    /// A BCAST leaves the queue unplaced (R27).
    pub fn reject(&mut self, label: u32, priority: Priority) {
        self.take(label, priority);
    }

    fn take(&mut self, label: u32, priority: Priority) {
        if let Some(queue) = self.labels.get_mut(&label) {
            queue.remove(&priority);
            if queue.is_empty() {
                self.labels.remove(&label);
            }
        }
    }

    /// Takes the next BCAST of this label that may be placed: final, least of its label, below every
    /// pending GBCAST. Asks of a safe one whether it is safe by now.
    pub fn pop(&mut self, label: u32, is_safe: impl FnOnce(Priority) -> bool) -> Option<MessageId> {
        let (&priority, &tag) = self.labels.get(&label)?.first_key_value()?;
        let bar = self.gbcasts.first_key_value().map(|(p, _)| *p);
        let is_deliverable = match tag {
            Tag::Tentative => false,
            Tag::Final => true,
            Tag::Safe => is_safe(priority),
        };
        if !is_deliverable || bar.is_some_and(|bar| bar < priority) {
            return None;
        }
        self.take(label, priority);
        Some(priority.1)
    }

    /// The labels that have something pending.
    pub fn pending_labels(&self) -> impl Iterator<Item = u32> + '_ {
        self.labels.keys().copied()
    }

    /// A GBCAST enters with this site's proposal.
    pub fn propose_gbcast(&mut self, priority: Priority) {
        self.gbcasts.insert(priority, Tag::Tentative);
    }

    /// A GBCAST moves to its final place, not yet to be placed (§4.3.3 step 2.3).
    pub fn finalize_gbcast(&mut self, proposal: u64, priority: Priority) {
        self.gbcasts.remove(&(proposal, priority.1));
        self.gbcasts.insert(priority, Tag::Final);
    }

    /// The GBCAST that heads all queues: final, least of the GBCASTs, and no BCAST of any label, group
    /// or list is below it.
    pub fn head_gbcast(&self) -> Option<MessageId> {
        let (&priority, &tag) = self.gbcasts.first_key_value()?;
        let overtaken = self
            .labels
            .values()
            .any(|q| q.first_key_value().is_some_and(|(p, _)| *p < priority));
        (tag == Tag::Final && !overtaken).then_some(priority.1)
    }

    /// A GBCAST leaves the queues: it is placed.
    pub fn remove_gbcast(&mut self, priority: Priority) {
        self.gbcasts.remove(&priority);
    }

    /// Empties all queues, at the end of an era.
    pub fn clear(&mut self) {
        self.labels.clear();
        self.gbcasts.clear();
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.labels.values().map(BTreeMap::len).sum::<usize>() + self.gbcasts.len()
    }
}
