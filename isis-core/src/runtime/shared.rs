//! What the handles and threads of one site share.

use std::mem;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use log::{info, warn};

use super::ending::Ending;
use super::endpoint::SharedEndpoint;
use super::handover::{Mailbox, Waiters};
use super::recorder::Recorder;
use super::stats::{Counters, Stats, count};
use super::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use super::{broadcast, channel, transport, view};
use crate::config::Config;
use crate::delivery::{Endpoint, Limits};
use crate::error::Error;
use crate::ids::{ProcessId, Site};
use crate::order::Comparison;
use crate::view::SiteView;

/// What the library's threads change, callers find in atomics and slots. The locks here are the
/// application's threads' own.
pub(crate) struct Shared {
    pub(crate) me: Site,
    pub(crate) counters: Counters,
    pub(crate) inboxes: Inboxes,
    /// If a history is wanted.
    pub(crate) recorder: Option<Arc<Recorder>>,
    limits: Limits,
    /// The registered comparison of olabels.
    pub(crate) olabels: Option<Comparison>,
    /// Site views applied and not yet seen by a caller: the latest.
    applied: Mailbox<Option<Arc<SiteView>>>,
    /// The latest site view that a caller has seen.
    view: Mutex<Option<Arc<SiteView>>>,
    /// How many sites the latest site view has; 0 before the first.
    sites: AtomicUsize,
    blocked: AtomicBool,
    /// A committed view excludes this site at its own wish.
    left: AtomicBool,
    /// Nobody needs to find out by himself that the site is closed.
    told: AtomicBool,
    ending: OnceLock<Ending>,
    /// Processes whose last event has not been handed over.
    processes: AtomicUsize,
    opened: Mutex<Opened>,
    waiters: Waiters,
}

/// The three threads' channels.
#[derive(Clone)]
pub(crate) struct Inboxes {
    pub(crate) transport: transport::InboxSender,
    pub(crate) view: channel::Sender<view::Inbox>,
    pub(crate) broadcast: channel::Sender<broadcast::Inbox>,
}

/// The processes as callers know them.
#[derive(Default)]
struct Opened {
    /// A close is under way.
    closing: bool,
    /// How many were ever opened.
    count: u32,
    endpoints: Vec<Weak<SharedEndpoint>>,
}

impl Opened {
    /// Those that have not ended.
    fn living(&mut self) -> Vec<Arc<SharedEndpoint>> {
        let living = |e: &Weak<SharedEndpoint>| e.upgrade().filter(|e| !e.has_ended());
        self.endpoints.retain(|e| living(e).is_some());
        self.endpoints.iter().filter_map(living).collect()
    }
}

impl Shared {
    pub(crate) fn new(
        me: Site,
        config: &Config,
        inboxes: Inboxes,
        recorder: Option<Recorder>,
    ) -> Shared {
        Shared {
            me,
            counters: Counters::default(),
            inboxes,
            recorder: recorder.map(Arc::new),
            limits: Limits::from(config),
            olabels: config.olabels.clone(),
            applied: Mailbox::new(),
            view: Mutex::new(None),
            sites: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            left: AtomicBool::new(false),
            told: AtomicBool::new(false),
            ending: OnceLock::new(),
            processes: AtomicUsize::new(0),
            opened: Mutex::new(Opened::default()),
            waiters: Waiters::default(),
        }
    }

    // --- callers ---

    /// The latest site view applied.
    pub(crate) fn view(&self) -> Option<Arc<SiteView>> {
        let mut view = self.view.lock();
        self.applied.take(|applied| {
            if let Some(applied) = applied.take() {
                *view = Some(applied);
            }
        });
        view.clone()
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Why the site has ended, if it has.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.get()
    }

    /// Waits until `ready` gives something; nothing if the time runs out first.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        self.waiters.until(deadline, ready)
    }

    /// Introduces a process. Under the lock, so that the machine sees indices in order.
    pub(crate) fn open_process(
        &self,
        name: &str,
    ) -> Result<(ProcessId, Arc<SharedEndpoint>), Error> {
        let mut opened = self.opened.lock();
        if opened.closing {
            return Err(Error::Closed("the site is being closed".into()));
        }
        opened.living();
        opened.count += 1;
        let index = opened.count;
        let id = ProcessId {
            site: self.me,
            index,
        };
        let calls = self.inboxes.broadcast.clone();
        if let Some(recorder) = &self.recorder {
            recorder.opened(id, name);
        }
        let endpoint = Arc::new(SharedEndpoint::new(
            Endpoint::new(id, self.limits),
            calls,
            self.recorder.clone(),
        ));
        opened.endpoints.push(Arc::downgrade(&endpoint));
        self.processes.fetch_add(1, Ordering::Relaxed);
        self.inboxes.broadcast.send(broadcast::Inbox::Open {
            process: index,
            name: name.to_owned(),
            endpoint: endpoint.clone(),
        });
        // The broadcast thread ends what it finds in its channel when it ends, and that is after it is
        // said here why: whoever comes too late for that sees it.
        match self.ending() {
            Some(ending) => Err(ending.error()),
            None => Ok((id, endpoint)),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.opened.lock().closing
    }

    /// No process can be opened any more; those that live end. False if a close was under way.
    pub(crate) fn close_processes(&self) -> bool {
        let mut opened = self.opened.lock();
        if mem::replace(&mut opened.closing, true) {
            return false;
        }
        for endpoint in opened.living() {
            endpoint.close_quietly();
        }
        true
    }

    /// Waits until the processes have ended and the others have agreed on a view without this site.
    /// If the time runs out the error names the reason.
    pub(crate) fn tell_others(&self, deadline: Option<Instant>) -> Result<(), Error> {
        let sites = || self.sites.load(Ordering::Relaxed);
        let over = || self.ending().is_some();
        let none = || self.processes.load(Ordering::Relaxed) == 0;
        let ended = self.wait(deadline, || {
            (sites() == 0 || over() || none()).then_some(())
        });
        if ended.is_none() {
            let why = "broadcasts of its processes are not received and final everywhere yet";
            return Err(Error::NotTold(why.into()));
        }
        if let Some(recorder) = &self.recorder {
            recorder.leaving();
        }
        self.inboxes.view.send(view::Inbox::Leave);
        let left = || self.left.load(Ordering::Relaxed);
        let left = self.wait(deadline, || (sites() < 2 || left() || over()).then_some(()));
        self.told.store(left.is_some(), Ordering::Relaxed);
        left.ok_or_else(|| Error::NotTold(self.why_it_stays()))
    }

    /// Why the others have not agreed on a view without this site, which wished to leave.
    fn why_it_stays(&self) -> String {
        let Some(view) = self.view() else {
            return String::from("there is no site view yet");
        };
        let number = view.number.0;
        let mut founders = view.sites().filter(|s| view.founding.contains(&s.id));
        if founders.all(|s| s == self.me) {
            return format!(
                "it is the last founding site of view {number}, which can only leave when it is alone; \
                 close the other sites first"
            );
        }
        match self.is_blocked() {
            true => format!("no quorum of view {number} is reachable"),
            false => format!("they have not agreed on a view after {number} in this time"),
        }
    }

    // --- the library's threads ---

    /// The process's last event has been handed over.
    pub(crate) fn process_ended(&self) {
        self.processes.fetch_sub(1, Ordering::Relaxed);
        self.waiters.wake();
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
        self.applied.put(|applied| *applied = Some(view.clone()));
        self.sites.store(view.members.len(), Ordering::Relaxed);
        self.waiters.wake();
    }

    pub(crate) fn quorum(&self, reachable: bool) {
        self.blocked.store(!reachable, Ordering::Relaxed);
        if reachable {
            info!("site {}: a quorum is reachable", self.me);
        } else {
            count(&self.counters.blocked_spells);
            warn!("site {}: blocked, no quorum is reachable", self.me);
        }
    }

    pub(crate) fn left(&self) {
        self.left.store(true, Ordering::Relaxed);
        self.waiters.wake();
    }

    /// Writes the end of the site to its history. Its processes have ended.
    pub(crate) fn record_end(&self, ending: &Ending) {
        if let Some(recorder) = &self.recorder {
            let told = self.left.load(Ordering::Relaxed) || self.told.load(Ordering::Relaxed);
            recorder.ended(ending, told);
        }
    }

    /// From here on nothing new begins. The first reason stays.
    pub(crate) fn announce(&self, ending: Ending) {
        // Fails only if there is one already.
        let _ = self.ending.set(ending);
        self.waiters.wake();
    }

    /// Ends the site: the threads stop by themselves, and the broadcast thread, when it does, tells the
    /// processes. May be called from any thread, and again.
    pub(crate) fn end(&self, ending: Ending) {
        self.announce(ending);
        self.inboxes.broadcast.send(broadcast::Inbox::Stop);
        self.inboxes.view.send(view::Inbox::Stop);
        self.inboxes.transport.send(transport::Inbox::Stop);
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.read();
        stats.processes = self.processes.load(Ordering::Relaxed);
        for endpoint in self.opened.lock().living() {
            let (events, in_flight, past) = endpoint.gauges();
            stats.queued_events += events;
            stats.in_flight_messages += in_flight.0;
            stats.in_flight_bytes += in_flight.1;
            stats.past_ids += past;
        }
        if let Some(recorder) = &self.recorder {
            stats.history_records = recorder.records();
            stats.history_failed = u64::from(recorder.failed());
        }
        stats.inbox_items =
            self.inboxes.broadcast.len() + self.inboxes.view.len() + self.inboxes.transport.len();
        stats
    }
}
