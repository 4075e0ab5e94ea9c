//! The runtime on the real machines: sites of one program over TCP and in process.

mod groups;
mod pressure;
mod support;
mod views;
