//! The sending half of a session: its three lanes, and whose turn it is.
//!
//! The lane rule. A message may be framed once all earlier messages of more urgent lanes are; its
//! frame then names their last frames, which the receiver takes first. They may be later than what
//! the rule asks for, never earlier, and since waiting goes only from less to more urgent lanes it
//! has no cycle. Control goes first; Data and Bulk take turns, so that neither starves.

use core::time::Duration;

use bytes::Bytes;

use super::LANES;
use super::lane::LaneOut;
use crate::machine::{Lane, Packet};
use crate::time::Time;
use crate::wire::frame::PerLane;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Outgoing {
    lanes: [LaneOut; 3],
    /// Whose turn it is when both Data and Bulk could go.
    bulk_next: bool,
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        Outgoing {
            lanes: LANES.map(LaneOut::new),
            bulk_next: false,
        }
    }
}

impl Outgoing {
    /// Queues a message.
    pub(super) fn push(&mut self, lane: Lane, packet: Packet) {
        let after = [self.lanes[0].queued, self.lanes[1].queued];
        self.lanes[lane as usize].push(packet, after);
    }

    /// Messages and bytes that wait or are not acknowledged; an unacknowledged frame counts as one.
    pub(super) fn backlog(&self) -> (usize, usize) {
        let lanes = self.lanes.iter().map(LaneOut::backlog);
        lanes.fold((0, 0), |(m, b), (messages, bytes)| {
            (m + messages, b + bytes)
        })
    }

    /// Whether nothing was ever queued.
    pub(super) fn untouched(&self) -> bool {
        self.lanes.iter().all(|lane| lane.queued == 0)
    }

    /// The peer has taken these. `false`, and nothing happens, if it cannot have.
    pub(super) fn acknowledge(&mut self, acks: &PerLane) -> bool {
        let possible = self.has_sent(acks);
        if possible {
            for (lane, &ack) in self.lanes.iter_mut().zip(acks) {
                lane.acknowledge(ack);
            }
        }
        possible
    }

    /// Whether these frames were ever sent.
    pub(super) fn has_sent(&self, upto: &PerLane) -> bool {
        let lanes = self.lanes.iter().zip(upto);
        lanes.into_iter().all(|(lane, &seq)| seq <= lane.last_seq)
    }

    /// The last frame on each lane that the peer is known to have taken.
    pub(super) fn acknowledged(&self) -> PerLane {
        self.lanes.each_ref().map(LaneOut::acked)
    }

    /// A new connection: all that is not acknowledged goes again, first.
    pub(super) fn restart(&mut self) {
        self.lanes.iter_mut().for_each(LaneOut::restart);
    }

    /// When the next repetition is due.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Time> {
        let lanes = self.lanes.iter();
        lanes.filter_map(|lane| lane.repeat_due(timeout)).min()
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
        let lanes = self.lanes.iter_mut();
        let repeated = lanes
            .map(|lane| lane.repeat(now, timeout, acks, &mut transmit))
            .sum();
        let mut sent = repeated;
        while let Some(frame) = self.advance(now, acks) {
            transmit(frame);
            sent += 1;
        }
        (repeated, sent)
    }

    fn advance(&mut self, now: Time, acks: &PerLane) -> Option<[Bytes; 2]> {
        let framed = [self.lanes[0].framed, self.lanes[1].framed];
        let after = [self.lanes[0].last_seq, self.lanes[1].last_seq];
        let lane = self.next_lane(framed)?;
        if lane != Lane::Control {
            self.bulk_next = lane == Lane::Data;
        }
        self.lanes[lane as usize].advance(now, framed, after, acks)
    }

    /// The lane whose turn it is to form a frame, if any may.
    fn next_lane(&self, framed: [u64; 2]) -> Option<Lane> {
        let ready = |lane: Lane| self.lanes[lane as usize].is_ready(framed);
        match LANES.map(ready) {
            [true, _, _] => Some(Lane::Control),
            [_, true, true] if self.bulk_next => Some(Lane::Bulk),
            [_, true, _] => Some(Lane::Data),
            [_, _, true] => Some(Lane::Bulk),
            _ => None,
        }
    }
}
