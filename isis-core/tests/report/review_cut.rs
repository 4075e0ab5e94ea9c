//! PROTOCOL-REVIEW: what a change of site view does to messages (5, 12, 46, 50).

use isis_core::delivery::Olabel::Causal;

use crate::calls::list;
use crate::cluster::{Cluster, at, p, site};

/// 5a: Suspicions and proposals change nothing in the broadcast layer: a message to a site that a
/// superseded proposal would have excluded reaches it.
#[test]
fn review_05_a_message_to_a_site_that_stays_is_delivered() {
    let mut c = Cluster::running(5);
    c.hold(4, 3, "");
    let m = c.obcast(p(4), list(&[p(2), p(3)]), Causal, "m");
    c.flush(p(4));
    c.status(p(4), m);
    c.run();
    assert!(!c.has(p(4), "Flushed"), "site 3 has not got it");
    c.fail(&[0]);
    c.settle();
    assert_eq!(c.messages(p(3)), ["o:m"]);
    assert!(c.has(p(4), "Flushed"));
}

/// 5b: No receipt comes from behind the gate: an excluded site's flush does not return.
#[test]
fn review_05_an_excluded_sites_flush_does_not_return() {
    let mut c = Cluster::running(3);
    let view = c.install_everywhere(&[site(0), site(1)]);
    c.obcast(p(2), list(&[p(0), p(1)]), Causal, "m");
    c.flush(p(2));
    c.run();
    assert!(!c.has(p(2), "Flushed"));
    c.exclude(2, &view);
    c.run();
    assert_eq!(c.log(p(2)), ["Excluded"]);
    assert!(c.messages(p(0)).is_empty());
    c.crash(2);
    c.settle();
}

/// 12: What arrives from an excluded site after INSTALL is dropped; what one site took before its
/// INSTALL, all get.
#[test]
fn review_12_install_is_a_gate() {
    let mut c = Cluster::running(3);
    c.obcast(p(2), list(&[p(0), p(1)]), Causal, "early");
    c.obcast(p(2), list(&[p(0), p(1)]), Causal, "late");
    let view = c.commit(&[site(0), site(1)]);
    c.install(0, &view);
    c.pass(2, 1, "obcast early");
    c.pass(2, 0, "obcast early");
    c.install(1, &view);
    c.run();
    c.crash(2);
    c.settle();
    for survivor in [0, 1] {
        assert_eq!(c.messages(p(survivor)), ["o:early"]);
    }
}

/// 12: After a process heard from one that saw the failure, it hears nothing of the failed one.
#[test]
fn review_12_nothing_comes_from_the_failed_after_a_witness_of_the_failure() {
    let mut c = Cluster::running(3);
    c.hold(2, 1, "");
    c.obcast(p(2), list(&[p(1)]), Causal, "from the failed");
    let view = c.commit(&[site(0), site(1)]);
    c.install(0, &view);
    c.run();
    c.install(1, &view);
    c.run();
    c.bcast(p(0), list(&[p(1)]), "L", "I saw it fail");
    c.run();
    c.release(2, 1);
    c.run();
    assert_eq!(c.messages(p(1)), ["b:I saw it fail"]);
    c.crash(2);
    c.settle();
}

/// 12: A site that has not installed the view yet keeps what is sent in it.
#[test]
fn review_12_messages_of_a_later_view_wait_for_its_install() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    let to_group = isis_core::machine::broadcast::Address::Group(group);
    c.crash(2);
    let view = c.commit(&[site(0), site(1)]);
    c.install(0, &view);
    c.bcast(p(0), to_group, "L", "in the new view");
    c.run();
    assert!(c.messages(p(1)).is_empty());
    c.install(1, &view);
    c.settle();
    c.assert_order(p(1), &["g#4[0 1]", "b:in the new view"]);
}

/// 12: A second failure at any point of the completion.
#[test]
fn review_12_a_second_failure_during_the_completion() {
    for stop in [
        "push end",
        "cut report",
        "cut decision",
        "cut has stored",
        "cut go",
    ] {
        for second in [1, 2] {
            let mut c = Cluster::running(5);
            let all: Vec<_> = (0..5).map(p).collect();
            c.group("g", &all);
            for sender in [4, second] {
                c.bcast(p(sender), list(&all), "L", &format!("b{sender}"));
                c.obcast(p(sender), list(&all), Causal, &format!("o{sender}"));
                c.pass(sender, 3, "bcast");
                c.pass(sender, 3, "obcast");
            }
            let manager = 0;
            for other in [1, 2, 3] {
                c.hold(manager, other, stop);
                c.hold(other, manager, stop);
            }
            c.fail(&[4]);
            c.run();
            c.release_all();
            c.fail(&[second]);
            c.settle();
            for survivor in [0, 3] {
                let mut got = c.messages(p(survivor));
                got.retain(|w| w.contains('4'));
                got.sort();
                assert_eq!(got, ["b:b4", "o:o4"], "{stop}, then {second}");
            }
        }
    }
}

/// 46: The proposal of an orphan is withheld at one survivor, and a live BCAST of its label is final:
/// all place the two in one order.
#[test]
fn review_46_a_withheld_orphan_has_one_place() {
    let mut c = Cluster::running(4);
    let [sender, q, other, coordinator] = [0, 1, 2, 3];
    let group = c.group("g", &[p(coordinator), p(q), p(other)]);
    c.hold(coordinator, other, "run up");
    c.gbcast(p(coordinator), group, "g");
    c.run();
    c.obcast(p(sender), list(&[p(q)]), Causal, "o");
    c.bcast(p(sender), list(&[p(q), p(other)]), "L", "m");
    c.run();
    c.raise_clock(p(q), 50);
    c.bcast(p(other), list(&[p(q), p(other)]), "L", "m9");
    c.run();
    c.fail(&[sender]);
    c.settle();
    c.assert_order(p(q), &["o:o", "b:m"]);
    for survivor in [q, other] {
        assert!(c.has(p(survivor), "b:m9") && c.has(p(survivor), "g:g"));
    }
}

/// 50: A decision that one site has applied is repeated verbatim by the next completion, and equal
/// numbers of different senders are told apart by the messages' ids.
#[test]
fn review_50_an_applied_decision_is_repeated() {
    for applied in [0, 1] {
        let mut c = Cluster::running(4);
        let second = c.open(site(3), 2);
        let to = [p(0), p(1), p(2), at(3, 1)];
        c.group("g", &to);
        for (sender, text) in [(p(3), "b1"), (second, "b2"), (p(2), "b3")] {
            c.bcast(sender, list(&to), "L", text);
        }
        for receiver in [0, 1] {
            c.pass(3, receiver, "b1");
            c.pass(3, receiver, "b2");
        }
        c.hold(0, 2, "cut go");
        c.hold(1, 2, "control");
        if applied == 0 {
            c.hold(0, 1, "cut go");
        }
        c.fail(&[3]);
        c.run();
        assert!(c.has(p(applied), "b:b1") && !c.has(p(2), "b:b1"));
        c.bcast(p(applied), list(&[p(1), p(2)]), "L", "afterwards");
        c.run();
        c.release_all();
        c.fail(&[0]);
        c.settle();
        for survivor in [1, 2] {
            let got = c.messages(p(survivor));
            assert_eq!(got[..3], c.messages(p(applied))[..3]);
        }
    }
}
