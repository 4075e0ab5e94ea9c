//! §2: failures as the processes see them.

use isis_core::delivery::{Event, LeaveReason, Olabel::Causal};
use isis_core::ids::{Incarnation, Site};
use isis_core::machine::broadcast::{Address, Input};

use crate::calls::list;
use crate::cluster::{Cluster, p, site};

#[test]
fn s2_no_information_survives_a_failure() {
    let mut c = Cluster::running(3);
    c.group("g", &[p(0), p(1), p(2)]);
    c.fail(&[2]);
    c.settle();
    let again = Site {
        incarnation: Incarnation(2),
        ..site(2)
    };
    c.start(again);
    let process = c.open(again, 1);
    c.install_everywhere(&[site(0), site(1), again]);
    c.join(process, "g");
    c.settle();
    assert_eq!(c.log(process), ["g#5[0 1 2]", "Joined"]);
}

#[test]
fn s2_the_failure_of_a_process_is_told_while_its_site_runs() {
    let mut c = Cluster::running(2);
    c.group("g", &[p(0), p(1)]);
    c.close(p(1));
    c.settle();
    let view = c.taken[&p(0)].iter().rev().find_map(|e| match e {
        Event::View(v) => Some(v),
        _ => None,
    });
    let left = &view.expect("a new view").left;
    assert_eq!(left[..], [(p(1), LeaveReason::ProcessFailed)]);
}

#[test]
fn s2_a_site_without_a_quorum_says_so_and_says_when_it_is_over() {
    let mut c = Cluster::running(2);
    let cut = |c: &mut Cluster, reachable| {
        c.step(site(0), Input::Quorum { reachable });
        c.take(p(0));
    };
    cut(&mut c, false);
    cut(&mut c, false);
    cut(&mut c, true);
    assert_eq!(c.log(p(0)), ["Blocked", "Unblocked"]);
    c.bcast(p(0), list(&[p(1)]), "L", "b");
    c.settle();
    assert!(c.has(p(1), "b:b"));
}

#[test]
fn s2_what_was_sent_before_a_failure_is_delivered_before_it() {
    let mut c = Cluster::running(3);
    c.hold(1, 0, "");
    c.obcast(p(1), list(&[p(0)]), Causal, "of the old view");
    c.bcast(p(1), list(&[p(0)]), "L", "of the old view");
    c.fail(&[2]);
    c.settle();
    let log = &c.taken[&p(0)];
    let place = |wanted: &dyn Fn(&Event) -> bool| log.iter().position(wanted);
    let failure = place(&|e| matches!(e, Event::SiteView(v) if !v.left.is_empty()));
    let last_message = log.iter().rposition(|e| matches!(e, Event::Message(_)));
    assert_eq!(c.messages(p(0)).len(), 2);
    assert!(last_message < failure);
}

/// The example of §1: an update whose sender fails is seen before the failure, or by nobody.
#[test]
fn s2_an_update_and_its_senders_failure_are_seen_in_one_order() {
    for reached in 0..3 {
        let mut c = Cluster::running(3);
        let group = c.group("g", &[p(0), p(1), p(2)]);
        c.bcast(p(0), Address::Group(group), "L", "update");
        for to in 1..=reached {
            c.pass(0, to, "bcast update");
        }
        c.fail(&[0]);
        c.settle();
        for manager in [1, 2] {
            match reached {
                0 => assert!(c.messages(p(manager)).is_empty()),
                _ => c.assert_order(p(manager), &["b:update", "g#4[1 2]"]),
            }
        }
    }
}
