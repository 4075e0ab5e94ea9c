//! A seeded network of transport machines: as a stream it is reliable and ordered until it breaks, as
//! datagrams it loses, doubles and reorders. It checks every delivery: once, whole, and by the lane
//! rule.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::config::Config;
use crate::ids::{Epoch, Incarnation, Site, SiteId, ViewNumber};
use crate::link::{LANES, Transport};
use crate::machine::transport::{Connection, Effect, Input, Note};
use crate::machine::{FromPeer, Lane, LinkReport, Packet, TransportToView, ViewToTransport};
use crate::time::Time;
use crate::view::{Member, SiteView};

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A site of the id's `n`th incarnation.
pub(super) fn site(id: u32, n: u64) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(n),
    }
}

pub(super) fn address(id: SiteId) -> alloc::string::String {
    format!("site{id}")
}

/// A view of these sites that has admitted no others.
pub(super) fn view(number: u64, sites: &[Site]) -> SiteView {
    let member = |&site: &Site| Member {
        site,
        address: address(site.id),
    };
    SiteView {
        epoch: Epoch(7),
        number: ViewNumber(number),
        members: sites.iter().map(member).collect(),
        joined: Vec::new(),
        left: Vec::new(),
        founding: sites.iter().map(|s| s.id).collect(),
        highest: sites.iter().map(|s| (s.id, s.incarnation)).collect(),
    }
}

pub(super) fn config(id: SiteId) -> Config {
    let mut config = Config::new(id);
    config.listen = address(id);
    config
}

/// What the network does to frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// Frames may be reordered and, of a hundred, so many are lost or doubled.
    pub(super) datagrams: bool,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// The longest delay, in microseconds.
    pub(super) delay: u64,
}

pub(super) const STREAM: Faults = Faults {
    datagrams: false,
    lost: 0,
    doubled: 0,
    delay: 300,
};

struct End {
    owner: usize,
    other: Connection,
    /// Streams deliver in order: nothing before this.
    busy_until: Time,
}

enum Event {
    Input(usize, Input),
    Frame(Connection, Bytes),
    Broken(Connection),
}

/// A machine and what it has said.
pub(super) struct Host {
    pub(super) site: Site,
    pub(super) link: Transport,
    pub(super) listening: bool,
    pub(super) reports: Vec<LinkReport>,
    pub(super) messages: Vec<(Site, Bytes)>,
    pub(super) withheld: Vec<u64>,
    pub(super) notes: Vec<Note>,
    pub(super) delivered: usize,
    /// The sites that it must not hand up anything from.
    withholds: BTreeSet<Site>,
    /// It does not run before this.
    paused_until: Time,
}

/// Of one lane: each message's place in the order of sending, and its bytes.
type Pending = VecDeque<(u64, usize)>;

pub(super) struct Network {
    pub(super) now: Time,
    pub(super) hosts: Vec<Host>,
    pub(super) faults: Faults,
    events: BTreeMap<(Time, u64), Event>,
    ends: BTreeMap<Connection, End>,
    counter: u64,
    random: u64,
    /// Sent and not yet delivered, by sender and receiver.
    pending: BTreeMap<(Site, Site), [Pending; 3]>,
    sent: u64,
}

impl Network {
    /// Hosts with these sites; nobody knows anybody.
    pub(super) fn new(seed: u64, faults: Faults, sites: &[Site]) -> Network {
        let mut network = Network {
            now: Time(1_000_000),
            hosts: Vec::new(),
            faults,
            events: BTreeMap::new(),
            ends: BTreeMap::new(),
            counter: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            pending: BTreeMap::new(),
            sent: 0,
        };
        for &site in sites {
            network.add(site, config(site.id));
        }
        network
    }

    pub(super) fn add(&mut self, site: Site, config: Config) -> usize {
        let seed = self.random(u64::MAX);
        self.hosts.push(Host {
            site,
            link: Transport::new(&config, site, seed, self.now),
            listening: true,
            reports: Vec::new(),
            messages: Vec::new(),
            withheld: Vec::new(),
            notes: Vec::new(),
            delivered: 0,
            withholds: BTreeSet::new(),
            paused_until: Time(0),
        });
        self.hosts.len() - 1
    }

    /// All hosts install one view of all.
    pub(super) fn install_all(&mut self) {
        let sites: Vec<Site> = self.hosts.iter().map(|h| h.site).collect();
        for host in 0..self.hosts.len() {
            self.tell(host, ViewToTransport::Install(view(0, &sites)));
        }
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    pub(super) fn tell(&mut self, host: usize, request: ViewToTransport) {
        if let ViewToTransport::Withhold { sites, .. } = &request {
            self.hosts[host].withholds.clone_from(sites);
        }
        self.input(host, Input::View(request));
    }

    pub(super) fn seek(&mut self, host: usize, ids: &[u32]) {
        let seeds = ids.iter().map(|&id| (SiteId(id), address(SiteId(id))));
        self.tell(host, ViewToTransport::Seek(seeds.collect()));
    }

    /// Sends a message whose bytes tell its place and lane.
    pub(super) fn send(&mut self, from: usize, to: usize, lane: Lane, size: usize) {
        self.sent += 1;
        let (sender, receiver) = (self.hosts[from].site, self.hosts[to].site);
        let queues = self.pending.entry((sender, receiver)).or_default();
        queues[lane as usize].push_back((self.sent, size));
        let mut head = vec![lane as u8];
        head.extend_from_slice(&self.sent.to_le_bytes());
        let packet = Packet {
            head: Bytes::from(head),
            body: Bytes::from(vec![self.sent as u8; size]),
        };
        let to = vec![receiver];
        self.input(from, Input::Send { to, lane, packet });
    }

    pub(super) fn input(&mut self, host: usize, input: Input) {
        let mut effects = Vec::new();
        self.hosts[host].link.handle(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(host, effect);
        }
    }

    fn carry_out(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Connect { peer, address } => self.connect(host, peer, &address),
            Effect::Transmit { connection, frame } => self.transmit(connection, &frame.concat()),
            Effect::Close(connection) => self.close(connection),
            Effect::ToView(TransportToView::Report(report)) => {
                self.hosts[host].reports.push(report);
            }
            Effect::ToView(TransportToView::Message { from, message }) => {
                self.hosts[host].messages.push((from, message));
            }
            Effect::ToView(TransportToView::Withheld { token }) => {
                self.hosts[host].withheld.push(token);
            }
            Effect::Deliver(message) => self.check(host, &message),
            Effect::Note(note) => self.hosts[host].notes.push(note),
        }
    }

    fn connect(&mut self, host: usize, peer: SiteId, to: &str) {
        let listener = self
            .hosts
            .iter()
            .position(|h| h.listening && address(h.site.id) == to);
        let at = self.now + Duration::from_micros(self.faults.delay);
        let Some(listener) = listener else {
            let input = Input::ConnectFailed {
                peer,
                refused: true,
                cause: "connection refused".into(),
            };
            return self.schedule(at, Event::Input(host, input));
        };
        let (ours, theirs) = (Connection(self.counter + 1), Connection(self.counter + 2));
        self.counter += 2;
        for (end, owner, other) in [(ours, host, theirs), (theirs, listener, ours)] {
            let busy_until = at;
            self.ends.insert(
                end,
                End {
                    owner,
                    other,
                    busy_until,
                },
            );
        }
        let connection = ours;
        self.schedule(
            at,
            Event::Input(host, Input::Connected { connection, peer }),
        );
        self.schedule(at, Event::Input(listener, Input::Accepted(theirs)));
    }

    fn transmit(&mut self, from: Connection, frame: &[u8]) {
        let Some(to) = self.ends.get(&from).map(|end| end.other) else {
            return;
        };
        let frame = Bytes::copy_from_slice(frame);
        let faults = self.faults;
        let copies = match self.random(100) {
            n if n < faults.lost => 0,
            n if n < faults.lost + faults.doubled => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let mut at = self.now + Duration::from_micros(1 + self.random(faults.delay));
            if let Some(end) = self.ends.get_mut(&to)
                && !faults.datagrams
            {
                at = at.max(end.busy_until);
                end.busy_until = at;
            }
            self.schedule(at, Event::Frame(to, frame.clone()));
        }
    }

    fn close(&mut self, connection: Connection) {
        if let Some(end) = self.ends.remove(&connection) {
            let at = self.ends.get(&end.other).map_or(self.now, |e| e.busy_until);
            let at = at.max(self.now + Duration::from_micros(self.faults.delay));
            self.schedule(at, Event::Broken(end.other));
        }
    }

    /// Breaks all connections of a host, losing what they carry.
    pub(super) fn break_connections(&mut self, host: usize) {
        let ends = self.ends.iter().filter(|(_, end)| end.owner == host);
        for connection in ends.map(|(&c, _)| c).collect::<Vec<_>>() {
            if let Some(end) = self.ends.remove(&connection) {
                self.schedule(self.now, Event::Broken(end.other));
                self.input(
                    end.owner,
                    Input::Closed {
                        connection,
                        by_peer: true,
                    },
                );
            }
        }
    }

    /// How many there are.
    pub(super) fn connections(&self) -> usize {
        self.ends.len() / 2
    }

    /// All connections of a host go dead without a sign; new ones can be made.
    pub(super) fn deaden_connections(&mut self, host: usize) {
        let other = |end: &End| self.ends.get(&end.other).map(|other| other.owner);
        let dead = |end: &End| end.owner == host || other(end) == Some(host);
        let dead = self
            .ends
            .iter()
            .filter(|(_, end)| dead(end))
            .map(|(&c, _)| c);
        for connection in dead.collect::<Vec<_>>() {
            self.ends.remove(&connection);
        }
    }

    /// The host does not run for so long.
    pub(super) fn pause(&mut self, host: usize, duration: Duration) {
        self.hosts[host].paused_until = self.now + duration;
    }

    /// The host halts; whoever is connected sees it. It can be replaced.
    pub(super) fn crash(&mut self, host: usize) {
        self.hosts[host].listening = false;
        let ends = self.ends.iter().filter(|(_, end)| end.owner == host);
        for connection in ends.map(|(&c, _)| c).collect::<Vec<_>>() {
            self.close(connection);
        }
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.counter += 1;
        self.events.insert((at, self.counter), event);
    }

    /// Runs for this long.
    pub(super) fn run(&mut self, for_: Duration) {
        let end = self.now + for_;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until every host is idle, but no longer than this.
    pub(super) fn drain(&mut self, limit: Duration) {
        let end = self.now + limit;
        while self.hosts.iter().any(|h| h.listening && !h.link.is_idle()) {
            assert!(
                self.step(end),
                "not idle after {limit:?}: {:?}",
                self.pending
            );
        }
        let pending = self.pending.values().flatten();
        assert_eq!(pending.map(VecDeque::len).sum::<usize>(), 0, "lost");
    }

    fn step(&mut self, end: Time) -> bool {
        let event = self.events.first_key_value().map(|(&(at, _), _)| at);
        let live = (0..self.hosts.len()).filter(|&h| self.hosts[h].listening);
        let due = |h: usize| {
            let host = &self.hosts[h];
            Some((host.link.deadline()?.max(host.paused_until), h))
        };
        let timer = live.filter_map(due).min();
        match (event, timer) {
            (event, Some((at, host))) if at <= end && event.is_none_or(|e| at < e) => {
                self.now = self.now.max(at);
                self.input(host, Input::Timeout);
            }
            (Some(at), _) if at <= end => {
                self.now = self.now.max(at);
                if let Some((_, event)) = self.events.pop_first() {
                    self.happen(event);
                }
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, event: Event) {
        let Some(owner) = self.owner(&event) else {
            return;
        };
        if self.hosts[owner].paused_until > self.now {
            return self.schedule(self.hosts[owner].paused_until, event);
        }
        let input = match event {
            Event::Input(_, input) => input,
            Event::Frame(connection, frame) => Input::Received { connection, frame },
            Event::Broken(connection) => {
                self.ends.remove(&connection);
                let by_peer = true;
                Input::Closed {
                    connection,
                    by_peer,
                }
            }
        };
        self.input(owner, input);
    }

    /// Whom an event is for, if it still lives.
    fn owner(&self, event: &Event) -> Option<usize> {
        let owner = match event {
            Event::Input(host, _) => *host,
            Event::Frame(connection, _) | Event::Broken(connection) => {
                self.ends.get(connection)?.owner
            }
        };
        self.hosts[owner].listening.then_some(owner)
    }

    /// Exactly once, whole, and no earlier message of the same or a more urgent lane is missing.
    fn check(&mut self, host: usize, message: &FromPeer) {
        let key = (message.from, self.hosts[host].site);
        let receiver = &mut self.hosts[host];
        receiver.delivered += 1;
        assert!(!receiver.withholds.contains(&message.from), "withheld");
        let queues = self.pending.get_mut(&key).expect("from a sender");
        let (&lane, rest) = message.message.split_first().expect("a message of ours");
        let (place, body) = rest.split_first_chunk().expect("a message of ours");
        let place = u64::from_le_bytes(*place);
        let expected = queues[lane as usize].pop_front();
        assert_eq!(
            expected,
            Some((place, body.len())),
            "out of order, lost or doubled"
        );
        assert!(body.iter().all(|&b| b == place as u8), "corrupt");
        for urgent in LANES.iter().filter(|&&l| (l as u8) < lane) {
            let first = queues[*urgent as usize].front();
            assert!(first.is_none_or(|f| f.0 > place), "overtook {urgent:?}");
        }
    }
}
