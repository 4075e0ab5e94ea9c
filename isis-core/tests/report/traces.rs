//! The nine schedules that broke earlier wordings of the broadcast rules. Where a schedule has traffic
//! between INSTALL and GO, the sends are made at the same moments; they leave after GO.

use isis_core::delivery::Olabel::Causal;
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

/// 1: A BCAST that is rejected and sent again stays ahead of a later one of its label to another
/// address (R27).
#[test]
fn trace_1_a_resend_keeps_the_order_of_its_label() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(2), p(0)]);
    c.leave(p(0), group);
    c.pass(0, 2, "run request");
    c.pass(2, 0, "run start");
    c.bcast(p(2), Address::Group(group), "L", "b3");
    c.bcast(p(2), list(&[p(2)]), "L", "b4");
    c.pass(2, 0, "bcast b3");
    c.settle();
    assert_eq!(c.last_view(p(2)), "g#3[2]");
    c.assert_order(p(2), &["g#3[2]", "b:b3", "b:b4"]);
    assert!(!c.has(p(0), "b:b3"), "it has left");
    assert!(c.has(p(0), "Left"));
}

/// 2: An orphan without a known final goes below the known final of a later one of its sender and
/// label (R12).
#[test]
fn trace_2_an_orphan_goes_before_a_later_one_whose_final_is_known() {
    let mut c = Cluster::running(3);
    c.raise_clock(p(1), 20);
    let group = c.group("g", &[p(0), p(2), p(1)]);
    c.bcast(p(1), list(&[p(0)]), "L", "b0");
    c.pass(1, 0, "bcast b0");
    c.bcast(p(1), Address::Group(group), "L", "b1");
    c.pass(1, 0, "bcast b1");
    c.pass(1, 2, "bcast b1");
    c.pass(0, 1, "proposals");
    c.pass(2, 1, "proposals");
    c.take(p(1));
    c.pass(1, 2, "finals");
    c.fail(&[1]);
    c.settle();
    c.assert_order(p(0), &["b:b0", "b:b1", "g#4[0 2]"]);
    c.assert_order(p(2), &["b:b1", "g#4[0 2]"]);
}

/// 3: Two live BCASTs are each withheld at one site, behind an OBCAST that stands behind the failure
/// (R16).
#[test]
fn trace_3_withheld_proposals_do_not_stop_a_failure() {
    let mut c = Cluster::running(3);
    let second = c.open(site(1), 2);
    let [g1, g2, _] = [
        c.group("G1", &[p(2), p(1)]),
        c.group("G2", &[p(2), p(0), p(1)]),
        c.group("G3", &[p(1), p(0), p(2)]),
    ];
    c.obcast(p(1), list(&[p(1)]), stream("0"), "o0");
    c.take(p(1));
    c.obcast(p(2), Address::Group(g2), stream("1"), "o1");
    c.crash(1);
    let view = c.commit(&[site(0), site(2)]);
    c.install(2, &view);
    c.install(0, &view);
    c.obcast(p(2), list(&[p(0), p(1)]), stream("1"), "o2");
    c.obcast(p(0), list(&[p(1), second, p(2)]), stream("1"), "o3");
    c.take(p(2));
    c.pass(2, 0, "obcast o1");
    c.bcast(p(0), Address::Group(g2), "1", "b4");
    c.take(p(0));
    c.pass(2, 0, "push end");
    c.leave(p(2), g1);
    c.obcast(p(2), list(&[p(0)]), stream("0"), "o5");
    c.bcast(p(2), Address::Group(g2), "1", "b6");
    c.settle();
    for survivor in [0, 2] {
        for word in ["o:o1", "b:b4", "b:b6", "G2#4[2 0]", "G3#4[0 2]"] {
            assert!(c.has(p(survivor), word), "{word}: {:?}", c.log(p(survivor)));
        }
    }
    c.assert_order(p(0), &["o:o1", "o:o2", "o:o5", "b:b6"]);
    c.assert_order(p(2), &["o:o1", "o:o3", "b:b4"]);
    assert!(c.has(p(2), "Left"));
}

/// 4: An OBCAST of the failed process, to an explicit list, stands on a wait queue and is in no list:
/// it still comes before the failure (R25).
#[test]
fn trace_4_every_message_of_the_failed_comes_before_the_failure() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.gbcast(p(1), group, "app");
    c.pass(1, 0, "run request");
    for (from, to, word) in [
        (0, 1, "run start"),
        (1, 0, "run number"),
        (0, 1, "run final"),
        (1, 0, "run head"),
    ] {
        c.pass(from, to, word);
    }
    c.obcast(p(1), list(&[p(0)]), Causal, "o1");
    c.pass(0, 1, "run up");
    c.pass(1, 0, "obcast o1");
    assert!(c.messages(p(0)).is_empty(), "the wait queue is up");
    c.obcast(p(2), list(&[p(1)]), Causal, "o2");
    c.fail(&[1]);
    c.settle();
    c.assert_order(p(0), &["o:o1", "g#3[0]"]);
    c.obcast(p(0), list(&[p(2)]), Causal, "o3");
    c.settle();
    assert!(c.has(p(2), "o:o3"));
}

/// 5: An orphan comes after an OBCAST that goes elsewhere and that nobody holds (R12): nobody waits.
#[test]
fn trace_5_what_an_orphan_lists_does_not_block_a_survivor() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(2)]);
    c.obcast(p(0), list(&[p(1)]), Causal, "o0");
    c.obcast(p(2), Address::Group(group), Causal, "o1");
    c.take(p(2));
    c.bcast(p(2), list(&[p(1), p(2)]), "L", "b2");
    c.pass(2, 1, "bcast b2");
    c.pass(0, 1, "obcast o0");
    c.take(p(1));
    c.fail(&[2]);
    c.settle();
    assert_eq!(c.last_view(p(0)), "g#3[0]");
    c.assert_order(p(1), &["o:o0", "b:b2"]);
    assert!(c.messages(p(0)).is_empty());
}

/// 5, if nobody holds the OBCAST: the survivors drop it alike.
#[test]
fn trace_5_what_nobody_holds_is_dropped() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(2)]);
    c.obcast(p(2), Address::Group(group), Causal, "o1");
    c.take(p(2));
    c.bcast(p(2), list(&[p(1), p(2)]), "L", "b2");
    c.fail(&[2]);
    c.settle();
    assert_eq!(c.log(p(0)).last().unwrap(), "g#3[0]");
    assert!(c.messages(p(0)).is_empty() && c.messages(p(1)).is_empty());
}

/// 6: The same over two views: the last holder dies in the completion (R12).
#[test]
fn trace_6_what_the_last_holder_took_along_blocks_nobody() {
    let mut c = Cluster::running(4);
    let [g0, g1, g2] = [
        c.group("G0", &[p(1), p(3)]),
        c.group("G1", &[p(0), p(2), p(3)]),
        c.group("G2", &[p(3), p(0)]),
    ];
    c.gbcast(p(0), g2, "app");
    c.join(p(0), "G0");
    c.gbcast(p(0), g1, "app");
    c.bcast(p(2), Address::Group(g1), "0", "b1");
    c.crash(0);
    let survivors = [site(1), site(2), site(3)];
    let view = c.commit(&survivors);
    c.pass(2, 3, "bcast b1");
    c.install(1, &view);
    c.obcast(p(3), Address::Group(g2), Causal, "o2");
    c.install(3, &view);
    c.take(p(3));
    c.bcast(p(1), Address::Group(g0), "0", "b3");
    c.obcast(p(3), Address::Group(g1), Causal, "o4");
    c.install(2, &view);
    c.bcast(p(1), Address::Group(g0), "1", "b5");
    c.bcast(p(3), Address::Group(g2), "1", "b6");
    for (from, to) in [(2, 1), (3, 1), (1, 2), (3, 2), (1, 3), (2, 3)] {
        c.pass(from, to, "push end");
    }
    c.pass(3, 1, "cut report");
    c.pass(2, 1, "cut report");
    c.pass(1, 2, "cut decision");
    c.fail(&[3]);
    c.settle();
    c.assert_order(p(2), &["b:b1", "G1#4[2 3]", "G1#5[2]"]);
    c.assert_order(p(1), &["G0#3[1]", "b:b3", "b:b5"]);
}

/// 7: A BCAST that its sender rejects still gets its final, so that nobody waits for it (R27).
#[test]
fn trace_7_a_rejected_bcast_still_gets_its_final() {
    let mut c = Cluster::running(3);
    let second = c.open(site(1), 2);
    let [g0, g1, g2] = [
        c.group("G0", &[p(0), second]),
        c.group("G1", &[p(0), second, p(2), p(1)]),
        c.group("G2", &[p(1), second]),
    ];
    c.obcast(p(2), Address::Group(g1), Causal, "o0");
    c.crash(2);
    c.obcast(p(0), Address::Group(g1), Causal, "o1");
    c.leave(p(0), g0);
    c.hold(1, 0, "run list");
    c.run();
    c.leave(second, g1);
    let view = c.commit(&[site(0), site(1)]);
    c.install(0, &view);
    c.obcast(p(1), Address::Group(g2), Causal, "o4");
    c.bcast(p(1), Address::Group(g1), "0", "b5");
    c.install(1, &view);
    c.release_all();
    c.bcast(second, Address::Group(g2), "0", "b7");
    c.settle();
    for member in [p(0), p(1)] {
        assert!(c.has(member, "b:b5"), "{:?}", c.log(member));
    }
    assert!(c.last_view(p(1)).starts_with("G1#"));
    assert!(c.has(second, "Left") && c.has(second, "b:b7"));
}

/// 7 without a failure: a leave rejects a BCAST whose proposals are not all in.
#[test]
fn trace_7_a_leave_rejects_a_bcast_without_final() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.leave(p(2), group);
    c.pass(2, 0, "run request");
    c.pass(0, 1, "run start");
    c.pass(0, 2, "run start");
    c.bcast(p(1), Address::Group(group), "L", "b5");
    c.pass(1, 0, "bcast b5");
    c.pass(1, 2, "bcast b5");
    c.hold(2, 1, "proposals");
    c.run();
    c.settle();
    for member in [0, 1] {
        c.assert_order(p(member), &["g#4[0 1]", "b:b5"]);
    }
    assert!(!c.has(p(2), "b:b5"));
}

/// 8: A push carries application state: the finals that its sender was told go ahead of it (R15).
#[test]
fn trace_8_a_push_comes_behind_the_finals_known_to_its_sender() {
    let mut c = Cluster::running(4);
    c.raise_clock(p(2), 5);
    let group = c.group("g", &[p(3), p(0), p(1)]);
    c.bcast(p(1), Address::Group(group), "0", "b0");
    for destination in [0, 3] {
        c.pass(1, destination, "bcast b0");
        c.pass(destination, 1, "proposals");
    }
    c.take(p(1));
    c.pass(1, 3, "finals");
    c.take(p(3));
    assert!(c.has(p(3), "b:b0"));
    c.bcast(p(1), Address::Group(group), "0", "b2");
    c.pass(1, 3, "bcast b2");
    c.bcast(p(0), Address::Group(group), "0", "b3");
    c.pass(0, 3, "bcast b3");
    c.crash(1);
    let view = c.commit(&[site(0), site(2), site(3)]);
    c.install(2, &view);
    c.install(0, &view);
    c.install(3, &view);
    c.pass(3, 0, "bcast b2");
    c.pass(3, 0, "push end");
    c.fail(&[3]);
    c.settle();
    c.assert_order(p(0), &["b:b0", "b:b2", "g#4[0]"]);
    c.assert_order(p(0), &["b:b0", "b:b3", "g#4[0]"]);
}

/// 9: A decision that is repeated places the failure where it placed it first (R12).
#[test]
fn trace_9_a_repeated_decision_leaves_a_failure_in_its_place() {
    let mut c = Cluster::running(5);
    for (id, clock) in [(0, 30), (1, 30), (3, 5), (4, 30)] {
        c.raise_clock(p(id), clock);
    }
    c.group("G0", &[p(1), p(0), p(2)]);
    c.group("G1", &[p(2), p(4), p(0), p(3), p(1)]);
    c.crash(1);
    let view = c.commit(&[0, 2, 3, 4].map(site));
    c.install(2, &view);
    c.bcast(p(0), list(&[p(2)]), "0", "b0");
    c.install(0, &view);
    c.bcast(p(2), list(&[p(0)]), "0", "b1");
    c.bcast(p(3), list(&[p(0), p(3)]), "0", "b2");
    c.install(3, &view);
    c.install(4, &view);
    c.hold(0, 2, "cut decision");
    c.hold(0, 3, "cut go");
    c.hold(0, 4, "cut go");
    c.run();
    let second = c.fail(&[2]);
    assert_eq!(second.number.0, 2);
    c.settle();
    for member in [0, 3, 4] {
        c.assert_order(p(member), &["G1#6[2 4 0 3]", "G1#7[4 0 3]"]);
    }
    c.assert_order(p(0), &["G0#4[0 2]", "G0#5[0]"]);
    for destination in [0, 3] {
        c.assert_order(p(destination), &["b:b2", "G1#6[2 4 0 3]"]);
    }
}
