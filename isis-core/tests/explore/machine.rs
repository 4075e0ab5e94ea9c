//! One site in a state of the exploration.

use std::rc::Rc;

use isis_core::config::Config;
use isis_core::ids::{Site, SiteId};
use isis_core::time::Time;
use isis_core::view::{Memory, Views};

use super::digest;

pub struct Machine {
    pub site: Site,
    pub views: Views,
    /// What its store holds, if it has one.
    pub disk: Option<Memory>,
    pub digest: u64,
}

impl Machine {
    pub fn new(site: Site, views: Views, disk: Option<Memory>) -> Rc<Machine> {
        let digest = digest(&(site, &views, &disk));
        Rc::new(Machine {
            site,
            views,
            disk,
            digest,
        })
    }
}

/// A machine that has heard nothing.
pub fn newborn(site: Site, n: u32, disk: Option<Memory>) -> Rc<Machine> {
    let mut config = Config::new(site.id);
    let others = (0..n).map(SiteId).filter(|id| *id != site.id);
    config.peers = others.map(|id| (id, String::new())).collect();
    let seed = digest(&site);
    let disk = disk.map(|disk| disk.open(site.id, site.incarnation));
    // It has listened long enough for those without whom it may go on.
    let long_ago = Time::default();
    let views = Views::new(&config, site, String::new(), disk.clone(), seed, long_ago);
    Machine::new(site, views, disk)
}
