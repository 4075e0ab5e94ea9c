//! At rest: what a live cluster still waits for or keeps, each with its name (L2–L4, R2).

use std::collections::BTreeSet;

use isis_core::ids::Site;

use super::cluster::Cluster;
use super::site::Node;

/// What is not at rest, in words.
pub fn pending(cluster: &Cluster) -> Vec<String> {
    let living: BTreeSet<Site> = cluster.living().map(|n| n.site).collect();
    let mut reasons = Vec::new();
    for node in cluster.nodes.iter().flatten() {
        if node.out.is_some() {
            reasons.push(format!("site {} is out and has not ended", node.site));
            continue;
        }
        views(node, &living, &mut reasons);
        stores(node, &mut reasons);
        reasons.extend(node.processes.values().filter_map(|app| app.pending()));
    }
    reasons
}

fn views(node: &Node, living: &BTreeSet<Site>, reasons: &mut Vec<String>) {
    let site = node.site;
    if node.leaving {
        reasons.push(format!("L2: site {site} asked to leave and has not"));
        return;
    }
    let Some(view) = node.views.current() else {
        reasons.push(format!("L2: site {site} is in no view"));
        return;
    };
    let members: BTreeSet<Site> = view.sites().collect();
    if members != *living {
        let number = view.number.0;
        reasons.push(format!(
            "M9: site {site} is in view {number} {members:?}, not {living:?}"
        ));
    }
    if node.broadcast.applied_view() != Some(view.number.0) {
        let applied = node.broadcast.applied_view();
        reasons.push(format!(
            "L2: site {site} has applied view {applied:?} of {}",
            view.number.0
        ));
    }
}

fn stores(node: &Node, reasons: &mut Vec<String>) {
    let site = node.site;
    if !node.transport.is_idle() {
        reasons.push(format!("L3: site {site}: links are not idle"));
    }
    let gauges = node.broadcast.gauges();
    if gauges != Default::default() {
        reasons.push(format!("L3: site {site} keeps {gauges:?}"));
    }
    for what in node.broadcast.pending() {
        reasons.push(format!("L2: site {site}: {what}"));
    }
}
