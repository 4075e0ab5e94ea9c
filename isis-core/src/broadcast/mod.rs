//! The broadcast primitives (§4.3): BCAST, OBCAST and GBCAST within one era, the store and its
//! collection (§4.4), flush (§3.4).
//!
//! An **era** is the time from one applied site view to the next. A site view ends the era of the
//! one before with a clean cut (`group::completion`), so within an era no site fails and nothing
//! here handles failures: what the report does in take-overs is done at the cut, for all messages
//! at once. Destinations come in as data: lists of processes, or group views that the group layer
//! put into [`Broadcast::adopt_view`].
//!
//! | file | what |
//! |---|---|
//! | `era` | sites of an era and sets of them |
//! | `message`, `runs`, `sound` | what is said, and what is taken |
//! | `process`, `queue` | the state of one process: priority queues, wait queue, what it sent |
//! | `bcast` | §4.3.1: Skeen's two phases, finals in send order (R14), proposals after OBCASTs (R16) |
//! | `safe` | what a safe BCAST waits for |
//! | `obcast` | §4.3.2: placing what is received |
//! | `travel` | what travels with an OBCAST, holds, pulls, and when it is received (R18, R20) |
//! | `gbcast`, `roster` | §4.3.3: the participant's and the coordinator's side of a run (R22–R24); who takes part |
//! | `address` | §3.5: stamps, holding (R25), rejection and re-sending (R27) |
//! | `cut` | the end of an era: pushes, the report, placing in the decided order, the next era |
//! | `stability` | §4.4: receipts, floors, collection |
//! | `window` | the sender's window (R29) |
//! | `flush` | §3.4 and *status* |

mod address;
mod bcast;
mod cut;
mod era;
mod flush;
mod gbcast;
mod message;
mod obcast;
mod process;
mod queue;
mod roster;
mod runs;
mod safe;
mod sound;
mod stability;
mod travel;
mod window;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

pub use bcast::{BULK_ABOVE, label_key};
pub use era::{Era, SiteSet};
pub use message::{
    Action, Bcast, Completion, Control, Decision, Gbcast, Listed, Message, Obcast, Record, Report,
    Stamped, To,
};
pub use process::Process;
pub use roster::Roster;
pub use runs::NumberRun;
pub use travel::{Counts, TRAVELLED};

use crate::config::Config;
use crate::delivery::{Event, GroupView};
use crate::ids::{Class, GroupId, MessageId, ProcessId, SITE_PROCESS, Site};
use crate::machine::broadcast::{Effect, Note, ToEndpoint};
use crate::machine::{Lane, Packet};
use crate::time::Time;

/// What the layer above hears from this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Upcall {
    /// A broadcast addressed to the site's own process is placed.
    ForSite {
        /// The site whose own process sent it.
        from: Site,
        /// What it says.
        payload: Bytes,
    },
    /// A commit record became known here: the group as of now.
    Committed(Roster),
    /// A run that this site coordinated left the group without members, and all who took part know.
    Emptied(GroupId),
    /// A request for a GBCAST is to be run here or passed on to where it can be.
    Request {
        /// The group.
        group: GroupId,
        /// The peer that sent it here, and the group view by which it did; `None` if it was to be run
        /// here.
        by: Option<(Site, u64)>,
        /// What was asked.
        action: Action,
        /// Of an application's GBCAST.
        payload: Bytes,
    },
    /// The group that we asked has no members any more.
    Gone {
        /// The group.
        group: GroupId,
        /// What we asked.
        action: Action,
    },
}

/// The broadcast layer of one site. Fields are shared by the files of this folder; every step ends
/// with its effects in `effects` and its upcalls in `upcalls`.
#[derive(Clone, Debug, Hash)]
pub struct Broadcast {
    me: Site,
    now: Time,
    /// The era, once a view has been applied.
    pub era: Option<Era>,
    /// Between INSTALL and GO: nothing is sent or placed.
    pub frozen: bool,
    /// One clock serves all labels (R14).
    pub clock: u64,
    /// The local processes, by index; 0 is the site's own.
    pub processes: BTreeMap<u32, Process>,
    /// Group views that local processes are in or will be, by number.
    views: BTreeMap<GroupId, BTreeMap<u64, Arc<GroupView>>>,
    bcasts: BTreeMap<MessageId, bcast::Entry>,
    outgoing: BTreeMap<MessageId, bcast::Outgoing>,
    /// BCASTs whose proposal is withheld (R16), or whose group view is not known here yet.
    withheld: BTreeSet<MessageId>,
    /// Finals that may not be known everywhere, with their label's key (R15).
    finals: BTreeMap<MessageId, (u64, u32)>,
    /// The same in the order learned, from `carried_from` on, for passing on before bodies.
    carry_log: VecDeque<bcast::Carried>,
    carried_from: u64,
    /// Labels of which a safe BCAST is under way.
    safe: BTreeMap<u32, safe::Underway>,
    store: BTreeMap<MessageId, obcast::Node>,
    /// OBCASTs stamped with a group view that is not known here yet, and what they precede, as they
    /// arrived.
    unresolved: Vec<MessageId>,
    /// Placed everywhere, but after something that is still in the store (R21): what waits, by what
    /// it waits for. Each waits for one at a time, or long chains would be walked again and again.
    pinned: BTreeMap<MessageId, Vec<MessageId>>,
    travel: travel::Travel,
    floors: BTreeMap<ProcessId, message::Floor>,
    runs: gbcast::Runs,
    takes: BTreeMap<MessageId, u32>,
    outbox: BTreeMap<Site, stability::Outbox>,
    floors_due: Option<Time>,
    /// Carried out by the caller after each input.
    pub effects: Vec<Effect>,
    /// Handled by the group layer after each step.
    pub upcalls: VecDeque<Upcall>,
}

impl Broadcast {
    /// The layer of a site that has no view yet.
    pub fn new(config: &Config, me: Site) -> Broadcast {
        let mut processes = BTreeMap::new();
        let site_process = ProcessId {
            site: me,
            index: SITE_PROCESS,
        };
        processes.insert(SITE_PROCESS, Process::new(site_process));
        Broadcast {
            me,
            now: Time::default(),
            era: None,
            frozen: true,
            clock: 0,
            processes,
            views: BTreeMap::new(),
            bcasts: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            withheld: BTreeSet::new(),
            finals: BTreeMap::new(),
            carry_log: VecDeque::new(),
            carried_from: 0,
            safe: BTreeMap::new(),
            store: BTreeMap::new(),
            unresolved: Vec::new(),
            pinned: BTreeMap::new(),
            travel: travel::Travel::new(config),
            floors: BTreeMap::new(),
            runs: gbcast::Runs::default(),
            takes: BTreeMap::new(),
            outbox: BTreeMap::new(),
            floors_due: None,
            effects: Vec::new(),
            upcalls: VecDeque::new(),
        }
    }

    /// The site.
    pub fn me(&self) -> Site {
        self.me
    }

    /// Every step begins with the time.
    pub fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// An in-era message of the site of this rank. Between INSTALL and GO bodies, finals and receipts
    /// are stored, and nothing is answered.
    pub fn receive(&mut self, from: usize, message: Message) {
        match message {
            Message::Bcast(m) => self.receive_bcast(m),
            Message::Obcast(m) => self.receive_obcast(from, m),
            Message::Control(m) => self.receive_control(from, m),
            Message::Gbcast(m) => self.receive_gbcast(from, m),
            Message::Completion(_) => {}
        }
    }

    /// Puts an event on the delivery queue of a local process: it is *placed*.
    pub fn deliver(&mut self, process: u32, event: Event, after: Vec<MessageId>) {
        let Some(p) = self.processes.get_mut(&process) else {
            return;
        };
        if p.deaf
            && !matches!(
                event,
                Event::Completed { .. } | Event::Closed | Event::Excluded(_)
            )
        {
            if let Event::Message(m) = &event {
                self.taken_here(m.id);
            }
            return;
        }
        p.delivered += 1;
        if let Event::Message(m) = &event {
            p.untaken.push_back((p.delivered, m.id));
        }
        self.effects.push(Effect::Deliver {
            process,
            item: ToEndpoint::Event { event, after },
        });
    }

    /// A process has ended: what was still to be placed at it counts as placed and taken.
    pub fn remove_process(&mut self, process: u32) {
        let bcasts: Vec<MessageId> = self
            .bcasts
            .iter()
            .filter(|(_, e)| e.queued.contains(&process))
            .map(|(id, _)| *id)
            .collect();
        for id in bcasts {
            self.place_bcast(process, id);
        }
        self.place_all_obcasts(process);
        self.processes.remove(&process);
    }

    /// Something to send to an endpoint that is not an event.
    fn tell(&mut self, process: u32, item: ToEndpoint) {
        if process != SITE_PROCESS {
            self.effects.push(Effect::Deliver { process, item });
        }
    }

    /// Sends a message stamped with the era to the sites of these ranks, except ourselves.
    pub fn send(&mut self, ranks: impl Iterator<Item = usize>, lane: Lane, message: Message) {
        let Some(era) = &self.era else { return };
        let to: Vec<Site> = ranks
            .filter(|r| *r != era.me)
            .map(|r| era.sites[r])
            .collect();
        let view = era.number;
        self.send_stamped(to, lane, view, message);
    }

    /// Sends a message with an explicit stamp.
    pub fn send_stamped(&mut self, to: Vec<Site>, lane: Lane, view: u64, message: Message) {
        if to.is_empty() {
            return;
        }
        let body = message.body();
        let head = Bytes::from(crate::wire::encode(&Stamped { view, message }));
        self.effects.push(Effect::Send {
            to,
            lane,
            packet: Packet { head, body },
        });
    }

    /// A note for people.
    pub fn note(&mut self, note: Note) {
        self.effects.push(Effect::Note(note));
    }

    /// Hands over a group view for addressing: messages stamped with it can be resolved from now on.
    pub fn adopt_view(&mut self, view: &Arc<GroupView>) {
        self.views
            .entry(view.group)
            .or_default()
            .insert(view.number, view.clone());
        self.resolve_waiting();
    }

    /// The era; only called where there is one.
    fn era(&self) -> &Era {
        self.era
            .as_ref()
            .expect("broadcasts are sent and received within an era")
    }

    fn is_here(&self, process: ProcessId) -> bool {
        process.site == self.me && self.processes.contains_key(&process.index)
    }

    /// What the oldest broadcasts in each window wait for, in words.
    pub fn waits(&self) -> Vec<String> {
        let Some(era) = &self.era else {
            return Vec::new();
        };
        let mut waits = Vec::new();
        for (index, p) in &self.processes {
            if let Some(((class, seq), flight)) = p.sent.window.first_key_value() {
                let who = flight
                    .untaken
                    .map(|u| u.ranks().map(|r| era.sites[r]).collect::<Vec<_>>());
                waits.push(match who {
                    Some(who) => format!("p{index}: {class:?} {seq} is not taken at {who:?}"),
                    None => format!("p{index}: {class:?} {seq} has not left"),
                });
            }
        }
        let late = self
            .awaited()
            .map(|(id, missing)| format!("{id} waits for {missing}"));
        waits.extend(late);
        waits.extend(self.unsafe_waits());
        waits
    }

    /// How often each of [`TRAVELLED`] has happened.
    pub fn travelled(&self) -> Counts {
        self.travel.counts
    }

    /// What is kept, by name: all zero when idle.
    pub fn gauges(&self) -> Gauges {
        let sum = |f: fn(&Process) -> usize| self.processes.values().map(f).sum();
        Gauges {
            bcasts: self.bcasts.len() + self.outgoing.len(),
            obcasts: self.store.len(),
            finals: self.finals.len() + self.carry_log.len() + self.safe.len(),
            queued: sum(|p| p.queues.len() + p.wait_queue.len()),
            held: sum(|p| {
                p.held.len()
                    + p.sent
                        .labels
                        .values()
                        .map(|l| l.waiting.len())
                        .sum::<usize>()
            }),
            in_flight: sum(|p| p.sent.window.len()),
            flushes: sum(|p| p.flushes.len()),
            runs: self.runs.open(),
        }
    }
}

/// How much the broadcast layer keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gauges {
    /// BCASTs that are not placed everywhere they go at this site, or not final.
    pub bcasts: usize,
    /// OBCASTs in the store.
    pub obcasts: usize,
    /// Finals that may not be known everywhere.
    pub finals: usize,
    /// Entries of priority queues and wait queues.
    pub queued: usize,
    /// Sends that wait for the end of a wait phase or completion.
    pub held: usize,
    /// Broadcasts that some destination has not taken.
    pub in_flight: usize,
    /// Flushes that have not returned.
    pub flushes: usize,
    /// GBCAST runs.
    pub runs: usize,
}

/// The id of an application's broadcast in its sender's own counting.
fn origin_id(sender: ProcessId, class: Class, origin: u64) -> MessageId {
    MessageId {
        sender,
        class,
        seq: origin,
    }
}
