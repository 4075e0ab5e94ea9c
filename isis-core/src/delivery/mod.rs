//! What a process receives and how it calls: its events, its labels, its endpoint.

mod endpoint;
mod event;
mod olabel;

pub(crate) use endpoint::check_name;
pub use endpoint::{Endpoint, Limits, MAX_DESTINATIONS, MAX_NAME, StatusAnswer};
pub use event::{Event, GroupView, LeaveReason, Message, Outcome};
pub use olabel::{Label, Olabel, Past};
