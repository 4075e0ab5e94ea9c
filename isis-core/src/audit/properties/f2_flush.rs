//! F2: what a process had sent when it called flush, and the OBCASTs that it had taken, are taken by
//! all destinations that survive, once that flush has returned, whoever fails then.

use std::collections::BTreeMap;

use crate::ids::{Class, ProcessId};

use crate::audit::history::{At, History, Step};
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    let mut began: BTreeMap<(ProcessId, u64), At> = BTreeMap::new();
    // How many of the steps of each process an earlier flush has covered.
    let mut covered: BTreeMap<ProcessId, usize> = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        match &record.what {
            What::FlushBegin(p, token) => {
                began.insert((*p, *token), at);
            }
            What::FlushEnd(p, token) => {
                let start = began.get(&(*p, *token)).copied().unwrap_or(at);
                let covered = covered.entry(*p).or_default();
                *covered = flushed(history, *p, *covered, start, at)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Looks at the steps of a process from `from` to the flush that began at `start`; how many those are.
fn flushed(
    history: &History<'_>,
    p: ProcessId,
    from: usize,
    start: At,
    end: At,
) -> Result<usize, String> {
    let steps = &history.lives[&p].steps;
    let upto = steps.partition_point(|(at, _)| *at < start).max(from);
    for (_, step) in &steps[from..upto] {
        let n = match step {
            Step::Send(n, _) => *n,
            Step::Deliver(n, m) if m.id.class == Class::Obcast => *n,
            _ => continue,
        };
        if let Some(q) = history.survivor_without(n) {
            let (id, text) = (history.broadcasts[n].id, history.text(end));
            return Err(format!("{id} had been flushed, {q} never took it: {text}"));
        }
    }
    Ok(upto)
}

#[test]
fn rejects_a_flushed_message_that_is_lost() {
    use super::sketch::{Sketch, p};
    let mut s = Sketch::new();
    let m = s.bcast_to(0, "q", &[1]);
    s.add(What::FlushBegin(p(0), 1));
    s.crash(0);
    assert!(s.passes(check));
    let mut s2 = Sketch::new();
    let m2 = s2.bcast_to(0, "q", &[1]);
    s2.add(What::FlushBegin(p(0), 1));
    s2.add(What::FlushEnd(p(0), 1));
    s2.crash(0);
    assert!(!s2.passes(check));
    s2.take(&[1], m2);
    assert!(s2.passes(check));
    assert_eq!(m, m2);
}
