//! What a site keeps on disk (R3), and holding back whatever rests on it until it is there.
//!
//! A vote binds the site that gave it for as long as somebody may count it, and a view that was acted
//! on is a fact. With a store both outlive the incarnation: the next one knows what was promised,
//! accepted and committed, and votes in its place. So nothing that the machine wants done leaves it
//! before the disk has what it follows from. A crash at any moment then looks to all others like a
//! crash before the input, or like lost messages, and they bear both.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::SiteView;
use super::decision::Decision;
use super::message::{Ballot, Proposal};
use crate::ids::{Epoch, Incarnation, SiteId};
use crate::machine::view::Effect;
use crate::wire;

/// Of so many earlier incarnations the store knows that they were its own; besides these always of
/// those in the views that it keeps.
const KEPT_INCARNATIONS: usize = 256;

/// What a site's store holds. Opaque: the runtime writes it whole, and reads the last one back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Memory {
    /// Those that have used this store, as far as what it holds speaks for them.
    incarnations: BTreeSet<Incarnation>,
    /// The latest committed view of the sequence that one of them was in, with or without it.
    view: Option<SiteView>,
    /// About the view after that one, or about the first view if there is none.
    promised: Option<Ballot>,
    accepted: Option<Proposal>,
}

impl Memory {
    /// What the runtime writes to disk.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads it back; nothing if the bytes are not such a value.
    pub fn decode(bytes: &[u8]) -> Option<Memory> {
        wire::decode_exact(bytes).ok()
    }

    /// An incarnation above all that have used the store: `drawn`, or if the clock stepped back since,
    /// the next one.
    pub fn incarnation_after(&self, drawn: Incarnation) -> Incarnation {
        match self.incarnations.last() {
            Some(last) if *last >= drawn => Incarnation(last.0.saturating_add(1)),
            _ => drawn,
        }
    }

    /// The store of a site that opens as this incarnation. To be on disk before it says a word.
    pub fn open(mut self, id: SiteId, incarnation: Incarnation) -> Memory {
        self.incarnations.insert(incarnation);
        let views = [self.view.as_ref(), self.accepted.as_ref().map(|p| &p.view)];
        let seats: BTreeSet<Incarnation> = views
            .into_iter()
            .flatten()
            .filter_map(|v| v.sites().find(|s| s.id == id))
            .map(|s| s.incarnation)
            .collect();
        let surplus = self.incarnations.len().saturating_sub(KEPT_INCARNATIONS);
        let old: BTreeSet<Incarnation> = self.incarnations.iter().take(surplus).copied().collect();
        self.incarnations
            .retain(|i| !old.contains(i) || seats.contains(i));
        self
    }

    /// What it held of a sequence is gone, or about to: it speaks for none of those who were in that.
    fn speak_for_the_last(&mut self) {
        let last = self.incarnations.last().copied();
        self.incarnations = last.into_iter().collect();
    }

    /// The latest view that it knows.
    pub fn view(&self) -> Option<&SiteView> {
        self.view.as_ref()
    }
}

/// A site's store as its view machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ledger {
    /// What is on disk once all that was asked for is.
    memory: Memory,
    /// As [`Memory::view`].
    pub past: Option<SiteView>,
    asked: u64,
    stored: u64,
    /// Effects in their order, with the token of what they wait for.
    held: VecDeque<(u64, Vec<Effect>)>,
}

impl Ledger {
    /// By the operator's word (R9) the sequence `abandoned` is over, and the site as one that was never
    /// in it.
    pub fn new(mut memory: Memory, abandoned: Option<Epoch>) -> (Ledger, Decision) {
        let over = memory.view.is_some() && abandoned == memory.view.as_ref().map(|v| v.epoch);
        let decision = match over {
            true => Decision::default(),
            false => Decision::resumed(memory.promised, memory.accepted.clone()),
        };
        if over {
            memory.speak_for_the_last();
        }
        let past = memory.view.clone().filter(|_| !over);
        let ledger = Ledger {
            past,
            memory,
            asked: 0,
            stored: 0,
            held: VecDeque::new(),
        };
        (ledger, decision)
    }

    /// The site has entered this view.
    pub fn enter(&mut self, view: SiteView) {
        let past = self.past.as_ref();
        if past.is_some_and(|past| past.epoch != view.epoch) {
            self.memory.speak_for_the_last();
        }
        self.past = Some(view);
    }

    /// Whether the store speaks for an incarnation.
    pub fn covers(&self, incarnation: Incarnation) -> bool {
        self.memory.incarnations.contains(&incarnation)
    }

    /// The store has the latest view.
    pub fn has_past(&self) -> bool {
        self.memory.view == self.past && self.asked == self.stored
    }

    /// Lets these effects go on once all is on disk that they follow from.
    pub fn hold(&mut self, decision: &Decision, effects: Vec<Effect>, out: &mut Vec<Effect>) {
        let memory = &mut self.memory;
        let votes =
            (&memory.promised, &memory.accepted) == (&decision.promised, &decision.accepted);
        if memory.view != self.past || !(votes || cfg!(isis_mutant = "R3")) {
            memory.view.clone_from(&self.past);
            if !cfg!(isis_mutant = "R3") {
                memory.promised = decision.promised;
                memory.accepted.clone_from(&decision.accepted);
            }
            self.asked += 1;
            out.push(Effect::Persist {
                token: self.asked,
                memory: Box::new(self.memory.clone()),
            });
        }
        if self.asked == self.stored {
            out.extend(effects);
        } else if !effects.is_empty() {
            self.held.push_back((self.asked, effects));
        }
    }

    /// Everything asked for up to this token is on disk.
    pub fn release(&mut self, token: u64, out: &mut Vec<Effect>) {
        self.stored = self.stored.max(token);
        while let Some((_, effects)) = self.held.pop_front_if(|(t, _)| *t <= self.stored) {
            out.extend(effects);
        }
    }
}
