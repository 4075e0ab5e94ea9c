//! Which messages of a peer are taken at all.
//!
//! Any bytes that decode may arrive. What could make this site overflow a number, index a site that
//! the era has not, cut a payload that is not there or speak for the site's own process is malformed
//! and dropped before anything changes. Whether a sound message is *true* nobody can tell: sites fail
//! by halting (§2), they do not lie.

use super::SITE_PROCESS;
use super::era::SiteSet;
use super::message::{
    Action, Bcast, Completion, Control, Decision, Gbcast, Message, Obcast, Record, Report, To,
};
use super::runs::{NumberRun, SeqRun};
use crate::delivery::GroupView;
use crate::ids::{Class, MessageId};

/// Clocks and counters count from 1; no site lives to count this far, and above it there is room for
/// whatever is added to them.
const MOST: u64 = u64::MAX >> 1;

pub(super) fn is_number(number: u64) -> bool {
    number <= MOST
}

fn is_id(id: MessageId, class: Class) -> bool {
    id.class == class && is_number(id.seq)
}

fn is_frontier(after: &[MessageId]) -> bool {
    after.iter().all(|id| is_id(*id, Class::Obcast))
}

impl Message {
    /// Whether it may be taken. [`Message::fits`] says whether it is for this era's sites.
    pub fn is_sound(&self) -> bool {
        match self {
            Message::Bcast(m) => m.is_sound(),
            Message::Obcast(m) => m.is_sound(),
            Message::Control(m) => m.is_sound(),
            Message::Gbcast(m) => m.is_sound(),
            Message::Completion(m) => m.is_sound(),
        }
    }

    /// Whether the destination sites are among the era's.
    pub fn fits(&self, everyone: SiteSet) -> bool {
        match self {
            Message::Bcast(Bcast { sites, .. }) | Message::Obcast(Obcast { sites, .. }) => {
                sites.minus(everyone).is_empty()
            }
            _ => true,
        }
    }
}

impl To {
    fn is_sound(&self) -> bool {
        match self {
            To::Group { stamp, .. } => is_number(*stamp),
            To::List(_) => true,
        }
    }
}

impl Bcast {
    fn is_sound(&self) -> bool {
        is_id(self.id, Class::Bcast)
            && is_number(self.origin)
            && is_number(self.clock)
            && self.to.is_sound()
            && is_frontier(&self.after)
    }
}

impl Obcast {
    fn is_sound(&self) -> bool {
        is_id(self.id, Class::Obcast) && self.to.is_sound() && is_frontier(&self.after)
    }
}

impl Control {
    fn is_sound(&self) -> bool {
        let numbers = self.proposals.iter().chain(&self.finals);
        numbers.into_iter().all(NumberRun::is_sound)
            && [
                &self.received,
                &self.placed,
                &self.finals_known,
                &self.taken,
            ]
            .into_iter()
            .flatten()
            .all(SeqRun::is_sound)
            && self
                .floors
                .iter()
                .all(|f| is_number(f.received) && is_number(f.placed) && is_number(f.finals))
    }
}

impl Action {
    fn is_sound(&self) -> bool {
        match self {
            Action::Join(p) | Action::Remove(p, _) => p.index != SITE_PROCESS,
            Action::Application { id, .. } => is_id(*id, Class::Gbcast),
        }
    }
}

fn is_view(view: &GroupView) -> bool {
    is_number(view.number) && view.members.iter().all(|p| p.index != SITE_PROCESS)
}

impl Record {
    fn is_sound(&self) -> bool {
        is_id(self.run, Class::Gbcast)
            && is_number(self.number)
            && self.actions.iter().all(Action::is_sound)
            && self.before.iter().all(|l| is_id(l.id, Class::Obcast))
            && is_view(&self.view)
    }
}

impl Gbcast {
    fn is_sound(&self) -> bool {
        match self {
            Gbcast::Request { action, .. } | Gbcast::Gone { action, .. } => action.is_sound(),
            Gbcast::Start {
                run,
                base,
                actions,
                clock,
                ..
            } => {
                is_id(*run, Class::Gbcast)
                    && is_view(base)
                    && actions.iter().all(Action::is_sound)
                    && is_number(*clock)
            }
            Gbcast::Number { number, .. } | Gbcast::Final { number, .. } => is_number(*number),
            Gbcast::List { list, .. } => list.iter().all(|l| is_id(l.id, Class::Obcast)),
            Gbcast::Store(record) => record.is_sound(),
            Gbcast::Announce(view) => is_view(view),
            Gbcast::Head { .. }
            | Gbcast::Up { .. }
            | Gbcast::Stored { .. }
            | Gbcast::Commit { .. }
            | Gbcast::Committed { .. } => true,
        }
    }
}

impl Report {
    fn is_sound(&self) -> bool {
        is_number(self.clock)
            && self.finals.iter().all(NumberRun::is_sound)
            && self.open.iter().all(|(id, _)| is_id(*id, Class::Bcast))
            && self.records.iter().all(Record::is_sound)
            && self.stored.iter().all(Decision::is_sound)
    }
}

impl Decision {
    fn is_sound(&self) -> bool {
        let is_final = |(id, n): &(MessageId, u64)| is_id(*id, Class::Bcast) && is_number(*n);
        is_number(self.clock)
            && self.finals.iter().all(is_final)
            && self.records.iter().all(Record::is_sound)
    }
}

impl Completion {
    fn is_sound(&self) -> bool {
        match self {
            Completion::Report(report) => report.is_sound(),
            Completion::Decision(decisions) => decisions.iter().all(Decision::is_sound),
            Completion::Directory(entries) => entries
                .iter()
                .all(|e| e.name == e.view.name && is_view(&e.view)),
            Completion::PushEnd { .. } | Completion::Stored | Completion::Go => true,
        }
    }
}
