//! What every run must satisfy: one property per file, each with a bad trace, made by hand, that it
//! must reject. [`ALL`] lists them.
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
mod u_safe;

use super::history::History;

/// Tells what is wrong with a history, if anything is.
pub type Check = fn(&History<'_>) -> Result<(), String>;

/// A property.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it promises, with the paragraphs of the report.
    pub promise: &'static str,
    /// It says nothing of a run that did not come to rest.
    pub at_rest: bool,
    /// The property itself.
    pub check: Check,
}

/// A property of every run.
pub const fn always(name: &'static str, promise: &'static str, check: Check) -> Property {
    Property {
        name,
        promise,
        at_rest: false,
        check,
    }
}

/// A property of runs that come to rest.
pub const fn at_rest(name: &'static str, promise: &'static str, check: Check) -> Property {
    Property {
        at_rest: true,
        ..always(name, promise, check)
    }
}

/// Every property of this module, in the order in which one is named that fails: first those of single
/// records, then those of orders, then those of what is missing in the end.
pub const ALL: [Property; 25] = [
    always(
        "I",
        "taken once, as sent, by destinations only (§3)",
        i_integrity::check,
    ),
    always(
        "M1",
        "whoever takes a view is in it, unless it ends its own membership (§3.3, §4.2)",
        m1_self_inclusion::check,
    ),
    always("M2", "view numbers grow (§3.3, §4.2)", m2_monotone::check),
    always(
        "M3",
        "nothing is taken before the first view (§3.3)",
        m3_first_view::check,
    ),
    always(
        "M4",
        "one number, one view (§3.3, §4.2)",
        m4_identity::check,
    ),
    always(
        "M5",
        "views form one chain; one epoch goes on at a time (§4.2)",
        m5_chain::check,
    ),
    always(
        "M7",
        "nobody leaves without a cause (§3.3, §4.2)",
        m7_cause::check,
    ),
    always("M8", "oldest first (§3.3, §4.2)", m8_age::check),
    always(
        "S1",
        "a message is taken in the view that it names (§3.5)",
        s1_same_view::check,
    ),
    always(
        "F1",
        "after a failure nothing comes from who failed (§3.3)",
        f1_failure_last::check,
    ),
    always(
        "O1",
        "BCASTs of one label are in one order everywhere (§3.1)",
        o1_bcast_order::check,
    ),
    always(
        "O1f",
        "BCASTs of one label respect causality (§3.1)",
        o1f_causal::check,
    ),
    always(
        "O1c",
        "a BCAST comes after its sender's OBCASTs (§3.1)",
        o1c_after_obcasts::check,
    ),
    always(
        "O4",
        "what *precedes* comes first (§3.2)",
        o4_precedes::check,
    ),
    always(
        "O6",
        "a GBCAST cuts all members alike (§3.3)",
        o6_gbcast::check,
    ),
    always(
        "S2",
        "from one view to the next all take the same messages (§3.3)",
        s2_synchrony::check,
    ),
    at_rest(
        "M9",
        "at rest all are in one view, which holds exactly the living (§4.2)",
        m9_precision::check,
    ),
    always(
        "O2",
        "no gaps in the order of a label (§3.1)",
        o2_gap::check,
    ),
    always(
        "U",
        "up to a safe BCAST one order, of those who failed too (§3.1)",
        u_safe::check_order,
    ),
    at_rest("R1", "all or none (§3.1-§3.3)", r1_atomic::check),
    at_rest(
        "O3",
        "what was seen indirectly is delivered (§3, footnote 2)",
        o3_indirect::check,
    ),
    at_rest(
        "U",
        "what anybody took up to a safe BCAST is delivered (§3.1)",
        u_safe::check_delivery,
    ),
    at_rest("S3", "a sender takes its own (§3.1, §3.2)", s3_own::check),
    at_rest(
        "F2",
        "what was flushed survives everything (§3.4, §4.5)",
        f2_flush::check,
    ),
    at_rest(
        "L1",
        "what a live process sent arrives (§4)",
        l1_delivery::check,
    ),
];

/// A property that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub property: &'static str,
    /// Who, which messages, and the record that shows it.
    pub text: String,
}

/// The first of these properties that the history violates.
pub fn first_violation(history: &History<'_>, properties: &[Property]) -> Result<(), Violation> {
    for property in properties {
        (property.check)(history).map_err(|text| Violation {
            property: property.name,
            text,
        })?;
    }
    Ok(())
}
