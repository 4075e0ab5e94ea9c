//! Exhaustive exploration: every state that can be reached, shortest paths first, on all cores.
//!
//! What has been visited is kept as digests of 128 bits, not as states: with 10^9 states the chance that
//! two of them share one is below 10^-20. States themselves are kept of two levels only.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

/// A system to explore.
pub trait Model: Sync {
    type State: Send + Sync;

    /// Of all that its future depends on.
    fn digest(&self, state: &Self::State) -> u128;

    /// Adds every state that can come next; an error is a violation, in words.
    fn successors(&self, state: &Self::State, next: &mut Vec<Self::State>) -> Result<(), String>;
}

/// How an exploration ended.
#[derive(Debug, Default)]
pub struct Report {
    pub states: usize,
    pub depth: usize,
    /// Every reachable state was seen.
    pub whole: bool,
    pub violation: Option<String>,
    pub took: Duration,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// None: as long as it takes.
    pub time: Option<Duration>,
    /// Of this process.
    pub memory: usize,
}

/// States that a thread takes at a time.
const BATCH: usize = 128;
/// Below this a level is not worth a thread.
const FEW: usize = 4 * BATCH;
/// A level of so many is worth a line about how far it has come.
const MANY: usize = 100_000;
const SHARDS: usize = 64;

/// A digest is a good hash of itself.
#[derive(Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only digests are hashed")
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Visited(Vec<Mutex<HashSet<u128, BuildHasherDefault<Identity>>>>);

impl Visited {
    /// Says whether it is new.
    fn insert(&self, digest: u128) -> bool {
        let shard = (digest >> 64) as usize % SHARDS;
        self.0[shard]
            .lock()
            .expect("no thread panics")
            .insert(digest)
    }
}

struct Search<'a, M: Model> {
    model: &'a M,
    visited: Visited,
    end: Option<Instant>,
    /// Visited so far, and whether to stop: time is over, or something was violated.
    states: AtomicUsize,
    stop: AtomicBool,
    violation: Mutex<Option<String>>,
}

/// Visits every state that can follow.
pub fn explore<M: Model>(model: &M, initial: M::State, limits: Limits) -> Report {
    let begin = Instant::now();
    let search = Search {
        model,
        visited: Visited((0..SHARDS).map(|_| Mutex::default()).collect()),
        end: limits.time.map(|time| begin + time),
        states: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        violation: Mutex::new(None),
    };
    search.visited.insert(model.digest(&initial));
    let mut level = vec![initial];
    let mut report = Report::default();
    while !level.is_empty() {
        level = search.level(&level);
        if search.stop.load(Ordering::Relaxed) || resident() > limits.memory {
            break;
        }
        report.depth += 1;
        if level.len() > MANY {
            let (states, took) = (search.states.load(Ordering::Relaxed), begin.elapsed());
            let (next, mib) = (level.len(), resident() >> 20);
            eprintln!(
                "  depth {}: {states} states, {next} next, {took:.0?}, {mib} MiB",
                report.depth
            );
        }
    }
    report.whole = level.is_empty() && !search.stop.load(Ordering::Relaxed);
    report.states = search.states.load(Ordering::Relaxed);
    report.violation = search.violation.into_inner().expect("no thread panics");
    report.took = begin.elapsed();
    report
}

/// Explores; if something is violated, once more for the way to it, which costs memory to keep.
pub fn retrace<T>(explore: impl Fn(bool) -> (Report, T)) -> (Report, T) {
    let (report, rest) = explore(false);
    if report.violation.is_none() {
        return (report, rest);
    }
    let again = explore(true).0;
    // Time may have been over before it was found again.
    let violation = again.violation.or(report.violation);
    (
        Report {
            violation,
            ..report
        },
        rest,
    )
}

impl<M: Model> Search<'_, M> {
    /// What follows from a level and has not been visited.
    fn level(&self, level: &[M::State]) -> Vec<M::State> {
        let cursor = AtomicUsize::new(0);
        let threads = match level.len() < FEW {
            true => 1,
            false => std::thread::available_parallelism().map_or(1, usize::from),
        };
        std::thread::scope(|scope| {
            let more: Vec<_> = (1..threads)
                .map(|_| scope.spawn(|| self.part(level, &cursor)))
                .collect();
            let mut next = self.part(level, &cursor);
            for thread in more {
                next.extend(thread.join().expect("it explores to the end"));
            }
            next
        })
    }

    fn part(&self, level: &[M::State], cursor: &AtomicUsize) -> Vec<M::State> {
        let (mut fresh, mut next) = (Vec::new(), Vec::new());
        loop {
            let from = cursor.fetch_add(BATCH, Ordering::Relaxed);
            let over = self.end.is_some_and(|end| Instant::now() > end);
            if over {
                self.stop.store(true, Ordering::Relaxed);
            }
            if from >= level.len() || self.stop.load(Ordering::Relaxed) {
                return fresh;
            }
            let batch = &level[from..level.len().min(from + BATCH)];
            for state in batch {
                if let Err(violation) = self.model.successors(state, &mut next) {
                    *self.violation.lock().expect("no thread panics") = Some(violation);
                    self.stop.store(true, Ordering::Relaxed);
                }
                let new = |s: &M::State| self.visited.insert(self.model.digest(s));
                fresh.extend(next.drain(..).filter(new));
            }
            self.states.fetch_add(batch.len(), Ordering::Relaxed);
        }
    }
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|s| s.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// 128 bits of a value.
pub fn digest(value: &impl Hash) -> u128 {
    let half = |half: u8| {
        let mut hasher = DefaultHasher::new();
        (half, value).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// By digests.
pub type Table<V> = HashMap<u128, V, BuildHasherDefault<Identity>>;

/// A table by digests that all threads fill.
pub struct Shared<V>(Vec<Mutex<Table<V>>>);

impl<V: Clone> Shared<V> {
    pub fn new() -> Shared<V> {
        Shared((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Table<V>> {
        let shard = (key >> 64) as usize % SHARDS;
        self.0[shard].lock().expect("no thread panics")
    }

    /// What is there, else what `make` says. Two threads may both make it; the first one's is kept.
    pub fn get_or(&self, key: u128, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.shard(key).get(&key) {
            return known.clone();
        }
        let made = make();
        self.shard(key).entry(key).or_insert(made).clone()
    }
}

/// One of each kind, for as long as somebody holds it.
pub struct One<T>(Vec<Mutex<Table<Weak<T>>>>);

impl<T> One<T> {
    pub fn new() -> One<T> {
        One((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    /// The one with the digest of this, or this.
    pub fn one(&self, new: Arc<T>, digest: impl Fn(&T) -> u128) -> Arc<T> {
        let key = digest(&new);
        let mut shard = self.0[(key >> 64) as usize % SHARDS]
            .lock()
            .expect("no thread panics");
        if let Some(known) = shard.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if shard.len() == shard.capacity() {
            shard.retain(|_, held| held.strong_count() > 0);
        }
        shard.insert(key, Arc::downgrade(&new));
        new
    }
}

/// How often each thing that can happen did.
pub struct Counts<const N: usize>([AtomicUsize; N]);

impl<const N: usize> Counts<N> {
    pub fn new() -> Counts<N> {
        Counts(std::array::from_fn(|_| AtomicUsize::new(0)))
    }

    pub fn add(&self, which: usize) {
        self.0[which].fetch_add(1, Ordering::Relaxed);
    }

    pub fn of(&self, which: usize) -> usize {
        self.0[which].load(Ordering::Relaxed)
    }

    pub fn clear(&self) {
        self.0.iter().for_each(|n| n.store(0, Ordering::Relaxed));
    }
}
