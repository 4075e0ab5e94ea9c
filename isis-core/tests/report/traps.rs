//! Where implementations of these protocols break: the traps of BCAST (B) that no scenario of the review
//! replays.

use isis_core::delivery::Olabel;

use crate::calls::list;
use crate::cluster::{Cluster, p};

/// B5: The clock jumps to every final seen. Otherwise what is sent after a delivery gets a number below
/// what was delivered, where the two meet.
#[test]
fn b5_what_is_sent_after_a_delivery_is_numbered_above_it() {
    let mut c = Cluster::running(4);
    let [s, far, b, t] = [0, 1, 2, 3];
    c.raise_clock(p(far), 100);
    c.bcast(p(s), list(&[p(far), p(b), p(t)]), "L", "m");
    for destination in [far, b, t] {
        c.pass(s, destination, "bcast m");
        c.pass(destination, s, "proposals");
    }
    c.hold(s, t, "finals");
    c.pass(s, b, "finals");
    c.take(p(b));
    assert!(c.has(p(b), "b:m"));
    c.bcast(p(b), list(&[p(t)]), "L", "n");
    c.settle();
    c.assert_order(p(t), &["b:m", "b:n"]);
}

/// B9: A final that comes again when the message is collected places nothing.
#[test]
fn b9_a_final_that_comes_after_collection_places_nothing() {
    let mut c = Cluster::running(3);
    let [s, b, t] = [0, 1, 2];
    c.hold(b, t, "finals");
    c.bcast(p(s), list(&[p(b), p(t)]), "L", "m");
    for destination in [b, t] {
        c.pass(s, destination, "bcast m");
        c.pass(destination, s, "proposals");
    }
    c.pass(s, b, "finals");
    c.take(p(b));
    // What b sends is preceded by the finals that it knows, also to those who know them.
    c.obcast(p(b), list(&[p(t)]), Olabel::Causal, "x");
    assert!(c.flying(b, t).iter().any(|m| m.contains("finals")));
    c.run();
    assert_eq!(c.messages(p(t)), ["b:m"]);
    c.release(b, t);
    c.settle();
    assert_eq!(c.messages(p(t)), ["b:m", "o:x"]);
}
