//! The channels, and the pieces of the hand-over one by one.

use std::sync::Arc;

use super::super::channel::channel;
use super::super::handover::{Flag, Mailbox, Room, Waiters};
use super::super::sync::{AtomicBool, Ordering};
use super::{Descriptor, Notifier, check, check_random, spawn};

#[test]
fn a_channel_keeps_the_order_of_each_sender_and_loses_no_wake_up() {
    check(|| {
        let (sender, receiver) = channel();
        let senders: Vec<_> = (0..2)
            .map(|who| {
                let sender = sender.clone();
                spawn(move || assert!((0..3).all(|n| sender.send((who, n)))))
            })
            .collect();
        let mut next = [0, 0];
        for _ in 0..6 {
            let (who, n) = receiver.recv_timeout(None).expect("an item");
            assert_eq!(n, next[who]);
            next[who] += 1;
        }
        assert!(receiver.is_empty() && receiver.try_recv().is_none());
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_sender_learns_that_the_receiver_has_ended() {
    check_random(|| {
        let (sender, receiver) = channel();
        let ended = spawn(move || {
            receiver.recv_timeout(None);
        });
        assert!(sender.send(1));
        while sender.send(2) {
            shuttle::thread::yield_now();
        }
        ended.join().unwrap();
    });
}

#[test]
fn a_mailbox_gives_everything_once_and_in_order() {
    check(|| {
        let mailbox = Arc::new(Mailbox::<Vec<u32>>::new());
        let putting = mailbox.clone();
        let putter = spawn(move || {
            for n in 0..4 {
                putting.put(|mail| mail.push(n));
            }
        });
        let mut taken = Vec::new();
        for _ in 0..3 {
            mailbox.take(|mail| taken.append(mail));
        }
        putter.join().unwrap();
        mailbox.take(|mail| taken.append(mail));
        assert_eq!(taken, [0, 1, 2, 3]);
    });
}

#[test]
fn a_flag_loses_no_ring() {
    check(|| {
        let shared = Arc::new((
            Mailbox::<Vec<u32>>::new(),
            Flag::default(),
            Descriptor::default(),
        ));
        let telling = shared.clone();
        let teller = spawn(move || {
            let (mailbox, flag, bell) = &*telling;
            for n in 0..3 {
                mailbox.put(|mail| mail.push(n));
                if flag.raise() {
                    bell.raise();
                }
            }
        });
        let (mailbox, flag, bell) = &*shared;
        let mut taken = Vec::new();
        while taken.len() < 3 {
            bell.poll();
            bell.clear();
            flag.lower();
            mailbox.take(|mail| taken.append(mail));
        }
        teller.join().unwrap();
        assert_eq!(taken, [0, 1, 2]);
    });
}

#[test]
fn who_wants_room_is_told() {
    check(|| {
        let shared = Arc::new((Mailbox::<usize>::new(), Room::new(), Waiters::default()));
        let giving = shared.clone();
        let giver = spawn(move || {
            let (mailbox, room, waiters) = &*giving;
            for _ in 0..4 {
                mailbox.put(|messages| *messages += 1);
                if room.release(1, 10) {
                    waiters.wake();
                }
            }
        });
        let (mailbox, room, waiters) = &*shared;
        let mut released = 0;
        for goal in [1, 4] {
            let told = waiters.until(None, || {
                mailbox.take(|messages| released += std::mem::take(messages));
                room.want(goal as u64, 10 * goal as u64);
                mailbox.take(|messages| released += std::mem::take(messages));
                (released >= goal).then_some(())
            });
            assert_eq!(told, Some(()));
        }
        giver.join().unwrap();
    });
}

#[test]
fn a_wish_for_more_bytes_outlives_the_telling_of_the_one_before() {
    check(|| {
        let shared = Arc::new((Mailbox::<u64>::new(), Room::new(), AtomicBool::new(false)));
        let giving = shared.clone();
        let giver = spawn(move || {
            let (mailbox, room, told) = &*giving;
            for bytes in [10, 20] {
                mailbox.put(|released| *released += bytes as u64);
                told.store(room.release(1, bytes), Ordering::Relaxed);
            }
        });
        let (mailbox, room, told) = &*shared;
        // Who is refused wishes once, and again only when told.
        room.want(1, 10);
        room.want(1, 30);
        let mut seen = 0;
        mailbox.take(|released| seen = std::mem::take(released));
        giver.join().unwrap();
        let told = told.load(Ordering::Relaxed);
        assert!(told || seen == 30, "saw {seen} bytes, and was not told");
    });
}

#[test]
fn all_who_wait_are_woken() {
    check(|| {
        let shared = Arc::new((AtomicBool::new(false), Waiters::default()));
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                spawn(move || {
                    let (news, waiters) = &*shared;
                    let ready = || news.load(Ordering::Relaxed).then_some(());
                    assert_eq!(waiters.until(None, ready), Some(()));
                })
            })
            .collect();
        shared.0.store(true, Ordering::Relaxed);
        shared.1.wake();
        for waiting in waiting {
            waiting.join().unwrap();
        }
    });
}
