//! What a process receives and how it calls: its events, its labels, its endpoint.

mod endpoint;
mod event;
mod name;
mod olabel;

pub use endpoint::{Endpoint, Limits, MAX_DESTINATIONS, StatusAnswer};
pub use event::{Event, GroupView, LeaveReason, Message, Outcome};
pub use name::MAX_NAME;
pub(crate) use name::check_name;
pub use olabel::{Label, Olabel, Past};
