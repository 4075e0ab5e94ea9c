//! What a run must satisfy, checked from the outside: the record of a run ([`trace`]), an index of it
//! ([`history`]) and the [`properties`]. Nothing in here is used by the protocols, and nothing in here
//! trusts them: who preceded whom is computed again from what applications sent and took.
//!
//! The simulator fills a [`Trace`](trace::Trace) itself.

pub mod history;
pub mod properties;
pub mod trace;
