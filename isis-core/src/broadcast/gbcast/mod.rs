//! GBCAST (§4.3.3 as corrected by R22–R24) within an era.
//!
//! A run has five rounds: *number* (as a BCAST gets one, over all labels), *head* (it heads every
//! participant's queues), *list* (wait queues are up; the OBCASTs placed so far are listed), *store*
//! (everybody stores the commit record) and *commit*. Numbering and wait queues are apart on
//! purpose: merged, overlapping groups deadlock or break the order. Members, joiners and watchers take
//! part.
//! A run that the end of the era interrupts is over: its record is carried by the completion if
//! anybody stored it, otherwise whoever asked asks again (R13).

mod coordinator;
mod participant;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Broadcast;
use super::message::{Gbcast, Record};
use crate::ids::{GroupId, MessageId};
use coordinator::Coordinator;
use participant::Participant;

/// The runs that this site takes part in or coordinates.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Runs {
    participants: BTreeMap<MessageId, Participant>,
    coordinators: BTreeMap<GroupId, Coordinator>,
    /// The last commit record stored, per group: somebody may not have it yet.
    records: BTreeMap<GroupId, Arc<Record>>,
    /// Runs started by this site.
    started: u64,
}

impl Runs {
    pub fn open(&self) -> usize {
        self.participants.len() + self.coordinators.len()
    }

    /// The group is no more. Nobody but this site may remember the run that says so, as long as that is
    /// not placed here.
    pub fn forget(&mut self, group: GroupId) {
        let open = &self.participants;
        self.records
            .retain(|g, record| *g != group || open.contains_key(&record.run));
    }

    pub fn clear(&mut self) {
        let started = self.started;
        *self = Runs {
            started,
            ..Runs::default()
        };
    }
}

impl Broadcast {
    pub(super) fn receive_gbcast(&mut self, from: usize, message: Gbcast) {
        if let Gbcast::Announce(roster) = message {
            self.upcalls.push_back(super::Upcall::Committed(roster));
            return;
        }
        if self.frozen {
            return;
        }
        match message {
            Gbcast::Request {
                group,
                number,
                action,
                payload,
            } => {
                let from = self.era().sites[from];
                self.upcalls.push_back(super::Upcall::Request {
                    group,
                    by: Some((from, number)),
                    action,
                    payload,
                });
            }
            Gbcast::Gone { group, action } => {
                self.upcalls
                    .push_back(super::Upcall::Gone { group, action });
            }
            Gbcast::Start {
                run,
                base,
                actions,
                clock,
                payload,
            } => {
                self.participate(run, base, actions, clock, payload);
            }
            Gbcast::Number { run, number } => self.run_numbered(from, run, number),
            Gbcast::Final { run, number } => self.run_final(run, number),
            Gbcast::Head { run } => self.run_heads(from, run),
            Gbcast::Up { run } => self.wait_queues_up(run),
            Gbcast::List { run, list } => self.run_listed(from, run, list),
            Gbcast::Store(record) => self.store_record(record),
            Gbcast::Stored { run } => self.run_stored(from, run),
            Gbcast::Commit { run } => self.commit(run),
            Gbcast::Committed { run } => self.run_committed(from, run),
            Gbcast::Announce(_) => {}
        }
    }

    /// The commit records that this site stores, for its REPORT.
    pub fn records(&self) -> Vec<Record> {
        self.runs
            .records
            .values()
            .map(|r| Record::clone(r))
            .collect()
    }

    /// The runs that this site takes part in and that are not committed.
    pub fn uncommitted_runs(&self) -> impl Iterator<Item = MessageId> {
        let open = |(_, p): &(&MessageId, &Participant)| !p.is_committed();
        self.runs
            .participants
            .iter()
            .filter(open)
            .map(|(run, _)| *run)
    }
}
