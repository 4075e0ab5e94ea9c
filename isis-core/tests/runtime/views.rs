//! Site views over real connections.

use std::sync::Arc;
use std::time::Duration;

use isis_core::Error;
use isis_core::runtime::{InProcessNetwork, Site};

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

/// R5: it is let go only when it is alone, and an end that comes before that says so.
#[test]
fn a_close_of_the_last_founding_site_that_times_out_says_why() {
    let network = Arc::new(InProcessNetwork::new());
    let addresses = ["site-1:1", "site-2:1"].map(String::from);
    let [mut founder, joiner] = configs(&addresses).try_into().unwrap();
    founder.peers.clear();
    let open = |c| Site::open_with(c, network.clone()).unwrap();
    let sites = in_one_view(vec![open(founder), open(joiner)]);
    let closed = sites[0].close(Some(Duration::from_millis(300)));
    let Err(Error::NotTold(why)) = closed else {
        panic!("{closed:?}");
    };
    assert!(why.contains("last founding site of view 1"), "{why}");
    halt(&sites);
}
