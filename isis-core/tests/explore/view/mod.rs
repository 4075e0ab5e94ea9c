//! The shipped view machine, explored exhaustively at small sizes: no two views of one number, no gap,
//! no view without a quorum, no second epoch, whatever is lost, doubled, late or falsely suspected.
//!
//! Three sites cannot show everything: that the highest *accepted* proposal must be taken up shows at
//! five sites with three successive managers (PROPERTIES V3).

mod checks;
mod cross_check;
mod machine;
mod model;
mod post;
mod run;

use crate::engine;
use crate::share::Share;
use model::Happening::*;
use model::{Budget, Explorer, Happening, Start, Status, Stores};

const NONE: Budget = Budget {
    suspicions: 0,
    restarts: 0,
    leaves: 0,
    back_offs: 0,
};

/// Any number of views, as the budget has it.
const ANY: u64 = u64::MAX;

struct Setup {
    start: Start,
    status: Status,
    stores: Stores,
    last: u64,
    budget: Budget,
}

/// Explores, prints how far, and fails on a violation, if something did not happen, or if what had to be
/// seen whole was not.
fn explore(name: &str, share: Share, setup: Setup, can_happen: &[Happening]) -> usize {
    let run = |paths| {
        let mut explorer = Explorer::new(setup.status, setup.stores, setup.last, paths);
        let initial = explorer.initial(setup.start, setup.budget);
        let report = engine::explore(&explorer, initial, share.limits());
        let happened = Happening::ALL.map(|h| (h, explorer.happened.of(h as usize)));
        (report, happened)
    };
    let (report, happened) = engine::retrace(run);
    share.judge(name, &report, &happened, can_happen);
    report.states
}

fn formed(n: u32, last: u64, budget: Budget) -> Setup {
    Setup {
        start: Start::Formed(n),
        status: Status::Dropped,
        stores: Stores::Without,
        last,
        budget,
    }
}

#[test]
fn three_sites_with_false_suspicions() {
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
    explore(
        "view: n=3, 3 suspicions",
        Share::Whole,
        formed(3, ANY, budget),
        &can,
    );
}

/// An exploration by another's explorer comes to the same states, and to no violation either.
#[test]
fn stateright_counts_the_same() {
    let (suspicions, back_offs) = (2, 2);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let setup = formed(3, ANY, budget);
    let explorer = Explorer::new(setup.status, setup.stores, setup.last, false);
    let theirs = cross_check::count(explorer, setup.start, budget);
    let can = [TakeOver, Refused, AcceptedReported];
    let ours = explore("view: n=3, 2 suspicions", Share::Whole, setup, &can);
    println!("    stateright: {theirs} states");
    assert_eq!(ours, theirs);
}

/// A manager that was refused does not try again.
#[test]
fn five_sites_one_view_three_suspicions() {
    let suspicions = 3;
    let budget = Budget { suspicions, ..NONE };
    let can = [TakeOver, Refused, AcceptedReported];
    explore(
        "view: n=5, one view, 3 suspicions, no second try",
        Share::Floor(180),
        formed(5, 1, budget),
        &can,
    );
}

#[test]
fn five_sites_one_view_three_suspicions_and_a_second_try() {
    let (suspicions, back_offs) = (3, 1);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let can = [TakeOver, Refused, AcceptedReported];
    explore(
        "view: n=5, one view, 3 suspicions, a second try",
        Share::Part(10),
        formed(5, 1, budget),
        &can,
    );
}

/// A crash is covered: a site may send and get nothing from any moment on.
#[test]
fn four_sites_three_views_four_suspicions() {
    let (suspicions, back_offs) = (4, 1);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let can = [TakeOver, Refused, AcceptedReported, Excluded];
    explore(
        "view: n=4, 3 views, 4 suspicions, 1 crash",
        Share::Floor(10),
        formed(4, 3, budget),
        &can,
    );
}

#[test]
fn five_sites_two_views_two_suspicions() {
    let (suspicions, back_offs) = (2, 1);
    let budget = Budget {
        suspicions,
        back_offs,
        ..NONE
    };
    let can = [TakeOver, Refused, AcceptedReported];
    explore(
        "view: n=5, 2 views, 2 suspicions",
        Share::Floor(10),
        formed(5, 2, budget),
        &can,
    );
}

/// The next incarnation joins, the earlier one is left out first.
#[test]
fn three_sites_three_views_with_a_join_and_a_restart() {
    let (suspicions, restarts) = (1, 1);
    let budget = Budget {
        suspicions,
        restarts,
        ..NONE
    };
    let setup = Setup {
        status: Status::Arrives,
        ..formed(3, 3, budget)
    };
    explore(
        "view: n=3, 3 views, a join and a restart",
        Share::Floor(10),
        setup,
        &[Joined],
    );
}

#[test]
fn leaving_the_manager_included() {
    let (suspicions, leaves) = (1, 2);
    let budget = Budget {
        suspicions,
        leaves,
        ..NONE
    };
    let setup = Setup {
        status: Status::Arrives,
        ..formed(3, ANY, budget)
    };
    explore("view: n=3, leaving", Share::Part(10), setup, &[Left]);
}

#[test]
fn a_first_view_with_a_restart() {
    let (restarts, back_offs) = (1, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    let setup = Setup {
        start: Start::Outside(3),
        ..formed(3, ANY, budget)
    };
    explore(
        "view: a first view, a restart",
        Share::Part(10),
        setup,
        &[Installed],
    );
}

#[test]
fn a_first_view_of_two_with_restarts() {
    let (restarts, leaves) = (2, 1);
    let budget = Budget {
        restarts,
        leaves,
        ..NONE
    };
    let setup = Setup {
        start: Start::Outside(2),
        status: Status::Arrives,
        ..formed(2, ANY, budget)
    };
    explore(
        "view: a first view of two, restarts",
        Share::Part(10),
        setup,
        &[Installed],
    );
}

/// Restarted sites vote for their earlier incarnations: still one view of one number, and one epoch.
#[test]
fn restarts_with_stores() {
    let (restarts, back_offs) = (3, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    let setup = Setup {
        stores: Stores::With,
        ..formed(3, ANY, budget)
    };
    explore(
        "view: n=3, restarts with stores",
        Share::Part(10),
        setup,
        &[Revived, Installed],
    );
}

#[test]
fn false_suspicions_and_restarts_with_stores() {
    let (suspicions, restarts, back_offs) = (2, 2, 1);
    let budget = Budget {
        suspicions,
        restarts,
        back_offs,
        ..NONE
    };
    let setup = Setup {
        stores: Stores::With,
        ..formed(3, ANY, budget)
    };
    explore(
        "view: n=3, suspicions and restarts with stores",
        Share::Part(10),
        setup,
        &[Refused, Excluded],
    );
}

#[test]
fn a_first_view_by_a_majority_of_stores() {
    let (restarts, back_offs) = (2, 1);
    let budget = Budget {
        restarts,
        back_offs,
        ..NONE
    };
    let setup = Setup {
        start: Start::Outside(3),
        stores: Stores::With,
        ..formed(3, ANY, budget)
    };
    explore(
        "view: a first view by a majority of stores",
        Share::Part(10),
        setup,
        &[Installed, AcceptedReported],
    );
}
