//! Ballots: promise, propose, accept, commit (R2, R4, R5, R7).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::decision::{self, Campaign};
use super::message::{Ballot, Message, Proposal, Subject};
use super::step::Step;
use super::{Phase, SiteView, Views, quorum};
use crate::config::Quorum;
use crate::ids::{Site, ViewNumber};
use crate::machine::ViewToTransport;

/// The shortest bound of a random back-off; it doubles with the attempts.
const BACK_OFF: Duration = Duration::from_millis(20);

/// Which sites' frames the transport machine withholds (R7): those that the highest accepted proposal
/// leaves out, or the one about to be accepted. An acceptance takes effect, and is told, only once its
/// sites are withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Withholding {
    token: u64,
    sites: BTreeSet<Site>,
    effective: bool,
    waiting: Option<Proposal>,
}

impl Withholding {
    /// Withholds these from now on; true if that is so already.
    fn follow(&mut self, sites: BTreeSet<Site>, step: &mut Step) -> bool {
        if self.sites != sites {
            self.token += 1;
            self.effective = sites.is_empty();
            self.sites = sites.clone();
            let token = self.token;
            step.transport(ViewToTransport::Withhold { token, sites });
        }
        self.effective || self.sites.is_empty()
    }

    /// The view is decided: nothing is withheld.
    pub fn release(&mut self, step: &mut Step) {
        self.waiting = None;
        self.follow(BTreeSet::new(), step);
    }
}

impl Views {
    pub(super) fn on_ballot(&mut self, from: Site, message: Message, step: &mut Step) {
        let subject = match &message {
            Message::Interrogate { subject, .. }
            | Message::Promise { subject, .. }
            | Message::Propose { subject, .. }
            | Message::Accept { subject, .. }
            | Message::Refuse { subject, .. } => *subject,
            _ => return,
        };
        if !self.is_open(from, subject, step) {
            return;
        }
        match message {
            Message::Interrogate { ballot, .. } => self.on_interrogate(from, ballot, step),
            Message::Promise {
                ballot, accepted, ..
            } => {
                self.on_promise(from, ballot, accepted, step);
            }
            Message::Propose { proposal, .. } => self.on_propose(from, proposal, step),
            Message::Accept { proposal, .. } => self.learn(&[from], proposal, step),
            Message::Refuse {
                ballot, promised, ..
            } => self.on_refuse(ballot, promised, step),
            _ => {}
        }
    }

    /// Whether this is about the view being decided here, by one who has a say in it. Whoever lags is
    /// brought up to date; if we lag, the sender learns it.
    fn is_open(&mut self, from: Site, subject: Subject, step: &mut Step) -> bool {
        match &self.phase {
            Phase::Outside(outside) => match &outside.joining {
                Some(view) if subject.epoch == Some(view.epoch) && self.votes_in(view) => {
                    if subject < self.subject() {
                        step.send(from, &Message::Past(view.clone()));
                    } else if subject > self.subject() {
                        step.send(from, &self.join(view));
                    }
                    subject == self.subject() && view.seat(from).is_some()
                }
                _ if subject.epoch.is_some() => false,
                Some(view) => {
                    step.send(from, &Message::Commit(view.clone()));
                    false
                }
                None => outside.is_fresh(from),
            },
            Phase::Inside(inside) => {
                let current = &inside.current;
                let member = current.seat(from).is_some();
                if subject == self.subject() && member {
                    return true;
                }
                if subject.epoch == Some(current.epoch) && member && subject > self.subject() {
                    self.repeat_status(step);
                } else if subject.epoch == Some(current.epoch) {
                    let has = subject.number.0.checked_sub(1).map(ViewNumber);
                    self.bring_up_to_date(from, has, step);
                } else if subject.epoch.is_none() {
                    self.bring_up_to_date(from, None, step);
                }
                false
            }
            Phase::Departing(_) => {
                self.bring_up_to_date(from, None, step);
                false
            }
            Phase::Out => false,
        }
    }

    /// The view to be decided next.
    fn subject(&self) -> Subject {
        match self.electorate() {
            Some(view) => Subject {
                epoch: Some(view.epoch),
                number: ViewNumber(view.number.0 + 1),
            },
            None => Subject {
                epoch: None,
                number: ViewNumber(0),
            },
        }
    }

    /// Those whom a proposer addresses: all that have a vote and may answer, but for itself.
    fn electors(&self) -> Vec<Site> {
        match &self.phase {
            Phase::Outside(outside) => match self.electorate() {
                Some(view) => self.present(outside, view).collect(),
                None => outside.electors(),
            },
            Phase::Inside(inside) => {
                let voters = inside.others(self.me);
                let voters = voters.filter(|s| !self.links.suspects(*s));
                voters.chain(inside.successors.iter().copied()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Starts a ballot above all known ones (three phases).
    pub(super) fn interrogate(&mut self, step: &mut Step) {
        let ballot = Ballot {
            attempt: self.decision.next_attempt(),
            proposer: self.me,
        };
        self.promise(ballot, step);
        let promises = BTreeMap::from([(self.me, self.decision.accepted.clone())]);
        self.decision.campaign = Some(Campaign::Interrogating { ballot, promises });
        self.ask_all(step);
        self.weigh_promises(step);
    }

    /// Promises to take part in no lower ballot: an acceptance still waiting to take effect at a lower
    /// one is void, what was withheld for it released, and a ballot of our own that has not got as far
    /// as our acceptance ends.
    fn promise(&mut self, ballot: Ballot, step: &mut Step) {
        self.decision.promised = Some(ballot);
        let lower = |p: &mut Proposal| p.ballot < ballot;
        if self.withholding.waiting.take_if(lower).is_some() {
            let accepted = self.decision.accepted.as_ref();
            let sites = accepted.map(|p| self.left_out(&p.view));
            self.withholding.follow(sites.unwrap_or_default(), step);
        }
        if self.decision.is_overtaken(ballot) {
            self.back_off(ballot, step);
        }
    }

    /// Leaves the field to a higher ballot for a random while, so that rivals do not meet for ever.
    fn back_off(&mut self, higher: Ballot, step: &mut Step) {
        let bound = BACK_OFF.as_micros() as u64 * (1 << higher.attempt.min(6));
        let wait = Duration::from_micros(self.draw(higher.attempt, bound));
        let until = step.now + wait;
        self.decision.campaign = Some(Campaign::BackingOff { until });
    }

    fn on_interrogate(&mut self, from: Site, ballot: Ballot, step: &mut Step) {
        let subject = self.subject();
        if ballot.proposer != from || ballot.attempt == 0 {
            return;
        }
        match self.decision.promised {
            Some(promised) if promised > ballot => {
                step.send(
                    from,
                    &Message::Refuse {
                        subject,
                        ballot,
                        promised,
                    },
                );
            }
            _ => {
                self.promise(ballot, step);
                let accepted = self.decision.accepted.clone();
                step.send(
                    from,
                    &Message::Promise {
                        subject,
                        ballot,
                        accepted,
                    },
                );
            }
        }
    }

    fn on_promise(
        &mut self,
        from: Site,
        ballot: Ballot,
        accepted: Option<Proposal>,
        step: &mut Step,
    ) {
        if let Some(Campaign::Interrogating {
            ballot: mine,
            promises,
        }) = &mut self.decision.campaign
            && *mine == ballot
        {
            promises.insert(from, accepted.clone());
            self.weigh_promises(step);
        }
        if let Some(proposal) = accepted {
            self.learn(&[from], proposal, step);
        }
    }

    /// Proposes once enough have promised: what they are bound to, else what this site wants.
    fn weigh_promises(&mut self, step: &mut Step) {
        let Some(Campaign::Interrogating { ballot, promises }) = &self.decision.campaign else {
            return;
        };
        let ballot = *ballot;
        let promisers: BTreeSet<Site> = promises.keys().copied().collect();
        let bound = decision::bound(promises).map(|p| p.view.clone());
        let none = BTreeMap::new();
        let (enough, view, voters) = match (&self.phase, self.electorate()) {
            (Phase::Outside(outside), Some(view)) => (
                quorum::can_decide(self.settings.quorum, view, &promisers),
                bound.unwrap_or_else(|| self.revived_view(outside, view)),
                none,
            ),
            (Phase::Outside(outside), None) => {
                let voters = outside.voters((self.me, self.store.is_some()), &promisers);
                let sites = voters.iter().map(|(s, durable)| (*s, *durable));
                (
                    quorum::founds(self.settings.first_view, &outside.listed, sites),
                    bound.unwrap_or_else(|| self.first_view(outside, &promisers)),
                    voters,
                )
            }
            (Phase::Inside(inside), _) => (
                match self.settings.quorum {
                    Quorum::Majority => quorum::is_quorum(&inside.current, &promisers),
                    Quorum::None => self.electors().iter().all(|s| promisers.contains(s)),
                },
                bound.unwrap_or_else(|| self.next_view(inside)),
                none,
            ),
            _ => return,
        };
        if !enough {
            return;
        }
        if !self.is_possible(&view) {
            self.decision.campaign = None;
            return;
        }
        let proposal = Proposal {
            ballot,
            view,
            voters,
        };
        self.propose(proposal, step);
    }

    /// Leads this ballot with its one value. The proposal leaves once it is accepted here.
    pub(super) fn propose(&mut self, proposal: Proposal, step: &mut Step) {
        self.decision.campaign = Some(Campaign::Proposing(proposal.clone()));
        self.prepare_to_accept(proposal, step);
    }

    fn on_propose(&mut self, from: Site, proposal: Proposal, step: &mut Step) {
        let subject = self.subject();
        let ballot = proposal.ballot;
        let may_lead = match self.electorate() {
            Some(view) => ballot.attempt > 0 || from == view.manager(),
            None => proposal.voters.contains_key(&self.me),
        };
        if ballot.proposer != from || !may_lead || !self.is_possible(&proposal.view) {
            return;
        }
        match self.decision.promised {
            Some(promised) if promised > ballot => {
                step.send(
                    from,
                    &Message::Refuse {
                        subject,
                        ballot,
                        promised,
                    },
                );
            }
            _ => self.prepare_to_accept(proposal, step),
        }
    }

    /// Whether this view can be the next one. What this site wants may have changed since it began to
    /// interrogate.
    pub(super) fn is_possible(&self, next: &SiteView) -> bool {
        let Some(view) = self.electorate() else {
            return next.is_sound();
        };
        let mut voters: BTreeSet<Site> = self.electors().into_iter().collect();
        voters.extend(view.sites());
        voters.insert(self.me);
        quorum::may_commit(self.settings.quorum, next, &voters)
    }

    fn prepare_to_accept(&mut self, proposal: Proposal, step: &mut Step) {
        self.promise(proposal.ballot, step);
        let sites = self.left_out(&proposal.view);
        if self.withholding.follow(sites, step) {
            self.accept(proposal, step);
        } else {
            self.withholding.waiting = Some(proposal);
        }
    }

    pub(super) fn on_withheld(&mut self, token: u64, step: &mut Step) {
        if token == self.withholding.token {
            self.withholding.effective = true;
            if let Some(proposal) = self.withholding.waiting.take() {
                self.accept(proposal, step);
            }
        }
    }

    fn accept(&mut self, proposal: Proposal, step: &mut Step) {
        let subject = self.subject();
        let proposer = proposal.ballot.proposer;
        self.decision.accepted = Some(proposal.clone());
        if proposer == self.me {
            self.ask_all(step);
        } else {
            let proposal = proposal.clone();
            step.send(proposer, &Message::Accept { subject, proposal });
        }
        self.learn(&[proposer, self.me], proposal, step);
    }

    /// These sites have accepted. Whoever learns of enough acceptances commits (R5).
    fn learn(&mut self, sites: &[Site], proposal: Proposal, step: &mut Step) {
        let accepted = self.decision.learn(sites, &proposal);
        let acceptors = accepted.clone();
        let committed = match (&self.phase, self.electorate()) {
            (_, Some(view)) => {
                quorum::commits(self.settings.quorum, view, &proposal.view, &acceptors)
            }
            (Phase::Outside(outside), None) => {
                let rule = self.settings.first_view;
                quorum::founded(rule, &outside.listed, &proposal, &acceptors)
            }
            _ => false,
        };
        if committed {
            self.commit(proposal, step);
        }
    }

    /// Whoever leads a ballot tells all, also if it learned of an earlier one's success.
    fn commit(&mut self, proposal: Proposal, step: &mut Step) {
        if self.decision.campaign.is_some() {
            let current = self.current().into_iter().flat_map(SiteView::sites);
            let mut audience: BTreeSet<Site> = current.chain(proposal.view.sites()).collect();
            audience.extend(proposal.voters.keys());
            audience.extend(self.electors());
            audience.remove(&self.me);
            step.send_all(audience, &Message::Commit(proposal.view.clone()));
        }
        self.on_commit(proposal.view, step);
    }

    fn on_refuse(&mut self, ballot: Ballot, promised: Ballot, step: &mut Step) {
        let leading = match &self.decision.campaign {
            Some(Campaign::Interrogating { ballot, .. }) => *ballot,
            Some(Campaign::Proposing(proposal)) => proposal.ballot,
            _ => return,
        };
        if leading != ballot || promised <= ballot {
            return;
        }
        let highest = self.decision.promised.max(Some(promised));
        self.promise(highest.unwrap_or(promised), step);
        self.back_off(promised, step);
    }

    /// Asks these sites, if they have a vote, for what the ballot led from here still needs of them.
    pub(super) fn ask(&self, sites: &[Site], step: &mut Step) {
        let subject = self.subject();
        let electors = self.electors();
        let electors = electors.into_iter().filter(|s| sites.contains(s));
        match &self.decision.campaign {
            Some(Campaign::Interrogating { ballot, promises }) => {
                let ballot = *ballot;
                let silent = electors.filter(|s| !promises.contains_key(s));
                step.send_all(silent, &Message::Interrogate { subject, ballot });
            }
            Some(Campaign::Proposing(proposal))
                if self.decision.accepted.as_ref() == Some(proposal) =>
            {
                let proposal = proposal.clone();
                step.send_all(electors, &Message::Propose { subject, proposal });
            }
            _ => {}
        }
    }

    /// Asks everybody, after those who said that they lack the last commits got them (case 5 of the
    /// report).
    pub(super) fn ask_all(&self, step: &mut Step) {
        self.bring_laggards_up_to_date(step);
        self.ask(&self.electors(), step);
    }

    /// The sites of our view that are not in this one.
    fn left_out(&self, view: &SiteView) -> BTreeSet<Site> {
        let current = self.current().into_iter().flat_map(SiteView::sites);
        current.filter(|s| !view.contains(*s)).collect()
    }
}
