//! Property U: what anybody has taken up to a safe BCAST, all survivors take, in the same order.

use isis_core::machine::broadcast::Address;

use crate::calls::list;
use crate::cluster::{Cluster, p, site};

/// Neither the sender nor anybody else has it before all are known to hold it with its final.
#[test]
fn u_a_safe_bcast_waits_until_all_know_its_final() {
    let mut c = Cluster::running(3);
    let all = [p(0), p(1), p(2)];
    c.safe_bcast(p(0), list(&all), "L", "m");
    for destination in [1, 2] {
        c.pass(0, destination, "bcast m");
        c.pass(destination, 0, "proposals");
    }
    for destination in [1, 2] {
        c.pass(0, destination, "finals");
        c.take(p(destination));
        assert_eq!(c.messages(p(destination)), [""; 0]);
    }
    c.pass(1, 0, "known");
    c.take(p(0));
    assert_eq!(c.messages(p(0)), [""; 0]);
    let waits = c.machines[&site(0)].pending();
    assert!(waits.iter().any(|w| w.contains("is not safe")), "{waits:?}");
    let asked = c.now;
    c.pass(2, 0, "known");
    // The floor leaves at once, and the sender acts on it itself.
    c.pass(0, 1, "floors");
    assert_eq!(c.now, asked);
    for process in [p(0), p(1)] {
        c.take(process);
        assert_eq!(c.messages(process), ["b:m"]);
    }
    c.settle();
    assert_eq!(c.messages(p(2)), ["b:m"]);
}

/// `m` of site 0 is final at site 2 alone, `n` of site 1, which comes after it, at sites 2 and 3. Then
/// sites 0 and 2 fail. What sites 2 and 3 have taken.
fn the_final_fails_with_who_knew_it(safe: [bool; 2]) -> [Vec<String>; 2] {
    let mut c = Cluster::running(4);
    for (sender, text) in [(0, "m"), (1, "n")] {
        let to = list(&[p(2), p(3)]);
        match safe[sender as usize] {
            true => c.safe_bcast(p(sender), to, "L", text),
            false => c.bcast(p(sender), to, "L", text),
        };
        for destination in [2, 3] {
            c.pass(sender, destination, text);
            c.pass(destination, sender, "proposals");
        }
        c.pass(sender, 2, "finals");
    }
    c.pass(1, 3, "finals");
    for destination in [2, 3] {
        c.pass(destination, 1, "known");
    }
    if safe[1] {
        c.pass(1, 2, "floors");
    }
    c.take(p(2));
    c.fail(&[0, 2]);
    c.run();
    [p(2), p(3)].map(|process| c.messages(process))
}

/// A plain BCAST may be lost in its place: the survivors have it, but elsewhere.
#[test]
fn u_a_plain_bcast_may_have_another_place_at_survivors() {
    let [failed, survivor] = the_final_fails_with_who_knew_it([false, false]);
    assert_eq!(failed, ["b:m", "b:n"]);
    assert_eq!(survivor, ["b:n", "b:m"]);
}

/// A safe one is not taken at all where it could be lost so.
#[test]
fn u_a_safe_bcast_has_one_place_also_at_who_failed() {
    let [failed, survivor] = the_final_fails_with_who_knew_it([true, false]);
    assert_eq!(failed, [""; 0]);
    assert_eq!(survivor, ["b:n", "b:m"]);
}

/// Nor one whose own final all know, behind a plain one of which that is not so.
#[test]
fn u_what_comes_before_a_safe_bcast_is_safe_too() {
    let [failed, survivor] = the_final_fails_with_who_knew_it([false, true]);
    assert_eq!(failed, ["b:m"]);
    assert_eq!(survivor, ["b:n", "b:m"]);
}

/// The sender and a destination take it and fail at once: the others take it, and in that place.
#[test]
fn u_what_was_taken_as_safe_survives_all_who_took_it() {
    let mut c = Cluster::running(4);
    let to = [p(0), p(1), p(2), p(3)];
    c.bcast(p(2), list(&to), "L", "before");
    c.safe_bcast(p(0), list(&to), "L", "m");
    c.bcast(p(1), list(&to), "L", "after");
    c.hold(0, 2, "floors");
    c.hold(0, 3, "floors");
    c.run();
    let taken = c.messages(p(1));
    assert!(c.has(p(0), "b:m") && c.has(p(1), "b:m") && !c.has(p(2), "b:m"));
    c.fail(&[0, 1]);
    c.settle();
    for survivor in [2, 3] {
        assert_eq!(c.messages(p(survivor))[..taken.len()], taken[..]);
    }
}

/// Plain ones of its label that come after it wait with it, other labels do not.
#[test]
fn u_only_its_label_waits_behind_a_safe_bcast() {
    let mut c = Cluster::running(3);
    let all = [p(0), p(1), p(2)];
    c.hold(2, 0, "known");
    c.safe_bcast(p(0), list(&all), "L", "m");
    c.run();
    c.bcast(p(1), list(&all), "L", "n");
    c.bcast(p(1), list(&all), "other", "o");
    c.run();
    assert_eq!(c.messages(p(1)), ["b:o"]);
    c.settle();
    c.assert_order(p(1), &["b:o", "b:m", "b:n"]);
}

/// A GBCAST that stands behind it waits with it, at all members, and then goes on.
#[test]
fn u_a_gbcast_comes_after_the_safe_bcast_before_it() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    c.hold(2, 0, "known");
    c.safe_bcast(p(0), Address::Group(group), "L", "m");
    c.run();
    c.gbcast(p(1), group, "g");
    c.bcast(p(1), Address::Group(group), "L", "n");
    c.run();
    for process in [p(0), p(1), p(2)] {
        assert_eq!(c.messages(process), [""; 0]);
    }
    c.settle();
    for process in [p(0), p(1), p(2)] {
        assert_eq!(c.messages(process), ["b:m", "g:g", "b:n"]);
    }
}

/// What a change of the group sends again is still safe.
#[test]
fn u_a_rejected_safe_bcast_is_sent_again_as_safe() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1)]);
    c.join(p(2), "g");
    c.pass(2, 0, "run request");
    c.pass(0, 1, "run start");
    c.safe_bcast(p(1), Address::Group(group), "L", "m");
    c.hold(2, 1, "known");
    c.run();
    assert!(c.has(p(2), "Joined"));
    for process in [p(0), p(1), p(2)] {
        assert_eq!(c.messages(process), [""; 0]);
    }
    c.settle();
    for process in [p(0), p(1), p(2)] {
        assert_eq!(c.messages(process), ["b:m"]);
    }
}

/// A flush covers it: it returns when the sender has it in its place for good.
#[test]
fn u_a_flush_covers_a_safe_bcast() {
    let mut c = Cluster::running(2);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(1, 0, "known");
    c.safe_bcast(p(0), Address::Group(group), "L", "m");
    c.flush(p(0));
    c.run();
    assert!(!c.has(p(0), "Flushed"));
    c.settle();
    c.assert_order(p(0), &["b:m", "Flushed"]);
}

/// What a decision places is safe: all have stored it before anybody applies it.
#[test]
fn u_what_a_cut_places_is_safe() {
    let mut c = Cluster::running(4);
    let to = [p(1), p(2), p(3)];
    c.safe_bcast(p(0), list(&to), "L", "m");
    c.bcast(p(2), list(&to), "L", "n");
    for destination in [1, 2, 3] {
        c.pass(0, destination, "bcast m");
    }
    c.hold(1, 2, "cut go");
    c.hold(1, 3, "cut go");
    c.fail(&[0]);
    c.run();
    let taken = c.messages(p(1));
    assert!(c.has(p(1), "b:m") && !c.has(p(2), "b:m") && !c.has(p(3), "b:m"));
    c.release_all();
    c.fail(&[1]);
    c.settle();
    for survivor in [2, 3] {
        assert_eq!(c.messages(p(survivor))[..taken.len()], taken[..]);
    }
}

/// It may go to others than its sender, and to one process alone.
#[test]
fn u_a_safe_bcast_need_not_go_to_its_sender() {
    let mut c = Cluster::running(3);
    let second = c.open(site(1), 2);
    c.safe_bcast(p(0), list(&[p(1), second, p(2)]), "L", "to others");
    c.safe_bcast(p(2), list(&[p(2)]), "L", "to itself");
    c.settle();
    for process in [p(1), second] {
        assert_eq!(c.messages(process), ["b:to others"]);
    }
    assert!(c.has(p(2), "b:to others") && c.has(p(2), "b:to itself"));
}
