//! At rest: asks a live cluster what it still waits for or keeps, for L2 to L4.

use std::collections::BTreeSet;

use isis_core::ids::Site;
use isis_core::view::SiteView;

use super::cluster::{Cluster, Node, living};
use super::properties::l2_progress::{self, Standing, names};
use super::properties::l3_empty;

/// What is not at rest, in words.
pub fn pending(cluster: &mut Cluster) -> Vec<String> {
    let living: BTreeSet<Site> = living(cluster).map(|n| n.site).collect();
    let mut reasons = Vec::new();
    for node in cluster.nodes_mut() {
        if node.out.is_some() {
            reasons.push(format!("site {} is out and has not ended", node.site));
            continue;
        }
        reasons.extend(l2_progress::check(&standing(node), &living));
        let (idle, gauges) = (node.transport.is_idle(), node.broadcast.gauges());
        reasons.extend(l3_empty::check(node.site, idle, gauges));
        reasons.extend(
            node.processes
                .values_mut()
                .filter_map(|m| m.app.pending(&mut m.process)),
        );
    }
    reasons
}

fn standing(node: &Node) -> Standing {
    let view = node.views.current();
    Standing {
        site: node.site,
        leaving: node.leaving,
        must_stay: view.is_some_and(|v| is_last_founder(node.site, v)),
        view: view.map(|v| (v.number.0, v.sites().collect())),
        applied: node.broadcast.applied_view(),
        pending: node.broadcast.pending(),
        linked: names(node.transport.connected()),
    }
}

fn is_last_founder(site: Site, view: &SiteView) -> bool {
    let mut founders = view.sites().filter(|s| view.founding.contains(&s.id));
    view.members.len() > 1 && founders.next() == Some(site) && founders.next().is_none()
}
