//! A running site: its three machines, the queues between them, and its processes.
//!
//! The machines run on separate threads in production, so here their steps are interleaved at random:
//! a step carries out one effect of a machine, or hands it one input. What chance may not permute is
//! what the channels keep in order: each machine has one inbox for the others' messages (the transport
//! machine besides what the network has for it), and carries out all effects before its next input.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use isis_core::audit::trace::{HAS_STORE, Trace, What};
use isis_core::config::Config;
use isis_core::delivery::Limits;
use isis_core::group::Machine;
use isis_core::ids::{ProcessId, Site, SiteId};
use isis_core::link::Transport;
use isis_core::machine::broadcast::{Call, Input as ToBroadcast, Note as BroadcastNote};
use isis_core::machine::transport::{Connection, Input as ToTransport, Note as TransportNote};
use isis_core::machine::view::{Input as ToViews, Note as ViewNote};
use isis_core::machine::{broadcast, transport, view};
use isis_core::time::Time;
use isis_core::view::{Memory, Views};

use super::app::App;
use super::clock::Clock;
use super::counts::Counts;
use super::disk::Disk;
use super::network::{Home, Network};
use super::options::{Operation, Options};
use super::rng::Rng;

/// A site that has not come to rest after so many steps at one instant spins.
const MANY_STEPS: u32 = 2_000_000;

/// What a site and its applications need of the world around them.
pub struct Env<'a> {
    pub now: u64,
    pub options: &'a Options,
    pub rng: &'a mut Rng,
    pub network: &'a mut Network,
    pub trace: &'a mut Trace,
    pub counts: &'a mut Counts,
    /// Processes that applications have heard of.
    pub known: &'a [ProcessId],
    /// Broadcasts that this run may still make.
    pub budget: u64,
    /// Threads of sites are not stalled.
    pub smooth: bool,
    /// Wake-ups to schedule: when, what for.
    pub wake_ups: Vec<(u64, WakeUp)>,
}

/// Why a site is to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeUp {
    /// A deadline of a machine, or the end of a stall.
    Machines,
    /// A process looks at its events.
    Take(u32),
}

impl Env<'_> {
    pub fn record(&mut self, what: What) {
        self.trace.add(self.now, what);
    }
}

/// The place of a machine in arrays.
const TRANSPORT: usize = 0;
const VIEWS: usize = 1;
const BROADCAST: usize = 2;

pub struct Node {
    pub site: Site,
    pub home: Home,
    pub transport: Transport,
    pub views: Views,
    pub broadcast: Machine,
    limits: Limits,
    clock: Clock,
    from_network: VecDeque<ToTransport>,
    to_transport: VecDeque<ToTransport>,
    to_views: VecDeque<ToViews>,
    to_broadcast: VecDeque<ToBroadcast>,
    transport_effects: VecDeque<transport::Effect>,
    view_effects: VecDeque<view::Effect>,
    broadcast_effects: VecDeque<broadcast::Effect>,
    /// Its host's, if it has a store.
    pub disk: Option<Disk>,
    stalled_until: [u64; 3],
    pub paused_until: u64,
    pub processes: BTreeMap<u32, App>,
    opened: u32,
    /// Halts after so many more steps.
    pub doom: Option<u32>,
    pub leaving: bool,
    /// A committed view is without it; with whether it had asked.
    pub out: Option<bool>,
    /// For which deadline a wake-up is scheduled.
    scheduled: Option<u64>,
}

impl Node {
    pub fn start(
        home: Home,
        config: &Config,
        site: Site,
        disk: Option<Memory>,
        env: &mut Env<'_>,
    ) -> Node {
        let disk = disk.map(|held| Disk::opened(held, site));
        let drift = env.options.drift;
        let clock = Clock {
            base: env.rng.within(1, 1 << 40),
            speed: env.rng.within(1000 - drift, 1000 + drift),
        };
        let now = clock.local(env.now);
        let (seed, other) = (env.rng.next(), env.rng.next());
        env.record(What::Start(site));
        if disk.is_some() {
            env.record(What::Note(site, HAS_STORE.into()));
        }
        Node {
            site,
            home,
            transport: Transport::new(config, site, seed, now),
            views: Views::new(
                config,
                site,
                config.listen.clone(),
                disk.as_ref().map(Disk::held),
                other,
                now,
            ),
            broadcast: Machine::new(config, site),
            limits: Limits::from(config),
            clock,
            from_network: VecDeque::new(),
            to_transport: VecDeque::new(),
            to_views: VecDeque::from([ToViews::Timeout]),
            to_broadcast: VecDeque::new(),
            transport_effects: VecDeque::new(),
            view_effects: VecDeque::new(),
            broadcast_effects: VecDeque::new(),
            disk,
            stalled_until: [0; 3],
            paused_until: 0,
            processes: BTreeMap::new(),
            opened: 0,
            doom: None,
            leaving: false,
            out: None,
            scheduled: None,
        }
    }

    /// The network has something for it.
    pub fn arrive(&mut self, input: ToTransport) {
        self.from_network.push_back(input);
    }

    pub fn leave(&mut self, env: &mut Env<'_>) {
        self.leaving = true;
        env.record(What::Leaving(self.site));
        self.to_views.push_back(ToViews::Leave);
    }

    pub fn open(&mut self, env: &mut Env<'_>) -> ProcessId {
        self.opened += 1;
        let id = ProcessId {
            site: self.site,
            index: self.opened,
        };
        env.record(What::Open(id));
        let app = App::new(id, self.limits, env);
        self.processes.insert(self.opened, app);
        self.call(
            self.opened,
            Call::Open {
                name: id.to_string(),
            },
        );
        id
    }

    fn call(&mut self, process: u32, call: Call) {
        self.to_broadcast
            .push_back(ToBroadcast::Call { process, call });
    }

    /// Lets one of its processes do something.
    pub fn with_app(
        &mut self,
        process: u32,
        env: &mut Env<'_>,
        act: impl FnOnce(&mut App, &mut Env<'_>, &mut Vec<Call>),
    ) {
        let mut calls = Vec::new();
        if let Some(app) = self.processes.get_mut(&process) {
            act(app, env, &mut calls);
        }
        for call in calls {
            self.call(process, call);
        }
    }

    pub fn operate(&mut self, process: u32, operation: Operation, env: &mut Env<'_>) {
        self.with_app(process, env, |app, env, calls| {
            app.operate(operation, env, calls)
        });
    }

    pub fn take(&mut self, process: u32, env: &mut Env<'_>) {
        let mut more = false;
        self.with_app(process, env, |app, env, calls| more = app.take(env, calls));
        if more && let Some(app) = self.processes.get_mut(&process) {
            app.awake = true;
            let at = env.now + app.think(env);
            env.wake_ups.push((at, WakeUp::Take(process)));
        }
    }

    /// Runs its machines until nothing is left to do now. False if it halted on the way.
    pub fn run(&mut self, env: &mut Env<'_>) -> bool {
        let mut steps = 0;
        while let Some(machine) = self.choose(env) {
            if let Some(left) = &mut self.doom {
                if *left == 0 {
                    return false;
                }
                *left -= 1;
            }
            self.step(machine, env);
            if !env.smooth && env.rng.per_mille(env.options.stall) {
                let until = env.now + env.rng.below(env.options.stall_time);
                self.stalled_until[machine] = until;
                env.wake_ups.push((until, WakeUp::Machines));
            }
            steps += 1;
            assert!(steps < MANY_STEPS, "X2: site {} spins", self.site);
        }
        self.schedule(env);
        true
    }

    fn deadlines(&self) -> [Option<u64>; 3] {
        let when = |d: Option<Time>| d.map(|t| self.clock.when(t));
        [
            when(self.transport.deadline()),
            when(self.views.deadline()),
            when(self.broadcast.deadline()),
        ]
    }

    fn schedule(&mut self, env: &mut Env<'_>) {
        let deadlines = self.deadlines().into_iter().zip(self.stalled_until);
        let next = deadlines
            .filter_map(|(d, stalled)| Some(d?.max(stalled)))
            .min();
        if let Some(at) = next
            && self.scheduled.is_none_or(|s| s <= env.now || at < s)
        {
            let at = at.max(env.now + 1);
            self.scheduled = Some(at);
            env.wake_ups.push((at, WakeUp::Machines));
        }
    }

    /// A machine that has something to do and is not stalled.
    fn choose(&mut self, env: &mut Env<'_>) -> Option<usize> {
        let due = self.deadlines().map(|d| d.is_some_and(|at| at <= env.now));
        let written = self.disk.as_ref().is_some_and(|d| d.has_written(env.now));
        let inputs = [
            !self.from_network.is_empty() || !self.to_transport.is_empty(),
            !self.to_views.is_empty() || written,
            !self.to_broadcast.is_empty(),
        ];
        let effects = [
            !self.transport_effects.is_empty(),
            !self.view_effects.is_empty(),
            !self.broadcast_effects.is_empty(),
        ];
        let mut able = [0; 3];
        let mut count = 0;
        for machine in [TRANSPORT, VIEWS, BROADCAST] {
            let work = due[machine] || inputs[machine] || effects[machine];
            if work && self.stalled_until[machine] <= env.now {
                able[count] = machine;
                count += 1;
            }
        }
        env.rng.pick(&able[..count]).copied()
    }

    fn step(&mut self, machine: usize, env: &mut Env<'_>) {
        let now = self.clock.local(env.now);
        let due = |d: Option<Time>| d.is_some_and(|d| d <= now);
        match machine {
            TRANSPORT => {
                if let Some(effect) = self.transport_effects.pop_front() {
                    return self.transport_effect(effect, env);
                }
                let due = due(self.transport.deadline());
                if let Some(input) = self.next_for_transport(due, env) {
                    let mut out = Vec::new();
                    self.transport.handle(now, input, &mut out);
                    self.transport_effects.extend(out);
                }
            }
            VIEWS => {
                if let Some(effect) = self.view_effects.pop_front() {
                    return self.view_effect(effect, env);
                }
                let late = due(self.views.deadline()) && env.rng.per_mille(500);
                let next = if late {
                    None
                } else if let Some(token) = self.disk.as_mut().and_then(|d| d.written(env.now)) {
                    Some(ToViews::Stored { token })
                } else {
                    self.to_views.pop_front()
                };
                let mut out = Vec::new();
                self.views
                    .handle(now, next.unwrap_or(ToViews::Timeout), &mut out);
                self.view_effects.extend(out);
            }
            _ => {
                if let Some(effect) = self.broadcast_effects.pop_front() {
                    return self.broadcast_effect(effect, env);
                }
                let next = self.to_broadcast.pop_front();
                let mut out = Vec::new();
                let before = self.broadcast.travelled();
                self.broadcast
                    .handle(now, next.unwrap_or(ToBroadcast::Timeout), &mut out);
                for (i, n) in self.broadcast.travelled().into_iter().enumerate() {
                    env.counts.travelled[i] += n - before[i];
                }
                self.broadcast_effects.extend(out);
            }
        }
    }

    fn next_for_transport(&mut self, due: bool, env: &mut Env<'_>) -> Option<ToTransport> {
        if due && env.rng.per_mille(500) {
            return Some(ToTransport::Timeout);
        }
        let (first, second) = if env.rng.per_mille(500) {
            (&mut self.from_network, &mut self.to_transport)
        } else {
            (&mut self.to_transport, &mut self.from_network)
        };
        let next = first.pop_front().or_else(|| second.pop_front());
        next.or(due.then_some(ToTransport::Timeout))
    }

    fn transport_effect(&mut self, effect: transport::Effect, env: &mut Env<'_>) {
        match effect {
            transport::Effect::Connect { peer, address } => {
                env.network
                    .connect(env.now, self.home, host_of(&address), peer);
            }
            transport::Effect::Transmit { connection, frame } => {
                env.network.transmit(env.now, connection, joined(frame));
            }
            transport::Effect::Close(connection) => self.close_connection(connection, env),
            transport::Effect::ToView(message) => {
                self.to_views.push_back(ToViews::Transport(message));
            }
            transport::Effect::Deliver(message) => {
                self.to_broadcast.push_back(ToBroadcast::Receive(message));
            }
            transport::Effect::Note(note) => {
                match note {
                    TransportNote::Resumed { .. } => env.counts.reconnects += 1,
                    TransportNote::OwnPause { .. } => env.counts.own_pauses += 1,
                    _ => {}
                }
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }

    fn close_connection(&mut self, connection: Connection, env: &mut Env<'_>) {
        env.network.close(env.now, connection);
    }

    fn view_effect(&mut self, effect: view::Effect, env: &mut Env<'_>) {
        match effect {
            view::Effect::ToTransport(message) => {
                self.to_transport.push_back(ToTransport::View(message));
            }
            view::Effect::Install(view) => {
                env.counts.site_views = env.counts.site_views.max(view.number.0);
                env.record(What::Install(self.site, view.clone()));
                self.to_broadcast.push_back(ToBroadcast::Install(view));
            }
            view::Effect::Quorum { reachable } => {
                self.to_broadcast
                    .push_back(ToBroadcast::Quorum { reachable });
            }
            view::Effect::Excluded { view, asked } => {
                env.record(What::Out {
                    site: self.site,
                    asked,
                });
                self.out = Some(asked);
                env.counts.exclusions += u64::from(!asked);
                self.to_broadcast.push_back(ToBroadcast::Excluded(view));
            }
            view::Effect::Persist { token, memory } => {
                let takes = env.rng.below(env.options.write_time);
                let disk = self.disk.as_mut().expect("asked for with a store");
                let at = disk.write(env.now, takes, token, *memory);
                env.wake_ups.push((at, WakeUp::Machines));
            }
            view::Effect::Note(note) => {
                match note {
                    ViewNote::TakeOver { .. } => env.counts.take_overs += 1,
                    ViewNote::SecondChance(_) => env.counts.second_chances += 1,
                    ViewNote::Resumed => env.counts.resumed += 1,
                    ViewNote::Reviving { .. } => env.counts.revivals += 1,
                    _ => {}
                }
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }

    fn broadcast_effect(&mut self, effect: broadcast::Effect, env: &mut Env<'_>) {
        match effect {
            broadcast::Effect::Send { to, lane, packet } => {
                self.to_transport
                    .push_back(ToTransport::Send { to, lane, packet });
            }
            broadcast::Effect::Deliver { process, item } => {
                let Some(app) = self.processes.get_mut(&process) else {
                    return;
                };
                if let Some(delay) = app.push(item, env) {
                    env.wake_ups.push((env.now + delay, WakeUp::Take(process)));
                }
            }
            broadcast::Effect::Note(note) => {
                match &note {
                    BroadcastNote::CompletionEnded {
                        orphans,
                        aborted_runs,
                        orphaned_runs,
                        carried_records,
                        ..
                    } => {
                        env.counts.orphans += *orphans as u64;
                        env.counts.aborted_runs += *aborted_runs as u64;
                        env.counts.orphaned_runs += *orphaned_runs as u64;
                        env.counts.carried_records += *carried_records as u64;
                    }
                    BroadcastNote::Resent { count } => env.counts.resent += *count as u64,
                    BroadcastNote::Malformed { from } => {
                        panic!("X2: {} cannot read what {from} sent", self.site)
                    }
                    BroadcastNote::CompletionBegan { .. } => {}
                }
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }
}

/// `127.0.0.1:7000` is host 0.
pub fn address_of(host: usize) -> String {
    format!("127.0.0.1:{}", 7000 + host)
}

fn host_of(address: &str) -> usize {
    let port = address
        .rsplit(':')
        .next()
        .and_then(|p| p.parse::<usize>().ok());
    port.expect("the simulation's addresses end in a port") - 7000
}

pub fn id_of(host: usize) -> SiteId {
    SiteId(host as u32)
}

fn joined([head, body]: [Bytes; 2]) -> Bytes {
    if body.is_empty() {
        return head;
    }
    let mut whole = BytesMut::with_capacity(head.len() + body.len());
    whole.extend_from_slice(&head);
    whole.extend_from_slice(&body);
    whole.freeze()
}
