//! What a process receives and how it calls: its events, its labels, its endpoint.

mod endpoint;
mod event;
mod limits;
mod memberships;
mod name;
mod olabel;

pub use endpoint::Endpoint;
pub use event::{Event, GroupView, LeaveReason, Message, Outcome, StatusAnswer};
pub use limits::{Limits, MAX_DESTINATIONS};
pub use name::MAX_NAME;
pub(crate) use name::check_name;
pub use olabel::{Label, Olabel, Past};
