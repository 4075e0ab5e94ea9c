//! What a seed draws before it runs (swarm testing): first *which* faults and operations exist in
//! this run, then their rates. A run with few kinds of trouble goes deeper than one with all.

use std::time::Duration;

use isis_core::sim::{Chance, Latency, Laws, MS, SECOND};

/// How many operations make a storm.
pub const STORM: std::ops::Range<u64> = 8..32;

/// Which faults exist; each is one entry in the lottery of `faults`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    CrashSite,
    CrashProcess,
    LeaveSite,
    ShortPause,
    LongPause,
    Partition,
    Isolate,
    IsolateAll,
    OneWay,
    BreakConnections,
    SlowNetwork,
    Garbage,
}

const ALL_FAULTS: [Fault; 12] = [
    Fault::CrashSite,
    Fault::CrashProcess,
    Fault::LeaveSite,
    Fault::ShortPause,
    Fault::LongPause,
    Fault::Partition,
    Fault::Isolate,
    Fault::IsolateAll,
    Fault::OneWay,
    Fault::BreakConnections,
    Fault::SlowNetwork,
    Fault::Garbage,
];

/// What applications do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Bcast,
    Obcast,
    Gbcast,
    BcastTo,
    ObcastTo,
    Flush,
    Status,
    Join,
    Lookup,
    Leave,
    Open,
}

/// Which sites have stores, and go on from them when they come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    None,
    /// Those of every other host.
    Some,
    All,
}

/// Everything that a seed decides beforehand.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sites in each other's peer lists, and sites that only list these.
    pub listed: usize,
    pub late: usize,
    /// What the network, the threads, the clocks and the disks do by themselves.
    pub laws: Laws,
    pub faults: Vec<Fault>,
    /// Mean time between faults, and how long they go on.
    pub fault_interval: u64,
    pub faulty_phase: u64,
    /// Crashes may take the quorum; the run may end blocked.
    pub reckless: bool,
    /// Per mille of crashing sites that send one more OBCAST.
    pub speaks_last: u64,
    /// Per mille of crashes after which the site comes back as a new incarnation.
    pub restart: u64,
    pub operations: Vec<Operation>,
    /// How many operations are drawn, and how many of them send several at once.
    pub budget: u64,
    pub burst: u64,
    /// Per mille of operations that begin a storm: many more, at once, at all sites; and per mille of
    /// storms in which something fails.
    pub storm: u64,
    pub strike: u64,
    pub groups: usize,
    pub labels: usize,
    /// Per mille of BCASTs that are safe.
    pub safe: u64,
    pub streams: usize,
    pub processes: usize,
    /// Per mille of taken messages that are answered at once.
    pub echo: u64,
    /// How long an application lets an event wait; some are slow.
    pub think: u64,
    pub slow: u64,
    /// Per mille of sends that are large, and how large.
    pub large: u64,
    pub large_size: usize,
    pub window_messages: usize,
    /// Of OBCASTs' predecessors (R18): what is large, and what is a few round trips.
    pub along_bytes: usize,
    pub patience: Duration,
    pub hello: Duration,
    pub suspect: Duration,
    pub stores: Stores,
    /// How often all sites halt at once; only where all have stores.
    pub total_failures: u64,
}

impl Options {
    /// `own` decides about stores.
    pub fn draw(r: &mut Chance, own: &mut Chance) -> Options {
        let datagrams = r.per_mille(200);
        let hello = r.within(40, 200);
        let suspect = hello * r.within(4, 10);
        let latency = draw_latency(r);
        let stores = [
            Stores::None,
            Stores::None,
            Stores::Some,
            Stores::All,
            Stores::All,
        ];
        let stores = stores[own.index(5)];
        let total_failures = match stores {
            Stores::All => [0, 0, 1, 2][own.index(4)],
            _ => 0,
        };
        let listed = [2, 3, 3, 3, 4, 4, 5][r.index(7)];
        let window_messages = if r.per_mille(250) {
            r.within(1, 12) as usize
        } else {
            4096
        };
        let along_bytes = [0, 20, 16 << 10][r.index(3)];
        let patience = Duration::from_millis([2, 20, 100][r.index(3)]);
        let late = match r.per_mille(350) {
            true => r.within(1, 2) as usize,
            false => 0,
        };
        let mut laws = Laws {
            datagrams,
            loss: if datagrams { r.within(0, 200) } else { 0 },
            duplicate: if datagrams { r.within(0, 100) } else { 0 },
            latency,
            skew: match r.per_mille(500) {
                true => (hello * MS / latency.high).clamp(1, 20),
                false => 1,
            },
            unanswered: suspect * MS,
            ..Laws::default()
        };
        let mut options = Options {
            listed,
            late,
            faults: draw_some(r, &ALL_FAULTS, 400),
            fault_interval: r.within(400, 3000) * MS,
            faulty_phase: r.within(3, 12) * SECOND,
            reckless: r.per_mille(60),
            speaks_last: {
                laws.silent_crash = [0, 300, 1000][r.index(3)];
                [0, 500, 1000][r.index(3)]
            },
            restart: {
                laws.last_words_lost = [0, 300, 500][r.index(3)];
                [0, 500, 900][r.index(3)]
            },
            operations: draw_operations(r),
            budget: r.within(100, 260),
            burst: [0, 100, 300][r.index(3)],
            storm: [0, 20, 50][r.index(3)],
            strike: [0, 300, 600][r.index(3)],
            groups: r.within(2, 3) as usize,
            labels: r.within(1, 3) as usize,
            safe: 0,
            streams: r.within(1, 3) as usize,
            processes: r.within(1, 3) as usize,
            echo: [0, 30, 100][r.index(3)],
            think: [100, 2 * MS, 30 * MS][r.index(3)],
            slow: [0, 0, 300][r.index(3)],
            large: if r.per_mille(250) { 30 } else { 0 },
            large_size: r.within(40_000, 400_000) as usize,
            window_messages,
            along_bytes,
            patience,
            hello: Duration::from_millis(hello),
            suspect: Duration::from_millis(suspect),
            stores,
            total_failures,
            laws,
        };
        options.laws.stall = [0, 2, 10][r.index(3)];
        options.laws.stall_time = [MS, 10 * MS, 60 * MS][r.index(3)];
        options.laws.drift = [0, 0, 15][r.index(3)];
        options.laws.write_time = [MS, 20 * MS, 200 * MS][own.index(3)];
        options.safe = [0, 300, 300, 1000][own.index(4)];
        options
    }

    /// Mean time between operations outside storms.
    pub fn operation_interval(&self) -> u64 {
        let in_storms = self.storm * STORM.end / 2;
        self.faulty_phase * (1000 + in_storms) / 1000 / self.budget
    }

    pub fn suspect_micros(&self) -> u64 {
        self.suspect.as_micros() as u64
    }

    pub fn has_store(&self, host: usize) -> bool {
        match self.stores {
            Stores::None => false,
            Stores::Some => host.is_multiple_of(2),
            Stores::All => true,
        }
    }
}

fn draw_latency(r: &mut Chance) -> Latency {
    let (low, high) = [(50, 300), (100, 2 * MS), (2 * MS, 12 * MS)][r.index(3)];
    Latency {
        low,
        high,
        tail_chance: [0, 0, 10][r.index(3)],
        tail: r.within(20, 400) * MS,
    }
}

fn draw_some<T: Copy>(r: &mut Chance, all: &[T], per_mille: u64) -> Vec<T> {
    all.iter()
        .copied()
        .filter(|_| r.per_mille(per_mille))
        .collect()
}

fn draw_operations(r: &mut Chance) -> Vec<Operation> {
    use Operation::*;
    // Each with its weight; the first two always exist, so that no run is empty.
    let mut chosen = vec![Bcast; r.within(2, 6) as usize];
    chosen.extend(vec![Obcast; r.within(2, 6) as usize]);
    for (operation, weight, chance) in [
        (Gbcast, 2, 500),
        (BcastTo, 2, 500),
        (ObcastTo, 2, 500),
        (Flush, 1, 600),
        (Status, 1, 300),
        (Join, 2, 800),
        (Lookup, 2, 500),
        (Leave, 1, 500),
        (Open, 1, 300),
    ] {
        if r.per_mille(chance) {
            chosen.extend(vec![operation; weight]);
        }
    }
    chosen
}
