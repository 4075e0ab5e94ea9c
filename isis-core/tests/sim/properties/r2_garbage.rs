//! R2: an id is dropped only when no copy can arrive any more: nothing is placed twice at a process,
//! whether its application takes it or not. That no body is dropped before all have it is R1.

use std::collections::BTreeSet;

use isis_core::audit::history::History;
use isis_core::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut placed = BTreeSet::new();
    for (at, record) in history.records.iter().enumerate() {
        if let What::Placed(p, id, _) = &record.what
            && !placed.insert((*p, *id))
        {
            return Err(format!("a copy of what was dropped: {}", history.text(at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_copy_that_is_placed_again() {
    use super::example::{obcast, process, trace};
    let placed = |p| What::Placed(process(p), obcast(0, 1), Vec::new());
    let good = trace([placed(0), placed(1)]);
    assert_eq!(check(&History::new(&good)), Ok(()));
    let bad = trace([placed(0), placed(1), placed(0)]);
    assert!(check(&History::new(&bad)).is_err());
}
