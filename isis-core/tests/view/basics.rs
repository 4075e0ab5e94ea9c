//! The ordinary life of a system: it forms, loses a site, gets it back.

use super::harness::{Network, incarnation, listing, s};

#[test]
fn a_first_view_forms_in_any_start_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut network = Network::new();
        for id in order {
            network.start(s(id), &listing(id, &[0, 1, 2]));
            network.run(400);
        }
        network.expect_view("v0", &[0, 1, 2]);
    }
}

#[test]
fn a_killed_manager_is_replaced_within_a_few_round_trips() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.run(6);
    network.expect_view("v1", &[1, 2]);
}

#[test]
fn a_member_is_excluded_in_two_phases_and_without_interrogation() {
    let mut network = Network::formed(3);
    network.kill(s(2));
    network.run(3);
    network.expect_view("v1", &[0, 1]);
    assert!(!network.said("interrogate"));
}

#[test]
fn a_killed_site_comes_back_as_the_youngest() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.run(10);
    network.start(incarnation(0, 2), &listing(0, &[0, 1, 2]));
    network.run(10);
    network.expect_view("v2", &[1, 2, 0]);
}

#[test]
fn every_site_in_turn_is_killed_and_comes_back() {
    let mut network = Network::formed(3);
    for round in 0..9 {
        let (id, run) = (round % 3, u64::from(round / 3) + 1);
        network.kill(incarnation(id, run));
        network.run(20);
        network.start(incarnation(id, run + 1), &listing(id, &[0, 1, 2]));
        network.run(20);
        network.expect_members(&[0, 1, 2]);
    }
}

#[test]
fn messages_lost_at_random_only_cost_time() {
    let mut network = Network::formed(5);
    network.lose_one_in(3);
    network.kill(s(0));
    network.until("a view without 0", |n| n.settled(&[1, 2, 3, 4]));
    network.start(incarnation(0, 2), &listing(0, &[0, 1, 2, 3, 4]));
    network.until("a view with 0 again", |n| n.settled(&[1, 2, 3, 4, 0]));
    network.check();
}

#[test]
fn a_quiet_system_stays_in_its_view() {
    let mut network = Network::formed(5);
    network.run(20_000);
    network.expect_view("v0", &[0, 1, 2, 3, 4]);
}
