//! Addressing (§3.5): from the application's address to destinations, and what happens to messages
//! around a change of group view.
//!
//! Stamps are taken when a send leaves (R25): a process whose wait queue is up holds all its sends,
//! so a member's OBCAST is never rejected. A BCAST that falls behind the end of the view it was
//! addressed to is rejected by all members, since its final is above the GBCAST's, and its sender
//! sends it off again before anything else (R27).

use alloc::vec::Vec;

use super::Broadcast;
use super::bcast::label_key;
use super::era::SiteSet;
use super::message::{Bcast, Listed, Obcast, To};
use super::process::{InFlight, Process};
use super::roster::Roster;
use crate::delivery::{Event, Label};
use crate::ids::{Class, GroupId, MessageId, ProcessId};
use crate::machine::broadcast::{Address, Note, Send};

/// The local processes that a message is addressed to.
pub(super) enum Locals {
    /// Its stamp names a group view that is not known here yet.
    Unknown,
    /// All that were in that view here have gone on to a later one.
    Past,
    /// These.
    Known(Vec<u32>),
}

impl Broadcast {
    /// A send of a local process, just accepted. From here on a destination list is in order and names
    /// nobody twice.
    pub fn call_send(&mut self, process: u32, mut send: Send) {
        if let Address::List(list) = &mut send.address {
            list.sort_unstable();
            list.dedup();
        }
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let class = send.id.class;
        let bytes = send.payload.len();
        p.sent.accepted[class as usize] = send.id.seq;
        p.sent.window.insert(
            (class, send.id.seq),
            InFlight {
                untaken: None,
                bytes,
                failed: Vec::new(),
            },
        );
        if class == Class::Bcast {
            p.sent.unsafe_bcasts.insert(send.id.seq);
        }
        p.held.push_back(send);
        self.release_held(process);
    }

    /// Whether the process's sends must wait (R25).
    fn is_held(&self, process: u32) -> bool {
        let up = |p: &Process| p.up.is_some() && !cfg!(isis_mutant = "R25");
        self.frozen || self.processes.get(&process).is_none_or(up)
    }

    /// Sends what the process holds, in order, as long as it may.
    pub fn release_held(&mut self, process: u32) {
        // What leaves may be placed at once and release more: that is for the outer loop to send.
        match self.processes.get_mut(&process) {
            Some(p) if !p.releasing => p.releasing = true,
            _ => return,
        }
        while !self.is_held(process)
            && let Some(send) = self
                .processes
                .get_mut(&process)
                .and_then(|p| p.held.pop_front())
        {
            self.leave(process, send);
        }
        if let Some(p) = self.processes.get_mut(&process) {
            p.releasing = false;
        }
    }

    /// A send leaves, unless it must wait for an earlier one of its label to another address (R27).
    fn leave(&mut self, process: u32, send: Send) {
        let Label::Bcast(label) = &send.label else {
            self.leave_obcast(process, send);
            return;
        };
        let key = label_key(label);
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let group = match send.address {
            Address::Group(group) => Some(group),
            Address::List(_) => None,
        };
        match p
            .sent
            .labels
            .get_mut(&key)
            .filter(|label| label.must_wait(group))
        {
            Some(label) => label.waiting.push_back(send),
            None => self.leave_bcast(process, send),
        }
    }

    /// An earlier BCAST of the label is placed at its sender: others may leave.
    fn release_label(&mut self, process: u32, key: u32) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        if let Some(lane) = p.sent.labels.get_mut(&key) {
            for call in core::mem::take(&mut lane.waiting).into_iter().rev() {
                p.held.push_front(call);
            }
        }
        self.release_held(process);
    }

    fn leave_bcast(&mut self, process: u32, send: Send) {
        let destinations = self.resolve(process, &send.address);
        let Some((to, sites)) = destinations.filter(|(_, sites)| !sites.is_empty()) else {
            self.abandon(process, &send);
            return;
        };
        let Label::Bcast(label) = send.label else {
            return;
        };
        let after = self.listed(&send.after);
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.sent.bcasts += 1;
        let id = MessageId {
            sender: p.id,
            class: Class::Bcast,
            seq: p.sent.bcasts,
        };
        let body = Bcast {
            id,
            origin: send.id.seq,
            label,
            to,
            sites,
            clock: 0,
            after,
            safe: send.safe,
            payload: send.payload,
        };
        p.sent.opened(body.clone(), label_key(&body.label));
        self.window_leaves(process, send.id, sites);
        self.send_bcast(process, body);
    }

    fn leave_obcast(&mut self, process: u32, send: Send) {
        let destinations = self.resolve(process, &send.address);
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.sent.obcasts = send.id.seq;
        // One to nobody stays between what precedes it and what it precedes.
        let (to, sites) = destinations.unwrap_or_else(|| {
            self.abandon(process, &send);
            (To::List(Vec::new()), SiteSet::default())
        });
        let Label::Obcast(olabel) = send.label else {
            return;
        };
        self.window_leaves(process, send.id, sites);
        let mut body = Obcast {
            id: send.id,
            olabel,
            to,
            sites,
            back: 0,
            others: Vec::new(),
            whole: true,
            payload: send.payload,
        };
        let mut after = send.after;
        after.retain(|id| self.store.contains_key(id));
        body.set_after(after);
        self.send_obcast(process, body);
    }

    /// These OBCASTs, as far as they are not settled, with where they go.
    fn listed(&self, ids: &[MessageId]) -> Vec<Listed> {
        let known = ids.iter().filter_map(|id| Some((*id, self.store.get(id)?)));
        known
            .map(|(id, node)| Listed {
                id,
                sites: node.body.sites,
            })
            .collect()
    }

    /// DESTS(B) as of now: the process's own view of the group, or those of the list that are
    /// operational. A sender from outside takes its own message silently: then it stands in its queues
    /// like a member's, is listed like one, and is placed or rejected here as it is at the members.
    fn resolve(&self, process: u32, address: &Address) -> Option<(To, SiteSet)> {
        match address {
            Address::Group(group) => {
                let p = self.processes.get(&process)?;
                let view = p.groups.get(group)?;
                let mut sites = self.era().set(view.members.iter().map(|m| m.site));
                let outside = !view.members.contains(&p.id);
                if outside {
                    sites.insert(self.era().me);
                }
                let (group, stamp) = (*group, view.number);
                Some((
                    To::Group {
                        group,
                        stamp,
                        outside,
                    },
                    sites,
                ))
            }
            Address::List(list) => {
                let sites = self.era().set(list.iter().map(|m| m.site));
                Some((To::List(list.clone()), sites))
            }
        }
    }

    /// A broadcast to nobody: to a group that was dissolved while it was held, or to processes of failed
    /// sites.
    fn abandon(&mut self, process: u32, send: &Send) {
        let id = send.id;
        if let Address::Group(_) = send.address {
            self.deliver(process, Event::Undeliverable(id), Vec::new());
        }
        if let Some(p) = self.processes.get_mut(&process)
            && id.class == Class::Bcast
        {
            p.sent.unsafe_bcasts.remove(&id.seq);
        }
        self.window_leaves(process, id, SiteSet::default());
        self.floors_changed();
        self.check_flushes(process);
    }

    /// The local processes that a message of this sender is addressed to.
    pub(super) fn locals(&self, sender: ProcessId, to: &To) -> Locals {
        match to {
            To::List(list) => Locals::Known(
                list.iter()
                    .filter(|p| self.is_here(**p))
                    .map(|p| p.index)
                    .collect(),
            ),
            To::Group {
                group,
                stamp,
                outside,
            } => {
                let Some(views) = self.views.get(group) else {
                    return Locals::Unknown;
                };
                let Some(view) = views.get(stamp) else {
                    let newer = views.last_key_value().is_some_and(|(n, _)| n > stamp);
                    return if newer { Locals::Past } else { Locals::Unknown };
                };
                let here: Vec<u32> = view
                    .members
                    .iter()
                    .chain(outside.then_some(&sender))
                    .filter(|p| self.is_here(**p))
                    .map(|p| p.index)
                    .collect();
                let past = |q: &u32| self.processes[q].view_of(*group) > *stamp;
                if here.iter().any(past) {
                    Locals::Past
                } else {
                    Locals::Known(here)
                }
            }
        }
    }

    /// Whether the process takes the message only for the order: it sent it from outside the group.
    pub(super) fn is_silent(&self, process: u32, sender: ProcessId, to: &To) -> bool {
        let own = sender.site == self.me && sender.index == process;
        own && matches!(to, To::Group { outside: true, .. })
    }

    /// Looks again at what waited for a group view to become known.
    pub(super) fn resolve_waiting(&mut self) {
        for id in core::mem::take(&mut self.unresolved) {
            self.arrive(id);
        }
        self.propose_withheld();
    }

    /// A new view of a group is placed at a process: adopts it, rejects what is addressed to older
    /// ones and sends the process's own again, in order, before anything else (R27).
    pub(super) fn enter_view(&mut self, process: u32, roster: &Roster) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let view = &roster.view;
        let group = view.group;
        if roster.has(p.id) {
            p.groups.insert(group, view.clone());
        } else {
            p.groups.remove(&group);
            p.left.insert(group, view.number);
        }
        let outdated = self.outdated_bcasts(process, group, view.number);
        for id in outdated {
            self.reject_bcast(process, id);
        }
        self.send_again(process, group, view.number);
        self.trim_views(group);
    }

    /// The same, and the process hears of it.
    pub fn take_view(&mut self, process: u32, roster: &Roster) {
        self.enter_view(process, roster);
        let event = Event::View(roster.view.clone());
        self.deliver(process, event, Vec::new());
    }

    /// Puts the process's own rejected BCASTs at the front of what it holds.
    fn send_again(&mut self, process: u32, group: GroupId, number: u64) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let mut again = Vec::new();
        for seq in &p.sent.outdated(group, number) {
            let Some(body) = p.sent.closed(*seq) else {
                continue;
            };
            if let Some((_, origin)) = p.sent.unfinal.get_mut(seq) {
                *origin = None;
            }
            again.push(Send {
                id: MessageId {
                    seq: body.origin,
                    ..body.id
                },
                address: Address::Group(group),
                label: Label::Bcast(body.label),
                after: body.after.iter().map(|l| l.id).collect(),
                safe: body.safe,
                payload: body.payload,
            });
        }
        let count = again.len();
        // Those that waited for these were accepted before those that are held.
        let labels = p.sent.labels.values_mut();
        let mut waiting: Vec<Send> = labels.flat_map(|l| l.waiting.drain(..)).collect();
        waiting.sort_by_key(|s| s.id.seq);
        for send in again.into_iter().chain(waiting).rev() {
            p.held.push_front(send);
        }
        if count > 0 {
            self.note(Note::Resent { count });
        }
    }

    /// A BCAST is placed at its sender's own process: others to other addresses may leave.
    pub(super) fn placed_at_sender(&mut self, id: MessageId) {
        let Some(p) = self.processes.get_mut(&id.sender.index) else {
            return;
        };
        if let Some(body) = p.sent.closed(id.seq) {
            if !p.sent.unfinal.contains_key(&id.seq) {
                p.sent.unsafe_bcasts.remove(&body.origin);
            }
            self.release_label(id.sender.index, label_key(&body.label));
            self.check_flushes(id.sender.index);
        }
    }

    /// Forgets group views that no process here is in or before any more.
    fn trim_views(&mut self, group: GroupId) {
        let oldest = self
            .processes
            .values()
            .filter_map(|p| p.groups.get(&group))
            .map(|v| v.number)
            .min();
        if let Some(views) = self.views.get_mut(&group) {
            match oldest {
                Some(oldest) => views.retain(|n, _| *n >= oldest),
                None => {
                    while views.len() > 1 {
                        views.pop_first();
                    }
                }
            }
        }
    }

    /// Forgets a dissolved group, but for the view that says so: until the era ends, messages may come
    /// that are too late for it.
    pub fn forget_group(&mut self, group: GroupId) {
        self.runs.forget(group);
    }
}
