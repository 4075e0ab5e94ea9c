//! Senders outside the group, and watches: §3.5's address for non-members, and PROTOCOL-REVIEW 11, 25,
//! 34 to 36 and PROPERTIES G6 as far as they speak of them. What 11 (i) to (iii) guard against cannot
//! arise here, since a watcher takes part in every GBCAST of the group; their schedules are followed
//! all the same.

use isis_core::delivery::Olabel::Causal;
use isis_core::error::Error;
use isis_core::ids::GroupId;
use isis_core::machine::broadcast::{Address, Status};

use crate::calls::{list, stream};
use crate::cluster::{Cluster, at, p, site};

/// §3.5: a process that is no member addresses the group, and its messages are ordered like a member's.
#[test]
fn s3_5_a_process_outside_addresses_the_group() {
    let mut c = Cluster::running(3);
    let group = Address::Group(c.group("g", &[p(0), p(1)]));
    assert_eq!(
        c.try_bcast(p(2), group.clone(), "L", "early"),
        Err(Error::NotMember)
    );
    c.lookup(p(2), "g");
    c.run();
    c.assert_order(p(2), &["g#2[0 1]", "Watching"]);
    let sent = c.obcast(p(2), group.clone(), Causal, "1");
    c.bcast(p(2), group.clone(), "L", "2");
    let Address::Group(id) = group else {
        unreachable!()
    };
    c.gbcast(p(2), id, "3");
    c.run();
    for member in [0, 1] {
        c.assert_order(p(member), &["o:1", "b:2", "g:3"]);
    }
    assert_eq!(c.messages(p(2)), [""; 0]);
    c.flush(p(2));
    c.run();
    assert!(c.has(p(2), "Flushed"));
    assert_eq!(c.status(p(2), sent), Status::Stable);
    c.settle();
}

/// A name that no group has; and a creation elsewhere that was over when the look-up began is found.
#[test]
fn review_34_a_lookup_finds_what_was_created_before_it() {
    let mut c = Cluster::running(3);
    c.lookup(p(2), "g");
    c.run();
    assert!(c.log(p(2)).iter().any(|w| w.starts_with("Name(")));
    // Site 0 has created the group before site 2 knows.
    c.hold(0, 2, "finals");
    c.join(p(0), "g");
    c.run();
    assert!(c.has(p(0), "Joined"));
    c.lookup(p(2), "g");
    c.run();
    assert!(!c.has(p(2), "Watching"));
    c.release_all();
    c.settle();
    assert!(c.has(p(2), "Watching"), "{:?}", c.log(p(2)));
}

/// A group dissolved and created anew is another instance: who watched the old one is told that it is
/// over, and what had not left by then comes back.
#[test]
fn review_34_a_dissolved_group_is_over_for_who_watches() {
    let mut c = Cluster::running(3);
    let old = c.group("g", &[p(0)]);
    c.lookup(p(2), "g");
    c.run();
    c.hold(0, 2, "run commit");
    c.leave(p(0), old);
    c.run();
    c.bcast(p(2), Address::Group(old), "L", "late");
    c.obcast(p(2), Address::Group(old), Causal, "late");
    c.flush(p(2));
    c.run();
    assert!(!c.has(p(2), "Flushed"));
    c.release_all();
    c.settle();
    c.assert_order(p(2), &["Watching", "g#2[]", "Flushed"]);
    assert_eq!(
        c.log(p(2))
            .iter()
            .filter(|w| *w == "undeliverable 1")
            .count(),
        2
    );
    assert_eq!(
        c.try_bcast(p(2), Address::Group(old), "L", "never"),
        Err(Error::NotMember)
    );
    let new = c.group("g", &[p(1)]);
    assert_ne!(old, new);
    c.lookup(p(2), "g");
    c.run();
    c.bcast(p(2), Address::Group(new), "L", "new");
    c.run();
    assert_eq!(c.messages(p(1)), ["b:new"]);
    c.settle();
}

/// 11 (i): x's OBCAST A to G meets a join of G, and its B', after A, goes to H; p is in both. A is not
/// rejected, so that nothing waits for a retry that may never name p.
#[test]
fn review_11_an_obcast_from_outside_is_never_rejected() {
    for held in [
        "run start",
        "run final",
        "run up",
        "run store",
        "run commit",
    ] {
        let mut c = Cluster::running(4);
        let [p0, q, x, j] = [0, 1, 2, 3];
        let g = Address::Group(c.group("G", &[p(p0), p(q)]));
        let h = Address::Group(c.group("H", &[p(p0)]));
        for name in ["G", "H"] {
            c.lookup(p(x), name);
            c.run();
        }
        for slow in [q, x, j] {
            c.hold(p0, slow, held);
        }
        c.join(p(j), "G");
        c.run();
        c.hold(x, q, "");
        c.obcast(p(x), g.clone(), stream("s"), "A");
        c.obcast(p(x), h.clone(), stream("s"), "B'");
        c.run();
        c.release_all();
        c.settle();
        c.assert_order(p(p0), &["o:A", "o:B'"]);
        assert!(c.has(p(q), "o:A"), "{held}");
        assert!(!c.has(p(x), "undeliverable 1"), "{held}");
    }
}

/// 11 (ii): what is rejected is a BCAST, and its retry is taken once, by the members of the new view.
#[test]
fn review_11_a_bcast_from_outside_that_meets_a_join_is_taken_once() {
    let mut resent = 0;
    for held in [
        "run start",
        "run final",
        "run up",
        "run store",
        "run commit",
    ] {
        for before in ["run start", "run final", "run up"] {
            let mut c = Cluster::running(4);
            let g = Address::Group(c.group("G", &[p(0), p(1)]));
            c.lookup(p(2), "G");
            c.run();
            c.hold(2, 1, "bcast");
            c.hold(0, 1, held);
            c.hold(0, 2, before);
            c.join(p(3), "G");
            c.bcast(p(2), g.clone(), "L", "m");
            c.run();
            c.release(0, 1);
            c.release(0, 2);
            c.run();
            c.release_all();
            c.settle();
            let views = [0, 1].map(|member| {
                assert_eq!(c.messages(p(member)), ["b:m"], "{held}, {before}");
                let log = c.log(p(member));
                log.iter().position(|w| w == "b:m") > log.iter().position(|w| w == "G#3[0 1 3]")
            });
            assert_eq!(views[0], views[1]);
            assert_eq!(c.has(p(3), "b:m"), views[0], "{held}, {before}");
            resent += usize::from(views[0]);
        }
    }
    assert!(resent > 0, "no schedule rejected it");
}

/// 11 (iii), G6: the FIFO order of a sender outside survives changes of view, whatever is retried.
#[test]
fn review_11_the_order_of_a_sender_outside_survives_retries() {
    for held in [
        "run start",
        "run final",
        "run up",
        "run store",
        "run commit",
    ] {
        let mut c = Cluster::running(4);
        let g = Address::Group(c.group("G", &[p(0), p(1)]));
        c.lookup(p(2), "G");
        c.run();
        c.hold(2, 1, "bcast 2");
        c.hold(0, 2, held);
        c.join(p(3), "G");
        for text in ["1", "2", "3"] {
            c.bcast(p(2), g.clone(), "L", text);
            c.run();
        }
        c.bcast(p(2), list(&[p(0), p(1)]), "L", "4");
        c.run();
        c.release_all();
        c.run();
        c.bcast(p(2), g.clone(), "L", "5");
        c.settle();
        for member in [0, 1] {
            let all = ["b:1", "b:2", "b:3", "b:4", "b:5"];
            assert_eq!(c.messages(p(member)), all, "{held}");
        }
    }
}

/// G6: who watches cannot have an arbitrarily old view: the stamp is that of its own last one, and no
/// change of view is over before it is placed there.
#[test]
fn review_g6_the_stamp_of_a_sender_outside_is_never_old() {
    let mut c = Cluster::running(3);
    let g = Address::Group(c.group("G", &[p(0)]));
    c.lookup(p(2), "G");
    c.run();
    c.hold(0, 2, "run start");
    c.join(p(1), "G");
    c.run();
    assert_eq!(c.last_view(p(0)), "G#1[0]");
    c.obcast(p(2), g, Causal, "m");
    c.settle();
    c.assert_order(p(0), &["o:m", "G#2[0 1]"]);
    c.assert_order(p(2), &["G#1[0]", "G#2[0 1]"]);
}

/// 25: a process outside starts a GBCAST, and its site dies: nobody is left with a wait queue up.
#[test]
fn review_25_a_gbcast_from_outside_whose_site_dies_blocks_nobody() {
    for held in [
        "run number",
        "run head",
        "run list",
        "run has stored",
        "run has committed",
    ] {
        let mut c = Cluster::running(3);
        let id = c.group("G", &[p(0), p(1)]);
        c.lookup(p(2), "G");
        c.run();
        c.hold(2, 0, held);
        c.gbcast(p(2), id, "g");
        c.run();
        c.obcast(p(1), Address::Group(id), Causal, "o");
        c.bcast(p(1), Address::Group(id), "L", "b");
        c.run();
        c.fail(&[2]);
        c.settle();
        let told = [0, 1].map(|member| c.has(p(member), "g:g"));
        assert_eq!(told[0], told[1], "{held}");
        for member in [0, 1] {
            assert!(c.has(p(member), "o:o") && c.has(p(member), "b:b"), "{held}");
        }
    }
}

/// 35, 36: a member that ends without leaving is seen to fail by who watches, after all that it sent.
#[test]
fn review_35_who_ends_fails_after_its_last_message_also_for_who_watches() {
    for held in ["", "bcast", "obcast", "finals"] {
        let mut c = Cluster::running(3);
        c.group("G", &[p(0), p(1)]);
        c.lookup(p(2), "G");
        c.run();
        c.hold(1, 2, held);
        c.obcast(p(1), list(&[p(2)]), Causal, "reply");
        c.bcast(p(1), list(&[p(2), p(0)]), "L", "reply");
        c.close(p(1));
        c.run();
        c.release_all();
        c.settle();
        c.assert_order(p(2), &["o:reply", "G#3[0]"]);
        c.assert_order(p(2), &["b:reply", "G#3[0]"]);
    }
}

/// 36, if the member's site dies: the view follows what survives of its messages.
#[test]
fn review_36_who_watches_sees_the_failure_of_a_site_in_its_place() {
    let mut c = Cluster::running(4);
    c.group("G", &[p(0), p(1)]);
    c.lookup(p(2), "G");
    c.run();
    c.hold(1, 2, "");
    c.obcast(p(1), list(&[p(2), p(3)]), Causal, "reply");
    c.run();
    assert!(c.has(p(3), "o:reply") && !c.has(p(2), "o:reply"));
    c.fail(&[1]);
    c.settle();
    c.assert_order(p(2), &["o:reply", "G#3[0]"]);
}

/// What a process outside sent is delivered by all or none, if its site dies before it reached all.
#[test]
fn review_11_a_message_from_outside_outlives_its_sender() {
    for (seen, bcast) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut c = Cluster::running(3);
        let g = Address::Group(c.group("G", &[p(0), p(1)]));
        c.lookup(p(2), "G");
        c.run();
        c.hold(2, 1 - seen, "");
        match bcast {
            true => c.bcast(p(2), g, "L", "m"),
            false => c.obcast(p(2), g, Causal, "m"),
        };
        c.run();
        c.fail(&[2]);
        c.settle();
        for member in [0, 1] {
            assert_eq!(c.messages(p(member)).len(), 1, "{seen} {bcast}");
        }
    }
}

/// A watch ends when its process asks, joins or ends; it changes no view, and members are not told.
#[test]
fn review_36_a_watch_is_no_membership() {
    let mut c = Cluster::running(2);
    let id = c.group("G", &[p(0)]);
    let second = c.open(site(1), 2);
    for watcher in [p(1), second] {
        c.lookup(watcher, "G");
        c.run();
    }
    assert_eq!(c.log(p(0)), ["G#1[0]"]);
    c.leave(p(1), id);
    c.run();
    assert!(c.has(p(1), "Left"));
    c.join(second, "G");
    c.run();
    c.assert_order(second, &["G#1[0]", "Watching", "G#2[0 1/2]", "Joined"]);
    c.bcast(p(0), Address::Group(id), "L", "m");
    c.run();
    assert!(c.has(second, "b:m"));
    assert_eq!(c.last_view(p(1)), "G#1[0]");
    let third = c.open(site(1), 3);
    c.lookup(third, "G");
    c.run();
    c.close(third);
    c.settle();
    assert_eq!(c.last_view(p(0)), "G#2[0 1/2]");
    assert_eq!(at(1, 2), second);
}

/// Site 0 hosts the only member of G, which leaves in the run that takes "1" from the watcher at site 2.
/// There the run is not placed yet: an OBCAST that 3, watching too, has placed before it is missing.
fn ended_but_not_at_the_watcher() -> (Cluster, GroupId) {
    let mut c = Cluster::running(4);
    let id = c.group("G", &[p(0)]);
    for watcher in [2, 3] {
        c.lookup(p(watcher), "G");
        c.run();
    }
    // While one run is under way, what is asked gathers for the next.
    c.hold(1, 0, "run number");
    c.lookup(p(1), "G");
    c.run();
    c.gbcast(p(2), id, "1");
    c.leave(p(0), id);
    c.run();
    c.pass(1, 0, "run number");
    c.run();
    c.hold(3, 2, "obcast");
    c.obcast(p(3), list(&[p(2), p(3)]), Causal, "before");
    c.run();
    c.release(1, 0);
    c.run();
    c.assert_order(p(3), &["o:before", "G#2[]"]);
    c.assert_order(p(0), &["g:1", "Left"]);
    assert_eq!(c.last_view(p(2)), "G#1[0]");
    (c, id)
}

/// §3.5: what comes back as *undeliverable* nobody got: 2 came too late, 1 did not.
#[test]
fn s3_5_what_comes_back_nobody_got() {
    let (mut c, id) = ended_but_not_at_the_watcher();
    c.gbcast(p(2), id, "2");
    c.settle();
    assert!(c.has(p(2), "undeliverable 2") && !c.has(p(2), "undeliverable 1"));
}

/// Who watches is told of a group's end, also if the era ends first, and what it waited for is lost with 3;
/// all others have forgotten the group by then.
#[test]
fn review_36_who_watches_is_told_of_the_end_at_the_end_of_an_era() {
    let (mut c, _) = ended_but_not_at_the_watcher();
    c.fail(&[3]);
    c.settle();
    assert_eq!(c.last_view(p(2)), "G#2[]");
    assert!(!c.has(p(2), "undeliverable 1"));
}

/// Between two OBCASTs of a stream one comes back, since its group is no more: the order runs through it
/// all the same.
#[test]
fn review_34_the_order_runs_through_what_comes_back() {
    let mut c = Cluster::running(3);
    let id = c.group("G", &[p(0)]);
    c.lookup(p(2), "G");
    c.run();
    c.hold(0, 2, "run commit");
    c.leave(p(0), id);
    c.run();
    let large = "large ".repeat(4000);
    c.obcast(p(2), list(&[p(1)]), stream("s"), &large);
    c.obcast(p(2), Address::Group(id), stream("s"), "never");
    c.obcast(p(2), list(&[p(1)]), stream("s"), "last");
    c.flush(p(2));
    c.hold(2, 1, "obcast large");
    c.release(0, 2);
    c.run();
    assert!(c.has(p(2), "undeliverable 2") && !c.has(p(2), "Flushed"));
    c.settle();
    assert_eq!(c.messages(p(1)), [format!("o:{large}"), "o:last".into()]);
    assert!(c.has(p(2), "Flushed"));
}
