//! Threads, sockets and handles: the protocols at work in a program.

mod broadcast;
mod channel;
mod ending;
mod endpoint;
pub mod fork;
mod group;
mod in_process;
mod process;
mod site;
mod stats;

pub use endpoint::Notifier;
pub use group::Group;
pub use in_process::InProcessNetwork;
pub use process::{Operation, Process, Wait};
pub use site::Site;
pub use stats::Stats;
