//! The sending half of a session: three lanes of messages, cut and packed into frames.
//!
//! A frame is the unit of sequence, acknowledgement and retransmission. It is formed only when the
//! window has room for it, from all that is queued by then, and never changes afterwards; so packs
//! grow with the load and cost no delay when idle. Small messages are copied into one contiguous
//! pack, larger ones travel as slices of what the caller gave.
//!
//! The lane rule. A message may be framed once all earlier messages of more urgent lanes are; its
//! frame then names their last frames, which the receiver takes first. They may be later than what
//! the rule asks for, never earlier, and since waiting goes only from less to more urgent lanes it
//! has no cycle. Control goes first; Data and Bulk take turns, so that neither starves.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{COPY_LIMIT, FRAGMENT, LANES, WINDOW_BYTES, WINDOW_FRAMES};
use crate::machine::{Lane, Packet};
use crate::time::Time;
use crate::wire::frame::{self, PerLane};
use crate::wire::varint;

/// How many frames of a lane one timeout repeats.
const RESEND_BURST: usize = 16;
/// Repeats are at most this many doublings apart.
const MAX_DOUBLINGS: u32 = 4;

/// A message that waits to be framed.
#[derive(Debug)]
struct Queued {
    packet: Packet,
    /// How many messages of each more urgent lane were queued before it.
    after: [u64; 2],
}

impl Queued {
    /// Whether a message of this lane may be framed when so many of the more urgent ones are.
    fn may_follow(&self, lane: Lane, framed: [u64; 2]) -> bool {
        let urgent = &framed[..lane as usize];
        urgent
            .iter()
            .zip(self.after)
            .all(|(&framed, after)| framed >= after)
    }
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

#[derive(Debug, Default)]
struct LaneOut {
    queue: VecDeque<Queued>,
    /// How much of the message at the front is in frames already.
    offset: usize,
    queued_bytes: usize,
    /// Messages ever queued, and those of them wholly in frames.
    queued: u64,
    framed: u64,
    /// Consecutive frames, the last of which is `last_seq`.
    unacked: VecDeque<Unacked>,
    unacked_bytes: usize,
    last_seq: u64,
    /// How many of the first of `unacked` are to be sent again on a new connection.
    resend: usize,
    /// Timeouts since the last progress.
    doublings: u32,
}

impl LaneOut {
    fn acked(&self) -> u64 {
        self.last_seq - self.unacked.len() as u64
    }

    fn window_open(&self) -> bool {
        self.unacked_bytes < WINDOW_BYTES && self.unacked.len() < WINDOW_FRAMES
    }

    fn acknowledge(&mut self, upto: u64) {
        while self.acked() < upto {
            let Some(frame) = self.unacked.pop_front() else {
                return;
            };
            self.unacked_bytes -= frame.bytes();
            self.resend = self.resend.saturating_sub(1);
            self.doublings = 0;
        }
    }

    fn pop(&mut self) {
        if let Some(message) = self.queue.pop_front() {
            self.queued_bytes -= length(&message.packet);
            self.framed += 1;
            self.offset = 0;
        }
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    lanes: [LaneOut; 3],
    /// Whose turn it is when both Data and Bulk could go.
    bulk_next: bool,
}

fn length(packet: &Packet) -> usize {
    packet.head.len() + packet.body.len()
}

impl Outgoing {
    /// Queues a message.
    pub(super) fn push(&mut self, lane: Lane, packet: Packet) {
        let after = [self.lanes[0].queued, self.lanes[1].queued];
        let lane = &mut self.lanes[lane as usize];
        lane.queued += 1;
        lane.queued_bytes += length(&packet);
        lane.queue.push_back(Queued { packet, after });
    }

    /// Messages and bytes that wait or are not acknowledged; an unacknowledged frame counts as one.
    pub(super) fn backlog(&self) -> (usize, usize) {
        self.lanes.iter().fold((0, 0), |(messages, bytes), lane| {
            (
                messages + lane.queue.len() + lane.unacked.len(),
                bytes + lane.queued_bytes + lane.unacked_bytes,
            )
        })
    }

    /// Whether anything was ever queued.
    pub(super) fn untouched(&self) -> bool {
        self.lanes.iter().all(|lane| lane.queued == 0)
    }

    /// The peer has taken these. `false` if it cannot have.
    pub(super) fn acknowledge(&mut self, acks: &PerLane) -> bool {
        if self.lanes.iter().zip(acks).any(|(l, &a)| a > l.last_seq) {
            return false;
        }
        for (lane, &ack) in self.lanes.iter_mut().zip(acks) {
            lane.acknowledge(ack);
        }
        true
    }

    /// Whether a peer that has taken just these frames can be the one of this session.
    pub(super) fn continues(&self, received: &PerLane) -> bool {
        self.lanes
            .iter()
            .zip(received)
            .all(|(l, r)| (l.acked()..=l.last_seq).contains(r))
    }

    /// A new connection: all that is not acknowledged goes again, first.
    pub(super) fn restart(&mut self) {
        for lane in &mut self.lanes {
            lane.resend = lane.unacked.len();
            lane.doublings = 0;
        }
    }

    /// When the next repetition is due.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Time> {
        let due = |lane: &LaneOut| {
            let oldest = lane.unacked.front()?;
            Some(oldest.sent + timeout * (1 << lane.doublings))
        };
        self.lanes.iter().filter_map(due).min()
    }

    /// Hands every frame that may go now to `transmit`, as its two pieces. Returns how many were
    /// repetitions and how many there were in all.
    pub(super) fn flush(
        &mut self,
        now: Time,
        timeout: Duration,
        acks: &PerLane,
        mut transmit: impl FnMut([Bytes; 2]),
    ) -> (u64, u64) {
        let mut repeated = 0;
        for lane in LANES {
            repeated += self.repeat(lane, now, timeout, acks, &mut transmit);
        }
        let mut new = 0;
        while let Some(lane) = self.next_lane() {
            let after = [self.lanes[0].last_seq, self.lanes[1].last_seq];
            let framed = self.framed();
            let lane_out = &mut self.lanes[lane as usize];
            let frame = form(lane, lane_out, now, after, framed);
            lane_out.last_seq += 1;
            lane_out.unacked_bytes += frame.bytes();
            transmit(pieces(lane, lane_out.last_seq, &frame, acks));
            lane_out.unacked.push_back(frame);
            new += 1;
        }
        (repeated, repeated + new)
    }

    fn repeat(
        &mut self,
        lane: Lane,
        now: Time,
        timeout: Duration,
        acks: &PerLane,
        transmit: &mut impl FnMut([Bytes; 2]),
    ) -> u64 {
        let out = &mut self.lanes[lane as usize];
        let due = |f: &Unacked| f.sent + timeout * (1 << out.doublings) <= now;
        let timed_out = out.resend == 0 && out.unacked.front().is_some_and(due);
        let count = if timed_out {
            let overdue = out.unacked.iter().take(RESEND_BURST);
            let count = overdue.take_while(|f| due(f)).count();
            out.doublings = (out.doublings + 1).min(MAX_DOUBLINGS);
            count
        } else {
            core::mem::take(&mut out.resend)
        };
        let first_seq = out.acked() + 1;
        for (seq, frame) in (first_seq..).zip(out.unacked.iter_mut().take(count)) {
            frame.sent = now;
            transmit(pieces(lane, seq, frame, acks));
        }
        count as u64
    }

    /// How many messages of the lanes that others wait for are wholly in frames.
    fn framed(&self) -> [u64; 2] {
        [self.lanes[0].framed, self.lanes[1].framed]
    }

    /// The lane whose turn it is to form a frame, if any may.
    fn next_lane(&mut self) -> Option<Lane> {
        let framed = self.framed();
        let ready = |lane: Lane| {
            let out = &self.lanes[lane as usize];
            let front = out.queue.front();
            let in_order = front.is_some_and(|message| message.may_follow(lane, framed));
            in_order && out.window_open()
        };
        if ready(Lane::Control) {
            return Some(Lane::Control);
        }
        let lane = match (ready(Lane::Data), ready(Lane::Bulk)) {
            (true, true) if self.bulk_next => Lane::Bulk,
            (true, _) => Lane::Data,
            (false, true) => Lane::Bulk,
            (false, false) => return None,
        };
        self.bulk_next = lane == Lane::Data;
        Some(lane)
    }
}

fn pieces(lane: Lane, seq: u64, frame: &Unacked, acks: &PerLane) -> [Bytes; 2] {
    let head = frame::stream(lane, frame.fragment, seq, &frame.after, acks, &frame.intro);
    [head, frame.body.clone()]
}

/// Forms the next frame from the front of a lane's queue, which is not empty.
fn form(which: Lane, lane: &mut LaneOut, now: Time, after: [u64; 2], framed: [u64; 2]) -> Unacked {
    let front = &lane.queue[0].packet;
    let (fragment, intro, body) = match length(front) {
        n if n <= COPY_LIMIT => (false, Bytes::new(), pack(which, lane, framed)),
        n if n <= FRAGMENT => {
            let (intro, body) = whole(front);
            lane.pop();
            (false, intro, body)
        }
        total => {
            let (intro, body, taken) = cut(front, lane.offset);
            lane.offset += taken;
            if lane.offset == total {
                lane.pop();
            }
            (true, intro, body)
        }
    };
    Unacked {
        fragment,
        after,
        intro,
        body,
        sent: now,
    }
}

/// As many small messages as fit, copied together.
fn pack(which: Lane, lane: &mut LaneOut, framed: [u64; 2]) -> Bytes {
    let mut out = Vec::with_capacity(FRAGMENT.min(lane.queued_bytes + 2 * lane.queue.len()));
    while let Some(message) = lane.queue.front() {
        let (packet, n) = (&message.packet, length(&message.packet));
        let fits = n <= COPY_LIMIT && (out.is_empty() || out.len() + n <= FRAGMENT);
        if !fits || !message.may_follow(which, framed) {
            break;
        }
        varint::put(&mut out, n as u64);
        out.extend_from_slice(&packet.head);
        out.extend_from_slice(&packet.body);
        lane.pop();
    }
    Bytes::from(out)
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
        return (
            Bytes::from(intro),
            packet.head.slice(offset..end),
            end - offset,
        );
    }
    let start = offset.saturating_sub(packet.head.len());
    let end = packet.body.len().min(start + FRAGMENT - head.len());
    intro.extend_from_slice(head);
    let taken = head.len() + end - start;
    (Bytes::from(intro), packet.body.slice(start..end), taken)
}
