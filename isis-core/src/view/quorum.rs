//! How many votes make a view (R2, R5).
//!
//! Two quorums of one view share a site: two majorities do, and of two exact halves only one holds
//! the oldest site. So of two ballots for one view number the later hears of the earlier. Votes are
//! counted in v(j), the view before, which both ballots agree on; counted in the proposed view, or
//! among the living, two ballots would count different sites and might share none.

use alloc::collections::BTreeSet;

use super::SiteView;
use super::message::{Durable, Proposal};
use crate::config::{FirstView, Quorum};
use crate::ids::{Site, SiteId};

impl SiteView {
    /// The member for which a site votes: itself, or an earlier incarnation of its id. Only a site
    /// that has that one's store says anything which could be counted (R3).
    pub(super) fn seat(&self, site: Site) -> Option<Site> {
        self.sites().find(|s| s.id == site.id && *s <= site)
    }

    fn seats(&self, sites: &BTreeSet<Site>) -> BTreeSet<Site> {
        sites.iter().filter_map(|s| self.seat(*s)).collect()
    }
}

/// A majority of `view`, or exactly half with its oldest site.
pub(super) fn is_quorum(view: &SiteView, sites: &BTreeSet<Site>) -> bool {
    let seats = view.seats(sites);
    let (present, all) = (seats.len(), view.members.len());
    cfg!(isis_mutant = "V1")
        || 2 * present > all
        || (2 * present == all && seats.contains(&view.manager()))
}

/// Whether these sites can decide what comes after `view`: as many as commit, with a founding site.
pub(super) fn can_decide(policy: Quorum, view: &SiteView, sites: &BTreeSet<Site>) -> bool {
    let enough = match policy {
        Quorum::None => view.seats(sites).len() == view.members.len(),
        Quorum::Majority => is_quorum(view, sites),
    };
    enough && sites.iter().any(|s| keeps_founder(view, *s))
}

/// Whether `next` is committed once these sites have accepted it in `view`.
///
/// An acceptance from a founding site that `next` keeps (R5): otherwise sites that no list names
/// could go on while all listed ones restart, find each other outside any view, and found anew.
/// Under [`Quorum::None`] every site that stays must accept, as in the report's step 3; if none stays,
/// because all have failed, every one of `view` by its store.
pub(super) fn commits(
    policy: Quorum,
    view: &SiteView,
    next: &SiteView,
    accepted: &BTreeSet<Site>,
) -> bool {
    match policy {
        Quorum::None => {
            let seats = view.seats(accepted);
            let all_failed = !view.sites().any(|s| next.contains(s));
            view.sites()
                .filter(|s| all_failed || next.contains(*s))
                .all(|s| seats.contains(&s))
        }
        Quorum::Majority => {
            let counted = if cfg!(isis_mutant = "V5") { next } else { view };
            is_quorum(counted, accepted) && accepted.iter().any(|s| keeps_founder(next, *s))
        }
    }
}

/// Whether `next` can be committed if these are the sites that vote on it, and all live. What is accepted
/// binds later ballots, so one that cannot must not be: it would be the last. Under [`Quorum::None`] a
/// founding site is demanded too, or the listed sites could found a second system beside the others.
pub(super) fn may_commit(policy: Quorum, next: &SiteView, voters: &BTreeSet<Site>) -> bool {
    let keeps = match policy {
        Quorum::None => next.sites().any(|s| keeps_founder(next, s)),
        Quorum::Majority => voters.iter().any(|s| keeps_founder(next, *s)),
    };
    next.is_sound() && keeps
}

/// Whether `site` is a founding site and in `next`, or an earlier incarnation of it is.
pub(super) fn keeps_founder(next: &SiteView, site: Site) -> bool {
    next.founding.contains(&site.id) && next.seat(site).is_some()
}

/// Whether these are enough of the listed ids to decide the first view (R2): two such sets share an id
/// that cannot answer a second time as if it had not voted. That holds for all, whose incarnations are
/// counted one by one, and for two majorities whose votes are on disk.
pub(super) fn founds(
    rule: FirstView,
    listed: &BTreeSet<SiteId>,
    sites: impl Iterator<Item = (Site, Durable)>,
) -> bool {
    let (mut present, mut durable) = (BTreeSet::new(), BTreeSet::new());
    for (site, is_durable) in sites.filter(|(s, _)| listed.contains(&s.id)) {
        present.insert(site.id);
        if is_durable {
            durable.insert(site.id);
        }
    }
    match rule {
        FirstView::All => present.len() == listed.len() || 2 * durable.len() > listed.len(),
        FirstView::Majority => 2 * present.len() > listed.len(),
        FirstView::Alone => true,
    }
}

/// Whether the first view in `proposal` is committed once these sites have accepted it: only
/// incarnations that promised count.
pub(super) fn founded(
    rule: FirstView,
    listed: &BTreeSet<SiteId>,
    proposal: &Proposal,
    accepted: &BTreeSet<Site>,
) -> bool {
    let voters = proposal.voters.iter().map(|(s, durable)| (*s, *durable));
    founds(rule, listed, voters.filter(|(s, _)| accepted.contains(s)))
}
