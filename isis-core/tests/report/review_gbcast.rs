//! PROTOCOL-REVIEW: GBCAST runs that are interrupted (10), and wait phases that meet (44, 45); the
//! window (49).

use isis_core::delivery::Olabel::Causal;
use isis_core::error::Error;
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

/// 10a: A GBCAST that one member has delivered keeps its place: what that member delivered afterwards
/// is after it at all.
#[test]
fn review_10_a_committed_gbcast_keeps_its_place() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.hold(0, 2, "run commit");
    c.gbcast(p(1), group, "g");
    c.run();
    assert!(c.has(p(1), "g:g"));
    c.obcast(p(1), Address::Group(group), Causal, "m");
    c.run();
    c.fail(&[0]);
    c.settle();
    for member in [1, 2] {
        c.assert_order(p(member), &["g:g", "o:m"]);
    }
}

/// 10a, if the message after it was seen by its sender only.
#[test]
fn review_10_a_committed_gbcast_is_not_run_again() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.hold(0, 2, "run commit");
    c.hold(1, 2, "");
    c.gbcast(p(1), group, "g");
    c.run();
    c.release(1, 2);
    c.run();
    c.hold(1, 2, "");
    c.bcast(p(1), Address::Group(group), "L", "m");
    c.run();
    c.release(1, 2);
    c.fail(&[0]);
    c.settle();
    for member in [1, 2] {
        c.assert_order(p(member), &["g:g", "b:m"]);
    }
}

/// 10b: A view that the coordinator installed before it died is everybody's next view.
#[test]
fn review_10_a_group_view_is_one_everywhere() {
    let mut c = Cluster::running(3);
    c.group("g", &[p(0), p(1)]);
    c.hold(0, 1, "run commit");
    c.hold(0, 2, "run commit");
    c.join(p(2), "g");
    c.run();
    assert_eq!(c.last_view(p(0)), "g#3[0 1 2]");
    assert_eq!(c.last_view(p(1)), "g#2[0 1]");
    c.fail(&[0]);
    c.settle();
    for member in [1, 2] {
        c.assert_order(p(member), &["g#3[0 1 2]", "g#4[1 2]"]);
    }
}

/// 10b, before everybody has stored it: nobody has installed the view, and the join is run again.
#[test]
fn review_10_a_group_view_waits_until_it_is_stored() {
    for held in ["run start", "run up", "run store"] {
        let mut c = Cluster::running(3);
        c.group("g", &[p(0), p(1)]);
        c.hold(0, 1, held);
        c.join(p(2), "g");
        c.run();
        assert_eq!(c.last_view(p(0)), "g#2[0 1]", "{held}");
        c.fail(&[0]);
        c.settle();
        assert!(c.has(p(2), "Joined"), "{held}: {:?}", c.log(p(2)));
        assert!(c.last_view(p(2)).ends_with("[1 2]"), "{held}");
    }
}

/// 44: Each of two BCASTs is withheld at one site, behind an OBCAST that arrives in the wait phase; the
/// GBCAST waits for both.
#[test]
fn review_44_withheld_proposals_and_a_gbcast_do_not_deadlock() {
    let mut c = Cluster::running(4);
    let [q, r, x, y] = [0, 1, 2, 3];
    let group = c.group("g", &[p(q), p(r)]);
    for (sender, first, other) in [(x, q, r), (y, r, q)] {
        c.hold(sender, first, "");
        c.obcast(p(sender), list(&[p(first)]), stream("s"), "o");
        c.bcast(p(sender), list(&[p(q), p(r)]), "L", &format!("b{sender}"));
        c.pass(sender, other, "bcast b");
    }
    c.gbcast(p(q), group, "g");
    c.run();
    assert!(!c.has(p(q), "g:g") && !c.has(p(r), "g:g"));
    c.settle();
    for member in [q, r] {
        let mut all = c.messages(p(member));
        all.sort();
        assert_eq!(all, ["b:b2", "b:b3", "g:g", "o:o"]);
    }
}

/// 44 with the GBCAST first: its number is out when the OBCASTs and the BCASTs arrive crosswise.
#[test]
fn review_44_the_same_within_the_wait_phase() {
    for held in ["run final", "run up", "run store", "run commit"] {
        let mut c = Cluster::running(4);
        let [q, r, x, y] = [0, 1, 2, 3];
        let group = c.group("g", &[p(q), p(r)]);
        c.hold(q, r, held);
        c.gbcast(p(q), group, "g");
        c.run();
        for (sender, first) in [(x, q), (y, r)] {
            c.obcast(p(sender), list(&[p(first)]), stream("s"), "o");
            c.bcast(p(sender), list(&[p(q), p(r)]), "L", &format!("b{sender}"));
        }
        c.run();
        c.settle();
        for member in [q, r] {
            let mut all = c.messages(p(member));
            all.sort();
            assert_eq!(all, ["b:b2", "b:b3", "g:g", "o:o"], "{held}");
        }
    }
}

/// 45: Two groups overlap in one process, and an OBCAST goes to all their members.
#[test]
fn review_45_overlapping_groups_see_an_obcast_on_one_side() {
    for first in [0, 1] {
        let mut c = Cluster::running(4);
        let [s, q, r, x] = [0, 1, 2, 3];
        let groups = [c.group("G1", &[p(s), p(r)]), c.group("G2", &[p(q), p(r)])];
        c.hold(x, r, "");
        c.hold(x, if first == 0 { q } else { s }, "");
        c.obcast(p(x), list(&[p(q), p(r), p(s)]), stream("s"), "O");
        c.run();
        c.gbcast(p(s), groups[0], "g1");
        c.gbcast(p(q), groups[1], "g2");
        c.run();
        c.settle();
        let all = ["g:g1", "g:g2", "o:O"];
        let mut log = c.messages(p(r));
        log.sort();
        assert_eq!(log, all);
    }
}

/// 49: Credit is taken when a send is accepted: two processes that flush, and take nothing meanwhile,
/// come back although each has filled the other's window.
#[test]
fn review_49_blocking_flushes_return_without_deliveries() {
    let mut c = Cluster::new(2);
    c.config.window_messages = 2;
    let processes = [c.open(site(0), 1), c.open(site(1), 1)];
    c.install_everywhere(&[site(0), site(1)]);
    c.run();
    c.slow.extend(processes);
    let flushes = processes.map(|process| {
        for text in ["1", "2"] {
            c.obcast(process, list(&processes), Causal, text);
        }
        let full = c.try_bcast(process, list(&processes), "L", "3");
        assert_eq!(full, Err(Error::WouldBlock));
        (process, c.flush_blocking(process))
    });
    c.run();
    for (process, token) in flushes {
        assert!(c.has_returned(process, token));
    }
    c.slow.clear();
    c.settle();
    assert!(c.has(processes[0], "Writable"));
}
