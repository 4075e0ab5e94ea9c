//! R18: what travels with an OBCAST, what holds it, and what is asked for; PROPERTIES C1 to C6.

use isis_core::broadcast::TRAVELLED;
use isis_core::delivery::Olabel::Causal;
use isis_core::ids::{Incarnation, ProcessId, Site};
use isis_core::machine::broadcast::Address;

use crate::calls::{list, stream};
use crate::cluster::{Cluster, p, site};

/// Too large to go along.
fn large() -> String {
    "large ".repeat(4000)
}

/// How often this has happened at the site.
fn count(c: &Cluster, id: u32, what: &str) -> u64 {
    let place = TRAVELLED.iter().position(|t| t.contains(what));
    c.machines[&site(id)].travelled()[place.expect("something counted")]
}

/// Among sites that all are destinations only ids travel: nobody passes a body on.
#[test]
fn r18_bodies_go_to_destinations_once() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(0), p(1), p(2)]);
    for i in 0..6 {
        c.obcast(p(i % 3), Address::Group(group), Causal, "m");
        c.take_all();
        c.run();
    }
    let along: u64 = (0..3).map(|id| count(&c, id, "along")).sum();
    let headers: u64 = (0..3).map(|id| count(&c, id, "header")).sum();
    assert_eq!((along, headers), (0, 0));
    c.settle();
}

/// The body of a predecessor goes along to a site that is no destination, as long as it is not
/// received where it goes; then its header does.
#[test]
fn r18_a_safe_predecessor_travels_as_a_header() {
    let mut c = Cluster::running(3);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1)]), Causal, "B");
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    assert_eq!(c.flying(0, 2), ["obcast B", "obcast B'"]);
    c.settle();
    let mut c = Cluster::running(3);
    c.hold(1, 0, "placed");
    c.obcast(p(0), list(&[p(1)]), Causal, "B");
    c.pass(0, 1, "obcast B");
    c.machines.get_mut(&site(1)).expect("a site");
    c.release(1, 0);
    c.pass(1, 0, "received");
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    let flying = c.flying(0, 2);
    assert!(flying[0].starts_with("header"), "{flying:?}");
    c.settle();
}

/// A large predecessor holds what comes after it to a site that is no destination of it, until it is
/// received where it goes; then a header is enough.
#[test]
fn r18_a_large_predecessor_holds_what_comes_after_it() {
    let mut c = Cluster::running(3);
    c.obcast(p(0), list(&[p(1)]), Causal, &large());
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    assert_eq!(c.flying(0, 2), [""; 0]);
    c.run();
    assert!(c.has(p(2), "o:B'"));
    assert_eq!(count(&c, 0, "along"), 0);
    c.settle();
}

/// If that takes too long, the large body goes along all the same.
#[test]
fn r18_a_large_predecessor_goes_along_when_patience_is_over() {
    let mut c = Cluster::running(3);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1)]), Causal, &large());
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    assert_eq!(count(&c, 0, "held"), 1);
    c.run();
    assert!(c.has(p(2), "o:B'"));
    assert_eq!(count(&c, 0, "along"), 1);
    c.fail(&[0]);
    c.settle();
    assert_eq!(c.messages(p(1)), [format!("o:{}", large())]);
}

/// What is held goes out before a site view ends the era, with the large body, whoever dies then.
#[test]
fn r18_what_is_held_is_not_lost_with_its_sender() {
    let mut c = Cluster::running(4);
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1)]), Causal, &large());
    c.obcast(p(0), list(&[p(2)]), Causal, "B'");
    let view = c.fail(&[3]);
    assert!(view.contains(site(0)));
    c.pass(0, 2, "obcast B'");
    c.fail(&[0]);
    c.settle();
    assert!(c.has(p(2), "o:B'"));
    assert_eq!(c.messages(p(1)).len(), 1);
}

/// A destination asks who named a message that does not come, and gets it there.
#[test]
fn r18_what_does_not_come_is_asked_for() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "B");
    c.run();
    c.obcast(p(1), list(&[p(2)]), Causal, "B'");
    c.pass(1, 2, "obcast B'");
    assert!(!c.has(p(2), "o:B'") && count(&c, 2, "asked") == 0);
    c.run();
    assert_eq!(count(&c, 2, "asked"), 1);
    assert_eq!(c.messages(p(2)), ["o:B", "o:B'"]);
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:B", "o:B'"]);
}

/// 27: What counts is what the application has taken, not what has been placed.
#[test]
fn review_27_what_is_not_taken_does_not_precede() {
    let mut c = Cluster::running(3);
    c.slow.insert(p(1));
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "B");
    c.run();
    c.obcast(p(1), list(&[p(2)]), Causal, "before");
    c.take(p(1));
    c.obcast(p(1), list(&[p(2)]), Causal, "after");
    c.pass(1, 2, "obcast after");
    c.take(p(2));
    assert_eq!(c.messages(p(2)), ["o:before"]);
    c.slow.clear();
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:before", "o:B", "o:after"]);
}

/// C1: A copy that is in flight when its id is deleted brings nothing back.
#[test]
fn c1_a_copy_in_flight_when_its_id_is_deleted_is_dropped() {
    let mut c = Cluster::running(4);
    c.hold(0, 1, "obcast B");
    c.obcast(p(0), list(&[p(1)]), Causal, "B");
    c.obcast(p(0), list(&[p(2)]), Causal, "m");
    c.obcast(p(0), list(&[p(3)]), Causal, "n");
    c.run();
    c.hold(2, 3, "");
    c.obcast(p(2), list(&[p(3)]), Causal, "o");
    let copies = c.flying(2, 3);
    c.release(0, 1);
    c.run();
    assert!(c.has(p(1), "o:B") && copies.contains(&"obcast B".into()));
    c.settle();
    assert_eq!(c.messages(p(3)), ["o:n", "o:o"]);
}

/// C2: A site that joins gets nothing of before.
#[test]
fn c2_a_joiner_gets_no_old_copy() {
    let mut c = Cluster::new(4);
    for id in 0..4 {
        c.open(site(id), 1);
    }
    c.install_everywhere(&[site(0), site(1), site(2)]);
    c.run();
    c.hold(0, 2, "obcast old");
    c.obcast(p(0), list(&[p(1), p(2), p(3)]), Causal, "old");
    c.pass(0, 1, "obcast old");
    c.take(p(1));
    c.obcast(p(1), list(&[p(2), p(3)]), Causal, "answer");
    c.install_everywhere(&[site(0), site(1), site(2), site(3)]);
    c.release(0, 2);
    c.run();
    c.obcast(p(1), list(&[p(2), p(3)]), Causal, "new");
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:old", "o:answer", "o:new"]);
    assert_eq!(c.messages(p(3)), ["o:new"]);
}

/// C3: What went to one incarnation of a site did not go to the next.
#[test]
fn c3_what_went_to_a_dead_session_is_sent_again() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1)]), Causal, "B");
    c.obcast(p(0), list(&[p(2)]), Causal, "lost");
    c.crash(2);
    let again = Site {
        incarnation: Incarnation(2),
        ..site(2)
    };
    c.start(again);
    let q = c.open(again, 1);
    c.install_everywhere(&[site(0), site(1), again]);
    c.run();
    c.hold(0, 1, "");
    c.obcast(p(0), list(&[p(1)]), Causal, "C");
    c.obcast(p(0), list(&[q]), Causal, "C'");
    c.release_all();
    c.settle();
    assert_eq!(c.messages(q), ["o:C'"]);
    assert_eq!(c.messages(p(1)), ["o:B", "o:C"]);
}

/// C4: *precedes* runs through OBCASTs, also of different addresses, and through nothing else.
#[test]
fn c4_precedes_runs_through_obcasts_only() {
    let chain = |through_obcast: bool| {
        let mut c = Cluster::running(4);
        c.hold(0, 2, "");
        c.obcast(p(0), list(&[p(1), p(2)]), stream("x"), "first");
        c.run();
        match through_obcast {
            true => {
                let group = c.group("g", &[p(1), p(3)]);
                c.obcast(p(1), Address::Group(group), stream("x"), "between");
            }
            false => drop(c.bcast(p(1), list(&[p(3)]), "L", "between")),
        }
        c.run();
        c.obcast(p(3), list(&[p(2)]), stream("x"), "last");
        c.pass(3, 2, "obcast last");
        c.take(p(2));
        let early = c.has(p(2), "o:last");
        c.settle();
        (early, c.messages(p(2)))
    };
    let (early, order) = chain(true);
    assert_eq!(
        (early, order),
        (false, vec!["o:first".into(), "o:last".into()])
    );
    let (early, order) = chain(false);
    assert_eq!(
        (early, order),
        (true, vec!["o:last".into(), "o:first".into()])
    );
}

/// C5: The later message does not go where its predecessor went, and what follows it does.
#[test]
fn c5_a_predecessor_is_waited_for_over_a_site_that_it_does_not_go_to() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(2)]), Causal, "m1");
    c.obcast(p(0), list(&[p(1)]), Causal, "m2");
    c.run();
    assert!(c.has(p(1), "o:m2"));
    c.obcast(p(1), list(&[p(2)]), Causal, "m3");
    c.run();
    assert_eq!(c.messages(p(2)), ["o:m1", "o:m3"]);
    c.settle();
}

/// C6: A dead sender's message that one survivor holds reaches all; one that nobody holds is lost
/// with everything that comes after it, of all kinds and for all alike, and blocks nobody.
#[test]
fn c6_what_nobody_holds_is_lost_with_what_follows_it() {
    let mut c = Cluster::running(3);
    c.hold(0, 2, "");
    c.obcast(p(0), list(&[p(1), p(2)]), Causal, "m");
    c.pass(0, 1, "obcast m");
    c.fail(&[0]);
    c.settle();
    assert_eq!(c.messages(p(2)), ["o:m"]);

    let mut c = Cluster::running(4);
    let [a, s, t, u] = [0, 1, 2, 3];
    let both: [ProcessId; 2] = [p(t), p(u)];
    c.hold(a, t, "");
    c.hold(a, u, "");
    c.obcast(p(a), list(&[p(s), p(t), p(u)]), Causal, "lost");
    c.run();
    c.obcast(p(s), list(&both), Causal, "after");
    c.bcast(p(s), list(&both), "L", "after");
    c.bcast(p(s), list(&[p(u)]), "L", "later");
    c.bcast(p(s), list(&[p(u)]), "M", "too");
    for word in ["obcast after", "bcast after", "bcast later", "bcast too"] {
        c.pass(s, u, word);
    }
    c.pass(s, t, "bcast after");
    c.fail(&[a, s]);
    c.settle();
    for q in both {
        assert_eq!(c.messages(q), [""; 0]);
    }
    c.obcast(p(t), list(&[p(u)]), Causal, "next");
    c.settle();
    assert_eq!(c.messages(p(u)), ["o:next"]);
}
