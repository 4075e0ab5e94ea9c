//! The shipped machines, explored exhaustively at small sizes. `docs/MODEL-CHECKING.md` says what is
//! explored, what is abstract, and how far it goes.

// The explorer is no protocol: it looks states up, never walks its tables, and is bounded by real time.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod broadcast;
mod engine;
mod share;
mod view;
