//! What goes into and comes out of the view machine: site views (§4.2).

use alloc::string::String;

use super::{TransportToView, ViewToTransport};
use crate::view::SiteView;

/// What happens to the view machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From the transport machine.
    Transport(TransportToView),
    /// This site wishes to leave: exclude it in the next view (R6).
    Leave,
    /// `deadline()` has come.
    Timeout,
}

/// What the view machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Something worth a log line or a counter.
    Note(Note),
}

/// What the view machine did that people (and the simulator's event counts) want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The first view waits for these, in words.
    WaitingFor(String),
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
