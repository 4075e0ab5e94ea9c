//! What goes into and comes out of the transport machine: connections and links (§4.1).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{FromPeer, Lane, Packet, TransportToView, ViewToTransport};
use crate::ids::{Site, SiteId};

/// Names a connection: chosen by the carrier (sockets or the simulated network), never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub u64);

/// What happens to the transport machine. A connection carries whole frames; over TCP they arrive
/// once and in order, over datagrams they may be lost, doubled and reordered, and the machine must
/// be right over both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A peer connected to us; it speaks first.
    Accepted(Connection),
    /// A connection asked for by `Effect::Connect` exists.
    Connected {
        /// Its name.
        connection: Connection,
        /// From the request.
        peer: SiteId,
    },
    /// It could not be made.
    ConnectFailed {
        /// From the request.
        peer: SiteId,
        /// The peer's machine refused: nobody listens there.
        refused: bool,
        /// In words.
        cause: String,
    },
    /// One frame arrived.
    Received {
        /// On which connection.
        connection: Connection,
        /// The frame, without length prefix.
        frame: Bytes,
    },
    /// The connection is gone.
    Closed {
        /// Which.
        connection: Connection,
        /// Reset or ended by the peer, rather than closed by us.
        by_peer: bool,
    },
    /// The carrier's buffer for this connection has room again after `Effect::Transmit` filled it.
    Drained(Connection),
    /// From the view machine.
    View(ViewToTransport),
    /// From the broadcast machine. Sites without a session are skipped: a site of the installed view
    /// always has one.
    Send {
        /// The destination sites.
        to: Vec<Site>,
        /// How it ranks.
        lane: Lane,
        /// The message.
        packet: Packet,
    },
    /// `deadline()` has come.
    Timeout,
}

/// What the transport machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect to this address (resolve names anew each time); answer with `Connected` or
    /// `ConnectFailed`.
    Connect {
        /// Returned in the answer.
        peer: SiteId,
        /// `host:port`.
        address: String,
    },
    /// Write one frame.
    Transmit {
        /// To which connection.
        connection: Connection,
        /// The frame in pieces, without length prefix.
        frame: [Bytes; 2],
    },
    /// Close the connection; no `Closed` follows.
    Close(Connection),
    /// Tell the view machine.
    ToView(TransportToView),
    /// Tell the broadcast machine.
    Deliver(FromPeer),
    /// Something worth a log line or a counter.
    Note(Note),
}

/// What the transport machine did that people want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A session continued on a new connection.
    Resumed {
        /// With whom.
        with: Site,
    },
    /// A handshake failed; both sides know the reason.
    Refused {
        /// With whom, if it said so.
        peer: Option<SiteId>,
        /// In words.
        reason: String,
        /// We refuse it because it has left, as it wished: nothing is wrong.
        left: bool,
    },
    /// Bytes that are no frame, or a frame out of place; the connection was closed.
    Garbage {
        /// In words.
        what: String,
    },
    /// This site itself was not running for a while; nobody is blamed for that time.
    OwnPause {
        /// For how long.
        micros: u64,
    },
}
