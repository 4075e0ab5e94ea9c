//! Names of sites, processes, messages and groups.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The numeric name of a site, the same over all its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u32);

/// Grows at every restart of a site (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// The most sites that a view may have. Further ones wait to be admitted until others have left.
pub const MAX_SITES: usize = 128;

/// One running instance of the library. As in the report, "site" always means an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// The configured number.
    pub id: SiteId,
    /// Which run of it.
    pub incarnation: Incarnation,
}

/// The random name of one site-view sequence, chosen with its first view (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u128);

/// The number of a site view within its epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ViewNumber(pub u64);

/// The index of a site's own process, which carries the directory (R30). No application opens it or
/// addresses it.
pub const SITE_PROCESS: u32 = 0;

/// A process: an endpoint at a site. Indices are never used again within an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Where it runs.
    pub site: Site,
    /// Which of that site's processes; [`SITE_PROCESS`] is its own.
    pub index: u32,
}

/// Which broadcast primitive carried a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// §3.1.
    Bcast,
    /// §3.2.
    Obcast,
    /// §3.3.
    Gbcast,
}

/// ID(B) of §3: unique over all incarnations. Ids of one sender and class order as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// SENDER(B).
    pub sender: ProcessId,
    /// The primitive.
    pub class: Class,
    /// Counts from 1 per sender and class.
    pub seq: u64,
}

/// The instance of a group. A group dissolved and created anew under its old name has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId {
    /// The process whose join created the group.
    pub founder: ProcessId,
    /// Counts the groups that the founder created.
    pub seq: u64,
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.incarnation.0)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}@{}", self.index, self.site)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Bcast => 'b',
            Class::Obcast => 'o',
            Class::Gbcast => 'g',
        };
        write!(f, "{class}{}:{}", self.seq, self.sender)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "G{}:{}", self.seq, self.founder)
    }
}
