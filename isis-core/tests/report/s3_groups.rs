//! §3.3 to §3.5: GBCAST, failures and recoveries, flush, group addressing.

use isis_core::delivery::{Event, LeaveReason, Olabel::Causal};
use isis_core::ids::{Incarnation, Site};
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

#[test]
fn s3_3_every_message_is_on_one_side_of_a_gbcast() {
    for held in ["run start", "run final", "run up", "run commit"] {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1), p(2)]);
        c.hold(0, 2, held);
        c.gbcast(p(1), group, "g");
        for i in 0..6 {
            let sender = p(i % 3);
            c.bcast(sender, Address::Group(group), "L", &format!("b{i}"));
            c.obcast(sender, Address::Group(group), Causal, &format!("o{i}"));
            c.run();
        }
        c.settle();
        for member in 0..3 {
            assert_eq!(c.messages(p(member)).len(), 13, "{held}");
        }
    }
}

/// The server of §3.3: whoever gets a request knows who else got it in the same view.
#[test]
fn s3_3_members_answer_a_request_in_one_view() {
    for reached in [1, 2, 3] {
        let mut c = Cluster::running(4);
        let group = c.group("g", &[p(0), p(1), p(2), p(3)]);
        for to in 1..=reached {
            c.hold(0, to, "control");
        }
        c.bcast(p(3), Address::Group(group), "L", "request");
        c.run();
        c.fail(&[0]);
        c.bcast(p(3), Address::Group(group), "L", "another");
        c.settle();
        let views = |n| -> Vec<_> {
            let messages = c.taken[&p(n)].iter().filter_map(|e| match e {
                Event::Message(m) => Some((m.payload.clone(), m.group)),
                _ => None,
            });
            messages.collect()
        };
        assert_eq!(views(1).len(), 2);
        assert_eq!(views(1), views(2));
        assert_eq!(views(1), views(3));
    }
}

#[test]
fn s3_3_a_crash_fails_every_process_of_the_site_in_all_its_groups() {
    let mut c = Cluster::running(2);
    let [a, b] = [c.open(site(1), 2), c.open(site(1), 3)];
    c.group("G", &[p(0), p(1), a]);
    c.group("H", &[a, b, p(0)]);
    c.fail(&[1]);
    c.settle();
    assert!(c.has(p(0), "G#4[0]") && c.has(p(0), "H#4[0]"));
    let reasons = c.taken[&p(0)].iter().filter_map(|e| match e {
        Event::View(v) => Some(v.left.iter().map(|(_, reason)| *reason)),
        _ => None,
    });
    let reasons: Vec<_> = reasons.flatten().collect();
    assert_eq!(reasons, [LeaveReason::SiteFailed; 4]);
}

#[test]
fn s3_3_a_failure_comes_after_every_message_of_the_failed() {
    let mut c = Cluster::running(4);
    let group = c.group("g", &[p(0), p(1), p(2), p(3)]);
    c.bcast(p(3), Address::Group(group), "L", "b");
    c.obcast(p(3), Address::Group(group), Causal, "o");
    c.obcast(p(3), list(&[p(2)]), stream("x"), "listed");
    c.pass(3, 0, "bcast b");
    c.pass(3, 1, "obcast o");
    c.pass(3, 2, "obcast listed");
    c.fail(&[3]);
    c.settle();
    for member in 0..3 {
        c.assert_order(p(member), &["b:b", "g#5[0 1 2]"]);
        c.assert_order(p(member), &["o:o", "g#5[0 1 2]"]);
    }
    c.assert_order(p(2), &["o:listed", "g#5[0 1 2]"]);
}

#[test]
fn s3_3_a_process_that_ends_is_failed_after_its_messages() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.hold(1, 2, "");
    c.bcast(p(1), Address::Group(group), "L", "b");
    c.obcast(p(1), Address::Group(group), Causal, "o");
    c.close(p(1));
    c.settle();
    for member in [0, 2] {
        c.assert_order(p(member), &["b:b", "g#4[0 2]"]);
        c.assert_order(p(member), &["o:o", "g#4[0 2]"]);
    }
}

#[test]
fn s3_3_a_recovered_site_joins_again() {
    let mut c = Cluster::running(2);
    let group = c.group("g", &[p(0), p(1)]);
    c.fail(&[1]);
    c.settle();
    let again = Site {
        incarnation: Incarnation(2),
        ..site(1)
    };
    c.start(again);
    let process = c.open(again, 1);
    c.install_everywhere(&[site(0), again]);
    c.join(process, "g");
    c.run();
    c.bcast(process, Address::Group(group), "L", "back");
    c.settle();
    c.assert_order(p(0), &["g#3[0]", "g#4[0 1]", "b:back"]);
    c.assert_order(process, &["g#4[0 1]", "b:back"]);
}

#[test]
fn s3_4_flush_waits_until_obcasts_are_at_their_destinations() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "checkpoint");
    c.flush(p(0));
    c.run();
    assert!(!c.has(p(0), "Flushed"));
    c.release_all();
    c.run();
    assert!(c.has(p(0), "Flushed"));
    c.settle();
}

/// A checkpoint that was flushed outlives its sender.
#[test]
fn s3_4_what_was_flushed_survives_its_sender() {
    let mut c = Cluster::running(3);
    c.slow.extend([p(1), p(2)]);
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "checkpoint");
    c.bcast(p(0), list(&[p(1), p(2)]), "L", "committed");
    c.flush(p(0));
    c.run();
    assert!(c.has(p(0), "Flushed"));
    c.slow.clear();
    c.fail(&[0]);
    c.settle();
    for backup in [1, 2] {
        assert!(c.has(p(backup), "o:checkpoint") && c.has(p(backup), "b:committed"));
    }
}

#[test]
fn s3_5_a_bcast_that_meets_a_join_reaches_the_joiner_or_is_before_it() {
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
        c.join(p(2), "g");
        c.run();
        c.bcast(p(1), Address::Group(group), "L", "b");
        c.bcast(p(0), Address::Group(group), "L", "c");
        c.settle();
        for member in [0, 1] {
            assert!(c.has(p(member), "b:b") && c.has(p(member), "b:c"));
        }
        for text in ["b:b", "b:c"] {
            let log = c.log(p(0));
            let place = |w: &str| log.iter().position(|l| l == w);
            let after = place(text) > place("g#3[0 1 2]");
            assert_eq!(c.has(p(2), text), after, "{held} {text}");
        }
    }
}

#[test]
fn s3_5_rejection_shows_neither_as_loss_nor_as_duplicate() {
    let mut c = Cluster::running(4);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.leave(p(2), group);
    c.pass(2, 0, "run request");
    c.pass(0, 1, "run start");
    c.pass(0, 2, "run start");
    for i in 0..10 {
        c.bcast(p(i % 2), Address::Group(group), "L", &format!("{i}"));
    }
    c.join(p(3), "g");
    c.settle();
    assert_eq!(c.messages(p(0)).len(), 10);
    assert_eq!(c.messages(p(0)), c.messages(p(1)));
    let resent = |n: &(Site, _)| matches!(n.1, isis_core::machine::broadcast::Note::Resent { count } if count > 0);
    assert!(c.notes.iter().any(resent), "nothing was rejected");
}

/// A, B and C of §3.5, of which the first two leave before the cache is updated.
#[test]
fn s3_5_obcast_order_survives_a_change_of_view() {
    for held in ["run start", "run up", "run store", "run commit"] {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1)]);
        c.hold(0, 1, held);
        c.join(p(2), "g");
        c.obcast(p(1), Address::Group(group), stream("x"), "A");
        c.run();
        c.obcast(p(1), Address::Group(group), stream("x"), "B");
        c.release_all();
        c.run();
        c.obcast(p(1), Address::Group(group), stream("x"), "C");
        c.settle();
        c.assert_order(p(0), &["o:A", "o:B", "o:C"]);
        assert_eq!(c.messages(p(2)).last().unwrap(), "o:C");
    }
}

#[test]
fn s3_5_a_message_stamped_with_a_view_waits_for_it() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run commit");
    c.join(p(2), "g");
    c.run();
    c.bcast(p(2), Address::Group(group), "L", "b");
    c.obcast(p(2), Address::Group(group), Causal, "o");
    c.run();
    assert!(c.messages(p(1)).is_empty());
    c.settle();
    c.assert_order(p(1), &["g#3[0 1 2]", "o:o", "b:b"]);
}
