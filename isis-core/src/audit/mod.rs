//! What a run must satisfy, checked from the outside: the record of a run ([`trace`]), an index of it
//! ([`history`]) and the [`properties`]. Nothing in here is used by the protocols, and nothing in here
//! trusts them: who preceded whom is computed again from what applications sent and took.
//!
//! The simulator fills a [`Trace`](trace::Trace) itself. A site in a real program records its history
//! as a file of [`entry`] lines; [`read`] reads such files, and [`merge`] makes one trace of those of all
//! sites: `isis audit` does no more than that.

pub mod entry;
pub mod history;
pub mod merge;
pub mod properties;
pub mod read;
pub mod trace;
