//! The lottery of faults.

use super::app;
use super::cluster::{Cluster, can_go_on, living};
use super::options::{Fault, Operation};

/// One fault of those that this run has.
pub fn fault(c: &mut Cluster) {
    let faults = c.world.options.faults.clone();
    let Some(&fault) = c.chance.pick_or_none(&faults) else {
        return;
    };
    let hosts = c.hosts();
    let host = c.chance.index(hosts);
    let suspect = c.world.options.suspect_micros();
    match fault {
        Fault::CrashSite => crash_site(c, host),
        Fault::CrashProcess => crash_process(c, host),
        Fault::LeaveSite => leave_site(c, host),
        Fault::ShortPause => pause_site(c, host, suspect / 20, suspect * 3 / 4),
        Fault::LongPause => pause_site(c, host, suspect * 5 / 4, suspect * 4),
        Fault::Partition => {
            let side: Vec<bool> = (0..hosts).map(|_| c.chance.per_mille(500)).collect();
            cut(c, "a partition", |a, b| side[a] != side[b]);
        }
        Fault::Isolate => cut(c, "one is isolated", |a, b| a == host || b == host),
        Fault::IsolateAll => cut(c, "all are isolated", |_, _| true),
        Fault::OneWay => {
            let to = c.chance.index(hosts);
            cut(c, "a cut one way", |a, b| a == host && b == to);
        }
        Fault::BreakConnections => {
            let other = c.chance.index(hosts);
            c.break_connections(host, other);
        }
        Fault::SlowNetwork => {
            let factor = c.chance.within(2, 30);
            c.disturb(format!("the network is {factor} times slower"));
            let time = c.chance.within(suspect / 4, suspect * 3);
            c.slow_down(factor, c.now() + time);
        }
        Fault::Garbage => c.garbage(host),
    }
}

/// Halts a site, now or after some steps of its machines, which may be in the middle of carrying
/// out what one input brought about. Some speak last: if that is heard, all that they had taken
/// counts.
fn crash_site(c: &mut Cluster, host: usize) {
    if c.node(host).is_none() || !c.world.options.reckless && !can_go_on(c, Some(host)) {
        return;
    }
    if c.chance.per_mille(400) {
        let silent = c.chance.per_mille(c.laws().silent_crash);
        return c.halt(host, silent);
    }
    let speaks = c.chance.per_mille(c.world.options.speaks_last);
    let steps = c.chance.below(60) as u32;
    c.act(host, |node, env| {
        node.doom = Some(steps);
        let indices: Vec<u32> = node.processes.keys().copied().collect();
        if let Some(&process) = env.chance.pick(&indices)
            && speaks
        {
            app::operate(node, process, Operation::Obcast, env);
        }
    });
}

fn crash_process(c: &mut Cluster, host: usize) {
    if !c.can_act(host) {
        return;
    }
    c.act(host, |node, env| {
        let indices: Vec<u32> = node.processes.keys().copied().collect();
        if let Some(&process) = env.chance.pick(&indices) {
            node.act(process, |app, process| app.close(process, env));
        }
    });
}

fn leave_site(c: &mut Cluster, host: usize) {
    let others = living(c).filter(|n| n.host() != host && !n.leaving).count();
    if !c.can_act(host) || others < 2 || !can_go_on(c, Some(host)) {
        return;
    }
    if c.node(host).is_some_and(|n| n.views.current().is_none()) {
        // Before its first view there is nobody to ask: it just ends.
        return c.halt(host, false);
    }
    let closes = c.chance.per_mille(500);
    c.act(host, |node, env| {
        let indices: Vec<u32> = node.processes.keys().copied().collect();
        for process in indices.into_iter().filter(|_| closes) {
            node.act(process, |app, process| app.close(process, env));
        }
        node.leave(env);
    });
}

fn pause_site(c: &mut Cluster, host: usize, low: u64, high: u64) {
    let time = c.chance.within(low, high);
    if let Some(site) = c.node(host).map(|n| n.site) {
        c.disturb(format!("site {site} stands still for {} ms", time / 1000));
        c.pause(host, c.now() + time);
    }
}

/// Cuts the network where told, for a while; half the time connections across break.
fn cut(c: &mut Cluster, what: &str, is_cut: impl Fn(usize, usize) -> bool) {
    let suspect = c.world.options.suspect_micros();
    let breaks = c.chance.per_mille(500);
    let hosts = c.hosts();
    let mut pairs = Vec::new();
    for a in 0..hosts {
        for b in (0..hosts).filter(|b| a != *b && is_cut(a, *b)) {
            pairs.push(format!("{a}>{b}"));
            c.cut(a, b);
            if breaks {
                c.break_connections(a, b);
            }
        }
    }
    if pairs.is_empty() {
        return;
    }
    c.world.counts.partitions += 1;
    c.disturb(format!("{what}: {} (breaks: {breaks})", pairs.join(" ")));
    let time = c.chance.within(suspect / 4, suspect * 4);
    c.heal_at(c.now() + time);
}
