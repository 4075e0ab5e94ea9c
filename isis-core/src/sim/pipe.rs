//! Connections of the simulated network: what is on its way, in order or as datagrams, and what a cut
//! holds back.

use std::collections::VecDeque;

use bytes::Bytes;

use super::network::{Home, Network, Presence, Transit};
use crate::machine::transport::{Connection, Input};

/// A connection; `side` 0 made it.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) homes: [Home; 2],
    pub(super) names: [Connection; 2],
    pub(super) open: [bool; 2],
    /// When the last of what goes to this side arrives (TCP keeps order).
    pub(super) last: [u64; 2],
    /// What a cut holds back on its way to this side (TCP repeats until it arrives).
    pub(super) stalled: [VecDeque<Stalled>; 2],
}

#[derive(Debug)]
pub(super) enum Stalled {
    Frame(Bytes),
    End,
}

impl Network {
    /// Breaks all connections between two hosts, losing what is on its way; both ends see it.
    pub(super) fn break_between(&mut self, now: u64, a: usize, b: usize) {
        for pipe in 0..self.pipes.len() {
            let hosts = self.pipes[pipe].homes.map(|h| h.host);
            if hosts == [a, b] || hosts == [b, a] {
                self.break_pipe(now, pipe);
            }
        }
    }

    fn break_pipe(&mut self, now: u64, pipe: usize) {
        for side in 0..2 {
            self.pipes[pipe].stalled[side].clear();
            // A frame that is on its way meets a new generation of the pipe: none.
            self.pipes[pipe].last[side] = u64::MAX;
            if self.pipes[pipe].open[side] {
                let at = now + self.latency_to(pipe, side);
                self.sent.push((at, Transit::End { pipe, side }));
            }
        }
    }

    /// The host halts: its ends are gone; the others see that, unless it went silently. To some of
    /// them all that was on its way is lost, so that they know less of its last words than others.
    pub(super) fn halt(&mut self, now: u64, host: usize, silent: bool) {
        self.hosts[host] = if silent {
            Presence::Silent
        } else {
            Presence::Refusing
        };
        for pipe in 0..self.pipes.len() {
            for side in 0..2 {
                if self.pipes[pipe].homes[side].host == host && self.pipes[pipe].open[side] {
                    self.pipes[pipe].open[side] = false;
                    self.pipes[pipe].stalled[side].clear();
                    if self.chance.per_mille(self.laws.last_words_lost) {
                        self.pipes[pipe].last[1 - side] = u64::MAX;
                    }
                    if !silent {
                        self.send_end(now, pipe, 1 - side);
                    }
                }
            }
        }
    }

    pub(super) fn transmit(&mut self, now: u64, connection: Connection, frame: Bytes) {
        let Some(&(pipe, mine)) = self.ends.get(&connection) else {
            return;
        };
        let side = 1 - mine;
        if !self.pipes[pipe].open[mine] || self.pipes[pipe].last[side] == u64::MAX {
            return;
        }
        let mut at = now + self.latency_to(pipe, side);
        if self.laws.datagrams && !self.perfect {
            if self.chance.per_mille(self.laws.loss) {
                return;
            }
            if self.chance.per_mille(self.laws.duplicate) {
                let again = at + self.latency_to(pipe, side) * self.chance.within(1, 20);
                let frame = frame.clone();
                self.sent
                    .push((again, Transit::Frame { pipe, side, frame }));
            }
        } else {
            at = at.max(self.pipes[pipe].last[side]);
            self.pipes[pipe].last[side] = at;
        }
        self.sent.push((at, Transit::Frame { pipe, side, frame }));
    }

    pub(super) fn close(&mut self, now: u64, connection: Connection) {
        let Some((pipe, side)) = self.ends.remove(&connection) else {
            return;
        };
        if self.pipes[pipe].open[side] {
            self.pipes[pipe].open[side] = false;
            self.send_end(now, pipe, 1 - side);
        }
    }

    pub(super) fn send_end(&mut self, now: u64, pipe: usize, side: usize) {
        let mut at = now + self.latency_to(pipe, side);
        let last = self.pipes[pipe].last[side];
        if last != u64::MAX {
            at = at.max(last);
            self.pipes[pipe].last[side] = at;
        }
        self.sent.push((at, Transit::End { pipe, side }));
    }

    pub(super) fn cuts_into(&self, pipe: usize, side: usize) -> bool {
        let to = self.pipes[pipe].homes[side].host;
        let from = self.pipes[pipe].homes[1 - side].host;
        from != to && self.is_cut(from, to)
    }

    pub(super) fn arrive_item(
        &mut self,
        now: u64,
        pipe: usize,
        side: usize,
        item: Stalled,
    ) -> Vec<(Home, Input)> {
        let broken = self.pipes[pipe].last[side] == u64::MAX;
        if broken && matches!(item, Stalled::Frame(_)) {
            return Vec::new();
        }
        if self.cuts_into(pipe, side) && !broken {
            if !self.laws.datagrams {
                self.pipes[pipe].stalled[side].push_back(item);
            }
            return Vec::new();
        }
        if !self.pipes[pipe].stalled[side].is_empty() {
            self.pipes[pipe].stalled[side].push_back(item);
            return Vec::new();
        }
        self.hand_over(now, pipe, side, item).into_iter().collect()
    }

    pub(super) fn hand_over(
        &mut self,
        now: u64,
        pipe: usize,
        side: usize,
        item: Stalled,
    ) -> Option<(Home, Input)> {
        let (home, connection) = (self.pipes[pipe].homes[side], self.pipes[pipe].names[side]);
        let up = self.hosts[home.host] == Presence::Up(home.life);
        if !up || !self.pipes[pipe].open[side] {
            // The far end is gone: whoever still writes to it is told, if anybody answers.
            if self.pipes[pipe].open[1 - side] && self.hosts[home.host] != Presence::Silent {
                self.send_end(now, pipe, 1 - side);
            }
            return None;
        }
        match item {
            Stalled::Frame(frame) => Some((home, Input::Received { connection, frame })),
            Stalled::End => {
                self.pipes[pipe].open[side] = false;
                self.ends.remove(&connection);
                Some((
                    home,
                    Input::Closed {
                        connection,
                        by_peer: true,
                    },
                ))
            }
        }
    }
}
