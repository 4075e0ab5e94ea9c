//! The directory (R30): group names and the latest view of every group, at all sites.
//!
//! Names change by BCAST among the sites' own processes, so all see the changes in one order and the
//! first creation wins. Views come with commit records; at the end of an era all directories are
//! equal, and sites that have just joined get a copy with the GO.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Machine;
use crate::broadcast::Entry;
use crate::delivery::{Event, GroupView, Label, LeaveReason, check_name};
use crate::ids::{Class, GroupId, MessageId, ProcessId, SITE_PROCESS, Site};
use crate::machine::broadcast::{Address, Note, Send};
use crate::wire;

/// The reserved label of directory changes.
const LABEL: &str = "\0directory";

/// A change of the directory.
#[derive(Debug, Serialize, Deserialize)]
enum Change {
    /// A group of this name with one member, unless the name is taken.
    Create { name: String, group: GroupId },
    /// The group has no members: the name is free.
    Dissolve { group: GroupId },
}

impl Change {
    /// Whether a site may ask for it: it creates groups for its own processes.
    fn is_sound(&self, from: Site) -> bool {
        match self {
            Change::Create { name, group } => {
                check_name("group name", name, false).is_ok()
                    && group.founder.site == from
                    && group.founder.index != SITE_PROCESS
            }
            Change::Dissolve { .. } => true,
        }
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Directory {
    names: BTreeMap<String, GroupId>,
    groups: BTreeMap<GroupId, Arc<GroupView>>,
    /// Changes sent by this site.
    sent: u64,
    /// The last group that each site has created, or tried to: they are placed in order.
    created: BTreeMap<Site, u64>,
}

impl Directory {
    pub fn find(&self, name: &str) -> Option<&Arc<GroupView>> {
        self.names.get(name).and_then(|g| self.groups.get(g))
    }

    pub fn view(&self, group: GroupId) -> Option<&Arc<GroupView>> {
        self.groups.get(&group)
    }

    /// Whether a group that is not here is no more, rather than not yet.
    pub fn has_been(&self, group: GroupId) -> bool {
        let last = self.created.get(&group.founder.site);
        last.is_some_and(|last| group.seq <= *last)
    }

    /// Sites that have failed create nothing more.
    pub fn forget_sites(&mut self, failed: &[Site]) {
        self.created.retain(|site, _| !failed.contains(site));
    }

    pub fn views(&self) -> impl Iterator<Item = &Arc<GroupView>> {
        self.groups.values()
    }

    /// Takes a later view of a group.
    pub fn update(&mut self, view: GroupView) -> bool {
        match self.groups.get_mut(&view.group) {
            Some(known) if known.number < view.number => *known = Arc::new(view),
            _ => return false,
        }
        true
    }

    fn create(&mut self, view: Arc<GroupView>) -> bool {
        if self.names.contains_key(&view.name) {
            return false;
        }
        self.names.insert(view.name.clone(), view.group);
        self.groups.insert(view.group, view);
        true
    }

    pub fn remove(&mut self, group: GroupId) {
        if let Some(view) = self.groups.remove(&group) {
            self.names.remove(&view.name);
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        let entry = |v: &Arc<GroupView>| Entry {
            name: v.name.clone(),
            view: GroupView::clone(v),
        };
        self.groups.values().map(entry).collect()
    }

    /// A site that has just joined takes over the directory of the others.
    pub fn adopt(&mut self, entries: Vec<Entry>) {
        self.names.clear();
        self.groups.clear();
        for entry in entries {
            self.names.insert(entry.name, entry.view.group);
            self.groups.insert(entry.view.group, Arc::new(entry.view));
        }
    }

    /// The groups that lose members with these sites: their next views.
    pub fn without_sites(&self, failed: &[Site]) -> Vec<GroupView> {
        let gone = |p: &&ProcessId| failed.contains(&p.site);
        let affected = self
            .groups
            .values()
            .filter(|v| v.members.iter().any(|p| gone(&p)));
        affected
            .map(|v| GroupView {
                group: v.group,
                name: v.name.clone(),
                number: v.number + 1,
                members: v.members.iter().filter(|p| !gone(p)).copied().collect(),
                joined: Vec::new(),
                left: v
                    .members
                    .iter()
                    .filter(gone)
                    .map(|p| (*p, LeaveReason::SiteFailed))
                    .collect(),
            })
            .collect()
    }
}

impl Machine {
    /// Asks all sites to create a group with this one member.
    pub(super) fn create_group(&mut self, name: &str, founder: ProcessId) {
        self.directory.sent += 1;
        let group = GroupId {
            founder,
            seq: self.directory.sent,
        };
        self.send_change(&Change::Create {
            name: name.into(),
            group,
        });
    }

    fn send_change(&mut self, change: &Change) {
        let me = self.broadcast.me();
        let Some(era) = &self.broadcast.era else {
            return;
        };
        let list = era
            .sites
            .iter()
            .map(|s| ProcessId {
                site: *s,
                index: SITE_PROCESS,
            })
            .collect();
        self.requests.changes += 1;
        let sender = ProcessId {
            site: me,
            index: SITE_PROCESS,
        };
        self.broadcast.call_send(
            SITE_PROCESS,
            Send {
                id: MessageId {
                    sender,
                    class: Class::Bcast,
                    seq: self.requests.changes,
                },
                address: Address::List(list),
                label: Label::Bcast(LABEL.into()),
                after: Vec::new(),
                payload: Bytes::from(wire::encode(change)),
            },
        );
    }

    /// A directory change of a site is placed.
    pub(super) fn directory_changed(&mut self, from: Site, payload: &[u8]) {
        let change = wire::decode_exact::<Change>(payload);
        match change.ok().filter(|change| change.is_sound(from)) {
            Some(Change::Create { name, group }) => {
                self.directory.created.insert(from, group.seq);
                self.created(name, group);
                self.asked_early(group);
            }
            Some(Change::Dissolve { group }) => {
                self.directory.remove(group);
                self.broadcast.forget_group(group);
                self.asked_early(group);
            }
            None => self.broadcast.note(Note::Malformed { from }),
        }
    }

    fn created(&mut self, name: String, group: GroupId) {
        if group.founder.site == self.broadcast.me() {
            self.creation_placed(group.founder.index, &name);
        }
        let members = Vec::from([group.founder]);
        let joined = members.clone();
        let view = Arc::new(GroupView {
            group,
            name,
            number: 1,
            members,
            joined,
            left: Vec::new(),
        });
        if !self.directory.create(view.clone()) {
            return;
        }
        let founder = group.founder;
        if founder.site == self.broadcast.me()
            && self.broadcast.processes.contains_key(&founder.index)
        {
            self.broadcast.adopt_view(&view);
            self.broadcast.enter_view(founder.index, &view);
            self.broadcast
                .deliver(founder.index, Event::View(view), Vec::new());
        }
    }

    /// A commit record told the latest view of a group; the last member's site dissolves it.
    pub(super) fn group_changed(&mut self, view: GroupView) {
        let (group, empty) = (view.group, view.members.is_empty());
        let last_here = view
            .left
            .last()
            .is_some_and(|(p, _)| p.site == self.broadcast.me());
        if !self.directory.update(view) {
            return;
        }
        if empty && last_here {
            self.send_change(&Change::Dissolve { group });
        }
        self.asked_early(group);
    }
}
