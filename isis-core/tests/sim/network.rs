//! The simulated network: hosts by number, connections as TCP has them (in order, breakable) or as
//! lossy datagrams, and cuts per direction.
//!
//! What is on its way lives in the cluster's event heap; when it arrives, [`Network::arrive`] says
//! what the host at the other end sees, if anything.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use isis_core::ids::SiteId;
use isis_core::machine::transport::{Connection, Input};

use super::options::Options;
use super::rng::Rng;

/// One life of a host: which host, and how often it had been started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    pub host: usize,
    pub life: u64,
}

/// What is on its way.
#[derive(Clone, Debug)]
pub enum Transit {
    Syn {
        from: Home,
        to: usize,
        peer: SiteId,
    },
    SynAck {
        pipe: usize,
        peer: SiteId,
    },
    SynLost {
        from: Home,
        peer: SiteId,
        refused: bool,
    },
    Frame {
        pipe: usize,
        side: usize,
        frame: Bytes,
    },
    End {
        pipe: usize,
        side: usize,
    },
    /// What a cut had held back goes on.
    Thaw {
        pipe: usize,
        side: usize,
    },
}

/// A connection; `side` 0 made it.
#[derive(Debug)]
struct Pipe {
    homes: [Home; 2],
    names: [Connection; 2],
    open: [bool; 2],
    /// When the last of what goes to this side arrives (TCP keeps order).
    last: [u64; 2],
    /// What a cut holds back on its way to this side (TCP repeats until it arrives).
    stalled: [VecDeque<Stalled>; 2],
}

#[derive(Debug)]
enum Stalled {
    Frame(Bytes),
    End,
}

/// How a host is there for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Up(u64),
    /// Its machine answers that nobody listens.
    Refusing,
    /// Nothing answers.
    Silent,
}

#[derive(Debug)]
pub struct Network {
    rng: Rng,
    options: Options,
    pub hosts: Vec<Presence>,
    cuts: Vec<Vec<bool>>,
    /// By which factor each direction between two hosts is slower than the fastest.
    skews: Vec<Vec<u64>>,
    pipes: Vec<Pipe>,
    ends: BTreeMap<Connection, (usize, usize)>,
    names: u64,
    /// Slower by this factor for now (`Fault::SlowNetwork`).
    pub slowness: u64,
    pub perfect: bool,
    /// To be put into the event heap: when, what.
    pub sent: Vec<(u64, Transit)>,
}

impl Network {
    pub fn new(options: &Options, hosts: usize, mut rng: Rng) -> Network {
        let mut skew = || match rng.per_mille(300) {
            true => rng.within(1, options.skew),
            false => 1,
        };
        let skews = (0..hosts).map(|_| (0..hosts).map(|_| skew()).collect());
        Network {
            skews: skews.collect(),
            rng,
            options: options.clone(),
            hosts: vec![Presence::Silent; hosts],
            cuts: vec![vec![false; hosts]; hosts],
            pipes: Vec::new(),
            ends: BTreeMap::new(),
            names: 0,
            slowness: 1,
            perfect: false,
            sent: Vec::new(),
        }
    }

    fn latency(&mut self, from: usize, to: usize) -> u64 {
        let law = self.options.latency;
        let factor = self.slowness * self.skews[from][to];
        let mut latency = self.rng.within(law.low, law.high) * factor;
        if !self.perfect && self.rng.per_mille(law.tail_chance) {
            latency += self.rng.below(law.tail);
        }
        latency
    }

    /// Of what goes to this side of a pipe.
    fn latency_to(&mut self, pipe: usize, side: usize) -> u64 {
        let homes = &self.pipes[pipe].homes;
        let (from, to) = (homes[1 - side].host, homes[side].host);
        self.latency(from, to)
    }

    fn name(&mut self) -> Connection {
        self.names += 1;
        Connection(self.names)
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to]
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts[from][to] = true;
    }

    /// Ends all cuts.
    pub fn heal(&mut self, now: u64) {
        for row in &mut self.cuts {
            row.fill(false);
        }
        for pipe in 0..self.pipes.len() {
            for side in 0..2 {
                if !self.pipes[pipe].stalled[side].is_empty() {
                    let at = now + self.latency_to(pipe, side);
                    self.sent.push((at, Transit::Thaw { pipe, side }));
                }
            }
        }
    }

    /// Breaks all connections between two hosts, losing what is on its way; both ends see it.
    pub fn break_between(&mut self, now: u64, a: usize, b: usize) {
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
    pub fn halt(&mut self, now: u64, host: usize, silent: bool) {
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
                    if self.rng.per_mille(self.options.last_words_lost) {
                        self.pipes[pipe].last[1 - side] = u64::MAX;
                    }
                    if !silent {
                        self.send_end(now, pipe, 1 - side);
                    }
                }
            }
        }
    }

    pub fn connect(&mut self, now: u64, from: Home, to: usize, peer: SiteId) {
        let at = now + self.latency(from.host, to);
        self.sent.push((at, Transit::Syn { from, to, peer }));
    }

    pub fn transmit(&mut self, now: u64, connection: Connection, frame: Bytes) {
        let Some(&(pipe, mine)) = self.ends.get(&connection) else {
            return;
        };
        let side = 1 - mine;
        if !self.pipes[pipe].open[mine] || self.pipes[pipe].last[side] == u64::MAX {
            return;
        }
        let mut at = now + self.latency_to(pipe, side);
        if self.options.datagrams && !self.perfect {
            if self.rng.per_mille(self.options.loss) {
                return;
            }
            if self.rng.per_mille(self.options.duplicate) {
                let again = at + self.latency_to(pipe, side) * self.rng.within(1, 20);
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

    pub fn close(&mut self, now: u64, connection: Connection) {
        let Some((pipe, side)) = self.ends.remove(&connection) else {
            return;
        };
        if self.pipes[pipe].open[side] {
            self.pipes[pipe].open[side] = false;
            self.send_end(now, pipe, 1 - side);
        }
    }

    fn send_end(&mut self, now: u64, pipe: usize, side: usize) {
        let mut at = now + self.latency_to(pipe, side);
        let last = self.pipes[pipe].last[side];
        if last != u64::MAX {
            at = at.max(last);
            self.pipes[pipe].last[side] = at;
        }
        self.sent.push((at, Transit::End { pipe, side }));
    }

    /// A stranger connects to the host and talks nonsense.
    pub fn garbage(&mut self, now: u64, host: usize) {
        let Presence::Up(life) = self.hosts[host] else {
            return;
        };
        let home = Home { host, life };
        let stranger = Home {
            host,
            life: u64::MAX,
        };
        let pipe = self.new_pipe([stranger, home]);
        self.sent.push((
            now,
            Transit::SynAck {
                pipe,
                peer: SiteId(u32::MAX),
            },
        ));
        let len = self.rng.within(0, 60) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| self.rng.next() as u8).collect();
        if self.rng.per_mille(500) {
            // A frame's first bytes, to get past the first check.
            bytes.splice(
                0..0,
                [
                    self.rng.within(1, 3) as u8,
                    b'I',
                    b'S',
                    b'I',
                    b'S',
                    1,
                    0,
                    1,
                    0,
                ],
            );
        }
        let frame = Bytes::from(bytes);
        self.sent.push((
            now + 10,
            Transit::Frame {
                pipe,
                side: 1,
                frame,
            },
        ));
    }

    fn new_pipe(&mut self, homes: [Home; 2]) -> usize {
        let names = [self.name(), self.name()];
        self.pipes.push(Pipe {
            homes,
            names,
            open: [false, true],
            last: [0; 2],
            stalled: [VecDeque::new(), VecDeque::new()],
        });
        let pipe = self.pipes.len() - 1;
        self.ends.insert(names[0], (pipe, 0));
        self.ends.insert(names[1], (pipe, 1));
        pipe
    }

    /// Something arrives: what the hosts see of it.
    pub fn arrive(&mut self, now: u64, transit: Transit) -> Vec<(Home, Input)> {
        match transit {
            Transit::Syn { from, to, peer } => self.arrive_syn(now, from, to, peer),
            Transit::SynAck { pipe, peer } => self.arrive_syn_ack(now, pipe, peer),
            Transit::SynLost {
                from,
                peer,
                refused,
            } => {
                let cause = if refused { "refused" } else { "timed out" };
                let cause = cause.to_string();
                vec![(
                    from,
                    Input::ConnectFailed {
                        peer,
                        refused,
                        cause,
                    },
                )]
            }
            Transit::Frame { pipe, side, frame } => {
                self.arrive_item(now, pipe, side, Stalled::Frame(frame))
            }
            Transit::End { pipe, side } => self.arrive_item(now, pipe, side, Stalled::End),
            Transit::Thaw { pipe, side } => {
                if self.cuts_into(pipe, side) {
                    return Vec::new();
                }
                let items = std::mem::take(&mut self.pipes[pipe].stalled[side]);
                items
                    .into_iter()
                    .flat_map(|item| self.hand_over(now, pipe, side, item))
                    .collect()
            }
        }
    }

    fn arrive_syn(&mut self, now: u64, from: Home, to: usize, peer: SiteId) -> Vec<(Home, Input)> {
        let cut = self.is_cut(from.host, to) || self.is_cut(to, from.host);
        let Presence::Up(life) = self.hosts[to] else {
            let refused = !cut && self.hosts[to] == Presence::Refusing;
            let wait = if refused {
                self.latency(to, from.host)
            } else {
                self.options.suspect_micros()
            };
            self.sent.push((
                now + wait,
                Transit::SynLost {
                    from,
                    peer,
                    refused,
                },
            ));
            return Vec::new();
        };
        if cut {
            let wait = self.options.suspect_micros();
            self.sent.push((
                now + wait,
                Transit::SynLost {
                    from,
                    peer,
                    refused: false,
                },
            ));
            return Vec::new();
        }
        let home = Home { host: to, life };
        let pipe = self.new_pipe([from, home]);
        let at = now + self.latency(to, from.host);
        self.pipes[pipe].last[0] = at;
        self.sent.push((at, Transit::SynAck { pipe, peer }));
        vec![(home, Input::Accepted(self.pipes[pipe].names[1]))]
    }

    fn arrive_syn_ack(&mut self, now: u64, pipe: usize, peer: SiteId) -> Vec<(Home, Input)> {
        let (home, name) = (self.pipes[pipe].homes[0], self.pipes[pipe].names[0]);
        if home.life == u64::MAX {
            let name = self.pipes[pipe].names[1];
            return vec![(self.pipes[pipe].homes[1], Input::Accepted(name))];
        }
        if self.hosts[home.host] != Presence::Up(home.life) {
            self.send_end(now, pipe, 1);
            return Vec::new();
        }
        self.pipes[pipe].open[0] = true;
        let connection = name;
        vec![(home, Input::Connected { connection, peer })]
    }

    fn cuts_into(&self, pipe: usize, side: usize) -> bool {
        let to = self.pipes[pipe].homes[side].host;
        let from = self.pipes[pipe].homes[1 - side].host;
        from != to && self.is_cut(from, to)
    }

    fn arrive_item(
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
            if !self.options.datagrams {
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

    fn hand_over(
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
