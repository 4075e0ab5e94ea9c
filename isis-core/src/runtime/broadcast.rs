//! The broadcast thread.

use crate::machine::broadcast::Call;

/// What the broadcast thread waits for.
pub(crate) enum Inbox {
    /// A call of a local process.
    Call {
        /// The process's index.
        process: u32,
        /// What it wants.
        call: Call,
    },
}
