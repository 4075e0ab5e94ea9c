//! The gate (R10): what a peer says is taken now, waits for a site view, or is dropped.
//!
//! [`crate::broadcast::Message::is_sound`] has seen to its values. Here it is held against the views:
//! whose turn it is in a completion, and what can have been said of a view that is not installed or
//! not applied here. Little can: whoever has *applied* a view knows that all have stored its decision,
//! so of a view that is not installed here only PUSH END comes early, and of one that is installed
//! nothing but what waits for the directory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Machine;
use crate::broadcast::{Completion, Message, Stamped};
use crate::ids::{MAX_SITES, Site, SiteId};
use crate::machine::broadcast::Note;

/// Messages that may wait for the directory: floors and directory changes, for as long as it takes the
/// oldest site to send it, or the next view to come.
const MOST_WAITING: usize = 1 << 16;
/// Sites that are not in the view, but will be: they complete a view that is not installed here.
const MOST_STRANGERS: usize = 2 * MAX_SITES;

/// What has come before its time.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Early {
    /// The PUSH END of the latest view that a site has begun to complete: earlier ones are overtaken.
    push_ends: BTreeMap<SiteId, (Site, u64, Completion)>,
    /// Messages of the installed view, which this site may not apply without the directory.
    waiting: Vec<(Site, Stamped)>,
}

impl Early {
    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.push_ends.len() + self.waiting.len()
    }

    /// Whether something waits for the directory.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn keep_push_end(&mut self, from: Site, view: u64, message: Completion) -> bool {
        let full = self.push_ends.len() >= MAX_SITES + MOST_STRANGERS;
        match self.push_ends.get(&from.id) {
            None if full => return false,
            Some((site, latest, _)) if (*site, *latest) > (from, view) => {}
            _ => {
                self.push_ends.insert(from.id, (from, view, message));
            }
        }
        true
    }

    fn keep_waiting(&mut self, from: Site, stamped: Stamped) -> bool {
        let room = self.waiting.len() < MOST_WAITING;
        if room {
            self.waiting.push((from, stamped));
        }
        room
    }

    /// Takes out the PUSH ENDs of views up to this one.
    fn push_ends_upto(&mut self, view: u64) -> Vec<(Site, u64, Completion)> {
        let due = |(_, n, _): &(Site, u64, Completion)| *n <= view;
        let (due, later): (BTreeMap<_, _>, _) = core::mem::take(&mut self.push_ends)
            .into_iter()
            .partition(|(_, end)| due(end));
        self.push_ends = later;
        due.into_values().collect()
    }
}

impl Machine {
    /// A message of a peer.
    pub(super) fn admit(&mut self, from: Site, stamped: Stamped) {
        if !self.take(from, stamped) {
            self.broadcast.note(Note::Malformed { from });
        }
    }

    /// Says whether the peer may have said this.
    fn take(&mut self, from: Site, stamped: Stamped) -> bool {
        let Stamped { view, message } = stamped;
        let Some(current) = self.cut.view().filter(|v| view <= v.number.0) else {
            return self.take_early(from, view, message);
        };
        let installed = current.number.0;
        if !current.contains(from) {
            // Excluded: what it says now, nobody else may hear.
            return true;
        }
        let Message::Completion(message) = message else {
            return self.take_in_era(from, Stamped { view, message }, installed);
        };
        // A completion that is over was complete: only repetitions are left of it.
        if view < installed || !self.broadcast.frozen {
            return true;
        }
        let rightful = self.is_rightful(from, &message);
        if rightful {
            self.complete_view(from, message);
        }
        rightful
    }

    /// Of a view that is not installed here.
    fn take_early(&mut self, from: Site, view: u64, message: Message) -> bool {
        match message {
            Message::Completion(end @ Completion::PushEnd { applied }) => {
                applied.is_none_or(|a| a < view) && self.cut.early.keep_push_end(from, view, end)
            }
            _ => false,
        }
    }

    fn take_in_era(&mut self, from: Site, stamped: Stamped, installed: u64) -> bool {
        if self.applied_view().is_none_or(|a| stamped.view > a) {
            // Its sender has applied that view, so everybody has stored the decision.
            if stamped.view < installed || !self.awaits_directory() {
                self.apply_stored(stamped.view);
            }
            if self.applied_view() != Some(stamped.view) {
                return stamped.view < installed
                    || self.awaits_directory() && self.cut.early.keep_waiting(from, stamped);
            }
        }
        let era = self.broadcast.era.as_ref();
        let Some(era) = era.filter(|e| e.number == stamped.view) else {
            return true;
        };
        let Some(rank) = era.rank(from) else {
            return true;
        };
        let fits = stamped.message.fits(era, rank);
        if fits {
            self.broadcast.receive(rank, stamped.message);
        }
        fits
    }

    /// Whether it is this site's to say, here and in this completion.
    fn is_rightful(&self, from: Site, message: &Completion) -> bool {
        let Some(view) = self.cut.view() else {
            return false;
        };
        let (me, number) = (self.broadcast.me(), view.number.0);
        let (of_manager, to_manager) = (from == view.manager(), me == view.manager());
        match message {
            Completion::PushEnd { applied } => applied.is_none_or(|a| a < number),
            Completion::Report(report) => {
                let past = |a: u64| a < number;
                let stored = report.stored.last().map(|d| d.view);
                to_manager && report.applied.is_none_or(past) && stored.is_none_or(past)
            }
            Completion::Stored => to_manager,
            Completion::Decision(decisions) => {
                let fits = decisions.last().is_some_and(|d| {
                    d.view == number
                        && d.joining.iter().all(|s| view.contains(*s))
                        && d.joining.contains(&me) != self.informed
                });
                of_manager && fits
            }
            Completion::Go => of_manager,
            Completion::Directory(_) => {
                let joining = self.joining();
                view.sites().find(|s| !joining.contains(s)) == Some(from)
            }
        }
    }

    /// Looks again at messages that were early.
    pub(super) fn admit_early(&mut self) {
        let Some(view) = self.cut.view() else { return };
        for (from, view, end) in self.cut.early.push_ends_upto(view.number.0) {
            let message = Message::Completion(end);
            self.admit(from, Stamped { view, message });
        }
        for (from, stamped) in core::mem::take(&mut self.cut.early.waiting) {
            self.admit(from, stamped);
        }
    }
}
