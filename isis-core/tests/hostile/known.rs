//! Messages of an era that once stopped, swelled or misled a site.

use std::sync::Arc;

use bytes::Bytes;
use isis_core::broadcast::{Action, Control, Gbcast, Message, NumberRun, Record, Roster};
use isis_core::delivery::{GroupView, LeaveReason, Olabel};
use isis_core::ids::{Class, GroupId, MessageId};
use isis_core::machine::broadcast::Address;
use isis_core::wire;

use crate::calls::list;
use crate::cluster::{Cluster, at, p, site};
use crate::words::*;

#[test]
fn a_process_named_twice_gets_one_copy_and_the_window_opens() {
    let mut c = Cluster::running(2);
    c.bcast(p(0), list(&[p(1), p(1), p(0), p(1)]), "l", "once");
    c.obcast(p(0), list(&[p(1), p(0), p(1)]), Olabel::Causal, "once");
    c.run();
    for q in [p(0), p(1)] {
        let mut log = c.messages(q);
        log.sort();
        assert_eq!(log, ["b:once", "o:once"], "at {q}");
    }
    c.settle();
}

#[test]
fn a_peer_cannot_name_a_process_twice() {
    let mut c = Cluster::running(2);
    c.say(1, 0, 0, bcast(p(1), 1, &[p(0), p(0)], &[0]));
    c.say(1, 0, 0, obcast(p(1), 1, &[p(0), p(0)], &[0], &[]));
    assert_eq!(c.refusals(0, 1), 2);
    c.run();
    assert_eq!(c.messages(p(0)), [""; 0]);
}

#[test]
fn a_list_and_its_sites_must_agree() {
    let mut c = Cluster::running(2);
    c.say(1, 0, 0, bcast(p(1), 1, &[p(0)], &[0, 1]));
    c.say(1, 0, 0, obcast(p(1), 1, &[p(1)], &[0], &[]));
    assert_eq!(c.refusals(0, 1), 2);
}

#[test]
fn a_peer_cannot_speak_for_another_sites_process() {
    let mut c = Cluster::running(3);
    // In the name of the receiver: its receipts would never leave, and be due for ever.
    c.say(1, 0, 0, obcast(p(0), 7, &[p(0)], &[0], &[]));
    c.say(1, 0, 0, bcast(p(0), 7, &[p(0)], &[0]));
    // In the name of a site that the era has not.
    c.say(1, 0, 0, obcast(p(9), 7, &[p(0)], &[0], &[]));
    c.say(1, 0, 0, bcast(p(9), 7, &[p(0)], &[0]));
    // The final of the receiver's own BCAST.
    let mut finals = Vec::new();
    NumberRun::push(&mut finals, id(p(0), Class::Bcast, 1), 5, 0);
    let control = Control {
        finals,
        ..Control::default()
    };
    c.say(1, 0, 0, Message::Control(control));
    assert_eq!(c.refusals(0, 1), 5);
    c.run();
    c.assert_carries_on(&[0, 2]);
}

#[test]
fn only_sites_write_to_the_directory() {
    let mut c = Cluster::running(2);
    let directory = at(0, 0);
    let sent = c.try_bcast(p(1), list(&[directory]), "l", "not a change");
    assert!(
        matches!(sent, Err(isis_core::Error::Invalid(_))),
        "{sent:?}"
    );
    c.say(1, 0, 0, bcast(p(1), 1, &[directory], &[0]));
    c.say(1, 0, 0, bcast(at(1, 0), 1, &[p(0)], &[0]));
    c.say(1, 0, 0, obcast(at(1, 0), 1, &[p(0)], &[0], &[]));
    c.say(1, 0, 0, obcast(p(1), 1, &[directory], &[0], &[]));
    assert_eq!(c.refusals(0, 1), 4);
}

/// How far behind its sender's own predecessor is could not be said, when it is passed on.
#[test]
fn no_obcast_comes_after_its_senders_later_ones() {
    let mut c = Cluster::running(2);
    for after in [1, 2] {
        let after = id(p(1), Class::Obcast, after);
        c.say(1, 0, 0, obcast(p(1), 1, &[p(0)], &[0], &[after]));
    }
    assert_eq!(c.refusals(0, 1), 2);
}

#[test]
fn what_comes_after_itself_is_sent_on_all_the_same() {
    let mut c = Cluster::running(3);
    let (x, y) = (id(p(2), Class::Obcast, 1), id(at(2, 2), Class::Obcast, 1));
    c.say(2, 1, 0, obcast(p(2), 1, &[p(1)], &[1], &[y]));
    c.say(2, 1, 0, obcast(at(2, 2), 1, &[p(1)], &[1], &[x]));
    assert_eq!(c.refusals(1, 2), 0);
    c.take(p(1));
    c.obcast(p(1), list(&[p(0)]), Olabel::Causal, "behind them");
    c.run();
    assert_eq!(c.messages(p(0)), ["o:behind them"]);
}

#[test]
fn few_bytes_announce_little_work() {
    let mut c = Cluster::running(2);
    let mut finals = Vec::new();
    for i in 0..400u64 {
        for n in 0..4096 {
            let seq = 1 + i * 5000 + n;
            NumberRun::push(&mut finals, id(p(1), Class::Bcast, seq), seq, 0);
        }
    }
    let control = Control {
        finals,
        ..Control::default()
    };
    c.say(1, 0, 0, Message::Control(control));
    let kept = c.machines[&site(0)].gauges().finals;
    assert_eq!(c.refusals(0, 1), 1, "{kept} kept");
    assert_eq!(kept, 0);
}

/// The run of site 1 that site 0's process is drawn into, up to where the record is stored.
fn drawn_in(c: &mut Cluster, group: GroupId, len: usize) -> (MessageId, Roster) {
    let run = id(at(1, 0), Class::Gbcast, 50);
    let base = roster(GroupView {
        group,
        name: "g".into(),
        number: 2,
        members: vec![p(1), p(0)],
        joined: vec![p(0)],
        left: vec![],
    });
    let start = Gbcast::Start {
        run,
        base: base.clone(),
        actions: vec![application(len)],
        clock: 1,
        payload: Bytes::from(vec![0; len]),
    };
    c.say(1, 0, 0, Message::Gbcast(start));
    let number = 1000;
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Final { run, number }));
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Up { run }));
    (run, base)
}

fn roster(view: GroupView) -> Roster {
    Roster::new(Arc::new(view))
}

fn application(len: usize) -> Action {
    Action::Application {
        id: id(p(1), Class::Gbcast, 1),
        len,
    }
}

#[test]
fn a_record_that_is_not_of_its_run_is_not_stored() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(1), p(0)]);
    let (run, roster) = drawn_in(&mut c, group, 3);
    let record = Record {
        run,
        number: 1000,
        actions: vec![application(3)],
        before: vec![],
        roster,
    };
    let wrong = [
        // Longer than the payload that came, and so long that the lengths overflow.
        vec![application(4)],
        vec![application(usize::MAX), application(usize::MAX)],
        vec![Action::Join(p(2))],
    ];
    for actions in wrong {
        let record = Record {
            actions,
            ..record.clone()
        };
        c.say(1, 0, 0, Message::Gbcast(Gbcast::Store(record)));
        c.say(1, 0, 0, Message::Gbcast(Gbcast::Commit { run }));
    }
    let elsewhere = Record {
        number: 999,
        ..record.clone()
    };
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Store(elsewhere)));
    let mut later = record.clone();
    Arc::make_mut(&mut later.roster.view).number += 1;
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Store(later)));
    assert_eq!(c.refusals(0, 1), 5);
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Store(record)));
    c.say(1, 0, 0, Message::Gbcast(Gbcast::Commit { run }));
    c.take(p(0));
    assert_eq!(c.messages(p(0)), ["g:\0\0\0"]);
}

#[test]
fn only_its_coordinator_goes_on_with_a_run() {
    let mut c = Cluster::running(3);
    let group = c.group("g", &[p(1), p(0)]);
    let (run, roster) = drawn_in(&mut c, group, 3);
    let record = Record {
        run,
        number: 1000,
        actions: vec![application(3)],
        before: vec![],
        roster: roster.clone(),
    };
    let start = Gbcast::Start {
        run: id(at(1, 0), Class::Gbcast, 51),
        base: roster,
        actions: vec![application(0)],
        clock: 1,
        payload: Bytes::new(),
    };
    let number = 1001;
    let words = [
        start,
        Gbcast::Final { run, number },
        Gbcast::Up { run },
        Gbcast::Store(record),
        Gbcast::Commit { run },
    ];
    let count = words.len();
    for word in words {
        c.say(2, 0, 0, Message::Gbcast(word));
    }
    assert_eq!(c.refusals(0, 2), count);
    // Answers go to whoever coordinates, and that is not site 0.
    let list = vec![];
    let answers = [
        Gbcast::Number { run, number },
        Gbcast::Head { run },
        Gbcast::List { run, list },
        Gbcast::Stored { run },
        Gbcast::Committed { run },
    ];
    let count = answers.len();
    for answer in answers {
        c.say(1, 0, 0, Message::Gbcast(answer));
    }
    assert_eq!(c.refusals(0, 1), count);
}

#[test]
fn a_site_that_is_not_there_cannot_join() {
    let mut c = Cluster::running(2);
    let group = c.group("g", &[p(0)]);
    let nobody = Gbcast::Request {
        group,
        number: 1,
        action: Action::Join(p(7)),
        payload: Bytes::new(),
    };
    c.say(1, 0, 0, Message::Gbcast(nobody));
    assert_eq!(c.refusals(0, 1), 1);
    c.bcast(p(0), Address::Group(group), "l", "x");
    c.settle();
    assert_eq!(c.last_view(p(0)), "g#1[0]");
}

#[test]
fn requests_about_groups_that_never_were_find_an_end() {
    let mut c = Cluster::running(2);
    let request = |seq| {
        let founder = p(1);
        Message::Gbcast(Gbcast::Request {
            group: GroupId { founder, seq },
            number: 1,
            action: Action::Join(p(1)),
            payload: Bytes::new(),
        })
    };
    // As many as may wait, and then some.
    let most = 1 << 16;
    for seq in 0..most + 3 {
        c.say(1, 0, 0, request(seq));
    }
    assert_eq!(c.refusals(0, 1), 3);
    c.assert_carries_on(&[0, 1]);
}

#[test]
fn a_site_founds_groups_for_its_own_processes() {
    let mut c = Cluster::running(3);
    // As `isis_core::group` encodes a creation: variant 0, the name, the group.
    let group = |founder| GroupId { founder, seq: 1 };
    let creation = |name: &str, founder| wire::encode(&(0u32, name, group(founder)));
    let long = "n".repeat(300);
    let changes = [
        creation("g", p(0)),
        creation("", p(1)),
        creation("a\0b", p(1)),
        creation(&long, p(1)),
        creation("g", at(1, 0)),
        vec![9, 9],
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let seq = 1 + i as u64;
        let Message::Bcast(mut body) = bcast(at(1, 0), seq, &[at(0, 0)], &[0]) else {
            unreachable!()
        };
        body.label = "\0directory".into();
        body.payload = Bytes::from(change);
        c.say(1, 0, 0, Message::Bcast(body));
        let mut finals = Vec::new();
        let key = isis_core::broadcast::label_key("\0directory");
        NumberRun::push(&mut finals, id(at(1, 0), Class::Bcast, seq), 100 + seq, key);
        let control = Control {
            finals,
            ..Control::default()
        };
        c.say(1, 0, 0, Message::Control(control));
        assert_eq!(c.refusals(0, 1), i + 1);
    }
    c.run();
    assert_eq!(c.log(p(0)), [""; 0]);
    let group = c.group("g", &[p(0), p(2)]);
    c.bcast(p(0), Address::Group(group), "l", "x");
    c.run();
    assert_eq!(c.messages(p(2)), ["b:x"]);
}

#[test]
fn a_group_that_is_gone_is_gone_for_its_own_process_only() {
    let mut c = Cluster::running(2);
    let group = c.group("g", &[p(0), p(1)]);
    c.hold(1, 0, "run");
    // Process 1 of site 1 asks; the answer that names process 1 of site 0 is none.
    c.gbcast(p(1), group, "mine");
    let gone = |action| Message::Gbcast(Gbcast::Gone { group, action });
    let of_another = Action::Application {
        id: id(p(0), Class::Gbcast, 1),
        len: 4,
    };
    c.say(0, 1, 0, gone(of_another));
    c.say(0, 1, 0, gone(Action::Remove(p(0), LeaveReason::Left)));
    assert_eq!(c.refusals(1, 0), 2);
    let waits = c.machines[&site(1)].gauges().in_flight;
    assert_eq!(waits, 1, "the GBCAST is still on its way");
    c.settle();
    assert_eq!(c.messages(p(0)), ["g:mine"]);
}

#[test]
fn a_request_does_not_go_round_between_sites_that_were_told_different_views() {
    let mut c = Cluster::running(4);
    let group = c.group("g", &[p(3)]);
    let told = |oldest| Roster {
        view: Arc::new(GroupView {
            group,
            name: "g".into(),
            number: 5,
            members: vec![oldest],
            joined: vec![],
            left: vec![],
        }),
        watchers: vec![],
        version: 5,
    };
    c.say(3, 0, 0, Message::Gbcast(Gbcast::Announce(told(p(1)))));
    c.say(3, 1, 0, Message::Gbcast(Gbcast::Announce(told(p(0)))));
    c.join(p(0), "g");
    c.run();
    c.assert_carries_on(&[0, 1, 2]);
}
