//! Frames of any values on a transport machine's connections, before, during and after the
//! handshake. A session of two honest sites beside them loses and doubles nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::ids::SiteId;
use isis_core::link::Transport;
use isis_core::machine::transport::{Connection, Effect, Input};
use isis_core::machine::{Lane, Packet, Refusal, ViewToTransport};
use isis_core::time::Time;
use isis_core::wire::frame::{self, Greeting, Status};

use crate::choice::Choice;
use crate::cluster::{Cluster, site};
use crate::draw::draw;

/// Two machines with a connection between them, and a stranger with connections to the first.
pub struct Run {
    rng: Choice,
    now: Time,
    hosts: [Transport; 2],
    /// The other end of a connection, by the host that has this one.
    wires: BTreeMap<(usize, Connection), Option<(usize, Connection)>>,
    connections: u64,
    sent: u64,
    delivered: u64,
    heard: u64,
}

const HONEST: [u32; 2] = [0, 1];

#[test]
fn no_frame_stops_a_link_or_what_goes_over_another() {
    let mut heard = 0;
    for seed in 0..400 {
        let outcome = std::panic::catch_unwind(|| Run::new(Choice::seed(seed, 400..=400)).run());
        heard += outcome.unwrap_or_else(|_| panic!("SEED={seed}"));
    }
    assert!(heard > 200, "the stranger was hardly ever heard");
}

impl Run {
    pub fn new(rng: Choice) -> Run {
        let now = Time(1_000_000);
        let host = |id: u32| {
            let mut config = Config::new(SiteId(id));
            config.listen = id.to_string();
            Transport::new(&config, site(id), u64::from(id), now)
        };
        Run {
            rng,
            now,
            hosts: HONEST.map(host),
            wires: BTreeMap::new(),
            connections: 0,
            sent: 0,
            delivered: 0,
            heard: 0,
        }
    }

    /// Returns how many messages of the stranger were handed up.
    pub fn run(mut self) -> u64 {
        let mut view = Cluster::new(0).commit(&[site(0), site(1), site(3)]);
        for member in &mut view.members {
            member.address = member.site.to_string();
        }
        for host in 0..2 {
            self.input(host, Input::View(ViewToTransport::Install(view.clone())));
        }
        while self.rng.goes_on() {
            self.now = self.now + Duration::from_millis(self.rng.below(40));
            (0..2).for_each(|host| self.input(host, Input::Timeout));
            match self.rng.below(10) {
                0 => {
                    let connection = self.connect(0, None);
                    self.input(0, Input::Accepted(connection));
                }
                1..4 => self.send(),
                _ => self.strange_frame(),
            }
        }
        for _ in 0..2000 {
            if self.delivered == self.sent {
                break;
            }
            self.now = self.now + Duration::from_millis(50);
            (0..2).for_each(|host| self.input(host, Input::Timeout));
        }
        assert_eq!(
            self.delivered,
            self.sent,
            "{:?} {:?}",
            self.hosts[0].backlog(site(1)),
            self.wires
        );
        // A peer that lies about a site that is not there has no more connections than are allowed.
        let strange = self.wires.values().filter(|other| other.is_none());
        assert!(strange.count() <= 70);
        self.heard
    }

    fn connect(&mut self, host: usize, other: Option<(usize, Connection)>) -> Connection {
        self.connections += 1;
        let connection = Connection(self.connections);
        self.wires.insert((host, connection), other);
        connection
    }

    fn send(&mut self) {
        self.sent += 1;
        let packet = Packet {
            head: Bytes::copy_from_slice(&self.sent.to_le_bytes()),
            body: Bytes::new(),
        };
        let to = vec![site(1), site(3)];
        let lane = Lane::Data;
        self.input(0, Input::Send { to, lane, packet });
    }

    /// One frame on a connection that no honest machine has the other end of.
    fn strange_frame(&mut self) {
        let strange = self.wires.iter().filter(|(_, other)| other.is_none());
        let ends: Vec<(usize, Connection)> = strange.map(|(end, _)| *end).collect();
        if ends.is_empty() {
            return;
        }
        let (host, connection) = ends[self.rng.index(ends.len())];
        let frame = self.frame();
        self.input(host, Input::Received { connection, frame });
    }

    fn frame(&mut self) -> Bytes {
        let rng = &mut self.rng;
        let greeting = draw(&mut |n| rng.below(n));
        let mut greeting: Greeting = greeting.expect("any greeting can be drawn");
        if rng.per_mille(800) {
            greeting.cluster = Config::new(SiteId(0)).cluster;
            greeting.olabels.clear();
            greeting.to = SiteId(0);
            greeting.authentication.clear();
            greeting.epoch = None;
            greeting.to_incarnation = None;
        }
        if rng.per_mille(700) {
            greeting.from = site(3);
        }
        let mut number = |n: u64| match rng.below(8) {
            0 => u64::MAX - rng.below(3),
            1 => rng.next(),
            _ => rng.below(n),
        };
        // Nothing yet proves who somebody is: it may be any site but one of the two.
        if HONEST.contains(&greeting.from.id.0) {
            greeting.from.id = SiteId(3);
        }
        let mut acks = [number(3), number(3), number(3)];
        let (seq, after, total) = (number(12), [number(3), number(3)], number(40_000));
        let (stamp, echo) = (number(2), number(2));
        let bytes = vec![3; number(64).min(2000) as usize];
        let lane = [Lane::Control, Lane::Data, Lane::Bulk][rng.index(3)];
        if rng.per_mille(800) {
            acks = [0; 3];
        }
        let mut frame = match rng.below(12) {
            0..3 => frame::greeting(&greeting),
            3 => frame::answer(&greeting),
            4 => {
                let refusal: Option<Refusal> = draw(&mut |n| rng.below(n));
                frame::refusal(&refusal.unwrap_or(Refusal::Duplicate))
            }
            5..7 => frame::status(&Status {
                acks,
                stamp: rng.per_mille(500).then_some(stamp),
                echo: rng.per_mille(500).then_some(echo),
            }),
            7 => [&frame::view()[..], &bytes].concat().into(),
            kind => {
                let mut intro = Vec::new();
                if kind < 10 {
                    intro.extend(leb(total));
                }
                intro.extend(&bytes);
                frame::stream(lane, kind < 10, seq, &after, &acks, &intro)
            }
        };
        if rng.per_mille(200) && !frame.is_empty() {
            let mut changed = frame.to_vec();
            let place = rng.index(changed.len());
            changed[place] = rng.next() as u8;
            frame = changed.into();
        }
        frame
    }

    /// Carries out an input and everything that follows from it.
    fn input(&mut self, host: usize, input: Input) {
        let mut todo = VecDeque::from([(host, input)]);
        while let Some((host, input)) = todo.pop_front() {
            let mut effects = Vec::new();
            self.hosts[host].handle(self.now, input, &mut effects);
            for effect in effects {
                todo.extend(self.effect(host, effect));
            }
        }
    }

    fn effect(&mut self, host: usize, effect: Effect) -> Vec<(usize, Input)> {
        match effect {
            Effect::Connect { peer, .. } => self.dial(host, peer),
            Effect::Transmit { connection, frame } => {
                let frame = Bytes::from(frame.concat());
                match self.wires.get(&(host, connection)) {
                    Some(Some((other, connection))) => {
                        let connection = *connection;
                        vec![(*other, Input::Received { connection, frame })]
                    }
                    _ => vec![],
                }
            }
            Effect::Close(connection) => match self.wires.remove(&(host, connection)) {
                Some(Some((other, connection))) => {
                    self.wires.remove(&(other, connection));
                    let by_peer = true;
                    vec![(
                        other,
                        Input::Closed {
                            connection,
                            by_peer,
                        },
                    )]
                }
                _ => vec![],
            },
            Effect::Deliver(packet) => {
                if packet.from == site(0) {
                    self.delivered += 1;
                    assert_eq!(host, 1);
                    assert_eq!(packet.message, self.delivered.to_le_bytes()[..]);
                } else {
                    self.heard += 1;
                }
                vec![]
            }
            Effect::ToView(_) | Effect::Note(_) => vec![],
        }
    }

    /// An honest site is reached; the stranger only sometimes.
    fn dial(&mut self, host: usize, peer: SiteId) -> Vec<(usize, Input)> {
        let other = peer.0 as usize;
        if other > 1 {
            if self.rng.per_mille(500) {
                let connection = self.connect(host, None);
                return vec![(host, Input::Connected { connection, peer })];
            }
            let (refused, cause) = (self.rng.per_mille(500), "gone".into());
            let failed = Input::ConnectFailed {
                peer,
                refused,
                cause,
            };
            return vec![(host, failed)];
        }
        let theirs = self.connect(other, None);
        let ours = self.connect(host, Some((other, theirs)));
        self.wires.insert((other, theirs), Some((host, ours)));
        vec![
            (other, Input::Accepted(theirs)),
            (
                host,
                Input::Connected {
                    connection: ours,
                    peer,
                },
            ),
        ]
    }
}

/// A number as `wire::varint` has it.
fn leb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
