//! Scripted runs of the view machine (§4.2), named by their scenarios.

#[path = "view/basics.rs"]
mod basics;
#[path = "view/harness.rs"]
mod harness;
