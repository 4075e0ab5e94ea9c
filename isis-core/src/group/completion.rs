//! The completion of a site view (R10–R13), as one clean cut.
//!
//! The report lets every protocol finish its own broadcasts when a site fails (§4.3.1, §4.3.3, part
//! 1 of GBCAST). Here a site view ends the era of the one before at all sites at once:
//!
//! 1. INSTALL: the site *freezes*. It sends and places nothing more; it passes on what it holds of
//!    failed sites, and then PUSH END to every other site, behind everything it has ever sent.
//! 2. With PUSH END from all others a site holds whatever anybody holds and is addressed to it, and
//!    REPORTs to the oldest site what it knows of numbers and commit records.
//! 3. The oldest makes one DECISION that orders all that was pending, of failed and live senders
//!    alike: known finals stand; an open BCAST gets the least known final of a later one of its
//!    sender and label, else K+1, above every clock.
//! 4. All store it and say so; then GO: all apply it. Every message of the old era is placed
//!    everywhere before the views that say who failed, and the next era begins with empty queues.
//!
//! Why not the report's way: completions that run beside live traffic must order the survivors'
//! open messages against the failure, which took nine repairs; here no message is open any more. It
//! costs a pause of a few round trips at a change of site view, which the others' wait queues
//! imposed on the members anyway.
//!
//! A new view restarts all under its number. A decision that anybody stored may have been applied by
//! one who failed, so it is reported, and repeated ahead of the new one. One that anybody *applied*
//! is stored by all, so whoever hears of that applies it at once.

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Machine;
use super::gate::Early;
use crate::broadcast::{Completion, Decision, Message, NumberRun, Report};
use crate::ids::{MessageId, Site};
use crate::machine::Lane;
use crate::machine::broadcast::Note;
use crate::view::SiteView;

/// The completion in progress, or the last one.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Cut {
    /// Views installed and not yet applied, by number; the last one is the current one.
    pub installed: BTreeMap<u64, SiteView>,
    push_ends: BTreeSet<Site>,
    reported: bool,
    /// At the oldest site.
    reports: BTreeMap<Site, Report>,
    stored_by: BTreeSet<Site>,
    /// Decisions stored and not applied, oldest first.
    pub decisions: Vec<Decision>,
    pub early: Early,
    pub counts: Counts,
}

/// What happened in this completion, for its note.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Counts {
    pub pushed: usize,
    pub aborted_runs: usize,
    pub orphaned_runs: usize,
    pub orphans: usize,
    pub carried_records: usize,
}

impl Cut {
    /// The view being completed, or the last completed.
    pub fn view(&self) -> Option<&SiteView> {
        self.installed.last_key_value().map(|(_, v)| v)
    }

    fn number(&self) -> Option<u64> {
        self.installed.last_key_value().map(|(n, _)| *n)
    }

    pub fn pending(&self, frozen: bool) -> Vec<String> {
        let mut pending = Vec::new();
        if let Some(view) = self.view().filter(|_| frozen) {
            let missing = |from: &BTreeSet<Site>| -> Vec<String> {
                view.sites()
                    .filter(|s| !from.contains(s))
                    .map(|s| format!("{s}"))
                    .collect()
            };
            let reports = self.reports.keys().copied().collect();
            pending.push(format!(
                "completion of view {}: no push end of {:?}, no report of {:?}, not stored by {:?}",
                view.number.0,
                missing(&self.push_ends),
                missing(&reports),
                missing(&self.stored_by)
            ));
        }
        if let Some(view) = self.view()
            && self.early.len() > 0
        {
            pending.push(format!(
                "{} messages for views after {}",
                self.early.len(),
                view.number.0
            ));
        }
        pending
    }
}

impl Machine {
    /// Step 1.
    pub(super) fn install(&mut self, view: SiteView) {
        let number = view.number.0;
        if self.cut.number().is_some_and(|n| n >= number) {
            return;
        }
        self.broadcast.note(Note::CompletionBegan { view: number });
        self.begin_without_directory();
        if !self.broadcast.frozen {
            self.broadcast.leave_nothing_behind();
            self.cut.counts = Counts::default();
            self.cut.counts.aborted_runs = self.broadcast.uncommitted_runs().count();
        }
        let runs = self.broadcast.uncommitted_runs();
        let orphaned = runs.filter(|run| !view.contains(run.sender.site)).count();
        self.cut.counts.orphaned_runs = orphaned;
        self.broadcast.frozen = true;
        self.cut.push_ends.clear();
        self.cut.reported = false;
        self.cut.reports.clear();
        self.cut.stored_by.clear();
        if self.applied_view().is_some() {
            self.cut.counts.pushed += self.broadcast.push_for_failed(&view);
        }
        self.cut.installed.insert(number, view);
        let applied = self.applied_view();
        self.say_to_others(Lane::Bulk, Completion::PushEnd { applied });
        self.admit_early();
        self.report_if_complete();
    }

    fn say_to_others(&mut self, lane: Lane, message: Completion) {
        let Some(view) = self.cut.view() else { return };
        let me = self.broadcast.me();
        let to: Vec<Site> = view.sites().filter(|s| *s != me).collect();
        let number = view.number.0;
        self.broadcast
            .send_stamped(to, lane, number, Message::Completion(message));
    }

    fn say_to_manager(&mut self, message: Completion) {
        let Some(view) = self.cut.view() else { return };
        let (manager, number) = (view.manager(), view.number.0);
        if manager == self.broadcast.me() {
            self.complete_view(manager, message);
        } else {
            self.broadcast.send_stamped(
                Vec::from([manager]),
                Lane::Control,
                number,
                Message::Completion(message),
            );
        }
    }

    /// A rightful message of the completion of the current view.
    pub(super) fn complete_view(&mut self, from: Site, message: Completion) {
        match message {
            Completion::PushEnd { applied } => {
                if let Some(applied) = applied {
                    self.apply_stored(applied);
                }
                self.cut.push_ends.insert(from);
                self.report_if_complete();
            }
            // What was decided and said once stands: a repeated report or receipt changes nothing.
            Completion::Report(report) => {
                if let Entry::Vacant(first) = self.cut.reports.entry(from) {
                    first.insert(report);
                    self.decide_if_complete();
                }
            }
            Completion::Decision(decisions) => {
                if self.cut.decisions.last().map(|d| d.view) != self.cut.number() {
                    self.cut.decisions = decisions;
                    self.say_to_manager(Completion::Stored);
                }
            }
            Completion::Stored => {
                if self.cut.stored_by.insert(from) {
                    self.go_if_complete();
                }
            }
            Completion::Go => {
                if !self.awaits_directory() {
                    self.apply_stored(u64::MAX);
                }
            }
            Completion::Directory(groups) => {
                if self.awaits_directory() {
                    self.apply_decisions(u64::MAX);
                    self.directory.adopt(groups);
                    self.resume_if_current();
                }
            }
        }
    }

    /// Step 2.
    fn report_if_complete(&mut self) {
        let Some(view) = self.cut.view() else { return };
        let me = self.broadcast.me();
        let ended = |s: Site| s == me || self.cut.push_ends.contains(&s);
        let complete = cfg!(isis_mutant = "R12") || view.sites().all(ended);
        if self.cut.reported || !complete {
            return;
        }
        self.cut.reported = true;
        let mut report = self.broadcast.report();
        report.stored = self.cut.decisions.clone();
        report.informed = self.informed;
        self.say_to_manager(Completion::Report(report));
    }

    /// Step 3.
    fn decide_if_complete(&mut self) {
        let Some(view) = self.cut.view() else { return };
        let (number, everyone): (u64, Vec<Site>) = (view.number.0, view.sites().collect());
        if !everyone.iter().all(|s| self.cut.reports.contains_key(s)) {
            return;
        }
        let decisions = decide(number, &self.cut.reports);
        self.say_to_others(Lane::Bulk, Completion::Decision(decisions.clone()));
        self.cut.decisions = decisions;
        self.say_to_manager(Completion::Stored);
    }

    /// Step 4.
    fn go_if_complete(&mut self) {
        let Some(view) = self.cut.view() else { return };
        if !view.sites().all(|s| self.cut.stored_by.contains(&s)) {
            return;
        }
        self.say_to_others(Lane::Control, Completion::Go);
        if !self.awaits_directory() {
            self.apply_stored(u64::MAX);
        }
    }

    /// Whether this site is new among others that are not, and so must be told the directory.
    pub(super) fn awaits_directory(&self) -> bool {
        let (Some(view), Some(decision)) = (self.cut.view(), self.cut.decisions.last()) else {
            return false;
        };
        decision.joining.contains(&self.broadcast.me())
            && decision.joining.len() < view.members.len()
    }

    /// The oldest site that is not new tells those that are.
    fn send_directory(&mut self, joining: &[Site]) {
        let Some(view) = self.cut.view() else { return };
        let oldest = view.sites().find(|s| !joining.contains(s));
        if oldest == Some(self.broadcast.me()) && !joining.is_empty() {
            let (to, number) = (joining.to_vec(), view.number.0);
            let groups = self.directory.groups().cloned().collect();
            let directory = Completion::Directory(groups);
            self.broadcast
                .send_stamped(to, Lane::Control, number, Message::Completion(directory));
        }
    }

    /// Applies what is stored, up to this view, and goes on if that was the current one.
    pub(super) fn apply_stored(&mut self, upto: u64) {
        let joining = self.joining();
        let before = self.applied_view();
        self.apply_decisions(upto);
        if self.applied_view() == self.cut.number() {
            self.send_directory(&joining);
        }
        if self.applied_view() != before {
            self.resume_if_current();
            self.admit_early();
        }
    }

    /// A new site that waits for the directory holds messages of the view that it has not applied, and
    /// the next view comes: their senders may have failed, so that view counts as applied.
    fn begin_without_directory(&mut self) {
        let Some(number) = self.cut.number() else {
            return;
        };
        if self.awaits_directory() && self.cut.early.is_waiting() {
            self.apply_decisions(number);
            self.admit_early();
        }
    }

    /// The sites that the last decision stored counts as new.
    pub(super) fn joining(&self) -> Vec<Site> {
        self.cut
            .decisions
            .last()
            .map(|d| d.joining.clone())
            .unwrap_or_default()
    }

    fn resume_if_current(&mut self) {
        if self.broadcast.frozen
            && self.applied_view().is_some()
            && self.applied_view() == self.cut.number()
        {
            self.informed = true;
            self.resume();
            self.admit_early();
        }
    }
}

/// The decisions of a completion: those that somebody stored for an earlier view, verbatim, then the
/// new one. If there is an earlier one it covers all that was pending: the eras after it never began.
fn decide(view: u64, reports: &BTreeMap<Site, Report>) -> Vec<Decision> {
    let applied = reports.values().filter_map(|r| r.applied).max();
    let is_news = |d: &&Decision| applied.is_none_or(|a| d.view > a);
    let chains = reports
        .values()
        .filter(|r| r.applied.is_some())
        .map(|r| &r.stored);
    let longest = chains.max_by_key(|c| c.last().map(|d| d.view));
    let mut decisions: Vec<Decision> = longest
        .map(|c| c.iter().filter(is_news).cloned().collect())
        .unwrap_or_default();
    let clock = reports.values().map(|r| r.clock).max().unwrap_or(0);
    let joining = reports
        .iter()
        .filter(|(_, r)| !r.informed)
        .map(|(s, _)| *s)
        .collect();
    let reports: Vec<&Report> = reports.values().collect();
    let mut decision = Decision {
        view,
        clock,
        finals: Vec::new(),
        records: Vec::new(),
        joining,
    };
    if decisions.is_empty() {
        decision.finals = order(&reports, clock);
        let records = reports.iter().flat_map(|r| &r.records);
        let by_run: BTreeMap<_, _> = records.map(|r| ((r.number, r.run), r.clone())).collect();
        decision.records = by_run.into_values().collect();
    }
    decisions.push(decision);
    decisions
}

/// The final of every BCAST that anybody reports.
fn order(reports: &[&Report], clock: u64) -> Vec<(MessageId, u64)> {
    let mut finals = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for (id, number, label) in reports
        .iter()
        .flat_map(|r| &r.finals)
        .flat_map(NumberRun::iter)
    {
        let least = if cfg!(isis_mutant = "B2") {
            clock + 1
        } else {
            0
        };
        finals.insert(id, number.max(least));
        labels.insert(id, label);
    }
    let mut open: BTreeMap<MessageId, u32> = BTreeMap::new();
    open.extend(
        reports
            .iter()
            .flat_map(|r| r.open.iter().copied())
            .filter(|(id, _)| !finals.contains_key(id)),
    );
    for lost in reports.iter().flat_map(|r| &r.lacking) {
        // Nobody placed it; nor, then, a later one of its sender and label (R14).
        let label = open.get(lost).copied();
        open.retain(|id, l| id.sender != lost.sender || id < lost || Some(*l) != label);
    }
    let end = |id: &MessageId| MessageId {
        seq: u64::MAX,
        ..*id
    };
    let decided = open.iter().map(|(id, label)| {
        let later = finals
            .range(*id..end(id))
            .filter(|(l, _)| labels[*l] == *label);
        (*id, later.map(|(_, n)| *n).min().unwrap_or(clock + 1))
    });
    let decided: Vec<_> = decided.collect();
    finals.extend(decided);
    finals.into_iter().collect()
}
