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
pub mod order;
// The only place with a clock, threads and sockets (clippy.toml forbids them elsewhere).
#[cfg(feature = "std")]
#[allow(clippy::disallowed_types)]
pub mod runtime;
#[cfg(feature = "simulator")]
pub mod sim;
pub mod time;
pub mod view;
pub mod wire;

pub use error::Error;

/// Whether this is a mutant: the protocols with one protection taken out (`mk/mutants.sh`). What is
/// shipped refuses to be built from one.
#[doc(hidden)]
pub const IS_MUTANT: bool = cfg!(any(
    isis_mutant = "B2",
    isis_mutant = "B3",
    isis_mutant = "B4",
    isis_mutant = "B5",
    isis_mutant = "B7",
    isis_mutant = "C1",
    isis_mutant = "C5",
    isis_mutant = "C6",
    isis_mutant = "G1",
    isis_mutant = "G4",
    isis_mutant = "G5",
    isis_mutant = "G6",
    isis_mutant = "H1",
    isis_mutant = "H2",
    isis_mutant = "H3",
    isis_mutant = "H4",
    isis_mutant = "R12",
    isis_mutant = "R14",
    isis_mutant = "R15",
    isis_mutant = "R16",
    isis_mutant = "R18",
    isis_mutant = "R21",
    isis_mutant = "R22",
    isis_mutant = "R24",
    isis_mutant = "R25",
    isis_mutant = "R26",
    isis_mutant = "R27",
    isis_mutant = "U",
    isis_mutant = "R3",
    isis_mutant = "V1",
    isis_mutant = "V2",
    isis_mutant = "V3",
    isis_mutant = "V4",
    isis_mutant = "V5",
));
