//! One test per promise of the report's §2 to §4, one per scenario of the protocol review, and the
//! nine schedules that broke earlier rules. `PROMISES.md` is the list; `list` holds it against the tests.
//!
//! The broadcast machines run on a network that the test drives by hand (`cluster`, `calls`), and every
//! run is checked for what all must satisfy (`check`). Several scenarios are about completions that
//! run beside live traffic. Here a site view is one clean cut (`isis_core::group`), so their schedules
//! are followed as far as the cut allows, and it is the outcome that is asserted.

mod calls;
mod changes;
mod check;
mod cluster;
mod directory;
mod list;
mod outside;
mod r18_travel;
mod review_bcast;
mod review_cut;
mod review_gbcast;
mod review_obcast;
mod s2_model;
mod s3_groups;
mod s3_primitives;
mod s4_protocols;
mod safe;
mod traces;
mod traps;
mod view;
