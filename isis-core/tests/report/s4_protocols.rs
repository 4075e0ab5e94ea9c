//! §4.1 *status* and §4.3: what the protocols do, where the primitives' promises do not show it.

use isis_core::delivery::Olabel::Causal;
use isis_core::machine::broadcast::{Address, Status};

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

#[test]
fn s4_1_status_is_sent_once_it_is_received_or_the_site_has_failed() {
    let mut c = Cluster::running(4);
    c.hold(0, 2, "");
    let m = c.obcast(p(0), list(&[p(1), p(2)]), Causal, "m");
    c.run();
    assert_eq!(c.status(p(0), m), Status::Pending);
    c.fail(&[2]);
    c.run();
    assert_eq!(c.status(p(0), m), Status::Stable);
    c.settle();
}

#[test]
fn s4_3_processes_take_in_the_order_of_placing() {
    let mut c = Cluster::running(2);
    c.slow.insert(p(1));
    for i in 0..3 {
        c.obcast(p(0), list(&[p(1)]), Causal, &format!("{i}"));
        c.bcast(p(0), list(&[p(1)]), "L", &format!("{i}"));
        c.run();
    }
    c.take(p(1));
    let order = ["o:0", "b:0", "o:1", "b:1", "o:2", "b:2"];
    assert_eq!(c.messages(p(1)), order);
    c.settle();
}

/// Step 4.
#[test]
fn s4_3_1_an_undeliverable_head_holds_the_rest_of_its_label_and_no_other() {
    let mut c = Cluster::running(4);
    c.hold(3, 0, "proposals");
    c.bcast(p(0), list(&[p(2), p(3)]), "L", "open");
    c.run();
    c.bcast(p(1), list(&[p(2)]), "L", "behind");
    c.bcast(p(1), list(&[p(2)]), "M", "other");
    c.run();
    assert_eq!(c.messages(p(2)), ["b:other"]);
    c.settle();
    c.assert_order(p(2), &["b:open", "b:behind"]);
}

/// Step 3: the maximum of the priorities, so that nothing final is ever overtaken.
#[test]
fn s4_3_1_the_final_priority_is_the_largest_proposed() {
    let mut c = Cluster::running(3);
    c.raise_clock(p(2), 40);
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "high");
    c.pass(0, 1, "bcast high");
    c.pass(0, 2, "bcast high");
    c.raise_clock(p(1), 5);
    c.bcast(p(1), list(&[p(1)]), "L", "low");
    assert!(!c.take(p(1)), "behind the tentative place of the other");
    c.settle();
    assert_eq!(c.messages(p(1)), ["b:low", "b:high"]);
}

/// The take-over, if any process had marked the message deliverable.
#[test]
fn s4_3_1_survivors_take_the_final_that_one_of_them_knows() {
    let mut c = Cluster::running(4);
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "m");
    for destination in [1, 2] {
        c.pass(0, destination, "bcast m");
        c.pass(destination, 0, "proposals");
    }
    c.pass(0, 1, "finals");
    c.take(p(1));
    c.bcast(p(3), list(&[p(1), p(2)]), "L", "n");
    c.run();
    c.fail(&[0]);
    c.settle();
    for survivor in [1, 2] {
        assert_eq!(c.messages(p(survivor)), ["b:m", "b:n"]);
    }
}

#[test]
fn s4_3_2_the_senders_own_copy_is_delivered_at_once() {
    let mut c = Cluster::running(2);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(0), p(1)]), Causal, "m");
    c.take(p(0));
    assert_eq!(c.messages(p(0)), ["o:m"]);
    c.settle();
}

/// Step 1: also to a site that is no destination of the predecessor.
#[test]
fn s4_3_2_predecessors_travel_with_a_message() {
    let mut c = Cluster::running(4);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1)]), Causal, "B");
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    assert_eq!(c.flying(0, 2), ["obcast B", "obcast B'"]);
    c.run();
    c.obcast(p(2), list(&[p(1)]), Causal, "B''");
    c.run();
    assert_eq!(c.messages(p(1)), ["o:B", "o:B''"]);
    c.settle();
}

/// Step 4, and SENT_TO.
#[test]
fn s4_3_2_a_copy_goes_to_a_site_once_and_duplicates_are_dropped() {
    let mut c = Cluster::running(3);
    let second = c.open(site(1), 2);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1), second, p(2)]), stream("x"), "m");
    c.obcast(p(0), list(&[p(1)]), stream("x"), "n");
    assert_eq!(c.flying(0, 1), ["obcast m", "obcast n"]);
    c.pass(0, 2, "obcast m");
    c.take(p(2));
    c.obcast(p(2), list(&[p(1)]), stream("x"), "o");
    c.run();
    assert_eq!(c.messages(second), ["o:m"]);
    c.settle();
    assert_eq!(c.messages(second), ["o:m"]);
    assert_eq!(c.messages(p(1)).len(), 3);
}

/// Step 3.2 and 4.3.
#[test]
fn s4_3_3_obcasts_that_arrive_in_the_wait_phase_follow_the_gbcast() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run store");
    c.gbcast(p(0), group, "g");
    c.run();
    c.obcast(p(2), list(&[p(0), p(1)]), Causal, "m");
    c.run();
    assert!(c.messages(p(0)).is_empty() && c.messages(p(1)).is_empty());
    c.settle();
    for member in [0, 1] {
        assert_eq!(c.messages(p(member)), ["g:g", "o:m"]);
    }
}

/// Steps 3.3, 3.4 and 4.2.
#[test]
fn s4_3_3_what_one_member_had_delivered_comes_before_the_gbcast_everywhere() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(2, 1, "");
    c.obcast(p(2), list(&[p(0), p(1)]), Causal, "m");
    c.run();
    assert!(c.has(p(0), "o:m"));
    c.gbcast(p(1), group, "g");
    c.run();
    c.settle();
    for member in [0, 1] {
        assert_eq!(c.messages(p(member)), ["o:m", "g:g"]);
    }
}

/// Step 2.3: a GBCAST stands in the queue of every label.
#[test]
fn s4_3_3_a_gbcast_waits_for_bcasts_below_it_of_every_label() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(2, 0, "finals");
    c.hold(2, 1, "finals");
    for label in ["L", "M"] {
        c.bcast(p(2), list(&[p(0), p(1)]), label, label);
    }
    c.run();
    c.gbcast(p(0), group, "g");
    c.run();
    assert!(c.messages(p(0)).is_empty());
    c.settle();
    for member in [0, 1] {
        c.assert_order(p(member), &["b:L", "g:g"]);
        c.assert_order(p(member), &["b:M", "g:g"]);
    }
}

#[test]
fn s4_3_3_gbcasts_of_a_group_come_in_one_order() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    for i in 0..9 {
        c.gbcast(p(i % 3), group, &format!("{i}"));
    }
    c.settle();
    for member in 1..3 {
        assert_eq!(c.messages(p(member)), c.messages(p(0)));
    }
    assert_eq!(c.messages(p(0)).len(), 9);
}

/// "If a failure occurs, any participant can restart the protocol."
#[test]
fn s4_3_3_a_gbcast_outlives_its_coordinator() {
    let steps = [
        "run start",
        "run final",
        "run up",
        "run store",
        "run commit",
    ];
    for (held, to) in steps.iter().flat_map(|s| [(*s, 1), (*s, 2)]) {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1), p(2)]);
        c.hold(0, to, held);
        c.gbcast(p(1), group, "g");
        c.run();
        c.fail(&[0]);
        c.settle();
        for member in [1, 2] {
            let log = c.messages(p(member));
            assert_eq!(log, ["g:g"], "{held} to {to}");
        }
    }
}

/// §4.4: what is settled everywhere is forgotten; `settle` checks it in every test.
#[test]
fn s4_4_stores_are_empty_when_all_is_placed() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    for i in 0..20 {
        c.bcast(p(i % 3), Address::Group(group), "L", "b");
        c.obcast(p(i % 3), Address::Group(group), Causal, "o");
    }
    c.gbcast(p(1), group, "g");
    c.flush(p(2));
    assert_ne!(c.machines[&site(0)].gauges().obcasts, 0);
    c.settle();
}

/// §4.4, DONT_SEND: a copy that arrives after its id was deleted is recognised.
#[test]
fn s4_4_a_copy_that_comes_after_collection_is_dropped() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "obcast m");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "m");
    c.run();
    c.hold(1, 2, "obcast m");
    c.obcast(p(1), list(&[p(2)]), Causal, "n");
    c.run();
    assert_eq!(c.flying(1, 2), ["obcast m"], "asked for");
    c.release(0, 2);
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:m", "o:n"]);
}

/// §4.5: also the OBCASTs of others that the process has delivered.
#[test]
fn s4_5_flush_covers_what_the_process_has_delivered() {
    let mut c = Cluster::running(3);
    c.hold(1, 2, "");
    c.obcast(p(1), list(&[p(0), p(2)]), Causal, "m");
    c.run();
    assert!(c.has(p(0), "o:m"));
    c.flush(p(0));
    c.run();
    assert!(!c.has(p(0), "Flushed"));
    c.settle();
    assert!(c.has(p(0), "Flushed"));
}

/// §4.5: a failed destination is waited for no more.
#[test]
fn s4_5_flush_waits_for_operational_destinations_only() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "m");
    c.flush(p(0));
    c.run();
    assert!(!c.has(p(0), "Flushed"));
    c.fail(&[2]);
    c.settle();
    assert!(c.has(p(0), "Flushed"));
}
