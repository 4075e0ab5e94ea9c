//! Site views over real connections.

use std::sync::Arc;

use isis_core::runtime::InProcessNetwork;

use crate::support::*;

#[test]
fn three_sites_agree_over_tcp() {
    let sites = tcp_sites("127.0.0.1", 3);
    let views: Vec<_> = sites.iter().map(|s| s.view().unwrap()).collect();
    assert!(views.windows(2).all(|pair| pair[0].epoch == pair[1].epoch));
    for site in &sites {
        site.halt();
    }
}

#[test]
fn three_sites_agree_over_tcp_on_ipv6() {
    for site in tcp_sites("[::1]", 3) {
        site.halt();
    }
}

#[test]
fn three_sites_agree_in_process() {
    let network = Arc::new(InProcessNetwork::new());
    for site in local_sites(&network, 3) {
        site.halt();
    }
}
