//! After a total failure, or with a quorum of incarnations gone for ever (R3, R9; §4.2's "if all sites
//! fail", Skeen's last process to fail).
//!
//! The store of a site that was in view v(j) holds what the site voted about v(j+1). Its next
//! incarnation asks to be admitted like any other, and meanwhile votes as the earlier one would have,
//! with what that one promised and accepted. So the argument of `decision` holds across restarts, and
//! no second sequence is needed, nor may the first be left: it goes on with v(j+1) as soon as a quorum
//! of v(j) is there, alive or by its stores.
//!
//! That finds the sites that failed last. Whoever was left out of v(j) before the end knows an earlier
//! view, and either meets somebody who knows v(j), or a quorum of that earlier view, which without one
//! that knows v(j) does not exist. It then waits, and says for whom. A member that lives leads as it
//! always would; if there is none, the oldest that returned. Nothing of what processes had received
//! survives with nobody in whose memory it is: those who return are new in v(j+1), and their groups
//! begin anew.

use alloc::collections::BTreeSet;

use super::decision::Decision;
use super::formation::{Outside, say};
use super::memory::Ledger;
use super::message::Message;
use super::step::Step;
use super::{LeftReason, Member, Phase, SiteView, Views, quorum};
use crate::ids::{Epoch, Site, ViewNumber};
use crate::machine::view::Note;

impl Views {
    /// The view whose successor this site has a vote on: its own, or its earlier incarnation's.
    pub(super) fn electorate(&self) -> Option<&SiteView> {
        match &self.phase {
            Phase::Inside(inside) => Some(&inside.current),
            Phase::Outside(outside) => {
                let view = outside.joining.as_ref();
                view.filter(|view| self.votes_in(view))
            }
            _ => None,
        }
    }

    /// Whether this site's store holds the votes of a member of this view.
    pub(super) fn votes_in(&self, view: &SiteView) -> bool {
        self.store.as_ref().is_some_and(|store| {
            let seat = view.seat(self.me);
            store.past.as_ref() == Some(view) && seat.is_some_and(|s| store.covers(s.incarnation))
        })
    }

    /// Those who can vote on the successor of `view` and are there, but for this site.
    pub(super) fn present<'a>(
        &'a self,
        outside: &'a Outside,
        view: &'a SiteView,
    ) -> impl Iterator<Item = Site> + 'a {
        let living = view.sites().filter(|s| self.lives(outside, *s));
        living.chain(outside.successors.iter().copied())
    }

    fn lives(&self, outside: &Outside, member: Site) -> bool {
        self.links.hears(member) && !outside.strays.contains(&member)
    }

    /// Another site asks to join, or looks for the others of a view that was.
    pub(super) fn on_return(
        &mut self,
        from: Site,
        (epoch, number): (Epoch, ViewNumber),
        votes: bool,
        step: &mut Step,
    ) {
        let Phase::Outside(outside) = &mut self.phase else {
            return;
        };
        if outside.returns && !votes {
            outside.bring_in(from, step);
        }
        match &outside.joining {
            Some(view) if outside.returns && view.epoch == epoch => {
                if number < view.number {
                    step.send(from, &Message::Past(view.clone()));
                } else if number == view.number && votes && outside.successors.insert(from) {
                    // The other may not know of us.
                    self.greet(from, step);
                }
            }
            None => outside.on_returning(from),
            Some(_) => {}
        }
    }

    /// What another site's store knows. It concerns this site if an earlier incarnation was in that
    /// sequence; else it only says that the other looks for somebody.
    pub(super) fn on_past(&mut self, from: Site, view: SiteView, step: &mut Step) {
        let seat = view.seat(self.me);
        let was_in = match &self.store {
            Some(store) => {
                seat.is_some_and(|s| store.covers(s.incarnation))
                    || store
                        .past
                        .as_ref()
                        .is_some_and(|past| past.epoch == view.epoch)
            }
            None => seat == Some(self.me),
        };
        match &mut self.phase {
            Phase::Outside(outside) if !was_in => outside.on_returning(from),
            _ => self.on_commit(view, step),
        }
    }

    /// The store follows what is learned of the sequence that this site was in.
    pub(super) fn remember_past(&mut self) {
        let (Phase::Outside(outside), Some(store)) = (&mut self.phase, &mut self.store) else {
            return;
        };
        let Some(view) = &outside.joining else {
            return;
        };
        let seat = view.seat(self.me);
        let was_in = seat.is_some_and(|s| store.covers(s.incarnation));
        let known = store.past.as_ref().map(|past| past.epoch);
        outside.returns = was_in || known == Some(view.epoch);
        if outside.returns {
            store.past = Some(view.clone());
            self.decision = Decision::default();
        }
    }

    /// Nobody of the sequence that this site was in is there: it may join another that goes on, which
    /// the operator, or all listed sites, founded in its place.
    pub(super) fn is_stranded(&self) -> bool {
        match &self.phase {
            Phase::Outside(outside) => {
                let view = outside.joining.as_ref();
                outside.returns && view.is_some_and(|v| self.present(outside, v).next().is_none())
            }
            _ => false,
        }
    }

    /// Leads if all members have failed, a quorum of them is back, and this is the oldest of that.
    pub(super) fn try_to_revive(&mut self, step: &mut Step) {
        let Phase::Outside(outside) = &self.phase else {
            return;
        };
        let Some(view) = outside.joining.as_ref().filter(|_| outside.returns) else {
            return;
        };
        let mut voters: BTreeSet<Site> = self.present(outside, view).collect();
        if self.votes_in(view) {
            voters.insert(self.me);
        }
        if !quorum::can_decide(self.settings.quorum, view, &voters) {
            self.name_the_last(&voters, step);
            return;
        }
        // A member that lives has what those who return have lost.
        let living = voters.iter().any(|s| view.contains(*s));
        let ids = view.sites().map(|s| s.id).collect();
        let listens = outside.listens_for(&ids, &voters, step.now);
        let stored = self.store.as_ref().is_some_and(Ledger::has_past);
        let oldest = view.sites().find_map(|s| {
            let mut successors = voters.iter();
            successors.find(|v| view.seat(**v) == Some(s)).copied()
        });
        let leads = stored && !living && !listens && oldest == Some(self.me);
        if leads && self.decision.campaign.is_none() {
            step.note(Note::Reviving {
                number: view.number.0 + 1,
            });
            self.interrogate(step);
        }
    }

    /// Says whom this site waits for.
    fn name_the_last(&mut self, voters: &BTreeSet<Site>, step: &mut Step) {
        let Phase::Outside(outside) = &mut self.phase else {
            return;
        };
        let Some(view) = &outside.joining else {
            return;
        };
        let missing = view.sites().map(|s| s.id);
        let missing = missing.filter(|id| voters.iter().all(|v| v.id != *id));
        let whom = outside.in_words(missing);
        let (epoch, number) = (view.epoch, view.number);
        let note = |whom| Note::WaitingForLast {
            epoch,
            number,
            whom,
        };
        say(&mut outside.missing, whom, note, step);
    }

    /// The successor of a view all of whose members have failed: the sites that vote for them. Any that
    /// lives after all is kept.
    pub(super) fn revived_view(&self, outside: &Outside, last: &SiteView) -> SiteView {
        let mut next = SiteView {
            number: ViewNumber(last.number.0 + 1),
            joined: [].into(),
            left: [].into(),
            ..last.clone()
        };
        let living = |s: Site| self.lives(outside, s);
        let failed = last.sites().filter(|s| !living(*s));
        next.left = failed.map(|s| (s, LeftReason::Failed)).collect();
        next.members.retain(|m| living(m.site));
        let mut back: BTreeSet<Site> = outside.successors.clone();
        back.insert(self.me);
        for seat in last.sites() {
            let site = back.iter().rev().find(|s| last.seat(**s) == Some(seat));
            let Some(site) = site.copied().filter(|_| !next.contains(seat)) else {
                continue;
            };
            let address = match site == self.me {
                true => self.address.clone(),
                false => self.links.address(site),
            };
            next.members.push(Member { site, address });
            next.joined.push(site);
            next.highest.insert(site.id, site.incarnation);
        }
        next
    }
}
