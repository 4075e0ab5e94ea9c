//! The end of a schedule: everything comes to rest, and nothing may be left over.

use std::collections::{BTreeMap, BTreeSet};

use isis_core::ids::{GroupId, ProcessId, Site};
use isis_core::view::SiteView;

use super::{Host, Run};
use crate::trace::What;

impl Run {
    /// Faults stop; everything runs until nothing moves.
    pub(super) fn quiet(&mut self) {
        self.add(What::Quiet);
        let halted =
            |v: &SiteView, hosts: &BTreeMap<Site, Host>| v.sites().any(|s| !hosts.contains_key(&s));
        if self.views.last().is_some_and(|v| halted(v, &self.hosts)) {
            let next: Vec<Site> = self
                .views
                .last()
                .unwrap()
                .sites()
                .filter(|s| self.hosts.contains_key(s))
                .collect();
            self.decide(next);
        }
        for _ in 0..200_000 {
            let sites: Vec<Site> = self.hosts.keys().copied().collect();
            let mut moved = false;
            for at in &sites {
                moved |= self.install_next(*at);
            }
            moved |= self.deliver_somewhere();
            for at in sites {
                moved |= self.tick_at(at);
            }
            let processes: Vec<ProcessId> = self.endpoints.keys().copied().collect();
            for p in processes {
                while self.take(p) {
                    moved = true;
                }
            }
            if !moved {
                self.now += 100;
                let due = |h: &Host| h.machine.deadline().is_some();
                if !self.hosts.values().any(due) {
                    return;
                }
            }
        }
    }

    /// What is left over, if anything.
    pub(super) fn stuck(&self) -> Option<String> {
        let current = self.views.last()?;
        for (at, host) in &self.hosts {
            if !current.contains(*at) {
                continue;
            }
            let (gauges, pending) = (host.machine.gauges(), host.machine.pending());
            if gauges != Default::default() || !pending.is_empty() {
                return Some(format!("L3: at {at}: {gauges:?}, {pending:?}"));
            }
        }
        let member = |p: &&ProcessId| current.contains(p.site);
        for (p, endpoint) in self.endpoints.iter().filter(|(p, _)| member(p)) {
            if endpoint.in_flight() != (0, 0) || endpoint.past_len() != 0 {
                let (flight, past) = (endpoint.in_flight(), endpoint.past_len());
                return Some(format!("L3: {p}: in flight {flight:?}, past {past}"));
            }
        }
        let flush = self
            .flushes
            .iter()
            .find(|(p, _)| self.endpoints.contains_key(p) && current.contains(p.site));
        let late = flush.map(|(p, t)| format!("L4: flush {t} of {p} does not return"));
        late.or_else(|| self.astray(current))
    }

    /// Two groups of one name, or a watcher of one that is no more (R30, R31).
    fn astray(&self, current: &SiteView) -> Option<String> {
        let lives = |p: &ProcessId| self.endpoints.contains_key(p) && current.contains(p.site);
        let members = self.groups.iter().filter(|(p, _)| lives(p));
        let running: BTreeSet<GroupId> = members.flat_map(|(_, g)| g).copied().collect();
        let mut names = BTreeSet::new();
        if let Some(group) = running.iter().find(|g| !names.insert(&self.named[*g])) {
            return Some(format!("R30: {group} is not the only group of its name"));
        }
        let mut watchers = self.watched.iter().filter(|(p, _)| lives(p));
        let (p, groups) = watchers.find(|(_, groups)| !groups.is_subset(&running))?;
        Some(format!(
            "R31: of {groups:?}, which {p} watches, one has no members"
        ))
    }
}
