//! The lottery of faults.

use super::cluster::Cluster;
use super::options::{Fault, Operation};

impl Cluster {
    /// One fault of those that this run has.
    pub fn fault(&mut self) {
        let faults = self.options.faults.clone();
        let Some(&fault) = self.rng.pick(&faults) else {
            return;
        };
        let hosts = self.nodes.len();
        let host = self.rng.index(hosts);
        let suspect = self.options.suspect_micros();
        match fault {
            Fault::CrashSite => self.crash_site(host),
            Fault::CrashProcess => self.crash_process(host),
            Fault::LeaveSite => self.leave_site(host),
            Fault::ShortPause => self.pause_site(host, suspect / 20, suspect * 3 / 4),
            Fault::LongPause => self.pause_site(host, suspect * 5 / 4, suspect * 4),
            Fault::Partition => {
                let side: Vec<bool> = (0..hosts).map(|_| self.rng.per_mille(500)).collect();
                self.cut("a partition", |a, b| side[a] != side[b]);
            }
            Fault::Isolate => self.cut("one is isolated", |a, b| a == host || b == host),
            Fault::IsolateAll => self.cut("all are isolated", |_, _| true),
            Fault::OneWay => {
                let to = self.rng.index(hosts);
                self.cut("a cut one way", |a, b| a == host && b == to);
            }
            Fault::BreakConnections => {
                let other = self.rng.index(hosts);
                self.network.break_between(self.now, host, other);
            }
            Fault::SlowNetwork => {
                self.network.slowness = self.rng.within(2, 30);
                self.disturb(format!(
                    "the network is {} times slower",
                    self.network.slowness
                ));
                let until = self.now + self.rng.within(suspect / 4, suspect * 3);
                self.normal_speed_at(until);
            }
            Fault::Garbage => self.network.garbage(self.now, host),
        }
    }

    /// Halts a site, now or after some steps of its machines, which may be in the middle of carrying
    /// out what one input brought about. Some speak last: if that is heard, all that they had taken
    /// counts.
    fn crash_site(&mut self, host: usize) {
        if self.nodes[host].is_none() || !self.options.reckless && !self.can_go_on(Some(host)) {
            return;
        }
        if self.rng.per_mille(400) {
            let silent = self.rng.per_mille(self.options.silent_crash);
            return self.halt(host, silent);
        }
        let speaks = self.rng.per_mille(self.options.speaks_last);
        let steps = self.rng.below(60) as u32;
        self.with_node(host, |node, env| {
            node.doom = Some(steps);
            let indices: Vec<u32> = node.processes.keys().copied().collect();
            if let Some(&process) = env.rng.pick(&indices)
                && speaks
            {
                node.operate(process, Operation::Obcast, env);
            }
        });
    }

    fn crash_process(&mut self, host: usize) {
        if !self.can_act(host) {
            return;
        }
        self.with_node(host, |node, env| {
            let indices: Vec<u32> = node.processes.keys().copied().collect();
            if let Some(&process) = env.rng.pick(&indices) {
                node.with_app(process, env, |app, env, calls| app.close(env, calls));
            }
        });
    }

    fn leave_site(&mut self, host: usize) {
        let others = self
            .living()
            .filter(|n| n.home.host != host && !n.leaving)
            .count();
        if !self.can_act(host) || others < 2 || !self.can_go_on(Some(host)) {
            return;
        }
        if self.nodes[host]
            .as_ref()
            .is_some_and(|n| n.views.current().is_none())
        {
            // Before its first view there is nobody to ask: it just ends.
            return self.halt(host, false);
        }
        let closes = self.rng.per_mille(500);
        self.with_node(host, |node, env| {
            let indices: Vec<u32> = node.processes.keys().copied().collect();
            for process in indices.into_iter().filter(|_| closes) {
                node.with_app(process, env, |app, env, calls| app.close(env, calls));
            }
            if !node.leaving {
                node.leave(env);
            }
        });
    }

    fn pause_site(&mut self, host: usize, low: u64, high: u64) {
        let time = self.rng.within(low, high);
        if let Some(site) = self.nodes[host].as_ref().map(|n| n.site) {
            self.disturb(format!("site {site} stands still for {} ms", time / 1000));
            self.pause(host, self.now + time);
        }
    }

    /// Cuts the network where told, for a while; half the time connections across break.
    fn cut(&mut self, what: &str, is_cut: impl Fn(usize, usize) -> bool) {
        let suspect = self.options.suspect_micros();
        let breaks = self.rng.per_mille(500);
        let hosts = self.nodes.len();
        let mut pairs = Vec::new();
        for a in 0..hosts {
            for b in (0..hosts).filter(|b| a != *b && is_cut(a, *b)) {
                pairs.push(format!("{a}>{b}"));
                self.network.cut(a, b);
                if breaks {
                    self.network.break_between(self.now, a, b);
                }
            }
        }
        if pairs.is_empty() {
            return;
        }
        self.counts.partitions += 1;
        self.disturb(format!("{what}: {} (breaks: {breaks})", pairs.join(" ")));
        let time = self.rng.within(suspect / 4, suspect * 4);
        self.heal_at(self.now + time);
    }
}
