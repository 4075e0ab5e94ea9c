//! The directory (R30): group names, and the latest view and the watchers of every group, at all sites.
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
use crate::broadcast::Roster;
use crate::delivery::{GroupView, Label, check_name};
use crate::ids::{Class, GroupId, MessageId, ProcessId, SITE_PROCESS, Site};
use crate::machine::broadcast::{Address, Note, Send};
use crate::wire;

/// The reserved label of directory changes.
const LABEL: &str = "\0directory";

/// A change of the directory.
#[derive(Clone, Debug, Hash, Serialize, Deserialize)]
enum Change {
    /// A group of this name with one member, unless the name is taken.
    Create { name: String, group: GroupId },
    /// The group has no members: the name is free.
    Dissolve { group: GroupId },
    /// Nothing: once it is placed, a process that looks for a name and does not find it knows that it
    /// missed no creation that was done when it began.
    Look { process: ProcessId },
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
            Change::Look { process } => process.site == from && process.index != SITE_PROCESS,
        }
    }
}

/// See the module's head.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Directory {
    names: BTreeMap<String, GroupId>,
    groups: BTreeMap<GroupId, Roster>,
    /// Groups as they are now whose creation is still to be placed here: another change is in its way.
    early: BTreeMap<GroupId, Roster>,
    /// Changes sent by this site.
    sent: u64,
    /// The last group that each site has created, or tried to: they are placed in order.
    created: BTreeMap<Site, u64>,
}

impl Directory {
    pub fn find(&self, name: &str) -> Option<&Roster> {
        self.names.get(name).and_then(|g| self.groups.get(g))
    }

    pub fn group(&self, group: GroupId) -> Option<&Roster> {
        self.groups.get(&group)
    }

    /// Whether a group of a founder that lives, and that is not here, is no more, rather than not yet.
    pub fn has_been(&self, group: GroupId) -> bool {
        let last = self.created.get(&group.founder.site);
        last.is_some_and(|last| group.seq <= *last)
    }

    /// The era ends: all that was created is placed. Sites that have failed create nothing more.
    pub fn end_era(&mut self, failed: &[Site]) {
        self.created.retain(|site, _| !failed.contains(site));
        self.early.clear();
    }

    pub fn groups(&self) -> impl Iterator<Item = &Roster> {
        self.groups.values()
    }

    /// Takes a group as it is now; says whether that is news.
    pub fn update(&mut self, roster: Roster) -> bool {
        let group = roster.view.group;
        let is_over = self.has_been(group);
        let known = match self.groups.get_mut(&group) {
            Some(known) => known,
            None if is_over => return false,
            None => self.early.entry(group).or_insert_with(|| roster.clone()),
        };
        let news = known.version < roster.version;
        if news {
            *known = roster;
        }
        news
    }

    fn create(&mut self, roster: Roster) -> bool {
        let view = &roster.view;
        if self.names.contains_key(&view.name) {
            return false;
        }
        let group = view.group;
        self.names.insert(view.name.clone(), group);
        let now = self.early.remove(&group).unwrap_or(roster);
        self.groups.insert(group, now);
        true
    }

    pub fn remove(&mut self, group: GroupId) {
        if let Some(roster) = self.groups.remove(&group) {
            self.names.remove(&roster.view.name);
        }
    }

    /// A site that has just joined takes over the directory of the others. What they name was created
    /// before: that, too, it must not wait for.
    pub fn adopt(&mut self, groups: Vec<Roster>) {
        self.names.clear();
        self.groups.clear();
        for roster in groups {
            let GroupId { founder, seq } = roster.view.group;
            let last = self.created.entry(founder.site).or_default();
            *last = seq.max(*last);
            self.create(roster);
        }
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

    /// Asks whether the directory here is behind, for a process that does not find a name in it.
    pub(super) fn look(&mut self, process: ProcessId) {
        self.send_change(&Change::Look { process });
    }

    /// All who took part in the run that left a group without members know it.
    pub(super) fn emptied(&mut self, group: GroupId) {
        self.send_change(&Change::Dissolve { group });
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
                safe: false,
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
                self.dissolve(group);
                self.asked_early(group);
            }
            Some(Change::Look { process }) => {
                if from == self.broadcast.me() {
                    self.requests.looked(process.index);
                }
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
        let roster = Roster::new(view);
        if !self.directory.create(roster.clone()) {
            return;
        }
        let founder = group.founder;
        if founder.site == self.broadcast.me()
            && self.broadcast.processes.contains_key(&founder.index)
        {
            self.broadcast.adopt_view(&roster.view);
            self.broadcast.take_view(founder.index, &roster);
        }
    }

    /// A commit record told a group as it is now.
    pub(super) fn group_changed(&mut self, roster: Roster) {
        let group = roster.view.group;
        if self.directory.update(roster) {
            self.asked_early(group);
        }
    }

    /// The name of a group without members is free.
    pub(super) fn dissolve(&mut self, group: GroupId) {
        self.directory.remove(group);
        self.broadcast.forget_group(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Incarnation, SiteId};

    fn group(seq: u64) -> GroupId {
        let site = Site {
            id: SiteId(1),
            incarnation: Incarnation(1),
        };
        let founder = ProcessId { site, index: 1 };
        GroupId { founder, seq }
    }

    #[test]
    fn a_new_site_knows_that_what_it_was_told_of_has_been() {
        let view = GroupView {
            group: group(5),
            name: "g".into(),
            number: 3,
            members: Vec::from([group(5).founder]),
            joined: Vec::new(),
            left: Vec::new(),
        };
        let mut directory = Directory::default();
        directory.adopt(Vec::from([Roster::new(Arc::new(view))]));
        directory.remove(group(5));
        assert!(directory.has_been(group(5)));
        assert!(directory.has_been(group(4)));
        assert!(!directory.has_been(group(6)));
    }
}
