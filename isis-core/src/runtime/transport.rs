//! The transport thread: connections and links.
//!
//! Each wake-up gathers what the network and the other threads have for the machine, runs it, and
//! writes once per peer. What it received goes to the broadcast thread as one batch; before anything
//! goes to the view thread the batch so far leaves, so that an INSTALL that follows from it cannot
//! overtake messages received before (R10).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use log::{Level, debug, info, log, warn};

use super::broadcast;
use super::carrier::{Bell, Carrier, Resolved};
use super::channel::{self, Receiver};
use super::clock::Clock;
use super::driver::TransportMachine;
use super::shared::Shared;
use super::stats::{count, set};
use super::view;
use crate::ids::Site;
use crate::machine::transport::{Effect, Input, Note};
use crate::machine::{FromPeer, Lane, Packet, ViewToTransport};

/// At most this many inbox items are handled before the network is looked at again.
const ITEMS_PER_WAKEUP: usize = 512;

/// What the transport thread waits for, besides its sockets.
#[derive(Debug)]
pub(crate) enum Inbox {
    /// What one wake-up of the broadcast thread wants sent.
    Send(Vec<Outgoing>),
    /// From the view thread.
    View(ViewToTransport),
    /// From another site of this program.
    Carried(Input),
    /// A name has been looked up.
    Resolved(Resolved),
    /// The site has ended.
    Stop,
}

/// One message of the broadcast machine.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: Vec<Site>,
    pub(crate) lane: Lane,
    pub(crate) packet: Packet,
}

/// The transport thread sleeps in its poll, not in its channel: a sender rings.
#[derive(Clone, Debug)]
pub(crate) struct InboxSender {
    channel: channel::Sender<Inbox>,
    bell: Arc<Bell>,
}

impl InboxSender {
    pub(crate) fn new(channel: channel::Sender<Inbox>, bell: Arc<Bell>) -> InboxSender {
        InboxSender { channel, bell }
    }

    /// Never waits.
    pub(crate) fn send(&self, item: Inbox) {
        if self.channel.send(item) {
            self.bell.ring();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.channel.len()
    }
}

/// Runs until it is told to stop.
pub(crate) fn run<M, C>(
    machine: M,
    carrier: C,
    inbox: Receiver<Inbox>,
    clock: Clock,
    shared: Arc<Shared>,
) where
    M: TransportMachine,
    C: Carrier,
{
    let mut thread = Thread {
        machine,
        carrier,
        clock,
        shared,
        effects: Vec::new(),
        inputs: VecDeque::new(),
        received: Vec::new(),
    };
    while thread.wake_up(&inbox) {}
    // What was said last, such as the acknowledgement of our own leave, may still go out.
    thread.carrier.flush(&mut thread.inputs);
}

struct Thread<M, C> {
    machine: M,
    carrier: C,
    clock: Clock,
    shared: Arc<Shared>,
    effects: Vec<Effect>,
    /// What the carrier has for the machine.
    inputs: VecDeque<Input>,
    /// For the broadcast thread.
    received: Vec<FromPeer>,
}

impl<M, C> Thread<M, C>
where
    M: TransportMachine,
    C: Carrier,
{
    /// False if the thread is to end.
    fn wake_up(&mut self, inbox: &Receiver<Inbox>) -> bool {
        let timeout = if self.inputs.is_empty() {
            self.sleep_time()
        } else {
            Some(Duration::ZERO)
        };
        let pending = || !inbox.is_empty();
        self.carrier.wait(timeout, pending, &mut self.inputs);
        let now = self.clock.now();
        if self.machine.deadline().is_some_and(|d| d <= now) {
            self.step(Input::Timeout);
        }
        self.take_carried();
        for _ in 0..ITEMS_PER_WAKEUP {
            match inbox.try_recv() {
                Some(Inbox::Stop) => return false,
                Some(item) => self.take(item),
                None => break,
            }
        }
        let now = self.clock.now();
        self.machine.settle(now, &mut self.effects);
        self.carry_out_all();
        self.carrier.flush(&mut self.inputs);
        self.hand_over();
        let (connections, unwritten, resolving) = self.carrier.gauges();
        set(&self.shared.counters.connections, connections);
        set(&self.shared.counters.unwritten_bytes, unwritten);
        set(&self.shared.counters.resolving, resolving);
        true
    }

    fn sleep_time(&self) -> Option<Duration> {
        let machine = self.clock.until(self.machine.deadline());
        match (machine, self.carrier.timeout()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn take_carried(&mut self) {
        // Not those that carrying out effects adds: they get their turn after the inbox.
        for _ in 0..self.inputs.len() {
            if let Some(input) = self.inputs.pop_front() {
                self.step(input);
            }
        }
    }

    fn take(&mut self, item: Inbox) {
        match item {
            Inbox::Send(batch) => {
                for Outgoing { to, lane, packet } in batch {
                    self.step(Input::Send { to, lane, packet });
                }
            }
            Inbox::View(request) => self.step(Input::View(request)),
            Inbox::Carried(input) => self.step(input),
            Inbox::Resolved(resolved) => self.carrier.resolved(resolved, &mut self.inputs),
            Inbox::Stop => unreachable!("handled by wake_up"),
        }
    }

    fn step(&mut self, input: Input) {
        self.machine
            .handle(self.clock.now(), input, &mut self.effects);
        self.carry_out_all();
    }

    fn carry_out_all(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { peer, address } => {
                self.carrier.connect(peer, &address, &mut self.inputs);
            }
            Effect::Transmit { connection, frame } => self.carrier.transmit(connection, frame),
            Effect::Close(connection) => self.carrier.close(connection),
            Effect::ToView(message) => {
                self.hand_over();
                let inboxes = &self.shared.inboxes;
                inboxes.view.send(view::Inbox::Transport(message));
            }
            Effect::Deliver(message) => self.received.push(message),
            Effect::Note(note) => self.shared.note_transport(note),
        }
    }

    fn hand_over(&mut self) {
        if !self.received.is_empty() {
            let batch = std::mem::take(&mut self.received);
            let inbox = &self.shared.inboxes.broadcast;
            inbox.send(broadcast::Inbox::Received(batch));
        }
    }
}

impl Shared {
    /// Counts and logs what happened on the links.
    pub(crate) fn note_transport(&self, note: Note) {
        let me = self.me;
        let counters = &self.counters;
        match note {
            Note::Resumed { with } => {
                count(&counters.resumed_sessions);
                info!("site {me}: the session with {with} goes on over a new connection");
            }
            Note::Refused { peer, reason, left } => {
                // What was under way when a site left, as it wished, finds no session: as it should.
                let level = match left || self.is_closing() {
                    true => Level::Debug,
                    false => Level::Warn,
                };
                if count(&counters.refused_handshakes).is_worth_a_line() {
                    let peer = peer.map_or(String::from("a peer"), |p| format!("site {p}"));
                    log!(level, "site {me}: no session with {peer}: {reason}");
                }
            }
            Note::Garbage { what } => {
                if count(&counters.garbage_connections).is_worth_a_line() {
                    warn!("site {me}: closed a connection that brought no frame: {what}");
                }
            }
            Note::OwnPause { micros } => {
                count(&counters.own_pauses);
                debug!("site {me}: did not run for {} ms", micros / 1000);
            }
        }
    }
}
