//! Before the first view: founding one, or joining a running one (R2).
//!
//! The first view is a ballot decision among the listed site *ids*, by promises and acceptances from
//! all of them: with fewer, the listed sites that were not asked could found a second system, or
//! restart and vote a second time. An acceptance counts only from the incarnation that promised.
//! Whoever hears of a running view joins that instead. An incarnation never does both in two epochs:
//! if it has accepted a first view of another epoch, its next incarnation must ask (PROTOCOL-REVIEW 52).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::message::Message;
use super::step::Step;
use super::{Member, Phase, SiteView, Views, quorum};
use crate::config::FirstView;
use crate::ids::{Epoch, Incarnation, Site, SiteId, ViewNumber};
use crate::machine::ViewToTransport;
use crate::machine::view::Note;
use crate::time::Time;

/// What a site in no view knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Outside {
    /// The peers and this site.
    pub listed: BTreeSet<SiteId>,
    /// Listed sites in no view either, with the same list.
    fresh: BTreeSet<Site>,
    /// Why some are missing.
    unreachable: BTreeMap<SiteId, String>,
    /// The running view that it asks to join; it then founds nothing.
    pub joining: Option<SiteView>,
    /// Until when a site that may found alone listens for running views.
    listen_until: Time,
    sought: bool,
    /// What the last note named.
    missing: String,
    differing: String,
}

impl Outside {
    pub fn new(listed: BTreeSet<SiteId>, listen_until: Time) -> Outside {
        Outside {
            listed,
            fresh: BTreeSet::new(),
            unreachable: BTreeMap::new(),
            joining: None,
            listen_until,
            sought: false,
            missing: String::new(),
            differing: String::new(),
        }
    }

    /// Sites that take part in founding.
    pub fn is_fresh(&self, site: Site) -> bool {
        self.joining.is_none() && self.fresh.contains(&site)
    }

    pub fn electors(&self) -> Vec<Site> {
        self.fresh.iter().copied().collect()
    }
}

impl Views {
    /// A session has come up.
    pub(super) fn greet(&mut self, site: Site, step: &mut Step) {
        if let Phase::Outside(outside) = &mut self.phase {
            outside.unreachable.remove(&site.id);
            match &outside.joining {
                Some(view) if view.contains(site) => {
                    step.send(site, &join(view));
                }
                _ => step.send(site, &outside.knock()),
            }
        }
    }

    /// Repeats what an outside site asks of everybody it hears.
    pub(super) fn knock(&mut self, step: &mut Step) {
        let heard: Vec<Site> = self.links.heard().collect();
        if let Phase::Outside(outside) = &mut self.phase {
            if !outside.sought {
                outside.sought = true;
                let seeds = self.settings.peers.clone().into_iter().collect();
                step.transport(ViewToTransport::Seek(seeds));
            }
            match &outside.joining {
                Some(view) => step.send_all(heard, &join(view)),
                None => step.send_all(heard, &outside.knock()),
            }
        }
    }

    /// A session is silent or gone. A ballot that counts on that incarnation would never end; it is
    /// dropped, and the next one asks whoever is there.
    pub(super) fn miss(&mut self, site: Site) {
        match &mut self.phase {
            Phase::Outside(outside) => {
                let counted = outside.fresh.remove(&site);
                self.decision.campaign.take_if(|_| counted);
            }
            Phase::Inside(inside) => {
                inside.applicants.remove(&site);
            }
            _ => {}
        }
    }

    pub(super) fn on_unreachable(&mut self, peer: SiteId, cause: String) {
        if let Phase::Outside(outside) = &mut self.phase {
            outside.unreachable.insert(peer, cause);
        }
    }

    pub(super) fn on_outside(&mut self, from: Site, listed: BTreeSet<SiteId>, step: &mut Step) {
        match &mut self.phase {
            Phase::Outside(outside) => {
                if let Some(view) = &outside.joining {
                    step.send(from, &Message::Commit(view.clone()));
                } else if outside.listed == listed {
                    outside.fresh.insert(from);
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
        let founding = self.decision.accepted.as_ref().map(|p| p.view.epoch);
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
        let members = view.members.iter().filter(|m| m.site.id != self.me.id);
        let addresses = members.map(|m| (m.site.id, m.address.clone())).collect();
        step.transport(ViewToTransport::Seek(addresses));
        let heard = view.sites().filter(|s| self.links.hears(*s));
        step.send_all(heard, &join(&view));
        outside.joining = Some(view);
        self.decision.campaign = None;
    }

    /// All sites of the view that this one asked to join have halted. It may not found another; its
    /// next incarnation may.
    pub(super) fn give_up_joining(&mut self, step: &mut Step) {
        if let Phase::Outside(outside) = &self.phase
            && let Some(view) = &outside.joining
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
        let present = outside.fresh.iter().copied().chain([self.me]);
        let waits = match rule {
            FirstView::Alone => {
                let known = present
                    .map(|s| s.id)
                    .chain(outside.unreachable.keys().copied());
                known.collect::<BTreeSet<_>>().len() < outside.listed.len()
                    && step.now < outside.listen_until
            }
            _ => !quorum::founds(rule, &outside.listed, present),
        };
        if waits {
            outside.name_the_missing(self.me, step);
            return;
        }
        let lowest = outside.fresh.first().is_none_or(|s| self.me < *s);
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

fn join(view: &SiteView) -> Message {
    Message::Join {
        epoch: view.epoch,
        number: view.number,
    }
}

impl Outside {
    fn knock(&self) -> Message {
        Message::Outside {
            listed: self.listed.clone(),
        }
    }

    fn name_the_missing(&mut self, me: Site, step: &mut Step) {
        let missing = self
            .listed
            .iter()
            .filter(|id| **id != me.id && !self.fresh.iter().any(|s| s.id == **id));
        let text: Vec<String> = missing
            .map(|id| match self.unreachable.get(id) {
                Some(cause) => format!("site {id} ({cause})"),
                None => format!("site {id}"),
            })
            .collect();
        say(&mut self.missing, text.join(", "), Note::WaitingFor, step);
    }
}

/// Says what has not just been said.
fn say(said: &mut String, text: String, note: fn(String) -> Note, step: &mut Step) {
    if *said != text {
        said.clone_from(&text);
        step.note(note(text));
    }
}

fn names(ids: &BTreeSet<SiteId>) -> String {
    let names: Vec<String> = ids.iter().map(SiteId::to_string).collect();
    names.join(", ")
}
