//! Being in a view: installing views one by one, telling the others where we stand, bringing laggards
//! up to date, being left out (R5, R6, R8).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::decision::Decision;
use super::message::{Message, Status};
use super::step::Step;
use super::{Phase, SiteView, Views, quorum};
use crate::config::Quorum;
use crate::ids::{Epoch, Site, SiteId, ViewNumber};
use crate::machine::ViewToTransport;
use crate::machine::view::{Effect, Note};

/// How many views back a laggard is brought up to date. It stays in the view as long as it is heard,
/// so that it lags by some messages in flight, not by many views.
const KEPT_VIEWS: usize = 64;

/// What a member knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inside {
    pub current: SiteView,
    /// Committed views up to the current one.
    history: VecDeque<SiteView>,
    /// Sites that ask to join.
    pub applicants: BTreeSet<Site>,
    /// Those of them that vote for earlier incarnations in the current view (R3).
    pub successors: BTreeSet<Site>,
    /// What the other members told last.
    pub statuses: BTreeMap<Site, Status>,
    /// What this site told last.
    told: Option<Status>,
    pub blocked: bool,
}

/// A leaver that knows the commit which leaves it out, until enough others do: its own vote may be
/// what made the quorum (PROTOCOL-REVIEW 53).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Departing {
    pub view: SiteView,
    informed: BTreeSet<Site>,
}

impl SiteView {
    /// Whether `other` is a later view, or, under [`Quorum::None`], the one that prevails of two with
    /// one number: the larger, then the one with the lower oldest id (R8).
    pub(super) fn is_before(&self, other: &SiteView) -> bool {
        let rank = |view: &SiteView| {
            let oldest = view.members.first().map(|m| Reverse(m.site.id));
            (view.number, view.members.len(), oldest)
        };
        rank(self) < rank(other)
    }
}

impl Inside {
    fn new(view: SiteView) -> Inside {
        Inside {
            history: VecDeque::new(),
            applicants: BTreeSet::new(),
            successors: BTreeSet::new(),
            statuses: BTreeMap::new(),
            told: None,
            blocked: false,
            current: view,
        }
    }

    pub fn others(&self, me: Site) -> impl Iterator<Item = Site> + '_ {
        self.current.sites().filter(move |s| *s != me)
    }

    /// Sends what `to` lacks if it has view `has`: in order, from the view that admitted it.
    fn bring_up_to_date(&self, to: Site, has: Option<ViewNumber>, step: &mut Step) {
        if !self.current.contains(to) {
            step.send(to, &Message::Commit(self.current.clone()));
            return;
        }
        let admitted = self.history.iter().rposition(|v| v.joined.contains(&to));
        let lacking = self.history.iter().skip(admitted.unwrap_or(0));
        for view in lacking.filter(|v| has.is_none_or(|has| v.number > has)) {
            step.send(to, &Message::Commit(view.clone()));
        }
    }

    fn tell(&self, to: impl IntoIterator<Item = Site>, step: &mut Step) {
        if let Some(status) = &self.told {
            step.send_all(to, &Message::Status(status.clone()));
        }
    }
}

impl Departing {
    pub fn serve(&self, step: &mut Step) {
        let uninformed = self.view.sites().filter(|s| !self.informed.contains(s));
        step.send_all(uninformed, &Message::Commit(self.view.clone()));
    }
}

impl Views {
    /// Sends the views that `to` lacks if it `has` this one; all that concern it if it has none.
    pub(super) fn bring_up_to_date(&self, to: Site, has: Option<ViewNumber>, step: &mut Step) {
        match &self.phase {
            Phase::Inside(inside) => inside.bring_up_to_date(to, has, step),
            Phase::Departing(departing) => step.send(to, &Message::Commit(departing.view.clone())),
            _ => {}
        }
    }

    /// Sends the last commits to the members that said that they lack them.
    pub(super) fn bring_laggards_up_to_date(&self, step: &mut Step) {
        if let Phase::Inside(inside) = &self.phase {
            for (site, status) in &inside.statuses {
                if status.number < inside.current.number {
                    inside.bring_up_to_date(*site, Some(status.number), step);
                }
            }
        }
    }

    /// An applicant that does not know our latest view is told: it needs a session with all members.
    /// One whose store knows a later view learns where we stand, and tells us.
    pub(super) fn on_join(
        &mut self,
        from: Site,
        (epoch, number): (Epoch, ViewNumber),
        votes: bool,
        step: &mut Step,
    ) {
        match &self.phase {
            Phase::Outside(_) => return self.on_return(from, (epoch, number), votes, step),
            Phase::Departing(departing) => {
                step.send(from, &Message::Commit(departing.view.clone()));
            }
            _ => {}
        }
        if let Phase::Inside(inside) = &mut self.phase {
            let current = &inside.current;
            if current.contains(from) {
                inside.bring_up_to_date(from, None, step);
                return;
            }
            let fits =
                current.epoch == epoch && current.highest.get(&from.id) < Some(&from.incarnation);
            if !fits || number < current.number {
                step.send(from, &Message::Commit(current.clone()));
            } else if number > current.number {
                inside.tell([from], step);
            }
            if fits {
                inside.applicants.insert(from);
                if votes && number == inside.current.number {
                    inside.successors.insert(from);
                }
            }
        }
    }

    pub(super) fn on_status(&mut self, from: Site, status: Status, step: &mut Step) {
        match &mut self.phase {
            Phase::Outside(outside) => outside.bring_on(from, status, step),
            Phase::Inside(inside) if inside.current.epoch == status.epoch => {
                if status.number < inside.current.number {
                    inside.bring_up_to_date(from, Some(status.number), step);
                } else if status.number > inside.current.number {
                    inside.tell([from], step);
                }
                let known = inside.statuses.get(&from);
                let lagged = known.is_some_and(|known| known.number < inside.current.number);
                let caught_up = lagged && status.number == inside.current.number;
                if inside.current.contains(from) && known.is_none_or(|s| s.count < status.count) {
                    inside.statuses.insert(from, status);
                }
                if caught_up {
                    self.ask(&[from], step);
                }
            }
            Phase::Departing(departing) if departing.view.epoch == status.epoch => {
                if status.number < departing.view.number {
                    step.send(from, &Message::Commit(departing.view.clone()));
                } else {
                    self.informed(from.id, step);
                }
            }
            _ => {}
        }
    }

    /// A site of the view that leaves us out has it.
    fn informed(&mut self, id: SiteId, step: &mut Step) {
        let Phase::Departing(departing) = &mut self.phase else {
            return;
        };
        let informed = departing.view.sites().filter(|s| s.id == id);
        departing.informed.extend(informed);
        if quorum::is_quorum(&departing.view, &departing.informed) {
            let view = departing.view.clone();
            self.phase = Phase::Out;
            step.out.push(Effect::Excluded { view, asked: true });
        }
    }

    /// A committed view arrived, or was learned.
    pub(super) fn on_commit(&mut self, view: SiteView, step: &mut Step) {
        match &mut self.phase {
            _ if view.members.is_empty() => {}
            Phase::Outside(outside) => {
                let asked = outside.joining.as_ref();
                if asked.is_some_and(|asked| asked.epoch != view.epoch) && !self.is_stranded() {
                    return;
                }
                if view.joined.contains(&self.me) {
                    self.phase = Phase::Inside(Inside::new(view.clone()));
                    step.transport(ViewToTransport::Seek(Vec::new()));
                    self.install(view, step);
                } else if !view.contains(self.me) {
                    self.on_running(view, step);
                }
            }
            Phase::Inside(inside) if inside.current.epoch == view.epoch => {
                let next = inside.current.number.0 + 1;
                if !view.contains(self.me) {
                    if inside.current.is_before(&view) {
                        self.be_left_out(view, step);
                    }
                } else if view.number.0 == next {
                    inside.current = view.clone();
                    self.install(view, step);
                } else if view.number.0 > next {
                    inside.tell(inside.others(self.me), step);
                }
            }
            _ => {}
        }
    }

    /// A peer refuses us because of a view without us.
    pub(super) fn on_dead(&mut self, peer: SiteId, view: SiteView, step: &mut Step) {
        match &self.phase {
            Phase::Departing(departing) if departing.view.epoch == view.epoch => {
                if departing.view.number <= view.number {
                    self.informed(peer, step);
                }
            }
            _ => self.on_commit(view, step),
        }
    }

    /// Enters a view. The transport machine hears of it first (R10); what was withheld is released
    /// only after that, when the sessions of excluded sites have ended.
    fn install(&mut self, view: SiteView, step: &mut Step) {
        self.decision = Decision::default();
        let Phase::Inside(inside) = &mut self.phase else {
            return;
        };
        inside.history.push_back(view.clone());
        if inside.history.len() > KEPT_VIEWS {
            inside.history.pop_front();
        }
        inside.statuses.retain(|s, _| view.contains(*s));
        inside
            .applicants
            .retain(|s| view.highest.get(&s.id) < Some(&s.incarnation));
        inside.successors.clear();
        let gone = view
            .left
            .iter()
            .map(|(site, _)| *site)
            .collect::<BTreeSet<_>>();
        self.links.forget_unless(|s| view.contains(s));
        if let Phase::Inside(inside) = &self.phase {
            let status = self.status(inside, false);
            step.send_all(gone, &Message::Status(status));
        }
        if let Some(store) = &mut self.store {
            store.enter(view.clone());
        }
        step.transport(ViewToTransport::Install(view.clone()));
        self.withholding.release(step);
        step.out.push(Effect::Install(view));
    }

    /// A committed view of our sequence is without us.
    fn be_left_out(&mut self, view: SiteView, step: &mut Step) {
        if let Some(store) = &mut self.store {
            store.past = Some(view.clone());
            self.decision = Decision::default();
        }
        if !self.leaving {
            self.be_excluded(view, step);
            return;
        }
        let departing = Departing {
            view,
            informed: BTreeSet::new(),
        };
        departing.serve(step);
        self.phase = Phase::Departing(departing);
    }

    pub(super) fn be_excluded(&mut self, view: SiteView, step: &mut Step) {
        self.phase = Phase::Out;
        step.out.push(Effect::Excluded { view, asked: false });
    }

    /// Before its first view a site has nobody to ask: it falls silent without further effects.
    pub(super) fn on_leave(&mut self) {
        self.leaving = true;
        if let Phase::Outside(_) = self.phase {
            self.phase = Phase::Out;
        }
    }

    /// The last site of a system has nobody to agree with.
    pub(super) fn leave_if_last(&mut self, step: &mut Step) {
        if let Phase::Inside(inside) = &self.phase
            && self.leaving
            && inside.current.members.len() == 1
        {
            let view = inside.current.clone();
            self.phase = Phase::Out;
            step.out.push(Effect::Excluded { view, asked: true });
        }
    }

    /// Says when no quorum of the view is reachable, and when one is again (R8). Whoever was cut off
    /// itself does not know who else was, and gives all it missed time to be heard.
    pub(super) fn watch_quorum(&mut self, step: &mut Step) {
        let Phase::Inside(inside) = &mut self.phase else {
            return;
        };
        let view = &inside.current;
        let reachable = |s: &Site| *s == self.me || !self.links.suspects(*s);
        let mut reachable: BTreeSet<Site> = view.sites().filter(reachable).collect();
        reachable.extend(&inside.successors);
        // Without quorums a founding site is needed all the same (`may_commit`).
        let enough = self.settings.quorum == Quorum::None || quorum::is_quorum(view, &reachable);
        let blocked = !(enough && reachable.iter().any(|s| quorum::keeps_founder(view, *s)));
        if inside.blocked == blocked {
            return;
        }
        inside.blocked = blocked;
        step.out.push(Effect::Quorum {
            reachable: !blocked,
        });
        if blocked {
            step.note(Note::Blocked);
            // The members that went on without it may have left since; others can tell it, if it asks.
            let peers = self.settings.peers.clone();
            step.transport(ViewToTransport::Seek(peers.into_iter().collect()));
        } else {
            step.note(Note::Resumed);
            step.transport(ViewToTransport::Seek(Vec::new()));
            self.links.forgive(step.now + self.settings.grace);
        }
    }

    /// Tells the members what has changed about this site.
    pub(super) fn tell_status(&mut self, step: &mut Step) {
        let Phase::Inside(inside) = &self.phase else {
            return;
        };
        // A decision in progress is news only if it lasts; see `repeat_status`.
        let undecided = inside.told.as_ref().is_some_and(|told| told.undecided);
        let status = self.status(inside, undecided && self.decision.accepted.is_some());
        if inside.told.as_ref() != Some(&status) {
            self.tell_all(status, step);
        }
    }

    pub(super) fn repeat_status(&mut self, step: &mut Step) {
        if let Phase::Inside(inside) = &self.phase {
            let status = self.status(inside, self.decision.accepted.is_some());
            self.tell_all(status, step);
        }
    }

    fn tell_all(&mut self, mut status: Status, step: &mut Step) {
        if let Phase::Inside(inside) = &mut self.phase {
            if inside.told.as_ref() != Some(&status) {
                status.count += 1;
                inside.told = Some(status);
            }
            inside.tell(inside.others(self.me), step);
        }
    }

    /// Where this site stands, counted as what it told last. While it is blocked, or counts others'
    /// silence as its own, it accuses nobody.
    fn status(&self, inside: &Inside, undecided: bool) -> Status {
        let view = &inside.current;
        let accused = |s: &Site| !inside.blocked && self.links.suspects(*s);
        Status {
            epoch: view.epoch,
            number: view.number,
            count: inside.told.as_ref().map_or(0, |told| told.count),
            hears: self.links.heard().collect(),
            suspects: view.sites().filter(accused).collect(),
            leaving: self.leaving,
            undecided,
        }
    }
}
