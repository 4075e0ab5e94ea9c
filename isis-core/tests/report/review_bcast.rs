//! PROTOCOL-REVIEW: BCAST's numbers across failures (1, 2), and its order against OBCASTs and
//! earlier BCASTs of its label (14, 15).

use isis_core::delivery::Olabel;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p};

/// 1: A destination's proposal that died with it is replaced by one above all, not left out: what it
/// delivered, and somebody saw, must not be overtaken.
#[test]
fn review_01_a_lost_proposal_is_replaced() {
    let mut c = Cluster::running(5);
    let [s, s1, a, b, d] = [0, 1, 2, 3, 4];
    c.raise_clock(p(a), 10);
    c.bcast(p(s1), list(&[p(a), p(b)]), "L", "m1");
    c.pass(s1, b, "bcast m1");
    c.bcast(p(s), list(&[p(a), p(b)]), "L", "m");
    for destination in [a, b] {
        c.pass(s, destination, "bcast m");
        c.pass(destination, s, "proposals");
    }
    c.pass(s, a, "finals");
    c.take(p(a));
    assert!(c.has(p(a), "b:m"));
    c.obcast(p(a), list(&[p(d)]), Olabel::Causal, "m is the head");
    c.pass(a, d, "m is the head");
    c.take(p(d));
    c.fail(&[a]);
    c.settle();
    c.assert_order(p(b), &["b:m", "b:m1"]);
}

/// 1, second part: the same omission breaks FIFO from one sender without any observer.
#[test]
fn review_01_fifo_survives_a_lost_proposal() {
    let mut c = Cluster::running(3);
    let [s, a, b] = [0, 1, 2];
    c.raise_clock(p(a), 100);
    c.bcast(p(s), list(&[p(a), p(b)]), "L", "m1");
    c.pass(s, a, "bcast m1");
    c.pass(s, b, "bcast m1");
    c.bcast(p(s), list(&[p(a), p(b)]), "L", "m2");
    c.pass(s, b, "bcast m2");
    c.pass(a, s, "proposals");
    c.pass(b, s, "proposals");
    c.fail(&[a]);
    c.settle();
    c.assert_order(p(b), &["b:m1", "b:m2"]);
}

/// `m` of site 0 is final at site 2 alone, and delivered there before `n` of site 1; site 3 has both,
/// `m` without its final.
fn final_at_one_destination() -> Cluster {
    let mut c = Cluster::running(6);
    final_at_one_destination_of(&mut c);
    c
}

fn final_at_one_destination_of(c: &mut Cluster) {
    for (sender, text) in [(0, "m"), (1, "n")] {
        c.bcast(p(sender), list(&[p(2), p(3)]), "L", text);
        for destination in [2, 3] {
            c.pass(sender, destination, text);
            c.pass(destination, sender, "proposals");
        }
        c.pass(sender, 2, "finals");
    }
    c.pass(1, 3, "finals");
    c.take(p(2));
    c.take(p(3));
    c.assert_order(p(2), &["b:m", "b:n"]);
    assert_eq!(c.messages(p(3)), Vec::<String>::new());
}

/// 2: The final that only a dead destination knew travels with what it said to a bystander.
#[test]
fn review_02_a_final_reaches_the_completion_from_a_bystander() {
    let mut c = final_at_one_destination();
    c.obcast(p(2), list(&[p(4)]), Olabel::Causal, "x");
    c.pass(2, 4, "obcast x");
    c.fail(&[0, 2]);
    c.settle();
    assert!(c.has(p(4), "o:x"));
    c.assert_order(p(3), &["b:m", "b:n"]);
}

/// 2, one hop more: the bystander told another one, and died.
#[test]
fn review_02_a_final_is_passed_on_by_bystanders() {
    let mut c = final_at_one_destination();
    c.obcast(p(2), list(&[p(4)]), Olabel::Causal, "x");
    c.pass(2, 4, "obcast x");
    c.take(p(4));
    c.obcast(p(4), list(&[p(5)]), Olabel::Unordered, "y");
    c.pass(4, 5, "obcast y");
    c.fail(&[0, 2, 4]);
    c.settle();
    assert!(c.has(p(5), "o:y"));
    c.assert_order(p(3), &["b:m", "b:n"]);
}

/// 2, the commonest case: the sender delivers on computing the final, and its finals sit in queues.
#[test]
fn review_02_the_senders_own_delivery_is_kept() {
    let mut c = Cluster::running(4);
    c.bcast(p(0), list(&[p(0), p(3)]), "L", "m");
    c.pass(0, 3, "bcast m");
    c.bcast(p(1), list(&[p(3)]), "L", "n");
    c.pass(1, 3, "bcast n");
    c.pass(3, 1, "proposals");
    c.pass(1, 3, "finals");
    c.pass(3, 0, "proposals");
    c.take(p(0));
    assert!(c.has(p(0), "b:m"));
    c.bcast(p(0), list(&[p(2)]), "other", "x");
    c.pass(0, 2, "bcast x");
    c.fail(&[0]);
    c.settle();
    c.assert_order(p(3), &["b:m", "b:n"]);
}

/// 2, if what it said to the bystander was a GBCAST; or was said to it, who runs those of the group.
#[test]
fn review_02_a_final_travels_with_a_gbcast() {
    for members in [[2, 4], [4, 2]] {
        let mut c = Cluster::running(6);
        let group = c.group("g", &members.map(p));
        final_at_one_destination_of(&mut c);
        for (from, to) in (0..6).flat_map(|from| (0..6).map(move |to| (from, to))) {
            if !members.contains(&from) || !members.contains(&to) {
                c.hold(from, to, "");
            }
        }
        c.gbcast(p(2), group, "x");
        c.run();
        assert!(c.has(p(4), "g:x"));
        c.fail(&[0, 2]);
        c.settle();
        c.assert_order(p(3), &["b:m", "b:n"]);
    }
}

/// 14: A BCAST comes after the OBCASTs that its sender delivered, so that a lock's release does not
/// overtake the writes made under it.
#[test]
fn review_14_a_release_comes_after_the_writes_under_the_lock() {
    let mut c = Cluster::running(3);
    c.hold(2, 1, "");
    c.obcast(p(2), list(&[p(0), p(1)]), stream("x"), "write 1");
    c.run();
    assert!(c.has(p(0), "o:write 1"));
    c.bcast(p(0), list(&[p(0), p(1)]), "lock", "release");
    c.run();
    c.assert_order(p(1), &["o:write 1", "b:release"]);
    c.obcast(p(1), list(&[p(0), p(1), p(2)]), stream("x"), "write 2");
    c.settle();
    c.assert_order(p(0), &["o:write 1", "b:release", "o:write 2"]);
}

/// 14, the naive repair: delivery of the BCAST waits for an OBCAST that stands behind a GBCAST, which
/// waits for the BCAST. Withholding the proposal does not.
#[test]
fn review_14_a_withheld_proposal_does_not_stop_a_gbcast() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(2), p(0), p(1)]);
    c.hold(2, 0, "run up");
    c.gbcast(p(2), group, "g");
    c.run();
    c.obcast(p(0), list(&[p(1)]), stream("x"), "o1");
    c.bcast(p(0), list(&[p(0), p(1)]), "L", "b");
    c.run();
    assert_eq!(c.messages(p(1)), Vec::<String>::new());
    c.settle();
    c.assert_order(p(1), &["g:g", "o:o1", "b:b"]);
    c.assert_order(p(0), &["g:g", "b:b"]);
}

/// 15: FIFO of one label, although the destinations differ.
#[test]
fn review_15_bcasts_of_one_label_are_fifo() {
    let mut c = Cluster::running(4);
    c.raise_clock(p(1), 100);
    c.hold(1, 0, "proposals");
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "m1");
    c.bcast(p(0), list(&[p(2), p(3)]), "L", "m2");
    c.run();
    assert_eq!(c.messages(p(2)), Vec::<String>::new());
    c.settle();
    c.assert_order(p(2), &["b:m1", "b:m2"]);
}

/// 15, causality: a BCAST follows those of its label that its sender delivered.
#[test]
fn review_15_bcasts_of_one_label_are_causal() {
    let mut c = Cluster::running(4);
    c.raise_clock(p(1), 100);
    c.hold(0, 2, "finals");
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "m1");
    c.run();
    assert!(c.has(p(1), "b:m1"));
    c.bcast(p(1), list(&[p(2), p(3)]), "L", "m2");
    c.run();
    c.settle();
    c.assert_order(p(2), &["b:m1", "b:m2"]);
}
