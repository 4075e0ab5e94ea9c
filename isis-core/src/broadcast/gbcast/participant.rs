//! The participant's side of a GBCAST run.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::broadcast::message::{Action, Gbcast, Listed, Message, Record};
use crate::broadcast::roster::Roster;
use crate::broadcast::{Broadcast, Upcall};
use crate::delivery::{Event, Label, Message as Delivered};
use crate::ids::MessageId;
use crate::machine::Lane;
use crate::machine::broadcast::Note;

/// A run at a participant's site.
#[derive(Clone, Debug, Hash)]
pub(super) struct Participant {
    base: Roster,
    actions: Vec<Action>,
    payload: Bytes,
    /// This site's proposal, then the final number.
    number: u64,
    /// Local participants at which it does not head the queues yet.
    below: BTreeSet<u32>,
    /// Local participants at which it is not placed yet.
    unplaced: BTreeSet<u32>,
    record: Option<Arc<Record>>,
    committed: bool,
}

impl Participant {
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// Whether a record can be this run's: then the payload that came with its start holds what the
    /// record names.
    fn fits(&self, record: &Record) -> bool {
        record.actions == self.actions && record.roster == self.base.after(&self.actions)
    }
}

impl Broadcast {
    /// Answers the coordinator of a run; that may be this site.
    fn answer(&mut self, run: MessageId, message: Gbcast) {
        match self.era().rank(run.sender.site) {
            Some(rank) if rank == self.era().me => self.receive_gbcast(rank, message),
            Some(rank) => self.send(core::iter::once(rank), Lane::Data, Message::Gbcast(message)),
            None => {}
        }
    }

    /// Step 2.2: the run enters the queues of the local participants.
    pub(super) fn participate(
        &mut self,
        run: MessageId,
        base: Roster,
        actions: Vec<Action>,
        clock: u64,
        payload: Bytes,
    ) {
        if self.runs.participants.contains_key(&run) {
            return;
        }
        self.clock = self.clock.max(clock) + 1;
        let number = self.clock;
        let locals: BTreeSet<u32> = base
            .participants(&actions)
            .iter()
            .filter(|p| self.is_here(**p))
            .map(|p| p.index)
            .collect();
        for q in &locals {
            self.processes
                .get_mut(q)
                .expect("local")
                .queues
                .propose_gbcast((number, run));
        }
        let participant = Participant {
            base,
            actions,
            payload,
            number,
            below: locals.clone(),
            unplaced: locals,
            record: None,
            committed: false,
        };
        self.runs.participants.insert(run, participant);
        self.answer(run, Gbcast::Number { run, number });
    }

    /// Step 2.3: its number is final; it moves there in the queues, not yet to be placed.
    pub(super) fn run_final(&mut self, run: MessageId, number: u64) {
        self.clock = self.clock.max(number);
        let part = self.runs.participants.get_mut(&run);
        let Some(part) = part.filter(|p| p.record.is_none()) else {
            return;
        };
        let proposal = core::mem::replace(&mut part.number, number);
        let locals = part.unplaced.clone();
        for q in &locals {
            if let Some(p) = self.processes.get_mut(q) {
                p.queues.finalize_gbcast(proposal, (number, run));
            }
        }
        for q in locals {
            // It may have been in the way of BCASTs with numbers in between.
            self.place_all_bcasts(q);
        }
        self.report_head(run);
    }

    /// Something left the queues of a process: a GBCAST may head them now.
    pub(in crate::broadcast) fn heads_changed(&mut self, process: u32) {
        let head = self
            .processes
            .get(&process)
            .and_then(|p| p.queues.head_gbcast());
        if let Some(run) = head
            && let Some(part) = self.runs.participants.get_mut(&run)
            && part.below.remove(&process)
        {
            self.report_head(run);
        }
    }

    /// Tells the coordinator once the run heads the queues of all local participants.
    fn report_head(&mut self, run: MessageId) {
        if self
            .runs
            .participants
            .get(&run)
            .is_some_and(|p| p.below.is_empty() && p.record.is_none())
        {
            self.answer(run, Gbcast::Head { run });
        }
    }

    /// Steps 3.2 and 3.3: wait queues go up, and what is placed so far is listed, closed under
    /// *precedes*. Nothing needs to be forwarded first: within an era every sender lives and sends.
    pub(super) fn wait_queues_up(&mut self, run: MessageId) {
        let Some(part) = self.runs.participants.get(&run) else {
            return;
        };
        let mut placed = Vec::new();
        for q in part.unplaced.clone() {
            if let Some(p) = self.processes.get_mut(&q) {
                p.up = Some(run);
                placed.extend(p.id_list.iter().copied());
            }
        }
        let listed = |id: MessageId| Listed {
            id,
            sites: self.store[&id].body.sites,
        };
        let list = self
            .closure(placed.into_iter())
            .into_iter()
            .map(listed)
            .collect();
        self.answer(run, Gbcast::List { run, list });
    }

    /// R24: the record is stored before anybody places anything.
    pub(super) fn store_record(&mut self, record: Record) {
        let run = record.run;
        let Some(part) = self.runs.participants.get_mut(&run) else {
            return;
        };
        if record.number != part.number || !part.fits(&record) {
            let from = run.sender.site;
            return self.note(Note::Malformed { from });
        }
        let record = Arc::new(record);
        part.record = Some(record.clone());
        self.runs.records.insert(record.roster.view.group, record);
        self.answer(run, Gbcast::Stored { run });
    }

    /// Everybody has stored the record: it is placed as soon as what it names has arrived.
    pub(super) fn commit(&mut self, run: MessageId) {
        let Some(part) = self.runs.participants.get_mut(&run) else {
            return;
        };
        let Some(record) = part.record.clone() else {
            return;
        };
        part.committed = true;
        // The new view is known before the coordinator, which may be here, goes on.
        self.adopt_committed(&record);
        self.commits_may_place();
        self.answer(run, Gbcast::Committed { run });
    }

    /// A commit record is in force: it tells the group as of now.
    pub fn adopt_committed(&mut self, record: &Record) {
        self.adopt_view(&record.roster.view);
        self.upcalls
            .push_back(Upcall::Committed(record.roster.clone()));
    }

    /// Places the committed runs whose *before* has arrived.
    pub(in crate::broadcast) fn commits_may_place(&mut self) {
        let ready: Vec<MessageId> = self
            .runs
            .participants
            .iter()
            .filter(|(_, p)| {
                p.committed
                    && p.record
                        .as_ref()
                        .is_some_and(|r| self.has_arrived(&r.before))
            })
            .map(|(run, _)| *run)
            .collect();
        for run in ready {
            let locals = self
                .runs
                .participants
                .get(&run)
                .map(|p| p.unplaced.clone())
                .unwrap_or_default();
            for q in locals {
                self.place_run(run, q);
            }
        }
    }

    /// Whether all that a list names and that is addressed to this site has arrived.
    fn has_arrived(&self, before: &[Listed]) -> bool {
        let me = self.era().me;
        before
            .iter()
            .filter(|l| l.sites.contains(me))
            .all(|l| self.is_complete(l.id) && !self.unresolved.contains(&l.id))
    }

    /// Steps 4.1 to 4.4 at one process, once the run heads its queues and its wait queue is up.
    fn place_run(&mut self, run: MessageId, process: u32) {
        let Some(part) = self.runs.participants.get_mut(&run) else {
            return;
        };
        let (Some(record), Some(p)) = (part.record.clone(), self.processes.get_mut(&process))
        else {
            return;
        };
        if p.up != Some(run) || !part.unplaced.remove(&process) {
            return;
        }
        let (base, payload) = (part.base.view.number, part.payload.clone());
        let member = part.base.view.members.contains(&p.id);
        if part.unplaced.is_empty() {
            self.runs.participants.remove(&run);
        }
        p.queues.remove_gbcast((record.number, run));
        let before: BTreeSet<MessageId> = record.before.iter().map(|l| l.id).collect();
        let member = member.then_some((base, payload));
        if cfg!(isis_mutant = "G4") {
            self.place_record(process, &record, member);
            self.place_before(process, &before);
        } else {
            self.place_before(process, &before);
            self.place_record(process, &record, member);
        }
        if let Some(p) = self.processes.get_mut(&process) {
            p.up = None;
        }
        self.drain_wait_queue(process);
        self.place_all_bcasts(process);
        self.release_held(process);
        self.propose_withheld();
    }

    /// Puts a GBCAST on the delivery queue of a process: to members the applications' messages, with
    /// the number of their view and the payloads; the new view to all who were in the group or watched
    /// it, and the view as it is to those who begin to watch.
    fn place_record(&mut self, process: u32, record: &Arc<Record>, member: Option<(u64, Bytes)>) {
        let mut offset = 0;
        for action in &record.actions {
            let Action::Application { id, len } = action else {
                continue;
            };
            if let Some((base, payload)) = &member {
                let message = Delivered {
                    id: *id,
                    group: Some((record.roster.view.group, *base)),
                    label: Label::Gbcast,
                    payload: payload.slice(offset..offset + len),
                };
                self.deliver(process, Event::Message(message), Vec::new());
            }
            offset += len;
            if id.sender == self.processes[&process].id {
                self.gbcast_released(*id);
            }
        }
        let group = record.roster.view.group;
        let p = &self.processes[&process];
        let (had, has) = (p.groups.contains_key(&group), record.roster.has(p.id));
        if has && !had || had && record.changes_view() {
            self.take_view(process, &record.roster);
        } else if had && !has {
            self.enter_view(process, &record.roster);
        }
    }

    /// At the end of an era: places a decided GBCAST at the local participants, whose queues are dealt
    /// with by the caller.
    pub fn place_decided(&mut self, record: &Arc<Record>, process: u32) {
        let part = self.runs.participants.get_mut(&record.run);
        let Some(part) = part.filter(|p| p.fits(record)) else {
            return;
        };
        let Some(p) = self.processes.get(&process) else {
            return;
        };
        if !part.unplaced.remove(&process) {
            return;
        }
        let member = part
            .base
            .view
            .members
            .contains(&p.id)
            .then(|| (part.base.view.number, part.payload.clone()));
        let before: BTreeSet<MessageId> = record.before.iter().map(|l| l.id).collect();
        self.place_before(process, &before);
        self.place_record(process, record, member);
    }
}
