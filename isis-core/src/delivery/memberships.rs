use alloc::collections::BTreeSet;

use super::event::{Event, GroupView, Outcome};
use crate::ids::{GroupId, ProcessId};

/// The groups that a process may send to.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Memberships {
    joined: BTreeSet<GroupId>,
    /// Watched from outside.
    watched: BTreeSet<GroupId>,
    /// Those that it has asked to leave, until that is done.
    leaving: BTreeSet<GroupId>,
}

impl Memberships {
    pub fn is_member(&self, group: GroupId) -> bool {
        self.joined.contains(&group)
    }

    pub fn is_watching(&self, group: GroupId) -> bool {
        self.watched.contains(&group)
    }

    /// The event is on the process's queue.
    pub fn note(&mut self, me: ProcessId, event: &Event) {
        match event {
            Event::View(view) => self.note_view(me, view),
            Event::Completed { result: Ok(o), .. } => self.note_outcome(o),
            _ => {}
        }
    }

    fn note_view(&mut self, me: ProcessId, view: &GroupView) {
        let inside = view.members.contains(&me);
        if inside || view.members.is_empty() {
            self.watched.remove(&view.group);
        }
        if !inside {
            self.joined.remove(&view.group);
        } else if !self.leaving.contains(&view.group) {
            self.joined.insert(view.group);
        }
    }

    /// An operation has ended. A look-up may have been asked before a leave that is not over.
    fn note_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Watching(group)
                if !self.joined.contains(group) && !self.leaving.contains(group) =>
            {
                self.watched.insert(*group);
            }
            Outcome::Left(group) => _ = self.leaving.remove(group),
            _ => {}
        }
    }

    /// The process leaves, or ends its watch.
    pub fn leave(&mut self, group: GroupId) {
        self.joined.remove(&group);
        self.watched.remove(&group);
        self.leaving.insert(group);
    }
}
