//! Cuts (R5, R8): PROTOCOL-REVIEW 4, 13, 18, 22.

use isis_core::config::Quorum;
use isis_core::ids::SiteId;
use isis_core::machine::view::Note;

use super::harness::{Network, incarnation, listing, s};

#[test]
fn review_4_all_isolated_and_healed_loses_nobody() {
    let mut network = Network::formed(5);
    network.isolate_all();
    network.run(10_000);
    for site in network.sites() {
        assert!(!network.nodes[&site].reachable && network.noted(site, |n| *n == Note::Blocked));
    }
    network.heal();
    network.run(10_000);
    network.expect_view("v0", &[0, 1, 2, 3, 4]);
    for site in network.sites() {
        assert!(network.nodes[&site].reachable && network.noted(site, |n| *n == Note::Resumed));
    }
}

/// Simulator, SEED=1677: the members that had gone on without a blocked one had left when the cut healed,
/// and it looked for nobody else.
#[test]
fn who_is_blocked_looks_for_its_peers_too() {
    let mut network = Network::formed(3);
    assert!(network.nodes[&s(2)].seeks.is_empty());
    network.isolate_all();
    network.run(10_000);
    let sought = network.nodes[&s(2)].seeks.iter().map(|(id, _)| *id);
    assert!(sought.eq([0, 1].map(SiteId)));
    network.heal();
    network.run(10_000);
    assert!(network.nodes[&s(2)].seeks.is_empty());
}

#[test]
fn review_4_two_two_and_one_resume_too() {
    let mut network = Network::formed(5);
    network.cut(&[0, 1], &[2, 3, 4]);
    network.cut(&[2, 3], &[4]);
    network.run(10_000);
    network.heal();
    network.run(10_000);
    network.expect_view("v0", &[0, 1, 2, 3, 4]);
}

/// PROPERTIES V1: without a quorum each of the two would go on without the other.
#[test]
fn v1_two_that_suspect_each_other_make_no_two_views() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.cut(&[1], &[2]);
    network.run(5000);
    for id in [1, 2] {
        assert_eq!(network.view_of(s(id)), "v0 [0.1 1.1 2.1]");
        assert!(!network.nodes[&s(id)].reachable);
    }
    network.heal();
    network.until("they go on together", |n| n.settled(&[1, 2]));
    network.check();
}

#[test]
fn a_minority_blocks_and_is_told_when_it_is_over() {
    let mut network = Network::formed(5);
    network.cut(&[0, 1], &[2, 3, 4]);
    network.run(5000);
    assert_eq!(network.view_of(s(2)), "v1 [2.1 3.1 4.1]");
    assert_eq!(network.view_of(s(0)), "v0 [0.1 1.1 2.1 3.1 4.1]");
    assert!(!network.nodes[&s(0)].reachable && !network.nodes[&s(1)].reachable);
    network.heal();
    network.run(600);
    assert!(network.nodes[&s(0)].excluded.is_some() && network.nodes[&s(1)].excluded.is_some());
    network.check();
}

#[test]
fn a_cut_shorter_than_the_suspicion_changes_nothing() {
    let mut network = Network::formed(3);
    network.cut_quietly(&[0], &[1, 2]);
    network.run(1000);
    network.heal();
    network.run(1000);
    network.expect_view("v0", &[0, 1, 2]);
}

#[test]
fn review_13_a_restarted_half_leaves_the_other_blocked_as_documented() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.run(10);
    network.kill(s(1));
    for id in [0, 1] {
        network.start(incarnation(id, 2), &listing(id, &[0, 1, 2]));
    }
    network.run(5000);
    assert_eq!(network.view_of(s(2)), "v1 [1.1 2.1]");
    assert!(!network.nodes[&s(2)].reachable);
    assert_eq!(network.epochs(), 1);
}

#[test]
fn review_18_without_quorums_one_side_survives_the_healing() {
    let mut network = Network::new();
    for id in [0, 1] {
        let mut config = listing(id, &[0, 1]);
        config.quorum = Quorum::None;
        network.start(s(id), &config);
    }
    network.run(10);
    network.cut(&[0], &[1]);
    network.run(3000);
    assert_eq!(network.view_of(s(0)), "v1 [0.1]");
    assert_eq!(network.view_of(s(1)), "v1 [1.1]");
    network.heal();
    network.run(600);
    assert!(network.nodes[&s(0)].excluded.is_none());
    assert!(network.nodes[&s(1)].excluded.is_some());
}

#[test]
fn without_quorums_a_site_blocks_when_all_founding_sites_are_gone() {
    let mut network = Network::new();
    let start = |network: &mut Network, id: u32, listed: &[u32]| {
        let mut config = listing(id, listed);
        config.quorum = Quorum::None;
        network.start(s(id), &config);
    };
    for id in [0, 1] {
        start(&mut network, id, &[0, 1]);
    }
    network.run(10);
    for id in [2, 3] {
        start(&mut network, id, &[0, 1, id]);
        network.run(300);
    }
    network.kill(s(0));
    network.run(300);
    network.expect_members(&[1, 2, 3]);
    assert!(network.nodes[&s(2)].reachable);
    network.cut(&[1], &[2, 3]);
    network.run(5000);
    for id in [2, 3] {
        network.expect_members_at(s(id), &[1, 2, 3]);
        assert!(!network.nodes[&s(id)].reachable);
        assert!(network.noted(s(id), |note| matches!(note, Note::Blocked)));
    }
}

#[test]
fn review_22_of_two_sites_the_oldest_goes_on_alone_and_the_younger_does_not() {
    let mut network = Network::formed(2);
    network.kill(s(1));
    network.run(10);
    network.expect_view("v1", &[0]);
    let mut network = Network::formed(2);
    network.kill(s(0));
    network.run(10);
    network.expect_view("v0", &[0, 1]);
    assert!(!network.nodes[&s(1)].reachable);
}
