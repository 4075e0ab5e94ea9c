//! The view thread: site views.

use std::sync::Arc;

use log::{error, info, warn};

use super::broadcast;
use super::channel::Receiver;
use super::clock::{self, Clock};
use super::driver::ViewMachine;
use super::ending::Ending;
use super::shared::Shared;
use super::stats::count;
use super::store::Store;
use super::transport;
use crate::error::Error;
use crate::machine::TransportToView;
use crate::machine::view::{Effect, Input, Note};
use crate::time::Time;

/// What the view thread waits for.
#[derive(Debug)]
pub(crate) enum Inbox {
    /// From the transport thread.
    Transport(TransportToView),
    /// This site wishes to leave.
    Leave,
    /// The site has ended.
    Stop,
}

/// Runs until it is told to stop.
pub(crate) fn run<M>(
    mut machine: M,
    inbox: Receiver<Inbox>,
    clock: Clock,
    shared: Arc<Shared>,
    store: Option<Store>,
) where
    M: ViewMachine,
{
    let mut thread = Thread {
        shared,
        store,
        said: Said::default(),
    };
    let mut effects = Vec::new();
    loop {
        let input = match inbox.recv_timeout(clock.until(machine.deadline())) {
            Some(Inbox::Transport(input)) => Input::Transport(input),
            Some(Inbox::Leave) => Input::Leave,
            Some(Inbox::Stop) => return,
            None => Input::Timeout,
        };
        // Under load the deadline must not wait for a quiet moment.
        let now = clock.now();
        let due = machine.deadline().is_some_and(|d: Time| d <= now);
        if due && input != Input::Timeout {
            thread.hand_over(&mut machine, now, Input::Timeout, &mut effects);
        }
        thread.hand_over(&mut machine, now, input, &mut effects);
    }
}

struct Thread {
    shared: Arc<Shared>,
    store: Option<Store>,
    said: Said,
}

/// What was last said about the first view: the machine says it again and again.
#[derive(Default)]
struct Said {
    waiting_for: String,
    peers_differ: String,
}

/// False if it was the last thing said.
fn remember(last: &mut String, text: &str) -> bool {
    let news = last != text;
    if news {
        text.clone_into(last);
    }
    news
}

impl Thread {
    /// One input, and what the machine says once what that brought about is in the store.
    fn hand_over<M>(&mut self, machine: &mut M, now: Time, input: Input, effects: &mut Vec<Effect>)
    where
        M: ViewMachine,
    {
        let mut next = Some(input);
        while let Some(input) = next {
            machine.handle(now, input, effects);
            next = self.carry_out(effects).map(|token| Input::Stored { token });
        }
    }

    /// The token of what it has stored, if that was asked for. Of a site whose disk fails nothing
    /// leaves that is not stored: it halts.
    fn carry_out(&mut self, effects: &mut Vec<Effect>) -> Option<u64> {
        let mut stored = None;
        let inboxes = &self.shared.inboxes;
        for effect in effects.drain(..) {
            match effect {
                Effect::ToTransport(request) => {
                    inboxes.transport.send(transport::Inbox::View(request));
                }
                Effect::Install(view) => {
                    inboxes.broadcast.send(broadcast::Inbox::Install(view));
                }
                Effect::Quorum { reachable } => {
                    self.shared.quorum(reachable);
                    inboxes.broadcast.send(broadcast::Inbox::Quorum(reachable));
                }
                Effect::Excluded { view, asked } => {
                    let highest = view.highest.get(&self.shared.me.id);
                    highest.inspect(|highest| clock::raise(**highest));
                    let excluded = broadcast::Inbox::Excluded { view, asked };
                    inboxes.broadcast.send(excluded);
                }
                Effect::Persist { token, memory } => {
                    let store = self.store.as_mut();
                    match store.expect("asked for with a store").append(&memory) {
                        Ok(()) => stored = Some(token),
                        Err(error) => self.shared.store_failed(&error),
                    }
                }
                Effect::Note(note) => self.shared.note_view(note, &mut self.said),
            }
        }
        stored
    }
}

impl Shared {
    fn store_failed(&self, error: &Error) {
        error!("site {}: halts: {error}", self.me);
        self.end(Ending::StoreFailed(error.clone()));
    }

    fn note_view(&self, note: Note, said: &mut Said) {
        let me = self.me;
        match note {
            Note::WaitingFor(whom) => {
                if remember(&mut said.waiting_for, &whom) {
                    info!("site {me}: the first view waits for {whom}");
                }
            }
            Note::WaitingForRoom(why) => {
                warn!("site {me}: waits until another one leaves: {why}");
            }
            Note::WaitingForLast {
                epoch,
                number,
                whom,
            } => {
                let number = number.0;
                let text = format!(
                    "all sites of view {number} have failed, or too many; to go on from there waits \
                     for {whom}. If they are lost for good, say abandon={epoch}"
                );
                if remember(&mut said.waiting_for, &text) {
                    warn!("site {me}: {text}");
                }
            }
            Note::Reviving { number } => {
                info!("site {me}: leads those that go on, from their stores, with view {number}");
            }
            Note::PeersDiffer(how) => {
                if remember(&mut said.peers_differ, &how) {
                    warn!("site {me}: no first view while the lists of peers differ: {how}");
                }
            }
            Note::TakeOver { number } => {
                count(&self.counters.take_overs);
                info!("site {me}: takes over as view manager for view {number}");
            }
            Note::SecondChance(site) => {
                count(&self.counters.second_chances);
                info!("site {me}: others hear {site}; it is suspected no more");
            }
            // `Effect::Quorum` says the same to the other threads, and to the log.
            Note::Blocked => warn!("site {me}: too few sites of the view are reachable"),
            Note::Resumed => info!("site {me}: enough sites of the view are reachable"),
        }
    }
}
