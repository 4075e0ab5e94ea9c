//! Whom this site hears and whom it suspects (§4.1).
//!
//! Silence alone convicts nobody: two other sites are asked, and one that hears the suspect is
//! enough to spare it for a while (the report's optional extra phase). A reset connection that
//! nobody accepts again, or a later incarnation, counts at once. A site that stays silent to us
//! although others hear it is spared only a few times: a link that is dead in one direction would
//! otherwise stop the two sites, and everybody who waits for them, for ever.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::Site;
use crate::time::Time;

/// How often in a row others' word for a silent site is taken.
const CHANCES: u8 = 5;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Standing {
    Heard,
    /// Silent; the sites in `waiting` were asked and have not answered.
    Doubted {
        waiting: BTreeSet<Site>,
        until: Time,
    },
    /// Silent, but others hear it; to be asked about again.
    Spared {
        until: Time,
    },
    Suspected {
        halted: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Link {
    address: String,
    standing: Standing,
    chances_used: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Links {
    links: BTreeMap<Site, Link>,
}

impl Links {
    /// The site is heard, so what ran under its id before has halted.
    pub fn up(&mut self, site: Site, address: String) {
        for (old, link) in &mut self.links {
            if old.id == site.id && *old < site {
                link.standing = Standing::Suspected { halted: true };
            }
        }
        let link = Link {
            address,
            standing: Standing::Heard,
            chances_used: 0,
        };
        self.links.insert(site, link);
    }

    /// The site has been silent; `witnesses` are asked until `until`. Without any it is suspected.
    pub fn silent(&mut self, site: Site, witnesses: &[Site], until: Time) {
        let link = self.link(site);
        link.standing = match link.standing {
            Standing::Suspected { halted } => Standing::Suspected { halted },
            _ if witnesses.is_empty() || link.chances_used >= CHANCES => {
                Standing::Suspected { halted: false }
            }
            _ => Standing::Doubted {
                waiting: witnesses.iter().copied().collect(),
                until,
            },
        };
    }

    /// There is evidence that the site has halted.
    pub fn halted(&mut self, site: Site) {
        self.link(site).standing = Standing::Suspected { halted: true };
    }

    /// A witness's answer. True if the suspicion is withdrawn because of it, until `until`.
    pub fn testimony(&mut self, suspect: Site, from: Site, heard: bool, until: Time) -> bool {
        let Some(link) = self.links.get_mut(&suspect) else {
            return false;
        };
        let Standing::Doubted { waiting, .. } = &mut link.standing else {
            return false;
        };
        if !waiting.remove(&from) {
            return false;
        }
        if heard {
            link.standing = Standing::Spared { until };
            link.chances_used += 1;
        } else if waiting.is_empty() {
            link.standing = Standing::Suspected { halted: false };
        }
        heard
    }

    /// Suspects those whose witnesses did not answer in time; returns those to ask about again.
    pub fn expire(&mut self, now: Time) -> Vec<Site> {
        let mut again = Vec::new();
        for (site, link) in &mut self.links {
            match &link.standing {
                Standing::Doubted { until, .. } if *until <= now => {
                    link.standing = Standing::Suspected { halted: false };
                }
                Standing::Spared { until } if *until <= now => again.push(*site),
                _ => {}
            }
        }
        again
    }

    /// After this site was cut off itself: those it missed for silence get until `until` to be heard.
    pub fn forgive(&mut self, until: Time) {
        for link in self.links.values_mut() {
            if link.standing == (Standing::Suspected { halted: false }) {
                link.standing = Standing::Doubted {
                    waiting: BTreeSet::new(),
                    until,
                };
            }
        }
    }

    /// Witnesses that still owe an answer, with the site that it is about.
    pub fn doubts(&self) -> Vec<(Site, Site)> {
        let mut doubts = Vec::new();
        for (site, link) in &self.links {
            if let Standing::Doubted { waiting, .. } = &link.standing {
                doubts.extend(waiting.iter().map(|w| (*w, *site)));
            }
        }
        doubts
    }

    /// When `expire` has something to do.
    pub fn deadline(&self) -> Option<Time> {
        let until = |link: &Link| match link.standing {
            Standing::Doubted { until, .. } | Standing::Spared { until } => Some(until),
            _ => None,
        };
        self.links.values().filter_map(until).min()
    }

    /// The session is alive.
    pub fn hears(&self, site: Site) -> bool {
        self.standing(site) == Some(&Standing::Heard)
    }

    /// Everybody with a live session.
    pub fn heard(&self) -> impl Iterator<Item = Site> + '_ {
        let heard =
            |(site, link): (&Site, &Link)| (link.standing == Standing::Heard).then_some(*site);
        self.links.iter().filter_map(heard)
    }

    /// Taken for failed.
    pub fn suspects(&self, site: Site) -> bool {
        matches!(self.standing(site), Some(Standing::Suspected { .. }))
    }

    /// There is evidence that the site has halted.
    pub fn has_halted(&self, site: Site) -> bool {
        let mut successors = self.heard().filter(|s| s.id == site.id);
        self.standing(site) == Some(&Standing::Suspected { halted: true })
            || successors.any(|s| s > site)
    }

    /// Where the site says that it can be reached.
    pub fn address(&self, site: Site) -> String {
        self.links
            .get(&site)
            .map(|l| l.address.clone())
            .unwrap_or_default()
    }

    /// Forgets who is neither of interest nor heard.
    pub fn forget_unless(&mut self, of_interest: impl Fn(Site) -> bool) {
        let heard = |link: &Link| link.standing == Standing::Heard;
        self.links
            .retain(|site, link| heard(link) || of_interest(*site));
    }

    fn standing(&self, site: Site) -> Option<&Standing> {
        self.links.get(&site).map(|l| &l.standing)
    }

    fn link(&mut self, site: Site) -> &mut Link {
        self.links.entry(site).or_insert(Link {
            address: String::new(),
            standing: Standing::Heard,
            chances_used: 0,
        })
    }
}
