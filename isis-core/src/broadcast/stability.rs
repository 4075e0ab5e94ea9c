//! Receipts, floors and collection (§4.4).
//!
//! A site tells the sender's site what it has *received*, *placed*, of which BCASTs it knows the
//! final, and what its processes have taken. From that the sender's site computes per process the
//! **floors** below which everything is so at all destinations, and tells everybody. Ids, bodies and
//! finals are kept until a floor passes them, and copies below it are dropped (R21): that is the
//! contract of §4.4, DONT_SEND included, without lists of ids.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::Broadcast;
use super::era::SiteSet;
use super::message::{Control, Floor, Message};
use super::process::Process;
use super::runs::{NumberRun, SeqRun};
use crate::ids::{Class, MessageId, ProcessId};
use crate::machine::Lane;
use crate::machine::broadcast::ToEndpoint;
use crate::time::Time;

/// Floors wait this long for company; flushes at other sites may wait for them.
const FLOOR_DELAY: Duration = Duration::from_millis(2);

/// Small things on their way to one site: they leave together once the input has run dry.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Outbox {
    proposals: Vec<NumberRun>,
    pub finals: Vec<NumberRun>,
    received: Vec<SeqRun>,
    placed: Vec<SeqRun>,
    pub pulls: Vec<MessageId>,
    finals_known: Vec<SeqRun>,
    pub taken: Vec<SeqRun>,
    /// Up to where the carry log has been passed on.
    pub carried: u64,
}

impl Outbox {
    pub fn propose(&mut self, id: MessageId, number: u64) {
        NumberRun::push(&mut self.proposals, id, number, 0);
    }

    fn is_empty(&self) -> bool {
        self.proposals.is_empty()
            && self.finals.is_empty()
            && self.received.is_empty()
            && self.placed.is_empty()
            && self.pulls.is_empty()
            && self.finals_known.is_empty()
            && self.taken.is_empty()
    }

    /// At the end of an era only what applications took is still news.
    pub fn next_era(&mut self) {
        *self = Outbox {
            taken: core::mem::take(&mut self.taken),
            ..Outbox::default()
        };
    }
}

impl Broadcast {
    /// When `flush_outbox` is due.
    pub fn deadline(&self) -> Option<Time> {
        if self.frozen {
            return None;
        }
        if self.outbox.values().any(|o| !o.is_empty()) {
            return Some(Time::default());
        }
        self.floors_due
            .into_iter()
            .chain(self.travel.deadline())
            .min()
    }

    /// Sends the small things that have gathered.
    pub fn flush_outbox(&mut self) {
        if self.frozen {
            return;
        }
        self.lose_patience();
        let floors = match self.floors_due {
            Some(due) if due <= self.now => self.new_floors(),
            _ => Vec::new(),
        };
        self.send_outboxes(floors);
    }

    /// Sends everything that is held or waits for company: nothing follows in this era.
    pub fn leave_nothing_behind(&mut self) {
        self.release_holds(true);
        let floors = self.new_floors();
        self.send_outboxes(floors);
    }

    fn send_outboxes(&mut self, floors: Vec<Floor>) {
        for rank in self.era().others(self.era().everyone()) {
            let outbox = self.outbox_of(rank);
            if outbox.is_empty() && floors.is_empty() {
                continue;
            }
            let control = Control {
                proposals: core::mem::take(&mut outbox.proposals),
                finals: core::mem::take(&mut outbox.finals),
                received: core::mem::take(&mut outbox.received),
                placed: core::mem::take(&mut outbox.placed),
                pulls: core::mem::take(&mut outbox.pulls),
                finals_known: core::mem::take(&mut outbox.finals_known),
                taken: core::mem::take(&mut outbox.taken),
                floors: floors.clone(),
            };
            self.send_control(rank, control);
        }
    }

    /// Sends a batch of small things, in as many messages as the receiver's limit asks for.
    pub(super) fn send_control(&mut self, rank: usize, control: Control) {
        for part in control.parts() {
            let message = Message::Control(part);
            self.send(core::iter::once(rank), Lane::Control, message);
        }
    }

    pub(super) fn outbox_of(&mut self, rank: usize) -> &mut Outbox {
        let site = self.era().sites[rank];
        self.outbox.entry(site).or_default()
    }

    /// The batch of small things of another site.
    pub(super) fn receive_control(&mut self, from: usize, control: Control) {
        for (id, number, label) in control.finals.iter().flat_map(NumberRun::iter) {
            self.receive_final(from, id, number, label);
        }
        if !self.frozen {
            for (id, number, _) in control.proposals.iter().flat_map(NumberRun::iter) {
                self.receive_proposal(from, id, number);
            }
        }
        for run in &control.received {
            self.receipt(run, from, |p| &mut p.sent.unreceived);
        }
        for run in &control.placed {
            self.receipt(run, from, |p| &mut p.sent.unplaced);
        }
        for run in &control.finals_known {
            self.finals_known_at(run, from);
        }
        for run in &control.taken {
            self.taken_at(run, from);
        }
        for floor in control.floors {
            self.receive_floor(from, floor);
        }
        for id in control.pulls {
            self.pulled(from, id);
        }
        self.lose_patience();
    }

    fn receipt(
        &mut self,
        run: &SeqRun,
        from: usize,
        table: fn(&mut Process) -> &mut alloc::collections::BTreeMap<u64, SiteSet>,
    ) {
        let Some(p) = self.processes.get_mut(&run.process) else {
            return;
        };
        let table = table(p);
        let named: Vec<u64> = table.range(run.first..run.end()).map(|(s, _)| *s).collect();
        for seq in named {
            if let Some(missing) = table.get_mut(&seq) {
                missing.remove(from);
                if missing.is_empty() {
                    table.remove(&seq);
                }
            }
        }
        self.floors_changed();
        self.check_flushes(run.process);
    }

    fn finals_known_at(&mut self, run: &SeqRun, from: usize) {
        let Some(p) = self.processes.get_mut(&run.process) else {
            return;
        };
        let out = &mut p.sent;
        let named: Vec<u64> = out
            .unfinal
            .range(run.first..run.end())
            .map(|(s, _)| *s)
            .collect();
        for seq in named {
            let Some((missing, origin)) = out.unfinal.get_mut(&seq) else {
                continue;
            };
            missing.remove(from);
            if missing.is_empty() {
                if let Some(origin) = *origin
                    && !out.is_open(seq)
                {
                    out.unsafe_bcasts.remove(&origin);
                }
                out.unfinal.remove(&seq);
            }
        }
        self.floors_changed();
        self.check_flushes(run.process);
    }

    /// An OBCAST addressed to this site is *received* (R20).
    pub(super) fn received_here(&mut self, id: MessageId) {
        let rank = self.era().rank(id.sender.site);
        if let Some(rank) = rank.filter(|r| *r != self.era().me) {
            SeqRun::push(&mut self.outbox_of(rank).received, id);
        }
    }

    /// An OBCAST is *placed* at all its processes here.
    pub(super) fn placed_here(&mut self, id: MessageId) {
        match self.era().rank(id.sender.site) {
            Some(rank) if rank == self.era().me => {
                let run = SeqRun {
                    process: id.sender.index,
                    class: id.class,
                    first: id.seq,
                    count: 1,
                };
                self.receipt(&run, rank, |p| &mut p.sent.unplaced);
            }
            Some(rank) => SeqRun::push(&mut self.outbox_of(rank).placed, id),
            None => {}
        }
    }

    /// The final of a BCAST addressed to this site is known here.
    pub(super) fn final_known_here(&mut self, id: MessageId) {
        match self.era().rank(id.sender.site) {
            Some(rank) if rank == self.era().me => {
                let run = SeqRun {
                    process: id.sender.index,
                    class: id.class,
                    first: id.seq,
                    count: 1,
                };
                self.finals_known_at(&run, rank);
            }
            Some(rank) => SeqRun::push(&mut self.outbox_of(rank).finals_known, id),
            None => {}
        }
    }

    /// Whether an OBCAST in the store is known to be received at all its destinations.
    pub(super) fn received_everywhere(&self, id: MessageId) -> bool {
        if self
            .floors
            .get(&id.sender)
            .is_some_and(|f| id.seq < f.received)
        {
            return true;
        }
        let p = self
            .processes
            .get(&id.sender.index)
            .filter(|p| p.id == id.sender);
        p.is_some_and(|p| !p.sent.unreceived.contains_key(&id.seq))
    }

    pub(super) fn floors_changed(&mut self) {
        if !self.safe.is_empty() {
            // A safe BCAST may wait for nothing else.
            self.floors_due = Some(self.now);
        } else if self.floors_due.is_none() {
            self.floors_due = Some(self.now + FLOOR_DELAY);
        }
    }

    /// Computes the floors of the local processes, acts on them, and returns the news.
    fn new_floors(&mut self) -> Vec<Floor> {
        self.floors_due = None;
        let mut news = Vec::new();
        for p in self.processes.values_mut() {
            let now = p.sent.floors();
            if p.sent.told.unwrap_or((1, 1, 1)) != now {
                p.sent.told = Some(now);
                let (received, placed, finals) = now;
                news.push(Floor {
                    process: p.id.index,
                    received,
                    placed,
                    finals,
                });
            }
        }
        let me = self.era().me;
        for floor in &news {
            self.receive_floor(me, *floor);
        }
        news
    }

    fn receive_floor(&mut self, from: usize, floor: Floor) {
        let sender = ProcessId {
            site: self.era().sites[from],
            index: floor.process,
        };
        let known = self.floors.entry(sender).or_default();
        let from_seq = *known;
        *known = Floor {
            process: floor.process,
            received: known.received.max(floor.received),
            placed: known.placed.max(floor.placed),
            finals: known.finals.max(floor.finals),
        };
        let reached = *known;
        if reached.finals > from_seq.finals {
            self.collect_finals(sender, reached.finals);
        }
        if reached.placed > from_seq.placed {
            self.settle(sender, from_seq.placed, reached.placed);
        }
        if reached.received > from_seq.received {
            let indices: Vec<u32> = self.processes.keys().copied().collect();
            for process in indices {
                self.check_flushes(process);
            }
        }
    }

    /// Finals below the floor are known at all destinations: nobody needs to be told or to report.
    fn collect_finals(&mut self, sender: ProcessId, floor: u64) {
        let id = |seq| MessageId {
            sender,
            class: Class::Bcast,
            seq,
        };
        let known = self.finals.range(id(0)..id(floor));
        let known: Vec<_> = known.map(|(id, at)| (*id, *at)).collect();
        for (id, _) in &known {
            self.finals.remove(id);
        }
        while let Some(c) = self.carry_log.front() {
            if self
                .floors
                .get(&c.id.sender)
                .is_none_or(|f| c.id.seq >= f.finals)
            {
                break;
            }
            self.carry_log.pop_front();
            self.carried_from += 1;
        }
        if !self.safe.is_empty() {
            self.known_everywhere(&known);
        }
    }

    /// OBCASTs below the floor are placed everywhere: they leave the store once nothing before them is
    /// left there, so that the order through them is not lost.
    fn settle(&mut self, sender: ProcessId, from: u64, floor: u64) {
        let id = |seq| MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let range = self.store.range(id(from)..id(floor));
        let mut free: Vec<MessageId> = range.map(|(id, _)| *id).collect();
        let mut touched = BTreeSet::from([sender]);
        while let Some(id) = free.pop() {
            let Some(node) = self.store.get(&id) else {
                continue;
            };
            if let Some(before) = node.body.after().find(|a| !self.is_settled(*a)) {
                self.pinned.entry(before).or_default().push(id);
                continue;
            }
            self.store.remove(&id);
            for p in self.processes.values_mut() {
                p.id_list.remove(&id);
            }
            touched.insert(id.sender);
            free.extend(self.pinned.remove(&id).unwrap_or_default());
        }
        for sender in touched {
            self.tell_settled(sender);
        }
    }

    /// Tells the endpoints which ids of a sender they need not name any more.
    fn tell_settled(&mut self, sender: ProcessId) {
        let id = |seq| MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let floor = self.floors.get(&sender).map_or(0, |f| f.placed);
        let below = self
            .store
            .range(id(0)..id(u64::MAX))
            .next()
            .map_or(floor, |(id, _)| id.seq.min(floor));
        let indices: Vec<u32> = self.processes.keys().copied().collect();
        for process in indices {
            self.tell(process, ToEndpoint::Settled { sender, below });
        }
    }
}
