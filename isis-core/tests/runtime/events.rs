//! Taking events: time-outs, wake-ups, notifiers, outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::{Event, Outcome};
use isis_core::runtime::{InProcessNetwork, Notifier, Process, Site, Wait};

use crate::support::*;

fn alone() -> (Site, Process) {
    let network = Arc::new(InProcessNetwork::new());
    let site = local_sites(&network, 1).remove(0);
    let process = site.process("p").unwrap();
    while process
        .next(LONG)
        .is_ok_and(|e| !matches!(e, Event::SiteView(_)))
    {}
    (site, process)
}

#[test]
fn next_waits_as_long_as_it_is_told() {
    let (site, process) = alone();
    assert_eq!(process.try_next(), None);
    assert_eq!(process.next(Some(Duration::ZERO)), Err(Error::TimedOut));
    assert_eq!(
        process.next(Some(Duration::from_millis(5))),
        Err(Error::TimedOut)
    );
    thread::scope(|scope| {
        let waiting = scope.spawn(|| process.next(None));
        process.wakeup();
        assert_eq!(waiting.join().unwrap(), Err(Error::Interrupted));
    });
    site.halt();
    assert_eq!(process.next(LONG), Ok(Event::Closed));
    assert!(matches!(process.next(None), Err(Error::Closed(_))));
}

#[test]
fn outcomes_go_to_who_waits_or_else_into_the_queue() {
    let (site, process) = alone();
    let group = process.join("g", LONG).unwrap();
    assert!(group.view().is_none());
    let Ok(Event::View(view)) = process.next(LONG) else {
        panic!("the view comes first");
    };
    assert_eq!(group.view(), Some(view));
    let token = process.start_flush().unwrap();
    let flushed = Event::Completed {
        token,
        result: Ok(Outcome::Flushed),
    };
    assert_eq!(process.next(LONG), Ok(flushed));
    let token = process.start_join("h").unwrap();
    let Ok(Event::View(view)) = process.next(LONG) else {
        panic!("the view comes first");
    };
    let joined = Event::Completed {
        token,
        result: Ok(Outcome::Joined(view.group)),
    };
    assert_eq!(process.next(LONG), Ok(joined));
    assert_eq!(process.group(view.group).unwrap().name(), "h");
    process.flush(LONG).unwrap();
    process.close(LONG).unwrap();
    let mut rest = Vec::new();
    process.next_batch(usize::MAX, &mut rest);
    assert!(
        !rest.iter().any(|e| matches!(e, Event::Completed { .. })),
        "{rest:?}"
    );
    assert_eq!(rest.last(), Some(&Event::Closed));
    site.close(LONG).unwrap();
}

#[derive(Default)]
struct Flag {
    up: AtomicBool,
    changes: AtomicUsize,
}

impl Notifier for Flag {
    fn raise(&self) {
        if !self.up.swap(true, Ordering::SeqCst) {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn clear(&self) {
        self.up.store(false, Ordering::SeqCst);
    }
}

#[test]
fn the_notifier_is_up_exactly_while_events_wait() {
    let (site, process) = alone();
    let group = process.join("g", LONG).unwrap();
    let flag = Arc::new(Flag::default());
    assert!(process.set_notifier(flag.clone()));
    assert!(flag.up.load(Ordering::SeqCst), "the view waits");
    until_view_of(&group, 1);
    assert!(!flag.up.load(Ordering::SeqCst));
    for n in 1..=100 {
        group.bcast("", Bytes::new(), Wait::Forever).unwrap();
        eventually("the flag goes up", || flag.up.load(Ordering::SeqCst));
        assert!(process.try_next().is_some());
        assert!(!flag.up.load(Ordering::SeqCst));
        assert_eq!(flag.changes.load(Ordering::SeqCst), n + 1);
    }
    assert!(!process.set_notifier(flag), "the first one stays");
    site.halt();
}

#[test]
fn dropped_handles_end_what_they_stand_for() {
    let network = Arc::new(InProcessNetwork::new());
    let mut sites = local_sites(&network, 2);
    let groups = members(&sites, "g");
    let mut groups = groups.into_iter();
    let (first, second) = (groups.next().unwrap(), groups.next().unwrap());
    drop(second);
    until_view_of(&first, 1);
    sites.pop();
    eventually("the site has left", || {
        sites[0].view().is_some_and(|v| v.members.len() == 1)
    });
    halt(&sites);
}
