//! Sites leave no thread and no descriptor behind, however they end. A program of its own, because
//! it counts those of the whole program.
// The clock bounds the tests' own waits.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::ids::SiteId;
use isis_core::runtime::{InProcessNetwork, Site, Wait};

const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Threads and descriptors of this program.
fn held() -> (usize, usize) {
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

/// A finished thread may be listed for a moment longer than its `join` takes.
fn assert_held(expected: (usize, usize), after: &str) {
    let end = Instant::now() + LONG.unwrap();
    while held() != expected {
        assert!(
            Instant::now() < end,
            "{after}: {:?}, not {expected:?}",
            held()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn open_three(network: Option<&Arc<InProcessNetwork>>) -> Vec<Site> {
    let addresses: Vec<String> = match network {
        Some(_) => (1..=3).map(|id| format!("site-{id}:1")).collect(),
        None => {
            let free = || TcpListener::bind("127.0.0.1:0").unwrap();
            let listeners = [free(), free(), free()];
            let address = |l: &TcpListener| l.local_addr().unwrap().to_string();
            listeners.iter().map(address).collect()
        }
    };
    let all: Vec<(SiteId, String)> = (1..).map(SiteId).zip(addresses).collect();
    let open = |(id, address): &(SiteId, String)| {
        let mut config = Config::new(*id);
        config.hello_interval = Duration::from_millis(50);
        config.suspect_after = Duration::from_secs(1);
        config.listen.clone_from(address);
        config.peers = all
            .iter()
            .filter(|(other, _)| other != id)
            .cloned()
            .collect();
        let site = match network {
            Some(network) => Site::open_with(config, network.clone()),
            None => Site::open(config),
        };
        site.unwrap()
    };
    let sites: Vec<Site> = all.iter().map(open).collect();
    for site in &sites {
        site.wait_view(3, LONG).unwrap();
    }
    sites
}

/// A group over the sites, in use.
fn busy(sites: &[Site]) {
    for site in sites {
        let group = site.process("p").unwrap().join("g", LONG).unwrap();
        for _ in 0..100 {
            group
                .bcast("", Bytes::from_static(b"payload"), Wait::No)
                .unwrap();
        }
        group.process().flush(LONG).unwrap();
    }
}

#[test]
fn nothing_is_left_behind() {
    let idle = held();
    let network = Arc::new(InProcessNetwork::new());
    for network in [None, Some(&network)] {
        let sites = open_three(network);
        busy(&sites);
        for site in &sites {
            assert_eq!(site.stats().threads, 3);
            site.close(LONG).unwrap();
            assert_eq!(site.stats().threads, 0);
        }
        assert_held(idle, "close");

        let sites = open_three(network);
        busy(&sites);
        sites.iter().for_each(Site::halt);
        assert_held(idle, "halt");

        let sites = open_three(network);
        busy(&sites);
        drop(sites);
        assert_held(idle, "drop");
    }
    // One that cannot open; one whose peers nobody can look up.
    let mut config = Config::new(SiteId(1));
    config.listen = "127.0.0.1:0".into();
    let site = Site::open(config.clone()).unwrap();
    config.listen = site.local_addr();
    Site::open(config.clone()).unwrap_err();
    site.halt();
    config.peers = [(SiteId(2), format!("{}:1", "x".repeat(70)))].into();
    let site = Site::open(config).unwrap();
    let process = site.process("waiting").unwrap();
    assert!(process.join("g", Some(Duration::from_millis(50))).is_err());
    // Before the first view there is nobody to tell.
    site.close(LONG).unwrap();
    assert_held(idle, "no view");
}
