//! The broadcast thread: broadcasts, groups, deliveries.
//!
//! Each wake-up drains what has queued, up to a bound, runs the machine over it, then hands over
//! what came of it: one batch to the transport thread, and one per process with news.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use log::{debug, warn};

use super::channel::Receiver;
use super::clock::Clock;
use super::driver::BroadcastMachine;
use super::ending::Ending;
use super::endpoint::SharedEndpoint;
use super::shared::Shared;
use super::stats::{add, count};
use super::threads::fail_stop;
use super::transport::{self, Outgoing};
use crate::delivery::{Event, Label};
use crate::machine::FromPeer;
use crate::machine::broadcast::{Call, Effect, Input, Note, ToEndpoint};
use crate::time::Time;
use crate::view::SiteView;

/// At most this many inbox items are handled before their effects leave.
const ITEMS_PER_WAKEUP: usize = 512;

/// What the broadcast thread waits for.
pub(crate) enum Inbox {
    /// A new process.
    Open {
        /// Its index.
        process: u32,
        /// Its name for people.
        name: String,
        /// Where its deliveries go.
        endpoint: Arc<SharedEndpoint>,
    },
    /// A call of a local process.
    Call {
        /// The process's index.
        process: u32,
        /// What it wants.
        call: Call,
    },
    /// What one wake-up of the transport thread received.
    Received(Vec<FromPeer>),
    /// A committed site view (R10).
    Install(SiteView),
    /// Whether a quorum is reachable.
    Quorum(bool),
    /// A committed view excludes this site.
    Excluded {
        /// That view.
        view: SiteView,
        /// At its own wish.
        asked: bool,
    },
    /// The site has ended.
    Stop,
}

/// What becomes of the thread after a wake-up.
enum Next {
    GoOn,
    Stop,
    /// The site has left by its own wish: whoever asked is waiting to stop the threads.
    Left,
    Excluded(Ending),
}

/// The processes of the site, and the channel by which they come.
pub(crate) struct Hosted {
    inbox: Receiver<Inbox>,
    endpoints: BTreeMap<u32, Arc<SharedEndpoint>>,
}

impl Hosted {
    pub(crate) fn new(inbox: Receiver<Inbox>) -> Hosted {
        Hosted {
            inbox,
            endpoints: BTreeMap::new(),
        }
    }

    /// The thread's body: runs until it is told to stop, or something panics. Then the processes have
    /// ended.
    pub(crate) fn run<M>(mut self, machine: M, clock: Clock, shared: &Arc<Shared>)
    where
        M: BroadcastMachine,
    {
        fail_stop("broadcast", shared, || {
            let mut thread = Thread {
                machine,
                clock,
                shared: shared.clone(),
                endpoints: &mut self.endpoints,
                effects: Vec::new(),
                sends: Vec::new(),
                deliveries: BTreeMap::new(),
                installed: VecDeque::new(),
            };
            while thread.wake_up(&self.inbox) {}
        });
        self.end(shared);
    }

    fn end(self, shared: &Shared) {
        // It had left at its own wish, unless that has been said otherwise.
        shared.announce(Ending::Closed);
        let Some(ending) = shared.ending() else {
            return;
        };
        let mut endpoints = self.endpoints;
        while let Some(item) = self.inbox.try_recv() {
            if let Inbox::Open {
                process, endpoint, ..
            } = item
            {
                endpoints.insert(process, endpoint);
            }
        }
        for endpoint in endpoints.into_values() {
            endpoint.end(ending);
            shared.process_ended();
        }
        shared.record_end(ending);
    }
}

struct Thread<'a, M> {
    machine: M,
    clock: Clock,
    shared: Arc<Shared>,
    endpoints: &'a mut BTreeMap<u32, Arc<SharedEndpoint>>,
    effects: Vec<Effect>,
    sends: Vec<Outgoing>,
    /// By process; emptied, but kept, at the end of a wake-up.
    deliveries: BTreeMap<u32, Vec<ToEndpoint>>,
    /// Site views that the machine has not applied yet.
    installed: VecDeque<Arc<SiteView>>,
}

impl<M: BroadcastMachine> Thread<'_, M> {
    /// False if the thread is to end.
    fn wake_up(&mut self, inbox: &Receiver<Inbox>) -> bool {
        let first = inbox.recv_timeout(self.clock.until(self.machine.deadline()));
        let next = self.drain(first, inbox);
        // A deadline in the past means: when the inbox is empty, or enough has been done.
        let now = self.clock.now();
        if self.machine.deadline().is_some_and(|d| d <= now) {
            self.step(now, Input::Timeout);
        }
        // First, so that whoever has an event from it finds the view that it is from.
        self.note_state();
        self.hand_over();
        match next {
            Next::GoOn => return true,
            Next::Stop => {}
            Next::Left => self.shared.left(),
            Next::Excluded(ending) => self.shared.end(ending),
        }
        false
    }

    fn drain(&mut self, first: Option<Inbox>, inbox: &Receiver<Inbox>) -> Next {
        let now = self.clock.now();
        let mut next = first;
        let mut handled = 0;
        while let Some(item) = next {
            match item {
                Inbox::Stop => return Next::Stop,
                Inbox::Excluded { view, asked } => return self.excluded(now, view, asked),
                item => self.take(now, item),
            }
            handled += 1;
            if handled == ITEMS_PER_WAKEUP {
                break;
            }
            next = inbox.try_recv();
        }
        Next::GoOn
    }

    fn excluded(&mut self, now: Time, view: SiteView, asked: bool) -> Next {
        self.step(now, Input::Excluded(view.clone()));
        if asked {
            return Next::Left;
        }
        let (me, number) = (self.shared.me, view.number.0);
        warn!("site {me}: excluded by view {number}");
        let ending = Ending::Excluded(Arc::new(view));
        // Before its processes hear of it, so that from then on every call says so.
        self.shared.announce(ending.clone());
        Next::Excluded(ending)
    }

    fn take(&mut self, now: Time, item: Inbox) {
        match item {
            Inbox::Open {
                process,
                name,
                endpoint,
            } => {
                self.endpoints.insert(process, endpoint);
                let call = Call::Open { name };
                self.step(now, Input::Call { process, call });
            }
            Inbox::Call { process, call } => self.step(now, Input::Call { process, call }),
            Inbox::Received(messages) => {
                for message in messages {
                    self.step(now, Input::Receive(message));
                }
            }
            Inbox::Install(view) => {
                if let Some(recorder) = &self.shared.recorder {
                    recorder.installed(&view);
                }
                self.installed.push_back(Arc::new(view.clone()));
                self.step(now, Input::Install(view));
            }
            Inbox::Quorum(reachable) => self.step(now, Input::Quorum { reachable }),
            Inbox::Excluded { .. } | Inbox::Stop => unreachable!("handled by wake_up"),
        }
    }

    fn step(&mut self, now: Time, input: Input) {
        self.machine.handle(now, input, &mut self.effects);
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { to, lane, packet } => self.sends.push(Outgoing { to, lane, packet }),
                Effect::Deliver { process, item } => {
                    self.deliveries.entry(process).or_default().push(item);
                }
                Effect::Note(note) => self.shared.note_broadcast(note),
            }
        }
    }

    /// To the transport first: what others must know before they hear of a delivery (R15) leaves
    /// before the application can tell them of it by other means.
    fn hand_over(&mut self) {
        if let Some(recorder) = &self.shared.recorder {
            recorder.flush();
        }
        if !self.sends.is_empty() {
            let batch = std::mem::take(&mut self.sends);
            let inbox = &self.shared.inboxes.transport;
            inbox.send(transport::Inbox::Send(batch));
        }
        let mut ended = Vec::new();
        for (process, items) in &mut self.deliveries {
            if items.is_empty() {
                continue;
            }
            self.shared.note_deliveries(items);
            let Some(endpoint) = self.endpoints.get(process) else {
                items.clear();
                continue;
            };
            if endpoint.deliver(items.drain(..)) {
                ended.push(*process);
            }
        }
        for process in ended {
            self.endpoints.remove(&process);
            self.deliveries.remove(&process);
            self.shared.process_ended();
        }
    }

    /// What has become of the views, and how much the machine keeps.
    fn note_state(&mut self) {
        let applied = self.machine.applied_view();
        while let Some(view) = self.installed.front()
            && applied.is_some_and(|applied| view.number.0 <= applied)
        {
            self.shared.view_applied(view);
            self.installed.pop_front();
        }
        self.shared.counters.note_gauges(&self.machine.gauges());
    }
}

impl Shared {
    fn note_deliveries(&self, items: &[ToEndpoint]) {
        let (mut bcasts, mut obcasts, mut gbcasts) = (0, 0, 0);
        for item in items {
            let ToEndpoint::Event { event, .. } = item else {
                continue;
            };
            if let Event::Message(message) = event {
                match &message.label {
                    Label::Bcast(_) => bcasts += 1,
                    Label::Obcast(_) => obcasts += 1,
                    Label::Gbcast => gbcasts += 1,
                }
            }
        }
        add(&self.counters.bcasts_delivered, bcasts);
        add(&self.counters.obcasts_delivered, obcasts);
        add(&self.counters.gbcasts_delivered, gbcasts);
    }

    fn note_broadcast(&self, note: Note) {
        let me = self.me;
        let counters = &self.counters;
        match note {
            Note::Malformed { from } => {
                count(&counters.malformed_messages);
                warn!("site {me}: a message of {from} is malformed; dropped");
            }
            Note::CompletionBegan { view } => debug!("site {me}: completion of view {view} began"),
            Note::CompletionEnded {
                view,
                orphans,
                pushed,
                aborted_runs,
                carried_records,
                ..
            } => {
                count(&counters.completions);
                add(&counters.completed_orphans, orphans);
                add(&counters.pushed_messages, pushed);
                add(&counters.aborted_runs, aborted_runs);
                add(&counters.carried_records, carried_records);
                debug!("site {me}: completion of view {view} applied; {orphans} orphans");
            }
            Note::Resent { count } => {
                add(&counters.resent_broadcasts, count);
                debug!("site {me}: {count} broadcasts sent again in the new group view");
            }
        }
    }
}
