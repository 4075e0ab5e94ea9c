//! The first view (R2): PROTOCOL-REVIEW 3, 51, 52, 54, PROPERTIES V13, V14.

use isis_core::config::FirstView;
use isis_core::machine::LinkReport;
use isis_core::machine::view::Note;

use super::harness::{Network, incarnation, listing, s};

const LISTED: [u32; 3] = [0, 1, 2];

#[test]
fn a_site_without_peers_is_a_system_of_one() {
    let mut network = Network::new();
    network.start(s(4), &listing(4, &[4]));
    network.expect_view("v0", &[4]);
}

#[test]
fn the_first_view_names_whom_it_waits_for() {
    let mut network = Network::new();
    network.start(s(0), &listing(0, &LISTED));
    network.start(s(1), &listing(1, &LISTED));
    let (peer, cause) = (s(2).id, "connection refused".into());
    network.report(s(0), LinkReport::Unreachable { peer, cause });
    network.run(5000);
    assert_eq!(network.view_of(s(0)), "-");
    let waits = Note::WaitingFor("site 2 (connection refused)".into());
    assert!(network.noted(s(0), |note| *note == waits));
    assert!(network.noted(s(1), |note| *note == Note::WaitingFor("site 2".into())));
}

#[test]
fn peer_lists_that_differ_found_nothing_and_say_so() {
    let mut network = Network::new();
    network.start(s(0), &listing(0, &[0, 1]));
    network.start(s(1), &listing(1, &[0, 1, 2]));
    network.run(5000);
    assert_eq!(network.view_of(s(0)), "-");
    let differs = |note: &Note| matches!(note, Note::PeersDiffer(text) if text.contains("0, 1, 2"));
    assert!(network.noted(s(0), differs) && network.noted(s(1), differs));
}

#[test]
fn a_restart_while_founding_starts_a_higher_ballot() {
    let mut network = Network::new();
    network.keep = Box::new(|from, _, words| !(from == s(1) && words.starts_with("accept")));
    for id in LISTED {
        network.start(s(id), &listing(id, &LISTED));
    }
    network.run(100);
    assert_eq!(network.view_of(s(0)), "-");
    network.kill(s(1));
    network.start(incarnation(1, 2), &listing(1, &LISTED));
    network.until("a view with the new incarnation", |n| n.settled(&[0, 2, 1]));
    network.check();
}

#[test]
fn a_majority_founds_if_told_so() {
    let mut network = Network::new();
    for id in [1, 2] {
        let mut config = listing(id, &LISTED);
        config.first_view = FirstView::Majority;
        network.start(s(id), &config);
    }
    network.run(10);
    network.expect_view("v0", &[1, 2]);
    network.start(s(0), &listing(0, &LISTED));
    network.run(10);
    network.expect_view("v1", &[1, 2, 0]);
}

#[test]
fn a_bootstrap_site_founds_alone_unless_it_hears_of_a_view() {
    let alone = |id| {
        let mut config = listing(id, &LISTED);
        config.first_view = FirstView::Alone;
        config
    };
    let mut network = Network::new();
    network.start(s(0), &alone(0));
    network.run(3000);
    network.expect_view("v0", &[0]);
    network.start(s(1), &alone(1));
    network.run(10);
    network.expect_view("v1", &[0, 1]);
}

#[test]
fn v14_ten_sites_start_at_once() {
    let listed: Vec<u32> = (0..10).collect();
    let mut network = Network::new();
    for id in listed.iter().rev() {
        network.start(s(*id), &listing(*id, &listed));
    }
    network.run(300);
    network.expect_view("v0", &listed);
}

#[test]
fn review_3_a_majority_of_restarted_sites_founds_no_second_system() {
    let listed = [0, 1, 2, 3, 4];
    let mut network = Network::formed(5);
    network.cut(&[0, 1, 2], &[3, 4]);
    network.run(5000);
    network.kill(s(2));
    network.run(50);
    network.expect_members_at(s(0), &[0, 1]);
    network.kill(s(3));
    network.kill(s(4));
    network.cut(&[0, 1], &[2, 3, 4]);
    for id in [2, 3, 4] {
        network.start(incarnation(id, 2), &listing(id, &listed));
    }
    network.run(5000);
    for id in [2, 3, 4] {
        assert_eq!(network.view_of(incarnation(id, 2)), "-");
    }
    network.heal();
    network.until("all in one system", |n| n.settled(&[0, 1, 2, 3, 4]));
    assert_eq!(network.epochs(), 1);
}

#[test]
fn review_51_sites_that_nobody_listed_do_not_go_on_without_the_listed_ones() {
    let mut network = Network::new();
    network.start(s(0), &listing(0, &[0]));
    network.start(s(1), &listing(1, &[1, 0]));
    network.run(20);
    network.expect_view("v1", &[0, 1]);
    network.leave(s(0));
    network.run(2000);
    network.expect_view("v1", &[0, 1]);
    network.kill(s(0));
    network.run(2000);
    assert!(!network.nodes[&s(1)].reachable);
    network.start(incarnation(0, 2), &listing(0, &[0]));
    network.run(2000);
    assert_eq!(network.view_of(s(1)), "v1 [0.1 1.1]");
}

#[test]
fn review_52_whoever_asked_to_join_founds_nothing() {
    let mut network = Network::formed(2);
    network.kill(s(1));
    network.run(10);
    let again = incarnation(1, 2);
    network.keep = Box::new(move |_, to, words| !(to == again && words.contains("1.2")));
    network.start(again, &listing(1, &[0, 1]));
    network.run(500);
    network.expect_members_at(s(0), &[0, 1]);
    network.kill(s(0));
    network.start(incarnation(0, 2), &listing(0, &[0, 1]));
    network.run(5000);
    assert_eq!(network.view_of(again), "-");
    assert_eq!(network.view_of(incarnation(0, 2)), "-");
    assert_eq!(network.epochs(), 1);
}

#[test]
fn review_54_a_first_view_whose_quorum_restarted_is_blocked_and_says_so() {
    let mut network = Network::new();
    network.keep = Box::new(|_, to, words| !(to == s(0) && words.starts_with("accept")));
    for id in LISTED {
        network.start(s(id), &listing(id, &LISTED));
    }
    network.run(50);
    network.keep = Box::new(|_, _, _| true);
    network.kill(s(1));
    network.kill(s(2));
    for id in [1, 2] {
        network.start(incarnation(id, 2), &listing(id, &LISTED));
    }
    network.run(3000);
    assert_eq!(network.view_of(s(0)), "v0 [0.1 1.1 2.1]");
    assert!(!network.nodes[&s(0)].reachable && network.noted(s(0), |n| *n == Note::Blocked));
    assert_eq!(network.view_of(incarnation(1, 2)), "-");
}

#[test]
fn whoever_asked_to_join_a_system_that_then_failed_whole_is_told_to_start_anew() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.run(10);
    let again = incarnation(0, 2);
    network.keep = Box::new(|_, _, words| !words.starts_with("status"));
    network.start(again, &listing(0, &LISTED));
    network.run(10);
    network.kill(s(1));
    network.kill(s(2));
    assert!(network.nodes[&again].excluded.is_some());
    network.kill(again);
    network.keep = Box::new(|_, _, _| true);
    for (id, run) in [(0, 3), (1, 2), (2, 2)] {
        network.start(incarnation(id, run), &listing(id, &LISTED));
    }
    network.run(50);
    network.expect_view("v0", &LISTED);
}
