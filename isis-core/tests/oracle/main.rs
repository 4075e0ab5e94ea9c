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
#[path = "../sim/rng.rs"]
mod rng;
mod schedule;

use isis_core::audit::trace;

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
        let failure = schedule::run(seed, true);
        assert_eq!(failure, None);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(5000);
    let first = number("FIRST").unwrap_or(0);
    let mut found = 0;
    for seed in first..first + seeds {
        let result = std::panic::catch_unwind(|| schedule::run(seed, false));
        let text = match result {
            Ok(None) => continue,
            Ok(Some(text)) => text,
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
    assert_ne!(
        number("EXPECT_VIOLATION"),
        Some(1),
        "no schedule of {seeds} violates anything"
    );
}
