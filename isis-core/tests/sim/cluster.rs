//! The whole cluster: hosts, the event heap, the faulty phase, the healing and the quiet phase.

use std::collections::BTreeMap;

use isis_core::audit::trace::{Trace, What};
use isis_core::config::Config;
use isis_core::ids::{Epoch, Incarnation, ProcessId, Site};
use isis_core::view::{Memory, SiteView};

use super::counts::Counts;
use super::liveness;
use super::network::{Home, Network, Presence, Transit};
use super::options::{MS, Options, SECOND, Stores};
use super::properties::Violation;
use super::rng::Rng;
use super::site::{Env, Node, WakeUp, address_of, id_of};

/// The cluster must come to rest within this time after faults have stopped.
const REST_WITHIN: u64 = 60 * SECOND;
const CHECK_INTERVAL: u64 = 100 * MS;

/// What is to come.
#[derive(Debug)]
pub enum Event {
    Arrives(Transit),
    WakeUp(Home, WakeUp),
    Start(usize),
    /// A site that is out of the view ends.
    Retire(Home),
    Operation,
    Fault,
    /// A fault in the midst of a storm.
    Strike,
    /// All sites halt.
    TotalFailure,
    Heal,
    NormalSpeed,
}

pub struct Cluster {
    pub options: Options,
    pub rng: Rng,
    pub now: u64,
    pub network: Network,
    pub nodes: Vec<Option<Box<Node>>>,
    lives: Vec<u64>,
    /// What the stores of hosts that are down hold.
    disks: Vec<Option<Memory>>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub trace: Trace,
    pub counts: Counts,
    known: Vec<ProcessId>,
    budget: u64,
    /// So many operations are left of a storm.
    pub storm: u64,
    pub quiet: bool,
    /// Site views seen so far, and up to where the trace has been searched for them.
    views: BTreeMap<(Epoch, u64), SiteView>,
    latest: Option<(Epoch, u64)>,
    searched: usize,
    starts: usize,
}

impl Cluster {
    pub fn new(seed: u64, verbose: bool) -> Cluster {
        let options = Options::draw(seed);
        let mut rng = Rng::new(seed.wrapping_mul(31).wrapping_add(7));
        let hosts = options.listed + options.late;
        Cluster {
            network: Network::new(&options, hosts, rng.fork()),
            rng,
            now: 0,
            nodes: (0..hosts).map(|_| None).collect(),
            lives: vec![0; hosts],
            disks: (0..hosts)
                .map(|host| options.has_store(host).then(Memory::default))
                .collect(),
            events: BTreeMap::new(),
            sequence: 0,
            trace: Trace {
                verbose,
                ..Trace::default()
            },
            counts: Counts::default(),
            known: Vec::new(),
            budget: options.budget * 2,
            storm: 0,
            quiet: false,
            views: BTreeMap::new(),
            latest: None,
            searched: 0,
            starts: 0,
            options,
        }
    }

    /// The whole run. The trace is to be checked afterwards, whether it came to rest or not.
    pub fn run(&mut self) -> Result<(), Violation> {
        if self.options.is_rough() {
            self.disturb("the network or the threads are slow at times".into());
        }
        self.plan();
        self.run_until(self.options.faulty_phase);
        self.stop_faults();
        self.come_to_rest()
    }

    fn plan(&mut self) {
        let spread = [10 * MS, SECOND][self.rng.index(2)];
        for host in 0..self.nodes.len() {
            let late = host >= self.options.listed;
            let most = if late {
                self.options.faulty_phase
            } else {
                spread
            };
            let at = self.rng.below(most);
            self.at(at, Event::Start(host));
        }
        for _ in 0..self.options.total_failures {
            let at = self.rng.below(self.options.faulty_phase);
            self.at(at, Event::TotalFailure);
        }
        self.plan_operation();
        self.plan_fault();
    }

    fn plan_fault(&mut self) {
        let wait = self.rng.around(self.options.fault_interval);
        self.at(self.now + wait, Event::Fault);
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    pub fn heal_at(&mut self, at: u64) {
        self.at(at, Event::Heal);
    }

    pub fn normal_speed_at(&mut self, at: u64) {
        self.at(at, Event::NormalSpeed);
    }

    pub fn disturb(&mut self, text: String) {
        self.trace.add(self.now, What::Disturbance(text));
    }

    fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.events.first_entry() {
            let at = entry.key().0;
            if at > end {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(at);
            self.happens(event);
            for (at, transit) in std::mem::take(&mut self.network.sent) {
                self.at(at, Event::Arrives(transit));
            }
        }
        self.now = end;
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(transit) => {
                for (home, input) in self.network.arrive(self.now, transit) {
                    if self.is(home) {
                        self.with_node(home.host, |node, _| node.arrive(input));
                    }
                }
            }
            Event::WakeUp(home, wake_up) if self.is(home) => {
                self.with_node(home.host, |node, env| match wake_up {
                    WakeUp::Take(_) if node.paused_until > env.now => {
                        env.wake_ups.push((node.paused_until, wake_up));
                    }
                    WakeUp::Take(process) => node.take(process, env),
                    WakeUp::Machines => {}
                });
            }
            Event::WakeUp(..) => {}
            Event::Start(host) => self.start(host),
            Event::Retire(home) => {
                if self.is(home) {
                    self.halt(home.host, false);
                }
            }
            Event::Operation if self.quiet => {}
            Event::Operation => {
                self.operate();
                self.plan_operation();
            }
            Event::Fault | Event::Strike if self.quiet => {}
            Event::Strike => self.fault(),
            Event::Fault => {
                self.fault();
                self.plan_fault();
            }
            Event::TotalFailure => {
                self.counts.total_failures += 1;
                let silent = self.rng.per_mille(self.options.silent_crash);
                (0..self.nodes.len()).for_each(|host| self.halt(host, silent));
            }
            Event::Heal => self.heal(),
            Event::NormalSpeed => self.network.slowness = 1,
        }
    }

    fn heal(&mut self) {
        self.network.heal(self.now);
        self.trace
            .add(self.now, What::Disturbance("all cuts are healed".into()));
    }

    fn is(&self, home: Home) -> bool {
        self.nodes[home.host]
            .as_ref()
            .is_some_and(|n| n.home == home)
    }

    /// Acts on a site and lets it run, unless it is paused.
    pub fn with_node(&mut self, host: usize, act: impl FnOnce(&mut Node, &mut Env<'_>)) {
        let Some(mut node) = self.nodes[host].take() else {
            return;
        };
        let was_out = node.out;
        let mut env = Env {
            now: self.now,
            options: &self.options,
            rng: &mut self.rng,
            network: &mut self.network,
            trace: &mut self.trace,
            counts: &mut self.counts,
            known: &self.known,
            budget: self.budget,
            smooth: self.quiet,
            wake_ups: Vec::new(),
        };
        act(&mut node, &mut env);
        let paused = node.paused_until > env.now;
        let runs = paused || node.run(&mut env);
        self.budget = env.budget;
        let wake_ups = std::mem::take(&mut env.wake_ups);
        let (home, out) = (node.home, node.out);
        self.nodes[host] = Some(node);
        for (at, wake_up) in wake_ups {
            self.at(at, Event::WakeUp(home, wake_up));
        }
        if !runs {
            let silent = self.rng.per_mille(self.options.silent_crash);
            self.halt(host, silent);
        } else if out.is_some() && was_out.is_none() {
            let delay = if out == Some(true) {
                0
            } else {
                self.rng.below(500 * MS)
            };
            self.at(self.now + delay, Event::Retire(home));
        }
    }

    /// Lets a site stand still.
    pub fn pause(&mut self, host: usize, until: u64) {
        self.with_node(host, |node, env| {
            node.paused_until = until;
            env.wake_ups.push((until, WakeUp::Machines));
        });
    }

    fn config(&self, host: usize) -> Config {
        let mut config = Config::new(id_of(host));
        config.listen = address_of(host);
        for peer in (0..self.options.listed).filter(|p| *p != host) {
            config.peers.insert(id_of(peer), address_of(peer));
        }
        config.hello_interval = self.options.hello;
        config.suspect_after = self.options.suspect;
        config.window_messages = self.options.window_messages;
        config.along_bytes = self.options.along_bytes;
        config.patience = self.options.patience;
        config
    }

    fn start(&mut self, host: usize) {
        if self.nodes[host].is_some() {
            return;
        }
        self.lives[host] += 1;
        let life = self.lives[host];
        if life > 1 {
            self.counts.restarts += 1;
        }
        let home = Home { host, life };
        let site = Site {
            id: id_of(host),
            incarnation: Incarnation(life),
        };
        let config = self.config(host);
        self.network.hosts[host] = Presence::Up(life);
        let mut env = Env {
            now: self.now,
            options: &self.options,
            rng: &mut self.rng,
            network: &mut self.network,
            trace: &mut self.trace,
            counts: &mut self.counts,
            known: &self.known,
            budget: self.budget,
            smooth: self.quiet,
            wake_ups: Vec::new(),
        };
        let disk = self.disks[host].take();
        let node = Node::start(home, &config, site, disk, &mut env);
        self.nodes[host] = Some(Box::new(node));
        for _ in 0..self.options.processes {
            self.open(host);
        }
    }

    pub fn open(&mut self, host: usize) {
        let mut opened = None;
        self.with_node(host, |node, env| {
            let id = node.open(env);
            opened = Some(id);
            node.with_app(id.index, env, |app, env, calls| {
                for _ in 0..env.rng.within(1, 2) {
                    app.join(env, calls);
                }
            });
        });
        self.known.extend(opened);
    }

    /// The host's site halts; perhaps it comes back.
    pub fn halt(&mut self, host: usize, silent: bool) {
        let Some(node) = self.nodes[host].take() else {
            return;
        };
        self.disks[host] = node.disk.map(|disk| disk.after_halt(&mut self.rng));
        if node.out.is_none() {
            self.trace.add(self.now, What::Crash(node.site));
        }
        self.network.halt(self.now, host, silent);
        if !self.quiet && self.rng.per_mille(self.options.restart) {
            let most = [10 * MS, 4 * self.options.suspect_micros()][self.rng.index(2)];
            let at = self.now + self.rng.below(most);
            self.at(at, Event::Start(host));
        }
    }

    fn stop_faults(&mut self) {
        self.quiet = true;
        self.trace.add(self.now, What::Quiet);
        self.network.perfect = true;
        self.network.slowness = 1;
        self.network.heal(self.now);
        self.observe();
        for host in 0..self.nodes.len() {
            if let Some(node) = &mut self.nodes[host] {
                node.paused_until = 0;
                node.doom = None;
                self.with_node(host, |_, _| {});
            } else if self.latest.is_none()
                || self.options.stores == Stores::All
                || self.rng.per_mille(500)
            {
                let at = self.now + self.rng.below(SECOND);
                self.starts += 1;
                self.at(at, Event::Start(host));
            }
        }
        for (at, transit) in std::mem::take(&mut self.network.sent) {
            self.at(at, Event::Arrives(transit));
        }
    }

    /// Runs until nothing is pending and nothing changes any more.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        let limit = self.now + REST_WITHIN + 20 * self.options.suspect_micros();
        let calm = SECOND + 3 * self.options.suspect_micros();
        let (mut since, mut records) = (self.now, 0);
        loop {
            self.run_until(self.now + CHECK_INTERVAL);
            self.observe();
            let pending = liveness::pending(self);
            let views = self.views.len();
            if !pending.is_empty() || views != records {
                (since, records) = (self.now, views);
            }
            if pending.is_empty() && self.now - since > calm {
                self.trace.live = true;
                return Ok(());
            }
            if !self.has_hope() && self.now - since > calm {
                self.counts.ended_blocked += 1;
                return Ok(());
            }
            if self.now > limit {
                if !self.has_hope() {
                    self.counts.ended_blocked += 1;
                    return Ok(());
                }
                let text = format!(
                    "after a long quiet time still pending:\n  {}",
                    pending.join("\n  ")
                );
                return Err(Violation {
                    property: "L2",
                    text,
                });
            }
        }
    }

    /// Reads new site views out of the trace.
    fn observe(&mut self) {
        for record in &self.trace.records[self.searched..] {
            if let What::Install(_, view) = &record.what {
                let key = (view.epoch, view.number.0);
                let newer = match self.latest {
                    Some((epoch, n)) if epoch == view.epoch => n < view.number.0,
                    _ => !self.views.contains_key(&key),
                };
                if newer {
                    self.latest = Some(key);
                }
                self.views.entry(key).or_insert_with(|| view.clone());
            }
        }
        self.searched = self.trace.records.len();
    }

    /// The sites that run and are not out.
    pub fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .flatten()
            .map(Box::as_ref)
            .filter(|n| n.out.is_none())
    }

    /// Whether the sites that run, without this host, can go on: a quorum of the latest view that
    /// anybody has acted on, and of the views that those have who do not know it yet (R5).
    pub fn can_go_on(&mut self, without: Option<usize>) -> bool {
        self.observe();
        let Some(latest) = self.latest.map(|key| &self.views[&key]) else {
            return true;
        };
        if self.options.stores == Stores::All && !self.quiet {
            // Whoever halts comes back in the end.
            return true;
        }
        let others = || self.living().filter(|n| Some(n.home.host) != without);
        let everybody_listed = others().filter(|n| n.home.host < self.options.listed);
        // Only sites that halted had carried out the first view: it takes all that are listed (R2, R9).
        if self.options.stores != Stores::All
            && others().all(|n| n.views.current().is_none())
            && everybody_listed.count() < self.options.listed
        {
            return false;
        }
        let votes_as = |n: &Node| {
            let stored = latest.sites().find(|s| s.id == n.site.id && *s <= n.site);
            stored.filter(|_| n.disk.is_some()).unwrap_or(n.site)
        };
        let alive = others().map(votes_as).collect();
        let founding = |s: Site| latest.founding.contains(&s.id) && latest.contains(s);
        if !super::properties::is_quorum(latest, &alive) || !alive.iter().any(|s| founding(*s)) {
            return false;
        }
        let behind = |n: &&Node| alive.contains(&n.site) && latest.contains(n.site);
        let views = self
            .living()
            .filter(behind)
            .filter_map(|n| n.views.current());
        views
            .into_iter()
            .all(|v| super::properties::is_quorum(v, &alive))
    }

    fn has_hope(&mut self) -> bool {
        self.can_go_on(None)
    }
}
