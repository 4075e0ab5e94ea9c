use std::sync::Arc;

use super::carrier::{Bell, Carrier};
use super::channel::{Receiver, channel};
use super::clock::{Clock, incarnation};
use super::driver::{BroadcastMachine, Machines, TransportMachine, ViewMachine};
use super::recorder::Recorder;
use super::shared::{Inboxes, Shared};
use super::store::Store;
use super::sync::{JoinHandle, Mutex};
use super::{broadcast, threads, transport, view};
use crate::config::Config;
use crate::error::Error;
use crate::ids::Site;
use crate::view::Memory;

/// A site whose threads do not run yet.
pub(crate) struct Opening {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    /// What the store holds, if the site has one.
    pub(super) memory: Option<Memory>,
    store: Option<Store>,
    pub(super) transport: Receiver<transport::Inbox>,
    view: Receiver<view::Inbox>,
    broadcast: Receiver<broadcast::Inbox>,
}

impl Opening {
    /// A new incarnation, and its channels.
    pub(crate) fn new(config: Config, bell: Arc<Bell>) -> Result<Opening, Error> {
        let (store, incarnation, memory) = match config.store.is_empty() {
            true => (None, incarnation()?, None),
            false => {
                let (store, incarnation, memory) = Store::open(&config)?;
                (Some(store), incarnation, Some(memory))
            }
        };
        let me = Site {
            id: config.id,
            incarnation,
        };
        let (to_transport, transport) = channel();
        let (to_view, view) = channel();
        let (to_broadcast, broadcast) = channel();
        let inboxes = Inboxes {
            transport: transport::InboxSender::new(to_transport, bell),
            view: to_view,
            broadcast: to_broadcast,
        };
        let clock = Clock::start();
        let recorder = Recorder::open(&config, me, clock);
        Ok(Opening {
            shared: Arc::new(Shared::new(me, &config, inboxes, recorder)),
            config,
            clock,
            memory,
            store,
            transport,
            view,
            broadcast,
        })
    }

    /// Starts the threads. If one cannot be started, those in `started` run on.
    pub(crate) fn run<T, V, B>(
        self,
        machines: Machines<T, V, B>,
        carrier: impl Carrier,
        started: &Mutex<Vec<JoinHandle<()>>>,
    ) -> Result<(), Error>
    where
        T: TransportMachine,
        V: ViewMachine,
        B: BroadcastMachine,
    {
        let (shared, clock) = (self.shared, self.clock);
        let mut started = started.lock();
        let (hosted, state) = (broadcast::Hosted::new(self.broadcast), shared.clone());
        started.push(threads::start("broadcast", &shared, move || {
            hosted.run(machines.broadcast, clock, &state);
        })?);
        let (inbox, state, store) = (self.view, shared.clone(), self.store);
        started.push(threads::start("view", &shared, move || {
            view::run(machines.view, inbox, clock, state, store);
        })?);
        let (inbox, state) = (self.transport, shared.clone());
        started.push(threads::start("transport", &shared, move || {
            transport::run(machines.transport, carrier, inbox, clock, state);
        })?);
        Ok(())
    }
}
