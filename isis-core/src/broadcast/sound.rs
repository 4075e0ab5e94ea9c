//! Which messages of a peer are taken at all.
//!
//! Any bytes that decode may arrive. A message that could make this site overflow a number, index a
//! site that the era has not, cut a payload that is not there, work or allocate by a number that it was
//! merely told, or that is not its sender's to say, is *malformed*: dropped before anything changes,
//! and noted. Three questions in a row:
//!
//! 1. [`Message::is_sound`]: can its values be meant at all, whoever says them and when?
//! 2. The gate (`group::gate`): is it of a view, and in a completion of a site, that may say it now?
//! 3. [`Message::fits`]: does it name only what the era has, and is it the sender's to say?
//!
//! What remains is held against the state where it is used: the commit record against its run, an
//! OBCAST's predecessors against the store. Whether a message that passes is *true* nobody can tell:
//! sites fail by halting (§2), they do not lie.

use super::era::{Era, SiteSet};
use super::message::{
    Action, Bcast, Completion, Control, Decision, Gbcast, Listed, MOST_NUMBERS, Message, Obcast,
    Record, Report, To,
};
use super::roster::Roster;
use super::runs::{NumberRun, SeqRun};
use crate::delivery::{MAX_DESTINATIONS, Olabel, check_name};
use crate::ids::{Class, MessageId, ProcessId, SITE_PROCESS, Site};

/// Clocks and counters count from 1; no site lives to count this far, and above it there is room for
/// whatever is added to them. A peer that lies itself close to it stops the others, who will not count
/// on; rather that than an order by numbers that have run out.
const MOST: u64 = u64::MAX >> 1;

/// A report announces at most this many numbers: a decision about more could not be decoded.
const MOST_REPORTED: usize = 1 << 20;

pub(super) fn is_number(number: u64) -> bool {
    number <= MOST
}

fn is_id(id: MessageId, class: Class) -> bool {
    id.class == class && is_number(id.seq)
}

fn is_frontier(after: &[MessageId]) -> bool {
    after.iter().all(|id| is_id(*id, Class::Obcast))
}

fn is_list(list: &[Listed]) -> bool {
    list.iter().all(|l| is_id(l.id, Class::Obcast))
}

impl Message {
    /// Whether its values can be meant.
    pub fn is_sound(&self) -> bool {
        match self {
            Message::Bcast(m) => m.is_sound(),
            Message::Obcast(m) => m.is_sound(),
            Message::Control(m) => m.is_sound(),
            Message::Gbcast(m) => m.is_sound(),
            Message::Completion(m) => m.is_sound(),
        }
    }

    /// Whether the site of this rank may say it in this era.
    pub fn fits(&self, era: &Era, from: usize) -> bool {
        match self {
            Message::Bcast(m) => fits_body(era, m.id, &m.to, m.sites),
            Message::Obcast(m) => fits_body(era, m.id, &m.to, m.sites),
            Message::Control(m) => {
                let me = era.sites[era.me];
                let here = |run: &NumberRun| run.sender().site == me;
                m.proposals.iter().all(here) && m.finals.iter().all(|r| is_others(era, r.sender()))
            }
            Message::Gbcast(m) => m.fits(era, era.sites[from]),
            Message::Completion(_) => true,
        }
    }
}

/// Whether a process of another site of the era is meant. Nobody tells a site of its own broadcasts.
fn is_others(era: &Era, process: ProcessId) -> bool {
    era.rank(process.site).is_some_and(|rank| rank != era.me)
}

/// A body names the sites of its list, or some of the era's; it may be passed on by any site.
fn fits_body(era: &Era, id: MessageId, to: &To, sites: SiteSet) -> bool {
    is_others(era, id.sender)
        && match to {
            To::List(list) => sites == era.set(list.iter().map(|p| p.site)),
            To::Group { .. } => sites.minus(era.everyone()).is_empty(),
        }
}

impl To {
    fn is_sound(&self) -> bool {
        match self {
            To::Group { stamp, .. } => is_number(*stamp),
            To::List(list) => list.len() <= MAX_DESTINATIONS && list.is_sorted_by(|a, b| a < b),
        }
    }

    /// Whether it is addressed to sites' own processes, all or none.
    fn is_for_sites(&self) -> Option<bool> {
        let To::List(list) = self else {
            return Some(false);
        };
        let of_sites = list.iter().filter(|p| p.index == SITE_PROCESS).count();
        match of_sites {
            0 => Some(false),
            n => (n == list.len()).then_some(true),
        }
    }
}

impl Bcast {
    fn is_sound(&self) -> bool {
        is_id(self.id, Class::Bcast)
            && is_number(self.origin)
            && is_number(self.clock)
            && self.to.is_sound()
            && self.is_labelled()
            && is_list(&self.after)
    }

    /// Sites' own processes speak to each other alone, under a label that no application can use.
    fn is_labelled(&self) -> bool {
        let of_site = self.id.sender.index == SITE_PROCESS;
        self.to.is_for_sites() == Some(of_site)
            && (of_site || check_name("label", &self.label, true).is_ok())
    }
}

impl Obcast {
    fn is_sound(&self) -> bool {
        is_id(self.id, Class::Obcast)
            && self.id.sender.index != SITE_PROCESS
            && self.to.is_sound()
            && self.to.is_for_sites() == Some(false)
            && is_olabel(&self.olabel)
            && (self.back == 0 || self.back < self.id.seq)
            && is_frontier(&self.others)
            && self.others.iter().all(|a| self.may_follow(*a))
    }

    /// A process has sent before what comes before of its own.
    fn may_follow(&self, earlier: MessageId) -> bool {
        earlier.sender != self.id.sender || earlier.seq < self.id.seq
    }
}

fn is_olabel(olabel: &Olabel) -> bool {
    match olabel {
        Olabel::Stream(name) => check_name("olabel", name, false).is_ok(),
        Olabel::Causal | Olabel::Unordered => true,
    }
}

impl Control {
    fn is_sound(&self) -> bool {
        let mut numbers = self.proposals.iter().chain(&self.finals);
        let total =
            NumberRun::total(&self.proposals).saturating_add(NumberRun::total(&self.finals));
        total <= MOST_NUMBERS
            && numbers.all(NumberRun::is_sound)
            && [
                &self.received,
                &self.placed,
                &self.finals_known,
                &self.taken,
            ]
            .into_iter()
            .flatten()
            .all(SeqRun::is_sound)
            && is_frontier(&self.pulls)
            && self
                .floors
                .iter()
                .all(|f| is_number(f.received) && is_number(f.placed) && is_number(f.finals))
    }
}

impl Action {
    fn is_sound(&self) -> bool {
        match self {
            Action::Join(p) | Action::Remove(p, _) | Action::Watch(p) | Action::Unwatch(p) => {
                p.index != SITE_PROCESS
            }
            Action::Application { id, .. } => is_id(*id, Class::Gbcast),
        }
    }
}

impl Roster {
    fn is_sound(&self) -> bool {
        is_number(self.view.number)
            && is_number(self.version)
            && check_name("group name", &self.view.name, false).is_ok()
            && self.everybody().all(|p| p.index != SITE_PROCESS)
    }
}

impl Record {
    fn is_sound(&self) -> bool {
        is_id(self.run, Class::Gbcast)
            && is_number(self.number)
            && self.actions.iter().all(Action::is_sound)
            && is_list(&self.before)
            && self.roster.is_sound()
    }
}

impl Gbcast {
    fn is_sound(&self) -> bool {
        match self {
            Gbcast::Request { action, number, .. } => action.is_sound() && is_number(*number),
            Gbcast::Gone { action, .. } => action.is_sound(),
            Gbcast::Start {
                run,
                base,
                actions,
                clock,
                ..
            } => {
                is_id(*run, Class::Gbcast)
                    && base.is_sound()
                    && actions.iter().all(Action::is_sound)
                    && is_number(*clock)
            }
            Gbcast::Number { number, .. } | Gbcast::Final { number, .. } => is_number(*number),
            Gbcast::List { list, .. } => is_list(list),
            Gbcast::Store(record) => record.is_sound(),
            Gbcast::Announce(roster) => roster.is_sound(),
            Gbcast::Head { .. }
            | Gbcast::Up { .. }
            | Gbcast::Stored { .. }
            | Gbcast::Commit { .. }
            | Gbcast::Committed { .. } => true,
        }
    }
}

impl Gbcast {
    /// Whether a site may say it to this one: a run is its coordinator's, and only its coordinator is
    /// answered.
    fn fits(&self, era: &Era, from: Site) -> bool {
        let me = era.sites[era.me];
        let is_here = |p: &ProcessId| era.rank(p.site).is_some();
        let of_site = |run: &MessageId, site: Site| {
            (run.sender.site, run.sender.index) == (site, SITE_PROCESS)
        };
        match self {
            Gbcast::Request { action, .. } => is_here(&action.process()),
            Gbcast::Gone { action, .. } => action.process().site == me,
            Gbcast::Start {
                run, base, actions, ..
            } => {
                let asked = actions.iter().all(|a| is_here(&a.process()));
                let oldest = base.view.members.first();
                of_site(run, from) && asked && oldest.is_some_and(|p| p.site == from)
            }
            Gbcast::Final { run, .. } | Gbcast::Up { run } | Gbcast::Commit { run } => {
                of_site(run, from)
            }
            Gbcast::Store(record) => of_site(&record.run, from),
            Gbcast::Number { run, .. }
            | Gbcast::Head { run }
            | Gbcast::List { run, .. }
            | Gbcast::Stored { run }
            | Gbcast::Committed { run } => of_site(run, me),
            Gbcast::Announce(roster) => roster.everybody().all(is_here),
        }
    }
}

impl Report {
    fn is_sound(&self) -> bool {
        is_number(self.clock)
            && NumberRun::total(&self.finals) <= MOST_REPORTED
            && self.finals.iter().all(NumberRun::is_sound)
            && self.open.iter().all(|(id, _)| is_id(*id, Class::Bcast))
            && self.lacking.iter().all(|id| is_id(*id, Class::Bcast))
            && self.records.iter().all(Record::is_sound)
            && is_chain(&self.stored)
    }
}

/// Decisions of views one after the other.
fn is_chain(decisions: &[Decision]) -> bool {
    decisions.iter().all(Decision::is_sound) && decisions.is_sorted_by(|a, b| a.view < b.view)
}

impl Decision {
    fn is_sound(&self) -> bool {
        let is_final = |(id, n): &(MessageId, u64)| is_id(*id, Class::Bcast) && is_number(*n);
        is_number(self.view)
            && is_number(self.clock)
            && self.finals.iter().all(is_final)
            && self.records.iter().all(Record::is_sound)
            && self.joining.is_sorted_by(|a, b| a < b)
    }
}

impl Completion {
    fn is_sound(&self) -> bool {
        match self {
            Completion::Report(report) => report.is_sound(),
            Completion::Decision(decisions) => is_chain(decisions),
            Completion::Directory(groups) => groups.iter().all(Roster::is_sound),
            Completion::PushEnd { .. } | Completion::Stored | Completion::Go => true,
        }
    }
}
