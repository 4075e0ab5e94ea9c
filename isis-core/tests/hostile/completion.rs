//! Completions: who may say what, and what waits for a view.

use isis_core::broadcast::{Completion, Control, Message, NumberRun, Report};
use isis_core::ids::{Class, ViewNumber};
use isis_core::machine::broadcast::{Input, Note};

use crate::calls::list;
use crate::cluster::{Cluster, at, p, site};
use crate::words::*;

/// Sites 0 to 2 complete view 1 and have come as far as nothing said about it yet.
fn frozen(c: &mut Cluster) {
    let all = [0, 1, 2].map(site);
    for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        c.hold(from, to, "");
    }
    c.install_everywhere(&all);
}

fn report() -> Report {
    Report {
        applied: Some(0),
        informed: true,
        clock: 0,
        finals: vec![],
        open: vec![],
        lacking: vec![],
        records: vec![],
        stored: vec![],
    }
}

#[test]
fn only_the_oldest_site_decides_and_says_go() {
    let mut c = Cluster::running(3);
    frozen(&mut c);
    c.say_completion(2, 1, 1, Completion::Decision(vec![decision(1)]));
    c.say_completion(2, 1, 1, Completion::Go);
    c.say_completion(2, 1, 1, Completion::Directory(vec![]));
    assert_eq!(c.refusals(1, 2), 3);
    // Nor does anybody report to another.
    c.say_completion(2, 1, 1, Completion::Report(report()));
    c.say_completion(2, 1, 1, Completion::Stored);
    assert_eq!(c.refusals(1, 2), 5);
    assert_eq!(c.machines[&site(1)].applied_view(), Some(0));
    c.settle();
    assert_eq!(c.machines[&site(1)].applied_view(), Some(1));
    c.assert_carries_on(&[0, 1, 2]);
}

#[test]
fn a_decision_that_decides_nothing_or_something_else_is_dropped() {
    let mut c = Cluster::running(3);
    frozen(&mut c);
    let mut of_strangers = decision(1);
    of_strangers.joining = vec![site(8)];
    let mut of_this_site = decision(1);
    of_this_site.joining = vec![site(1)];
    let wrong = [
        vec![],
        vec![decision(0)],
        vec![decision(2)],
        vec![decision(1), decision(1)],
        vec![decision(1), decision(0), decision(1)],
        vec![of_strangers],
        vec![of_this_site],
    ];
    let count = wrong.len();
    for decisions in wrong {
        c.say_completion(0, 1, 1, Completion::Decision(decisions));
    }
    assert_eq!(c.refusals(1, 0), count);
    c.settle();
    c.assert_carries_on(&[0, 1, 2]);
}

#[test]
fn a_report_counts_once_and_only_of_the_past() {
    let mut c = Cluster::running(3);
    frozen(&mut c);
    let mut ahead = report();
    ahead.applied = Some(1);
    let mut stored_ahead = report();
    stored_ahead.stored = vec![decision(1)];
    let mut stored_twice = report();
    stored_twice.stored = vec![decision(0), decision(0)];
    for wrong in [ahead, stored_ahead, stored_twice] {
        c.say_completion(2, 0, 1, Completion::Report(wrong));
    }
    let applied = Some(1);
    c.say_completion(2, 0, 1, Completion::PushEnd { applied });
    assert_eq!(c.refusals(0, 2), 4);
    c.settle();
    // The second report would have the oldest decide again.
    c.say_completion(2, 0, 1, Completion::Report(report()));
    c.say_completion(2, 0, 1, Completion::Stored);
    assert_eq!(c.flying(0, 1), [""; 0]);
    assert_eq!(c.flying(0, 2), [""; 0]);
    c.assert_carries_on(&[0, 1, 2]);
}

#[test]
fn what_waits_for_a_view_is_little() {
    let mut c = Cluster::new(2);
    let floors = || Message::Control(Control::default());
    for n in 0..10_000 {
        // To a site without a view, of views that never come, of any kind.
        c.say(1, 0, n, floors());
        c.say_completion(1, 0, n, Completion::PushEnd { applied: None });
        c.say_completion(1, 0, n, Completion::Go);
    }
    let view = c.commit(&[0, 1].map(site));
    c.install(0, &view);
    for n in 0..10_000 {
        c.say(1, 0, 0, floors());
        c.say(1, 0, 1 + n, floors());
        c.say_completion(1, 0, 1 + n, Completion::PushEnd { applied: None });
    }
    let waiting = c.machines[&site(0)].pending();
    let early: usize = waiting
        .iter()
        .filter_map(|w| w.split_once(" messages for views after"))
        .map(|(n, _)| n.parse::<usize>().unwrap())
        .sum();
    assert!(early <= 8, "{waiting:?}");
    c.install(1, &view);
    c.run();
    c.assert_carries_on(&[0, 1]);
}

#[test]
fn a_push_end_of_a_later_view_waits_for_it() {
    let mut c = Cluster::new(3);
    let first = c.commit(&[0, 1, 2].map(site));
    let second = c.commit(&[0, 1].map(site));
    c.install(1, &first);
    c.run();
    c.install(1, &second);
    c.run();
    c.install(0, &first);
    c.install(0, &second);
    c.run();
    assert_eq!(c.machines[&site(0)].applied_view(), Some(1));
    assert_eq!(second.number, ViewNumber(1));
    c.open(site(0), 9);
    c.open(site(1), 9);
    c.bcast(at(0, 9), list(&[at(1, 9)]), "l", "x");
    c.run();
    assert_eq!(c.messages(at(1, 9)), ["b:x"]);
}

#[test]
fn a_report_announces_no_more_work_than_a_decision_can_hold() {
    let mut c = Cluster::running(3);
    frozen(&mut c);
    let mut long = report();
    for i in 0..600u64 {
        for n in 0..4096 {
            let seq = 1 + i * 5000 + n;
            NumberRun::push(&mut long.finals, id(p(2), Class::Bcast, seq), seq, 0);
        }
    }
    c.say_completion(2, 0, 1, Completion::Report(long));
    assert_eq!(c.refusals(0, 2), 1);
}

#[test]
fn bytes_that_do_not_decode_are_noted_and_disturb_nobody() {
    let mut c = Cluster::running(2);
    let garbage: [&'static [u8]; 5] = [b"", b"\0", b"\xff\xff\xff\xff", b"\0\x05", b"\xfd\xff"];
    for bytes in garbage {
        let message = bytes::Bytes::from_static(bytes);
        let from = site(1);
        let packet = isis_core::machine::FromPeer { from, message };
        c.step(site(0), Input::Receive(packet));
    }
    let noted = c.notes.iter();
    let noted = noted.filter(|(_, n)| matches!(n, Note::Malformed { .. }));
    assert_eq!(noted.count(), garbage.len());
    c.assert_carries_on(&[0, 1]);
}
