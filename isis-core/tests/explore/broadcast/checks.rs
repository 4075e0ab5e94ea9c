//! What must hold when nothing happens any more.
//!
//! Whatever an application takes stays taken, so an order that is broken anywhere is broken in every run
//! that goes on from there, and each comes to rest; so it is enough to look there. The record of such a
//! run is held against all properties of the auditor.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use isis_core::audit::history::History;
use isis_core::audit::properties::{ALL, first_violation};
use isis_core::audit::trace::{Trace, What};
use isis_core::delivery::LeaveReason;
use isis_core::ids::{MessageId, ProcessId, Site};

use super::model::{Explorer, State};
use crate::engine::digest;

impl Explorer {
    pub fn check_at_rest(&self, state: &State) -> Result<(), String> {
        self.check_empty(state)?;
        let logs: Vec<u128> = state.nodes.iter().map(|n| n.site.log.digest()).collect();
        let verdict = self.verdicts.get_or(digest(&logs), || judge(state));
        match verdict {
            Some(violation) => Err(self.explain(state, &violation)),
            None => Ok(()),
        }
    }

    /// L2, L3: nothing waits, and what has been collected is gone.
    fn check_empty(&self, state: &State) -> Result<(), String> {
        for node in state.nodes.iter().filter(|n| !n.site.halted) {
            let g = node.site.machine.gauges();
            let kept = match self.setup.collects {
                true => g.obcasts + g.finals,
                false => 0,
            };
            if g.bcasts + g.queued + g.held + g.flushes + g.runs + kept > 0 {
                let pending = node.site.machine.pending();
                let text = format!("L3 not empty at {}: {g:?} {pending:?}", node.site.id);
                return Err(self.explain(state, &text));
            }
        }
        Ok(())
    }
}

fn judge(state: &State) -> Option<Arc<str>> {
    let Some(trace) = merge(state) else {
        return Some("no order of what the sites did is possible".into());
    };
    let history = History::new(&trace);
    let violation = first_violation(&history, &ALL).err()?;
    Some(format!("{}: {}", violation.property, violation.text).into())
}

/// One order of what all sites did in which causes come first: a broadcast before it is taken, a crash and
/// the wish to leave before the views that tell of it.
fn merge(state: &State) -> Option<Trace> {
    let logs = state
        .nodes
        .iter()
        .map(|n| VecDeque::from(n.site.log.records()));
    let mut logs: Vec<VecDeque<What>> = logs.collect();
    let mut trace = Trace {
        live: true,
        ..Trace::default()
    };
    let mut sent: BTreeSet<MessageId> = BTreeSet::new();
    let mut halted: BTreeSet<Site> = BTreeSet::new();
    let mut asked: BTreeSet<ProcessId> = BTreeSet::new();
    loop {
        let ready = |what: &What| match what {
            What::Deliver(_, m) => sent.contains(&m.id),
            What::Install(_, view) => view.left.iter().all(|(s, _)| halted.contains(s)),
            What::View(_, view) => {
                let mut left = view
                    .left
                    .iter()
                    .filter(|(_, why)| *why == LeaveReason::Left);
                left.all(|(p, _)| asked.contains(p))
            }
            _ => true,
        };
        let Some(at) = logs.iter().position(|l| l.front().is_some_and(ready)) else {
            break;
        };
        let what = logs[at].pop_front().expect("it has a front");
        match &what {
            What::Send(m) => _ = sent.insert(m.id),
            What::Crash(site) => _ = halted.insert(*site),
            What::AskLeave(p, _) => _ = asked.insert(*p),
            _ => {}
        }
        trace.add(trace.records.len() as u64, what);
    }
    logs.iter().all(VecDeque::is_empty).then_some(trace)
}
