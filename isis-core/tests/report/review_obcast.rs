//! PROTOCOL-REVIEW: what travels with an OBCAST (7), what a GBCAST lists (8, 47), and the two
//! meanings of *stable* (9).

use isis_core::delivery::Olabel::Causal;
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

/// 7a: FIFO links order arrivals, not deliveries: the second message behind a delayed predecessor
/// does not overtake the first.
#[test]
fn review_07_a_later_message_waits_behind_a_delayed_predecessor() {
    let mut c = Cluster::running(3);
    c.hold(1, 2, "");
    c.obcast(p(1), list(&[p(0), p(2)]), Causal, "C");
    c.run();
    c.obcast(p(0), list(&[p(2)]), Causal, "B");
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    c.run();
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:C", "o:B", "o:B'"]);
}

/// 7b: An id that another implies elsewhere is not implied at a site which that other does not go to.
#[test]
fn review_07_an_implied_predecessor_reaches_every_common_destination() {
    let mut c = Cluster::running(5);
    let [s, t, u, other] = [1, 2, 3, 4];
    c.hold(other, t, "");
    c.obcast(p(other), list(&[p(0), p(s), p(t)]), Causal, "C");
    c.run();
    c.obcast(p(0), list(&[p(u)]), Causal, "B");
    c.run();
    c.obcast(p(0), list(&[p(t), p(u)]), Causal, "B'");
    c.run();
    c.settle();
    c.assert_order(p(t), &["o:C", "o:B'"]);
    c.assert_order(p(u), &["o:B", "o:B'"]);
}

/// 7c: A predecessor that is received, but waits for its group view, is not passed.
#[test]
fn review_07_a_received_predecessor_that_waits_is_not_passed() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run commit");
    c.join(p(2), "g");
    c.run();
    assert_eq!(c.last_view(p(2)), "g#3[0 1 2]");
    c.obcast(p(2), Address::Group(group), stream("x"), "B");
    c.run();
    c.obcast(p(2), list(&[p(1)]), stream("x"), "B'");
    c.run();
    assert_eq!(c.messages(p(1)), Vec::<String>::new());
    c.settle();
    c.assert_order(p(1), &["g#3[0 1 2]", "o:B", "o:B'"]);
}

/// 7c, at a process that is in no group: it does not wait for what it is no destination of.
#[test]
fn review_07_only_destinations_wait_for_a_predecessor() {
    let mut c = Cluster::running(3);
    let bystander = c.open(site(1), 2);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run commit");
    c.join(p(2), "g");
    c.run();
    c.obcast(p(2), Address::Group(group), stream("x"), "B");
    c.obcast(p(2), list(&[p(1), bystander]), stream("x"), "B'");
    c.run();
    c.settle();
    c.assert_order(p(1), &["o:B", "o:B'"]);
    assert_eq!(c.messages(bystander), ["o:B'"]);
}

/// 8: A message of the same stream as a listed one, but concurrent with it, falls on one side of the
/// GBCAST at all members, wherever it has arrived.
#[test]
fn review_08_a_gbcast_lists_by_precedes_and_not_by_label() {
    let mut c = Cluster::running(5);
    c.group("g", &[p(0), p(1), p(2)]);
    c.hold(2, 1, "placed");
    c.obcast(p(1), list(&[p(0), p(1), p(2)]), stream("x"), "m1");
    c.run();
    c.hold(0, 2, "run up");
    c.hold(3, 2, "");
    c.join(p(4), "g");
    c.run();
    c.obcast(p(3), list(&[p(1), p(2)]), stream("x"), "m2");
    c.run();
    assert!(!c.has(p(1), "o:m2"), "the wait queue is up there");
    c.release(0, 2);
    c.run();
    c.settle();
    for member in [1, 2] {
        c.assert_order(p(member), &["o:m1", "g#4[0 1 2 4]", "o:m2"]);
    }
}

/// 8, conversely: the predecessor of a listed message is before the GBCAST too, also where the listed
/// message does not go.
#[test]
fn review_08_a_list_is_closed_under_precedes() {
    let mut c = Cluster::running(4);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.hold(3, 1, "");
    c.hold(3, 2, "");
    c.obcast(p(3), list(&[p(1), p(2)]), stream("x"), "B");
    c.obcast(p(3), list(&[p(0), p(1)]), stream("x"), "B'");
    c.run();
    assert!(c.has(p(0), "o:B'"));
    c.gbcast(p(0), group, "g");
    c.run();
    c.settle();
    c.assert_order(p(1), &["o:B", "o:B'", "g:g"]);
    c.assert_order(p(2), &["o:B", "g:g"]);
}

/// Sites 0 to 2 in a group that site 2 coordinates, and site 3 outside. A GBCAST's wait queue is up at
/// site 0; site 1 has not heard of it.
fn wait_queue_up_at_site_0() -> Cluster {
    let mut c = Cluster::running(5);
    let group = c.group("g", &[p(2), p(0), p(1)]);
    c.hold(2, 1, "run up");
    c.gbcast(p(2), group, "g");
    c.run();
    c
}

/// 9a: Received everywhere is not placed everywhere: what one member placed stays listed while it
/// stands on the wait queue of another.
#[test]
fn review_09_received_everywhere_is_not_placed_everywhere() {
    let mut c = wait_queue_up_at_site_0();
    c.obcast(p(3), list(&[p(0), p(1)]), Causal, "m");
    c.run();
    assert!(c.has(p(1), "o:m") && !c.has(p(0), "o:m"));
    c.settle();
    for member in [0, 1] {
        c.assert_order(p(member), &["o:m", "g:g"]);
    }
}

/// 9b: What depends on a message that stands on a wait queue elsewhere does not wait for that GBCAST.
#[test]
fn review_09_received_never_waits_for_a_wait_queue() {
    let mut c = wait_queue_up_at_site_0();
    c.obcast(p(3), list(&[p(0)]), Causal, "B");
    c.obcast(p(3), list(&[p(4)]), Causal, "B'");
    c.flush(p(3));
    c.run();
    assert!(c.has(p(4), "o:B'"));
    assert!(c.has(p(3), "Flushed"));
    assert!(!c.has(p(0), "o:B"));
    c.settle();
}

/// 9c: A flush returns only when what the message depends on is safe as well.
#[test]
fn review_09_a_flush_covers_the_dependencies() {
    let mut c = Cluster::running(3);
    c.hold(1, 2, "");
    c.obcast(p(1), list(&[p(0), p(2)]), Causal, "C");
    c.run();
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    c.flush(p(0));
    c.run();
    let flushed = c.has(p(0), "Flushed");
    c.fail(&[0, 1]);
    c.settle();
    if flushed {
        assert_eq!(c.messages(p(2)), ["o:C", "o:B'"]);
    } else {
        assert!(c.messages(p(2)).is_empty());
    }
}

/// 47: A message that is received at its destination, and therefore stable, but stands on its wait
/// queue, still counts as a predecessor of what comes later by way of others.
#[test]
fn review_47_a_stable_message_that_is_not_placed_keeps_its_order() {
    let mut c = Cluster::running(5);
    let [q, r, coordinator] = [2, 3, 4];
    let group = c.group("g", &[p(coordinator), p(q), p(r)]);
    c.hold(coordinator, r, "run up");
    c.gbcast(p(coordinator), group, "g");
    c.run();
    c.obcast(p(0), list(&[p(q)]), stream("x"), "m1");
    c.run();
    c.obcast(p(0), list(&[p(1)]), stream("x"), "m2");
    c.run();
    assert!(c.has(p(1), "o:m2"));
    c.obcast(p(1), list(&[p(q), p(r)]), stream("x"), "m3");
    c.run();
    assert!(c.has(p(r), "o:m3") && c.messages(p(q)).is_empty());
    c.settle();
    c.assert_order(p(q), &["o:m1", "o:m3", "g:g"]);
    c.assert_order(p(r), &["o:m3", "g:g"]);
}
