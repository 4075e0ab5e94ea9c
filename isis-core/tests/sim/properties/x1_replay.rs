//! X1: one seed is one run.

use isis_core::audit::trace::Trace;

pub fn check(first: &Trace, second: &Trace) -> Result<(), String> {
    match first.hash() == second.hash() {
        true => Ok(()),
        false => Err("two runs of one seed differ".into()),
    }
}

#[test]
fn rejects_runs_that_differ() {
    use super::example::{process, trace};
    use isis_core::audit::trace::What::{Blocked, Unblocked};
    let run = || trace([Blocked(process(0)), Unblocked(process(0))]);
    assert_eq!(check(&run(), &run()), Ok(()));
    let other = trace([Blocked(process(0)), Unblocked(process(1))]);
    assert!(check(&run(), &other).is_err());
    let mut later = run();
    later.records[1].at += 1;
    assert!(check(&run(), &later).is_err());
}
