//! What the handles and threads of one site share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use log::{info, warn};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::ending::Ending;
use super::endpoint::SharedEndpoint;
use super::stats::{Counters, Stats, count};
use super::{broadcast, channel, transport, view};
use crate::config::Config;
use crate::delivery::{Endpoint, Limits};
use crate::error::Error;
use crate::ids::{ProcessId, Site};
use crate::view::SiteView;

pub(crate) struct Shared {
    pub(crate) me: Site,
    pub(crate) counters: Counters,
    pub(crate) inboxes: Inboxes,
    limits: Limits,
    status: Mutex<Status>,
    changed: Condvar,
}

/// The three threads' channels.
#[derive(Clone)]
pub(crate) struct Inboxes {
    pub(crate) transport: transport::InboxSender,
    pub(crate) view: channel::Sender<view::Inbox>,
    pub(crate) broadcast: channel::Sender<broadcast::Inbox>,
}

/// What handles ask about.
#[derive(Default)]
pub(crate) struct Status {
    /// The latest site view applied.
    pub(crate) view: Option<Arc<SiteView>>,
    pub(crate) blocked: bool,
    /// `close` is under way.
    pub(crate) closing: bool,
    /// A committed view excludes this site at its own wish.
    pub(crate) left: bool,
    pub(crate) ending: Option<Ending>,
    /// Those whose last event is not yet in their queue.
    pub(crate) processes: BTreeMap<u32, Arc<SharedEndpoint>>,
    /// How many processes were ever opened.
    opened: u32,
}

impl Shared {
    pub(crate) fn new(me: Site, config: &Config, inboxes: Inboxes) -> Shared {
        Shared {
            me,
            counters: Counters::default(),
            inboxes,
            limits: Limits::from(config),
            status: Mutex::new(Status::default()),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock()
    }

    /// Waits until `ready` gives something; nothing if the time runs out first.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut Status) -> Option<T>,
    ) -> Option<T> {
        let mut status = self.status.lock();
        loop {
            if let Some(found) = ready(&mut status) {
                return Some(found);
            }
            match deadline {
                Some(deadline) => {
                    if self.changed.wait_until(&mut status, deadline).timed_out() {
                        return ready(&mut status);
                    }
                }
                None => self.changed.wait(&mut status),
            }
        }
    }

    /// Introduces a process. Under the status lock, so that the machine sees indices in order.
    pub(crate) fn open_process(
        &self,
        name: &str,
    ) -> Result<(ProcessId, Arc<SharedEndpoint>), Error> {
        let mut status = self.status.lock();
        if let Some(ending) = &status.ending {
            return Err(ending.error());
        }
        if status.closing {
            return Err(Error::Closed("the site is being closed".into()));
        }
        status.opened += 1;
        let index = status.opened;
        let id = ProcessId {
            site: self.me,
            index,
        };
        let calls = self.inboxes.broadcast.clone();
        let endpoint = Arc::new(SharedEndpoint::new(Endpoint::new(id, self.limits), calls));
        status.processes.insert(index, endpoint.clone());
        self.inboxes.broadcast.send(broadcast::Inbox::Open {
            process: index,
            name: name.to_owned(),
            endpoint: endpoint.clone(),
        });
        Ok((id, endpoint))
    }

    /// The process's last event is in its queue.
    pub(crate) fn process_ended(&self, process: u32) {
        self.change(|status| status.processes.remove(&process));
    }

    pub(crate) fn view_applied(&self, view: &Arc<SiteView>) {
        count(&self.counters.site_views);
        let members: Vec<String> = view.sites().map(|s| s.to_string()).collect();
        info!(
            "site {}: view {} of {}",
            self.me,
            view.number.0,
            members.join(", ")
        );
        self.change(|status| status.view = Some(view.clone()));
    }

    pub(crate) fn quorum(&self, reachable: bool) {
        self.change(|status| status.blocked = !reachable);
        if reachable {
            info!("site {}: a quorum is reachable", self.me);
        } else {
            count(&self.counters.blocked_spells);
            warn!("site {}: blocked, no quorum is reachable", self.me);
        }
    }

    pub(crate) fn left(&self) {
        self.change(|status| status.left = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Status) -> T) -> T {
        let changed = change(&mut self.status.lock());
        self.changed.notify_all();
        changed
    }

    /// From here on nothing new begins. The first reason stays.
    pub(crate) fn announce(&self, ending: Ending) {
        self.change(|status| status.ending.get_or_insert(ending).clone());
    }

    /// Ends the site: its processes get their last events, waiting calls their error, and the
    /// threads stop by themselves. May be called from any thread, and again.
    pub(crate) fn end(&self, ending: Ending) {
        let (ending, processes) = self.change(|status| {
            let ending = status.ending.get_or_insert(ending).clone();
            (ending, std::mem::take(&mut status.processes))
        });
        for endpoint in processes.values() {
            endpoint.end(&ending);
        }
        self.inboxes.broadcast.send(broadcast::Inbox::Stop);
        self.inboxes.view.send(view::Inbox::Stop);
        self.inboxes.transport.send(transport::Inbox::Stop);
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.read();
        let processes: Vec<Arc<SharedEndpoint>> =
            self.status.lock().processes.values().cloned().collect();
        stats.processes = processes.len();
        for endpoint in processes {
            let (events, in_flight, past) = endpoint.gauges();
            stats.queued_events += events;
            stats.in_flight_messages += in_flight.0;
            stats.in_flight_bytes += in_flight.1;
            stats.past_ids += past;
        }
        stats.inbox_items =
            self.inboxes.broadcast.len() + self.inboxes.view.len() + self.inboxes.transport.len();
        stats
    }
}
