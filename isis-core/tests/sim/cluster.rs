//! A run: the faulty phase, the healing and the quiet phase, of a cluster with random applications.

use std::collections::BTreeMap;

use isis_core::audit::trace::What;
use isis_core::config::Config;
use isis_core::ids::{Epoch, ProcessId, Site};
use isis_core::machine::broadcast::Note as BroadcastNote;
use isis_core::machine::transport::Note as TransportNote;
use isis_core::machine::view::Note as ViewNote;
use isis_core::sim::{self, Chance, MS, Note, Process, SECOND, World};
use isis_core::view::SiteView;

use super::app::App;
use super::counts::Counts;
use super::faults::fault;
use super::liveness;
use super::options::{Options, Stores};
use super::properties::{Violation, is_quorum};
use super::workload::{open, operate, plan_operation};

/// The cluster must come to rest within this time after faults have stopped.
const REST_WITHIN: u64 = 60 * SECOND;
const CHECK_INTERVAL: u64 = 100 * MS;

pub type Cluster = sim::Cluster<Trial>;
pub type Node = sim::Node<App>;
pub type Env<'a> = sim::Env<'a, Trial>;

/// What the lotteries have planned.
#[derive(Debug)]
pub enum Plan {
    Operation,
    Fault,
    /// A fault in the midst of a storm.
    Strike,
    /// All sites halt.
    TotalFailure,
}

/// What the applications share, and the lotteries.
pub struct Trial {
    pub options: Options,
    pub counts: Counts,
    /// Processes that applications have heard of.
    pub known: Vec<ProcessId>,
    /// Broadcasts that this run may still make in answer to others.
    pub budget: u64,
    /// So many operations are left of a storm.
    pub storm: u64,
    /// Site views seen so far, and up to where the trace has been searched for them.
    views: BTreeMap<(Epoch, u64), SiteView>,
    latest: Option<(Epoch, u64)>,
    searched: usize,
}

impl World for Trial {
    type App = App;
    type Plan = Plan;

    fn open(env: &mut Env<'_>, _: &Process) -> App {
        App::new(env)
    }

    fn pace(env: &mut Env<'_>, app: &App) -> Option<u64> {
        app.pace(env)
    }

    fn take(env: &mut Env<'_>, app: &mut App, process: &mut Process) {
        app.take(process, env);
    }

    fn happens(c: &mut Cluster, plan: Plan) {
        match plan {
            Plan::Operation if !c.is_quiet() => {
                operate(c);
                plan_operation(c);
            }
            Plan::Strike if !c.is_quiet() => fault(c),
            Plan::Fault if !c.is_quiet() => {
                fault(c);
                plan_fault(c);
            }
            Plan::TotalFailure => {
                c.world.counts.total_failures += 1;
                let silent = c.chance.per_mille(c.laws().silent_crash);
                (0..c.hosts()).for_each(|host| c.halt(host, silent));
            }
            _ => {}
        }
    }

    fn started(c: &mut Cluster, host: usize) {
        for _ in 0..c.world.options.processes {
            open(c, host);
        }
    }

    /// Perhaps it comes back.
    fn halted(c: &mut Cluster, node: &Node) {
        c.world.counts.add_travelled(node.broadcast.travelled());
        if !c.is_quiet() && c.chance.per_mille(c.world.options.restart) {
            let most = [10 * MS, 4 * c.world.options.suspect_micros()][c.chance.index(2)];
            let at = c.now() + c.chance.below(most);
            c.start_at(at, node.host());
        }
    }

    fn noted(&mut self, note: Note<'_>) {
        let counts = &mut self.counts;
        match note {
            Note::Transport(TransportNote::Resumed { .. }) => counts.reconnects += 1,
            Note::Transport(TransportNote::OwnPause { .. }) => counts.own_pauses += 1,
            Note::View(ViewNote::TakeOver { .. }) => counts.take_overs += 1,
            Note::View(ViewNote::SecondChance(_)) => counts.second_chances += 1,
            Note::View(ViewNote::Resumed) => counts.resumed += 1,
            Note::View(ViewNote::Reviving { .. }) => counts.revivals += 1,
            Note::Broadcast(BroadcastNote::CompletionEnded {
                orphans,
                aborted_runs,
                orphaned_runs,
                carried_records,
                ..
            }) => {
                counts.orphans += *orphans as u64;
                counts.aborted_runs += *aborted_runs as u64;
                counts.orphaned_runs += *orphaned_runs as u64;
                counts.carried_records += *carried_records as u64;
            }
            Note::Broadcast(BroadcastNote::Resent { count }) => counts.resent += *count as u64,
            _ => {}
        }
    }
}

/// The cluster of these options, before anything has happened.
pub fn cluster(options: Options, chance: Chance, verbose: bool) -> Cluster {
    let mut configs = sim::configs(options.listed, options.late);
    configs.iter_mut().for_each(|c| configure(c, &options));
    let (laws, stores) = (options.laws.clone(), options.clone());
    let trial = Trial {
        counts: Counts::default(),
        known: Vec::new(),
        budget: options.budget * 2,
        storm: 0,
        views: BTreeMap::new(),
        latest: None,
        searched: 0,
        options,
    };
    let mut cluster = Cluster::new(trial, laws, configs, |host| stores.has_store(host), chance);
    cluster.trace.verbose = verbose;
    cluster
}

fn configure(config: &mut Config, options: &Options) {
    config.hello_interval = options.hello;
    config.suspect_after = options.suspect;
    config.window_messages = options.window_messages;
    config.along_bytes = options.along_bytes;
    config.patience = options.patience;
}

/// The whole run. The trace is to be checked afterwards, whether it came to rest or not.
pub fn run(c: &mut Cluster) -> Result<(), Violation> {
    if c.laws().are_rough() {
        c.disturb("the network or the threads are slow at times".into());
    }
    plan(c);
    c.run_until(c.world.options.faulty_phase);
    stop_faults(c);
    come_to_rest(c)
}

fn plan(c: &mut Cluster) {
    let spread = [10 * MS, SECOND][c.chance.index(2)];
    for host in 0..c.hosts() {
        let late = host >= c.world.options.listed;
        let most = if late {
            c.world.options.faulty_phase
        } else {
            spread
        };
        let at = c.chance.below(most);
        c.start_at(at, host);
    }
    for _ in 0..c.world.options.total_failures {
        let at = c.chance.below(c.world.options.faulty_phase);
        c.at(at, Plan::TotalFailure);
    }
    plan_operation(c);
    plan_fault(c);
}

fn plan_fault(c: &mut Cluster) {
    let wait = c.chance.around(c.world.options.fault_interval);
    c.at(c.now() + wait, Plan::Fault);
}

fn stop_faults(c: &mut Cluster) {
    c.calm();
    observe(c);
    for host in 0..c.hosts() {
        if c.node(host).is_some() {
            c.wake(host);
        } else if c.world.latest.is_none()
            || c.world.options.stores == Stores::All
            || c.chance.per_mille(500)
        {
            let at = c.now() + c.chance.below(SECOND);
            c.start_at(at, host);
        }
    }
}

/// Runs until nothing is pending and nothing changes any more.
fn come_to_rest(c: &mut Cluster) -> Result<(), Violation> {
    let limit = c.now() + REST_WITHIN + 20 * c.world.options.suspect_micros();
    let calm = SECOND + 3 * c.world.options.suspect_micros();
    let (mut since, mut records) = (c.now(), 0);
    loop {
        c.run_until(c.now() + CHECK_INTERVAL);
        observe(c);
        let pending = liveness::pending(c);
        let views = c.world.views.len();
        if !pending.is_empty() || views != records {
            (since, records) = (c.now(), views);
        }
        if pending.is_empty() && c.now() - since > calm {
            c.trace.live = true;
            return Ok(());
        }
        if !can_go_on(c, None) && c.now() - since > calm {
            c.world.counts.ended_blocked += 1;
            return Ok(());
        }
        if c.now() > limit {
            if !can_go_on(c, None) {
                c.world.counts.ended_blocked += 1;
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
fn observe(c: &mut Cluster) {
    for record in &c.trace.records[c.world.searched..] {
        if let What::Install(_, view) = &record.what {
            let key = (view.epoch, view.number.0);
            let newer = match c.world.latest {
                Some((epoch, n)) if epoch == view.epoch => n < view.number.0,
                _ => !c.world.views.contains_key(&key),
            };
            if newer {
                c.world.latest = Some(key);
            }
            c.world.views.entry(key).or_insert_with(|| view.clone());
        }
    }
    c.world.searched = c.trace.records.len();
}

/// The sites that run and are not out.
pub fn living(c: &Cluster) -> impl Iterator<Item = &Node> {
    c.nodes().filter(|n| n.out.is_none())
}

/// Whether the sites that run, without this host, can go on: a quorum of the latest view that
/// anybody has acted on, and of the views that those have who do not know it yet (R5).
pub fn can_go_on(c: &mut Cluster, without: Option<usize>) -> bool {
    observe(c);
    let Some(latest) = c.world.latest.map(|key| &c.world.views[&key]) else {
        return true;
    };
    if c.world.options.stores == Stores::All && !c.is_quiet() {
        // Whoever halts comes back in the end.
        return true;
    }
    let others = || living(c).filter(|n| Some(n.host()) != without);
    let everybody_listed = others().filter(|n| n.host() < c.world.options.listed);
    // Only sites that halted had carried out the first view: it takes all that are listed (R2, R9).
    if c.world.options.stores != Stores::All
        && others().all(|n| n.views.current().is_none())
        && everybody_listed.count() < c.world.options.listed
    {
        return false;
    }
    let votes_as = |n: &Node| {
        let stored = latest.sites().find(|s| s.id == n.site.id && *s <= n.site);
        stored.filter(|_| n.has_store()).unwrap_or(n.site)
    };
    let alive = others().map(votes_as).collect();
    let founding = |s: Site| latest.founding.contains(&s.id) && latest.contains(s);
    if !is_quorum(latest, &alive) || !alive.iter().any(|s| founding(*s)) {
        return false;
    }
    let behind = |n: &&Node| alive.contains(&n.site) && latest.contains(n.site);
    let views = living(c).filter(behind).filter_map(|n| n.views.current());
    views.into_iter().all(|v| is_quorum(v, &alive))
}
