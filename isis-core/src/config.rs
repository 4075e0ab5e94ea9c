//! The configuration of a site.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use crate::ids::SiteId;

/// What a new view needs (§4.2, R5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quorum {
    /// A majority of the previous view, or exactly half with its oldest site.
    #[default]
    Majority,
    /// The report's assumption that the network never partitions: all of the new view must
    /// acknowledge; both sides of a cut go on.
    None,
}

/// Who must take part in the first view (R2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstView {
    /// Every listed site.
    #[default]
    All,
    /// A majority, at the operator's risk: after a cut, restarted sites without stores can found a
    /// second system.
    Majority,
    /// This site alone (`bootstrap`), at the operator's risk.
    Alone,
}

/// Everything a site is told when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This site's number.
    pub id: SiteId,
    /// The cluster's name; sites of different names refuse each other.
    pub cluster: String,
    /// Where to listen, `host:port`; port 0 picks one.
    pub listen: String,
    /// What the peers are told to connect to; the listen address if empty.
    pub advertise: String,
    /// The other listed sites and their addresses.
    pub peers: BTreeMap<SiteId, String>,
    /// What a new view needs.
    pub quorum: Quorum,
    /// Who must take part in the first view.
    pub first_view: FirstView,
    /// Allows listening outside loopback without a key.
    pub insecure: bool,
    /// How often an idle link says hello (§4.1).
    pub hello_interval: Duration,
    /// The least silence after which a site is suspected; the link adapts it upwards.
    pub suspect_after: Duration,
    /// The largest message accepted, in bytes.
    pub max_message: usize,
    /// How many broadcasts of one process may be undelivered somewhere before it must wait.
    pub window_messages: usize,
    /// The same in bytes.
    pub window_bytes: usize,
}

impl Config {
    /// The defaults for a site with this id.
    pub fn new(id: SiteId) -> Config {
        Config {
            id,
            cluster: String::from("isis"),
            listen: String::from("127.0.0.1:0"),
            advertise: String::new(),
            peers: BTreeMap::new(),
            quorum: Quorum::default(),
            first_view: FirstView::default(),
            insecure: false,
            hello_interval: Duration::from_millis(250),
            suspect_after: Duration::from_millis(2000),
            max_message: 64 << 20,
            window_messages: 4096,
            window_bytes: 128 << 20,
        }
    }
}
