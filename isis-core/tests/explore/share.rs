//! How much of an exploration is made, and what must come of it.
//!
//! `make check-deep` (`EXPLORE_WHOLE=1`) goes on until all is seen. Otherwise an exploration is bounded by
//! time, of which `EXPLORE_SECONDS` gives another share, and says so.

use std::fmt::Debug;
use std::time::Duration;

use crate::engine::{Limits, Report};

/// What an exploration is for.
#[derive(Clone, Copy, Debug)]
pub enum Share {
    /// Small enough to be seen whole every time.
    Whole,
    /// A floor: whole in a deep check, else bounded by so many seconds.
    Floor(u64),
    /// Bounded by so many seconds even in a deep check; it says so.
    Part(u64),
}

/// A tenth of the machine must be left to it: gigabytes of one exploration.
const GIBIBYTES: usize = 9;

/// An exploration that is never whole must have come to the interesting things after so many states.
const ENOUGH: usize = 300_000;

fn number(name: &str) -> Option<u64> {
    let set = std::env::var(name).ok()?;
    Some(set.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn is_deep() -> bool {
    number("EXPLORE_WHOLE").is_some_and(|n| n > 0)
}

impl Share {
    pub fn limits(self) -> Limits {
        // A build that is not optimised sees a tenth, whatever it is given.
        let most = if cfg!(debug_assertions) { 3 } else { u64::MAX };
        let bounded = |s: u64| Some(number("EXPLORE_SECONDS").unwrap_or(s.min(most)));
        let seconds = match self {
            Share::Whole => None,
            Share::Floor(_) if is_deep() => None,
            Share::Floor(s) | Share::Part(s) => bounded(s),
        };
        Limits {
            time: seconds.map(Duration::from_secs),
            memory: GIBIBYTES << 30,
        }
    }

    /// Prints how far it went; fails on a violation, and on what was to be seen and was not.
    pub fn judge<H: Copy + Debug + PartialEq>(
        self,
        name: &str,
        report: &Report,
        happened: &[(H, usize)],
        can_happen: &[H],
    ) {
        let whole = if report.whole { "whole" } else { "BOUNDED" };
        let seconds = report.took.as_secs_f32();
        let (states, depth) = (report.states, report.depth);
        println!("{name}: {states} states, depth {depth}, {seconds:.1} s, {whole}");
        let happened: Vec<_> = happened.iter().filter(|(_, n)| *n > 0).collect();
        println!("    {happened:?}");
        if let Some(violation) = &report.violation {
            panic!("after {states} states:\n{violation}");
        }
        let not_yet = !report.whole && (matches!(self, Share::Floor(_)) || states < ENOUGH);
        for can in can_happen {
            let did = happened.iter().any(|(h, _)| h == can);
            assert!(did || not_yet, "{can:?} never happened");
        }
        let must = matches!(self, Share::Whole) || matches!(self, Share::Floor(_)) && is_deep();
        assert!(report.whole || !must, "{name} was not explored whole");
    }
}
