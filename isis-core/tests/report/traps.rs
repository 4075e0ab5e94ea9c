//! Where implementations of these protocols break: traps of BCAST (B), and waits that last too long
//! (PROTOCOL-REVIEW 23, 24).

use isis_core::delivery::Olabel;
use isis_core::machine::broadcast::Address;

use crate::calls::list;
use crate::cluster::{Cluster, p, site};

/// B5: The clock jumps to every final seen. Otherwise what is sent after a delivery gets a number below
/// what was delivered, where the two meet.
#[test]
fn b5_what_is_sent_after_a_delivery_is_numbered_above_it() {
    let mut c = Cluster::running(5);
    let [s, far, b, t, other] = [0, 1, 2, 3, 4];
    c.raise_clock(p(far), 100);
    // So that at t the two wait side by side.
    c.hold(t, other, "proposals");
    c.bcast(p(other), list(&[p(t)]), "L", "open");
    c.pass(other, t, "bcast open");
    c.bcast(p(s), list(&[p(far), p(b), p(t)]), "L", "m");
    for destination in [far, b, t] {
        c.pass(s, destination, "bcast m");
        c.pass(destination, s, "proposals");
    }
    c.hold(s, t, "finals");
    c.pass(s, b, "finals");
    c.take(p(b));
    assert!(c.has(p(b), "b:m"));
    c.bcast(p(b), list(&[p(t)]), "L", "n");
    c.run();
    assert_eq!(c.messages(p(t)), Vec::<String>::new());
    c.settle();
    c.assert_order(p(t), &["b:open", "b:m", "b:n"]);
}

/// B9: A final that comes again when the message is collected places nothing.
#[test]
fn b9_a_final_that_comes_after_collection_places_nothing() {
    let mut c = Cluster::running(3);
    let [s, b, t] = [0, 1, 2];
    c.hold(b, t, "finals");
    c.bcast(p(s), list(&[p(b), p(t)]), "L", "m");
    for destination in [b, t] {
        c.pass(s, destination, "bcast m");
        c.pass(destination, s, "proposals");
    }
    c.pass(s, b, "finals");
    c.take(p(b));
    // What b sends is preceded by the finals that it knows, also to those who know them.
    c.obcast(p(b), list(&[p(t)]), Olabel::Causal, "x");
    assert!(c.flying(b, t).iter().any(|m| m.contains("finals")));
    c.run();
    assert_eq!(c.messages(p(t)), ["b:m"]);
    c.release(b, t);
    c.settle();
    assert_eq!(c.messages(p(t)), ["b:m", "o:x"]);
}

/// 23: A wait queue belongs to a process: it holds nothing of another one at the same site.
#[test]
fn review_23_a_wait_queue_holds_up_no_other_process() {
    let mut c = Cluster::running(3);
    let beside = c.open(site(1), 2);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run commit");
    c.gbcast(p(0), group, "g");
    c.run();
    let both = list(&[p(1), beside]);
    c.obcast(p(2), both, Olabel::Causal, "m");
    c.run();
    assert_eq!(c.messages(beside), ["o:m"]);
    assert_eq!(c.messages(p(1)), Vec::<String>::new());
    c.settle();
    assert_eq!(c.messages(p(1)), ["g:g", "o:m"]);
}

/// 23: So do label queues: groups that use one label do not wait for each other where they share a site.
#[test]
fn review_23_a_label_of_two_groups_holds_up_its_own_process_alone() {
    let mut c = Cluster::running(3);
    let beside = c.open(site(1), 2);
    let (one, other) = (
        c.group("one", &[p(0), p(1)]),
        c.group("other", &[p(2), beside]),
    );
    c.hold(0, 1, "finals");
    c.bcast(p(0), Address::Group(one), "queue", "a");
    c.run();
    c.bcast(p(2), Address::Group(other), "queue", "b");
    c.run();
    assert_eq!(c.messages(beside), ["b:b"]);
    assert_eq!(c.messages(p(1)), Vec::<String>::new());
    c.settle();
    assert_eq!(c.messages(p(1)), ["b:a"]);
}

/// 24: A GBCAST orders what goes to explicit lists too, and rejects none of it.
#[test]
fn review_24_a_gbcast_orders_what_goes_to_explicit_lists() {
    for held in [
        "run start",
        "run final",
        "run up",
        "run store",
        "run commit",
    ] {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1)]);
        c.hold(0, 1, held);
        c.gbcast(p(0), group, "g");
        c.run();
        c.bcast(p(2), list(&[p(0), p(1)]), "L", "m");
        c.run();
        c.settle();
        let order = c.messages(p(0));
        assert_eq!(order.len(), 2, "{held}: {order:?}");
        assert_eq!(c.messages(p(1)), order, "{held}");
    }
}
