use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use isis_core::delivery::{Label, Message};
use isis_core::ids::{Class, Incarnation, MessageId, Site, SiteId};

use super::*;

/// A queue that tests fill.
#[derive(Default)]
struct Script {
    events: Mutex<VecDeque<Event>>,
    more: Condvar,
}

impl Source for Arc<Script> {
    fn next(&self, timeout: Duration) -> Result<Event, Error> {
        let mut events = self.events.lock();
        if events.is_empty() {
            self.more.wait_for(&mut events, timeout);
        }
        events.pop_front().ok_or(Error::TimedOut)
    }

    fn pending(&self) -> usize {
        self.events.lock().len()
    }
}

impl Script {
    fn add(&self, event: Event) {
        self.events.lock().push_back(event);
        self.more.notify_all();
    }
}

const LONG: Duration = Duration::from_secs(20);

fn me() -> ProcessId {
    ProcessId {
        site: Site {
            id: SiteId(1),
            incarnation: Incarnation(1),
        },
        index: 1,
    }
}

fn group(seq: u64) -> GroupId {
    GroupId { founder: me(), seq }
}

fn message(seq: u64, of: GroupId) -> Event {
    Event::Message(Message {
        id: MessageId {
            sender: me(),
            class: Class::Bcast,
            seq,
        },
        group: Some((of, 1)),
        label: Label::Bcast("".into()),
        payload: Bytes::new(),
    })
}

fn view(of: GroupId, number: u64, member: bool) -> Event {
    let mine = if member { vec![me()] } else { vec![] };
    Event::View(Arc::new(GroupView {
        group: of,
        name: format!("group {}", of.seq),
        number,
        members: mine.clone(),
        joined: mine,
        left: vec![],
    }))
}

fn inbox(events: impl IntoIterator<Item = Event>) -> (Arc<Script>, Inbox<Arc<Script>>) {
    let script = Arc::new(Script::default());
    for event in events {
        script.add(event);
    }
    (script.clone(), Inbox::new(script, me()))
}

#[test]
fn a_group_gets_its_own_events_and_those_of_the_process_in_order() {
    let (a, b) = (group(1), group(2));
    let (_, inbox) = inbox([
        view(a, 1, true),
        message(1, b),
        message(2, a),
        Event::Blocked,
    ]);
    let mut of_a = Vec::new();
    while let Ok(Some(event)) = inbox.next(Some(a), Duration::ZERO) {
        of_a.push(event);
    }
    assert_eq!(of_a, [view(a, 1, true), message(2, a), Event::Blocked]);
    assert_eq!(inbox.pending(), 1);
    assert_eq!(inbox.next(None, Duration::ZERO), Ok(Some(message(1, b))));
    assert_eq!(inbox.next(None, Duration::ZERO), Err(Error::TimedOut));
}

#[test]
fn nothing_is_taken_before_somebody_wants_it() {
    let (script, inbox) = inbox([message(1, group(1)), message(2, group(1))]);
    inbox.next(None, Duration::ZERO).unwrap();
    assert_eq!(script.pending(), 1);
}

#[test]
fn kinds_with_a_callback_do_not_come_by_iteration() {
    let a = group(1);
    let (_, inbox) = inbox([view(a, 1, true), message(1, a), message(2, group(2))]);
    inbox.call_back_for("group 1", Kinds::default().with(Kind::Message));
    assert_eq!(inbox.next(None, Duration::ZERO), Ok(Some(view(a, 1, true))));
    assert_eq!(
        inbox.next(None, Duration::ZERO),
        Ok(Some(message(2, group(2))))
    );
    let called = inbox.next_for_callback(Duration::ZERO).unwrap();
    assert_eq!(called.event, message(1, a));
    assert_eq!(called.group.as_deref(), Some("group 1"));
}

#[test]
fn an_outcome_goes_to_its_caller_or_if_he_gave_up_to_iteration() {
    let flushed = |token| Event::Completed {
        token,
        result: Ok(Outcome::Flushed),
    };
    let (_, inbox) = inbox([flushed(7), flushed(8), flushed(9)]);
    inbox.start(|| Ok(8)).unwrap();
    inbox.start(|| Ok(9)).unwrap();
    assert_eq!(inbox.outcome(9, Duration::ZERO), Ok(Outcome::Flushed));
    inbox.give_up(8);
    for token in [7, 8] {
        assert_eq!(inbox.next(None, Duration::ZERO), Ok(Some(flushed(token))));
    }
}

#[test]
fn a_group_that_was_left_ends_and_can_be_joined_again() {
    let a = group(1);
    let (script, inbox) = inbox([view(a, 1, true), view(a, 2, false)]);
    assert_eq!(inbox.admitted(a, Duration::ZERO), Ok(()));
    assert_eq!(inbox.view(a).unwrap().number, 1);
    for event in [view(a, 1, true), view(a, 2, false)] {
        assert_eq!(inbox.next(Some(a), Duration::ZERO), Ok(Some(event)));
    }
    assert_eq!(inbox.next(Some(a), Duration::ZERO), Ok(None));
    assert_eq!(inbox.admitted(a, Duration::ZERO), Err(Error::TimedOut));
    script.add(view(a, 3, true));
    assert_eq!(inbox.admitted(a, Duration::ZERO), Ok(()));
    assert_eq!(inbox.next(Some(a), LONG), Ok(Some(view(a, 3, true))));
}

#[test]
fn consumers_on_several_threads_get_each_event_once_and_in_order() {
    const EACH: u64 = 2000;
    let (script, inbox) = inbox([]);
    let groups = [group(1), group(2), group(3)];
    thread::scope(|scope| {
        let takers = groups.map(|g| {
            let inbox = &inbox;
            scope.spawn(move || -> Vec<Event> {
                (0..EACH)
                    .map(|_| inbox.next(Some(g), LONG).unwrap().unwrap())
                    .collect()
            })
        });
        for seq in 0..EACH {
            for g in groups {
                script.add(message(seq, g));
            }
        }
        for (taker, g) in takers.into_iter().zip(groups) {
            let expected: Vec<Event> = (0..EACH).map(|seq| message(seq, g)).collect();
            assert_eq!(taker.join().unwrap(), expected);
        }
    });
}

#[test]
fn the_descriptor_shows_what_is_held() {
    let (_, inbox) = inbox([message(1, group(2)), message(2, group(1))]);
    let descriptor = Arc::new(Descriptor::new().unwrap());
    inbox.show(&descriptor);
    assert!(!descriptor.is_shown());
    inbox.next(Some(group(1)), Duration::ZERO).unwrap();
    assert!(descriptor.is_shown());
    inbox.next(None, Duration::ZERO).unwrap();
    assert!(!descriptor.is_shown());
}

/// A view of a group of others.
fn watched(of: GroupId, number: u64, members: bool) -> Event {
    let other = ProcessId { index: 2, ..me() };
    Event::View(Arc::new(GroupView {
        group: of,
        name: format!("group {}", of.seq),
        number,
        members: if members { vec![other] } else { vec![] },
        joined: vec![],
        left: vec![],
    }))
}

#[test]
fn a_watch_ends_with_the_leave_or_the_group() {
    let left = Event::Completed {
        token: 9,
        result: Ok(Outcome::Left(group(1))),
    };
    for (end, last) in [(left, false), (watched(group(1), 3, false), true)] {
        let events = [watched(group(1), 1, true), watched(group(1), 2, true), end];
        let (_, inbox) = inbox(events);
        inbox.admitted(group(1), LONG).unwrap();
        assert_eq!(inbox.view(group(1)).unwrap().number, 1);
        for number in [1, 2] {
            let event = inbox.next(Some(group(1)), LONG).unwrap();
            assert_eq!(event, Some(watched(group(1), number, true)));
        }
        let event = inbox.next(Some(group(1)), LONG).unwrap();
        assert!(event.is_some());
        assert_eq!(matches!(event, Some(Event::View(_))), last);
        assert_eq!(inbox.next(Some(group(1)), LONG), Ok(None));
    }
}

#[test]
fn who_watches_can_join() {
    let events = [
        watched(group(1), 1, true),
        view(group(1), 2, true),
        view(group(1), 3, false),
    ];
    let (_, inbox) = inbox(events.clone());
    for event in events {
        assert_eq!(inbox.next(Some(group(1)), LONG), Ok(Some(event)));
    }
    assert_eq!(inbox.next(Some(group(1)), LONG), Ok(None));
}
