//! §3 to §3.2: atomicity, BCAST and OBCAST.

use isis_core::delivery::{Event, Olabel, Olabel::Causal};
use isis_core::machine::broadcast::Address;
use isis_core::order::{Comparison, Relation};

use crate::calls::{list, stream};
use crate::cluster::{Cluster, at, p, site};

#[test]
fn s3_a_broadcast_that_one_survivor_has_reaches_all() {
    for holder in 1..4 {
        let mut c = Cluster::running(4);
        let all = [p(1), p(2), p(3)];
        c.bcast(p(0), list(&all), "L", "b");
        c.obcast(p(0), list(&all), Causal, "o");
        c.pass(0, holder, "bcast b");
        c.pass(0, holder, "obcast o");
        c.fail(&[0]);
        c.settle();
        for survivor in 1..4 {
            assert!(c.has(p(survivor), "b:b") && c.has(p(survivor), "o:o"));
        }
    }
}

#[test]
fn s3_a_broadcast_that_no_survivor_has_reaches_nobody() {
    let mut c = Cluster::running(3);
    c.bcast(p(0), list(&[p(0), p(1), p(2)]), "L", "b");
    c.obcast(p(0), list(&[p(0), p(1), p(2)]), Causal, "o");
    c.fail(&[0]);
    c.settle();
    assert!(c.messages(p(1)).is_empty() && c.messages(p(2)).is_empty());
}

/// Footnote 2.
#[test]
fn s3_indirect_observation_counts_as_reception() {
    let mut c = Cluster::running(4);
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "m");
    c.pass(0, 1, "obcast m");
    c.take(p(1));
    c.obcast(p(1), list(&[p(3)]), Causal, "seen m");
    c.pass(1, 3, "obcast seen m");
    c.fail(&[0, 1]);
    c.settle();
    assert!(c.has(p(3), "o:seen m"));
    assert!(c.has(p(2), "o:m"));
}

#[test]
fn s3_ids_are_unique_and_the_same_everywhere() {
    let mut c = Cluster::running(2);
    let to = || list(&[p(0), p(1)]);
    let ids = [
        c.bcast(p(0), to(), "L", "1"),
        c.bcast(p(1), to(), "L", "2"),
        c.obcast(p(0), to(), Causal, "3"),
        c.bcast(p(0), to(), "L", "4"),
    ];
    c.settle();
    for process in [p(0), p(1)] {
        let seen = c.taken[&process].iter().filter_map(|e| match e {
            Event::Message(m) => Some(m.id),
            _ => None,
        });
        let mut seen: Vec<_> = seen.collect();
        seen.sort();
        let mut sent = ids.to_vec();
        sent.sort();
        assert_eq!(seen, sent);
    }
}

#[test]
fn s3_1_a_bcast_goes_to_exactly_its_destinations() {
    let mut c = Cluster::running(3);
    let second = c.open(site(1), 2);
    let third = c.open(site(1), 3);
    c.bcast(p(0), list(&[second, p(2)]), "L", "b");
    c.settle();
    for process in [second, p(2)] {
        assert_eq!(c.messages(process), ["b:b"]);
    }
    for process in [p(0), p(1), third] {
        assert!(c.messages(process).is_empty());
    }
}

#[test]
fn s3_1_bcasts_of_one_label_come_in_one_order_at_common_destinations() {
    let mut c = Cluster::running(4);
    c.raise_clock(p(2), 7);
    c.hold(0, 3, "");
    c.hold(1, 2, "");
    for i in 0..5 {
        c.bcast(p(0), list(&[p(1), p(2), p(3)]), "queue", &format!("0.{i}"));
        c.bcast(p(1), list(&[p(2), p(3)]), "queue", &format!("1.{i}"));
        c.bcast(p(3), list(&[p(3), p(2), p(0)]), "queue", &format!("3.{i}"));
        c.run();
    }
    c.settle();
    assert_eq!(c.messages(p(2)), c.messages(p(3)));
    assert_eq!(c.messages(p(2)).len(), 15);
}

/// Rule A.
#[test]
fn s3_2_obcasts_of_one_sender_come_in_the_order_of_their_olabels() {
    let mut c = Cluster::running(3);
    for text in ["set to zero", "increment"] {
        c.obcast(p(0), list(&[p(1), p(2)]), stream("x"), text);
    }
    c.settle();
    for copy in [1, 2] {
        assert_eq!(c.messages(p(copy)), ["o:set to zero", "o:increment"]);
    }
}

/// Rule B, and the transitive closure: through processes that are no common destination.
#[test]
fn s3_2_precedes_is_transitive_over_deliveries() {
    let mut c = Cluster::running(4);
    c.hold(0, 3, "");
    c.obcast(p(0), list(&[p(1), p(3)]), stream("x"), "first");
    c.run();
    c.obcast(p(1), list(&[p(2)]), stream("x"), "second");
    c.run();
    c.obcast(p(2), list(&[p(3)]), stream("x"), "third");
    c.run();
    c.settle();
    assert_eq!(c.messages(p(3)), ["o:first", "o:third"]);
}

#[test]
fn s3_2_an_event_that_was_not_taken_precedes_nothing() {
    let mut c = Cluster::running(3);
    c.slow.insert(p(1));
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), stream("x"), "first");
    c.run();
    c.obcast(p(1), list(&[p(2)]), stream("x"), "unaware");
    c.run();
    assert_eq!(c.messages(p(2)), ["o:unaware"]);
    c.take(p(1));
    c.slow.clear();
    c.settle();
}

/// The update of y does not wait for that of x.
#[test]
fn s3_2_unrelated_obcasts_do_not_wait_for_each_other() {
    for (first, second) in [(stream("x"), stream("y")), (Causal, Olabel::Unordered)] {
        let mut c = Cluster::running(3);
        c.hold(2, 1, "");
        c.obcast(p(2), list(&[p(0), p(1)]), first, "x");
        c.run();
        assert!(c.has(p(0), "o:x"));
        c.obcast(p(0), list(&[p(1)]), second, "y");
        c.run();
        assert_eq!(c.messages(p(1)), ["o:y"]);
        c.settle();
    }
}

/// The wine bottles: replies make two processes' broadcasts causally related.
#[test]
fn s3_2_replies_order_the_broadcasts_of_two_processes() {
    let mut c = Cluster::running(4);
    let (q, taps) = (p(1), [p(2), p(3)]);
    c.obcast(p(0), list(&taps), Causal, "place the bottles");
    c.hold(0, 3, "");
    c.run();
    c.obcast(taps[0], list(&[q]), Causal, "placed");
    c.run();
    c.obcast(q, list(&taps), Causal, "open the taps");
    c.run();
    c.settle();
    for tap in taps {
        assert_eq!(c.messages(tap), ["o:place the bottles", "o:open the taps"]);
    }
}

#[test]
fn s3_3_a_process_is_a_group_of_its_own() {
    let mut c = Cluster::running(1);
    let second = c.open(site(0), 2);
    c.bcast(second, list(&[second]), "L", "to myself");
    c.settle();
    assert_eq!(c.messages(at(0, 2)), ["b:to myself"]);
}

#[test]
fn s3_3_members_have_one_sequence_of_numbered_views() {
    let mut c = Cluster::running(3);
    for n in 0..3 {
        c.join(p(n), "g");
        c.run();
    }
    let Some(Event::View(view)) = c.taken[&p(0)].iter().find(|e| matches!(e, Event::View(_)))
    else {
        panic!("the founder has a view");
    };
    c.leave(p(1), view.group);
    c.settle();
    let views = |n| {
        let mut log = c.log(p(n));
        log.retain(|w| w.contains('#'));
        log
    };
    let all = ["g#1[0]", "g#2[0 1]", "g#3[0 1 2]", "g#4[0 2]"];
    assert_eq!(views(0), all);
    assert_eq!(views(1), all[1..]);
    assert_eq!(views(2), all[2..]);
}

#[test]
fn s3_3_simultaneous_joins_of_a_name_make_one_group() {
    let mut c = Cluster::running(3);
    (0..3).for_each(|n| c.join(p(n), "g"));
    c.settle();
    let last: Vec<String> = (0..3).map(|n| c.last_view(p(n))).collect();
    assert!(last.iter().all(|v| v.matches(' ').count() == 2), "{last:?}");
    assert!(last.windows(2).all(|w| w[0] == w[1]));
}

/// §3.2, DESIGN R19: an OBCAST in several streams follows whatever is in one of them, and is followed
/// by all of each; other streams do not wait.
#[test]
fn s3_2_a_set_of_streams_follows_each_of_them() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    for (name, text) in [("x", "in x"), ("y", "in y"), ("z", "in z")] {
        c.obcast(p(0), list(&[p(1), p(2)]), stream(name), text);
    }
    c.run();
    c.obcast(p(1), list(&[p(2)]), stream("x,y"), "both");
    c.obcast(p(1), list(&[p(2)]), stream("y,w"), "last");
    c.obcast(p(1), list(&[p(2)]), stream("w"), "w");
    c.obcast(p(1), list(&[p(2)]), stream("v,u"), "other");
    c.pass(1, 2, "obcast other");
    c.take(p(2));
    assert_eq!(c.messages(p(2)), ["o:other"]);
    c.settle();
    c.assert_order(p(2), &["o:in x", "o:both", "o:last", "o:w"]);
    c.assert_order(p(2), &["o:in y", "o:both"]);
}

/// §3.2: olabels compared by the application. One that is less than an earlier one is accepted, and
/// nothing orders the two.
#[test]
fn s3_2_a_registered_comparison_is_the_order_of_olabels() {
    let mut c = Cluster::new(3);
    let number = |s: &str| s.parse::<u32>().map_err(|e| e.to_string());
    let order = Comparison::new("by tens", move |a: &str, b: &str| {
        let (a, b) = (number(a)?, number(b)?);
        Ok(match (a / 10 == b / 10, a < b) {
            (false, _) => Relation::Unrelated,
            _ if a == b => Relation::Equal,
            (_, true) => Relation::Before,
            (_, false) => Relation::After,
        })
    });
    c.config.olabels = Some(order);
    for id in 0..3 {
        c.open(site(id), 1);
    }
    c.install_everywhere(&[site(0), site(1), site(2)]);
    c.run();
    c.hold(0, 2, "");
    for name in ["12", "25", "14"] {
        c.obcast(p(0), list(&[p(1), p(2)]), stream(name), name);
    }
    c.run();
    for name in ["16", "13", "25", "31"] {
        c.obcast(p(1), list(&[p(2)]), stream(name), &format!("{name}'"));
    }
    c.pass(1, 2, "obcast 31'");
    c.take(p(2));
    assert_eq!(c.messages(p(2)), ["o:31'"]);
    assert_eq!(c.endpoints[&p(1)].late(), 1, "13 after 14");
    c.settle();
    c.assert_order(p(2), &["o:12", "o:14", "o:16'"]);
    c.assert_order(p(2), &["o:12", "o:13'"]);
    c.assert_order(p(2), &["o:25", "o:25'"]);
}

/// R19: that a registered comparison is transitive is not checked. Where it goes round there is no order
/// among what has not taken each other's way, but all get the same, on one side of a GBCAST and of a
/// failure.
#[test]
fn s3_2_a_cycle_of_three_olabels_costs_order_and_never_agreement() {
    let mut c = Cluster::new(4);
    let order = Comparison::new("round", |a: &str, b: &str| {
        Ok(match (a, b) {
            _ if a == b => Relation::Equal,
            ("a", "b") | ("b", "c") | ("c", "a") => Relation::Before,
            _ => Relation::After,
        })
    });
    c.config.olabels = Some(order);
    for id in 0..4 {
        c.open(site(id), 1);
    }
    c.install_everywhere(&[0, 1, 2, 3].map(site));
    c.run();
    let group = c.group("g", &[p(0), p(1), p(2), p(3)]);
    let to = || Address::Group(group);
    let send = |c: &mut Cluster, sender, name, text| c.obcast(p(sender), to(), stream(name), text);
    c.hold(0, 3, "");
    send(&mut c, 0, "a", "a");
    c.run();
    // Less than what its sender has taken: not ordered against it.
    send(&mut c, 1, "c", "c");
    c.run();
    assert_eq!(c.messages(p(3)), ["o:c"]);
    assert_eq!(c.messages(p(1)), ["o:a", "o:c"]);
    // After a by name, which has not come there and is asked for; after c it cannot be ordered.
    send(&mut c, 2, "b", "b");
    c.run();
    assert_eq!(c.messages(p(3)), ["o:c", "o:a", "o:b"]);
    // All the way round: each follows the one before, and so all of them.
    for (name, text) in [("c", "1"), ("a", "2"), ("b", "3"), ("c", "4")] {
        send(&mut c, 1, name, text);
    }
    c.gbcast(p(2), group, "g");
    send(&mut c, 2, "a", "last");
    c.release(0, 3);
    c.run();
    let sides = |c: &Cluster, process| {
        let all = c.messages(process);
        let mut sides = all.split(|m| m == "g:g").map(<[String]>::to_vec);
        let [mut before, mut after] = [(); 2].map(|()| sides.next().expect("a side"));
        before.sort();
        after.sort();
        [before, after]
    };
    for process in [p(0), p(1), p(2), p(3)] {
        c.assert_order(process, &["o:a", "o:b", "o:1", "o:2", "o:3", "o:4"]);
        assert_eq!(sides(&c, process), sides(&c, p(0)));
    }
    for (name, text) in [("a", "x"), ("b", "y"), ("c", "z")] {
        send(&mut c, 0, name, text);
    }
    c.pass(0, 2, "obcast z");
    c.fail(&[0]);
    c.settle();
    for process in [p(1), p(2), p(3)] {
        c.assert_order(process, &["o:x", "o:y", "o:z"]);
        assert!(c.last_view(process).ends_with("[1 2 3]"));
    }
}
