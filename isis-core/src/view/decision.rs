//! One site's part in one ballot decision: what it promised, accepted and learned, and the campaign
//! that it leads (R2, R4, R5). The same for the first view and for later ones; only who votes differs.
//!
//! Why at most one value is ever committed: a ballot carries one value, a proposer above ballot 0 first
//! has promises from a quorum and takes the value accepted at the highest ballot that they report, and
//! quorums share a site (see `quorum`). So once a value is committed every higher ballot has that value.
//! Who only reports a *pending* proposal without ballots, or adopts any reported one, can revive one
//! that had lost (PROPERTIES V2, V3).

use alloc::collections::{BTreeMap, BTreeSet};

use super::message::{Ballot, Proposal};
use crate::ids::Site;
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Campaign {
    /// Collecting promises, with what each site had accepted.
    Interrogating {
        ballot: Ballot,
        promises: BTreeMap<Site, Option<Proposal>>,
    },
    /// Collecting acceptances. Never given up except for a refusal.
    Proposing(Proposal),
    /// A higher ballot was promised; trying above it after this time.
    BackingOff { until: Time },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Decision {
    pub promised: Option<Ballot>,
    pub accepted: Option<Proposal>,
    pub campaign: Option<Campaign>,
    /// This site has said that it took over.
    pub took_over: bool,
    /// Known acceptances, whoever led those ballots.
    learned: BTreeMap<Proposal, BTreeSet<Site>>,
}

impl Decision {
    /// As it stands in a store.
    pub fn resumed(promised: Option<Ballot>, accepted: Option<Proposal>) -> Decision {
        Decision {
            promised,
            accepted,
            ..Decision::default()
        }
    }

    /// The attempt for a ballot above all that this site knows of.
    pub fn next_attempt(&self) -> u64 {
        self.promised
            .map_or(1, |promised| promised.attempt.saturating_add(1))
    }

    /// Ends a back-off whose time has come.
    pub fn retry(&mut self, now: Time) {
        if let Some(Campaign::BackingOff { until }) = self.campaign
            && until <= now
        {
            self.campaign = None;
        }
    }

    /// Whether a ballot led from here is lower than this one and has not even been accepted here: then
    /// it must not go on, for this site would accept below its promise.
    pub fn is_overtaken(&self, higher: Ballot) -> bool {
        match &self.campaign {
            Some(Campaign::Interrogating { ballot, .. }) => *ballot < higher,
            Some(Campaign::Proposing(proposal)) => {
                proposal.ballot < higher && self.accepted.as_ref() != Some(proposal)
            }
            _ => false,
        }
    }

    /// Notes acceptances; returns all that are known of this proposal.
    pub fn learn(&mut self, sites: &[Site], proposal: &Proposal) -> &BTreeSet<Site> {
        let mut accepted = proposal.clone();
        if cfg!(isis_mutant = "V4") {
            accepted.ballot.attempt = 0;
            accepted.ballot.proposer = proposal.view.manager();
        }
        let acceptors = self.learned.entry(accepted).or_default();
        acceptors.extend(sites);
        acceptors
    }
}

/// What a proposer with these promises must propose; `None` leaves it free.
pub(super) fn bound(promises: &BTreeMap<Site, Option<Proposal>>) -> Option<&Proposal> {
    let accepted = promises.values().flatten();
    if cfg!(isis_mutant = "V2") {
        None
    } else if cfg!(isis_mutant = "V3") {
        accepted.min_by_key(|p| p.ballot)
    } else {
        accepted.max_by_key(|p| p.ballot)
    }
}
