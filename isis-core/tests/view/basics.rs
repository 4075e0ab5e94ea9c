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
fn a_killed_site_comes_back_as_the_youngest() {
    let mut network = Network::formed(3);
    network.kill(s(0));
    network.run(10);
    network.start(incarnation(0, 2), &listing(0, &[0, 1, 2]));
    network.run(10);
    network.expect_view("v2", &[1, 2, 0]);
}

#[test]
fn a_site_that_nobody_listed_joins() {
    let mut network = Network::formed(3);
    network.start(s(7), &listing(7, &[2]));
    network.run(10);
    network.expect_view("v1", &[0, 1, 2, 7]);
}
