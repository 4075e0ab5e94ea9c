//! The simulator: whole clusters of the real machines on a simulated network, with faults, from one
//! seed each; every run is held against the properties.
//!
//! `SEED=n` runs one seed and prints its trace; `TAPE=path` does so with a tape, which is kept of a seed
//! that fails, made as small as `SHRINK` seconds allow; `SEEDS=n` runs
//! seeds 1 to n (from `FIRST`, if given), `MINUTES=n` as many as it can but at least `LEAST`.
//! `EXPECT_VIOLATION=1` turns the verdict around, for mutants: some seed must violate a property.

// How many seeds run is bounded by real time; what a seed does is not.
#![allow(clippy::disallowed_types)]

mod app;
mod cluster;
mod counts;
mod faults;
mod liveness;
mod options;
mod properties;
mod tape;
mod users;
mod workload;

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use counts::{Counts, Table};
use isis_core::audit::trace::Trace;
use properties::Violation;
use tape::{Start, Tape};

const COMMAND: &str = "cargo test --release -p isis-core --test sim seeds -- --nocapture";
/// Without `SEEDS`: so many, unless time runs out; but at least `LEAST_SEEDS`.
const DEFAULT_SEEDS: u64 = 600;
const TIME_BUDGET: Duration = Duration::from_secs(60);
const LEAST_SEEDS: usize = 20;
/// From so many seeds on, interesting events must have occurred often enough.
const ENOUGH_FOR_SHARES: usize = 500;
/// One seed in so many runs twice (X1).
const TWICE: u64 = 50;
const THREADS: u64 = 2;
/// How long a failing run is made smaller, without `SHRINK`.
const SHRINK_SECONDS: u64 = 60;
/// So many seeds are repeated from their tapes.
const REPEATED: u64 = 12;

struct Run {
    counts: Counts,
    trace: Trace,
    tape: Tape,
    verdict: Result<(), Violation>,
}

thread_local! {
    /// Where the simulation of this thread panicked.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static SIMULATES: RefCell<bool> = const { RefCell::new(false) };
}

fn run(start: Start, verbose: bool) -> Run {
    let tape = start.tape();
    let mut cluster = cluster::cluster(start.options, start.run, verbose);
    SIMULATES.set(!verbose);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| cluster::run(&mut cluster)));
    let verdict = match ended {
        // What went wrong first tells more than what is pending in the end.
        Ok(ended) => properties::check(&cluster.trace).and(ended),
        Err(payload) => Err(panicked(payload.as_ref())),
    };
    SIMULATES.set(false);
    let mut counts = cluster.world.counts;
    counts.read(&cluster.trace);
    for node in cluster.nodes() {
        counts.add_travelled(node.broadcast.travelled());
    }
    Run {
        counts,
        tape: tape.with_run(cluster.tape()),
        trace: cluster.trace,
        verdict,
    }
}

fn panicked(payload: &(dyn Any + Send)) -> Violation {
    let text = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()));
    let place = PANIC.take().unwrap_or_default();
    Violation {
        property: "X2",
        text: format!("panic: {} at {place}", text.unwrap_or_default()),
    }
}

/// Panics inside a simulation are verdicts; others go the usual way.
fn catch_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|l| l.to_string());
        PANIC.set(place);
        if !SIMULATES.with_borrow(|s| *s) {
            usual(info);
        }
    }));
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Past the test harness's capture: the seed is to be seen first, whatever happens.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

#[test]
fn seeds() {
    catch_panics();
    if let Some(seed) = number("SEED") {
        return one_run(&format!("SEED={seed}"), Start::of_seed(seed));
    }
    if let Some(path) = std::env::var_os("TAPE") {
        let tape = Tape::read(Path::new(&path));
        return one_run(&format!("TAPE={}", path.display()), Start::of_tape(&tape));
    }
    let first = number("FIRST").unwrap_or(1);
    let wanted = number("SEEDS");
    let minutes = number("MINUTES").map(|m| Duration::from_secs(60 * m));
    let many = minutes.map_or(DEFAULT_SEEDS, |_| u64::MAX - first);
    let count = wanted.unwrap_or(many);
    let budget = wanted.is_none().then(|| minutes.unwrap_or(TIME_BUDGET));
    let least = number("LEAST").map_or(LEAST_SEEDS, |n| n as usize);
    let expected = number("EXPECT_VIOLATION").is_some_and(|n| n > 0);
    match minutes {
        Some(time) => say(&format!("seeds from {first}, for {} s", time.as_secs())),
        None => say(&format!("seeds {first} to {}", first + count - 1)),
    }
    let (table, failures) = many_seeds(first, count, budget, expected);
    if expected {
        let Some((seed, violation)) = failures.first() else {
            panic!("no violation within {count} seeds");
        };
        return say(&format!(
            "found with seed {seed}: {}: {}",
            violation.property, violation.text
        ));
    }
    say(&table.to_string());
    for (seed, violation) in &failures {
        say(&format!(
            "SEED={seed} {COMMAND}\n{}: {}",
            violation.property, violation.text
        ));
    }
    if let Some((seed, violation)) = failures.first() {
        keep_small(*seed, violation.property);
    }
    assert!(failures.is_empty(), "{} seeds fail", failures.len());
    assert!(
        table.0.len() >= least,
        "only {} seeds in the time given",
        table.0.len()
    );
    if table.0.len() >= ENOUGH_FOR_SHARES {
        assert_eq!(table.shortcomings(), Vec::<String>::new());
    }
}

/// Of the first seed that fails: where its tape is, and what repeats it.
fn keep_small(seed: u64, property: &str) {
    let fails = |tape: &Tape| {
        let verdict = run(Start::of_tape(tape), false).verdict;
        verdict.is_err_and(|v| v.property == property)
    };
    let whole = run(Start::of_seed(seed), false).tape;
    let time = Duration::from_secs(number("SHRINK").unwrap_or(SHRINK_SECONDS));
    let (before, small) = (whole.len(), whole.shrink(time, fails));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}.tape"));
    std::fs::write(&path, small.bytes()).expect("a folder of cargo's");
    say(&format!(
        "{} of {before} bytes decide it; kept, to be put into isis-core/tests/sim/tapes:\nTAPE={} {COMMAND}",
        small.len(),
        path.display()
    ));
}

fn one_run(name: &str, start: Start) {
    if number("EXPECT_VIOLATION").is_some_and(|n| n > 0) {
        let found = run(start, false).verdict.expect_err("a mutant's tape");
        return say(&format!(
            "found with {name}: {}: {}",
            found.property, found.text
        ));
    }
    say(&format!("{name} {COMMAND}"));
    say(&format!("{:#?}", start.options));
    let run = run(start, true);
    say(&format!(
        "trace hash {:016x}, {:?}",
        run.trace.hash(),
        run.counts
    ));
    if let Err(v) = run.verdict {
        panic!("{}: {}", v.property, v.text);
    }
}

/// A tape is its seed's run; what had failed once does not fail any more.
#[test]
fn tapes() {
    catch_panics();
    for seed in 1..=REPEATED {
        let first = run(Start::of_seed(seed), false);
        let again = run(Start::of_tape(&first.tape), false);
        assert_eq!(again.trace.hash(), first.trace.hash(), "seed {seed}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/tapes");
    for entry in std::fs::read_dir(folder).expect("the folder of tapes") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|e| e == "tape") {
            let run = run(Start::of_tape(&Tape::read(&path)), false);
            assert!(run.verdict.is_ok(), "{}: {:?}", path.display(), run.verdict);
        }
    }
}

type Failures = Vec<(u64, Violation)>;

fn many_seeds(
    first: u64,
    count: u64,
    budget: Option<Duration>,
    expected: bool,
) -> (Table, Failures) {
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let results = Mutex::new((Table::default(), Failures::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || budget.is_some_and(|b| started.elapsed() > b) {
                        break;
                    }
                    let run = run_checked(seed);
                    let mut results = results.lock().expect("panics are caught");
                    results.0.0.push(run.counts);
                    // A mutant that panics or stands still proves little: it must do something wrong.
                    let proves = |v: &Violation| !expected || !["X2", "L2"].contains(&v.property);
                    if let Err(violation) = run.verdict
                        && proves(&violation)
                    {
                        stop.fetch_or(expected, Ordering::Relaxed);
                        if !expected {
                            say(&format!("SEED={seed} fails: {}", violation.property));
                        }
                        results.1.push((seed, violation));
                    }
                }
            });
        }
    });
    let (table, mut failures) = results.into_inner().expect("panics are caught");
    failures.sort_by_key(|(seed, _)| *seed);
    let (seeds, seconds) = (table.0.len(), started.elapsed().as_secs());
    let a_minute = seeds as u64 * 60 / seconds.max(1);
    say(&format!(
        "{seeds} seeds in {seconds} s: {a_minute} a minute"
    ));
    (table, failures)
}

/// A run, sometimes twice: one seed is one run (X1).
fn run_checked(seed: u64) -> Run {
    let mut first = run(Start::of_seed(seed), false);
    if seed.is_multiple_of(TWICE) && first.verdict.is_ok() {
        let second = run(Start::of_seed(seed), false);
        let one = properties::x1_replay::check(&first.trace, &second.trace);
        first.verdict = one.map_err(|text| Violation {
            property: "X1",
            text,
        });
    }
    first
}

#[test]
fn rejects_a_panic() {
    let payload = panic::catch_unwind(|| panic!("as a machine might")).expect_err("it panicked");
    let violation = panicked(payload.as_ref());
    assert_eq!(violation.property, "X2");
    assert!(violation.text.contains("as a machine might"));
}
