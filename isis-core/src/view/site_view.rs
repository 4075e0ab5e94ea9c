use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, Incarnation, Site, SiteId, ViewNumber};

/// A site of a view and where to reach it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The site.
    pub site: Site,
    /// The address that it advertises, `host:port`.
    pub address: String,
}

/// Why a site is no longer in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LeftReason {
    /// It asked to leave.
    Asked,
    /// It was silent, or there was evidence that it had halted.
    Failed,
}

/// A numbered list of operational sites, oldest first (§4.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteView {
    /// The sequence that this view belongs to (R1).
    pub epoch: Epoch,
    /// Its place in the sequence; the first view is number 0.
    pub number: ViewNumber,
    /// The operational sites, oldest first; the first is the view manager.
    pub members: Vec<Member>,
    /// Those of `members` that were not in the view before.
    pub joined: Vec<Site>,
    /// Members of the view before that are not in this one.
    pub left: Vec<(Site, LeftReason)>,
    /// The listed sites of the first view (R5).
    pub founding: Vec<SiteId>,
    /// The highest incarnation ever admitted, per site id (R5).
    pub highest: BTreeMap<SiteId, Incarnation>,
}

impl SiteView {
    /// Whether this incarnation is in the view.
    pub fn contains(&self, site: Site) -> bool {
        self.members.iter().any(|m| m.site == site)
    }

    /// The sites, oldest first.
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.members.iter().map(|m| m.site)
    }

    /// The oldest site (§4.2).
    pub fn manager(&self) -> Site {
        self.members[0].site
    }
}

impl fmt::Display for SiteView {
    /// As in `v3 [0.1 2.1 1.2]`: its number, and its sites with their incarnations, oldest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{} [", self.number.0)?;
        for (i, site) in self.sites().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{site}")?;
        }
        write!(f, "]")
    }
}
