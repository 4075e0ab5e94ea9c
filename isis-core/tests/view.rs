//! Scripted runs of the view machine (§4.2), named by their scenarios.

// A filter reads best as the list of what is lost: not this, and not that.
#![allow(clippy::nonminimal_bool)]

#[path = "view/ballots.rs"]
mod ballots;
#[path = "view/basics.rs"]
mod basics;
#[path = "view/founders.rs"]
mod founders;
#[path = "view/founding.rs"]
mod founding;
#[path = "view/harness.rs"]
mod harness;
#[path = "view/joining.rs"]
mod joining;
#[path = "view/leaving.rs"]
mod leaving;
#[path = "view/partitions.rs"]
mod partitions;
#[path = "view/stores.rs"]
mod stores;
