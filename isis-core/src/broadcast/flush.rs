//! Flush (§3.4, §4.5) and *status* (§4.1).

use alloc::vec::Vec;

use super::process::{Flush, InFlight};
use super::{Broadcast, SITE_PROCESS};
use crate::delivery::{Event, Outcome};
use crate::ids::{Class, MessageId};
use crate::machine::broadcast::{Status, ToEndpoint};

impl Broadcast {
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

    /// The group is dissolved: nobody gets the GBCAST.
    pub fn abandon_gbcast(&mut self, id: MessageId) {
        if self.is_gbcast_open(id) {
            self.deliver(id.sender.index, Event::Undeliverable(id), Vec::new());
        }
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
}
