//! One site in a state of the exploration.

use std::sync::Mutex;

use isis_core::config::Config;
use isis_core::ids::{Site, SiteId};
use isis_core::time::Time;
use isis_core::view::{Memory, Views};

use super::model::Explorer;
use super::run::Outcome;
use crate::engine::{Table, digest};

/// There is one of each, for ever.
pub struct Machine {
    pub site: Site,
    pub views: Views,
    /// What its store holds, if it has one.
    pub disk: Option<Memory>,
    pub digest: u128,
    /// What comes of what, as far as it has been tried.
    pub outcomes: Mutex<Table<&'static Outcome>>,
}

impl Explorer {
    /// The machine in this state.
    pub fn machine(&self, site: Site, views: Views, disk: Option<Memory>) -> &'static Machine {
        let digest = digest(&(site, &views, &disk));
        self.machines.get_or(digest, || {
            Box::leak(Box::new(Machine {
                site,
                views,
                disk,
                digest,
                outcomes: Mutex::default(),
            }))
        })
    }

    /// A machine that has heard nothing.
    pub fn newborn(&self, site: Site, n: u32, disk: Option<Memory>) -> &'static Machine {
        let mut config = Config::new(site.id);
        let others = (0..n).map(SiteId).filter(|id| *id != site.id);
        config.peers = others.map(|id| (id, String::new())).collect();
        let seed = digest(&site) as u64;
        let disk = disk.map(|disk| disk.open(site.id, site.incarnation));
        // It has listened long enough for those without whom it may go on.
        let long_ago = Time::default();
        let views = Views::new(&config, site, String::new(), disk.clone(), seed, long_ago);
        self.machine(site, views, disk)
    }
}
