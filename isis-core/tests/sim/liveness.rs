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
    let linked = || names(node.transport.connected());
    if node.leaving {
        reasons.push(format!("L2: site {site} asked to leave and has not"));
        return;
    }
    let Some(view) = node.views.current() else {
        let linked = linked();
        reasons.push(format!("L2: site {site} is in no view; linked to {linked}"));
        return;
    };
    let number = view.number.0;
    let members: BTreeSet<Site> = view.sites().collect();
    if members != *living {
        reasons.push(format!(
            "M9: site {site} is in view {number} of {}, not {}; linked to {}",
            names(members.into_iter()),
            names(living.iter().copied()),
            linked()
        ));
    }
    let applied = node.broadcast.applied_view();
    if applied != Some(number) {
        reasons.push(format!(
            "L2: site {site} has applied view {applied:?} of {number}"
        ));
    }
}

fn names(sites: impl Iterator<Item = Site>) -> String {
    let names: Vec<String> = sites.map(|s| s.to_string()).collect();
    format!("[{}]", names.join(" "))
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
