//! The directory (R30): what it says of a group is the same at all sites, whichever of them hears of
//! what first.

use crate::cluster::{Cluster, p};

/// 1 joins the group of 0 before site 2 has placed its creation, since another change of the directory
/// is in the way there; and that comes with the end of the era. When 0 fails too, the name is still taken.
#[test]
fn review_34_a_join_is_known_where_the_creation_comes_later() {
    let mut c = Cluster::running(4);
    c.hold(3, 0, "bcast");
    c.hold(3, 1, "bcast");
    c.join(p(3), "h");
    c.run();
    for member in [0, 1] {
        c.join(p(member), "g");
        c.run();
    }
    assert!(c.has(p(1), "Joined") && !c.has(p(3), "Joined"));
    c.fail(&[3]);
    c.settle();
    c.fail(&[0]);
    c.settle();
    c.join(p(2), "g");
    c.settle();
    for member in [1, 2] {
        assert_eq!(c.last_view(p(member)), "g#4[1 2]");
    }
}
