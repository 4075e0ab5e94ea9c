//! Back-pressure (R29), many senders, and ends under load.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::{Event, Label, Olabel};
use isis_core::runtime::{Group, InProcessNetwork, Site, Wait};

use crate::support::*;

const WINDOW: usize = 8;

/// Two sites with a small window, and a member at each.
fn narrow_pair() -> (Vec<Site>, Vec<Group>) {
    let network = Arc::new(InProcessNetwork::new());
    let mut configs = configs(&["a:1".into(), "b:1".into()]);
    for config in &mut configs {
        config.window_messages = WINDOW;
    }
    let open = |c| Site::open_with(c, network.clone()).unwrap();
    let sites = in_one_view(configs.into_iter().map(open).collect());
    let groups = members(&sites, "narrow");
    (sites, groups)
}

fn send(group: &Group, wait: Wait) -> Result<(), Error> {
    group.bcast("", Bytes::from_static(b"x"), wait).map(|_| ())
}

fn fill(group: &Group) {
    for _ in 0..WINDOW {
        send(group, Wait::No).unwrap();
    }
}

#[test]
fn a_full_window_would_block_and_says_when_it_is_writable() {
    let (sites, groups) = narrow_pair();
    fill(&groups[0]);
    assert_eq!(send(&groups[0], Wait::No), Err(Error::WouldBlock));
    // The sender takes its own; the window stays full until the other member takes them too.
    messages(&groups[0], WINDOW);
    assert_eq!(send(&groups[0], Wait::No), Err(Error::WouldBlock));
    messages(&groups[1], WINDOW);
    assert_eq!(groups[0].process().next(LONG), Ok(Event::Writable));
    send(&groups[0], Wait::No).unwrap();
    halt(&sites);
}

#[test]
fn a_sender_waits_as_long_as_it_wants_to() {
    let (sites, groups) = narrow_pair();
    fill(&groups[0]);
    let short = Wait::For(Duration::from_millis(20));
    assert_eq!(send(&groups[0], short), Err(Error::TimedOut));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&groups[0], Wait::Forever));
        messages(&groups[0], WINDOW);
        messages(&groups[1], WINDOW);
        waiting.join().unwrap().unwrap();
    });
    // Nobody who waited gets a `Writable`.
    messages(&groups[0], 1);
    messages(&groups[1], 1);
    assert_eq!(groups[0].process().pending(), 0);
    halt(&sites);
}

#[test]
fn the_end_of_the_site_releases_who_waits() {
    let (sites, groups) = narrow_pair();
    fill(&groups[0]);
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(&groups[0], Wait::Forever));
        let flushing = scope.spawn(|| groups[0].process().flush(None));
        let idle = sites[0].process("idle").unwrap();
        let taking = scope.spawn(move || while idle.next(None).is_ok() {});
        sites[0].halt();
        assert!(matches!(sending.join().unwrap(), Err(Error::Closed(_))));
        // It may have been quick enough.
        flushing.join().unwrap().ok();
        taking.join().unwrap();
    });
    halt(&sites);
}

#[test]
fn two_threads_may_send_for_one_process() {
    const EACH: u32 = 2000;
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 2);
    let groups = members(&sites, "busy");
    thread::scope(|scope| {
        for label in ["left", "right"] {
            let group = &groups[0];
            scope.spawn(move || {
                for i in 0..EACH {
                    let payload = Bytes::copy_from_slice(&i.to_le_bytes());
                    group.bcast(label, payload, Wait::Forever).unwrap();
                }
            });
        }
        for group in &groups {
            scope.spawn(move || {
                let mut expected = [0, 0];
                for _ in 0..2 * EACH {
                    let message = next_message(group);
                    let side = usize::from(message.label == Label::Bcast(Arc::from("left")));
                    assert_eq!(message.payload[..], u32::to_le_bytes(expected[side]));
                    expected[side] += 1;
                }
            });
        }
    });
    for group in &groups {
        group.process().flush(LONG).unwrap();
    }
    let idle = |site: &Site| {
        let stats = site.stats();
        stats.stored == 0 && stats.in_flight_messages == 0 && stats.inbox_items == 0
    };
    eventually("all is let go", || sites.iter().all(idle));
    halt(&sites);
}

#[test]
fn a_site_closes_with_full_queues() {
    let (sites, groups) = narrow_pair();
    fill(&groups[0]);
    fill(&groups[1]);
    for _ in 0..100 {
        let stream = Olabel::Unordered;
        let full = groups[0].obcast(stream, Bytes::new(), Wait::No);
        assert_eq!(full, Err(Error::WouldBlock));
    }
    // Nobody takes anything, and yet both leave in good order.
    sites[0].close(LONG).unwrap();
    sites[1].close(LONG).unwrap();
    for group in &groups {
        let mut events = Vec::new();
        group.process().next_batch(usize::MAX, &mut events);
        assert_eq!(events.last(), Some(&Event::Closed));
        assert!(matches!(group.process().next(LONG), Err(Error::Closed(_))));
    }
}
