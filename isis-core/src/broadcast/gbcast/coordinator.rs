//! The coordinator's side of GBCAST runs: the site of a group's oldest member runs them all, one at
//! a time, several changes in one (R23).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::broadcast::era::SiteSet;
use crate::broadcast::message::{Action, Gbcast, Listed, Message, Record};
use crate::broadcast::roster::{Roster, Who};
use crate::broadcast::{Broadcast, SITE_PROCESS, Upcall};
use crate::ids::{Class, GroupId, MessageId, ProcessId};
use crate::machine::Lane;

/// The runs of one group.
#[derive(Clone, Debug, Hash)]
pub(super) struct Coordinator {
    roster: Roster,
    requests: VecDeque<(Action, Bytes)>,
    run: Option<Run>,
}

/// The run in progress: which round it is in shows in what the answers must be.
#[derive(Clone, Debug, Hash)]
struct Run {
    id: MessageId,
    actions: Vec<Action>,
    sites: SiteSet,
    /// Sites whose answer of the current round is missing.
    waiting: SiteSet,
    round: Round,
    number: u64,
    before: BTreeSet<Listed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Round {
    Number,
    Head,
    List,
    Store,
    Commit,
}

impl Broadcast {
    /// A request for a group of which this site hosts the oldest member, as of now.
    pub fn coordinate(&mut self, roster: &Roster, action: Action, payload: Bytes) {
        let group = roster.view.group;
        let coordinator = self
            .runs
            .coordinators
            .entry(group)
            .or_insert_with(|| Coordinator {
                roster: roster.clone(),
                requests: VecDeque::new(),
                run: None,
            });
        coordinator.requests.push_back((action, payload));
        self.start_run(group);
    }

    /// Step 2.1, if no run is in progress and something is asked.
    fn start_run(&mut self, group: GroupId) {
        let Some(coordinator) = self.runs.coordinators.get_mut(&group) else {
            return;
        };
        if coordinator.run.is_some() {
            return;
        }
        let mut who = Who::of(&coordinator.roster);
        let mut actions = Vec::new();
        let mut payload = BytesMut::new();
        for (action, bytes) in coordinator.requests.drain(..) {
            if who.apply(&action) {
                actions.push(action);
                payload.extend_from_slice(&bytes);
            }
        }
        if actions.is_empty() {
            self.runs.coordinators.remove(&group);
            return;
        }
        let base = coordinator.roster.clone();
        let sites = self
            .era()
            .set(base.participants(&actions).iter().map(|p| p.site));
        self.runs.started += 1;
        let sender = ProcessId {
            site: self.me,
            index: SITE_PROCESS,
        };
        let id = MessageId {
            sender,
            class: Class::Gbcast,
            seq: self.runs.started,
        };
        let run = Run {
            id,
            actions: actions.clone(),
            sites,
            waiting: sites,
            round: Round::Number,
            number: 0,
            before: BTreeSet::new(),
        };
        if let Some(coordinator) = self.runs.coordinators.get_mut(&group) {
            coordinator.run = Some(run);
        }
        let start = Gbcast::Start {
            run: id,
            base,
            actions,
            clock: self.clock,
            payload: payload.freeze(),
        };
        self.tell_participants(sites, start);
    }

    /// Sends to the participants' sites, this one last: its answer may complete the round.
    fn tell_participants(&mut self, sites: SiteSet, message: Gbcast) {
        let me = self.era().me;
        match &message {
            Gbcast::Start { payload, .. } => {
                let lane = self.lane(payload.len(), core::iter::empty());
                self.send_behind_finals(sites, lane, Message::Gbcast(message.clone()));
            }
            _ => self.send(sites.ranks(), Lane::Data, Message::Gbcast(message.clone())),
        }
        if sites.contains(me) {
            self.receive_gbcast(me, message);
        }
    }

    /// The run that an answer of this round arrived for, unless it had arrived before.
    fn answered(&mut self, from: usize, id: MessageId, round: Round) -> Option<&mut Run> {
        let runs = self
            .runs
            .coordinators
            .values_mut()
            .filter_map(|c| c.run.as_mut());
        let awaited = |r: &&mut Run| r.id == id && r.round == round && r.waiting.contains(from);
        let run = runs.into_iter().find(awaited)?;
        run.waiting.remove(from);
        Some(run)
    }

    /// Goes to the next round if all have answered.
    fn next_round(run: &mut Run, round: Round) -> Option<(SiteSet, MessageId)> {
        if !run.waiting.is_empty() {
            return None;
        }
        run.round = round;
        run.waiting = run.sites;
        Some((run.sites, run.id))
    }

    /// Step 2.3.
    pub(super) fn run_numbered(&mut self, from: usize, id: MessageId, proposal: u64) {
        let Some(run) = self.answered(from, id, Round::Number) else {
            return;
        };
        run.number = run.number.max(proposal);
        let number = run.number;
        if let Some((sites, run)) = Self::next_round(run, Round::Head) {
            self.tell_participants(sites, Gbcast::Final { run, number });
        }
    }

    /// It heads all queues: part 3 begins.
    pub(super) fn run_heads(&mut self, from: usize, id: MessageId) {
        let Some(run) = self.answered(from, id, Round::Head) else {
            return;
        };
        // The mutant is content with the first answer; R24's below as well.
        if cfg!(isis_mutant = "R22") {
            run.waiting = SiteSet::default();
        }
        if let Some((sites, run)) = Self::next_round(run, Round::List) {
            self.tell_participants(sites, Gbcast::Up { run });
        }
    }

    /// Step 3.4: *before* is the union of the lists.
    pub(super) fn run_listed(&mut self, from: usize, id: MessageId, list: Vec<Listed>) {
        let Some(run) = self.answered(from, id, Round::List) else {
            return;
        };
        // The mutant leaves the list of the youngest participating site out.
        if !(cfg!(isis_mutant = "G6") && run.sites.ranks().last() == Some(from)) {
            run.before.extend(list);
        }
        let Some((sites, id)) = Self::next_round(run, Round::Store) else {
            return;
        };
        if let Some(record) = self.record_of(id) {
            self.tell_participants(sites, Gbcast::Store(record));
        }
    }

    fn record_of(&self, id: MessageId) -> Option<Record> {
        let mut all = self.runs.coordinators.values();
        let coordinator = all.find(|c| c.run.as_ref().is_some_and(|r| r.id == id))?;
        let run = coordinator.run.as_ref()?;
        Some(Record {
            run: id,
            number: run.number,
            actions: run.actions.clone(),
            before: run.before.iter().copied().collect(),
            roster: coordinator.roster.after(&run.actions),
        })
    }

    /// R24.
    pub(super) fn run_stored(&mut self, from: usize, id: MessageId) {
        let Some(run) = self.answered(from, id, Round::Store) else {
            return;
        };
        if cfg!(isis_mutant = "R24") {
            run.waiting = SiteSet::default();
        }
        let Some((sites, run)) = Self::next_round(run, Round::Commit) else {
            return;
        };
        if let Some(record) = self.record_of(run) {
            let others = self.era().everyone().minus(sites);
            self.send(
                others.ranks(),
                Lane::Data,
                Message::Gbcast(Gbcast::Announce(record.roster.clone())),
            );
            if others.contains(self.era().me) {
                self.upcalls.push_back(Upcall::Committed(record.roster));
            }
        }
        self.tell_participants(sites, Gbcast::Commit { run });
    }

    /// The run is over; the next may begin, here or at the site of the member that is now the oldest.
    pub(super) fn run_committed(&mut self, from: usize, id: MessageId) {
        let Some(run) = self.answered(from, id, Round::Commit) else {
            return;
        };
        if !run.waiting.is_empty() {
            return;
        }
        let Some(record) = self.record_of(id) else {
            return;
        };
        let group = record.roster.view.group;
        let Some(coordinator) = self.runs.coordinators.get_mut(&group) else {
            return;
        };
        coordinator.run = None;
        coordinator.roster = record.roster;
        let oldest = coordinator.roster.view.members.first();
        if oldest.is_some_and(|p| p.site == self.me) {
            self.start_run(group);
            return;
        }
        if oldest.is_none() {
            self.upcalls.push_back(Upcall::Emptied(group));
        }
        let requests = core::mem::take(&mut coordinator.requests);
        self.runs.coordinators.remove(&group);
        for (action, payload) in requests {
            self.upcalls.push_back(Upcall::Request {
                group,
                by: None,
                action,
                payload,
            });
        }
    }
}
