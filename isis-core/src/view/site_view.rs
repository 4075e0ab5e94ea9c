use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{Epoch, Incarnation, MAX_SITES, Site, SiteId, ViewNumber};

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
    /// The operational sites, oldest first; the first is the view manager. At least one, at most
    /// [`MAX_SITES`], no id twice.
    #[serde(deserialize_with = "members")]
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

/// Decodes the members of a view: at least one, not too many, no id twice.
fn members<'de, D: Deserializer<'de>>(decoder: D) -> Result<Vec<Member>, D::Error> {
    let members: Vec<Member> = Vec::deserialize(decoder)?;
    let ids: BTreeSet<SiteId> = members.iter().map(|m| m.site.id).collect();
    match (1..=MAX_SITES).contains(&members.len()) && ids.len() == members.len() {
        true => Ok(members),
        false => Err(D::Error::custom("no members, too many, or one id twice")),
    }
}

impl SiteView {
    /// Whether a view that was decoded, and so has sound members, can be one: who joined is among them,
    /// who left is not; and others can come after it.
    pub(super) fn is_sound(&self) -> bool {
        self.joined.iter().all(|site| self.contains(*site))
            && !self.left.iter().any(|(site, _)| self.contains(*site))
            && self.number.0 < u64::MAX >> 1
    }

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
