//! Site views (§4.2, R1–R9): which sites are operational, in one agreed sequence.
//!
//! [`Views`] is the view machine. Its parts:
//! - `links`: whom this site hears, and suspicion with a second chance (§4.1);
//! - `formation`: the first view, or finding a running one (R2);
//! - `manager`: what the next view should be, and who proposes it (R4–R6);
//! - `agreement`: ballots, promises, acceptances, commits (R4, R5, R7); `decision` and `quorum` hold
//!   the argument for their safety;
//! - `memory`, `revival`: what outlives an incarnation, and going on after a total failure (R3, R9);
//! - `member`: installing views, telling the others, being left out (R8).
//!
//! The report's protocol is two-phase, which is right while suspicions are. Here the oldest site still
//! decides in two phases (propose, accept, commit); any other first interrogates.

mod agreement;
mod decision;
mod formation;
mod links;
mod manager;
mod member;
mod memory;
mod message;
mod quorum;
mod revival;
mod site_view;
mod step;

pub use memory::Memory;
pub use message::describe;
pub use site_view::{LeftReason, Member, SiteView};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, FirstView, Quorum};
use crate::ids::{Site, SiteId};
use crate::machine::view::{Effect, Input, Note};
use crate::machine::{Evidence, LinkReport, Refusal, TransportToView};
use crate::time::Time;
use crate::wire;

use agreement::Withholding;
use decision::{Campaign, Decision};
use formation::Outside;
use links::Links;
use member::{Departing, Inside};
use memory::Ledger;
use message::Message;
use step::Step;

/// What the machine needs of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Settings {
    peers: BTreeMap<SiteId, String>,
    quorum: Quorum,
    first_view: FirstView,
    /// How often unanswered messages are sent again.
    repeat_interval: Duration,
    /// How long witnesses may take to answer.
    witness_timeout: Duration,
    /// How long a spared or forgiven site may stay silent.
    grace: Duration,
}

/// Where the site stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    /// In no view yet.
    Outside(Outside),
    /// In a view.
    Inside(Inside),
    /// Left out by its own wish; serves the commit that says so (R6).
    Departing(Departing),
    /// Left, or left out. Silent for ever.
    Out,
}

/// The view machine of one site incarnation.
///
/// Drive it as [`crate::machine`] says: [`Views::handle`], then carry out all effects in order;
/// `Input::Timeout` when [`Views::deadline`] has come. Its first input may be `Timeout`, to have it say
/// whom to seek. After [`Effect::Excluded`] it is silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Views {
    me: Site,
    address: String,
    seed: u64,
    settings: Settings,
    phase: Phase,
    links: Links,
    decision: Decision,
    withholding: Withholding,
    store: Option<Ledger>,
    leaving: bool,
    repeat_at: Time,
}

impl Views {
    /// A machine for the site `me`, reachable at `address`. `seed` must not repeat. A site with a store
    /// gives what that holds: [`Memory::open`] of it, on disk already.
    pub fn new(
        config: &Config,
        me: Site,
        address: String,
        memory: Option<Memory>,
        seed: u64,
        now: Time,
    ) -> Views {
        let settings = Settings {
            peers: config.peers.clone(),
            quorum: config.quorum,
            first_view: config.first_view,
            repeat_interval: config.hello_interval,
            witness_timeout: (config.suspect_after / 4).max(2 * config.hello_interval),
            grace: config.suspect_after,
        };
        let mut listed: BTreeSet<SiteId> = config.peers.keys().copied().collect();
        listed.insert(me.id);
        let (store, decision) = match memory.map(|m| Ledger::new(m, config.abandon)) {
            Some((store, decision)) => (Some(store), decision),
            None => (None, Decision::default()),
        };
        let past = store.as_ref().and_then(|store| store.past.clone());
        Views {
            me,
            address,
            seed,
            phase: Phase::Outside(Outside::new(listed, past, now + settings.grace)),
            settings,
            links: Links::default(),
            decision,
            withholding: Withholding::default(),
            store,
            leaving: false,
            repeat_at: now,
        }
    }

    /// The view that this site is in.
    pub fn current(&self) -> Option<&SiteView> {
        match &self.phase {
            Phase::Inside(inside) => Some(&inside.current),
            _ => None,
        }
    }

    /// When `Input::Timeout` is due.
    pub fn deadline(&self) -> Option<Time> {
        let retry = match self.decision.campaign {
            Some(Campaign::BackingOff { until }) => Some(until),
            _ => None,
        };
        match self.phase {
            Phase::Out => None,
            _ => [Some(self.repeat_at), retry, self.links.deadline()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// Takes one input; what it wants done is appended to `effects`.
    pub fn handle(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        if let (Input::Stored { token }, Some(store)) = (&input, &mut self.store) {
            store.release(*token, effects);
        }
        let mut out = Vec::new();
        self.take(input, &mut Step { now, out: &mut out });
        match &mut self.store {
            Some(store) => store.hold(&self.decision, out, effects),
            None => effects.append(&mut out),
        }
    }

    fn take(&mut self, input: Input, step: &mut Step) {
        match input {
            _ if self.phase == Phase::Out => return,
            Input::Transport(TransportToView::Report(report)) => self.on_report(report, step),
            Input::Transport(TransportToView::Message { from, message }) => {
                let message = wire::decode_exact::<Message>(&message);
                if let Some(message) = message.ok().filter(Message::is_sound) {
                    self.on_message(from, message, step);
                }
            }
            Input::Transport(TransportToView::Withheld { token }) => self.on_withheld(token, step),
            Input::Leave => self.on_leave(),
            Input::Stored { .. } => {}
            Input::Timeout => self.on_timeout(step),
        }
        self.settle(step);
    }

    fn on_message(&mut self, from: Site, message: Message, step: &mut Step) {
        match message {
            Message::Outside { listed, durable } => self.on_outside(from, listed, durable, step),
            Message::Join {
                epoch,
                number,
                votes,
            } => self.on_join(from, (epoch, number), votes, step),
            Message::Status(status) => self.on_status(from, status, step),
            Message::Doubt { suspect } => {
                let heard = self.links.hears(suspect);
                step.send(from, &Message::Hears { suspect, heard });
            }
            Message::Hears { suspect, heard } => self.on_hears(from, suspect, heard, step),
            Message::Commit(view) => self.on_commit(view, step),
            Message::Past(view) => self.on_past(from, view, step),
            ballot => self.on_ballot(from, ballot, step),
        }
    }

    fn on_report(&mut self, report: LinkReport, step: &mut Step) {
        match report {
            LinkReport::Up { site, address, .. } => {
                self.links.up(site, address);
                self.greet(site, step);
            }
            LinkReport::Lost { site, evidence } => {
                self.miss(site);
                match evidence {
                    Evidence::Silence => self.doubt(site, step),
                    Evidence::Refused | Evidence::Restarted => self.links.halted(site),
                }
            }
            LinkReport::Unreachable { peer, cause } => self.on_unreachable(peer, cause),
            LinkReport::Refused {
                peer,
                reason: Refusal::Dead(view),
            } => {
                if view.is_sound() {
                    self.on_dead(peer, *view, step);
                }
            }
            LinkReport::Refused { peer, reason } => {
                self.on_unreachable(peer, alloc::format!("refused us: {reason:?}"));
            }
        }
    }

    /// Asks two others, or all there are, whether they hear a silent site.
    fn doubt(&mut self, suspect: Site, step: &mut Step) {
        let witnesses: Vec<Site> = match self.current() {
            Some(view) => {
                let others = view.sites().filter(|s| *s != suspect && *s != self.me);
                others.filter(|s| self.links.hears(*s)).take(2).collect()
            }
            None => Vec::new(),
        };
        let until = step.now + self.settings.witness_timeout;
        self.links.silent(suspect, &witnesses, until);
        step.send_all(witnesses, &Message::Doubt { suspect });
    }

    fn on_hears(&mut self, from: Site, suspect: Site, heard: bool, step: &mut Step) {
        let until = step.now + self.settings.grace;
        if self.links.testimony(suspect, from, heard, until) {
            step.note(Note::SecondChance(suspect));
        }
    }

    fn on_timeout(&mut self, step: &mut Step) {
        self.decision.retry(step.now);
        for silent in self.links.expire(step.now) {
            self.doubt(silent, step);
        }
        if self.repeat_at <= step.now {
            self.repeat_at = step.now + self.settings.repeat_interval;
            for (witness, suspect) in self.links.doubts() {
                step.send(witness, &Message::Doubt { suspect });
            }
            self.ask_all(step);
            self.repeat_standing(step);
        }
    }

    /// What follows from the new state, whatever input led to it.
    fn settle(&mut self, step: &mut Step) {
        match &self.phase {
            Phase::Outside(_) => {
                self.give_up_joining(step);
                self.try_to_found(step);
                self.try_to_revive(step);
            }
            Phase::Inside(_) => {
                self.watch_quorum(step);
                self.leave_if_last(step);
                self.manage(step);
                self.tell_status(step);
            }
            Phase::Departing(_) | Phase::Out => {}
        }
    }

    /// What is repeated because of where the site stands.
    fn repeat_standing(&mut self, step: &mut Step) {
        match &self.phase {
            Phase::Outside(_) => self.knock(step),
            Phase::Inside(_) => self.repeat_status(step),
            Phase::Departing(departing) => departing.serve(step),
            Phase::Out => {}
        }
    }

    /// A number in 0..bound that differs between sites and occasions. Drawn from the seed afresh, so
    /// that no generator's state needs keeping.
    fn draw(&self, occasion: u64, bound: u64) -> u64 {
        let mut x = self.seed ^ occasion.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for _ in 0..3 {
            x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x ^= x >> 29;
        }
        x % bound
    }
}
