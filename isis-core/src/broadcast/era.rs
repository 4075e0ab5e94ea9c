//! An era: the time from one applied site view to the next. Within it no site fails.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{MAX_SITES, Site};

/// A set of sites of one era, by rank (their place in the view, below [`MAX_SITES`]).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SiteSet(u128);

impl SiteSet {
    /// The set of this one site.
    pub fn one(rank: usize) -> SiteSet {
        SiteSet(1 << rank)
    }

    /// Whether the site is in it.
    pub fn contains(self, rank: usize) -> bool {
        self.0 & (1 << rank) != 0
    }

    /// Adds the site.
    pub fn insert(&mut self, rank: usize) {
        self.0 |= 1 << rank;
    }

    /// Takes the site out.
    pub fn remove(&mut self, rank: usize) {
        self.0 &= !(1 << rank);
    }

    /// The set without the site.
    pub fn without(self, rank: usize) -> SiteSet {
        SiteSet(self.0 & !(1 << rank))
    }

    /// What is in either set.
    pub fn or(self, other: SiteSet) -> SiteSet {
        SiteSet(self.0 | other.0)
    }

    /// What is in both sets.
    pub fn and(self, other: SiteSet) -> SiteSet {
        SiteSet(self.0 & other.0)
    }

    /// The set without these sites.
    pub fn minus(self, other: SiteSet) -> SiteSet {
        SiteSet(self.0 & !other.0)
    }

    /// Whether no site is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The ranks in it, ascending.
    pub fn ranks(self) -> impl Iterator<Item = usize> {
        (0..MAX_SITES)
            .take_while(move |r| self.0 >> r != 0)
            .filter(move |r| self.contains(*r))
    }
}

/// The sites of an applied view, by rank.
#[derive(Clone, Debug, Hash)]
pub struct Era {
    /// The view's number; stamped on every message of the era.
    pub number: u64,
    /// The sites, oldest first.
    pub sites: Vec<Site>,
    /// This site's rank.
    pub me: usize,
}

impl Era {
    /// The rank of a site, if it is in the view.
    pub fn rank(&self, site: Site) -> Option<usize> {
        self.sites.iter().position(|s| *s == site)
    }

    /// The ranks of those of these sites that are in the view.
    pub fn set(&self, sites: impl Iterator<Item = Site>) -> SiteSet {
        let mut set = SiteSet::default();
        for rank in sites.filter_map(|s| self.rank(s)) {
            set.insert(rank);
        }
        set
    }

    /// All of the view's sites.
    pub fn everyone(&self) -> SiteSet {
        self.set(self.sites.iter().copied())
    }

    /// The other sites of the set.
    pub fn others(&self, set: SiteSet) -> impl Iterator<Item = usize> + use<> {
        set.without(self.me).ranks()
    }

    /// The set as sites of this era, rewritten for `next`; sites that are not there drop out.
    pub fn translate(&self, set: SiteSet, next: &Era) -> SiteSet {
        next.set(set.ranks().map(|r| self.sites[r]))
    }
}
