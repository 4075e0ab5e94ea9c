//! One lane on its way out: a queue of messages, and the frames made of them.
//!
//! A frame is the unit of sequence, acknowledgement and repetition. It is formed only when the
//! window has room for it, from all that is queued by then, and never changes afterwards; so packs
//! grow with the load and cost no delay when idle. Small messages are copied into one contiguous
//! pack, larger ones travel as slices of what the caller gave.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{COPY_LIMIT, FRAGMENT, WINDOW_BYTES, WINDOW_FRAMES};
use crate::machine::{Lane, Packet};
use crate::time::Time;
use crate::wire::frame::{self, PerLane};
use crate::wire::varint;

/// How many frames are repeated at once where more than one is likely to be lost.
const BURST: usize = 16;
/// Repetitions are at most this many doublings of the timeout apart.
const MAX_DOUBLINGS: u32 = 4;

/// A message that waits to be framed.
#[derive(Debug)]
struct Queued {
    packet: Packet,
    /// How many messages of each more urgent lane were queued before it.
    after: [u64; 2],
}

/// A frame that is not acknowledged. Its content is `intro` and `body`, one after the other.
#[derive(Debug)]
struct Unacked {
    fragment: bool,
    after: [u64; 2],
    intro: Bytes,
    body: Bytes,
    sent: Time,
}

impl Unacked {
    fn bytes(&self) -> usize {
        self.intro.len() + self.body.len()
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct LaneOut {
    lane: Lane,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// How much of the message at the front is in frames already.
    offset: usize,
    /// Messages ever queued, and those of them wholly in frames.
    pub(super) queued: u64,
    pub(super) framed: u64,
    /// Consecutive frames, the last of which is `last_seq`.
    unacked: VecDeque<Unacked>,
    unacked_bytes: usize,
    pub(super) last_seq: u64,
    /// How many of the first of `unacked` are to go again on a new connection.
    again: usize,
    /// Timeouts since the last progress.
    doublings: u32,
    /// Progress followed a timeout: more of what was sent before it is likely to be lost.
    recovering: bool,
}

fn length(packet: &Packet) -> usize {
    packet.head.len() + packet.body.len()
}

impl LaneOut {
    pub(super) fn new(lane: Lane) -> LaneOut {
        LaneOut {
            lane,
            queue: VecDeque::new(),
            queued_bytes: 0,
            offset: 0,
            queued: 0,
            framed: 0,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            last_seq: 0,
            again: 0,
            doublings: 0,
            recovering: false,
        }
    }

    /// Queues a message; `after` counts those of more urgent lanes queued before it.
    pub(super) fn push(&mut self, packet: Packet, after: [u64; 2]) {
        self.queued += 1;
        self.queued_bytes += length(&packet);
        self.queue.push_back(Queued { packet, after });
    }

    /// Messages and bytes that wait or are not acknowledged; an unacknowledged frame counts as one.
    pub(super) fn backlog(&self) -> (usize, usize) {
        let messages = self.queue.len() + self.unacked.len();
        (messages, self.queued_bytes + self.unacked_bytes)
    }

    /// The last frame that the peer is known to have taken.
    pub(super) fn acked(&self) -> u64 {
        self.last_seq - self.unacked.len() as u64
    }

    /// The peer has taken all frames up to this one.
    pub(super) fn acknowledge(&mut self, upto: u64) {
        while self.acked() < upto {
            let Some(frame) = self.unacked.pop_front() else {
                return;
            };
            self.unacked_bytes -= frame.bytes();
            self.again = self.again.saturating_sub(1);
            self.recovering |= self.doublings > 0;
            self.doublings = 0;
        }
    }

    /// A new connection: all that is not acknowledged goes again, first.
    pub(super) fn restart(&mut self) {
        self.again = self.unacked.len();
        self.doublings = 0;
        self.recovering = false;
    }

    /// When the next repetition is due.
    pub(super) fn repeat_due(&self, timeout: Duration) -> Option<Time> {
        let oldest = self.unacked.front()?;
        Some(oldest.sent + timeout * (1 << self.doublings))
    }

    /// Sends again what a broken connection or a timeout calls for. After a timeout that is one
    /// frame, since on a stream nothing is lost and the peer only slow; if that brings progress,
    /// then what else is as old goes too. Returns how many.
    pub(super) fn repeat(
        &mut self,
        now: Time,
        timeout: Duration,
        acks: &PerLane,
        transmit: &mut impl FnMut([Bytes; 2]),
    ) -> u64 {
        let mut count = core::mem::take(&mut self.again);
        if count == 0 && self.repeat_due(timeout).is_some_and(|due| due <= now) {
            let most = if self.recovering { BURST } else { 1 };
            let old = |f: &&Unacked| f.sent + timeout <= now;
            count = self.unacked.iter().take(most).take_while(old).count();
            self.doublings = (self.doublings + 1).min(MAX_DOUBLINGS);
            self.recovering = false;
        }
        let first = self.acked() + 1;
        for (seq, frame) in (first..).zip(self.unacked.iter_mut().take(count)) {
            frame.sent = now;
            transmit(pieces(self.lane, seq, frame, acks));
        }
        count as u64
    }

    /// Whether the window lets a frame go and the lane rule the message at the front.
    pub(super) fn is_ready(&self, framed: [u64; 2]) -> bool {
        self.unacked_bytes < WINDOW_BYTES
            && self.unacked.len() < WINDOW_FRAMES
            && self.queue.front().is_some_and(|m| self.may_go(m, framed))
    }

    /// Whether a message may be framed when so many of the more urgent lanes are.
    fn may_go(&self, message: &Queued, framed: [u64; 2]) -> bool {
        let urgent = &framed[..self.lane as usize];
        urgent
            .iter()
            .zip(message.after)
            .all(|(f, after)| *f >= after)
    }

    /// Forms a frame of what is ready and sends it; the receiver takes it after those frames.
    pub(super) fn advance(
        &mut self,
        now: Time,
        framed: [u64; 2],
        after: [u64; 2],
        acks: &PerLane,
    ) -> Option<[Bytes; 2]> {
        let size = length(&self.queue.front()?.packet);
        let (intro, body) = match size {
            _ if size <= COPY_LIMIT => (Bytes::new(), self.pack(framed)),
            _ if size <= FRAGMENT => whole(&self.pop()?),
            _ => self.next_fragment()?,
        };
        let frame = Unacked {
            fragment: size > FRAGMENT,
            after,
            intro,
            body,
            sent: now,
        };
        self.last_seq += 1;
        self.unacked_bytes += frame.bytes();
        let pieces = pieces(self.lane, self.last_seq, &frame, acks);
        self.unacked.push_back(frame);
        Some(pieces)
    }

    /// The message at the front is wholly in frames.
    fn pop(&mut self) -> Option<Packet> {
        let packet = self.queue.pop_front()?.packet;
        self.queued_bytes -= length(&packet);
        self.framed += 1;
        self.offset = 0;
        Some(packet)
    }

    /// As many small messages as fit and may go, copied together.
    fn pack(&mut self, framed: [u64; 2]) -> Bytes {
        let most = FRAGMENT.min(self.queued_bytes + 2 * self.queue.len());
        let mut out = Vec::with_capacity(most);
        while let Some(message) = self.queue.front() {
            let size = length(&message.packet);
            let fits = size <= COPY_LIMIT && (out.is_empty() || out.len() + size <= FRAGMENT);
            if !fits || !self.may_go(message, framed) {
                break;
            }
            varint::put(&mut out, size as u64);
            out.extend_from_slice(&message.packet.head);
            out.extend_from_slice(&message.packet.body);
            self.pop();
        }
        Bytes::from(out)
    }

    /// The next piece of the large message at the front.
    fn next_fragment(&mut self) -> Option<(Bytes, Bytes)> {
        let packet = &self.queue.front()?.packet;
        let (intro, body, taken) = cut(packet, self.offset);
        self.offset += taken;
        if self.offset == length(packet) {
            self.pop();
        }
        Some((intro, body))
    }
}

fn pieces(lane: Lane, seq: u64, frame: &Unacked, acks: &PerLane) -> [Bytes; 2] {
    let head = frame::stream(lane, frame.fragment, seq, &frame.after, acks, &frame.intro);
    [head, frame.body.clone()]
}

/// One message that fits in a frame but is too large to be copied.
fn whole(packet: &Packet) -> (Bytes, Bytes) {
    let mut intro = Vec::with_capacity(packet.head.len() + 4);
    varint::put(&mut intro, length(packet) as u64);
    if packet.body.is_empty() {
        return (Bytes::from(intro), packet.head.clone());
    }
    intro.extend_from_slice(&packet.head);
    (Bytes::from(intro), packet.body.clone())
}

/// The piece of a large message that begins at `offset`, and how long it is.
fn cut(packet: &Packet, offset: usize) -> (Bytes, Bytes, usize) {
    let mut intro = Vec::new();
    varint::put(&mut intro, length(packet) as u64);
    let head = &packet.head[offset.min(packet.head.len())..];
    if head.len() > COPY_LIMIT {
        let end = packet.head.len().min(offset + FRAGMENT);
        let piece = packet.head.slice(offset..end);
        return (Bytes::from(intro), piece, end - offset);
    }
    let start = offset.saturating_sub(packet.head.len());
    let end = packet.body.len().min(start + FRAGMENT - head.len());
    intro.extend_from_slice(head);
    let taken = head.len() + end - start;
    (Bytes::from(intro), packet.body.slice(start..end), taken)
}
