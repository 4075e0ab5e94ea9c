//! Leaving on purpose (R6): PROTOCOL-REVIEW 17.

use isis_core::ids::Site;
use isis_core::view::LeftReason;

use super::harness::{Network, incarnation, listing, s};

fn left(network: &Network, site: Site) -> bool {
    matches!(network.nodes[&site].excluded, Some((_, true)))
}

#[test]
fn a_member_leaves() {
    let mut network = Network::formed(3);
    network.leave(s(2));
    network.run(10);
    assert!(left(&network, s(2)));
    let view = network.nodes[&s(0)].views.current().expect("it is in");
    assert_eq!(view.left, [(s(2), LeftReason::Asked)]);
}

#[test]
fn the_manager_leaves() {
    let mut network = Network::formed(3);
    network.leave(s(0));
    network.run(10);
    assert!(left(&network, s(0)));
    assert_eq!(network.view_of(s(2)), "v1 [1.1 2.1]");
}

#[test]
fn review_17_one_of_two_leaves_and_the_other_goes_on() {
    for leaver in [0, 1] {
        let mut network = Network::formed(2);
        network.leave(s(leaver));
        network.run(10);
        assert!(left(&network, s(leaver)));
        network.halt(s(leaver));
        network.expect_view("v1", &[1 - leaver]);
        assert!(network.nodes[&s(1 - leaver)].reachable);
    }
}

#[test]
fn a_leaver_serves_the_commit_until_a_quorum_of_the_new_view_has_it() {
    let mut network = Network::formed(2);
    network.keep = Box::new(|_, to, words| !(to == s(1) && words.starts_with("commit")));
    network.withholds_late = true;
    network.leave(s(0));
    network.withhold_now(s(0));
    network.run(1000);
    assert!(!left(&network, s(0)));
    network.keep = Box::new(|_, _, _| true);
    network.withhold_now(s(1));
    network.run(1000);
    assert!(left(&network, s(0)));
    assert_eq!(network.view_of(s(1)), "v1 [1.1]");
}

#[test]
fn all_leave_one_by_one_and_the_last_just_goes() {
    let mut network = Network::formed(3);
    for id in 0..3 {
        network.leave(s(id));
        network.run(20);
        assert!(left(&network, s(id)), "site {id}");
        network.halt(s(id));
    }
}

#[test]
fn all_leave_at_once() {
    let mut network = Network::formed(3);
    for id in 0..3 {
        network.leave(s(id));
    }
    network.run(2000);
    for id in 0..3 {
        assert!(
            left(&network, s(id)),
            "site {id} in {}",
            network.view_of(s(id))
        );
    }
}

#[test]
fn all_leave_and_know_it_of_each_other_before_anything_is_decided() {
    for sites in [2, 3] {
        let mut network = Network::formed(sites);
        network.keep = Box::new(|_, _, words| !words.starts_with("propos"));
        for id in (0..sites).rev() {
            network.leave(s(id));
        }
        network.run(100);
        network.keep = Box::new(|_, _, _| true);
        network.run(2000);
        for id in 0..sites {
            let view = network.view_of(s(id));
            assert!(left(&network, s(id)), "site {id} of {sites} in {view}");
        }
    }
}

#[test]
fn who_left_comes_back_as_a_new_incarnation() {
    let mut network = Network::formed(3);
    network.leave(s(1));
    network.run(10);
    network.halt(s(1));
    network.start(incarnation(1, 2), &listing(1, &[0, 1, 2]));
    network.run(20);
    network.expect_view("v2", &[0, 2, 1]);
}

#[test]
fn a_site_in_no_view_just_goes() {
    let mut network = Network::new();
    network.start(s(0), &listing(0, &[0, 1]));
    network.leave(s(0));
    assert_eq!(network.nodes[&s(0)].views.deadline(), None);
}
