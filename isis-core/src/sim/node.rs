//! A running site: its three machines, the queues between them, and its processes.
//!
//! The machines run on separate threads in production, so here their steps are interleaved at random:
//! a step carries out one effect of a machine, or hands it one input. What chance may not permute is
//! what the channels keep in order: each machine has one inbox for the others' messages (the transport
//! machine besides what the network has for it), and carries out all effects before its next input.

use std::collections::{BTreeMap, VecDeque};

use crate::audit::trace::{HAS_STORE, What};
use crate::config::Config;
use crate::delivery::Limits;
use crate::group::Machine;
use crate::ids::{ProcessId, Site};
use crate::link::Transport;
use crate::machine::broadcast::{Call, Input as ToBroadcast};
use crate::machine::transport::Input as ToTransport;
use crate::machine::view::Input as ToViews;
use crate::machine::{broadcast, transport, view};
use crate::time::Time;
use crate::view::{Memory, Views};

use super::clock::Clock;
use super::disk::Disk;
use super::network::Home;
use super::process::Process;
use super::world::{Env, World};

/// A site that has not come to rest after so many steps at one instant spins.
const MANY_STEPS: u32 = 2_000_000;

/// Why a site is to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WakeUp {
    /// A deadline of a machine, or the end of a stall.
    Machines,
    /// A process looks at its events.
    Take(u32),
}

/// The place of a machine in arrays.
pub(super) const TRANSPORT: usize = 0;
pub(super) const VIEWS: usize = 1;
pub(super) const BROADCAST: usize = 2;

/// A process of a site, and what its application keeps.
#[derive(Debug)]
pub struct Member<A> {
    /// The process.
    pub process: Process,
    /// Its application's part.
    pub app: A,
}

/// A running site. Its machines are there to be looked at; they are driven by its [`super::Cluster`].
pub struct Node<A> {
    /// Which one, with its incarnation: how often its host has been started.
    pub site: Site,
    pub(super) home: Home,
    /// Its links.
    pub transport: Transport,
    /// Its site views.
    pub views: Views,
    /// Its broadcasts and groups.
    pub broadcast: Machine,
    limits: Limits,
    pub(super) clock: Clock,
    pub(super) from_network: VecDeque<ToTransport>,
    pub(super) to_transport: VecDeque<ToTransport>,
    pub(super) to_views: VecDeque<ToViews>,
    pub(super) to_broadcast: VecDeque<ToBroadcast>,
    pub(super) transport_effects: VecDeque<transport::Effect>,
    pub(super) view_effects: VecDeque<view::Effect>,
    pub(super) broadcast_effects: VecDeque<broadcast::Effect>,
    /// Its host's, if it has a store.
    pub(super) disk: Option<Disk>,
    stalled_until: [u64; 3],
    pub(super) paused_until: u64,
    /// By index.
    pub processes: BTreeMap<u32, Member<A>>,
    opened: u32,
    /// It halts after so many more steps of its machines: between any two effects of what one input
    /// brings about.
    pub doom: Option<u32>,
    /// It has asked to leave the site view.
    pub leaving: bool,
    /// A committed view is without it; with whether it had asked.
    pub out: Option<bool>,
    /// For which deadline a wake-up is scheduled.
    scheduled: Option<u64>,
}

impl<A> Member<A> {
    /// If events wait, sees to it that they are taken.
    pub(super) fn wake<W: World<App = A>>(&mut self, env: &mut Env<'_, W>) {
        if !self.process.awake
            && self.process.endpoint().pending() > 0
            && let Some(pace) = W::pace(env, &self.app)
        {
            self.process.awake = true;
            let index = self.process.id().index;
            env.wake_ups.push((env.now + pace, WakeUp::Take(index)));
        }
    }
}

impl<A> Node<A> {
    pub(super) fn start<W: World<App = A>>(
        home: Home,
        config: &Config,
        disk: Option<Memory>,
        env: &mut Env<'_, W>,
    ) -> Node<A> {
        let site = home.site();
        let disk = disk.map(|held| Disk::opened(held, site));
        let drift = env.laws.drift;
        let clock = Clock {
            base: env.chance.within(1, 1 << 40),
            speed: env.chance.within(1000 - drift, 1000 + drift),
        };
        let now = clock.local(env.now);
        let (seed, other) = (env.chance.draw(), env.chance.draw());
        env.record(What::Start(site));
        if disk.is_some() {
            env.record(What::Note(site, HAS_STORE.into()));
        }
        let held = disk.as_ref().map(Disk::held);
        Node {
            site,
            home,
            transport: Transport::new(config, site, seed, now),
            views: Views::new(config, site, config.listen.clone(), held, other, now),
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

    /// The number of its host.
    pub fn host(&self) -> usize {
        self.home.host
    }

    /// It votes from a store.
    pub fn has_store(&self) -> bool {
        self.disk.is_some()
    }

    /// Its applications run: it neither stands still nor is it out.
    pub fn can_act(&self, now: u64) -> bool {
        self.paused_until <= now && self.out.is_none()
    }

    /// Asks to leave the site view. Once it is out it ends.
    pub fn leave<W: World<App = A>>(&mut self, env: &mut Env<'_, W>) {
        if !self.leaving {
            self.leaving = true;
            env.record(What::Leaving(self.site));
            self.to_views.push_back(ToViews::Leave);
        }
    }

    /// Begins a process.
    pub fn open<W: World<App = A>>(&mut self, env: &mut Env<'_, W>) -> ProcessId {
        self.opened += 1;
        let id = ProcessId {
            site: self.site,
            index: self.opened,
        };
        env.record(What::Open(id));
        let process = Process::new(id, self.limits);
        let app = W::open(env, &process);
        self.processes.insert(self.opened, Member { process, app });
        let name = id.to_string();
        self.call(self.opened, Call::Open { name });
        id
    }

    fn call(&mut self, process: u32, call: Call) {
        self.to_broadcast
            .push_back(ToBroadcast::Call { process, call });
    }

    /// Lets one of its processes do something, if it is there.
    pub fn act<T>(
        &mut self,
        process: u32,
        act: impl FnOnce(&mut A, &mut Process) -> T,
    ) -> Option<T> {
        let member = self.processes.get_mut(&process)?;
        let done = act(&mut member.app, &mut member.process);
        for call in member.process.calls() {
            self.call(process, call);
        }
        Some(done)
    }

    /// The network has something for it.
    pub(super) fn arrive(&mut self, input: ToTransport) {
        self.from_network.push_back(input);
    }

    /// Lets a process take its events.
    pub(super) fn take<W: World<App = A>>(&mut self, process: u32, env: &mut Env<'_, W>) {
        self.act(process, |app, process| {
            process.awake = false;
            W::take(env, app, process);
            process.report_taken();
        });
        if let Some(member) = self.processes.get_mut(&process) {
            member.wake(env);
        }
    }

    /// Runs its machines until nothing is left to do now. False if it halted on the way.
    pub(super) fn run<W: World<App = A>>(&mut self, env: &mut Env<'_, W>) -> bool {
        let mut steps = 0;
        while let Some(machine) = self.choose(env) {
            if let Some(left) = &mut self.doom {
                if *left == 0 {
                    return false;
                }
                *left -= 1;
            }
            self.step(machine, env);
            if !env.quiet && env.chance.per_mille(env.laws.stall) {
                let until = env.now + env.chance.below(env.laws.stall_time);
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

    fn schedule<W: World>(&mut self, env: &mut Env<'_, W>) {
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
    fn choose<W: World>(&mut self, env: &mut Env<'_, W>) -> Option<usize> {
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
        env.chance.pick(&able[..count]).copied()
    }
}
