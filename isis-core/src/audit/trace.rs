//! The record of a run: what every process and site did, in the order of the simulated clock. The
//! properties are functions of this record alone.

use std::fmt;
use std::sync::Arc;

use crate::delivery::{GroupView, Label};
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Address;
use crate::view::SiteView;

/// A broadcast as its sender's application made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// ID(B), which names the sender.
    pub id: MessageId,
    /// A group, or processes.
    pub to: Address,
    /// The primitive with its label or olabel.
    pub label: Label,
    /// The frontier that the endpoint says it comes after (white box).
    pub after: Vec<MessageId>,
    /// It is to be taken only once it is safe.
    pub safe: bool,
    /// Of the payload, in bytes.
    pub length: usize,
    /// Of the payload.
    pub digest: u64,
}

/// A broadcast as an application took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// ID(B).
    pub id: MessageId,
    /// The group that it was sent to, and the number of the view that it was taken in.
    pub group: Option<(GroupId, u64)>,
    /// The primitive with its label or olabel.
    pub label: Label,
    /// Of the payload, in bytes.
    pub length: usize,
    /// Of the payload.
    pub digest: u64,
}

/// What is noted of a site that votes from a store ([`What::Note`]).
pub const HAS_STORE: &str = "has a store";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A site starts; it is one of the listed ones or not.
    Start(Site),
    /// A site halts.
    Crash(Site),
    /// A site's view machine acts on a committed view (white box).
    Install(Site, SiteView),
    /// A site learns that it is out, of its own wish or not.
    Out {
        /// Which one.
        site: Site,
        /// By its own wish.
        asked: bool,
    },
    /// A site asks to leave.
    Leaving(Site),

    /// A process begins.
    Open(ProcessId),
    /// The application ends its process.
    Close(ProcessId),
    /// The process has seen its last event.
    Ended(ProcessId),
    /// The application takes a site view.
    SiteView(ProcessId, Arc<SiteView>),
    /// The application takes a view of a group that its process is in or watches.
    View(ProcessId, Arc<GroupView>),
    /// The application asks to join the group of a name.
    AskJoin(ProcessId, String),
    /// The application asks to watch the group of a name.
    AskLookup(ProcessId, String),
    /// The application asks to leave a group, or to watch it no more.
    AskLeave(ProcessId, GroupId),
    /// The application learns that this is done.
    Left(ProcessId, GroupId),
    /// The application sends.
    Send(Sent),
    /// The application takes a broadcast.
    Deliver(ProcessId, Delivered),
    /// The application is told that a broadcast of its process reaches nobody.
    Undeliverable(MessageId),
    /// The application calls flush, an operation of this number.
    FlushBegin(ProcessId, u64),
    /// That flush returns.
    FlushEnd(ProcessId, u64),
    /// The application is told that its site has no quorum.
    Blocked(ProcessId),
    /// The application is told that its site goes on.
    Unblocked(ProcessId),

    /// On the delivery queue of a process (white box): a broadcast, with the frontier it comes after.
    Placed(ProcessId, MessageId, Vec<MessageId>),
    /// Something that may make live sites look dead.
    Disturbance(String),
    /// Faults have stopped.
    Quiet,
    /// For the reader.
    Note(Site, String),
}

impl What {
    /// The process whose life it belongs to; none for what a site does.
    pub fn process(&self) -> Option<ProcessId> {
        match self {
            What::Send(m) => Some(m.id.sender),
            What::Undeliverable(id) => Some(id.sender),
            What::Open(p)
            | What::Close(p)
            | What::Ended(p)
            | What::SiteView(p, _)
            | What::View(p, _)
            | What::AskJoin(p, _)
            | What::AskLookup(p, _)
            | What::AskLeave(p, _)
            | What::Left(p, _)
            | What::Deliver(p, _)
            | What::FlushBegin(p, _)
            | What::FlushEnd(p, _)
            | What::Blocked(p)
            | What::Unblocked(p)
            | What::Placed(p, _, _) => Some(*p),
            What::Start(_)
            | What::Crash(_)
            | What::Install(_, _)
            | What::Out { .. }
            | What::Leaving(_)
            | What::Disturbance(_)
            | What::Quiet
            | What::Note(_, _) => None,
        }
    }
}

/// Where in a recorded history something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which of the trace's files.
    pub file: u32,
    /// Which line, from 1.
    pub line: u32,
}

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Microseconds of simulated time; of a merged trace, by the wall clock of its site.
    pub at: u64,
    /// Which thing.
    pub what: What,
    /// In a merged trace: who says so.
    pub origin: Option<Origin>,
}

/// The record of a run.
#[derive(Debug, Default)]
pub struct Trace {
    /// What happened, in order.
    pub records: Vec<Record>,
    /// Print each record as it comes.
    pub verbose: bool,
    /// The run ended with a quorum up and everything healed: the promises for survivors count.
    pub live: bool,
    /// Merged from recorded histories: nobody knows the order of what different sites did but where it
    /// follows from broadcasts, a survivor is who was closed in good order, and nobody can tell a site
    /// that was suspected from one that had failed.
    pub merged: bool,
    /// The recorded histories.
    pub files: Vec<String>,
}

impl Trace {
    /// Something happens at this time.
    pub fn add(&mut self, at: u64, what: What) {
        let record = Record {
            at,
            what,
            origin: None,
        };
        if self.verbose {
            println!("{record}");
        }
        self.records.push(record);
    }

    /// A recorded history tells that something happened.
    pub fn add_from(&mut self, at: u64, what: What, origin: Origin) {
        let origin = Some(origin);
        self.records.push(Record { at, what, origin });
    }

    /// A number that two runs of one seed must share (X1).
    pub fn hash(&self) -> u64 {
        use fmt::Write;
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for record in &self.records {
            write!(hash, "{} {:?}", record.at, record.what).expect("hashing does not fail");
        }
        hash.0
    }
}

struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = digest_from(self.0, s.as_bytes());
        Ok(())
    }
}

fn digest_from(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Of a payload.
pub fn digest(bytes: &[u8]) -> u64 {
    digest_from(0xcbf2_9ce4_8422_2325, bytes)
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3}ms ", self.at as f64 / 1000.0)?;
        match &self.what {
            What::Start(s) => write!(f, "site {s} starts"),
            What::Crash(s) => write!(f, "site {s} HALTS"),
            What::Install(s, v) => write!(f, "site {s} installs {}", SiteViewText(v)),
            What::Out { site, asked } => write!(f, "site {site} is out (asked: {asked})"),
            What::Leaving(s) => write!(f, "site {s} asks to leave"),
            What::Open(p) => write!(f, "{p} opens"),
            What::Close(p) => write!(f, "{p} closes"),
            What::Ended(p) => write!(f, "{p} has ended"),
            What::SiteView(p, v) => write!(f, "{p} takes {}", SiteViewText(v)),
            What::View(p, v) => write!(f, "{p} takes {}", ViewText(v)),
            What::AskJoin(p, name) => write!(f, "{p} asks to join {name:?}"),
            What::AskLookup(p, name) => write!(f, "{p} looks up {name:?}"),
            What::AskLeave(p, g) => write!(f, "{p} asks to leave {g}"),
            What::Left(p, g) => write!(f, "{p} has left {g}"),
            What::Send(m) => write!(
                f,
                "{} sends {} {}{} to {}, after [{}]",
                m.id.sender,
                m.id,
                if m.safe { "safe " } else { "" },
                LabelText(&m.label),
                AddressText(&m.to),
                List(&m.after)
            ),
            What::Deliver(p, m) => {
                write!(f, "{p} takes {} {}", m.id, LabelText(&m.label))?;
                match m.group {
                    Some((g, n)) => write!(f, " in view {n} of {g}"),
                    None => Ok(()),
                }
            }
            What::Undeliverable(id) => write!(f, "{id} reaches nobody"),
            What::FlushBegin(p, t) => write!(f, "{p} flushes (operation {t})"),
            What::FlushEnd(p, t) => write!(f, "{p} has flushed (operation {t})"),
            What::Blocked(p) => write!(f, "{p} is told: blocked"),
            What::Unblocked(p) => write!(f, "{p} is told: goes on"),
            What::Placed(p, id, after) => {
                write!(f, "{id} is placed at {p}, after [{}]", List(after))
            }
            What::Disturbance(text) => write!(f, "~~ {text}"),
            What::Quiet => write!(f, "~~ faults have stopped"),
            What::Note(s, text) => write!(f, "site {s}: {text}"),
        }
    }
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

struct SiteViewText<'a>(&'a SiteView);

impl fmt::Display for SiteViewText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        let sites: Vec<Site> = v.sites().collect();
        write!(f, "site view {} [{}]", v.number.0, List(&sites))?;
        for (site, why) in &v.left {
            write!(f, " -{site} ({why:?})")?;
        }
        Ok(())
    }
}

struct ViewText<'a>(&'a GroupView);

impl fmt::Display for ViewText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "view {} of {} {:?} [{}]",
            v.number,
            v.group,
            v.name,
            List(&v.members)
        )?;
        for p in &v.joined {
            write!(f, " +{p}")?;
        }
        for (p, why) in &v.left {
            write!(f, " -{p} ({why:?})")?;
        }
        Ok(())
    }
}

struct LabelText<'a>(&'a Label);

impl fmt::Display for LabelText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Label::Bcast(label) => write!(f, "BCAST {label:?}"),
            Label::Obcast(olabel) => write!(f, "OBCAST {olabel:?}"),
            Label::Gbcast => write!(f, "GBCAST"),
        }
    }
}

struct AddressText<'a>(&'a Address);

impl fmt::Display for AddressText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Group(g) => write!(f, "{g}"),
            Address::List(list) => write!(f, "[{}]", List(list)),
        }
    }
}
