//! Ballots (R4, R5, R7): PROTOCOL-REVIEW 5, 6, 19, 20, 53, PROPERTIES V2–V4, V10–V12.
// Each line of a filter is one kind of frame that is kept back.
#![allow(clippy::nonminimal_bool)]

use isis_core::machine::view::Note;
use isis_core::machine::{Evidence, LinkReport};

use super::harness::{Network, listing, s};

#[test]
fn review_5a_an_abandoned_proposal_withholds_nothing_any_more() {
    let mut network = Network::formed(5);
    // 0's proposal to exclude 3 reaches only 4, and 4's promise to 1 is late.
    network.keep = Box::new(|from, to, words| {
        !(from == s(0) && to != s(4))
            && !(from == s(4) && to == s(1) && words.starts_with("promise"))
    });
    network.lost(s(0), s(3), Evidence::Refused);
    network.run(2);
    assert_eq!(network.nodes[&s(4)].withheld, [s(3)].into());
    network.kill(s(0));
    network.run(5);
    network.keep = Box::new(|_, _, _| true);
    network.run(500);
    network.expect_view("v1", &[1, 2, 3, 4]);
    assert!(network.nodes[&s(4)].withheld.is_empty());
}

#[test]
fn an_acceptance_leaves_only_when_its_sites_are_withheld() {
    let mut network = Network::formed(3);
    network.withholds_late = true;
    network.kill(s(2));
    network.run(500);
    assert!(!network.said("propose") && !network.said("accept"));
    network.withhold_now(s(0));
    network.run(5);
    assert!(network.said("propose") && !network.said("accept"));
    network.withhold_now(s(1));
    network.run(5);
    network.expect_view("v1", &[0, 1]);
}

#[test]
fn review_6a_a_joiner_has_no_vote_on_the_view_that_admits_it() {
    let mut network = Network::formed(3);
    network.keep =
        Box::new(|from, to, words| !(from == s(0) && to != s(1) && words.starts_with("propose")));
    network.start(s(3), &listing(3, &[0, 1, 2]));
    network.run(5);
    network.kill(s(0));
    network.until("a view with 3 and without 0", |n| n.settled(&[1, 2, 3]));
    let votes = |line: &&String| {
        line.starts_with("3.1")
            && (line.contains("v1") && (line.contains("promise") || line.contains("accept")))
    };
    assert_eq!(network.trace.iter().find(votes), None);
    network.check();
}

#[test]
fn review_6b_one_ballot_never_has_two_values() {
    let mut network = Network::formed(5);
    network.keep = Box::new(|_, _, words| !words.starts_with("accept v1"));
    network.kill(s(4));
    network.run(5);
    network.kill(s(3));
    network.run(1000);
    network.keep = Box::new(|_, _, _| true);
    network.run(1000);
    network.expect_view("v2", &[0, 1, 2]);
    let two = |line: &&String| line.contains("propose v1") && !line.contains("[0.1 1.1 2.1 3.1]");
    assert_eq!(network.trace.iter().find(two), None);
}

#[test]
fn review_6c_a_refused_manager_in_office_interrogates_above() {
    let mut network = Network::formed(5);
    // 1 suspects 0 for a moment; the others promise it their votes, but it never hears so.
    network.keep = Box::new(|from, to, words| {
        !(to == s(1) && words.starts_with("promise"))
            && !(from == s(1) && words.starts_with("status"))
    });
    network.lost(s(1), s(0), Evidence::Refused);
    network.run(2);
    network.connect(s(0), s(1));
    network.run(5);
    network.keep = Box::new(|_, _, _| true);
    network.kill(s(4));
    network.run(500);
    network.expect_view("v1", &[0, 1, 2, 3]);
    assert!(network.said("refuse v1 (0, 0.1)") && network.said("interrogate v1 (2, 0.1)"));
}

#[test]
fn review_19_who_accepted_an_exclusion_still_takes_the_excluded_ones_proposal() {
    let mut network = Network::formed(5);
    network.keep = Box::new(|from, to, words| {
        !(from == s(0) && to != s(4)) && !(from == s(4) && words.starts_with("promise"))
    });
    network.lost(s(0), s(1), Evidence::Refused);
    network.run(2);
    assert_eq!(network.nodes[&s(4)].withheld, [s(1)].into());
    network.kill(s(0));
    network.run(100);
    network.expect_view("v1", &[1, 2, 3, 4]);
    assert!(network.said("4.1 -> 1.1: accept v1"));
}

#[test]
fn review_20_a_view_is_committed_by_a_quorum_and_laggards_are_caught_up() {
    let mut network = Network::formed(5);
    network.keep = Box::new(|_, to, _| to != s(3));
    network.kill(s(4));
    network.run(5);
    assert_eq!(network.view_of(s(0)), "v1 [0.1 1.1 2.1 3.1]");
    assert_eq!(network.view_of(s(3)), "v0 [0.1 1.1 2.1 3.1 4.1]");
    network.keep = Box::new(|_, _, _| true);
    network.run(600);
    network.expect_view("v1", &[0, 1, 2, 3]);
}

#[test]
fn review_53_a_commit_known_only_to_a_halted_site_is_learned_from_acceptances() {
    let mut network = Network::formed(4);
    network.keep = Box::new(|from, to, words| {
        !words.starts_with("commit")
            && !(from == s(0) && to == s(3) && words.starts_with("propose"))
    });
    network.kill(s(1));
    network.run(3);
    assert_eq!(network.view_of(s(0)), "v1 [0.1 2.1 3.1]");
    network.kill(s(0));
    network.keep = Box::new(|_, _, _| true);
    network.run(20);
    network.expect_view("v2", &[2, 3]);
}

#[test]
fn v2_a_take_over_takes_up_the_proposal_that_may_be_committed() {
    let mut network = Network::formed(5);
    network.keep = Box::new(|from, _, words| !(from == s(0) && words.starts_with("commit")));
    network.lost(s(0), s(2), Evidence::Refused);
    network.run(3);
    assert_eq!(network.view_of(s(0)), "v1 [0.1 1.1 3.1 4.1]");
    network.kill(s(0));
    network.run(100);
    network.check();
    network.expect_members_at(s(1), &[1, 3, 4]);
}

#[test]
fn v4_a_late_acceptance_of_an_earlier_view_counts_for_nothing() {
    let mut network = Network::formed(5);
    network.kill(s(4));
    network.run(10);
    let late = network.heard(s(0), "accept v1");
    assert!(!late.is_empty());
    network.keep = Box::new(|_, to, words| !(to == s(0) && words.starts_with("accept")));
    network.kill(s(3));
    network.run(1);
    for (from, message) in late {
        network.deliver(from, s(0), message);
    }
    assert_eq!(network.view_of(s(0)), "v1 [0.1 1.1 2.1 3.1]");
}

#[test]
fn v10_a_link_dead_in_one_direction_is_first_spared_then_resolved() {
    let mut network = Network::formed(3);
    network.cut_one_way(0, 1);
    network.run(1000);
    assert!(network.noted(s(1), |n| *n == Note::SecondChance(s(0))));
    network.expect_view("v0", &[0, 1, 2]);
    network.run(30_000);
    // One of the two had to go: that the link is dead is all that the third can know.
    let kept = network.view_of(s(2));
    assert!(
        ["v1 [0.1 2.1]", "v1 [1.1 2.1]"].contains(&kept.as_str()),
        "{kept}"
    );
    network.check();
}

#[test]
fn v11_rival_take_overs_come_to_an_end() {
    let mut network = Network::formed(5);
    network.halt(s(0));
    for at in 1..5 {
        network.lost(s(at), s(0), Evidence::Refused);
    }
    // 2 takes 1 for failed as well, and 1 takes 2 for failed.
    network.lost(s(1), s(2), Evidence::Refused);
    network.lost(s(2), s(1), Evidence::Refused);
    network.run(5000);
    let agreed = network.view_of(s(3));
    assert_eq!(network.view_of(s(4)), agreed);
    assert!(!agreed.contains("0.1"), "{agreed}");
    network.check();
}

#[test]
fn v12_who_missed_a_commit_gets_it_before_it_votes() {
    let mut network = Network::formed(4);
    network.keep = Box::new(|_, to, words| to != s(3) || words.starts_with("interrogate"));
    network.kill(s(2));
    network.run(5);
    assert_eq!(network.view_of(s(1)), "v1 [0.1 1.1 3.1]");
    network.kill(s(0));
    network.run(5);
    network.keep = Box::new(|_, _, _| true);
    network.run(600);
    network.expect_view("v2", &[1, 3]);
}

#[test]
fn who_is_silent_for_one_only_gets_a_second_chance() {
    let mut network = Network::formed(5);
    network.lost(s(1), s(3), Evidence::Silence);
    network.run(1000);
    network.expect_view("v0", &[0, 1, 2, 3, 4]);
    assert!(network.noted(s(1), |n| *n == Note::SecondChance(s(3))));
}

#[test]
fn a_suspicion_travels_to_the_manager() {
    let mut network = Network::formed(4);
    network.halt(s(3));
    for at in [1, 2, 0] {
        network.report(
            s(at),
            LinkReport::Lost {
                site: s(3),
                evidence: Evidence::Silence,
            },
        );
    }
    network.run(2000);
    network.expect_view("v1", &[0, 1, 2]);
}
