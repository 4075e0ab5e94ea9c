//! What travels on a connection between two sites: one frame at a time.
//!
//! ```text
//! greeting  0x01 "ISIS" lowest:u16 highest:u16 bincode(Greeting)     the connecting side
//! answer    0x02 "ISIS" lowest:u16 highest:u16 bincode(Greeting)     the other side takes it
//! refusal   0x03 "ISIS" lowest:u16 highest:u16 bincode(Refusal)      or does not, or no longer
//! status    0x10 ack ack ack flags [stamp] [echo]                    hello and acknowledgement
//! view      0x11 bytes                                               of the view machine
//! pack      0x20+lane seq after* ack ack ack (length bytes)*         whole messages of one lane
//! fragment  0x24+lane seq after* ack ack ack total bytes             of one large message
//! ```
//!
//! Version numbers are little-endian; all other numbers are as in `varint`. The three acks
//! are those of the lanes, most urgent first; `after` are as many sequence numbers as there are more
//! urgent lanes than the frame's own. The prefix of greeting, answer and refusal keeps its layout in
//! all versions, so that sites without a common version can still tell each other so.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{WireError, decode_exact, encode, varint};
use crate::ids::{Epoch, Incarnation, Site, SiteId};
use crate::machine::{Lane, Refusal};

/// The lowest and highest protocol version spoken here.
pub const VERSIONS: (u16, u16) = (1, 1);
/// No frame is longer.
pub const MAX_FRAME: usize = 256 << 10;
/// Greetings are shorter than this: they arrive before anything is known of the peer.
pub const MAX_GREETING: usize = 4 << 10;
/// The longest authentication field.
const MAX_AUTHENTICATION: usize = 1 << 10;

const MAGIC: [u8; 4] = *b"ISIS";
const GREETING: u8 = 0x01;
const ANSWER: u8 = 0x02;
const REFUSAL: u8 = 0x03;
const STATUS: u8 = 0x10;
const VIEW: u8 = 0x11;
const STREAM: u8 = 0x20;
const FRAGMENT: u8 = 0x04;
const STAMP: u8 = 1;
const ECHO: u8 = 2;

/// One number per lane, by `Lane as usize`.
pub type PerLane = [u64; 3];

/// How a site introduces itself on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The cluster's name.
    pub cluster: String,
    /// The name of the registered comparison of olabels; empty if there is none.
    pub olabels: String,
    /// The epoch that the site is in, if it is in a view.
    pub epoch: Option<Epoch>,
    /// Who speaks.
    pub from: Site,
    /// Whom it means to speak to.
    pub to: SiteId,
    /// The incarnation of `to` that the numbers below are about, if there is a session.
    pub to_incarnation: Option<Incarnation>,
    /// Where the speaker can be reached.
    pub address: String,
    /// Counts the connections of the session: of two, the higher wins.
    pub number: u64,
    /// The last frame taken on each lane.
    pub received: PerLane,
    /// The last frame on each lane that the speaker knows to be taken by the other.
    pub acknowledged: PerLane,
    /// Room for the proof that the speaker knows the cluster's key.
    pub authentication: Vec<u8>,
}

/// Hello, its answer, and acknowledgements (§4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The last frame taken on each lane.
    pub acks: PerLane,
    /// A hello: to be answered at once with this as `echo`.
    pub stamp: Option<u64>,
    /// The answer to a hello.
    pub echo: Option<u64>,
}

/// What a frame of a lane carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Whole messages, each with its length before it; checked. Taken apart by [`messages`].
    Pack(Bytes),
    /// The next piece of a large message.
    Fragment {
        /// The length of the whole message.
        total: u64,
        /// The piece.
        bytes: Bytes,
    },
}

/// A frame of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which.
    pub lane: Lane,
    /// Its place in the lane, from 1.
    pub seq: u64,
    /// For each more urgent lane, the frame up to which that must have been taken first; 0 for the
    /// others.
    pub after: [u64; 2],
    /// The last frame taken on each lane in the other direction.
    pub acks: PerLane,
    /// What it carries.
    pub content: Content,
}

impl Stream {
    /// The bytes of its content.
    pub fn content_len(&self) -> usize {
        match &self.content {
            Content::Pack(bytes) | Content::Fragment { bytes, .. } => bytes.len(),
        }
    }
}

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The connecting side introduces itself.
    Greeting(Greeting),
    /// The other side does; the connection is established.
    Answer(Greeting),
    /// The peer will not speak with us.
    Refusal(Refusal),
    /// A greeting or answer of a peer without a common version.
    Foreign {
        /// The lowest and highest that it speaks.
        versions: (u16, u16),
    },
    /// Hello and acknowledgements.
    Status(Status),
    /// A message of the view machine.
    View(Bytes),
    /// A frame of a lane.
    Stream(Stream),
}

/// Encodes a greeting.
pub fn greeting(greeting: &Greeting) -> Bytes {
    with_prefix(GREETING, &encode(greeting))
}

/// Encodes an answer.
pub fn answer(greeting: &Greeting) -> Bytes {
    with_prefix(ANSWER, &encode(greeting))
}

/// Encodes a refusal.
pub fn refusal(refusal: &Refusal) -> Bytes {
    with_prefix(REFUSAL, &encode(refusal))
}

fn with_prefix(kind: u8, rest: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(9 + rest.len());
    out.push(kind);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS.0.to_le_bytes());
    out.extend_from_slice(&VERSIONS.1.to_le_bytes());
    out.extend_from_slice(rest);
    Bytes::from(out)
}

/// Encodes a hello, its answer or an acknowledgement.
pub fn status(status: &Status) -> Bytes {
    let mut out = Vec::with_capacity(32);
    out.push(STATUS);
    put_all(&mut out, &status.acks);
    let flags = if status.stamp.is_some() { STAMP } else { 0 }
        | if status.echo.is_some() { ECHO } else { 0 };
    out.push(flags);
    for value in [status.stamp, status.echo].into_iter().flatten() {
        varint::put(&mut out, value);
    }
    Bytes::from(out)
}

/// The first piece of a frame that carries a view message; the message is the second.
pub fn view() -> Bytes {
    Bytes::from_static(&[VIEW])
}

/// The first piece of a frame of a lane: its header and `intro`, the part of the content that is
/// copied; the rest of the content is the second piece.
pub fn stream(
    lane: Lane,
    fragment: bool,
    seq: u64,
    after: &[u64; 2],
    acks: &PerLane,
    intro: &[u8],
) -> Bytes {
    let mut out = Vec::with_capacity(40 + intro.len());
    out.push(STREAM | lane as u8 | if fragment { FRAGMENT } else { 0 });
    varint::put(&mut out, seq);
    put_all(&mut out, &after[..lane as usize]);
    put_all(&mut out, acks);
    out.extend_from_slice(intro);
    Bytes::from(out)
}

/// Decodes a whole frame. What it returns shares memory with `frame`.
pub fn decode(frame: &Bytes) -> Result<Frame, WireError> {
    if frame.len() > MAX_FRAME {
        return Err(WireError::TooLong);
    }
    let (&kind, rest) = frame.split_first().ok_or(WireError::Malformed)?;
    match kind {
        GREETING | ANSWER | REFUSAL => decode_introduction(kind, rest),
        STATUS => decode_status(rest).map(Frame::Status),
        VIEW => Ok(Frame::View(frame.slice(1..))),
        _ if kind & !0x07 == STREAM => decode_stream(kind, frame).map(Frame::Stream),
        _ => Err(WireError::Malformed),
    }
}

fn decode_introduction(kind: u8, rest: &[u8]) -> Result<Frame, WireError> {
    let Some((&[m0, m1, m2, m3, l0, l1, h0, h1], rest)) = rest.split_first_chunk() else {
        return Err(WireError::Malformed);
    };
    if [m0, m1, m2, m3] != MAGIC {
        return Err(WireError::Malformed);
    }
    let versions = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([h0, h1]));
    let common = versions.0 <= VERSIONS.1 && VERSIONS.0 <= versions.1;
    match kind {
        REFUSAL if common => Ok(Frame::Refusal(decode_exact(rest)?)),
        REFUSAL => Ok(Frame::Refusal(Refusal::Version { ours: versions })),
        _ if !common => Ok(Frame::Foreign { versions }),
        _ if rest.len() > MAX_GREETING => Err(WireError::TooLong),
        _ => {
            let greeting: Greeting = decode_exact(rest)?;
            match kind {
                _ if greeting.authentication.len() > MAX_AUTHENTICATION => Err(WireError::TooLong),
                GREETING => Ok(Frame::Greeting(greeting)),
                _ => Ok(Frame::Answer(greeting)),
            }
        }
    }
}

fn decode_status(mut rest: &[u8]) -> Result<Status, WireError> {
    let acks = take_acks(&mut rest)?;
    let (&flags, mut rest) = rest.split_first().ok_or(WireError::Malformed)?;
    if flags & !(STAMP | ECHO) != 0 {
        return Err(WireError::Malformed);
    }
    let mut optional = |flag| match flags & flag {
        0 => Ok(None),
        _ => varint::take(&mut rest).map(Some),
    };
    let (stamp, echo) = (optional(STAMP)?, optional(ECHO)?);
    match rest.is_empty() {
        true => Ok(Status { acks, stamp, echo }),
        false => Err(WireError::Trailing),
    }
}

fn decode_stream(kind: u8, frame: &Bytes) -> Result<Stream, WireError> {
    let lane = match kind & 0x03 {
        0 => Lane::Control,
        1 => Lane::Data,
        2 => Lane::Bulk,
        _ => return Err(WireError::Malformed),
    };
    let mut rest = &frame[1..];
    let seq = varint::take(&mut rest)?;
    let mut after = [0; 2];
    for value in &mut after[..lane as usize] {
        *value = varint::take(&mut rest)?;
    }
    let acks = take_acks(&mut rest)?;
    let content = if kind & FRAGMENT == 0 {
        check_pack(rest)?;
        Content::Pack(frame.slice(frame.len() - rest.len()..))
    } else {
        let total = varint::take(&mut rest)?;
        if rest.is_empty() || rest.len() as u64 > total {
            return Err(WireError::Malformed);
        }
        let bytes = frame.slice(frame.len() - rest.len()..);
        Content::Fragment { total, bytes }
    };
    Ok(Stream {
        lane,
        seq,
        after,
        acks,
        content,
    })
}

/// Every message of a pack is within it, and nothing is beside them.
fn check_pack(mut rest: &[u8]) -> Result<(), WireError> {
    while !rest.is_empty() {
        let length = varint::take(&mut rest)?;
        rest = usize::try_from(length)
            .ok()
            .and_then(|n| rest.get(n..))
            .ok_or(WireError::Malformed)?;
    }
    Ok(())
}

/// The messages of a pack that [`decode`] has checked.
pub fn messages(pack: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let mut rest = &pack[..];
    core::iter::from_fn(move || {
        let length = varint::take(&mut rest).ok()? as usize;
        let start = pack.len() - rest.len();
        rest = rest.get(length..)?;
        Some(pack.slice(start..start + length))
    })
}

fn put_all(out: &mut Vec<u8>, values: &[u64]) {
    for &value in values {
        varint::put(out, value);
    }
}

fn take_acks(rest: &mut &[u8]) -> Result<PerLane, WireError> {
    Ok([
        varint::take(rest)?,
        varint::take(rest)?,
        varint::take(rest)?,
    ])
}
