//! How many votes make a view (R2, R5).
//!
//! Two quorums of one view share a site: two majorities do, and of two exact halves only one holds
//! the oldest site. So of two ballots for one view number the later hears of the earlier. Votes are
//! counted in v(j), the view before, which both ballots agree on; counted in the proposed view, or
//! among the living, two ballots would count different sites and might share none.

use alloc::collections::BTreeSet;

use super::SiteView;
use super::message::Proposal;
use crate::config::{FirstView, Quorum};
use crate::ids::{Site, SiteId};

/// A majority of `view`, or exactly half with its oldest site.
pub(super) fn is_quorum(view: &SiteView, sites: &BTreeSet<Site>) -> bool {
    let present = view.sites().filter(|s| sites.contains(s)).count();
    let all = view.members.len();
    cfg!(isis_mutant = "V1")
        || 2 * present > all
        || (2 * present == all && sites.contains(&view.manager()))
}

/// Whether `next` is committed once these sites have accepted it in `view`.
///
/// An acceptance from a founding site that `next` keeps (R5): otherwise sites that no list names
/// could go on while all listed ones restart, find each other outside any view, and found anew.
/// Under [`Quorum::None`] every site that stays must accept, as in the report's step 3.
pub(super) fn commits(
    policy: Quorum,
    view: &SiteView,
    next: &SiteView,
    accepted: &BTreeSet<Site>,
) -> bool {
    match policy {
        Quorum::None => view
            .sites()
            .filter(|s| next.contains(*s))
            .all(|s| accepted.contains(&s)),
        Quorum::Majority => {
            let counted = if cfg!(isis_mutant = "V5") { next } else { view };
            is_quorum(counted, accepted) && accepted.iter().any(|s| keeps_founder(next, *s))
        }
    }
}

/// Whether `next` can be committed after `view` if all live. What is accepted binds later ballots, so one
/// that cannot must not be: it would be the last. Under [`Quorum::None`] a founding site is demanded too,
/// or the listed sites could found a second system beside the others.
pub(super) fn may_commit(policy: Quorum, view: &SiteView, next: &SiteView) -> bool {
    let sites = match policy {
        Quorum::None => next,
        Quorum::Majority => view,
    };
    next.is_sound() && sites.sites().any(|s| keeps_founder(next, s))
}

/// Whether `site` is a founding site and in `next`.
pub(super) fn keeps_founder(next: &SiteView, site: Site) -> bool {
    next.founding.contains(&site.id) && next.contains(site)
}

/// Whether these are enough of the listed ids to decide the first view (R2).
pub(super) fn founds(
    rule: FirstView,
    listed: &BTreeSet<SiteId>,
    sites: impl Iterator<Item = Site>,
) -> bool {
    let present: BTreeSet<SiteId> = sites
        .map(|s| s.id)
        .filter(|id| listed.contains(id))
        .collect();
    match rule {
        FirstView::All => present.len() == listed.len(),
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
    founds(
        rule,
        listed,
        accepted.intersection(&proposal.voters).copied(),
    )
}
