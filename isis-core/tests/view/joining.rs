//! Joins (R5, R6): PROTOCOL-REVIEW 16, 21, 55, PROPERTIES V7–V9.

use isis_core::machine::Evidence;

use super::harness::{Network, incarnation, listing, s};

#[test]
fn a_site_that_nobody_listed_joins() {
    let mut network = Network::formed(3);
    network.start(s(7), &listing(7, &[2]));
    network.run(10);
    network.expect_view("v1", &[0, 1, 2, 7]);
}

#[test]
fn review_16_a_view_admits_at_most_as_many_as_it_keeps() {
    let mut network = Network::new();
    network.start(s(0), &listing(0, &[0]));
    for id in 1..8 {
        network.start(s(id), &listing(id, &[id, 0]));
    }
    network.run(300);
    network.expect_members(&[0, 1, 2, 3, 4, 5, 6, 7]);
    for pair in network.nodes[&s(0)].installed.windows(2) {
        assert!(pair[1].joined.len() <= pair[0].members.len());
    }
}

#[test]
fn review_16_a_joiner_needs_a_session_with_every_member() {
    let mut network = Network::formed(3);
    network.cut_one_way(1, 9);
    network.cut_one_way(9, 1);
    network.start(s(9), &listing(9, &[0]));
    network.run(3000);
    network.expect_view("v0", &[0, 1, 2]);
    network.heal();
    network.run(600);
    network.expect_view("v1", &[0, 1, 2, 9]);
}

#[test]
fn review_21_old_and_new_incarnation_change_in_one_view_failure_first() {
    let mut network = Network::formed(3);
    network.halt(s(2));
    let again = incarnation(2, 2);
    network.keep = Box::new(|_, _, words| !words.starts_with("propose"));
    network.start(again, &listing(2, &[0, 1, 2]));
    network.run(300);
    network.keep = Box::new(|_, _, _| true);
    network.run(600);
    network.expect_members(&[0, 1, 2]);
    assert!(
        network.nodes[&s(0)]
            .views
            .current()
            .is_some_and(|v| v.contains(again))
    );
    let views = &network.nodes[&s(0)].installed;
    let left = views
        .iter()
        .position(|v| v.left.iter().any(|(site, _)| *site == s(2)));
    let joined = views.iter().position(|v| v.joined.contains(&again));
    assert!(left.is_some() && left <= joined);
}

#[test]
fn review_55_an_excluded_incarnation_is_never_admitted_again() {
    let mut network = Network::formed(3);
    network.kill(s(2));
    network.run(10);
    network.start(incarnation(2, 2), &listing(2, &[0, 1, 2]));
    network.run(10);
    network.kill(incarnation(2, 2));
    network.run(10);
    network.kill(s(0));
    network.run(10);
    // 1 is now half of {0, 1} without the oldest; a stale request must not help it either.
    network.halted.remove(&s(2));
    network.start(s(2), &listing(2, &[0, 1, 2]));
    network.run(1000);
    assert!(network.nodes[&s(2)].excluded.is_some());
    network.check();
}

#[test]
fn v7_a_manager_that_dies_while_it_admits_leaves_the_join_to_its_successor() {
    for deaf in 1..4 {
        let mut network = Network::formed(4);
        network.keep = Box::new(move |from, to, words| {
            from != s(0) || to == s(deaf) || words.starts_with("status")
        });
        network.start(s(5), &listing(5, &[0, 1, 2, 3]));
        network.run(4);
        network.kill(s(0));
        network.keep = Box::new(|_, _, _| true);
        network.until("the joiner is in, once", |n| n.settled(&[1, 2, 3, 5]));
        network.check();
    }
}

#[test]
fn v7_a_joiner_that_died_is_not_admitted() {
    let mut network = Network::formed(3);
    network.keep = Box::new(|_, _, words| !words.starts_with("status"));
    network.start(s(5), &listing(5, &[0, 1, 2]));
    network.run(20);
    network.kill(s(5));
    network.keep = Box::new(|_, _, _| true);
    network.run(3000);
    network.expect_view("v0", &[0, 1, 2]);
}

#[test]
fn v9_who_was_paused_learns_that_it_is_excluded() {
    let mut network = Network::formed(3);
    network.cut(&[0], &[1, 2]);
    network.run(3000);
    assert_eq!(network.view_of(s(1)), "v1 [1.1 2.1]");
    network.heal();
    network.run(600);
    let (view, asked) = network.nodes[&s(0)].excluded.clone().expect("it is told");
    assert_eq!((view.to_string(), asked), ("v1 [1.1 2.1]".into(), false));
    network.lost(s(1), s(2), Evidence::Silence);
    network.check();
}
