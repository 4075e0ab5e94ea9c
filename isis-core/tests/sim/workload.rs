//! The lottery of operations: what applications do, and when. Now and then there is a storm, in which
//! all sites act at once, within the time that a few frames take, and perhaps something fails: that is
//! when many messages are half way.

use super::app;
use super::cluster::{Cluster, Plan};
use super::options::{Operation, STORM};

pub fn plan_operation(c: &mut Cluster) {
    let wait = if c.world.storm > 0 {
        c.world.storm -= 1;
        c.chance.below(c.laws().latency.high / 2)
    } else {
        c.chance.around(c.world.options.operation_interval())
    };
    c.at(c.now() + wait, Plan::Operation);
}

pub fn operate(c: &mut Cluster) {
    if c.world.storm == 0 && c.chance.per_mille(c.world.options.storm) {
        begin_storm(c);
    }
    let up: Vec<usize> = (0..c.hosts()).filter(|h| c.can_act(*h)).collect();
    let Some(&host) = c.chance.pick_or_none(&up) else {
        return;
    };
    let operations = c.world.options.operations.clone();
    let operation = *c.chance.pick(&operations).expect("some always exist");
    if operation == Operation::Open {
        return open(c, host);
    }
    let times = if c.chance.per_mille(c.world.options.burst) {
        c.chance.within(2, 6)
    } else {
        1
    };
    c.act(host, |node, env| {
        let indices: Vec<u32> = node.processes.keys().copied().collect();
        if let Some(&process) = env.chance.pick(&indices) {
            for _ in 0..times {
                app::operate(node, process, operation, env);
            }
        }
    });
}

fn begin_storm(c: &mut Cluster) {
    c.world.storm = c.chance.within(STORM.start, STORM.end);
    if c.chance.per_mille(c.world.options.strike) {
        let length = c.world.storm * c.laws().latency.high / 4;
        let at = c.now() + c.chance.below(length);
        c.at(at, Plan::Strike);
    }
}

/// A process begins and joins a group or two.
pub fn open(c: &mut Cluster, host: usize) {
    let opened = c.open(host, |app, process, env| {
        for _ in 0..env.chance.within(1, 2) {
            app.join(process, env);
        }
    });
    c.world.known.extend(opened);
}
