//! Groups and broadcasts between sites of one program.

use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::{Event, Olabel};
use isis_core::machine::broadcast::Status;
use isis_core::runtime::{Group, InProcessNetwork, Site, Wait};

use crate::support::*;

/// A process at each site, all members of one group.
fn members(sites: &[Site], group: &str) -> Vec<Group> {
    let join = |site: &Site| site.process("member").unwrap().join(group, LONG).unwrap();
    let groups: Vec<Group> = sites.iter().map(join).collect();
    for group in &groups {
        until_view_of(group, sites.len());
    }
    groups
}

/// Takes events until the group's view has this many members.
fn until_view_of(group: &Group, members: usize) {
    while group.view().is_none_or(|v| v.members.len() != members) {
        group.process().next(LONG).unwrap();
    }
}

/// Takes messages, and nothing but, until there are this many.
fn messages(group: &Group, n: usize) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    while payloads.len() < n {
        if let Event::Message(m) = group.process().next(LONG).unwrap() {
            payloads.push(m.payload);
        }
    }
    payloads
}

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
