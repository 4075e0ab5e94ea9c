//! Receipts, floors and collection (§4.4); the sender's window (R29); flush (§3.4, §4.5); status.
//!
//! A site tells the sender's site what it has *received*, *placed*, of which BCASTs it knows the
//! final, and what its processes have taken. From that the sender's site computes per process the
//! **floors** below which everything is so at all destinations, and tells everybody. Ids, bodies and
//! finals are kept until a floor passes them, and copies below it are dropped (R21): that is the
//! contract of §4.4, DONT_SEND included, without lists of ids.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::era::SiteSet;
use super::message::{Control, Floor, Message};
use super::process::{Flush, InFlight, Process};
use super::runs::{NumberRun, SeqRun};
use super::{Broadcast, SITE_PROCESS};
use crate::delivery::{Event, Outcome};
use crate::ids::{Class, MessageId, ProcessId};
use crate::machine::Lane;
use crate::machine::broadcast::{Status, ToEndpoint};
use crate::time::Time;

/// Floors wait this long for company; flushes at other sites may wait for them.
const FLOOR_DELAY: Duration = Duration::from_millis(2);

/// Small things on their way to one site: they leave together once the input has run dry.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    proposals: Vec<NumberRun>,
    pub finals: Vec<NumberRun>,
    received: Vec<SeqRun>,
    placed: Vec<SeqRun>,
    finals_known: Vec<SeqRun>,
    taken: Vec<SeqRun>,
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
            && self.finals_known.is_empty()
            && self.taken.is_empty()
    }

    /// At the end of an era only what applications took is still news.
    fn next_era(&mut self) {
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
    }

    /// Sends the small things that have gathered.
    pub fn flush_outbox(&mut self) {
        if self.frozen {
            return;
        }
        let floors = match self.floors_due {
            Some(due) if due <= self.now => self.new_floors(),
            _ => Vec::new(),
        };
        self.send_outboxes(floors);
    }

    /// Sends everything small, floors included: nothing follows in this era.
    pub fn flush_outbox_for_good(&mut self) {
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
                finals_known: core::mem::take(&mut outbox.finals_known),
                taken: core::mem::take(&mut outbox.taken),
                floors: floors.clone(),
            };
            self.send(
                core::iter::once(rank),
                Lane::Control,
                Message::Control(control),
            );
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
        if let Some(rank) = self.era().rank(id.sender.site) {
            SeqRun::push(&mut self.outbox_of(rank).received, id);
        }
    }

    /// An OBCAST is *placed* at all its processes here.
    pub(super) fn placed_here(&mut self, id: MessageId) {
        if cfg!(isis_mutant = "C1") {
            self.store.remove(&id);
        }
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

    /// Whether an OBCAST of a local process is received at all its destinations.
    pub(super) fn received_everywhere(&self, id: MessageId) -> bool {
        let p = self
            .processes
            .get(&id.sender.index)
            .filter(|p| p.id == id.sender);
        p.is_some_and(|p| !p.sent.unreceived.contains_key(&id.seq))
    }

    // ---- floors ----

    pub(super) fn floors_changed(&mut self) {
        if self.floors_due.is_none() {
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
        let known: Vec<MessageId> = self
            .finals
            .range(id(0)..id(floor))
            .map(|(id, _)| *id)
            .collect();
        for id in known {
            self.finals.remove(&id);
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
            let before = self.store.get(&id).map_or(&[][..], |n| &n.body.after);
            if let Some(before) = before.iter().find(|a| self.store.contains_key(a)) {
                self.pinned.entry(*before).or_default().push(id);
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

    // ---- the window ----

    /// A broadcast in the window leaves for these sites.
    pub(super) fn window_leaves(&mut self, process: u32, id: MessageId, sites: SiteSet) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        if let Some(flight) = p.sent.window.get_mut(&(id.class, id.seq)) {
            flight.untaken = Some(sites);
        }
        self.check_window(process, id);
    }

    fn check_window(&mut self, process: u32, id: MessageId) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        let key = (id.class, id.seq);
        if p.sent
            .window
            .get(&key)
            .is_some_and(|f| f.untaken.is_some_and(SiteSet::is_empty))
        {
            let bytes = p.sent.window.remove(&key).map_or(0, |f| f.bytes);
            self.tell(process, ToEndpoint::Released { messages: 1, bytes });
        }
    }

    /// A GBCAST is placed at its sender: it counts no more, and no failure can undo it.
    pub(super) fn gbcast_released(&mut self, id: MessageId) {
        let Some(p) = self.processes.get_mut(&id.sender.index) else {
            return;
        };
        p.sent.unsafe_gbcasts.remove(&id.seq);
        self.window_leaves(id.sender.index, id, SiteSet::default());
        self.check_flushes(id.sender.index);
    }

    /// A broadcast goes to this many local processes.
    pub(super) fn expect_takes(&mut self, id: MessageId, locals: usize) {
        match locals {
            0 => self.all_taken_here(id),
            // Without an entry the first taking is the last; a rejected attempt may have left one.
            1 => {
                self.takes.remove(&id);
            }
            n => {
                self.takes.insert(id, n as u32);
            }
        }
    }

    /// A local process has taken a broadcast.
    pub(super) fn taken_here(&mut self, id: MessageId) {
        if let Some(left) = self.takes.get_mut(&id) {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.takes.remove(&id);
        }
        self.all_taken_here(id);
    }

    fn all_taken_here(&mut self, id: MessageId) {
        if id.class == Class::Gbcast {
            // Released when it was placed at its sender.
        } else if id.sender.site == self.me {
            if let Some(me) = self.era.as_ref().map(|e| e.me) {
                let run = SeqRun {
                    process: id.sender.index,
                    class: id.class,
                    first: id.seq,
                    count: 1,
                };
                self.taken_at(&run, me);
            }
        } else if self.era().rank(id.sender.site).is_some() {
            SeqRun::push(
                &mut self.outbox.entry(id.sender.site).or_default().taken,
                id,
            );
        }
    }

    fn taken_at(&mut self, run: &SeqRun, rank: usize) {
        let Some(p) = self.processes.get_mut(&run.process) else {
            return;
        };
        let sender = p.id;
        let range = (run.class, run.first)..(run.class, run.end());
        let named: Vec<u64> = p.sent.window.range(range).map(|((_, s), _)| *s).collect();
        for seq in named {
            let Some(p) = self.processes.get_mut(&run.process) else {
                return;
            };
            if let Some(flight) = p.sent.window.get_mut(&(run.class, seq))
                && let Some(untaken) = &mut flight.untaken
            {
                untaken.remove(rank);
            }
            self.check_window(
                run.process,
                MessageId {
                    sender,
                    class: run.class,
                    seq,
                },
            );
        }
    }

    /// The process has taken its events up to this index.
    pub fn call_taken(&mut self, process: u32, upto: u64) {
        while let Some(p) = self.processes.get_mut(&process)
            && let Some((index, id)) = p.untaken.front().copied()
            && index <= upto
        {
            p.untaken.pop_front();
            self.taken_here(id);
        }
    }

    // ---- flush and status ----

    /// §3.4.
    pub fn call_flush(&mut self, process: u32, token: u64, others: Vec<MessageId>) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.flushes.push(Flush {
            token,
            upto: p.sent.accepted,
            others,
        });
        self.check_flushes(process);
    }

    /// Returns the flushes that have nothing to wait for any more.
    pub fn check_flushes(&mut self, process: u32) {
        let Some(p) = self
            .processes
            .get_mut(&process)
            .filter(|p| !p.flushes.is_empty())
        else {
            return;
        };
        let flushes = core::mem::take(&mut p.flushes);
        let (done, waiting): (Vec<Flush>, Vec<Flush>) = flushes
            .into_iter()
            .partition(|f| self.is_flushed(process, f));
        if let Some(p) = self.processes.get_mut(&process) {
            p.flushes = waiting;
        }
        for flush in done {
            let event = Event::Completed {
                token: flush.token,
                result: Ok(Outcome::Flushed),
            };
            self.deliver(process, event, Vec::new());
        }
    }

    fn is_flushed(&self, process: u32, flush: &Flush) -> bool {
        let received = |id: &MessageId| {
            !self.store.contains_key(id)
                || self
                    .floors
                    .get(&id.sender)
                    .is_some_and(|f| f.received > id.seq)
        };
        self.is_safe(process, flush.upto) && flush.others.iter().all(received)
    }

    /// Whether no failure can undo what the process sent up to these.
    pub fn is_safe(&self, process: u32, upto: [u64; 3]) -> bool {
        let out = &self.processes[&process].sent;
        let [bcasts, obcasts, gbcasts] = upto;
        let after = |first: Option<u64>, upto| first.is_none_or(|first| first > upto);
        after(out.unsafe_bcasts.first().copied(), bcasts)
            && after(out.unsafe_gbcasts.first().copied(), gbcasts)
            && out.obcasts >= obcasts
            && after(out.unreceived.keys().next().copied(), obcasts)
    }

    /// Whether all before this frontier is placed everywhere, so that a GBCAST may be asked for (R16).
    pub fn are_settled(&self, process: u32, after: &[MessageId]) -> bool {
        let p = &self.processes[&process];
        after.iter().all(|id| {
            let left = id.sender != p.id || id.seq <= p.sent.obcasts;
            left && !self.store.contains_key(id)
        })
    }

    /// An application's GBCAST is accepted.
    pub fn accept_gbcast(&mut self, process: u32, id: MessageId, bytes: usize) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.sent.accepted[Class::Gbcast as usize] = id.seq;
        p.sent.unsafe_gbcasts.insert(id.seq);
        let flight = InFlight {
            untaken: None,
            bytes,
            failed: Vec::new(),
        };
        p.sent.window.insert((Class::Gbcast, id.seq), flight);
    }

    /// Whether an application's GBCAST of a local process is neither placed nor given up.
    pub fn is_gbcast_open(&self, id: MessageId) -> bool {
        self.processes
            .get(&id.sender.index)
            .is_some_and(|p| p.sent.unsafe_gbcasts.contains(&id.seq))
    }

    /// The sender is no member any more: nobody gets the GBCAST.
    pub fn abandon_gbcast(&mut self, id: MessageId) {
        self.gbcast_released(id);
    }

    /// §4.1's *status* for a broadcast of a local process.
    pub fn call_status(&mut self, process: u32, id: MessageId, token: u64) {
        let Some(p) = self.processes.get(&process) else {
            return;
        };
        let out = &p.sent;
        let safe = match id.class {
            Class::Bcast => !out.unsafe_bcasts.contains(&id.seq),
            Class::Gbcast => !out.unsafe_gbcasts.contains(&id.seq),
            Class::Obcast => id.seq <= out.obcasts && !out.unreceived.contains_key(&id.seq),
        };
        let placed = id.class != Class::Obcast || !out.unplaced.contains_key(&id.seq);
        let status = match (safe, placed) {
            (false, _) => Status::Pending,
            (true, false) => Status::Sent,
            (true, true) => Status::Stable,
        };
        let failed = out
            .window
            .get(&(id.class, id.seq))
            .map(|f| f.failed.clone())
            .unwrap_or_default();
        if process != SITE_PROCESS {
            self.tell(
                process,
                ToEndpoint::Status {
                    token,
                    status,
                    failed,
                },
            );
        }
    }

    // ---- the end of an era ----

    /// Everything of the era is placed everywhere: forgets it, and goes on with the sites of `next`.
    pub fn begin_era(&mut self, next: super::Era) {
        let stored = self.store.keys().map(|id| id.sender);
        let senders: BTreeSet<ProcessId> = stored.chain(self.floors.keys().copied()).collect();
        let indices: Vec<u32> = self.processes.keys().copied().collect();
        for sender in senders {
            let below = match next.rank(sender.site) {
                Some(_) => self.seen_of(sender),
                None => u64::MAX,
            };
            for process in &indices {
                self.tell(*process, ToEndpoint::Settled { sender, below });
            }
        }
        self.bcasts.clear();
        self.outgoing.clear();
        self.withheld.clear();
        self.finals.clear();
        self.carry_log.clear();
        self.store.clear();
        self.unresolved.clear();
        self.pinned.clear();
        self.floors.clear();
        self.runs.clear();
        self.floors_due = None;
        self.outbox.retain(|site, _| next.rank(*site).is_some());
        self.outbox.values_mut().for_each(Outbox::next_era);
        let previous = self.era.replace(next);
        for process in indices {
            self.begin_era_of(process, previous.as_ref());
        }
    }

    /// One past the last OBCAST of a sender that is or was in the store.
    fn seen_of(&self, sender: ProcessId) -> u64 {
        let id = |seq| MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let last = self.store.range(id(0)..id(u64::MAX)).next_back();
        let floor = self.floors.get(&sender).map_or(0, |f| f.placed);
        last.map_or(floor, |(id, _)| floor.max(id.seq + 1))
    }

    fn begin_era_of(&mut self, process: u32, previous: Option<&super::Era>) {
        let era = self.era.as_ref().expect("just begun");
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        p.queues.clear();
        p.up = None;
        p.id_list.clear();
        let out = &mut p.sent;
        out.unreceived.clear();
        out.unplaced.clear();
        out.told = Some((out.obcasts + 1, out.obcasts + 1, out.bcasts + 1));
        for (_, origin) in core::mem::take(&mut out.unfinal).into_values() {
            if let Some(origin) = origin {
                out.unsafe_bcasts.remove(&origin);
            }
        }
        out.end_era();
        for flush in &mut p.flushes {
            flush.others.clear();
        }
        let ids: Vec<MessageId> = out
            .window
            .keys()
            .map(|(class, seq)| MessageId {
                sender: p.id,
                class: *class,
                seq: *seq,
            })
            .collect();
        for flight in out.window.values_mut() {
            if let (Some(untaken), Some(previous)) = (&mut flight.untaken, previous) {
                let now = previous.translate(*untaken, era);
                let failed = untaken
                    .ranks()
                    .map(|r| previous.sites[r])
                    .filter(|s| era.rank(*s).is_none());
                flight.failed.extend(failed);
                *untaken = now;
            }
        }
        for id in ids {
            self.check_window(process, id);
        }
    }
}
