//! The runtime on the real machines: sites of one program over TCP and in process.
// The clock bounds the tests' own waits.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod bad_input;
mod events;
mod faults;
mod groups;
mod olabels;
mod pressure;
mod recorder;
mod support;
mod views;
