//! The shipped group and broadcast machine, explored exhaustively at small sizes: all orders, views and
//! crashes that can be, and every property of the auditor wherever a run comes to rest.

mod checks;
mod letter;
mod model;
mod site;

use crate::engine;
use crate::share::Share;
use model::Happening::*;
use model::{Explorer, Happening, Setup};
use site::Operation::*;
use site::{Line, Operation, To};

const ALL: To = To::Sites(&[0, 1, 2]);

/// Once its process has taken so many messages, it does this.
const fn line(at: u32, taken: usize, operation: Operation) -> Line {
    Line {
        at,
        taken,
        operation,
    }
}

const PLAIN: Setup = Setup {
    sites: 3,
    grouped: false,
    script: Vec::new(),
    crashes: 1,
    collects: false,
};

fn explore(name: &str, share: Share, setup: Setup, can_happen: &[Happening]) {
    let run = |paths| {
        let mut explorer = Explorer::new(setup.clone(), paths);
        let initial = explorer.initial();
        let report = engine::explore(&explorer, initial, share.limits());
        let happened = Happening::ALL.map(|h| (h, explorer.happened.of(h as usize)));
        (report, happened)
    };
    let (report, happened) = engine::retrace(run);
    share.judge(name, &report, &happened, can_happen);
}

#[test]
fn bcasts_of_two_senders() {
    let setup = Setup {
        script: vec![line(0, 0, Bcast("a", ALL)), line(1, 0, Bcast("a", ALL))],
        crashes: 2,
        ..PLAIN
    };
    let can = [Halted, OrphanCompleted, BcastPassedOn, FinalPassedOn];
    explore(
        "BCAST: n=3, 2 messages of two senders, 2 crashes",
        Share::Floor(40),
        setup,
        &can,
    );
}

#[test]
fn bcasts_of_one_sender() {
    let setup = Setup {
        script: vec![line(0, 0, Bcast("a", ALL)), line(0, 0, Bcast("a", ALL))],
        crashes: 2,
        ..PLAIN
    };
    let can = [Halted, OrphanCompleted, BcastPassedOn, FinalPassedOn];
    explore(
        "BCAST: n=3, 2 messages of one sender, 2 crashes",
        Share::Whole,
        setup,
        &can,
    );
}

/// R14: the second of a label goes to fewer sites, whose clocks are behind.
#[test]
fn bcasts_to_fewer_and_fewer() {
    let setup = Setup {
        script: vec![
            line(2, 0, Bcast("b", To::Sites(&[1, 2]))),
            line(0, 0, Bcast("a", ALL)),
            line(0, 0, Bcast("a", To::Sites(&[0, 1]))),
        ],
        ..PLAIN
    };
    let can = [Halted, OrphanCompleted, BcastPassedOn, FinalPassedOn];
    explore(
        "BCAST: n=3, 3 messages to fewer and fewer, 1 crash",
        Share::Floor(20),
        setup,
        &can,
    );
}

/// The second one's sender has taken the first, and goes to others (O3, R15).
#[test]
fn a_bcast_after_another() {
    let setup = Setup {
        script: vec![
            line(0, 0, Bcast("a", To::Sites(&[0, 1]))),
            line(1, 0, Bcast("a", To::Sites(&[0, 1]))),
            line(1, 2, Bcast("b", To::Sites(&[0, 2]))),
        ],
        crashes: 1,
        ..PLAIN
    };
    let can = [Halted, OrphanCompleted, FinalPassedOn];
    explore(
        "BCAST: n=3, a third after two, 1 crash",
        Share::Floor(20),
        setup,
        &can,
    );
}

/// R16: the BCAST comes after the OBCAST, and its proposals wait for that.
#[test]
fn a_bcast_after_an_obcast() {
    let setup = Setup {
        script: vec![
            line(0, 0, Obcast("s", ALL)),
            line(1, 1, Bcast("a", ALL)),
            line(2, 0, Bcast("a", ALL)),
        ],
        crashes: 1,
        ..PLAIN
    };
    let can = [Halted, OrphanCompleted, ObcastPassedOn];
    explore(
        "BCAST: n=3, after an OBCAST, beside another, 1 crash",
        Share::Floor(20),
        setup,
        &can,
    );
}

#[test]
fn a_gbcast_and_two_bcasts() {
    let setup = Setup {
        grouped: true,
        script: vec![
            line(0, 0, Bcast("a", To::Group)),
            line(1, 0, Bcast("a", To::Group)),
            line(2, 0, Gbcast),
        ],
        ..PLAIN
    };
    let can = [
        Halted,
        RunCutOff,
        CoordinatorLost,
        RecordCarried,
        RunRepeated,
    ];
    explore(
        "GBCAST: n=3, a GBCAST and 2 BCASTs, 1 crash",
        Share::Floor(40),
        setup,
        &can,
    );
}

/// The second OBCAST is sent while the wait queues go up, and a BCAST with it.
#[test]
fn a_gbcast_and_obcasts() {
    let setup = Setup {
        grouped: true,
        script: vec![
            line(0, 0, Gbcast),
            line(1, 0, Obcast("s", To::Group)),
            line(2, 1, Obcast("s", To::Group)),
        ],
        // A GBCAST is not asked for until the OBCASTs that its sender has taken are known to be everywhere.
        collects: true,
        ..PLAIN
    };
    let can = [
        Halted,
        RunCutOff,
        CoordinatorLost,
        RecordCarried,
        RunRepeated,
    ];
    explore(
        "GBCAST: n=3, a GBCAST and 2 OBCASTs, 1 crash",
        Share::Floor(20),
        setup,
        &can,
    );
}

/// R27: what is under way in the old view is sent again in the new one.
#[test]
fn a_leave_and_a_bcast() {
    let setup = Setup {
        grouped: true,
        script: vec![
            line(1, 0, Bcast("a", To::Group)),
            line(0, 0, Obcast("s", To::Group)),
            line(2, 0, Leave),
        ],
        ..PLAIN
    };
    let can = [Halted, RunCutOff, RecordCarried, Resent];
    explore(
        "GBCAST: n=3, a leave, a BCAST and an OBCAST, 1 crash",
        Share::Floor(20),
        setup,
        &can,
    );
}

/// Each is sent by who has taken the one before.
#[test]
fn a_chain_of_obcasts() {
    let setup = Setup {
        script: vec![
            line(0, 0, Obcast("s", To::Sites(&[1, 2]))),
            line(1, 1, Obcast("s", To::Sites(&[0, 2]))),
            line(2, 2, Obcast("s", To::Sites(&[0, 1]))),
        ],
        collects: true,
        ..PLAIN
    };
    let can = [Halted, ObcastPassedOn, Pulled, CopyDropped];
    explore(
        "OBCAST: n=3, a chain of 3, 1 crash, collection",
        Share::Floor(40),
        setup,
        &can,
    );
}

/// C5: a predecessor that is not addressed to where the next one goes.
#[test]
fn a_chain_around_a_site() {
    let setup = Setup {
        script: vec![
            line(0, 0, Obcast("s", To::Sites(&[2]))),
            line(0, 0, Obcast("s", To::Sites(&[1]))),
            line(1, 1, Obcast("s", To::Sites(&[2]))),
        ],
        collects: true,
        ..PLAIN
    };
    let can = [Halted, ObcastPassedOn, HeaderAlone, Pulled];
    explore(
        "OBCAST: n=3, a chain of 3 around a site, 1 crash, collection",
        Share::Floor(20),
        setup,
        &can,
    );
}
