//! The sender's window (R29): a broadcast counts against it from its acceptance until all its
//! destination processes have taken it. Nothing that is accepted, held, pushed or forwarded waits for
//! it; only the application does.

use alloc::vec::Vec;

use super::Broadcast;
use super::era::SiteSet;

use super::runs::SeqRun;
use crate::ids::{Class, MessageId};
use crate::machine::broadcast::ToEndpoint;

impl Broadcast {
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

    pub(super) fn check_window(&mut self, process: u32, id: MessageId) {
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

    pub(super) fn taken_at(&mut self, run: &SeqRun, rank: usize) {
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
}
