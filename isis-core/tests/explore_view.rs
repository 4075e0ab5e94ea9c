//! The shipped view machine, explored exhaustively at small sizes: no two views of one number, no gap,
//! no view without a quorum, whatever is lost, doubled, late or falsely suspected.
//!
//! Three and four sites cannot show everything: that the highest *accepted* proposal must be taken up
//! shows at five sites with three successive managers (PROPERTIES V3). That run is bounded by time:
//! `EXPLORE_SECONDS` (default 60).

#[path = "explore/explorer.rs"]
mod explorer;

use std::time::Duration;

use explorer::Happening::*;
use explorer::{Budget, Explorer, Happening, Report, State, Status};

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

/// Explores, prints how far, and fails on a violation or if something did not happen.
fn explore(
    what: &str,
    status: Status,
    start: impl Fn(&mut Explorer) -> State,
    budget: Budget,
    can_happen: &[Happening],
) -> Report {
    let mut explorer = Explorer::new(status);
    let initial = start(&mut explorer);
    let report = explorer.explore(initial, budget, seconds());
    println!(
        "{what}: {} states, depth {}, {}; {:?}",
        report.states,
        report.depth,
        if report.whole { "whole" } else { "bounded" },
        explorer.happened,
    );
    if let Some(violation) = &report.violation {
        panic!("{what}, after {} states:\n{violation}", report.states);
    }
    for happening in can_happen {
        let count = explorer.happened.get(happening);
        assert!(count.is_some(), "{what}: {happening:?} never happened");
    }
    report
}

#[test]
fn three_sites_with_false_suspicions() {
    let budget = Budget {
        suspicions: 3,
        back_offs: 2,
        ..NONE
    };
    let can = [
        TakeOver,
        Refused,
        AcceptedReported,
        ExcludedItself,
        Excluded,
    ];
    let report = explore("n=3", Status::Dropped, |e| e.formed(3), budget, &can);
    assert!(report.whole);
}

#[test]
fn five_sites_with_false_suspicions() {
    let budget = Budget {
        suspicions: 3,
        back_offs: 1,
        ..NONE
    };
    let can = [TakeOver, Refused, AcceptedReported];
    explore("n=5", Status::Dropped, |e| e.formed(5), budget, &can);
}

#[test]
fn a_restart_and_a_false_suspicion() {
    let budget = Budget {
        suspicions: 1,
        restarts: 1,
        ..NONE
    };
    explore(
        "restart",
        Status::Arrives,
        |e| e.formed(3),
        budget,
        &[Joined],
    );
}

#[test]
fn leaving_the_manager_included() {
    let budget = Budget {
        leaves: 2,
        suspicions: 1,
        ..NONE
    };
    explore("leave", Status::Arrives, |e| e.formed(3), budget, &[Left]);
}

#[test]
fn a_first_view_with_restarts() {
    let budget = Budget {
        restarts: 2,
        back_offs: 1,
        ..NONE
    };
    explore(
        "first view",
        Status::Dropped,
        |e| e.outside(3),
        budget,
        &[Installed],
    );
}
