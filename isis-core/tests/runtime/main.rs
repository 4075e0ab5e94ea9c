//! The runtime on the real machines: sites of one program over TCP and in process.

mod bad_input;
mod events;
mod faults;
mod groups;
mod pressure;
mod support;
mod views;
