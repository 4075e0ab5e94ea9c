//! The receiving half of a session: frames in any order in, messages in order out.
//!
//! A frame is *taken* when all earlier ones of its lane and those it names of more urgent lanes have
//! been. Only taken frames are acknowledged; what came early waits, within the bounds of the sender's
//! window. A large message is put together from its fragments and handed up whole.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{LANES, WINDOW_BYTES, WINDOW_FRAMES};
use crate::machine::Lane;
use crate::wire::frame::{self, Content, MAX_FRAME, PerLane, Stream};

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It can be taken now.
    Next,
    /// Kept until earlier ones have come, or dropped for want of room: it will be repeated.
    Early,
    /// It has been taken, or is kept, already.
    Repeated,
}

/// Fragments that break the rules: more bytes than announced, or another message between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadFragment;

#[derive(Debug, Default)]
struct Reassembly {
    total: u64,
    have: u64,
    parts: Vec<Bytes>,
}

#[derive(Debug, Default)]
struct LaneIn {
    waiting: BTreeMap<u64, Stream>,
    waiting_bytes: usize,
    large: Reassembly,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    lanes: [LaneIn; 3],
    taken: PerLane,
}

impl Incoming {
    /// The last frame taken on each lane: what is acknowledged.
    pub(super) fn taken(&self) -> PerLane {
        self.taken
    }

    /// Nothing waits and no message is incomplete.
    pub(super) fn is_empty(&self) -> bool {
        let empty = |lane: &LaneIn| lane.waiting.is_empty() && lane.large.parts.is_empty();
        self.lanes.iter().all(empty)
    }

    /// Keeps a frame that has arrived.
    pub(super) fn arrive(&mut self, stream: Stream) -> Arrival {
        let taken = self.taken[stream.lane as usize];
        let next = self.is_next(&stream);
        let lane = &mut self.lanes[stream.lane as usize];
        if stream.seq <= taken || lane.waiting.contains_key(&stream.seq) {
            return Arrival::Repeated;
        }
        let room = lane.waiting_bytes + stream.content_len() <= WINDOW_BYTES + MAX_FRAME;
        let is_first = stream.seq == taken + 1;
        if is_first || (room && stream.seq - taken <= WINDOW_FRAMES as u64) {
            lane.waiting_bytes += stream.content_len();
            lane.waiting.insert(stream.seq, stream);
        }
        if next { Arrival::Next } else { Arrival::Early }
    }

    fn is_next(&self, stream: &Stream) -> bool {
        let urgent = &self.taken[..stream.lane as usize];
        stream.seq == self.taken[stream.lane as usize] + 1
            && stream.after.iter().zip(urgent).all(|(after, t)| after <= t)
    }

    /// Takes all frames whose turn has come and hands their messages, none longer than `limit`, to
    /// `deliver`. Returns how many frames it took.
    pub(super) fn take(
        &mut self,
        limit: u64,
        mut deliver: impl FnMut(Bytes),
    ) -> Result<usize, BadFragment> {
        let mut count = 0;
        while let Some(stream) = self.pop() {
            count += 1;
            let large = &mut self.lanes[stream.lane as usize].large;
            match stream.content {
                Content::Pack(_) if !large.parts.is_empty() => return Err(BadFragment),
                Content::Pack(pack) => frame::messages(&pack).for_each(&mut deliver),
                Content::Fragment { total, bytes } => {
                    if let Some(message) = large.add(total, bytes, limit)? {
                        deliver(message);
                    }
                }
            }
        }
        Ok(count)
    }

    fn pop(&mut self) -> Option<Stream> {
        let lane = LANES.into_iter().find(|&lane: &Lane| {
            let first = self.lanes[lane as usize].waiting.first_key_value();
            first.is_some_and(|(_, stream)| self.is_next(stream))
        })?;
        self.taken[lane as usize] += 1;
        let lane = &mut self.lanes[lane as usize];
        let (_, stream) = lane.waiting.pop_first()?;
        lane.waiting_bytes -= stream.content_len();
        Some(stream)
    }
}

impl Reassembly {
    /// Adds the next fragment; the message, if it was the last.
    fn add(&mut self, total: u64, bytes: Bytes, limit: u64) -> Result<Option<Bytes>, BadFragment> {
        if self.parts.is_empty() {
            self.total = total;
        }
        self.have += bytes.len() as u64;
        if total != self.total || total > limit || self.have > total {
            return Err(BadFragment);
        }
        self.parts.push(bytes);
        if self.have < total {
            return Ok(None);
        }
        let whole = self.parts.concat();
        *self = Reassembly::default();
        Ok(Some(Bytes::from(whole)))
    }
}
