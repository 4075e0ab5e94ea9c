//! Whole machines over a simulated network: what §4.1 promises of a session.

use super::network::*;
use crate::ids::SiteId;
use crate::machine::Lane::{self, Bulk, Control, Data};
use crate::machine::{Evidence, LinkReport};

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
        network.run(core::time::Duration::from_micros(pause));
    }
}

fn connected_pair() -> Network {
    let mut network = Network::new(1, STREAM, &[site(1, 1), site(2, 1)]);
    network.install_all();
    network.run(ms(300));
    network
}

#[test]
fn a_session_carries_all_lanes_over_a_stream() {
    let mut network = connected_pair();
    for lane in [Lane::Bulk, Lane::Data, Lane::Control] {
        for size in [0, 1, 100, 8000, 20_000, 32_768, 32_769, 100_000, 3 << 20] {
            network.send(0, 1, lane, size);
            network.send(1, 0, lane, size);
        }
    }
    network.drain(ms(5000));
    assert_eq!(network.hosts[1].delivered, 27);
    load(&mut network, 500);
    network.drain(ms(5000));
}

#[test]
fn simultaneous_dialling_leaves_one_connection() {
    let network = connected_pair();
    for host in &network.hosts {
        assert_eq!(host.reports.len(), 1, "{:?}", host.reports);
    }
}

#[test]
fn lossy_doubling_reordering_datagrams_lose_and_double_nothing() {
    for seed in 0..150 {
        let mut network = Network::new(seed, STREAM, &[site(1, 1), site(2, 1), site(3, 1)]);
        let hosts = 2 + network.random(2) as usize;
        network.hosts.truncate(hosts);
        network.faults = Faults {
            datagrams: network.random(4) > 0,
            lost: network.random(20),
            doubled: network.random(20),
            delay: 1 + network.random(20_000),
        };
        if !network.faults.datagrams {
            network.faults.lost = 0;
            network.faults.doubled = 0;
        }
        network.install_all();
        for _ in 0..4 {
            load(&mut network, 30);
            if network.random(2) == 0 {
                let host = network.random(hosts as u64) as usize;
                network.break_connections(host);
            }
        }
        network.drain(ms(600_000));
    }
}

#[test]
fn a_restarted_site_is_seen_at_once() {
    let mut network = connected_pair();
    network.crash(1);
    network.run(ms(20));
    let lost = |evidence| LinkReport::Lost {
        site: site(2, 1),
        evidence,
    };
    assert_eq!(
        network.hosts[0].reports.last(),
        Some(&lost(Evidence::Refused))
    );
    let new = network.add(site(2, 2), config(SiteId(2)));
    network.seek(new, &[1]);
    network.run(ms(1000));
    let reports = &network.hosts[0].reports;
    assert!(reports.contains(&lost(Evidence::Restarted)));
    let up = LinkReport::Up {
        site: site(2, 2),
        address: address(SiteId(2)),
        epoch: None,
    };
    assert_eq!(reports.last(), Some(&up));
}
