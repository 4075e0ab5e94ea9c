//! Whole machines over a simulated network: what §4.1 promises of a session.

use alloc::collections::BTreeSet;
use alloc::vec;
use core::time::Duration;

use bytes::Bytes;

use super::network::*;
use crate::ids::{Epoch, SiteId};
use crate::machine::Lane::{Bulk, Control, Data};
use crate::machine::transport::Note;
use crate::machine::{Evidence, LinkReport, Refusal, ViewToTransport};

/// A random load of all lanes and sizes, small ones mostly.
fn load(network: &mut Network, count: usize) {
    let hosts = network.hosts.len() as u64;
    for _ in 0..count {
        let from = network.random(hosts) as usize;
        let to = (from + 1 + network.random(hosts - 1) as usize) % hosts as usize;
        let (lane, limit) = match network.random(20) {
            0..8 => (Control, 300),
            8..18 => (Data, 12_000),
            18 => (Data, 40_000),
            _ => (Bulk, 1 << 20),
        };
        let size = 1 + network.random(limit) as usize;
        let size = size / if network.random(3) == 0 { 1 } else { 50 };
        network.send(from, to, lane, size);
        let pause = network.random(400);
        network.run(Duration::from_micros(pause));
    }
}

fn connected(count: u32) -> Network {
    let sites: vec::Vec<_> = (1..=count).map(|id| site(id, 1)).collect();
    let mut network = Network::new(1, STREAM, &sites);
    network.install_all();
    network.run(ms(300));
    network
}

fn up(id: u32, incarnation: u64, epoch: Option<Epoch>) -> LinkReport {
    LinkReport::Up {
        site: site(id, incarnation),
        address: address(SiteId(id)),
        epoch,
    }
}

fn member_up(id: u32) -> LinkReport {
    up(id, 1, Some(Epoch(7)))
}

fn lost(id: u32, evidence: Evidence) -> LinkReport {
    LinkReport::Lost {
        site: site(id, 1),
        evidence,
    }
}

#[test]
fn a_session_carries_all_lanes_over_a_stream() {
    let mut network = connected(2);
    for lane in [Bulk, Data, Control] {
        for size in [0, 1, 100, 8000, 20_000, 32_768, 32_769, 100_000, 3 << 20] {
            network.send(0, 1, lane, size);
            network.send(1, 0, lane, size);
        }
    }
    network.drain(ms(5000));
    assert_eq!(network.hosts[1].delivered, 27);
    load(&mut network, 500);
    network.drain(ms(5000));
    for host in &network.hosts {
        assert_eq!(host.link.counters().garbage, 0);
        assert_eq!(host.link.counters().frames_repeated, 0);
    }
}

#[test]
fn control_passes_a_large_message() {
    let mut network = connected(2);
    network.send(0, 1, Bulk, 60 << 20);
    network.run(ms(2));
    network.send(0, 1, Control, 10);
    network.send(0, 1, Data, 10);
    network.run(ms(5));
    assert_eq!(network.hosts[1].delivered, 2);
    network.drain(ms(60_000));
    assert_eq!(network.hosts[1].delivered, 3);
}

#[test]
fn simultaneous_dialling_leaves_one_connection() {
    let network = connected(4);
    for host in &network.hosts {
        let others = network
            .hosts
            .iter()
            .map(|h| h.site)
            .filter(|&s| s != host.site);
        assert!(host.link.connected().eq(others));
        assert_eq!(host.reports.len(), 3, "{:?}", host.reports);
    }
    assert_eq!(network.connections(), 6);
}

/// What a run of the seeded test goes through between its loads.
fn disturb(network: &mut Network) {
    let hosts = network.hosts.len() as u64;
    let host = network.random(hosts) as usize;
    match network.random(8) {
        0 | 1 => network.break_connections(host),
        2 => network.deaden_connections(host),
        3 => {
            let duration = network.random(6000);
            network.pause(host, ms(duration));
        }
        4 => {
            let faults = network.faults;
            network.faults.lost = if faults.datagrams { 100 } else { 0 };
            let duration = network.random(6000);
            network.run(ms(duration));
            network.faults = faults;
        }
        5 | 6 => {
            let sites: BTreeSet<_> = network.hosts.iter().map(|h| h.site).collect();
            network.tell(host, ViewToTransport::Withhold { token: 1, sites });
            load(network, 20);
            network.run(ms(500));
            let sites = BTreeSet::new();
            network.tell(host, ViewToTransport::Withhold { token: 2, sites });
        }
        _ => network.run(ms(700)),
    }
}

#[test]
fn whatever_the_network_does_nothing_is_lost_or_doubled() {
    for seed in 0..200 {
        let mut network = Network::new(seed, STREAM, &[site(1, 1), site(2, 1), site(3, 1)]);
        let hosts = 2 + network.random(2) as usize;
        network.hosts.truncate(hosts);
        let datagrams = network.random(4) > 0;
        network.faults = Faults {
            datagrams,
            lost: if datagrams { network.random(20) } else { 0 },
            doubled: if datagrams { network.random(20) } else { 0 },
            delay: 1 + network.random(20_000),
        };
        network.install_all();
        for _ in 0..4 {
            load(&mut network, 30);
            disturb(&mut network);
        }
        network.drain(ms(600_000));
        // A lost greeting looks like a connection without one; nothing else looks wrong.
        let late = "no greeting in time";
        let notes = network.hosts.iter().flat_map(|host| &host.notes);
        let wrong = |note: &&Note| matches!(note, Note::Garbage { what } if what != late);
        assert_eq!(notes.clone().find(wrong), None, "seed {seed}");
    }
}

#[test]
fn a_broken_connection_resumes_in_the_middle_of_a_large_message() {
    let mut network = connected(2);
    network.send(0, 1, Bulk, 30 << 20);
    for _ in 0..5 {
        network.run(ms(2));
        network.break_connections(0);
        network.send(0, 1, Data, 5000);
    }
    network.drain(ms(60_000));
    let resumed = Note::Resumed { with: site(2, 1) };
    assert!(network.hosts[0].notes.contains(&resumed));
    assert_eq!(
        network.hosts[0].reports,
        [member_up(2)],
        "nobody is suspected"
    );
}

#[test]
fn a_dead_connection_is_replaced_after_a_silence() {
    let mut network = connected(2);
    network.deaden_connections(0);
    network.send(0, 1, Data, 100);
    network.drain(ms(3000));
    let expected = [member_up(2), lost(2, Evidence::Silence), member_up(2)];
    assert_eq!(network.hosts[0].reports, expected);
    assert_eq!(network.connections(), 1);
}

#[test]
fn a_restarted_site_is_seen_at_once() {
    let mut network = connected(2);
    network.crash(1);
    network.run(ms(20));
    let reports = &network.hosts[0].reports;
    assert!(reports.contains(&lost(2, Evidence::Refused)));
    let new = network.add(site(2, 2), config(SiteId(2)));
    network.seek(new, &[1]);
    network.run(ms(1000));
    let reports = &network.hosts[0].reports;
    assert!(reports.contains(&lost(2, Evidence::Restarted)));
    assert_eq!(reports.last(), Some(&up(2, 2, None)));
}

#[test]
fn a_second_live_site_of_an_id_is_refused() {
    let mut network = connected(2);
    let second = network.add(site(2, 2), config(SiteId(2)));
    network.seek(second, &[1]);
    network.run(ms(1000));
    let refused = LinkReport::Refused {
        peer: SiteId(1),
        reason: Refusal::Duplicate,
    };
    assert!(network.hosts[second].reports.contains(&refused));
    assert_eq!(network.hosts[0].reports, [member_up(2)]);
    network.send(0, 1, Data, 100);
    network.drain(ms(1000));
}

#[test]
fn a_paused_site_is_suspected_and_suspects_nobody() {
    let mut network = connected(3);
    network.pause(2, ms(10_000));
    network.send(0, 2, Data, 100);
    network.run(ms(11_000));
    let expected = [member_up(3), lost(3, Evidence::Silence), member_up(3)];
    for host in &network.hosts[..2] {
        let about = host.reports.iter().filter(|r| expected.contains(r));
        assert!(about.eq(&expected), "{:?}", host.reports);
    }
    let notes = &network.hosts[2].notes;
    assert!(
        notes
            .iter()
            .any(|n| matches!(n, Note::OwnPause { micros } if *micros > 9_000_000))
    );
    let reports = &network.hosts[2].reports;
    assert!(
        !reports.iter().any(|r| matches!(r, LinkReport::Lost { .. })),
        "{reports:?}"
    );
    network.drain(ms(1000));
}

#[test]
fn a_joiner_and_a_member_exchange_view_messages() {
    let mut network = connected(2);
    let joiner = network.add(site(3, 1), config(SiteId(3)));
    network.seek(joiner, &[1]);
    network.run(ms(100));
    for (from, to) in [(joiner, 0), (0, joiner)] {
        let (from_site, to_site) = (network.hosts[from].site, network.hosts[to].site);
        let message = Bytes::from_static(b"let me in");
        let send = ViewToTransport::Send {
            to: to_site,
            message: message.clone(),
        };
        network.tell(from, send);
        network.run(ms(10));
        assert_eq!(network.hosts[to].messages, [(from_site, message)]);
    }
    assert_eq!(network.hosts[0].reports.last(), Some(&up(3, 1, None)));
    // Nothing but the handshake was needed for what it sends once it is in.
    let all = view(1, &[site(1, 1), site(2, 1), site(3, 1)]);
    network.tell(joiner, ViewToTransport::Install(all.clone()));
    network.send(joiner, 0, Data, 10);
    network.run(ms(100));
    network.tell(0, ViewToTransport::Install(all.clone()));
    network.tell(1, ViewToTransport::Install(all));
    network.send(0, joiner, Data, 10);
    network.send(1, joiner, Data, 10);
    network.drain(ms(1000));
}

#[test]
fn an_excluded_site_learns_it_even_if_it_was_away() {
    let mut network = connected(3);
    network.pause(2, ms(10_000));
    network.run(ms(5000));
    let mut without = view(1, &[site(1, 1), site(2, 1)]);
    without.highest.insert(SiteId(3), site(3, 1).incarnation);
    for host in 0..2 {
        network.tell(host, ViewToTransport::Install(without.clone()));
    }
    network.run(ms(7000));
    let dead = |peer| LinkReport::Refused {
        peer: SiteId(peer),
        reason: Refusal::Dead(without.clone().into()),
    };
    let reports = &network.hosts[2].reports;
    assert!(
        reports.contains(&dead(1)) && reports.contains(&dead(2)),
        "{reports:?}"
    );
}
