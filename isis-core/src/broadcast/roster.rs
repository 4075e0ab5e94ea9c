//! A group as the directory and the GBCAST runs know it: its view, and who watches it from outside.
//!
//! A watcher is no member and no destination, but takes part in every run like one (R26, R31). So it
//! has each view of the group in the same place among its other messages as a member has, holds its
//! sends while its wait queue is up, and stamps them with a view that all members are in.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::message::Action;
use crate::delivery::{GroupView, LeaveReason};
use crate::ids::{ProcessId, Site};

/// See the module's head.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Roster {
    /// Its latest view.
    pub view: Arc<GroupView>,
    /// Who watches it.
    pub watchers: Vec<ProcessId>,
    /// Counts the changes of view and watchers: of two rosters of one group the higher is the later.
    pub version: u64,
}

impl Roster {
    /// A group that has just been created.
    pub fn new(view: Arc<GroupView>) -> Roster {
        Roster {
            view,
            watchers: Vec::new(),
            version: 1,
        }
    }

    /// Whether the process is a member or a watcher.
    pub fn has(&self, process: ProcessId) -> bool {
        self.everybody().any(|p| *p == process)
    }

    /// Members and watchers.
    pub fn everybody(&self) -> impl Iterator<Item = &ProcessId> {
        self.view.members.iter().chain(&self.watchers)
    }

    /// Who takes part in a run: members, watchers, and who becomes one.
    pub fn participants(&self, actions: &[Action]) -> Vec<ProcessId> {
        let mut all: Vec<ProcessId> = self.everybody().copied().collect();
        for action in actions {
            if let Action::Join(p) | Action::Watch(p) = action
                && !all.contains(p)
            {
                all.push(*p);
            }
        }
        all
    }

    /// The group after a run.
    pub fn after(&self, actions: &[Action]) -> Roster {
        let mut who = Who::of(self);
        for action in actions {
            who.apply(action);
        }
        let left = actions.iter().filter_map(|a| match a {
            Action::Remove(p, reason) if self.view.members.contains(p) => Some((*p, *reason)),
            _ => None,
        });
        self.next(who, left.collect())
    }

    /// The group without the processes of failed sites, if it has any.
    pub fn without_sites(&self, failed: &[Site]) -> Option<Roster> {
        let lives = |p: &ProcessId| !failed.contains(&p.site);
        let mut who = Who::of(self);
        who.members.retain(lives);
        who.watchers.retain(lives);
        let members = self.view.members.iter().copied();
        let left = members
            .filter(|p| !lives(p))
            .map(|p| (p, LeaveReason::SiteFailed))
            .collect();
        let next = self.next(who, left);
        (next.version > self.version).then_some(next)
    }

    fn next(&self, mut who: Who, left: Vec<(ProcessId, LeaveReason)>) -> Roster {
        if who.members.is_empty() {
            who.watchers.clear();
        }
        let old = &self.view;
        let changed = who.members != old.members || !left.is_empty();
        if !changed && who.watchers == self.watchers {
            return self.clone();
        }
        let view = match changed {
            false => old.clone(),
            true => Arc::new(GroupView {
                group: old.group,
                name: old.name.clone(),
                number: old.number + 1,
                joined: who
                    .members
                    .iter()
                    .filter(|p| !old.members.contains(p))
                    .copied()
                    .collect(),
                left,
                members: who.members,
            }),
        };
        Roster {
            view,
            watchers: who.watchers,
            version: self.version + 1,
        }
    }
}

/// Who is in a group and who watches it, while actions are applied one after the other.
pub(super) struct Who {
    members: Vec<ProcessId>,
    watchers: Vec<ProcessId>,
}

impl Who {
    pub fn of(roster: &Roster) -> Who {
        Who {
            members: roster.view.members.clone(),
            watchers: roster.watchers.clone(),
        }
    }

    fn has(&self, process: ProcessId) -> bool {
        self.members.contains(&process) || self.watchers.contains(&process)
    }

    /// Applies an action; says whether it does anything.
    pub fn apply(&mut self, action: &Action) -> bool {
        match action {
            Action::Join(p) if self.members.contains(p) => false,
            Action::Join(p) => {
                self.watchers.retain(|w| w != p);
                self.members.push(*p);
                true
            }
            Action::Watch(p) if self.has(*p) => false,
            Action::Watch(p) => {
                self.watchers.push(*p);
                true
            }
            Action::Remove(p, _) => take_out(&mut self.members, *p),
            Action::Unwatch(p) => take_out(&mut self.watchers, *p),
            Action::Application { id, .. } => self.has(id.sender),
        }
    }
}

fn take_out(from: &mut Vec<ProcessId>, process: ProcessId) -> bool {
    let before = from.len();
    from.retain(|p| *p != process);
    from.len() < before
}
