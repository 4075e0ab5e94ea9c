//! What a process may do at most.

use crate::config::Config;

/// An explicit destination list names at most this many processes.
pub const MAX_DESTINATIONS: usize = 4096;

/// The limits of a process, from its site's [`Config`].
#[derive(Clone, Copy, Debug, Hash)]
pub struct Limits {
    pub(super) max_message: usize,
    pub(super) window_messages: usize,
    pub(super) window_bytes: usize,
    /// Olabels are compared by a registered comparison.
    pub(super) compared: bool,
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Limits {
        Limits {
            max_message: config.max_message,
            window_messages: config.window_messages,
            window_bytes: config.window_bytes,
            compared: config.olabels.is_some(),
        }
    }
}
