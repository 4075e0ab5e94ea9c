//! The whole cluster: hosts, what is to come, and what can be done to it.

use std::collections::BTreeMap;

use crate::audit::trace::{Trace, What};
use crate::config::Config;
use crate::ids::{ProcessId, SiteId};
use crate::view::Memory;

use super::chance::{Chance, FORKED, Lanes, PLANS, STEPS};
use super::laws::{Laws, MS};
use super::network::{Home, Network, Presence, Transit};
use super::node::{Node, WakeUp};
use super::process::Process;
use super::world::{Env, World};

/// Within this time a site that was put out of the view ends.
const RETIRES_WITHIN: u64 = 500 * MS;

/// What is to come.
#[derive(Debug)]
enum Event<P> {
    Arrives(Transit),
    WakeUp(Home, WakeUp),
    Start(usize),
    /// A site that is out of the view ends.
    Retire(Home),
    Heal,
    NormalSpeed,
    Plan(P),
}

/// A simulated cluster. Nothing happens but in [`Cluster::run_until`] and [`Cluster::step`], and what
/// [`Cluster::act`] and the faults bring about at once.
pub struct Cluster<W: World> {
    /// Its user's part.
    pub world: W,
    /// Where every decision comes from.
    pub chance: Chance,
    /// The record of the run.
    pub trace: Trace,
    laws: Laws,
    configs: Vec<Config>,
    now: u64,
    network: Network,
    nodes: Vec<Option<Box<Node<W::App>>>>,
    lives: Vec<u64>,
    /// What the stores of hosts that are down hold.
    disks: Vec<Option<Memory>>,
    events: BTreeMap<(u64, u64), Event<W::Plan>>,
    sequence: u64,
    quiet: bool,
}

/// Configurations for hosts of which the first `listed` are in all peer lists, and `late` are in none:
/// these join. To be changed as you like; the addresses must stay.
pub fn configs(listed: usize, late: usize) -> Vec<Config> {
    let config = |host: usize| {
        let mut config = Config::new(id_of(host));
        config.listen = address_of(host);
        for peer in (0..listed).filter(|p| *p != host) {
            config.peers.insert(id_of(peer), address_of(peer));
        }
        config
    };
    (0..listed + late).map(config).collect()
}

/// `127.0.0.1:7000` is host 0.
fn address_of(host: usize) -> String {
    format!("127.0.0.1:{}", 7000 + host)
}

pub(super) fn host_of(address: &str) -> usize {
    let port = address
        .rsplit(':')
        .next()
        .and_then(|p| p.parse::<usize>().ok());
    port.expect("the simulation's addresses end in a port") - 7000
}

fn id_of(host: usize) -> SiteId {
    SiteId(host as u32)
}

impl<W: World> Cluster<W> {
    /// A host for every configuration ([`configs`]); none of them runs yet. `stores` says which have a
    /// store, from which their sites go on when they are started again.
    pub fn new(
        world: W,
        laws: Laws,
        configs: Vec<Config>,
        stores: impl Fn(usize) -> bool,
        mut chance: Chance,
    ) -> Cluster<W> {
        let hosts = configs.len();
        Cluster {
            network: Network::new(&laws, hosts, chance.fork()),
            world,
            chance,
            trace: Trace::default(),
            laws,
            configs,
            now: 0,
            nodes: (0..hosts).map(|_| None).collect(),
            lives: vec![0; hosts],
            disks: (0..hosts)
                .map(|host| stores(host).then(Memory::default))
                .collect(),
            events: BTreeMap::new(),
            sequence: 0,
            quiet: false,
        }
    }

    /// Microseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What the world does all by itself.
    pub fn laws(&self) -> &Laws {
        &self.laws
    }

    /// Every decision of the run so far ([`Chance::replay`]).
    pub fn tape(&self) -> Lanes {
        let mut lanes = self.chance.lanes().clone();
        lanes[FORKED] = self.network.decided().clone();
        lanes
    }

    /// How many there are, running or not.
    pub fn hosts(&self) -> usize {
        self.nodes.len()
    }

    /// The site that runs at a host.
    pub fn node(&self, host: usize) -> Option<&Node<W::App>> {
        self.nodes[host].as_deref()
    }

    /// All sites that run, by host.
    pub fn nodes(&self) -> impl Iterator<Item = &Node<W::App>> {
        self.nodes.iter().flatten().map(Box::as_ref)
    }

    /// All sites that run, to ask them something. They act in [`Cluster::act`].
    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node<W::App>> {
        self.nodes.iter_mut().flatten().map(Box::as_mut)
    }

    /// Whether the applications of a host run ([`Node::can_act`]).
    pub fn can_act(&self, host: usize) -> bool {
        self.node(host).is_some_and(|n| n.can_act(self.now))
    }

    /// Whether faults have stopped ([`Cluster::calm`]).
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Lets [`World::happens`] be called at that time.
    pub fn at(&mut self, at: u64, plan: W::Plan) {
        self.push(at, Event::Plan(plan));
    }

    fn push(&mut self, at: u64, event: Event<W::Plan>) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    /// Runs the cluster up to and including that time.
    pub fn run_until(&mut self, end: u64) {
        while self.step(end) {}
        self.now = end;
    }

    /// Lets one thing happen, if there is one up to and including that time.
    pub fn step(&mut self, end: u64) -> bool {
        self.send_on();
        let Some(entry) = self.events.first_entry().filter(|e| e.key().0 <= end) else {
            return false;
        };
        let ((at, _), event) = entry.remove_entry();
        self.now = self.now.max(at);
        self.happens(event);
        true
    }

    /// What the network has taken goes its way.
    fn send_on(&mut self) {
        for (at, transit) in std::mem::take(&mut self.network.sent) {
            self.push(at, Event::Arrives(transit));
        }
    }

    fn happens(&mut self, event: Event<W::Plan>) {
        match event {
            Event::Arrives(transit) => {
                for (home, input) in self.network.arrive(self.now, transit) {
                    if self.is(home) {
                        self.act(home.host, |node, _| node.arrive(input));
                    }
                }
            }
            Event::WakeUp(home, wake_up) if self.is(home) => {
                self.act(home.host, |node, env| match wake_up {
                    WakeUp::Take(_) if node.paused_until > env.now => {
                        env.wake_ups.push((node.paused_until, wake_up));
                    }
                    WakeUp::Take(process) => node.take(process, env),
                    WakeUp::Machines => {}
                });
            }
            Event::Retire(home) if self.is(home) => self.halt(home.host, false),
            Event::WakeUp(..) | Event::Retire(_) => {}
            Event::Start(host) => self.start(host),
            Event::Heal => self.heal(),
            Event::NormalSpeed => self.network.slowness = 1,
            Event::Plan(plan) => W::happens(self, plan),
        }
    }

    fn is(&self, home: Home) -> bool {
        self.node(home.host).is_some_and(|n| n.home == home)
    }

    fn env(&mut self) -> Env<'_, W> {
        Env {
            now: self.now,
            laws: &self.laws,
            chance: &mut self.chance,
            trace: &mut self.trace,
            world: &mut self.world,
            quiet: self.quiet,
            network: &mut self.network,
            wake_ups: Vec::new(),
        }
    }

    /// Acts on the site at a host, if one runs, and lets its machines run, unless it stands still.
    pub fn act<T>(
        &mut self,
        host: usize,
        act: impl FnOnce(&mut Node<W::App>, &mut Env<'_, W>) -> T,
    ) -> Option<T> {
        let mut node = self.nodes[host].take()?;
        let was_out = node.out;
        let mut env = self.env();
        let done = act(&mut node, &mut env);
        let paused = node.paused_until > env.now;
        env.chance.lane = STEPS;
        let runs = paused || node.run(&mut env);
        env.chance.lane = PLANS;
        let wake_ups = std::mem::take(&mut env.wake_ups);
        let (home, out) = (node.home, node.out);
        self.nodes[host] = Some(node);
        for (at, wake_up) in wake_ups {
            self.push(at, Event::WakeUp(home, wake_up));
        }
        if !runs {
            let silent = self.chance.per_mille(self.laws.silent_crash);
            self.halt(host, silent);
        } else if out.is_some() && was_out.is_none() {
            let delay = match out {
                Some(true) => 0,
                _ => self.chance.below(RETIRES_WITHIN),
            };
            self.push(self.now + delay, Event::Retire(home));
        }
        Some(done)
    }

    /// Begins a process at a host, if a site runs there, and lets it act at once.
    pub fn open(
        &mut self,
        host: usize,
        act: impl FnOnce(&mut W::App, &mut Process, &mut Env<'_, W>),
    ) -> Option<ProcessId> {
        self.act(host, |node, env| {
            let id = node.open(env);
            node.act(id.index, |app, process| act(app, process, env));
            id
        })
    }

    /// Starts a site at a host where none runs: the next incarnation, from the host's store if it has
    /// one.
    pub fn start(&mut self, host: usize) {
        if self.nodes[host].is_some() {
            return;
        }
        self.lives[host] += 1;
        let life = self.lives[host];
        let home = Home { host, life };
        self.network.hosts[host] = Presence::Up(life);
        let disk = self.disks[host].take();
        let config = self.configs[host].clone();
        let node = Node::start(home, &config, disk, &mut self.env());
        self.nodes[host] = Some(Box::new(node));
        W::started(self, host);
    }

    /// Starts a site at that time.
    pub fn start_at(&mut self, at: u64, host: usize) {
        self.push(at, Event::Start(host));
    }

    /// The host's site halts at once. The others find its host silent, or refusing their connections.
    pub fn halt(&mut self, host: usize, silent: bool) {
        let Some(mut node) = self.nodes[host].take() else {
            return;
        };
        let disk = node.disk.take();
        self.disks[host] = disk.map(|disk| disk.after_halt(&mut self.chance));
        if node.out.is_none() {
            self.trace.add(self.now, What::Crash(node.site));
        }
        self.network.halt(self.now, host, silent);
        W::halted(self, &node);
    }
}

/// Faults.
impl<W: World> Cluster<W> {
    /// Says in the record that live sites may look dead from now on.
    pub fn disturb(&mut self, text: String) {
        self.trace.add(self.now, What::Disturbance(text));
    }

    /// Lets a site stand still up to that time.
    pub fn pause(&mut self, host: usize, until: u64) {
        self.act(host, |node, env| {
            node.paused_until = until;
            env.wake_ups.push((until, WakeUp::Machines));
        });
    }

    /// From now on nothing gets from one host to another; the other way it does.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.network.cut(from, to);
    }

    /// Ends all cuts.
    pub fn heal(&mut self) {
        self.network.heal(self.now);
        self.trace
            .add(self.now, What::Disturbance("all cuts are healed".into()));
    }

    /// Ends all cuts at that time.
    pub fn heal_at(&mut self, at: u64) {
        self.push(at, Event::Heal);
    }

    /// Breaks all connections between two hosts; what is on its way is lost, both see it.
    pub fn break_connections(&mut self, a: usize, b: usize) {
        self.network.break_between(self.now, a, b);
    }

    /// Makes the network so many times slower, up to that time.
    pub fn slow_down(&mut self, factor: u64, until: u64) {
        self.network.slowness = factor;
        self.push(until, Event::NormalSpeed);
    }

    /// A stranger connects to a host and talks nonsense.
    pub fn garbage(&mut self, host: usize) {
        self.network.garbage(self.now, host);
    }

    /// Faults stop: the network is whole and loses nothing, no thread is stalled. Sites that stand still
    /// are to be woken ([`Cluster::wake`]), and those that are down started, as you like.
    pub fn calm(&mut self) {
        self.quiet = true;
        self.trace.add(self.now, What::Quiet);
        self.network.perfect = true;
        self.network.slowness = 1;
        self.network.heal(self.now);
    }

    /// Ends the pause of a site, and spares it if it was to halt.
    pub fn wake(&mut self, host: usize) {
        if let Some(node) = &mut self.nodes[host] {
            node.paused_until = 0;
            node.doom = None;
            self.act(host, |_, _| {});
        }
    }
}
