//! Process groups (§3.3, §3.5): names, membership, addressing, and the completion of site views.
//!
//! [`Machine`] is the broadcast machine of a site: it routes inputs to the broadcast layer below it,
//! acts on what that layer hands up, and runs the completion that ends one era and begins the next.
//!
//! | file | what |
//! |---|---|
//! | `directory` | names, latest views and watchers of all groups, replicated at all sites (R30) |
//! | `requests` | what local processes have asked for and not got yet: joins, look-ups, leaves, GBCASTs, ends |
//! | `route` | the way of a request to the site that runs the group's GBCASTs (R23) |
//! | `gate` | what a peer's message must wait for, and whether it is the peer's to say |
//! | `completion` | R10–R13 as one clean cut: push, report, decision, store, go |
//! | `apply` | what a decision does at a site |

mod apply;
mod completion;
mod directory;
mod gate;
mod requests;
mod route;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::broadcast::{Broadcast, Counts, Gauges, Message, Process, Stamped, Upcall};
use crate::config::Config;
use crate::delivery::Event;
use crate::error::Error;
use crate::ids::{Class, ProcessId, Site};
use crate::machine::FromPeer;
use crate::machine::broadcast::{Call, Effect, Input, Note};
use crate::time::Time;
use crate::view::SiteView;
use completion::Cut;
use directory::Directory;
use requests::{PeerRequest, Requests};

/// The broadcast machine of a site. See [`crate::machine`] for how to drive it.
#[derive(Clone, Debug, Hash)]
pub struct Machine {
    broadcast: Broadcast,
    directory: Directory,
    requests: Requests,
    cut: Cut,
    /// The site view that is applied.
    site_view: Option<Arc<SiteView>>,
    /// It has the directory.
    informed: bool,
    reachable: bool,
    excluded: bool,
}

impl Machine {
    /// The machine of a site that has no view yet.
    pub fn new(config: &Config, me: Site) -> Machine {
        Machine {
            broadcast: Broadcast::new(config, me),
            directory: Directory::default(),
            requests: Requests::default(),
            cut: Cut::default(),
            site_view: None,
            informed: false,
            reachable: true,
            excluded: false,
        }
    }

    /// Takes one input; all effects are to be carried out, in order, before the next.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        self.broadcast.set_now(now);
        if !self.excluded {
            self.step(input);
            self.settle();
        }
        out.append(&mut self.broadcast.effects);
    }

    /// When `Input::Timeout` is due. A deadline in the past means: as soon as the inbox is empty.
    pub fn deadline(&self) -> Option<Time> {
        if self.excluded {
            None
        } else {
            self.broadcast.deadline()
        }
    }

    /// What is kept, by name: all zero when idle.
    pub fn gauges(&self) -> Gauges {
        self.broadcast.gauges()
    }

    /// How often each of [`crate::broadcast::TRAVELLED`] has happened.
    pub fn travelled(&self) -> Counts {
        self.broadcast.travelled()
    }

    /// What local operations and the machine itself still wait for, in words.
    pub fn pending(&self) -> Vec<String> {
        let mut pending = self.requests.pending();
        pending.extend(self.cut.pending(self.broadcast.frozen));
        pending.extend(self.broadcast.waits());
        pending
    }

    /// The number of the site view that is applied.
    pub fn applied_view(&self) -> Option<u64> {
        self.broadcast.era.as_ref().map(|e| e.number)
    }

    fn step(&mut self, input: Input) {
        match input {
            Input::Install(view) => self.install(view),
            Input::Quorum { reachable } => self.quorum(reachable),
            Input::Excluded(view) => self.exclude(view),
            Input::Receive(from) => self.receive(from),
            Input::Call { process, call } => self.call(process, call),
            Input::Timeout => self.broadcast.flush_outbox(),
        }
    }

    /// Acts on what the broadcast layer handed up until nothing is left.
    fn settle(&mut self) {
        loop {
            self.act_on_upcalls();
            let moved = self.advance_requests();
            if !moved && self.broadcast.upcalls.is_empty() {
                break;
            }
        }
    }

    fn act_on_upcalls(&mut self) {
        while let Some(upcall) = self.broadcast.upcalls.pop_front() {
            self.upcall(upcall);
        }
    }

    fn upcall(&mut self, upcall: Upcall) {
        match upcall {
            Upcall::ForSite { from, payload } => self.directory_changed(from, &payload),
            Upcall::Committed(roster) => self.group_changed(roster),
            Upcall::Emptied(group) => self.emptied(group),
            Upcall::Request {
                group,
                by,
                action,
                payload,
            } => match by {
                Some((from, number)) => self.asked(PeerRequest {
                    from,
                    group,
                    number,
                    action,
                    payload,
                }),
                None => self.route(group, action, payload),
            },
            Upcall::Gone { group, action } => self.gone(group, &action),
        }
    }

    fn receive(&mut self, packet: FromPeer) {
        match decode(&packet.message) {
            Some(stamped) => self.admit(packet.from, stamped),
            None => self.broadcast.note(Note::Malformed { from: packet.from }),
        }
    }

    fn quorum(&mut self, reachable: bool) {
        if self.reachable != reachable {
            self.reachable = reachable;
            let event = if reachable {
                Event::Unblocked
            } else {
                Event::Blocked
            };
            self.deliver_to_all(&event);
        }
    }

    fn exclude(&mut self, view: SiteView) {
        self.deliver_to_all(&Event::Excluded(Arc::new(view)));
        self.deliver_to_all(&Event::Closed);
        self.excluded = true;
    }

    /// An event for every process of the site.
    fn deliver_to_all(&mut self, event: &Event) {
        let indices: Vec<u32> = self
            .broadcast
            .processes
            .keys()
            .copied()
            .filter(|i| *i > 0)
            .collect();
        for process in indices {
            self.broadcast.deliver(process, event.clone(), Vec::new());
        }
    }

    fn call(&mut self, process: u32, call: Call) {
        if let Call::Open { .. } = call {
            let id = ProcessId {
                site: self.broadcast.me(),
                index: process,
            };
            self.broadcast.processes.insert(process, Process::new(id));
            if let Some(view) = &self.site_view {
                self.broadcast
                    .deliver(process, Event::SiteView(view.clone()), Vec::new());
            }
            if !self.reachable {
                self.broadcast.deliver(process, Event::Blocked, Vec::new());
            }
            return;
        }
        if !self.broadcast.processes.contains_key(&process) {
            return;
        }
        match call {
            Call::Open { .. } => {}
            Call::Send(send) => self.broadcast.call_send(process, send),
            Call::Taken { upto } => self.broadcast.call_taken(process, upto),
            Call::Flush { after, token } => self.broadcast.call_flush(process, token, after),
            Call::Status { id, token } => self.broadcast.call_status(process, id, token),
            Call::Gbcast {
                id,
                group,
                after,
                payload,
            } => {
                debug_assert_eq!(id.class, Class::Gbcast);
                self.broadcast.accept_gbcast(process, id, payload.len());
                self.requests.gbcast(process, id, group, after, payload);
            }
            Call::Join { name, token } => self.requests.join(process, name, token),
            Call::Lookup { name, token } => self.requests.lookup(process, name, token),
            Call::Leave { group, token } => {
                let upto = self.broadcast.processes[&process].sent.accepted;
                self.requests.leave(process, group, token, upto);
            }
            Call::Close { token } => self.close(process, token),
        }
    }

    /// Ends an operation.
    fn complete(
        &mut self,
        process: u32,
        token: u64,
        result: Result<crate::delivery::Outcome, Error>,
    ) {
        self.broadcast
            .deliver(process, Event::Completed { token, result }, Vec::new());
    }
}

/// Decodes a message; `None` if it is not one.
fn decode(bytes: &Bytes) -> Option<Stamped> {
    let (mut stamped, used) = crate::wire::decode_prefix::<Stamped>(bytes).ok()?;
    let body = bytes.slice(used..);
    let fits = match &mut stamped.message {
        Message::Completion(_) => body.is_empty(),
        message => message.set_body(body),
    };
    (fits && stamped.message.is_sound()).then_some(stamped)
}
