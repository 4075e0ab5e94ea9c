//! What a process receives: its events.

mod event;

pub use event::{Event, GroupView, LeaveReason, Message, Outcome};
