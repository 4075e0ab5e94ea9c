use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::fork::Origin;
use super::in_process::InProcessNetwork;
use super::process::Process;
use super::stats::{Counters, Stats};
use crate::config::Config;
use crate::error::Error;
use crate::ids;
use crate::view::SiteView;

/// An open site: three threads, a listener, and the processes of this program.
///
/// Open one, open processes on it, close it. Clones are the same site; dropping the last handle,
/// those that its processes hold included, closes it.
#[derive(Clone)]
pub struct Site(Arc<Handle>);

struct Handle {
    me: ids::Site,
    local_addr: String,
    origin: Origin,
    counters: Arc<Counters>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({} on {})", self.0.me, self.0.local_addr)
    }
}

fn later<T>() -> Result<T, Error> {
    Err(Error::NotSupported("this build has no threads yet".into()))
}

impl Site {
    /// Opens a site over TCP. Returns at once; the first site view comes later.
    pub fn open(config: Config) -> Result<Site, Error> {
        config.validate()?;
        later()
    }

    /// Opens a site that reaches only sites of this program.
    pub fn open_with(config: Config, network: Arc<InProcessNetwork>) -> Result<Site, Error> {
        config.validate()?;
        drop(network);
        later()
    }

    pub(crate) fn check_fork(&self) -> Result<(), Error> {
        if self.0.origin.forked() {
            Err(Error::Forked)
        } else {
            Ok(())
        }
    }

    /// Its id and incarnation.
    pub fn id(&self) -> ids::Site {
        self.0.me
    }

    /// Where it really listens.
    pub fn local_addr(&self) -> String {
        self.0.local_addr.clone()
    }

    /// The latest site view applied here.
    pub fn view(&self) -> Option<Arc<SiteView>> {
        None
    }

    /// Waits until a site view of at least this many sites is applied here.
    pub fn wait_view(
        &self,
        min_sites: usize,
        timeout: Option<Duration>,
    ) -> Result<Arc<SiteView>, Error> {
        let _ = (min_sites, timeout);
        later()
    }

    /// No quorum of the site view is reachable.
    pub fn is_blocked(&self) -> bool {
        false
    }

    /// Opens a process; its name is for people. It can be used at once.
    pub fn process(&self, name: &str) -> Result<Process, Error> {
        let _ = name;
        later()
    }

    /// What it has done and what it holds.
    pub fn stats(&self) -> Stats {
        self.0.counters.read()
    }

    /// Ends the processes (R31), leaves the site view (R6), ends the threads, closes the sockets.
    /// When it returns the site has stopped; [`Error::TimedOut`] if the others may not know yet.
    pub fn close(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let _ = timeout;
        later()
    }

    /// Stops at once without telling anybody, as a crash would.
    pub fn halt(&self) {}
}
