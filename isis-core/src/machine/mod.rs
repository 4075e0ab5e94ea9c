//! The three machines and what passes between them.
//!
//! Each machine is driven alike: hand it one input with `handle(now, input, &mut effects)`, then
//! carry out **all** effects, in order, before the next input; when `deadline()` has come, hand it
//! `Input::Timeout`. A machine holds no clock, thread, socket or log. What one machine wants of
//! another travels as an effect that the caller (simulator or threads) turns into the other's input.
//!
//! ```text
//!   calls, Taken                 deliveries, completions
//!        |                              ^
//!   +----v------------------------------+---+      Install (same queue as frames, R10)
//!   |              broadcast                | <------------------+
//!   +----+------------------------------^---+                    |
//!        | Send                         | Deliver           +----+---+
//!   +----v------------------------------+---+   LinkReport  |  view  |
//!   |              transport                | ------------> |        |
//!   +----+------------------------------^---+ <------------ +--------+
//!        | frames                       |        Withhold, Install, Send
//!        v                              |
//! ```

pub mod broadcast;
pub mod transport;
pub mod view;

use alloc::collections::BTreeSet;
use alloc::string::String;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, Site, SiteId};
use crate::view::SiteView;

/// How a message ranks on a link. A message never overtakes an earlier one of its own or of a more
/// urgent lane; it may be overtaken by later ones of more urgent lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Proposals, finals, receipts, completion: small, needs no credit, goes first (R29).
    Control,
    /// Bodies that fit in one fragment.
    Data,
    /// Large bodies, fragment by fragment between the others; also barriers: a `Bulk` message is
    /// handed up only after everything that was sent before it on any lane.
    Bulk,
}

/// What makes a site believe that another has halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Nothing heard for longer than the adaptive timeout. Calls for a second chance (§4.1).
    Silence,
    /// The established connection was reset and a reconnect at once was refused.
    Refused,
    /// A later incarnation of the same site id answers.
    Restarted,
}

/// From transport to view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkReport {
    /// A session with this incarnation exists and it is heard. Also after a `Lost` that proved wrong.
    Up {
        /// Who.
        site: Site,
        /// What it advertises as its address.
        address: String,
        /// The epoch that it says it is in, if any.
        epoch: Option<Epoch>,
    },
    /// The session is silent or gone; nothing is forgotten because of this.
    Lost {
        /// Who.
        site: Site,
        /// Why it is believed.
        evidence: Evidence,
    },
    /// A listed peer cannot be reached at all at present (refused, unresolved): for the log that
    /// names whom the first view waits for.
    Unreachable {
        /// Who.
        peer: SiteId,
        /// In words.
        cause: String,
    },
    /// A live site with our own id answers, or a peer refused us for good.
    Refused {
        /// Who refused.
        peer: SiteId,
        /// The reason it gave.
        reason: Refusal,
    },
}

/// Why a handshake was refused; both sides count and log it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No common protocol version.
    Version {
        /// The lowest and highest that the refuser speaks.
        ours: (u16, u16),
    },
    /// The clusters have different names.
    Cluster {
        /// The refuser's cluster name.
        ours: String,
    },
    /// Both are in views of different epochs (R1).
    Epoch,
    /// The refuser has a live session with another incarnation of this site id.
    Duplicate,
    /// This incarnation was excluded: "you are dead" (§4.1). The committed view that says so.
    Dead(alloc::boxed::Box<SiteView>),
    /// The greeting was meant for another site id than the one that got it.
    WrongSite {
        /// The refuser's id.
        ours: SiteId,
    },
    /// Authentication failed.
    Authentication,
    /// The sites compare olabels in different ways (R19).
    Olabels {
        /// The name of the refuser's registration; empty if it has none.
        ours: String,
    },
}

/// From view to transport.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViewToTransport {
    /// A message of the view machine: unsequenced, may be lost; the view machine repeats it.
    Send {
        /// To whom.
        to: Site,
        /// Encoded by [`crate::wire`].
        message: Bytes,
    },
    /// Withhold, unacknowledged, the data of exactly these sites from now on (R7); replaces the set
    /// asked for before. Answer with `Withheld` carrying the token.
    Withhold {
        /// Returned in the answer.
        token: u64,
        /// The sites whose frames wait.
        sites: BTreeSet<Site>,
    },
    /// A committed view. Ends sessions with those excluded ("you are dead"), connects to the rest.
    Install(SiteView),
    /// Sites outside a view that we should try to reach: the seeds (R2), by id and address.
    Seek(alloc::vec::Vec<(SiteId, String)>),
}

/// From transport to view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportToView {
    /// A change in what the links see.
    Report(LinkReport),
    /// A view message from a peer's current incarnation.
    Message {
        /// Its sender.
        from: Site,
        /// Still encoded.
        message: Bytes,
    },
    /// The transport withholds as asked.
    Withheld {
        /// From the request.
        token: u64,
    },
}

/// A message on its way out: what the machine encoded, and the application's bytes beside it. The
/// receiver gets both as one piece, `head` first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Encoded by [`crate::wire`].
    pub head: Bytes,
    /// The payload; empty for most kinds.
    pub body: Bytes,
}

/// From transport to broadcast, in the same queue as `Install` (R10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FromPeer {
    /// The sender.
    pub from: Site,
    /// One whole message, still encoded.
    pub message: Bytes,
}
