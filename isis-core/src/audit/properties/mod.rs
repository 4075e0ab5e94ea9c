//! What every run must satisfy: one property per file, each with a bad trace, made by hand, that it
//! must reject.
//!
//! | name | promise | paragraph | file |
//! |---|---|---|---|
//! | M1 | whoever takes a view is in it, unless it ends its own membership | §3.3, §4.2 | `m1_self_inclusion` |
//! | M2 | view numbers grow | §3.3, §4.2 | `m2_monotone` |
//! | M3 | nothing is taken before the first view | §3.3 | `m3_first_view` |
//! | M4 | one number, one view | §3.3, §4.2 | `m4_identity` |
//! | M5 | views form one chain; one epoch goes on at a time | §4.2, DESIGN 8 | `m5_chain` |
//! | M7 | nobody leaves without a cause | §3.3, §4.2 | `m7_cause` |
//! | M8 | oldest first | §3.3, §4.2 | `m8_age` |
//! | M9 | at rest all are in one view, which holds exactly the living | §4.2 | `m9_precision` |
//! | I | taken once, as sent, by destinations only | §3 | `i_integrity` |
//! | S1 | a message is taken in the view that it names | §3.5 | `s1_same_view` |
//! | S2 | from one view to the next all take the same messages | §3.3 | `s2_synchrony` |
//! | S3 | a sender takes its own | §3.1, §3.2 | `s3_own` |
//! | F1 | after a failure nothing comes from who failed | §3.3 | `f1_failure_last` |
//! | F2 | what was flushed survives everything | §3.4, §4.5 | `f2_flush` |
//! | O1 | BCASTs of one label are in one order everywhere | §3.1 | `o1_bcast_order` |
//! | O1c | a BCAST comes after its sender's OBCASTs | R16 | `o1c_after_obcasts` |
//! | O1f | BCASTs of one label respect causality | R14 | `o1f_causal` |
//! | O2 | no gaps in that order | §3.1 | `o2_gap` |
//! | O3 | what was seen indirectly is delivered | §3, footnote 2 | `o3_indirect` |
//! | O4 | what *precedes* comes first | §3.2 | `o4_precedes` |
//! | O6 | a GBCAST cuts all members alike | §3.3 | `o6_gbcast` |
//! | R1 | all or none | §3.1–§3.3 | `r1_atomic` |
//! | L1 | what a live process sent arrives | §4 | `l1_delivery` |
//!
//! M6, O5, R2 and L2 to L4 look into the machines and X1 and X2 are about running at all: they are the
//! simulator's (`tests/sim`).

mod f1_failure_last;
mod f2_flush;
mod i_integrity;
mod l1_delivery;
mod m1_self_inclusion;
mod m2_monotone;
mod m3_first_view;
mod m4_identity;
mod m5_chain;
mod m7_cause;
mod m8_age;
mod m9_precision;
mod o1_bcast_order;
mod o1c_after_obcasts;
mod o1f_causal;
mod o2_gap;
mod o3_indirect;
mod o4_precedes;
mod o6_gbcast;
mod r1_atomic;
mod s1_same_view;
mod s2_synchrony;
mod s3_own;
#[cfg(test)]
mod sketch;

use super::history::History;

/// Tells what is wrong with a history, if anything is.
pub type Check = fn(&History<'_>) -> Result<(), String>;

/// Every property of this module, in the order in which one is named that fails: first those of single
/// records, then those of orders, then those of what is missing in the end.
pub const ALL: [(&str, Check); 23] = [
    ("I", i_integrity::check),
    ("M1", m1_self_inclusion::check),
    ("M2", m2_monotone::check),
    ("M3", m3_first_view::check),
    ("M4", m4_identity::check),
    ("M5", m5_chain::check),
    ("M7", m7_cause::check),
    ("M8", m8_age::check),
    ("S1", s1_same_view::check),
    ("F1", f1_failure_last::check),
    ("O1", o1_bcast_order::check),
    ("O1f", o1f_causal::check),
    ("O1c", o1c_after_obcasts::check),
    ("O4", o4_precedes::check),
    ("O6", o6_gbcast::check),
    ("S2", s2_synchrony::check),
    ("M9", m9_precision::check),
    ("O2", o2_gap::check),
    ("O3", o3_indirect::check),
    ("R1", r1_atomic::check),
    ("S3", s3_own::check),
    ("F2", f2_flush::check),
    ("L1", l1_delivery::check),
];

/// A property that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name in the table above.
    pub property: &'static str,
    /// Who, which messages, and the record that shows it.
    pub text: String,
}

/// The first of these properties that the history violates.
pub fn first_violation(
    history: &History<'_>,
    properties: &[(&'static str, Check)],
) -> Result<(), Violation> {
    for &(property, check) in properties {
        check(history).map_err(|text| Violation { property, text })?;
    }
    Ok(())
}
