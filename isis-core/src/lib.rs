//! Process groups, ordered atomic broadcasts, agreed views: the system of Birman and Joseph's
//! report TR 85-694.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

// Checks the record of a run; nothing of it is in the protocols.
#[cfg(feature = "std")]
pub mod audit;
pub mod broadcast;
pub mod config;
pub mod delivery;
pub mod error;
pub mod group;
pub mod ids;
pub mod link;
pub mod machine;
// The only place with a clock, threads and sockets (clippy.toml forbids them elsewhere).
#[cfg(feature = "std")]
#[allow(clippy::disallowed_types)]
pub mod runtime;
pub mod time;
pub mod view;
pub mod wire;

pub use error::Error;
