//! The properties that only a look inside the machines can decide, beside those of
//! [`isis_core::audit::properties`].
//!
//! | name | promise | paragraph | file |
//! |---|---|---|---|
//! | M6 | a site view needs a quorum of the one before | §4.2, R5 | `m6_quorum` |
//! | O5 | an OBCAST waits only for what *precedes* it | §3.2 | `o5_concurrency` |
//! | R2 | an id is dropped only when no copy can arrive | §4.4, R21 | `r2_garbage` |
//! | L2 | at rest nothing is pending | §4 | `l2_progress` |
//! | L3 | at rest nothing is kept | §4.4 | `l3_empty` |
//! | L4 | at rest every call has returned | §4 | `l4_calls` |
//! | X1 | one seed is one run | | `x1_replay` |
//!
//! `liveness` asks the machines at rest for L2 to L4. X2, no panic, is `main`'s; X3, what is decoded is
//! what was encoded, is tested beside the wire formats.

#[cfg(test)]
mod example;
pub mod l2_progress;
pub mod l3_empty;
pub mod l4_calls;
mod m6_quorum;
mod o5_concurrency;
mod r2_garbage;
pub mod x1_replay;

pub use isis_core::audit::properties::Violation;
pub use m6_quorum::is_quorum;

use isis_core::audit::history::History;
use isis_core::audit::properties::{Property, always, first_violation};
use isis_core::audit::trace::Trace;

const WHITE_BOX: [Property; 3] = [
    always(
        "M6",
        "a site view needs a quorum of the one before (§4.2, R5)",
        m6_quorum::check,
    ),
    always(
        "O5",
        "an OBCAST waits only for what *precedes* it (§3.2)",
        o5_concurrency::check,
    ),
    always(
        "R2",
        "an id is dropped only when no copy can arrive (§4.4, R21)",
        r2_garbage::check,
    ),
];

/// The first property that the trace violates.
pub fn check(trace: &Trace) -> Result<(), Violation> {
    let history = History::new(trace);
    first_violation(&history, &isis_core::audit::properties::ALL)?;
    first_violation(&history, &WHITE_BOX)
}
