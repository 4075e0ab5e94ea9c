//! PROTOCOL-REVIEW 12, last sentence, and 48: changes of groups that a change of site view interrupts.

use isis_core::delivery::Olabel::Causal;
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

/// Every step of a run, to stop it there.
const STEPS: [&str; 8] = [
    "run request",
    "run start",
    "run final",
    "run up",
    "run store",
    "run commit",
    "run has committed",
    "run announce",
];

/// 12: a join and a leave are in progress when any site fails.
#[test]
fn review_12_joins_and_leaves_go_on_after_a_failure() {
    for held in STEPS {
        for crash in [0, 1, 2, 3] {
            let mut c = Cluster::running(4);
            let group = c.group("g", &[p(0), p(1), p(2)]);
            for a in 0..3 {
                for b in 0..3 {
                    if a != b {
                        c.hold(a, b, held);
                    }
                }
            }
            c.leave(p(1), group);
            c.join(p(3), "g");
            c.bcast(p(2), Address::Group(group), "L", "b");
            c.obcast(p(2), Address::Group(group), Causal, "o");
            c.run();
            c.fail(&[crash]);
            c.settle();
            if crash != 1 {
                assert!(c.has(p(1), "Left"), "{held} {crash}");
            }
            if crash != 3 {
                assert!(c.has(p(3), "Joined"), "{held} {crash}");
            }
            if crash != 0 && crash != 2 {
                assert!(c.has(p(0), "b:b"), "{held} {crash}");
                assert!(c.has(p(0), "o:o"), "{held} {crash}");
            }
        }
    }
}

/// 12: a second view interrupts the completion of one that admits a site.
#[test]
fn review_12_a_site_that_joins_in_an_interrupted_completion() {
    for held in [
        "push end",
        "cut report",
        "cut decision",
        "cut has stored",
        "cut go",
        "cut directory",
    ] {
        for dead in [0, 1] {
            let mut c = Cluster::running(3);
            c.group("g", &[p(0), p(1), p(2)]);
            c.bcast(p(0), list(&[p(0), p(1), p(2)]), "L", "b");
            c.start(site(3));
            let new = c.open(site(3), 1);
            c.join(new, "g");
            for a in 0..4 {
                for b in 0..4 {
                    if a != b && (a + b) % 2 == 1 {
                        c.hold(a, b, held);
                    }
                }
            }
            c.install_everywhere(&[0, 1, 2, 3].map(site));
            c.run();
            c.release_all();
            c.fail(&[dead]);
            c.settle();
            assert!(c.has(new, "Joined"), "{held} {dead}: {:?}", c.log(new));
            assert_eq!(c.last_view(new).matches(' ').count(), 2);
        }
    }
}

/// 12: a site comes in the middle of a run, another in the view that ends the coordinator.
#[test]
fn review_12_a_site_joins_during_a_run() {
    for held in ["run start", "run up", "run store", "run commit"] {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1)]);
        c.hold(0, 1, held);
        c.join(p(2), "g");
        c.bcast(p(1), Address::Group(group), "L", "b");
        c.obcast(p(1), Address::Group(group), Causal, "o");
        c.run();
        c.start(site(3));
        let new = c.open(site(3), 1);
        c.join(new, "g");
        c.install_everywhere(&[0, 1, 2, 3].map(site));
        c.settle();
        assert!(c.has(new, "Joined") && c.has(p(2), "Joined"), "{held}");
        c.start(site(4));
        let new = c.open(site(4), 1);
        c.join(new, "g");
        c.crash(0);
        c.install_everywhere(&[1, 2, 3, 4].map(site));
        c.settle();
        assert!(c.has(new, "Joined"), "{held}");
    }
}

/// 48: a flush does not return while the BCAST may still be rejected and lost.
#[test]
fn review_48_a_flushed_bcast_is_not_rejected_for_good() {
    for held in ["", "proposals", "known"] {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1)]);
        c.join(p(2), "g");
        c.pass(2, 0, "run request");
        c.pass(0, 1, "run start");
        c.hold(0, 1, "run final");
        c.bcast(p(1), Address::Group(group), "L", "m");
        c.flush(p(1));
        if !held.is_empty() {
            c.hold(0, 1, held);
        }
        c.run();
        let flushed = c.has(p(1), "Flushed");
        c.fail(&[1]);
        c.settle();
        if flushed {
            assert!(c.has(p(0), "b:m"), "{held}");
        }
    }
}

#[test]
fn s3_3_the_oldest_member_leaves_in_the_midst_of_other_requests() {
    for held in STEPS {
        let mut c = Cluster::running(4);
        let group = c.group("g", &[p(0), p(1), p(2)]);
        c.hold(0, 1, held);
        c.hold(1, 0, held);
        c.leave(p(0), group);
        c.join(p(3), "g");
        c.gbcast(p(1), group, "x");
        c.bcast(p(2), Address::Group(group), "L", "b");
        c.obcast(p(2), Address::Group(group), Causal, "o");
        c.run();
        c.settle();
        assert!(c.has(p(0), "Left"), "{held}");
        assert!(c.has(p(3), "Joined"), "{held}");
        for m in [1, 2] {
            for w in ["g:x", "b:b", "o:o"] {
                assert!(c.has(p(m), w), "{held} {m} {w} {:?}", c.log(p(m)));
            }
        }
    }
}

#[test]
fn s3_3_a_group_that_all_have_left_begins_anew() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.leave(p(0), group);
    c.leave(p(1), group);
    c.join(p(2), "g");
    c.settle();
    assert!(c.has(p(2), "Joined"), "{:?}", c.log(p(2)));
    c.close(p(2));
    c.settle();
    c.join(p(0), "g");
    c.settle();
    assert!(c.has(p(0), "Joined"), "{:?}", c.log(p(0)));
}

#[test]
fn s4_1_what_follows_a_large_message_does_not_overtake_it() {
    let big = "x".repeat(20_000);
    let mut c = Cluster::running(3);
    c.hold(0, 1, "xxx");
    c.obcast(p(0), list(&[p(1), p(2)]), stream("s"), &big);
    c.obcast(p(0), list(&[p(1), p(2)]), stream("s"), "small");
    c.obcast(p(0), list(&[p(1), p(2)]), stream("t"), "other");
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "b");
    c.bcast(p(0), list(&[p(1)]), "L", "c");
    c.run();
    assert_eq!(c.messages(p(1)), ["o:other"]);
    c.settle();
    c.assert_order(p(1), &["o:small", "b:b", "b:c"]);
}
