//! What the world does to a cluster all by itself: how long frames take and what becomes of them, how
//! threads are scheduled, how clocks and disks differ. Times are in microseconds of simulated time.

/// A millisecond, in the simulation's unit of time.
pub const MS: u64 = 1000;
/// A second.
pub const SECOND: u64 = 1000 * MS;

/// How long a frame is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// At least.
    pub low: u64,
    /// At most, usually.
    pub high: u64,
    /// Per mille of frames that take up to `tail` longer.
    pub tail_chance: u64,
    /// See `tail_chance`.
    pub tail: u64,
}

/// The laws of a simulated world. The default ones are kind: a quick network that loses nothing, threads
/// that run at once, equal clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laws {
    /// Lossy, reordering datagrams instead of connections as TCP has them.
    pub datagrams: bool,
    /// Per mille of datagrams that are lost.
    pub loss: u64,
    /// Per mille of datagrams that come twice.
    pub duplicate: u64,
    /// Of every frame.
    pub latency: Latency,
    /// Some directions between two hosts are slower than others, by up to this factor.
    pub skew: u64,
    /// After so long an attempt to connect that nobody answers has failed.
    pub unanswered: u64,
    /// Per mille of crashes that leave the host silent instead of refusing.
    pub silent_crash: u64,
    /// Per mille of connections of a crashing site that lose what it was sending.
    pub last_words_lost: u64,
    /// Per mille of machine steps after which its thread is not scheduled for a while.
    pub stall: u64,
    /// For how long at most.
    pub stall_time: u64,
    /// Per mille by which clocks differ in speed at most.
    pub drift: u64,
    /// How long a write to a store takes at most.
    pub write_time: u64,
}

impl Default for Laws {
    fn default() -> Laws {
        Laws {
            datagrams: false,
            loss: 0,
            duplicate: 0,
            latency: Latency {
                low: 50,
                high: 300,
                tail_chance: 0,
                tail: 0,
            },
            skew: 1,
            unanswered: SECOND,
            silent_crash: 0,
            last_words_lost: 0,
            stall: 0,
            stall_time: MS,
            drift: 0,
            write_time: MS,
        }
    }
}

impl Laws {
    /// Whether the network and the threads are slow enough at times to make the living look dead.
    pub fn are_rough(&self) -> bool {
        self.datagrams || self.latency.tail_chance > 0 || self.stall > 0
    }
}
