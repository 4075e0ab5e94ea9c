//! Several view machines over a network in memory, under a script's control.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::ids::{Incarnation, Site, SiteId};
use isis_core::machine::view::{Effect, Input, Note};
use isis_core::machine::{Evidence, LinkReport, Refusal, TransportToView, ViewToTransport};
use isis_core::time::Time;
use isis_core::view::{Memory, SiteView, Views, describe};

/// How long a message takes.
const DELAY: Duration = Duration::from_millis(1);

/// Incarnation 1 of a site, as most scripts need it.
pub fn s(id: u32) -> Site {
    incarnation(id, 1)
}

pub fn incarnation(id: u32, incarnation: u64) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(incarnation),
    }
}

/// A configuration that lists these sites.
pub fn listing(id: u32, listed: &[u32]) -> Config {
    let mut config = Config::new(SiteId(id));
    let others = listed.iter().filter(|peer| **peer != id);
    config.peers = others.map(|peer| (SiteId(*peer), address(*peer))).collect();
    config
}

fn address(id: u32) -> String {
    format!("127.0.0.1:{}", 7000 + id)
}

/// One running machine and what it has done.
pub struct Node {
    pub views: Views,
    pub installed: Vec<SiteView>,
    pub excluded: Option<(SiteView, bool)>,
    pub notes: Vec<Note>,
    pub reachable: bool,
    /// Whom the transport looks for besides the members.
    pub seeks: Vec<(SiteId, String)>,
    pub withheld: BTreeSet<Site>,
}

/// What a script may do to messages: the sender, the receiver, and what it says; true keeps it.
type Filter = Box<dyn Fn(Site, Site, &str) -> bool>;

pub struct Network {
    pub now: Time,
    pub nodes: BTreeMap<Site, Node>,
    /// Halted machines with their histories, for the checks.
    pub halted: BTreeMap<Site, Node>,
    pub keep: Filter,
    pub trace: Vec<String>,
    /// What the stores hold, of sites that have one.
    pub disks: BTreeMap<SiteId, Memory>,
    /// These sites' writes do not end.
    pub stuck_disks: BTreeSet<SiteId>,
    /// The transport withholds only when `withhold_now` says so.
    pub withholds_late: bool,
    tokens: BTreeMap<Site, u64>,
    arrived: Vec<(Site, Site, Bytes)>,
    random: u64,
    lose_one_in: u64,
    flying: Vec<(Time, Site, Site, Bytes)>,
    cut: BTreeSet<(SiteId, SiteId)>,
}

impl Network {
    pub fn new() -> Network {
        Network {
            now: Time(1_000_000),
            nodes: BTreeMap::new(),
            halted: BTreeMap::new(),
            keep: Box::new(|_, _, _| true),
            trace: Vec::new(),
            disks: BTreeMap::new(),
            stuck_disks: BTreeSet::new(),
            withholds_late: false,
            tokens: BTreeMap::new(),
            arrived: Vec::new(),
            random: 1,
            lose_one_in: u64::MAX,
            flying: Vec::new(),
            cut: BTreeSet::new(),
        }
    }

    /// Sites 0..n, all listed, in their first view.
    pub fn formed(n: u32) -> Network {
        let mut network = Network::new();
        let listed: Vec<u32> = (0..n).collect();
        for id in 0..n {
            network.start(s(id), &listing(id, &listed));
        }
        network.run(50);
        network.expect_view("v0", &(0..n).collect::<Vec<_>>());
        network.trace.clear();
        network
    }

    /// The same with a store at each.
    pub fn formed_with_stores(n: u32) -> Network {
        let mut network = Network::new();
        let listed: Vec<u32> = (0..n).collect();
        for id in 0..n {
            network.give_store(id);
        }
        for id in 0..n {
            network.start(s(id), &listing(id, &listed));
        }
        network.until("all in one view", |n| n.settled(&listed));
        network.run(50);
        network.trace.clear();
        network
    }

    /// A new store: the next incarnation of the site that starts uses it.
    pub fn give_store(&mut self, id: u32) {
        self.disks.insert(SiteId(id), Memory::default());
    }

    /// Starts a machine; sessions to all running ones come up.
    pub fn start(&mut self, site: Site, config: &Config) {
        let seed = u64::from(site.id.0) << 32 | site.incarnation.0;
        let disk = self.disks.get_mut(&site.id);
        let memory = disk.map(|disk| {
            *disk = disk.clone().open(site.id, site.incarnation);
            disk.clone()
        });
        let views = Views::new(config, site, address(site.id.0), memory, seed, self.now);
        let node = Node {
            views,
            installed: Vec::new(),
            excluded: None,
            notes: Vec::new(),
            reachable: true,
            seeks: Vec::new(),
            withheld: BTreeSet::new(),
        };
        let others: Vec<Site> = self.nodes.keys().copied().collect();
        self.nodes.insert(site, node);
        self.input(site, Input::Timeout);
        for other in others {
            self.connect(site, other);
        }
    }

    /// The machine stops; the others' links find out at once that nobody is there.
    pub fn kill(&mut self, site: Site) {
        self.halt(site);
        for other in self.sites() {
            self.lost(other, site, Evidence::Refused);
        }
    }

    /// The machine stops, and nobody knows.
    pub fn halt(&mut self, site: Site) {
        let node = self.nodes.remove(&site).expect("a running site");
        self.halted.insert(site, node);
    }

    /// Both ends report the session.
    pub fn connect(&mut self, a: Site, b: Site) {
        for (at, site) in [(a, b), (b, a)] {
            if self.nodes.contains_key(&at) && self.nodes.contains_key(&site) && self.open(site, at)
            {
                let report = LinkReport::Up {
                    site,
                    address: address(site.id.0),
                    epoch: None,
                };
                self.report(at, report);
            }
        }
    }

    pub fn lost(&mut self, at: Site, site: Site, evidence: Evidence) {
        self.report(at, LinkReport::Lost { site, evidence });
    }

    pub fn report(&mut self, at: Site, report: LinkReport) {
        self.input(at, Input::Transport(TransportToView::Report(report)));
    }

    pub fn leave(&mut self, site: Site) {
        self.input(site, Input::Leave);
    }

    /// Nothing passes between the two sets any more, and each side falls silent for the other.
    pub fn cut(&mut self, left: &[u32], right: &[u32]) {
        self.cut_quietly(left, right);
        self.notice_cuts();
    }

    /// The same, but nobody notices yet.
    pub fn cut_quietly(&mut self, left: &[u32], right: &[u32]) {
        for (a, b) in left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (*a, *b)))
        {
            self.cut.insert((SiteId(a), SiteId(b)));
            self.cut.insert((SiteId(b), SiteId(a)));
        }
    }

    /// Every site is alone.
    pub fn isolate_all(&mut self) {
        let ids: Vec<u32> = self.nodes.keys().map(|s| s.id.0).collect();
        for a in &ids {
            for b in ids.iter().filter(|b| a != *b) {
                self.cut.insert((SiteId(*a), SiteId(*b)));
            }
        }
        self.notice_cuts();
    }

    /// Nothing passes from `a` to `b`.
    pub fn cut_one_way(&mut self, a: u32, b: u32) {
        self.cut.insert((SiteId(a), SiteId(b)));
        self.notice_cuts();
    }

    fn notice_cuts(&mut self) {
        for at in self.sites() {
            for site in self.sites() {
                if at != site && !self.open(site, at) {
                    self.lost(at, site, Evidence::Silence);
                }
            }
        }
    }

    /// All links are whole again. A site that a peer has excluded is told so instead (§4.1).
    pub fn heal(&mut self) {
        let cut = std::mem::take(&mut self.cut);
        for (a, b) in cut {
            let pairs: Vec<(Site, Site)> = self
                .sites()
                .into_iter()
                .flat_map(|x| self.sites().into_iter().map(move |y| (x, y)))
                .filter(|(x, y)| x.id == a && y.id == b)
                .collect();
            for (x, y) in pairs {
                match self.nodes[&x].installed.last() {
                    Some(view) if view.left.iter().any(|(site, _)| *site == y) => {
                        let reason = Refusal::Dead(Box::new(view.clone()));
                        self.report(y, LinkReport::Refused { peer: x.id, reason });
                    }
                    _ => self.connect(x, y),
                }
            }
        }
    }

    /// Lets time pass: messages arrive, timers fire.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until the condition holds.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Network) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while !holds(self) {
            assert!(self.step(end), "never: {what}\n{}", self.trace.join("\n"));
        }
    }

    /// The next arrival or timer before `end`.
    fn step(&mut self, end: Time) -> bool {
        let arrival = self.flying.iter().map(|m| m.0).min();
        let timer = self
            .nodes
            .iter()
            .filter_map(|(s, n)| n.views.deadline().map(|d| (d, *s)))
            .min();
        let due = [arrival, timer.map(|t| t.0)].into_iter().flatten().min();
        if due.is_none_or(|due| due > end) {
            return false;
        }
        self.now = self.now.max(due.unwrap_or_default());
        match timer {
            Some((deadline, site)) if arrival.is_none_or(|a| deadline < a) => {
                self.input(site, Input::Timeout);
            }
            _ => self.arrive(arrival.expect("something is due")),
        }
        true
    }

    fn arrive(&mut self, due: Time) {
        let next = self
            .flying
            .iter()
            .position(|m| m.0 == due)
            .expect("it is there");
        let (_, from, to, message) = self.flying.remove(next);
        if self.nodes.contains_key(&to) && self.open(from, to) {
            self.deliver(from, to, message);
        }
    }

    fn open(&self, from: Site, to: Site) -> bool {
        !self.cut.contains(&(from.id, to.id))
    }

    /// Hands over one input and carries out the effects; the transport withholds at once.
    pub fn input(&mut self, site: Site, input: Input) {
        let Some(node) = self.nodes.get_mut(&site) else {
            return;
        };
        let mut effects = Vec::new();
        node.views.handle(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(site, effect);
        }
    }

    fn carry_out(&mut self, site: Site, effect: Effect) {
        let node = self.nodes.get_mut(&site).expect("it has just run");
        match effect {
            Effect::ToTransport(ViewToTransport::Send { to, message }) => {
                let step = self.random.wrapping_mul(6364136223846793005);
                self.random = step.wrapping_add(1442695040888963407);
                let lost = (self.random >> 33).is_multiple_of(self.lose_one_in);
                if !lost && (self.keep)(site, to, &describe(&message)) {
                    self.flying.push((self.now + DELAY, site, to, message));
                }
            }
            Effect::ToTransport(ViewToTransport::Withhold { token, sites }) => {
                node.withheld = sites;
                self.tokens.insert(site, token);
                if !self.withholds_late {
                    self.withhold_now(site);
                }
            }
            Effect::ToTransport(ViewToTransport::Install(_)) => {}
            Effect::ToTransport(ViewToTransport::Seek(peers)) => node.seeks = peers,
            Effect::Install(view) => node.installed.push(view),
            Effect::Quorum { reachable } => node.reachable = reachable,
            Effect::Excluded { view, asked } => node.excluded = Some((view, asked)),
            Effect::Note(note) => node.notes.push(note),
            Effect::Persist { token, memory } if !self.stuck_disks.contains(&site.id) => {
                self.disks.insert(site.id, *memory);
                self.input(site, Input::Stored { token });
            }
            Effect::Persist { .. } => {}
        }
    }

    pub fn withhold_now(&mut self, site: Site) {
        let token = self.tokens[&site];
        self.input(site, Input::Transport(TransportToView::Withheld { token }));
    }

    /// From now on one message in `n` is lost, as the generator has it.
    pub fn lose_one_in(&mut self, n: u64) {
        self.lose_one_in = n;
    }

    /// The messages that arrived at a site and begin so.
    pub fn heard(&self, at: Site, words: &str) -> Vec<(Site, Bytes)> {
        let heard = self.arrived.iter().filter(|(_, to, _)| *to == at);
        heard
            .filter(|(_, _, message)| describe(message).starts_with(words))
            .map(|(from, _, message)| (*from, message.clone()))
            .collect()
    }

    pub fn deliver(&mut self, from: Site, to: Site, message: Bytes) {
        self.trace
            .push(format!("{from} -> {to}: {}", describe(&message)));
        self.arrived.push((from, to, message.clone()));
        self.input(
            to,
            Input::Transport(TransportToView::Message { from, message }),
        );
    }

    /// Something like this has arrived somewhere.
    pub fn said(&self, words: &str) -> bool {
        self.trace.iter().any(|line| line.contains(words))
    }

    /// How many first views there were.
    pub fn epochs(&self) -> usize {
        let nodes = self.nodes.values().chain(self.halted.values());
        let epochs: BTreeSet<_> = nodes.flat_map(|n| &n.installed).map(|v| v.epoch).collect();
        epochs.len()
    }

    pub fn sites(&self) -> Vec<Site> {
        self.nodes.keys().copied().collect()
    }

    pub fn noted(&self, site: Site, note: impl Fn(&Note) -> bool) -> bool {
        self.nodes[&site].notes.iter().any(note)
    }

    /// As `v3 [0.1 2.1]`, or `-`.
    pub fn view_of(&self, site: Site) -> String {
        self.nodes[&site]
            .views
            .current()
            .map_or("-".into(), SiteView::to_string)
    }

    /// All running sites among these ids are in one view of this number and of exactly these ids.
    pub fn expect_view(&self, number: &str, ids: &[u32]) {
        for site in self.sites().into_iter().filter(|s| ids.contains(&s.id.0)) {
            let view = self.view_of(site);
            let members: Vec<String> = self.members_of(site).iter().map(u32::to_string).collect();
            let expected: Vec<String> = ids.iter().map(u32::to_string).collect();
            assert!(
                view.starts_with(&format!("{number} ")) && members == expected,
                "{site} is in {view}, expected {number} {expected:?}\n{}",
                self.trace.join("\n")
            );
        }
        self.check();
    }

    /// All running sites are in one view of these ids, in any order.
    pub fn expect_members(&self, ids: &[u32]) {
        let views: BTreeSet<String> = self.sites().iter().map(|at| self.view_of(*at)).collect();
        assert_eq!(views.len(), 1, "{}", self.trace.join("\n"));
        for site in self.sites() {
            self.expect_members_at(site, ids);
        }
        self.check();
    }

    pub fn expect_members_at(&self, site: Site, ids: &[u32]) {
        let mut members = self.members_of(site);
        members.sort();
        assert_eq!(members, ids, "at {site}\n{}", self.trace.join("\n"));
    }

    fn members_of(&self, site: Site) -> Vec<u32> {
        let view = self.nodes[&site].views.current();
        view.map(|v| v.sites().map(|s| s.id.0).collect())
            .unwrap_or_default()
    }

    /// All running sites agree, and these are the ids.
    pub fn settled(&self, ids: &[u32]) -> bool {
        let mut views: Vec<Option<&SiteView>> =
            self.nodes.values().map(|n| n.views.current()).collect();
        views.dedup();
        views.len() == 1
            && self
                .nodes
                .keys()
                .next()
                .is_some_and(|site| self.members_of(*site) == ids)
    }

    /// All running sites agree, and these are the ids in any order.
    pub fn settled_members(&self, ids: &[u32]) -> bool {
        let views: BTreeSet<Option<&SiteView>> =
            self.nodes.values().map(|n| n.views.current()).collect();
        let members = views.first().copied().flatten().map(|view| {
            let ids: BTreeSet<u32> = view.sites().map(|s| s.id.0).collect();
            ids
        });
        views.len() == 1 && members == Some(ids.iter().copied().collect())
    }

    /// M1, M2, M4, M8 and no gaps, of all that was ever installed.
    pub fn check(&self) {
        let mut known: BTreeMap<_, &SiteView> = BTreeMap::new();
        for (site, node) in self.nodes.iter().chain(&self.halted) {
            for view in &node.installed {
                assert!(view.contains(*site), "{site} installed {view}");
                let first = known.entry((view.epoch, view.number)).or_insert(view);
                assert_eq!(*first, view, "two views of one number");
            }
            for pair in node.installed.windows(2) {
                assert_eq!(pair[0].number.0 + 1, pair[1].number.0, "a gap at {site}");
                let kept: Vec<Site> = pair[0].sites().filter(|s| pair[1].contains(*s)).collect();
                let all: Vec<Site> = kept.iter().chain(&pair[1].joined).copied().collect();
                assert_eq!(
                    all,
                    pair[1].sites().collect::<Vec<_>>(),
                    "not in order of age"
                );
            }
        }
    }
}
