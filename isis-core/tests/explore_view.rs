//! The shipped view machine, explored exhaustively at small sizes: no two views of one number, no gap,
//! no view without a quorum, no second epoch, whatever is lost, doubled, late or falsely suspected.
//!
//! Three sites cannot show everything: that the highest *accepted* proposal must be taken up showed at
//! five sites with three successive managers (PROPERTIES V3). That run is bounded by time:
//! `EXPLORE_SECONDS` (default 60); so are, by a third of it, those whose joins make many states.

// The explorer is no protocol: it looks states up, never walks its tables, and is bounded by real time.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "explore/explorer.rs"]
mod explorer;

use std::time::Duration;

use explorer::Happening::*;
use explorer::{Budget, Explorer, Happening, Start, Status, Stores};

const NONE: Budget = Budget {
    suspicions: 0,
    restarts: 0,
    leaves: 0,
    back_offs: 0,
};

fn seconds() -> Duration {
    let set = std::env::var("EXPLORE_SECONDS").ok();
    Duration::from_secs(set.map_or(60, |s| s.parse().expect("EXPLORE_SECONDS is a number")))
}

/// Explores, prints how far, and fails on a violation or if something did not happen. True if every
/// state was seen.
fn explore(
    (start, status, stores): (Start, Status, Stores),
    budget: Budget,
    limit: Duration,
    can_happen: &[Happening],
) -> bool {
    let mut explorer = Explorer::new(status, stores);
    let report = explorer.explore(start, budget, limit);
    println!(
        "{start:?} {budget:?}: {} states, depth {}, {}; {:?}",
        report.states,
        report.depth,
        if report.whole { "whole" } else { "bounded" },
        explorer.happened,
    );
    if let Some(violation) = &report.violation {
        panic!("after {} states:\n{violation}", report.states);
    }
    for happening in can_happen {
        let count = explorer.happened.get(happening);
        assert!(count.is_some(), "{happening:?} never happened");
    }
    report.whole
}

#[test]
fn three_sites_with_false_suspicions() {
    let start = (Start::Formed(3), Status::Dropped, Stores::Without);
    let (suspicions, back_offs) = (3, 2);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let can = [
        TakeOver,
        Refused,
        AcceptedReported,
        ExcludedItself,
        Excluded,
    ];
    assert!(explore(start, budget, seconds(), &can));
}

#[test]
fn five_sites_with_false_suspicions() {
    let start = (Start::Formed(5), Status::Dropped, Stores::Without);
    let (suspicions, back_offs) = (3, 1);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let can = [TakeOver, Refused, AcceptedReported];
    explore(start, budget, seconds(), &can);
}

#[test]
fn a_restart() {
    let start = (Start::Formed(3), Status::Arrives, Stores::Without);
    let restarts = 1;
    let budget = Budget { restarts, ..NONE };
    explore(start, budget, seconds(), &[Joined]);
}

#[test]
fn leaving_the_manager_included() {
    let start = (Start::Formed(3), Status::Arrives, Stores::Without);
    let (suspicions, leaves) = (1, 2);
    let budget = Budget {
        suspicions,
        leaves,
        ..NONE
    };
    explore(start, budget, seconds() / 3, &[Left]);
}

#[test]
fn a_first_view_with_a_restart() {
    let start = (Start::Outside(3), Status::Dropped, Stores::Without);
    let (restarts, back_offs) = (1, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    explore(start, budget, seconds() / 3, &[Installed]);
}

#[test]
fn a_first_view_of_two_with_restarts() {
    let start = (Start::Outside(2), Status::Arrives, Stores::Without);
    let (restarts, leaves) = (2, 1);
    let budget = Budget {
        restarts,
        leaves,
        ..NONE
    };
    explore(start, budget, seconds() / 3, &[Installed]);
}

/// Restarted sites vote for their earlier incarnations: still one view of one number, and one epoch.
#[test]
fn restarts_with_stores() {
    let start = (Start::Formed(3), Status::Dropped, Stores::With);
    let (restarts, back_offs) = (3, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    explore(start, budget, seconds(), &[Revived, Installed]);
}

#[test]
fn false_suspicions_and_restarts_with_stores() {
    let start = (Start::Formed(3), Status::Dropped, Stores::With);
    let (suspicions, restarts, back_offs) = (2, 2, 1);
    let budget = Budget {
        suspicions,
        restarts,
        back_offs,
        ..NONE
    };
    explore(start, budget, seconds(), &[Refused, Excluded]);
}

#[test]
fn a_first_view_by_a_majority_of_stores() {
    let start = (Start::Outside(3), Status::Dropped, Stores::With);
    let (restarts, back_offs) = (2, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    explore(start, budget, seconds() / 3, &[Installed, AcceptedReported]);
}
