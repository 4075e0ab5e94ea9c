//! The simulated network: hosts by number, connections as TCP has them (in order, breakable) or as
//! lossy datagrams, and cuts per direction.
//!
//! What is on its way lives in the cluster's event heap; when it arrives, [`Network::arrive`] says
//! what the host at the other end sees, if anything.

use std::collections::BTreeMap;

use crate::ids::{Incarnation, Site, SiteId};
use crate::machine::transport::{Connection, Input};
use bytes::Bytes;

use super::chance::{Chance, PLANS};
use super::laws::Laws;
use super::pipe::{Pipe, Stalled};

/// One life of a host: which host, and how often it had been started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) host: usize,
    pub(super) life: u64,
}

impl Home {
    /// The site that runs there.
    pub(super) fn site(self) -> Site {
        Site {
            id: SiteId(self.host as u32),
            incarnation: Incarnation(self.life),
        }
    }
}

/// What is on its way.
#[derive(Clone, Debug)]
pub(super) enum Transit {
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

/// How a host is there for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Up(u64),
    /// Its machine answers that nobody listens.
    Refusing,
    /// Nothing answers.
    Silent,
}

#[derive(Debug)]
pub(super) struct Network {
    pub(super) chance: Chance,
    pub(super) laws: Laws,
    pub(super) hosts: Vec<Presence>,
    cuts: Vec<Vec<bool>>,
    /// By which factor each direction between two hosts is slower than the fastest.
    skews: Vec<Vec<u64>>,
    pub(super) pipes: Vec<Pipe>,
    pub(super) ends: BTreeMap<Connection, (usize, usize)>,
    names: u64,
    /// Slower by this factor for now .
    pub(super) slowness: u64,
    pub(super) perfect: bool,
    /// To be put into the event heap: when, what.
    pub(super) sent: Vec<(u64, Transit)>,
}

impl Network {
    pub(super) fn new(laws: &Laws, hosts: usize, mut chance: Chance) -> Network {
        let mut skew = || match chance.per_mille(300) {
            true => chance.within(1, laws.skew),
            false => 1,
        };
        let skews = (0..hosts).map(|_| (0..hosts).map(|_| skew()).collect());
        Network {
            skews: skews.collect(),
            chance,
            laws: laws.clone(),
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
        let law = self.laws.latency;
        let factor = self.slowness * self.skews[from][to];
        let mut latency = self.chance.within(law.low, law.high) * factor;
        if !self.perfect && self.chance.per_mille(law.tail_chance) {
            latency += self.chance.below(law.tail);
        }
        latency
    }

    /// Of what goes to this side of a pipe.
    pub(super) fn latency_to(&mut self, pipe: usize, side: usize) -> u64 {
        let homes = &self.pipes[pipe].homes;
        let (from, to) = (homes[1 - side].host, homes[side].host);
        self.latency(from, to)
    }

    fn name(&mut self) -> Connection {
        self.names += 1;
        Connection(self.names)
    }

    /// What it has decided, or was told by a tape.
    pub(super) fn decided(&self) -> &Vec<u8> {
        &self.chance.lanes()[PLANS]
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to]
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.cuts[from][to] = true;
    }

    /// Ends all cuts.
    pub(super) fn heal(&mut self, now: u64) {
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

    pub(super) fn connect(&mut self, now: u64, from: Home, to: usize, peer: SiteId) {
        let at = now + self.latency(from.host, to);
        self.sent.push((at, Transit::Syn { from, to, peer }));
    }

    /// A stranger connects to the host and talks nonsense.
    pub(super) fn garbage(&mut self, now: u64, host: usize) {
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
        let len = self.chance.within(0, 60) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| self.chance.draw() as u8).collect();
        if self.chance.per_mille(500) {
            // A frame's first bytes, to get past the first check.
            bytes.splice(
                0..0,
                [
                    self.chance.within(1, 3) as u8,
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
            stalled: Default::default(),
        });
        let pipe = self.pipes.len() - 1;
        self.ends.insert(names[0], (pipe, 0));
        self.ends.insert(names[1], (pipe, 1));
        pipe
    }

    /// Something arrives: what the hosts see of it.
    pub(super) fn arrive(&mut self, now: u64, transit: Transit) -> Vec<(Home, Input)> {
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
                self.laws.unanswered
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
            let wait = self.laws.unanswered;
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
}
