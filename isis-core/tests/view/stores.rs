//! Sites with stores (R2, R3, R9): PROTOCOL-REVIEW 3, 13, 54, PROPERTIES V13.

use isis_core::ids::SiteId;
use isis_core::machine::view::Note;

use super::harness::{Network, incarnation, listing, s};

const LISTED: [u32; 3] = [0, 1, 2];

/// All running sites halt, and none learns of another's end.
fn kill_all(network: &mut Network) {
    for site in network.sites() {
        network.halt(site);
    }
}

fn restart(network: &mut Network, id: u32, run: u64) {
    network.start(incarnation(id, run), &listing(id, &LISTED));
}

fn waits_for(network: &Network, site: isis_core::ids::Site, words: &str) -> bool {
    network.noted(
        site,
        |note| matches!(note, Note::WaitingForLast { whom, .. } if whom.contains(words)),
    )
}

#[test]
fn a_majority_with_stores_founds() {
    let mut network = Network::new();
    for id in [1, 2] {
        network.give_store(id);
        restart(&mut network, id, 1);
    }
    network.run(10);
    network.expect_view("v0", &[1, 2]);
    restart(&mut network, 0, 1);
    network.run(20);
    network.expect_view("v1", &[1, 2, 0]);
}

#[test]
fn a_majority_of_which_one_has_no_store_founds_nothing() {
    let mut network = Network::new();
    network.give_store(1);
    for id in [1, 2] {
        restart(&mut network, id, 1);
    }
    network.run(5000);
    assert_eq!(network.view_of(s(1)), "-");
    assert!(network.noted(s(1), |n| *n == Note::WaitingFor("site 0".into())));
}

/// The majority rule alone would let the sites beyond the cut found a second system.
#[test]
fn review_3_restarted_sites_with_stores_found_no_second_system() {
    let listed = [0, 1, 2, 3, 4];
    let mut network = Network::formed_with_stores(5);
    network.cut(&[0, 1, 2], &[3, 4]);
    network.until("a view of three", |n| {
        n.view_of(s(0)).split(' ').count() == 4
    });
    network.kill(s(2));
    network.until("a view of two", |n| n.view_of(s(0)).split(' ').count() == 3);
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
    assert!(waits_for(&network, incarnation(2, 2), "site 1"));
    network.heal();
    network.until("all in one system", |n| n.settled_members(&listed));
    assert_eq!(network.epochs(), 1);
}

#[test]
fn v13_after_a_total_failure_a_quorum_of_the_last_view_goes_on() {
    let mut network = Network::formed_with_stores(3);
    kill_all(&mut network);
    restart(&mut network, 1, 2);
    network.run(3000);
    assert_eq!(network.view_of(incarnation(1, 2)), "-");
    assert!(waits_for(&network, incarnation(1, 2), "site 0, site 2"));
    restart(&mut network, 2, 2);
    network.until("a view of the two", |n| {
        n.view_of(incarnation(2, 2)).ends_with("[1.2 2.2]")
    });
    assert!(network.noted(incarnation(1, 2), |n| matches!(n, Note::Reviving { .. })));
    restart(&mut network, 0, 2);
    network.until("all three", |n| n.settled_members(&LISTED));
    assert_eq!(network.epochs(), 1);
    network.check();
}

/// 2 fails first, then 1, then 0: only 0 knows how it ended.
#[test]
fn v13_only_the_last_to_fail_goes_on() {
    let mut network = Network::formed_with_stores(3);
    network.kill(s(2));
    network.until("a view of two", |n| n.settled_members(&[0, 1]));
    network.kill(s(1));
    network.until("a view of one", |n| n.settled_members(&[0]));
    network.kill(s(0));
    restart(&mut network, 1, 2);
    restart(&mut network, 2, 2);
    network.run(5000);
    for id in [1, 2] {
        assert_eq!(network.view_of(incarnation(id, 2)), "-");
        assert!(waits_for(&network, incarnation(id, 2), "site 0"));
    }
    let last = network.halted[&s(0)].installed.last().unwrap().number;
    restart(&mut network, 0, 2);
    network.until("all three", |n| n.settled_members(&LISTED));
    assert_eq!(network.epochs(), 1);
    let revived = network.nodes[&incarnation(0, 2)].installed[0].number;
    assert_eq!(revived.0, last.0 + 1, "numbers never restart");
    network.check();
}

/// PROTOCOL-REVIEW 13: 0 committed with others' acceptances, and nobody else heard of it.
#[test]
fn review_13_a_commit_that_only_acceptances_on_disk_tell_of_is_found() {
    let listed = [0, 1, 2, 3, 4];
    let mut network = Network::formed_with_stores(5);
    network.keep = Box::new(|_, _, words| !words.starts_with("commit"));
    network.kill(s(3));
    network.until("0 decides", |n| n.view_of(s(0)) != n.view_of(s(1)));
    let decided = network.nodes[&s(0)].installed.last().unwrap().clone();
    kill_all(&mut network);
    network.keep = Box::new(|_, _, _| true);
    for id in [1, 2, 4] {
        network.start(incarnation(id, 2), &listing(id, &listed));
    }
    network.until("they go on", |n| n.settled_members(&[1, 2, 4]));
    let first = &network.nodes[&incarnation(1, 2)].installed[0];
    assert!(
        first.number > decided.number,
        "{first} stands beside {decided}"
    );
    network.check();
}

/// PROTOCOL-REVIEW 54 is no end with stores: what was lost of the first view is on disk.
#[test]
fn review_54_a_first_view_whose_quorum_restarted_goes_on_from_the_stores() {
    let mut network = Network::new();
    network.keep = Box::new(|_, to, words| !(to == s(0) && words.starts_with("accept")));
    for id in LISTED {
        network.give_store(id);
    }
    for id in LISTED {
        restart(&mut network, id, 1);
    }
    network.run(50);
    network.keep = Box::new(|_, _, _| true);
    network.kill(s(1));
    network.kill(s(2));
    restart(&mut network, 1, 2);
    restart(&mut network, 2, 2);
    network.until("all three", |n| n.settled_members(&LISTED));
    assert_eq!(network.epochs(), 1);
    network.check();
}

/// PROTOCOL-REVIEW 13: of v={1,2} the oldest is killed and restarts while 2 lives, blocked.
#[test]
fn review_13_a_living_member_goes_on_with_the_votes_of_a_restarted_one() {
    let mut network = Network::formed_with_stores(3);
    network.kill(s(0));
    network.until("a view of two", |n| n.settled_members(&[1, 2]));
    network.kill(s(1));
    network.run(5000);
    assert!(!network.nodes[&s(2)].reachable);
    restart(&mut network, 1, 2);
    network.until("2 goes on", |n| n.settled_members(&[1, 2]));
    assert!(network.nodes[&s(2)].reachable);
    network.check();
}

/// The same without stores: the votes of 1 are lost with its incarnation.
#[test]
fn without_its_store_a_restarted_site_has_no_vote() {
    let mut network = Network::formed_with_stores(3);
    network.kill(s(0));
    network.until("a view of two", |n| n.settled_members(&[1, 2]));
    network.kill(s(1));
    network.disks.remove(&SiteId(1));
    restart(&mut network, 1, 2);
    network.run(5000);
    assert!(!network.nodes[&s(2)].reachable);
    assert_eq!(network.view_of(incarnation(1, 2)), "-");
}

#[test]
fn nothing_leaves_a_site_before_its_store_has_it() {
    let mut network = Network::formed_with_stores(3);
    network.stuck_disks.insert(SiteId(1));
    network.kill(s(2));
    network.run(3000);
    assert!(!network.said("1.1 -> 0.1: accept"));
    assert!(!network.said("1.1 -> 0.1: promise"));
    network.expect_members_at(s(0), &LISTED);
}

/// After a clean end of all the last to leave knows that it was the last.
#[test]
fn after_a_clean_shutdown_of_all_they_start_again() {
    let mut network = Network::formed_with_stores(3);
    for id in [2, 1, 0] {
        network.leave(s(id));
        network.until("it is out", |n| n.nodes[&s(id)].excluded.is_some());
        network.halt(s(id));
    }
    for id in LISTED {
        restart(&mut network, id, 2);
    }
    network.until("all three", |n| n.settled_members(&LISTED));
    assert_eq!(network.epochs(), 1);
    network.check();
}

/// The last to fail is lost for good; the operator says so, in so many words.
#[test]
fn the_operator_may_abandon_a_sequence() {
    let mut network = Network::formed_with_stores(3);
    network.kill(s(2));
    network.until("a view of two", |n| n.settled_members(&[0, 1]));
    network.kill(s(1));
    network.until("a view of one", |n| n.view_of(s(0)).ends_with("[0.1]"));
    let epoch = network.nodes[&s(0)].installed[0].epoch;
    network.kill(s(0));
    for id in [1, 2] {
        let mut config = listing(id, &LISTED);
        config.abandon = Some(epoch);
        network.start(incarnation(id, 2), &config);
    }
    network.until("a system of two", |n| n.settled_members(&[1, 2]));
    assert_eq!(network.epochs(), 2);
    // The word does not count for any other sequence: left in the configuration it does no harm.
    let second = network.nodes[&incarnation(1, 2)].installed[0].epoch;
    kill_all(&mut network);
    for id in [1, 2] {
        let mut config = listing(id, &LISTED);
        config.abandon = Some(epoch);
        network.start(incarnation(id, 3), &config);
    }
    network.until("they go on", |n| n.settled_members(&[1, 2]));
    assert_eq!(network.nodes[&incarnation(1, 3)].installed[0].epoch, second);
    network.check();
}

/// A site that waits for those of a view that was founds nothing with others, and they nothing without
/// it; when the view goes on they join it.
#[test]
fn new_sites_wait_for_those_that_return() {
    let mut network = Network::formed_with_stores(3);
    kill_all(&mut network);
    network.give_store(0);
    restart(&mut network, 0, 2);
    network.give_store(2);
    restart(&mut network, 2, 2);
    restart(&mut network, 1, 2);
    network.run(3000);
    // Two of three stores were lost: a quorum of the last view is gone, and nobody knows.
    for id in LISTED {
        assert_eq!(network.view_of(incarnation(id, 2)), "-");
    }
}

/// 1 commits the first view with 0's acceptance, and 0 does not hear of it before both fail.
#[test]
fn a_site_that_only_accepted_the_first_view_is_told_of_it() {
    let mut network = Network::new();
    network.keep = Box::new(|_, to, words| !(to == s(0) && words.starts_with("accept")));
    for id in [0, 1] {
        network.give_store(id);
        network.start(s(id), &listing(id, &[0, 1]));
    }
    network.run(50);
    network.keep = Box::new(|_, to, words| !(to == s(0) && words.starts_with("commit")));
    network.run(50);
    assert_ne!(network.view_of(s(1)), "-");
    kill_all(&mut network);
    network.keep = Box::new(|_, _, _| true);
    for id in [1, 0] {
        network.start(incarnation(id, 2), &listing(id, &[0, 1]));
    }
    network.until("both go on", |n| n.settled_members(&[0, 1]));
    assert_eq!(network.epochs(), 1);
    network.check();
}

/// All but 1 fail, and 1 has not heard of the last view: who returns with it tells 1.
#[test]
fn a_living_member_is_told_of_the_last_view_by_those_who_return() {
    let listed = [0, 1, 2, 3, 4];
    let mut network = Network::formed_with_stores(5);
    network.keep = Box::new(|_, _, words| !words.starts_with("commit"));
    network.kill(s(4));
    network.until("0 decides", |n| n.view_of(s(0)) != n.view_of(s(1)));
    for id in [0, 2, 3] {
        network.kill(s(id));
    }
    network.keep = Box::new(|_, _, _| true);
    for id in [0, 2] {
        network.start(incarnation(id, 2), &listing(id, &listed));
    }
    network.until("they go on", |n| n.settled_members(&[0, 1, 2]));
    assert!(network.nodes[&s(1)].reachable);
    network.check();
}

/// 1 alone is told that the sequence is over. What its store held of it is gone, so it has no vote in it
/// any more: its acceptance may have made a view.
#[test]
fn who_abandons_a_sequence_has_no_vote_in_it() {
    let mut network = Network::formed_with_stores(3);
    network.keep = Box::new(|_, to, words| to != s(2) && !words.starts_with("commit"));
    network.kill(s(2));
    network.until("0 decides", |n| n.view_of(s(0)).ends_with("[0.1 1.1]"));
    let epoch = network.nodes[&s(0)].installed[0].epoch;
    kill_all(&mut network);
    network.keep = Box::new(|_, _, _| true);
    let mut config = listing(1, &LISTED);
    config.abandon = Some(epoch);
    network.start(incarnation(1, 2), &config);
    restart(&mut network, 2, 2);
    network.run(5000);
    network.check();
    assert_eq!(network.view_of(incarnation(1, 2)), "-");
    // Nor later, when it is not told again.
    network.halt(incarnation(1, 2));
    restart(&mut network, 1, 3);
    network.run(5000);
    network.check();
    assert_eq!(network.view_of(incarnation(1, 3)), "-");
    restart(&mut network, 0, 2);
    network.until("all three", |n| n.settled_members(&LISTED));
    assert_eq!(network.epochs(), 1);
    network.check();
}
