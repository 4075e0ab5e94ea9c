//! What goes into and comes out of the view machine: site views (§4.2).

use alloc::boxed::Box;
use alloc::string::String;

use super::{TransportToView, ViewToTransport};
use crate::ids::{Epoch, ViewNumber};
use crate::view::{Memory, SiteView};

/// What happens to the view machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From the transport machine.
    Transport(TransportToView),
    /// This site wishes to leave: exclude it in the next view (R6).
    Leave,
    /// What `Effect::Persist` asked for is on disk, and all that was asked for before it.
    Stored {
        /// From the request.
        token: u64,
    },
    /// `deadline()` has come.
    Timeout,
}

/// What the view machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Tell the transport machine.
    ToTransport(ViewToTransport),
    /// Tell the broadcast machine of a committed view (R10); the transport machine has been told
    /// by an effect before this one.
    Install(SiteView),
    /// Tell the broadcast machine whether a quorum of the view is reachable; changes only.
    Quorum {
        /// Reachable again, or no longer.
        reachable: bool,
    },
    /// Tell the broadcast machine: a committed view excludes this site. `asked` after `Leave`.
    Excluded {
        /// The view that says so.
        view: SiteView,
        /// It was our own wish.
        asked: bool,
    },
    /// Write this to the site's store, in place of what was written before, and answer with
    /// `Input::Stored` once it would survive a crash. If it cannot be written the site must halt (R3).
    /// Only of a site that was opened with a store.
    Persist {
        /// Returned in the answer.
        token: u64,
        /// What to write.
        memory: Box<Memory>,
    },
    /// Something worth a log line or a counter.
    Note(Note),
}

/// What the view machine did that people (and the simulator's event counts) want to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// The first view waits for these, in words.
    WaitingFor(String),
    /// The view that this site asks to join is full; in words.
    WaitingForRoom(String),
    /// The view after the last one that the store knows waits for these, in words: they may have failed
    /// later than this site, or are needed for a quorum (R9).
    WaitingForLast {
        /// The sequence.
        epoch: Epoch,
        /// That view.
        number: ViewNumber,
        /// Whom.
        whom: String,
    },
    /// All sites of the view had failed, and this site leads those that go on from its store (R9).
    Reviving {
        /// The view number that it wants to decide.
        number: u64,
    },
    /// A site that wants to found with us lists other peers than we do; which, in words (R2).
    PeersDiffer(String),
    /// This site took over as manager and interrogates (three phases).
    TakeOver {
        /// The view number that it wants to decide.
        number: u64,
    },
    /// A suspicion was withdrawn because others hear the suspect (second chance).
    SecondChance(crate::ids::Site),
    /// No quorum of the view is reachable.
    Blocked,
    /// A quorum is reachable again.
    Resumed,
}
