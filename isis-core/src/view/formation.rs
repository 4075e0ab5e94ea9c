//! Before the first view: founding one, or joining a running one (R2).
//!
//! The first view is a ballot decision among the listed site *ids*, by promises and acceptances from
//! all of them: with fewer, the listed sites that were not asked could found a second system, or
//! restart and vote a second time. An acceptance counts only from the incarnation that promised.
//! A majority is enough if its votes are on disk and none of it was ever in a view: then a listed site
//! that restarts votes as it had voted (R2, R3). Of these ids, not of a new list, and not of a store that
//! was lost or is new although its site was in a view: that cannot be seen here.
//! Whoever hears of a running view joins that instead. An incarnation never does both in two epochs:
//! if it has accepted a first view of another epoch, its next incarnation must ask (PROTOCOL-REVIEW 52).
//! With stores it may: all first views are then one decision, so if one of them is running no other can be.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::message::{Durable, Message, Status};
use super::step::Step;
use super::{Member, Phase, SiteView, Views, quorum};
use crate::config::FirstView;
use crate::ids::{Epoch, Incarnation, MAX_SITES, Site, SiteId, ViewNumber};
use crate::machine::ViewToTransport;
use crate::machine::view::Note;
use crate::time::Time;

/// What a site in no view knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Outside {
    /// The peers and this site.
    pub listed: BTreeSet<SiteId>,
    /// Listed sites in no view either, with the same list.
    fresh: BTreeMap<Site, Durable>,
    /// Sites that were in a view and look for the others of it.
    returning: BTreeSet<Site>,
    /// Why some are missing.
    unreachable: BTreeMap<SiteId, String>,
    /// The view that it asks to join; it then founds nothing.
    pub joining: Option<SiteView>,
    /// An earlier incarnation was in a view of that sequence, says the store.
    pub returns: bool,
    /// Sites that vote for earlier incarnations in the view `joining`.
    pub successors: BTreeSet<Site>,
    /// Members of that view that live, and lack the views that lead to it.
    pub strays: BTreeSet<Site>,
    /// Until when a site that may go on without others listens for them.
    listen_until: Time,
    sought: bool,
    /// What the last note named.
    pub missing: String,
    differing: String,
}

impl Outside {
    /// `past` is the last view that the store knows.
    pub fn new(listed: BTreeSet<SiteId>, past: Option<SiteView>, listen_until: Time) -> Outside {
        Outside {
            listed,
            fresh: BTreeMap::new(),
            returning: BTreeSet::new(),
            unreachable: BTreeMap::new(),
            returns: past.is_some(),
            joining: past,
            successors: BTreeSet::new(),
            strays: BTreeSet::new(),
            listen_until,
            sought: false,
            missing: String::new(),
            differing: String::new(),
        }
    }

    /// Sites that take part in founding.
    pub fn is_fresh(&self, site: Site) -> bool {
        self.joining.is_none() && self.fresh.contains_key(&site)
    }

    pub fn electors(&self) -> Vec<Site> {
        self.fresh.keys().copied().collect()
    }

    /// The incarnations that vote on the first view, with whether their votes are on disk. While
    /// somebody looks for the others of a view that was, no vote is worth more for being so.
    pub fn voters(&self, me: (Site, Durable), sites: &BTreeSet<Site>) -> BTreeMap<Site, Durable> {
        let known = self.fresh.iter().map(|(s, durable)| (*s, *durable));
        known
            .chain([me])
            .filter(|(s, _)| sites.contains(s))
            .map(|(s, durable)| (s, durable && self.returning.is_empty()))
            .collect()
    }
}

impl Views {
    /// A session has come up.
    pub(super) fn greet(&mut self, site: Site, step: &mut Step) {
        if let Phase::Outside(outside) = &mut self.phase {
            outside.unreachable.remove(&site.id);
        }
        if let Phase::Outside(outside) = &self.phase {
            let message = match &outside.joining {
                Some(view) if outside.returns || view.contains(site) => self.join(view),
                _ => self.introduction(outside),
            };
            step.send(site, &message);
        }
    }

    /// Repeats what an outside site asks of everybody it hears.
    pub(super) fn knock(&mut self, step: &mut Step) {
        let heard: Vec<Site> = self.links.heard().collect();
        if let Phase::Outside(outside) = &mut self.phase
            && !core::mem::replace(&mut outside.sought, true)
        {
            let seeds = outside.seeds(self.me.id, &self.settings.peers);
            step.transport(ViewToTransport::Seek(seeds));
        }
        if let Phase::Outside(outside) = &self.phase {
            let message = match &outside.joining {
                Some(view) => self.join(view),
                None => self.introduction(outside),
            };
            step.send_all(heard, &message);
        }
    }

    fn introduction(&self, outside: &Outside) -> Message {
        Message::Outside {
            listed: outside.listed.clone(),
            durable: self.store.is_some(),
        }
    }

    pub(super) fn join(&self, view: &SiteView) -> Message {
        Message::Join {
            epoch: view.epoch,
            number: view.number,
            votes: self.votes_in(view),
        }
    }

    /// A session is silent or gone. A ballot that counts on that incarnation would never end; it is
    /// dropped, and the next one asks whoever is there.
    pub(super) fn miss(&mut self, site: Site) {
        match &mut self.phase {
            Phase::Outside(outside) => {
                outside.successors.remove(&site);
                outside.strays.remove(&site);
                outside.returning.remove(&site);
                let counted = outside.fresh.remove(&site).is_some();
                self.decision.campaign.take_if(|_| counted);
            }
            Phase::Inside(inside) => {
                inside.applicants.remove(&site);
                inside.successors.remove(&site);
            }
            _ => {}
        }
    }

    pub(super) fn on_unreachable(&mut self, peer: SiteId, cause: String) {
        if let Phase::Outside(outside) = &mut self.phase {
            outside.unreachable.insert(peer, cause);
        }
    }

    pub(super) fn on_outside(
        &mut self,
        from: Site,
        listed: BTreeSet<SiteId>,
        durable: Durable,
        step: &mut Step,
    ) {
        match &mut self.phase {
            Phase::Outside(outside) if outside.returns => {
                outside.bring_in(from, step);
                self.greet(from, step);
            }
            Phase::Outside(outside) => {
                if let Some(view) = &outside.joining {
                    step.send(from, &Message::Commit(view.clone()));
                } else if outside.listed == listed {
                    outside.fresh.insert(from, durable);
                } else {
                    let note = format!(
                        "site {} lists {}, this site lists {}",
                        from.id,
                        names(&listed),
                        names(&outside.listed)
                    );
                    say(&mut outside.differing, note, Note::PeersDiffer, step);
                }
            }
            _ => self.bring_up_to_date(from, None, step),
        }
    }

    /// Somebody knows a running view: ask its members to be admitted, or to be brought up to date.
    pub(super) fn on_running(&mut self, view: SiteView, step: &mut Step) {
        let Phase::Outside(outside) = &mut self.phase else {
            return;
        };
        let accepted = self.decision.accepted.as_ref();
        let founding = accepted
            .filter(|_| self.store.is_none())
            .map(|p| p.view.epoch);
        let passed_over =
            view.highest.get(&self.me.id) >= Some(&self.me.incarnation) && !view.contains(self.me);
        if passed_over || founding.is_some_and(|epoch| epoch != view.epoch) {
            self.be_excluded(view, step);
            return;
        }
        if outside
            .joining
            .as_ref()
            .is_some_and(|known| !known.is_before(&view))
        {
            return;
        }
        let heard: Vec<Site> = match outside.returns {
            true => self.links.heard().collect(),
            false => view.sites().filter(|s| self.links.hears(*s)).collect(),
        };
        if view.members.len() >= MAX_SITES && view.seat(self.me).is_none() {
            let text = format!("the site view has {MAX_SITES} sites, as many as there can be");
            say(&mut outside.missing, text, Note::WaitingForRoom, step);
        }
        outside.joining = Some(view);
        outside.successors.clear();
        outside.strays.clear();
        outside.listen_until = step.now + self.settings.grace;
        let seeds = outside.seeds(self.me.id, &self.settings.peers);
        step.transport(ViewToTransport::Seek(seeds));
        self.decision.campaign = None;
        self.remember_past();
        if let Phase::Outside(outside) = &self.phase
            && let Some(view) = &outside.joining
        {
            step.send_all(heard, &self.join(view));
        }
    }

    /// All sites of the view that this one asked to join have halted. It may not found another; its
    /// next incarnation may.
    pub(super) fn give_up_joining(&mut self, step: &mut Step) {
        if let Phase::Outside(outside) = &self.phase
            && let Some(view) = &outside.joining
            && !outside.returns
            && view.sites().all(|s| self.links.has_halted(s))
        {
            self.be_excluded(view.clone(), step);
        }
    }

    /// Leads the founding if enough are there and this is the lowest of them.
    pub(super) fn try_to_found(&mut self, step: &mut Step) {
        let Phase::Outside(outside) = &mut self.phase else {
            return;
        };
        if self.decision.campaign.is_some() || outside.joining.is_some() {
            return;
        }
        let rule = self.settings.first_view;
        let present: BTreeSet<Site> = outside.fresh.keys().copied().chain([self.me]).collect();
        let waits = match rule {
            FirstView::Alone => outside.listens_for(&outside.listed, &present, step.now),
            _ => {
                let voters = outside.voters((self.me, self.store.is_some()), &present);
                !quorum::founds(rule, &outside.listed, voters.into_iter())
            }
        };
        if waits {
            outside.name_the_missing(self.me, step);
            return;
        }
        let lowest = present.first() == Some(&self.me);
        if lowest || rule == FirstView::Alone {
            self.interrogate(step);
        }
    }

    /// The first view of these sites (§4.2: ties of age broken by site id).
    pub(super) fn first_view(&self, outside: &Outside, sites: &BTreeSet<Site>) -> SiteView {
        let address = |site: Site| match site == self.me {
            true => self.address.clone(),
            false => self.links.address(site),
        };
        let members = sites.iter().map(|s| Member {
            site: *s,
            address: address(*s),
        });
        let half = |n| u128::from(self.draw(n, u64::MAX));
        let highest: BTreeMap<SiteId, Incarnation> =
            sites.iter().map(|s| (s.id, s.incarnation)).collect();
        SiteView {
            epoch: Epoch(half(1) << 64 | half(2)),
            number: ViewNumber(0),
            members: members.collect(),
            joined: sites.iter().copied().collect(),
            left: Vec::new(),
            founding: outside.listed.iter().copied().collect(),
            highest,
        }
    }
}

impl Outside {
    /// Whom to look for: the members of the view that it asks to join, and unless all it knows of that
    /// is hearsay, the peers.
    fn seeds(&self, me: SiteId, peers: &BTreeMap<SiteId, String>) -> Vec<(SiteId, String)> {
        let members = self.joining.iter().flat_map(|view| &view.members);
        let mut seeds: BTreeMap<SiteId, String> = members
            .map(|m| (m.site.id, m.address.clone()))
            .filter(|(id, _)| *id != me)
            .collect();
        if self.returns || self.joining.is_none() {
            seeds.extend(peers.clone());
        }
        seeds.into_iter().collect()
    }

    /// Whether some of these may still be heard of: they are neither here nor out of reach.
    pub fn listens_for(&self, ids: &BTreeSet<SiteId>, present: &BTreeSet<Site>, now: Time) -> bool {
        let is_known =
            |id: &SiteId| self.unreachable.contains_key(id) || present.iter().any(|s| s.id == *id);
        now < self.listen_until && !ids.iter().all(is_known)
    }

    fn name_the_missing(&mut self, me: Site, step: &mut Step) {
        let there = |id: SiteId| id == me.id || self.fresh.keys().any(|s| s.id == id);
        let missing = self.listed.iter().copied().filter(|id| !there(*id));
        let text = self.in_words(missing);
        say(&mut self.missing, text, Note::WaitingFor, step);
    }

    /// Sites with the reasons why they are missing.
    pub fn in_words(&self, missing: impl Iterator<Item = SiteId>) -> String {
        let text: Vec<String> = missing
            .map(|id| match self.unreachable.get(&id) {
                _ if self.returning.iter().any(|s| s.id == id) => {
                    format!("site {id} (there, and waits for those of a view that it was in)")
                }
                Some(cause) => format!("site {id} ({cause})"),
                None => format!("site {id}"),
            })
            .collect();
        text.join(", ")
    }

    /// A site in no view tells us so. If it, or an earlier incarnation, is a member of the view that we
    /// know it gets that; a member that some earlier view admitted is none any more, for it lacks those.
    pub fn bring_in(&mut self, site: Site, step: &mut Step) {
        if let Some(view) = self.joining.as_ref().filter(|v| v.seat(site).is_some()) {
            step.send(site, &Message::Past(view.clone()));
            if view.contains(site) && !view.joined.contains(&site) {
                self.strays.insert(site);
            }
        }
    }

    /// A member that lives, and has not heard of the view that our store knows. If it lacks more than
    /// that one, which is all we have, it cannot follow.
    pub fn bring_on(&mut self, member: Site, status: Status, step: &mut Step) {
        let known = self.joining.as_ref().filter(|v| v.epoch == status.epoch);
        if let Some(view) = known.filter(|v| self.returns && status.number < v.number) {
            step.send(member, &Message::Past(view.clone()));
            if status.number.0 + 1 < view.number.0 {
                self.strays.insert(member);
            }
        }
    }

    /// A site of a past view is there, and we know of none.
    pub fn on_returning(&mut self, site: Site) {
        self.fresh.remove(&site);
        self.returning.insert(site);
    }
}

/// Says what has not just been said.
pub(super) fn say(
    said: &mut String,
    text: String,
    note: impl FnOnce(String) -> Note,
    step: &mut Step,
) {
    if *said != text {
        said.clone_from(&text);
        step.note(note(text));
    }
}

fn names(ids: &BTreeSet<SiteId>) -> String {
    let names: Vec<String> = ids.iter().map(SiteId::to_string).collect();
    names.join(", ")
}
