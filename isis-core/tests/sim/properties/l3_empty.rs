//! L3: at rest all stores and queues are empty.

use isis_core::broadcast::Gauges;
use isis_core::ids::Site;

pub fn check(site: Site, links_idle: bool, gauges: Gauges) -> Vec<String> {
    let mut reasons = Vec::new();
    if !links_idle {
        reasons.push(format!("L3: site {site}: links are not idle"));
    }
    if gauges != Gauges::default() {
        reasons.push(format!("L3: site {site} keeps {gauges:?}"));
    }
    reasons
}

#[test]
fn rejects_what_is_kept() {
    let site = super::example::process(0).site;
    assert!(check(site, true, Gauges::default()).is_empty());
    assert!(!check(site, false, Gauges::default()).is_empty());
    let obcasts = 1;
    let gauges = Gauges {
        obcasts,
        ..Gauges::default()
    };
    assert!(!check(site, true, gauges).is_empty());
}
