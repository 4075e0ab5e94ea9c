//! Founding sites (R5): a view keeps one, so that unlisted sites cannot go on while all listed ones
//! restart. What could never be committed is never proposed, and a founder that must stay stops nobody.

use isis_core::ids::MAX_SITES;
use isis_core::machine::Evidence;
use isis_core::view::{Member, SiteView};

use super::harness::{Network, incarnation, listing, s};

/// Sites 0 and 1 are listed; 2 to `last` have joined.
fn joined_by(last: u32) -> Network {
    let mut network = Network::formed(2);
    for id in 2..=last {
        network.start(s(id), &listing(id, &[0, 1, id]));
        network.run(300);
    }
    network
}

#[test]
fn a_founders_next_incarnation_cannot_vote_for_the_view_that_admits_it() {
    let mut network = joined_by(3);
    network.kill(s(0));
    network.run(50);
    network.expect_view("v3", &[1, 2, 3]);
    network.cut(&[1], &[2, 3]);
    network.start(incarnation(0, 2), &listing(0, &[1]));
    network.run(3000);
    assert_eq!(network.view_of(s(2)), "v3 [1.1 2.1 3.1]");
    network.heal();
    network.until("site 0 is back", |n| n.settled(&[1, 2, 3, 0]));
    network.expect_view("v4", &[1, 2, 3, 0]);
}

#[test]
fn what_was_possible_when_the_interrogation_began_is_looked_at_again() {
    let mut network = joined_by(5);
    let founders = [incarnation(0, 2), incarnation(1, 2)];
    for founder in founders {
        network.kill(s(founder.id.0));
        network.run(50);
        network.start(founder, &listing(founder.id.0, &[2]));
        network.run(300);
    }
    network.expect_view("v8", &[2, 3, 4, 5, 0, 1]);
    // 3 takes over from 2 and asks for promises. Before it has enough, 4 has lost one founder and 5 the
    // other: 3 would exclude both.
    network.keep = Box::new(|from, _, words| {
        !((from == s(4) || from == s(5)) && words.starts_with("promise"))
    });
    network.kill(s(2));
    network.run(5);
    network.lost(s(4), founders[0], Evidence::Refused);
    network.lost(s(5), founders[1], Evidence::Refused);
    network.run(5);
    network.keep = Box::new(|_, _, _| true);
    network.run(3000);
    network.connect(s(4), founders[0]);
    network.connect(s(5), founders[1]);
    network.until("2 is out", |n| n.settled(&[3, 4, 5, 0, 1]));
    network.check();
}

#[test]
fn the_last_founder_waits_to_leave_and_stops_nobody_else() {
    let mut network = joined_by(2);
    for id in [0, 1] {
        network.leave(s(id));
        network.run(50);
    }
    network.halt(s(0));
    network.expect_view("v2", &[1, 2]);
    network.start(s(3), &listing(3, &[1]));
    network.start(s(4), &listing(4, &[1]));
    network.run(500);
    network.expect_members(&[1, 2, 3, 4]);
    network.kill(s(3));
    network.run(500);
    network.expect_members(&[1, 2, 4]);
    for id in [2, 4] {
        assert!(network.nodes[&s(1)].excluded.is_none());
        network.leave(s(id));
        network.run(500);
        assert!(matches!(network.nodes[&s(id)].excluded, Some((_, true))));
        network.halt(s(id));
    }
    assert!(matches!(network.nodes[&s(1)].excluded, Some((_, true))));
}

#[test]
fn a_founder_that_is_not_the_oldest_is_the_last_when_all_leave_at_once() {
    let mut network = joined_by(2);
    network.kill(s(0));
    network.run(50);
    network.start(incarnation(0, 2), &listing(0, &[1]));
    network.run(300);
    network.kill(s(1));
    network.run(50);
    network.expect_members(&[0, 2]);
    let founder = incarnation(0, 2);
    network.leave(founder);
    network.run(10);
    network.leave(s(2));
    network.run(2000);
    for site in [s(2), founder] {
        assert!(matches!(network.nodes[&site].excluded, Some((_, true))));
    }
}

fn view_of(sites: u32) -> SiteView {
    let mut network = Network::formed(1);
    network.run(10);
    let mut view = network.nodes[&s(0)]
        .views
        .current()
        .expect("it is in")
        .clone();
    view.members = (0..sites)
        .map(|id| Member {
            site: s(id),
            address: String::new(),
        })
        .collect();
    view
}

#[test]
fn a_view_without_members_or_with_too_many_is_not_decoded() {
    let decodes = |view: &SiteView| {
        let bytes = isis_core::wire::encode(view);
        isis_core::wire::decode_exact::<SiteView>(&bytes).is_ok()
    };
    let most = MAX_SITES as u32;
    assert!(!decodes(&view_of(0)));
    assert!(decodes(&view_of(1)) && decodes(&view_of(most)));
    assert!(!decodes(&view_of(most + 1)));
    let mut twice = view_of(2);
    twice.members[1].site = incarnation(0, 2);
    assert!(!decodes(&twice));
}
