//! What broadcast machines say to each other. The table in `docs/PROTOCOL.md` lists sender, moment
//! and paragraph of each.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::era::SiteSet;
use super::roster::Roster;
use super::runs::{NumberRun, SeqRun};
use crate::delivery::{LeaveReason, Olabel};
use crate::ids::{GroupId, MessageId, ProcessId, Site};

/// A message and the number of the site view that its sender had applied or, for
/// [`Completion`], installed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamped {
    /// The view's number.
    pub view: u64,
    /// The message.
    pub message: Message,
}

/// A message. Payloads travel beside the encoded head and are put back by [`Message::set_body`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// The body of a BCAST (§4.3.1 step 1).
    Bcast(Bcast),
    /// The body of an OBCAST, or its header alone (§4.3.2).
    Obcast(Obcast),
    /// Numbers, receipts and floors.
    Control(Control),
    /// GBCAST runs (§4.3.3).
    Gbcast(Gbcast),
    /// The completion of a site view (R12).
    Completion(Completion),
}

impl Message {
    /// The payload that travels beside the head.
    pub fn body(&self) -> Bytes {
        match self {
            Message::Bcast(m) => m.payload.clone(),
            Message::Obcast(m) => m.payload.clone(),
            Message::Gbcast(Gbcast::Request { payload, .. } | Gbcast::Start { payload, .. }) => {
                payload.clone()
            }
            _ => Bytes::new(),
        }
    }

    /// Puts the payload back; says whether this kind may have one of that length.
    pub fn set_body(&mut self, body: Bytes) -> bool {
        match self {
            Message::Bcast(m) => m.payload = body,
            Message::Obcast(m) if m.whole || body.is_empty() => m.payload = body,
            Message::Gbcast(Gbcast::Request {
                payload, action, ..
            }) => {
                if action.payload_len() != body.len() {
                    return false;
                }
                *payload = body;
            }
            Message::Gbcast(Gbcast::Start {
                payload, actions, ..
            }) => {
                let lens = actions.iter().map(Action::payload_len);
                if lens.fold(0usize, usize::saturating_add) != body.len() {
                    return false;
                }
                *payload = body;
            }
            _ => return body.is_empty(),
        }
        true
    }
}

/// DESTS(B).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum To {
    /// The members of this view of the group (§3.5).
    Group {
        /// The group.
        group: GroupId,
        /// The number of the group view: the stamp.
        stamp: u64,
        /// The sender watches the group and is no member: its own site takes the message for the
        /// order, but not to deliver it (R26).
        outside: bool,
    },
    /// These processes.
    List(Vec<ProcessId>),
}

/// The body of a BCAST.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bcast {
    /// Its id on the wire: numbered as sent off. One that was rejected is sent off again under a new
    /// one (R27).
    pub id: MessageId,
    /// The sequence number that its sender's application knows.
    pub origin: u64,
    /// §3.1.
    pub label: Arc<str>,
    /// DESTS(B).
    pub to: To,
    /// The sites of DESTS(B), by rank in the era.
    pub sites: SiteSet,
    /// The sender's clock (R14).
    pub clock: u64,
    /// The OBCASTs that come before it (R16), where both go: for every destination site the latest of
    /// those that go there too.
    pub after: Vec<Listed>,
    /// It is placed only once it is safe.
    pub safe: bool,
    /// The application's bytes.
    #[serde(skip)]
    pub payload: Bytes,
}

/// The body or header of an OBCAST.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Obcast {
    /// Its id.
    pub id: MessageId,
    /// §3.2.
    pub olabel: Olabel,
    /// DESTS(B).
    pub to: To,
    /// The sites of DESTS(B), by rank in the era.
    pub sites: SiteSet,
    /// Its sender's own predecessor in the frontier is this many before it: 1 is the previous one, 0
    /// says that there is none.
    pub back: u64,
    /// The frontier of what precedes it, without that one.
    pub others: Vec<MessageId>,
    /// Whether the payload comes along. A site that is no destination gets the header alone of one
    /// that is received at all its destinations.
    pub whole: bool,
    /// The application's bytes.
    #[serde(skip)]
    pub payload: Bytes,
}

impl Obcast {
    /// The frontier of what precedes it.
    pub fn after(&self) -> impl Iterator<Item = MessageId> {
        let own = (self.back > 0).then(|| MessageId {
            seq: self.id.seq.saturating_sub(self.back),
            ..self.id
        });
        own.into_iter().chain(self.others.iter().copied())
    }

    /// Sets the frontier.
    pub fn set_after(&mut self, mut after: Vec<MessageId>) {
        let own = after.iter().filter(|a| a.sender == self.id.sender).max();
        let own = own.copied();
        self.back = own.map_or(0, |own| self.id.seq - own.seq);
        after.retain(|a| Some(*a) != own);
        self.others = after;
    }
}

/// A batch of small things for one site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Control {
    /// §4.3.1 step 2, for BCASTs of the receiving site.
    pub proposals: Vec<NumberRun>,
    /// §4.3.1 step 3, and finals passed on (R15).
    pub finals: Vec<NumberRun>,
    /// OBCASTs of the receiving site *received* here (R20).
    pub received: Vec<SeqRun>,
    /// OBCASTs of the receiving site *placed* here (R21).
    pub placed: Vec<SeqRun>,
    /// OBCASTs that the receiving site named, and that do not come.
    pub pulls: Vec<MessageId>,
    /// BCASTs of the receiving site whose final has arrived here.
    pub finals_known: Vec<SeqRun>,
    /// Broadcasts of the receiving site that all destination processes here have taken (R29).
    pub taken: Vec<SeqRun>,
    /// The floors of the sending site's processes (R21).
    pub floors: Vec<Floor>,
}

/// A batch carries at most this many numbers: each run of them is a few bytes and thousands of steps.
pub(super) const MOST_NUMBERS: usize = 1 << 16;

impl Control {
    /// The batch in parts that each carry no more numbers than a receiver takes; the receipts, which
    /// may follow from the numbers, come in the last.
    pub fn parts(mut self) -> Vec<Control> {
        let most = MOST_NUMBERS / 2;
        let finals = NumberRun::batches(core::mem::take(&mut self.finals), most);
        let proposals = NumberRun::batches(core::mem::take(&mut self.proposals), most);
        let count = finals.len().max(proposals.len()).max(1);
        let mut parts: Vec<Control> = Vec::new();
        parts.resize_with(count - 1, Control::default);
        parts.push(self);
        for (part, finals) in parts.iter_mut().zip(finals) {
            part.finals = finals;
        }
        for (part, proposals) in parts.iter_mut().zip(proposals) {
            part.proposals = proposals;
        }
        parts
    }
}

/// What is settled of one process's broadcasts: all with a sequence number below these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Floor {
    /// The process, at the site that says so.
    pub process: u32,
    /// OBCASTs received at all destinations.
    pub received: u64,
    /// OBCASTs placed at all destinations.
    pub placed: u64,
    /// BCASTs whose final has arrived at all destinations.
    pub finals: u64,
}

/// What a GBCAST is to do (§3.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The process becomes a member.
    Join(ProcessId),
    /// The process is a member no more.
    Remove(ProcessId, LeaveReason),
    /// The process watches the group from outside (R31).
    Watch(ProcessId),
    /// It watches no more.
    Unwatch(ProcessId),
    /// An application's GBCAST; its payload travels beside.
    Application {
        /// Its sender's name for it.
        id: MessageId,
        /// The payload's length.
        len: usize,
    },
}

impl Action {
    fn payload_len(&self) -> usize {
        match self {
            Action::Application { len, .. } => *len,
            _ => 0,
        }
    }

    /// The process that asked, or that it is about.
    pub fn process(&self) -> ProcessId {
        match self {
            Action::Join(p) | Action::Remove(p, _) | Action::Watch(p) | Action::Unwatch(p) => *p,
            Action::Application { id, .. } => id.sender,
        }
    }
}

/// An OBCAST with where it goes: on a list of §4.3.3 step 3.3, or before a BCAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: MessageId,
    /// Its destination sites: only they wait for it.
    pub sites: SiteSet,
}

/// The commit record of a GBCAST: an attribute of it that, once anybody stored it, never changes
/// (R23, R24).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The run.
    pub run: MessageId,
    /// Its place among BCASTs and GBCASTs.
    pub number: u64,
    /// What it does.
    pub actions: Vec<Action>,
    /// OBCASTs that come before it.
    pub before: Vec<Listed>,
    /// The group after it.
    pub roster: Roster,
}

impl Record {
    /// Whether it changes the membership.
    pub fn changes_view(&self) -> bool {
        self.actions
            .iter()
            .any(|a| matches!(a, Action::Join(_) | Action::Remove(..)))
    }
}

/// GBCAST runs (§4.3.3 as corrected by R22–R24). The coordinator is the site of the oldest member.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gbcast {
    /// To the coordinator: include this in a run.
    Request {
        /// The group.
        group: GroupId,
        /// The group view by which it is sent there: whoever is not the oldest member's site in that
        /// view or a later one waits for it, and passes the request on by a later one alone.
        number: u64,
        /// What is asked.
        action: Action,
        /// Of an application's GBCAST.
        #[serde(skip)]
        payload: Bytes,
    },
    /// To who asked: the group has no members any more.
    Gone {
        /// The group.
        group: GroupId,
        /// What was asked.
        action: Action,
    },
    /// Step 2.1, to the sites of all participants.
    Start {
        /// The run.
        run: MessageId,
        /// The group that it changes or is delivered in.
        base: Roster,
        /// What it does.
        actions: Vec<Action>,
        /// The coordinator's clock.
        clock: u64,
        /// The payloads of the application's GBCASTs, one after the other.
        #[serde(skip)]
        payload: Bytes,
    },
    /// Step 2.2, back.
    Number {
        /// The run.
        run: MessageId,
        /// The proposal.
        number: u64,
    },
    /// Step 2.3, to the participants.
    Final {
        /// The run.
        run: MessageId,
        /// Its final number.
        number: u64,
    },
    /// It heads the queues of all participants at the sender.
    Head {
        /// The run.
        run: MessageId,
    },
    /// Step 3.1: it heads the queues everywhere; wait queues go up.
    Up {
        /// The run.
        run: MessageId,
    },
    /// Step 3.3, back: OBCASTs placed at the sender's participants, closed under *precedes*.
    List {
        /// The run.
        run: MessageId,
        /// The list.
        list: Vec<Listed>,
    },
    /// Step 3.4 with R24: store the record.
    Store(Record),
    /// Stored.
    Stored {
        /// The run.
        run: MessageId,
    },
    /// All have stored it: place it.
    Commit {
        /// The run.
        run: MessageId,
    },
    /// The commit has arrived.
    Committed {
        /// The run.
        run: MessageId,
    },
    /// To all other sites: the group after a commit.
    Announce(Roster),
}

/// What a site tells the oldest site in the completion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Report {
    /// The last view that it applied; `None` for a site that has just joined.
    pub applied: Option<u64>,
    /// It has the directory.
    pub informed: bool,
    /// Its clock.
    pub clock: u64,
    /// Finals that it knows and that may not be known everywhere.
    pub finals: Vec<NumberRun>,
    /// BCASTs that it holds without final, with their label's key.
    pub open: Vec<(MessageId, u32)>,
    /// Those that come after an OBCAST to this site that nobody has brought: it is lost, with its
    /// sender and all who took it.
    pub lacking: Vec<MessageId>,
    /// Commit records that it stores.
    pub records: Vec<Record>,
    /// Decisions that it stored and has not applied, oldest first.
    pub stored: Vec<Decision>,
}

/// The one decision of a completion: it orders everything that was pending.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// The view that it completes.
    pub view: u64,
    /// The largest clock reported (K): what had no final comes after it.
    pub clock: u64,
    /// The final of every BCAST reported.
    pub finals: Vec<(MessageId, u64)>,
    /// Commit records reported, by number.
    pub records: Vec<Record>,
    /// Sites that have no directory yet: the oldest of the others sends it to them.
    pub joining: Vec<Site>,
}

/// The completion of a site view (R12, as one clean cut).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Completion {
    /// To every other site, behind everything sent before: nothing of the old era follows.
    PushEnd {
        /// The last view that the sender applied.
        applied: Option<u64>,
    },
    /// To the oldest site.
    Report(Report),
    /// To all: the decisions of earlier views that somebody stored, then the new one.
    Decision(Vec<Decision>),
    /// Stored; back to the oldest site.
    Stored,
    /// All have stored it: apply. Sites without directory apply when it arrives.
    Go,
    /// From the oldest site that has the directory to those that have not: the groups as of this view.
    Directory(Vec<Roster>),
}
