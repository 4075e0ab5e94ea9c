//! A process between callers and the broadcast thread.

use std::sync::Arc;

use super::super::broadcast::Inbox;
use super::super::channel::{Receiver, channel};
use super::super::ending::Ending;
use super::super::endpoint::SharedEndpoint;
use super::super::process::Wait;
use super::super::sync::JoinHandle;
use super::{Descriptor, check, config, number, payload, process, spawn};
use crate::delivery::{Endpoint, Event, Label, Limits, Message, Outcome};
use crate::error::Error;
use crate::ids::MessageId;
use crate::machine::broadcast::{Address, Call, Send, ToEndpoint};

/// A process with a window of this many messages, and the broadcast thread's end of it.
fn open(window: usize) -> (Arc<SharedEndpoint>, Receiver<Inbox>) {
    let (calls, inbox) = channel();
    let endpoint = Endpoint::new(process(1), Limits::from(&config(window)));
    (Arc::new(SharedEndpoint::new(endpoint, calls, None)), inbox)
}

fn shown(endpoint: &SharedEndpoint) -> Arc<Descriptor> {
    let descriptor = Arc::new(Descriptor::default());
    assert!(endpoint.set_notifier(descriptor.clone()));
    descriptor
}

fn event(event: Event) -> ToEndpoint {
    let after = Vec::new();
    ToEndpoint::Event { event, after }
}

fn message(sent: Send) -> ToEndpoint {
    event(Event::Message(Message {
        id: sent.id,
        group: None,
        label: Label::Bcast("".into()),
        payload: sent.payload,
    }))
}

/// A broadcast thread that gives back the room of each send at once, until it has seen so many; `first`
/// is done with each before that.
fn give_back(
    endpoint: &Arc<SharedEndpoint>,
    inbox: Receiver<Inbox>,
    sends: usize,
    first: fn(&SharedEndpoint, Send),
) -> JoinHandle<()> {
    let endpoint = endpoint.clone();
    spawn(move || {
        let mut seen = 0;
        while seen < sends {
            let call = match inbox.recv_timeout(None) {
                Some(Inbox::Call { call, .. }) => call,
                _ => panic!("only calls come"),
            };
            if let Call::Send(sent) = call {
                seen += 1;
                let room = ToEndpoint::Released {
                    messages: 1,
                    bytes: sent.payload.len(),
                };
                first(&endpoint, sent);
                endpoint.deliver([room].into_iter());
            }
        }
    })
}

/// It delivers what is sent.
fn echo(endpoint: &Arc<SharedEndpoint>, inbox: Receiver<Inbox>, sends: usize) -> JoinHandle<()> {
    give_back(endpoint, inbox, sends, |endpoint, sent| {
        endpoint.deliver([message(sent)].into_iter());
    })
}

fn send(endpoint: &SharedEndpoint, n: usize, wait: Wait) -> Result<MessageId, Error> {
    let to = Address::List(vec![process(1)]);
    endpoint.send(size_of::<usize>(), wait, |e| e.bcast(to, "", payload(n)))
}

fn take(endpoint: &SharedEndpoint) -> Option<Event> {
    let mut one = Vec::new();
    endpoint.next_batch(1, &mut one);
    one.pop()
}

/// One thread around its descriptor: it takes one event at a time, and sleeps whenever it has nothing
/// to do but wait for the descriptor. What it does with a message, `deliver` says.
fn poll_loop(
    endpoint: &SharedEndpoint,
    descriptor: &Descriptor,
    mut deliver: impl FnMut(Option<usize>) -> bool,
) {
    loop {
        descriptor.poll();
        let more = match take(endpoint) {
            Some(Event::Message(message)) => deliver(Some(number(&message.payload))),
            Some(Event::Writable) => deliver(None),
            Some(other) => panic!("{other:?}"),
            None => continue,
        };
        if !more {
            return;
        }
    }
}

#[test]
fn a_poll_loop_misses_nothing_and_ends_silent() {
    check(|| {
        let (endpoint, inbox) = open(100);
        let descriptor = shown(&endpoint);
        let broadcast = echo(&endpoint, inbox, 3);
        for n in 0..3 {
            send(&endpoint, n, Wait::No).unwrap();
        }
        let mut next = 0;
        poll_loop(&endpoint, &descriptor, |n| {
            assert_eq!(n, Some(next));
            next += 1;
            next < 3
        });
        broadcast.join().unwrap();
        // A ring that came late ends with a look that finds nothing.
        assert_eq!(take(&endpoint), None);
        assert!(!descriptor.is_readable());
    });
}

/// Back-pressure without waiting: sends are refused, and *writable* follows; all from one thread, in
/// callbacks.
#[test]
fn refused_sends_inside_callbacks_are_followed_by_writable() {
    check(|| {
        const SENDS: usize = 6;
        let (endpoint, inbox) = open(4);
        let descriptor = shown(&endpoint);
        let broadcast = echo(&endpoint, inbox, SENDS);
        let (mut sent, mut delivered) = (0, 0);
        let go_on = |sent: &mut usize| {
            while *sent < SENDS && send(&endpoint, *sent, Wait::No).is_ok() {
                *sent += 1;
            }
        };
        go_on(&mut sent);
        poll_loop(&endpoint, &descriptor, |n| {
            match n {
                Some(n) => {
                    assert_eq!(n, delivered);
                    delivered += 1;
                }
                None => go_on(&mut sent),
            }
            delivered < SENDS
        });
        broadcast.join().unwrap();
    });
}

/// The same where nothing else makes the descriptor readable, for all is sent to others.
#[test]
fn writable_comes_by_itself() {
    check(|| {
        let (endpoint, inbox) = open(1);
        let descriptor = shown(&endpoint);
        let broadcast = give_back(&endpoint, inbox, 3, |_, _| {});
        for n in 0..3 {
            while send(&endpoint, n, Wait::No).is_err() {
                poll_loop(&endpoint, &descriptor, |writable| {
                    assert_eq!(writable, None);
                    false
                });
            }
        }
        broadcast.join().unwrap();
    });
}

#[test]
fn waiting_senders_get_room_while_another_thread_takes() {
    check(|| {
        let (endpoint, inbox) = open(1);
        let broadcast = echo(&endpoint, inbox, 4);
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let endpoint = endpoint.clone();
                spawn(move || {
                    for n in 0..2 {
                        send(&endpoint, n, Wait::Forever).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..4 {
            assert!(matches!(endpoint.next(None), Ok(Event::Message(_))));
        }
        for sender in senders {
            sender.join().unwrap();
        }
        broadcast.join().unwrap();
    });
}

/// The outcome that one thread waits for is taken in by whichever comes first.
#[test]
fn an_outcome_finds_who_waits_for_it() {
    check(|| {
        let (endpoint, inbox) = open(4);
        let deliverer = endpoint.clone();
        let broadcast = spawn(move || {
            let token = loop {
                match inbox.recv_timeout(None) {
                    Some(Inbox::Call {
                        call: Call::Flush { token, .. },
                        ..
                    }) => break token,
                    Some(_) => {}
                    None => panic!("nothing ends this wait but an item"),
                }
            };
            let result = Ok(Outcome::Flushed);
            let done = event(Event::Completed { token, result });
            deliverer.deliver([event(Event::Blocked), done].into_iter());
            deliverer.deliver([event(Event::Unblocked)].into_iter());
        });
        let flushing = endpoint.clone();
        let flusher = spawn(move || {
            let outcome = flushing.complete(None, |_| (), Endpoint::flush);
            assert_eq!(outcome, Ok(Outcome::Flushed));
        });
        assert_eq!(endpoint.next(None), Ok(Event::Blocked));
        assert_eq!(endpoint.next(None), Ok(Event::Unblocked));
        flusher.join().unwrap();
        broadcast.join().unwrap();
    });
}

/// The end comes while the window is full, the queue is not empty, and threads wait for room, for an
/// outcome and for events: all return, and what had been handed over is there.
#[test]
fn the_end_reaches_everybody_with_full_queues() {
    check(|| {
        let (endpoint, inbox) = open(2);
        for n in 0..2 {
            send(&endpoint, n, Wait::No).unwrap();
        }
        let blocked = endpoint.clone();
        let sender = spawn(move || {
            assert!(matches!(
                send(&blocked, 2, Wait::Forever),
                Err(Error::Closed(_))
            ));
        });
        let flushing = endpoint.clone();
        let flusher = spawn(move || {
            let outcome = flushing.complete(None, |_| (), Endpoint::flush);
            assert!(matches!(outcome, Err(Error::Closed(_))));
        });
        let ending = endpoint.clone();
        let broadcast = spawn(move || {
            for _ in 0..2 {
                if let Some(Inbox::Call {
                    call: Call::Send(sent),
                    ..
                }) = inbox.recv_timeout(None)
                {
                    ending.deliver([message(sent)].into_iter());
                }
            }
            ending.end(&Ending::Closed);
        });
        for _ in 0..2 {
            assert!(matches!(endpoint.next(None), Ok(Event::Message(_))));
        }
        assert_eq!(endpoint.next(None), Ok(Event::Closed));
        assert!(matches!(endpoint.next(None), Err(Error::Closed(_))));
        for thread in [sender, flusher, broadcast] {
            thread.join().unwrap();
        }
    });
}
