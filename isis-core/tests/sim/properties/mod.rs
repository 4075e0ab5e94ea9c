//! The properties that only a look inside the machines can decide, beside those of
//! [`isis_core::audit::properties`].
//!
//! | name | promise | paragraph | file |
//! |---|---|---|---|
//! | M6 | a site view needs a quorum of the one before | §4.2, R5 | `m6_quorum` |
//! | O5 | an OBCAST waits only for what *precedes* it | §3.2 | `o5_concurrency` |
//!
//! R2, L2, L3 and L4 look at the machines at rest (`liveness`); X1 and X2 are about running at all
//! (`main`).

mod m6_quorum;
mod o5_concurrency;

pub use isis_core::audit::properties::Violation;
pub use m6_quorum::is_quorum;

use isis_core::audit::history::History;
use isis_core::audit::properties::{Check, first_violation};
use isis_core::audit::trace::Trace;

const WHITE_BOX: [(&str, Check); 2] = [("M6", m6_quorum::check), ("O5", o5_concurrency::check)];

/// The first property that the trace violates.
pub fn check(trace: &Trace) -> Result<(), Violation> {
    let history = History::new(trace);
    first_violation(&history, &isis_core::audit::properties::ALL)?;
    first_violation(&history, &WHITE_BOX)
}
