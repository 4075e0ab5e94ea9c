//! Random schedules of the broadcast machines alone: site views are given by an oracle, every message
//! and every step comes in random order, as far as the link's lanes allow. Thousands of schedules a
//! second look where the whole simulator, which spends its time on links and views, seldom gets.
//!
//! `SEED` runs one schedule and prints it; `SEEDS` says how many.

// The simulator's checkers; not all of them are of use here.
#![allow(dead_code, unused_imports)]

mod acts;
#[path = "../sim/properties/mod.rs"]
mod properties;
mod schedule;

use isis_core::audit::trace;

use isis_core::broadcast::{Counts, TRAVELLED};

/// From so many schedules on, what travels with OBCASTs must have occurred often enough: in so many
/// per mille.
const ENOUGH_FOR_SHARES: u64 = 1000;
const LEAST_SHARE: u64 = 30;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| {
        v.parse()
            .unwrap_or_else(|_| panic!("{name}={v} is no number"))
    })
}

#[test]
fn random_schedules_keep_every_promise() {
    if let Some(seed) = number("SEED") {
        println!("SEED={seed}");
        assert_eq!(schedule::run(seed, true).failure, None);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(5000);
    let first = number("FIRST").unwrap_or(0);
    let mut found = 0;
    let mut with = Counts::default();
    for seed in first..first + seeds {
        let result = std::panic::catch_unwind(|| schedule::run(seed, false));
        let text = match result {
            Ok(outcome) => {
                for (i, n) in outcome.travelled.into_iter().enumerate() {
                    with[i] += u64::from(n > 0);
                }
                match outcome.failure {
                    None => continue,
                    Some(text) => text,
                }
            }
            Err(_) => "panic".into(),
        };
        println!("SEED={seed}: {text}");
        found += 1;
        if number("EXPECT_VIOLATION") == Some(1) {
            return;
        }
        assert!(
            found < number("MAX").unwrap_or(1),
            "{found} of the first {} schedules fail",
            seed - first + 1
        );
    }
    assert_eq!(found, 0);
    for (what, n) in TRAVELLED.iter().zip(with) {
        let per_mille = n * 1000 / seeds.max(1);
        println!(
            "{what}: in {}.{} % of the schedules",
            per_mille / 10,
            per_mille % 10
        );
        assert!(
            seeds < ENOUGH_FOR_SHARES || per_mille >= LEAST_SHARE,
            "{what} is too rare"
        );
    }
    assert_ne!(
        number("EXPECT_VIOLATION"),
        Some(1),
        "no schedule of {seeds} violates anything"
    );
}
