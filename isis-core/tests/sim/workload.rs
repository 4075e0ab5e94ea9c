//! The lottery of operations: what applications do, and when. Now and then there is a storm, in which
//! all sites act at once, within the time that a few frames take, and perhaps something fails: that is
//! when many messages are half way.

use super::cluster::{Cluster, Event};
use super::options::{Operation, STORM};

impl Cluster {
    pub fn plan_operation(&mut self) {
        let wait = if self.storm > 0 {
            self.storm -= 1;
            self.rng.below(self.options.latency.high / 2)
        } else {
            self.rng.around(self.options.operation_interval())
        };
        self.at(self.now + wait, Event::Operation);
    }

    pub fn operate(&mut self) {
        if self.storm == 0 && self.rng.per_mille(self.options.storm) {
            self.begin_storm();
        }
        let up: Vec<usize> = (0..self.nodes.len()).filter(|h| self.can_act(*h)).collect();
        let Some(&host) = self.rng.pick(&up) else {
            return;
        };
        let operations = self.options.operations.clone();
        let operation = *self.rng.pick(&operations).expect("some always exist");
        if operation == Operation::Open {
            return self.open(host);
        }
        let times = if self.rng.per_mille(self.options.burst) {
            self.rng.within(2, 6)
        } else {
            1
        };
        self.with_node(host, |node, env| {
            let indices: Vec<u32> = node.processes.keys().copied().collect();
            if let Some(&process) = env.rng.pick(&indices) {
                for _ in 0..times {
                    node.operate(process, operation, env);
                }
            }
        });
    }

    fn begin_storm(&mut self) {
        self.storm = self.rng.within(STORM.start, STORM.end);
        if self.rng.per_mille(self.options.strike) {
            let length = self.storm * self.options.latency.high / 4;
            let at = self.now + self.rng.below(length);
            self.at(at, Event::Strike);
        }
    }

    /// Whether the host's applications run.
    pub fn can_act(&self, host: usize) -> bool {
        let now = self.now;
        self.nodes[host]
            .as_ref()
            .is_some_and(|n| n.paused_until <= now && n.out.is_none())
    }
}
