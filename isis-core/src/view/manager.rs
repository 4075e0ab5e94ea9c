//! The view manager: what the next view should be, and whether this site is to propose it.
//!
//! The oldest site acts; another acts when it takes all older ones for failed (§4.2). Who acts without
//! need does no harm, only delay: its ballots compete. A site acts only while it hears a quorum, so
//! that one which is itself cut off does not begin to exclude the others (PROTOCOL-REVIEW 4).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::decision::Campaign;
use super::member::Inside;
use super::message::{Ballot, Proposal};
use super::step::Step;
use super::{LeftReason, Member, Phase, SiteView, Views, quorum};
use crate::config::Quorum;
use crate::ids::{MAX_SITES, Site, ViewNumber};
use crate::machine::view::Note;

impl Views {
    /// Decides the next view if it is for this site to do, and there is something to decide.
    pub(super) fn manage(&mut self, step: &mut Step) {
        let Phase::Inside(inside) = &self.phase else {
            return;
        };
        match self.decision.campaign {
            Some(Campaign::Proposing(_)) => return,
            Some(_) if self.is_acting(inside) => return,
            _ => {}
        }
        let next = self.next_view(inside);
        let changes = !(next.joined.is_empty() && next.left.is_empty());
        if !self.is_acting(inside) || !(changes || self.is_undecided(inside)) {
            self.decision.campaign = None;
            return;
        }
        if !self.is_possible(&next) {
            return;
        }
        let in_office = inside.current.manager() == self.me;
        if in_office && changes && self.decision.promised.is_none() {
            let ballot = Ballot {
                attempt: 0,
                proposer: self.me,
            };
            let voters = BTreeMap::new();
            let view = next;
            self.propose(
                Proposal {
                    ballot,
                    view,
                    voters,
                },
                step,
            );
        } else {
            if !in_office && !self.decision.took_over {
                self.decision.took_over = true;
                step.note(Note::TakeOver {
                    number: next.number.0,
                });
            }
            self.interrogate(step);
        }
    }

    /// The oldest site that is not suspected, while it hears a quorum.
    fn is_acting(&self, inside: &Inside) -> bool {
        let view = &inside.current;
        let heard = |s: &Site| *s == self.me || self.links.hears(*s);
        let mut heard: BTreeSet<Site> = view.sites().filter(heard).collect();
        heard.extend(&inside.successors);
        let mut older = view.sites().take_while(|s| *s != self.me);
        (self.settings.quorum == Quorum::None || quorum::is_quorum(view, &heard))
            && older.all(|s| self.links.suspects(s) || self.is_accused(inside, s))
    }

    /// At least two others, or all there are, suspect the site.
    fn is_accused(&self, inside: &Inside, site: Site) -> bool {
        let others: Vec<Site> = inside.others(self.me).filter(|s| *s != site).collect();
        let accuses = |s: &&Site| {
            inside
                .statuses
                .get(s)
                .is_some_and(|t| t.suspects.contains(&site))
        };
        let accusers = others.iter().filter(accuses).count();
        accusers > 0 && accusers >= others.len().min(2)
    }

    /// Somebody accepted a proposal that nobody brings to an end.
    fn is_undecided(&self, inside: &Inside) -> bool {
        let number = inside.current.number;
        let undecided = |s: &super::message::Status| s.number == number && s.undecided;
        self.decision.accepted.is_some() || inside.statuses.values().any(undecided)
    }

    /// Whom this site would exclude for having failed: those it suspects, and those that the members it
    /// believes suspect, older accusers first. If a member suspects *us*, the link between us is broken
    /// and one of the two must go.
    fn failed(&self, inside: &Inside) -> BTreeSet<Site> {
        let view = &inside.current;
        let mut failed: BTreeSet<Site> = view.sites().filter(|s| self.links.suspects(*s)).collect();
        for accuser in inside.others(self.me) {
            let Some(status) = inside.statuses.get(&accuser) else {
                continue;
            };
            if failed.contains(&accuser) {
                continue;
            }
            if status.suspects.contains(&self.me) {
                failed.insert(accuser);
            } else {
                failed.extend(status.suspects.iter().filter(|s| view.contains(**s)));
            }
        }
        failed
    }

    /// The successor of the current view with all changes known here.
    pub(super) fn next_view(&self, inside: &Inside) -> SiteView {
        let current = &inside.current;
        let failed = self.failed(inside);
        let leaving = |s: Site| match s == self.me {
            true => self.leaving,
            false => inside.statuses.get(&s).is_some_and(|t| t.leaving),
        };
        let stays = self.kept_leaver(current, &failed, leaving);
        let mut next = SiteView {
            number: ViewNumber(current.number.0 + 1),
            joined: Vec::new(),
            left: Vec::new(),
            ..current.clone()
        };
        next.members.retain(|m| {
            let reason = match m.site {
                s if Some(s) == stays => return true,
                s if leaving(s) => LeftReason::Asked,
                s if failed.contains(&s) => LeftReason::Failed,
                _ => return true,
            };
            next.left.push((m.site, reason));
            false
        });
        self.admit(inside, &mut next);
        next
    }

    /// Who stays although it wishes to leave, if anybody must: without a founding site no view can be
    /// decided any more (R5), and none is empty, so if all who are left leave at once, one is the last.
    fn kept_leaver(
        &self,
        current: &SiteView,
        failed: &BTreeSet<Site>,
        leaving: impl Fn(Site) -> bool,
    ) -> Option<Site> {
        let left: Vec<Site> = current.sites().filter(|s| !failed.contains(s)).collect();
        let founders = left.iter().filter(|s| quorum::keeps_founder(current, **s));
        let founders: Vec<Site> = founders.copied().collect();
        let (needed, last) = match founders.first() {
            Some(&oldest) => (founders, oldest),
            None => (left, self.me),
        };
        needed.into_iter().all(leaving).then_some(last)
    }

    /// Admits applicants that every member hears, at most as many as there are members: so the view
    /// survives if all of them fail at once (R6). An id never comes back with an incarnation that was
    /// in a view before, or an earlier one (R5), nor while another incarnation of it is in.
    fn admit(&self, inside: &Inside, next: &mut SiteView) {
        let kept: Vec<Site> = next.sites().collect();
        let hears = |member: Site, site: Site| match member == self.me {
            true => self.links.hears(site),
            false => inside
                .statuses
                .get(&member)
                .is_some_and(|t| t.hears.contains(&site)),
        };
        for site in inside.applicants.iter().copied() {
            if next.joined.len() < kept.len()
                && next.members.len() < MAX_SITES
                && next.highest.get(&site.id) < Some(&site.incarnation)
                && next.sites().all(|s| s.id != site.id)
                && kept.iter().all(|member| hears(*member, site))
            {
                let address = self.links.address(site);
                next.members.push(Member { site, address });
                next.joined.push(site);
                next.highest.insert(site.id, site.incarnation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::message::Status;
    use super::super::step::Step;
    use super::*;
    use crate::config::Config;
    use crate::ids::{Epoch, Incarnation, SiteId};
    use crate::machine::view::Effect;
    use crate::time::Time;

    fn site(id: usize) -> Site {
        Site {
            id: SiteId(id as u32),
            incarnation: Incarnation(1),
        }
    }

    fn view_of(members: &[Site]) -> SiteView {
        let member = |site: &Site| Member {
            site: *site,
            address: String::new(),
        };
        SiteView {
            epoch: Epoch(1),
            number: ViewNumber(7),
            members: members.iter().map(member).collect(),
            joined: members.to_vec(),
            left: Vec::new(),
            founding: Vec::from([SiteId(0)]),
            highest: BTreeMap::from_iter(members.iter().map(|s| (s.id, s.incarnation))),
        }
    }

    /// How many sites the manager of a view of so many would have in the next one, if many apply.
    fn after_many_applied(sites: usize) -> usize {
        let members: Vec<Site> = (0..sites).map(site).collect();
        let view = view_of(&members);
        let mut out = Vec::new();
        let step = &mut Step {
            now: Time(0),
            out: &mut out,
        };
        let config = Config::new(SiteId(0));
        let mut views = Views::new(&config, site(0), String::new(), None, 1, step.now);
        views.on_commit(view.clone(), step);
        let applicants: BTreeSet<Site> = (sites..2 * sites).map(site).collect();
        for applicant in &applicants {
            views.links.up(*applicant, String::new());
        }
        let Phase::Inside(inside) = &mut views.phase else {
            panic!("it is in the view");
        };
        let status = Status {
            epoch: view.epoch,
            number: view.number,
            count: 1,
            hears: applicants.clone(),
            suspects: BTreeSet::new(),
            leaving: false,
            undecided: false,
        };
        let statuses = members[1..].iter().map(|s| (*s, status.clone()));
        inside.statuses.extend(statuses);
        inside.applicants = applicants;
        let inside = inside.clone();
        views.next_view(&inside).members.len()
    }

    #[test]
    fn as_many_are_admitted_as_are_kept_until_the_view_is_full() {
        assert_eq!(after_many_applied(3), 6);
        assert_eq!(after_many_applied(MAX_SITES - 1), MAX_SITES);
        assert_eq!(after_many_applied(MAX_SITES), MAX_SITES);
    }

    /// Whether a site says that it waits for room when it asks to join a view of so many.
    fn says_that_it_is_full(sites: usize) -> bool {
        let members: Vec<Site> = (0..sites).map(site).collect();
        let me = site(2 * MAX_SITES);
        let config = Config::new(me.id);
        let mut out = Vec::new();
        let step = &mut Step {
            now: Time(0),
            out: &mut out,
        };
        let mut views = Views::new(&config, me, String::new(), None, 1, step.now);
        let mut view = view_of(&members);
        views.on_running(view.clone(), step);
        view.number.0 += 1;
        views.on_running(view, step);
        let said = |effect: &&Effect| matches!(effect, Effect::Note(Note::WaitingForRoom(_)));
        let times = out.iter().filter(said).count();
        assert!(times <= 1, "once for all views");
        times == 1
    }

    #[test]
    fn who_waits_because_the_view_is_full_says_so_once() {
        assert!(says_that_it_is_full(MAX_SITES));
        assert!(!says_that_it_is_full(MAX_SITES - 1));
    }
}
