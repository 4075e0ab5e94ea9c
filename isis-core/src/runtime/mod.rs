//! Threads, sockets and handles: the protocols at work in a program.
//!
//! A site has three threads, each of which owns one machine and sleeps at one channel (the transport
//! thread in its poll, which the channel's senders ring):
//!
//! ```text
//!    application's threads           among them one lock per process: its endpoint
//!       | calls, Taken       ^ deliveries, one batch per wake-up, through a mailbox
//!       v                    |
//!    broadcast thread -------+
//!       | Send, one batch    ^ Received, one batch; Install, Quorum, Excluded
//!       v per wake-up        |
//!    transport thread <----> view thread
//!       ^ Carried, Resolved
//!       |
//!    other sites of this program, name look-ups
//! ```
//!
//! # Who waits for whom
//!
//! Channels have no bound (why that is bounded all the same: `channel`), so no thread ever waits
//! to hand something over. The application's calls and the library's threads share no lock, except
//! with calls that wait anyway (`handover`). Locks are held for the length of a few moves and never
//! while waiting: among callers a process's endpoint, and inside it nothing but its notifier, and a
//! site's list of processes, and inside it those; the in-process network. Only a recorded history adds
//! a lock that both take, that of the recorder's buffer, inside all others; the broadcast thread
//! writes to the disk under one that callers do not take. What remains is
//!
//! ```text
//!    application --(room in the window, events, outcomes)--> broadcast thread
//!    broadcast thread --(its inbox)--> nobody in particular
//!    transport thread --(its inbox, sockets)--> nobody in particular
//!    view thread --(its inbox)--> nobody in particular
//!    close, halt --(the end)--> the three threads
//! ```
//!
//! which has no cycle as long as the library's threads call nothing that waits: the notifier is
//! theirs to call, and must not. The application's comparison of olabels is called under no lock, on the
//! thread that sends.
//!
//! # The end of a site
//!
//! [`Site::close`], [`Site::halt`], exclusion ("you are dead") and a panic in a machine (fail-stop)
//! all go through one door, `Shared::end`, which says why and tells the threads to stop. When the
//! broadcast thread has ended, in whatever way, every process gets `Closed` as its last event, and
//! calls that wait get an error that says why.

mod broadcast;
mod carrier;
mod channel;
mod clock;
mod driver;
mod ending;
mod endpoint;
pub mod fork;
mod group;
mod handover;
mod opening;
mod process;
mod recorder;
#[cfg(all(test, isis_shuttle))]
mod schedules;
mod shared;
mod site;
mod stats;
mod store;
mod sync;
// Those run with the library's own threads.
#[cfg(all(test, not(isis_shuttle)))]
mod tests;
mod threads;
mod transport;
mod view;

pub use carrier::InProcessNetwork;
pub use endpoint::Notifier;
pub use group::Group;
pub use process::{Operation, Process, Wait};
pub use site::{FAREWELL, Site};
pub use stats::Stats;
