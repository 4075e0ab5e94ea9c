use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{error, info, warn};

use super::carrier::{Carrier, InProcessNetwork, Port, Tcp, TcpListen};
use super::driver::{BroadcastMachine, Machines, TransportMachine, ViewMachine, machines};
use super::ending::Ending;
use super::fork::Origin;
use super::opening::Opening;
use super::process::Process;
use super::shared::Shared;
use super::stats::{Stats, add};
use super::sync::{JoinHandle, Mutex, current};
use crate::config::Config;
use crate::delivery::check_name;
use crate::error::Error;
use crate::ids::{self, MessageId};
use crate::order::Comparison;
use crate::view::SiteView;

/// How long the farewell of a site that is closed without waiting may take.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// How long dropping the last handle waits for the others to learn of it.
const DROP_TIME: Duration = Duration::from_secs(1);

/// An open site: three threads, a listener, and the processes of this program.
///
/// Open one, open processes on it, close it. Clones are the same site; dropping the last handle,
/// those that its processes hold included, closes it.
#[derive(Clone)]
pub struct Site(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    local_addr: String,
    origin: Origin,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({} on {})", self.0.shared.me, self.0.local_addr)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.origin.forked() {
            // The threads belong to the parent.
            std::mem::forget(std::mem::take(self.threads.get_mut()));
            return;
        }
        // Who drops it without closing it does not wait for the outcome.
        if self.start_close().is_ok() {
            let _ = self.finish_close(Some(DROP_TIME));
        }
        self.halt();
    }
}

impl Site {
    /// Opens a site over TCP. Returns at once; the first site view comes later.
    pub fn open(mut config: Config) -> Result<Site, Error> {
        config.validate()?;
        let listen = TcpListen::bind(&config.listen, config.insecure)?;
        let local_addr = listen.address.to_string();
        if config.advertise.is_empty() {
            if listen.address.ip().is_unspecified() {
                return Err(Error::Invalid(format!(
                    "listen={} is no address that peers can connect to: say advertise=host:port",
                    config.listen
                )));
            }
            config.advertise.clone_from(&local_addr);
        }
        let opening = Opening::new(config, listen.bell.clone())?;
        let tcp = Tcp::new(listen, opening.shared.clone());
        Site::start(opening, local_addr, tcp, machines)
    }

    /// Opens a site that reaches only sites of this program.
    pub fn open_with(mut config: Config, network: Arc<InProcessNetwork>) -> Result<Site, Error> {
        config.validate()?;
        let port = Port::new(network, &config.listen)?;
        if config.advertise.is_empty() {
            config.advertise.clone_from(&port.address);
        }
        let local_addr = port.address.clone();
        let opening = Opening::new(config, port.bell.clone())?;
        let carrier = port.open(&opening.shared)?;
        Site::start(opening, local_addr, carrier, machines)
    }

    /// Starts the threads with the machines that `make` gives.
    pub(crate) fn start<T, V, B>(
        opening: Opening,
        local_addr: String,
        carrier: impl Carrier,
        make: impl FnOnce(&Opening) -> Result<Machines<T, V, B>, Error>,
    ) -> Result<Site, Error>
    where
        T: TransportMachine,
        V: ViewMachine,
        B: BroadcastMachine,
    {
        let machines = make(&opening)?;
        // From here on dropping the handle ends whatever has started.
        let handle = Handle {
            shared: opening.shared.clone(),
            local_addr,
            origin: Origin::here(),
            threads: Mutex::new(Vec::new()),
        };
        opening.run(machines, carrier, &handle.threads)?;
        Ok(Site(Arc::new(handle)))
    }

    pub(crate) fn check_fork(&self) -> Result<(), Error> {
        if self.0.origin.forked() {
            Err(Error::Forked)
        } else {
            Ok(())
        }
    }

    fn shared(&self) -> Result<&Arc<Shared>, Error> {
        self.check_fork()?;
        Ok(&self.0.shared)
    }

    /// The registered comparison of olabels.
    pub(crate) fn olabels(&self) -> Option<&Comparison> {
        self.0.shared.olabels.as_ref()
    }

    /// An OBCAST was sent, or not, after its olabel was compared: stops the site if the comparison was at
    /// fault, counts an olabel less than an earlier one.
    pub(crate) fn compared(
        &self,
        sent: Result<(MessageId, bool), Error>,
    ) -> Result<MessageId, Error> {
        let shared = &self.0.shared;
        match sent {
            Ok((id, late)) => {
                add(&shared.counters.late_olabels, usize::from(late));
                Ok(id)
            }
            Err(fault) => {
                if matches!(fault, Error::Olabels(_)) {
                    error!("site {}: {fault}; it halts", shared.me);
                    shared.end(Ending::Olabels(fault.clone()));
                }
                Err(fault)
            }
        }
    }

    /// Its id and incarnation.
    pub fn id(&self) -> ids::Site {
        self.0.shared.me
    }

    /// Where it really listens.
    pub fn local_addr(&self) -> String {
        self.0.local_addr.clone()
    }

    /// The latest site view applied here.
    pub fn view(&self) -> Option<Arc<SiteView>> {
        self.shared().ok()?.view()
    }

    /// Waits until a site view of at least this many sites is applied here.
    pub fn wait_view(
        &self,
        min_sites: usize,
        timeout: Option<Duration>,
    ) -> Result<Arc<SiteView>, Error> {
        let shared = self.shared()?;
        let found = shared.wait(deadline(timeout), || {
            if let Some(ending) = shared.ending() {
                return Some(Err(ending.error()));
            }
            let view = shared.view()?;
            (view.members.len() >= min_sites).then_some(Ok(view))
        });
        found.unwrap_or(Err(Error::TimedOut))
    }

    /// No quorum of the site view is reachable.
    pub fn is_blocked(&self) -> bool {
        self.shared().is_ok_and(|shared| shared.is_blocked())
    }

    /// Opens a process; its name is for people. It can be used at once.
    pub fn process(&self, name: &str) -> Result<Process, Error> {
        let shared = self.shared()?;
        check_name("name of the process", name, true)?;
        let (id, endpoint) = shared.open_process(name)?;
        Ok(Process::new(id, name, endpoint, self.clone()))
    }

    /// What it has done and what it holds.
    pub fn stats(&self) -> Stats {
        self.shared()
            .map_or_else(|_| Stats::default(), |shared| shared.stats())
    }

    /// Ends the processes (R31), leaves the site view (R6), ends the threads, closes the sockets.
    /// When it returns the site has stopped; [`Error::NotTold`] if the others may not know yet: they will
    /// take it for failed. The last founding site is let go only when it is alone (R5): close the sites
    /// that nobody lists before it, or give a timeout.
    pub fn close(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.start_close()?;
        self.finish_close(timeout)
    }

    /// The first step of [`Site::close`], which does not wait: the processes begin to end, and no
    /// other can be opened. [`Error::Closed`] if that has been done before.
    pub fn start_close(&self) -> Result<(), Error> {
        self.check_fork()?;
        self.0.start_close()
    }

    /// The rest of it, by any thread.
    pub fn finish_close(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.check_fork()?;
        self.0.finish_close(timeout)
    }

    /// Stops at once without telling anybody, as a crash would.
    pub fn halt(&self) {
        if self.check_fork().is_ok() {
            self.0.halt();
        }
    }
}

fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|t| Instant::now().checked_add(t))
}

impl Handle {
    fn start_close(&self) -> Result<(), Error> {
        let over = matches!(self.shared.ending(), Some(Ending::Closed));
        if over || !self.shared.close_processes() {
            return Err(Error::Closed("the site is closed".into()));
        }
        Ok(())
    }

    fn finish_close(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let told = self.shared.tell_others(deadline(timeout));
        self.halt();
        match &told {
            Ok(()) => info!("site {}: closed", self.shared.me),
            Err(why) => warn!("site {}: {why}", self.shared.me),
        }
        told
    }

    fn halt(&self) {
        self.shared.end(Ending::Closed);
        let mut threads = self.threads.lock();
        for thread in threads.drain(..) {
            // A notifier may have dropped the last handle; a thread cannot wait for itself.
            if thread.thread().id() != current().id() {
                thread.join().expect("panics are caught in the thread");
            }
        }
    }
}
