//! The runtime on the real machines: sites of one program over TCP and in process.

mod support;
mod views;
