//! The runtime on the real machines: sites of one program over TCP and in process.

mod groups;
mod support;
mod views;
