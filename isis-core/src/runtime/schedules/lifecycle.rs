//! A site from start to stop: its threads and the broadcast machine are the library's, the machines and
//! the carrier under them stand-ins for a site that is alone.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mio::{Poll, Token};

use super::super::carrier::{Bell, Carrier, Resolved};
use super::super::driver::{BroadcastMachine, Machine, Machines};
use super::super::opening::Opening;
use super::super::{Process, Site, Wait};
use super::{check_random, config, number, payload, spawn};
use crate::broadcast::Gauges;
use crate::delivery::Event;
use crate::error::Error;
use crate::group;
use crate::ids::{self, Epoch, SiteId, ViewNumber};
use crate::machine::{broadcast, transport, view};
use crate::time::Time;
use crate::view::{Member, SiteView};

/// Carries nothing, and spins instead of sleeping.
struct Idle;

impl Carrier for Idle {
    fn wait(
        &mut self,
        _: Option<Duration>,
        pending: impl Fn() -> bool,
        _: &mut VecDeque<transport::Input>,
    ) {
        while !pending() {
            shuttle::thread::yield_now();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        None
    }

    fn connect(&mut self, _: SiteId, _: &str, _: &mut VecDeque<transport::Input>) {}

    fn resolved(&mut self, _: Resolved, _: &mut VecDeque<transport::Input>) {}

    fn transmit(&mut self, _: transport::Connection, _: [Bytes; 2]) {}

    fn close(&mut self, _: transport::Connection) {}

    fn flush(&mut self, _: &mut VecDeque<transport::Input>) {}

    fn gauges(&self) -> (usize, usize, usize) {
        (0, 0, 0)
    }
}

/// The transport machine of a site without peers.
struct NoPeers;

impl Machine for NoPeers {
    type Input = transport::Input;
    type Effect = transport::Effect;

    fn handle(&mut self, _: Time, _: transport::Input, _: &mut Vec<transport::Effect>) {}

    fn deadline(&self) -> Option<Time> {
        None
    }
}

/// The view machine of a site that is alone from the start, until it leaves.
struct Alone {
    site: ids::Site,
    founded: bool,
}

impl Alone {
    fn view(&self, number: u64, members: &[ids::Site]) -> SiteView {
        let member = |site: &ids::Site| Member {
            site: *site,
            address: "here:1".into(),
        };
        SiteView {
            epoch: Epoch(1),
            number: ViewNumber(number),
            members: members.iter().map(member).collect(),
            joined: members.to_vec(),
            left: Vec::new(),
            founding: vec![self.site.id],
            highest: BTreeMap::new(),
        }
    }
}

impl Machine for Alone {
    type Input = view::Input;
    type Effect = view::Effect;

    fn handle(&mut self, _: Time, input: view::Input, effects: &mut Vec<view::Effect>) {
        match input {
            view::Input::Timeout => {
                self.founded = true;
                effects.push(view::Effect::Install(self.view(0, &[self.site])));
            }
            view::Input::Leave => effects.push(view::Effect::Excluded {
                view: self.view(1, &[]),
                asked: true,
            }),
            view::Input::Transport(_) | view::Input::Stored { .. } => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        (!self.founded).then_some(Time(0))
    }
}

/// The library's broadcast machine, with a fuse that a payload may burn.
struct Broadcasts(group::Machine);

/// Sent as the number of a message: the machine panics.
const BOOM: usize = usize::MAX;

impl Machine for Broadcasts {
    type Input = broadcast::Input;
    type Effect = broadcast::Effect;

    fn handle(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>) {
        if let broadcast::Input::Call {
            call: broadcast::Call::Send(sent),
            ..
        } = &input
        {
            assert!(number(&sent.payload) != BOOM, "boom");
        }
        Machine::handle(&mut self.0, now, input, effects);
    }

    fn deadline(&self) -> Option<Time> {
        Machine::deadline(&self.0)
    }
}

impl BroadcastMachine for Broadcasts {
    fn applied_view(&self) -> Option<u64> {
        BroadcastMachine::applied_view(&self.0)
    }

    fn gauges(&self) -> Gauges {
        BroadcastMachine::gauges(&self.0)
    }
}

/// Starts a site whose processes have a window of this many messages.
fn start(window: usize) -> Site {
    let poll = Poll::new().unwrap();
    let bell = Arc::new(Bell::new(&poll, Token(0)).unwrap());
    let opening = Opening::new(config(window), bell).unwrap();
    let make = |opening: &Opening| {
        let me = opening.shared.me;
        Ok(Machines {
            transport: NoPeers,
            view: Alone {
                site: me,
                founded: false,
            },
            broadcast: Broadcasts(group::Machine::new(&opening.config, me)),
        })
    };
    Site::start(opening, "here:1".into(), Idle, make).unwrap()
}

fn send(process: &Process, n: usize, wait: Wait) -> Result<(), Error> {
    process.bcast_to(&[process.id()], "", payload(n), wait)?;
    Ok(())
}

/// The numbers of the messages that it gets before its last event.
fn until_closed(process: &Process) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        match process.next(None) {
            Ok(Event::Message(message)) => numbers.push(number(&message.payload)),
            Ok(Event::Closed) => return numbers,
            Ok(_) => {}
            Err(error) => panic!("{error} before the last event"),
        }
    }
}

#[test]
fn a_site_starts_carries_messages_and_stops() {
    check_random(|| {
        let site = start(4);
        let process = site.process("p").unwrap();
        for n in 0..3 {
            send(&process, n, Wait::Forever).unwrap();
        }
        process.flush(None).unwrap();
        site.close(None).unwrap();
        assert_eq!(until_closed(&process), [0, 1, 2]);
        let after = process.next(None);
        assert!(matches!(after, Err(Error::Closed(_))), "{after:?}");
        assert_eq!((site.stats().threads, site.stats().processes), (0, 0));
    });
}

#[test]
fn a_site_that_is_stopped_at_once_stops() {
    check_random(|| {
        let site = start(4);
        let process = site.process("p").unwrap();
        let stopped = site.clone();
        let stopper = spawn(move || stopped.halt());
        let sent = (0..3).filter(|n| send(&process, *n, Wait::Forever).is_ok());
        let sent = sent.count();
        let delivered = until_closed(&process);
        assert!(delivered.len() <= sent && delivered.is_sorted());
        stopper.join().unwrap();
    });
}

/// A process opened while the site stops: it is refused, or it ends.
#[test]
fn opening_and_stopping_at_once_leaves_nobody_waiting() {
    check_random(|| {
        let site = start(4);
        let opening = site.clone();
        let opener = spawn(move || match opening.process("late") {
            Ok(process) => assert_eq!(until_closed(&process), [0; 0]),
            Err(error) => assert!(matches!(error, Error::Closed(_))),
        });
        site.halt();
        opener.join().unwrap();
        assert!(matches!(site.process("later"), Err(Error::Closed(_))));
    });
}

/// Two threads close it, one in steps: one of them does, the other is told so.
#[test]
fn a_site_is_closed_once() {
    check_random(|| {
        let site = start(4);
        let process = site.process("p").unwrap();
        let other = site.clone();
        let closer = spawn(move || match other.start_close() {
            Ok(()) => other.finish_close(None).unwrap(),
            Err(error) => assert!(matches!(error, Error::Closed(_))),
        });
        let closed = site.close(None);
        assert!(matches!(closed, Ok(()) | Err(Error::Closed(_))));
        closer.join().unwrap();
        assert_eq!(until_closed(&process), [0; 0]);
    });
}

/// The window is full, events wait untaken, one thread waits for room and one for a flush: the stop
/// reaches all of them.
#[test]
fn stopping_with_full_queues_ends_every_wait() {
    check_random(|| {
        let site = start(2);
        let process = site.process("p").unwrap();
        // Nobody takes them, so their room does not come back.
        for n in 0..2 {
            send(&process, n, Wait::No).unwrap();
        }
        let blocked = process.clone();
        let sender = spawn(move || {
            assert!(matches!(
                send(&blocked, 2, Wait::Forever),
                Err(Error::Closed(_))
            ));
        });
        let flushing = process.clone();
        let flusher = spawn(move || {
            let flushed = flushing.flush(None);
            assert!(matches!(flushed, Ok(()) | Err(Error::Closed(_))));
        });
        site.halt();
        sender.join().unwrap();
        flusher.join().unwrap();
        assert!(until_closed(&process).is_sorted());
    });
}

/// A dispatching thread sends from inside its callbacks, and one of them panics: the library is not
/// touched by it.
#[test]
fn sending_and_panicking_inside_callbacks_harms_nothing() {
    check_random(|| {
        let site = start(4);
        let process = site.process("p").unwrap();
        send(&process, 0, Wait::No).unwrap();
        let dispatching = process.clone();
        let dispatcher = spawn(move || {
            let mut delivered = 0;
            while delivered < 4 {
                let Event::Message(message) = dispatching.next(None).unwrap() else {
                    continue;
                };
                let callback = || {
                    assert_eq!(number(&message.payload), delivered);
                    send(&dispatching, delivered + 1, Wait::No).unwrap();
                    if delivered == 1 {
                        std::panic::resume_unwind(Box::new("the callback's own"));
                    }
                };
                let panicked = catch_unwind(AssertUnwindSafe(callback)).is_err();
                assert_eq!(panicked, delivered == 1);
                delivered += 1;
            }
        });
        dispatcher.join().unwrap();
        site.close(None).unwrap();
        assert_eq!(until_closed(&process), [4]);
    });
}

/// A machine breaks an invariant: fail-stop, and everybody hears why.
#[test]
fn a_panic_in_a_machine_ends_every_wait() {
    check_random(|| {
        let site = start(1);
        let process = site.process("p").unwrap();
        let waiting = process.clone();
        let taker = spawn(move || assert_eq!(until_closed(&waiting), [0; 0]));
        let blocked = process.clone();
        let sender = spawn(move || {
            let both = [BOOM, BOOM].map(|n| send(&blocked, n, Wait::Forever));
            assert!(
                both.iter()
                    .any(|sent| matches!(sent, Err(Error::Internal(_))))
            );
        });
        sender.join().unwrap();
        taker.join().unwrap();
        let why = process.next(None);
        assert!(matches!(why, Err(Error::Internal(what)) if what.contains("boom")));
        site.close(None).unwrap();
    });
}
