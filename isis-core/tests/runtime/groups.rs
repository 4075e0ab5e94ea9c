//! Groups and broadcasts between sites of one program.

use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::Olabel;
use isis_core::machine::broadcast::Status;
use isis_core::runtime::{InProcessNetwork, Site, Wait};

use crate::support::*;

fn all_primitives(sites: &[Site]) {
    let groups = members(sites, "g");
    let ids: Vec<_> = groups
        .iter()
        .map(|g| {
            let name = Bytes::from(g.process().id().to_string());
            g.obcast(Olabel::Causal, name.clone(), Wait::Forever)
                .unwrap();
            g.gbcast(name.clone(), Wait::Forever).unwrap();
            g.bcast("label", name, Wait::Forever).unwrap()
        })
        .collect();
    let orders: Vec<_> = groups.iter().map(|g| messages(g, 9)).collect();
    assert!(orders.iter().all(|o| o.len() == 9));
    for (group, id) in groups.iter().zip(ids) {
        group.process().flush(LONG).unwrap();
        let answer = group.process().status(id, LONG).unwrap();
        assert_eq!(answer.status, Status::Stable);
        assert!(answer.failed.is_empty());
    }
    for group in &groups {
        group.leave(LONG).unwrap();
        let late = group.bcast("label", Bytes::new(), Wait::No);
        assert_eq!(late, Err(Error::NotMember));
        group.process().close(LONG).unwrap();
    }
}

#[test]
fn all_primitives_work_in_process() {
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 3);
    all_primitives(&sites);
    for site in sites {
        site.close(LONG).unwrap();
        assert!(matches!(site.close(LONG), Err(Error::Closed(_))));
    }
}

#[test]
fn all_primitives_work_over_tcp() {
    let sites = tcp_sites("127.0.0.1", 3);
    all_primitives(&sites);
    for site in sites {
        site.close(LONG).unwrap();
    }
}

/// The group may be about to dissolve, or gone and created anew by another, when the join arrives.
#[test]
fn a_name_can_be_joined_while_its_last_member_ends() {
    let network = Arc::new(InProcessNetwork::new());
    let sites = local_sites(&network, 3);
    for round in 0..150 {
        let process = sites[round % 3].process("passing by").unwrap();
        let group = process.join("g", LONG).unwrap();
        group.bcast("", Bytes::new(), Wait::No).unwrap();
        process.flush(LONG).unwrap();
    }
    halt(&sites);
}
