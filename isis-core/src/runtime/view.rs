//! The view thread: site views.

use std::sync::Arc;

use log::{info, warn};

use super::broadcast;
use super::channel::Receiver;
use super::clock::Clock;
use super::driver::ViewMachine;
use super::shared::Shared;
use super::stats::count;
use super::transport;
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
pub(crate) fn run<M>(mut machine: M, inbox: Receiver<Inbox>, clock: Clock, shared: Arc<Shared>)
where
    M: ViewMachine,
{
    let mut thread = Thread {
        shared,
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
            machine.handle(now, Input::Timeout, &mut effects);
            thread.carry_out(&mut effects);
        }
        machine.handle(now, input, &mut effects);
        thread.carry_out(&mut effects);
    }
}

struct Thread {
    shared: Arc<Shared>,
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
    fn carry_out(&mut self, effects: &mut Vec<Effect>) {
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
                    let excluded = broadcast::Inbox::Excluded { view, asked };
                    inboxes.broadcast.send(excluded);
                }
                Effect::Note(note) => self.shared.note_view(note, &mut self.said),
            }
        }
    }
}

impl Shared {
    fn note_view(&self, note: Note, said: &mut Said) {
        let me = self.me;
        match note {
            Note::WaitingFor(whom) => {
                if remember(&mut said.waiting_for, &whom) {
                    info!("site {me}: the first view waits for {whom}");
                }
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
