//! Broken connections, cut links, halted sites.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::Event;
use isis_core::ids::SiteId;
use isis_core::runtime::{Group, InProcessNetwork, Site, Wait};

use crate::support::*;

/// Each member sends this many while `disturb` is at work; all take all, in one order.
fn survives(groups: &[Group], each: u32, disturb: impl Fn(u32) + Sync) {
    let orders: Vec<Vec<Bytes>> = thread::scope(|scope| {
        for (i, group) in groups.iter().enumerate() {
            let disturb = &disturb;
            scope.spawn(move || {
                for n in 0..each {
                    if i == 0 {
                        disturb(n);
                    }
                    let payload = Bytes::from(format!("{i}:{n}"));
                    group.bcast("one", payload, Wait::Forever).unwrap();
                }
            });
        }
        let all = each as usize * groups.len();
        let takers: Vec<_> = groups
            .iter()
            .map(|group| scope.spawn(move || messages(group, all)))
            .collect();
        takers.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
    let mut once = orders[0].clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), orders[0].len());
}

#[test]
fn killed_connections_resume_without_loss_in_process() {
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 3);
    let groups = members(&sites, "g");
    survives(&groups, 1000, |n| {
        if n % 50 == 0 {
            network.kill_connections(SiteId(1), SiteId(1 + n / 50 % 2 + 1));
        }
    });
    let resumed = sites[0].stats().resumed_sessions;
    assert!(resumed > 0, "no session was resumed");
    assert_eq!(
        sites[0].view().unwrap().number.0,
        sites[2].view().unwrap().number.0
    );
    halt(&sites);
}

/// Forwards connections to `to`, and can break all of them.
struct Proxy {
    address: String,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn new(to: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = streams.clone();
        // Ends with the test's program.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&to) else {
                    continue;
                };
                for (mut from, mut into) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far.try_clone().unwrap(), near.try_clone().unwrap()),
                ] {
                    thread::spawn(move || {
                        let mut buffer = [0; 4096];
                        while let Ok(n @ 1..) = from.read(&mut buffer) {
                            if into.write_all(&buffer[..n]).is_err() {
                                break;
                            }
                        }
                        let _ = into.shutdown(Shutdown::Both);
                        let _ = from.shutdown(Shutdown::Both);
                    });
                }
                kept.lock().unwrap().extend([near, far]);
            }
        });
        Proxy { address, streams }
    }

    fn break_all(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn broken_tcp_connections_resume_without_loss() {
    let addresses = free_addresses("127.0.0.1", 2);
    let proxies: Vec<Proxy> = addresses.iter().cloned().map(Proxy::new).collect();
    let mut configs = configs(&addresses);
    for (config, proxy) in configs.iter_mut().zip(&proxies) {
        config.advertise.clone_from(&proxy.address);
    }
    configs[0].peers = [(SiteId(2), proxies[1].address.clone())].into();
    configs[1].peers = [(SiteId(1), proxies[0].address.clone())].into();
    let sites = in_one_view(
        configs
            .into_iter()
            .map(|c| Site::open(c).unwrap())
            .collect(),
    );
    let groups = members(&sites, "g");
    survives(&groups, 1000, |n| {
        if n % 100 == 0 {
            proxies.iter().for_each(Proxy::break_all);
        }
    });
    assert!(sites[0].stats().resumed_sessions > 0);
    halt(&sites);
}

#[test]
fn a_site_that_was_cut_off_learns_that_it_is_dead() {
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 3);
    let groups = members(&sites, "g");
    for other in [1, 2] {
        network.cut(SiteId(3), SiteId(other));
    }
    for group in &groups[..2] {
        until_view_of(group, 2);
    }
    eventually("the cut-off site blocks", || sites[2].is_blocked());
    for other in [1, 2] {
        network.heal(SiteId(3), SiteId(other));
    }
    let process = groups[2].process();
    let mut events = Vec::new();
    let end = loop {
        match process.next(LONG) {
            Ok(event) => events.push(event),
            Err(end) => break end,
        }
    };
    let [.., Event::Excluded(view), Event::Closed] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(!view.contains(sites[2].id()));
    assert!(matches!(end, Error::Excluded(_)));
    let send = groups[2].bcast("", Bytes::new(), Wait::Forever);
    assert_eq!(send.err(), Some(end.clone()));
    assert_eq!(sites[2].process("late").err(), Some(end));
    // The others go on.
    groups[0]
        .bcast("", Bytes::from_static(b"on"), Wait::No)
        .unwrap();
    assert_eq!(messages(&groups[1], 1), ["on"]);
    halt(&sites);
}

#[test]
fn sites_that_are_all_cut_off_block_and_resume() {
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 3);
    let groups = members(&sites, "g");
    let links = [(1, 2), (1, 3), (2, 3)].map(|(a, b)| (SiteId(a), SiteId(b)));
    for (a, b) in links {
        network.cut(a, b);
    }
    eventually("all block", || sites.iter().all(Site::is_blocked));
    for group in &groups {
        group.bcast("l", Bytes::new(), Wait::No).unwrap();
    }
    for (a, b) in links {
        network.heal(a, b);
    }
    eventually("all resume", || !sites.iter().any(Site::is_blocked));
    for group in &groups {
        messages(group, 3);
    }
    assert_eq!(sites[0].stats().blocked_spells, 1);
    halt(&sites);
}

#[test]
fn a_halted_site_is_failed_and_comes_back_as_another() {
    let addresses = free_addresses("127.0.0.1", 3);
    let configs = configs(&addresses);
    let open = |i: usize| Site::open(configs[i].clone()).unwrap();
    let mut sites = in_one_view((0..3).map(open).collect());
    let groups = members(&sites, "g");
    // The oldest.
    let victim = sites.remove(0);
    let first = victim.id();
    victim.halt();
    for group in &groups[1..] {
        until_view_of(group, 2);
    }
    let again = open(0);
    assert!(again.id().incarnation > first.incarnation);
    again.wait_view(3, LONG).unwrap();
    let back = again.process("again").unwrap().join("g", LONG).unwrap();
    until_view_of(&back, 3);
    groups[1]
        .bcast("", Bytes::from_static(b"hello"), Wait::No)
        .unwrap();
    assert_eq!(messages(&back, 1), ["hello"]);
    sites.push(again);
    halt(&sites);
}
