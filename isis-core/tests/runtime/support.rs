use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::delivery::{Event, Message};
use isis_core::ids::SiteId;
use isis_core::runtime::{Group, InProcessNetwork, Site};

/// Longer than anything here takes; a wait that needs all of it has failed.
pub const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// Waits until the condition holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG.unwrap();
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Free addresses on this host: bound for a moment, then let go.
pub fn free_addresses(host: &str, n: usize) -> Vec<String> {
    let listeners: Vec<_> = (0..n)
        .map(|_| std::net::TcpListener::bind(format!("{host}:0")).unwrap())
        .collect();
    let address = |l: &std::net::TcpListener| l.local_addr().unwrap().to_string();
    listeners.iter().map(address).collect()
}

/// Configurations of sites 1 to n that list each other.
pub fn configs(addresses: &[String]) -> Vec<Config> {
    let id = |i: usize| SiteId(i as u32 + 1);
    (0..addresses.len())
        .map(|i| {
            let mut config = Config::new(id(i));
            config.listen.clone_from(&addresses[i]);
            config.hello_interval = Duration::from_millis(50);
            config.suspect_after = Duration::from_millis(1000);
            let others = addresses.iter().enumerate().filter(|(j, _)| *j != i);
            config.peers = others.map(|(j, a)| (id(j), a.clone())).collect();
            config
        })
        .collect()
}

/// Sites 1 to n over TCP, in one view.
pub fn tcp_sites(host: &str, n: usize) -> Vec<Site> {
    let configs = configs(&free_addresses(host, n));
    in_one_view(
        configs
            .into_iter()
            .map(|c| Site::open(c).unwrap())
            .collect(),
    )
}

/// Sites 1 to n in process, in one view.
pub fn local_sites(network: &Arc<InProcessNetwork>, n: usize) -> Vec<Site> {
    let addresses: Vec<String> = (1..=n).map(|i| format!("site-{i}:1")).collect();
    let open = |c| Site::open_with(c, network.clone()).unwrap();
    in_one_view(configs(&addresses).into_iter().map(open).collect())
}

pub fn in_one_view(sites: Vec<Site>) -> Vec<Site> {
    for site in &sites {
        site.wait_view(sites.len(), LONG).unwrap();
    }
    sites
}

/// A process at each site, all members of one group.
pub fn members(sites: &[Site], group: &str) -> Vec<Group> {
    let join = |site: &Site| site.process("member").unwrap().join(group, LONG).unwrap();
    let groups: Vec<Group> = sites.iter().map(join).collect();
    for group in &groups {
        until_view_of(group, sites.len());
    }
    groups
}

/// Takes events until the group's view has this many members.
pub fn until_view_of(group: &Group, members: usize) {
    while group.view().is_none_or(|v| v.members.len() != members) {
        group.process().next(LONG).unwrap();
    }
}

/// Takes events until one is a message.
pub fn next_message(group: &Group) -> Message {
    loop {
        if let Event::Message(message) = group.process().next(LONG).unwrap() {
            return message;
        }
    }
}

/// Takes events until there are this many messages.
pub fn messages(group: &Group, n: usize) -> Vec<Bytes> {
    (0..n).map(|_| next_message(group).payload).collect()
}

pub fn halt(sites: &[Site]) {
    sites.iter().for_each(Site::halt);
}
