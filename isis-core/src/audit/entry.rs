//! The lines of a recorded history: JSON, one thing per line, as docs/AUDIT.md describes them.
//!
//! The first line is a [`Header`]; every other one is an [`Entry`] of one process or of the site
//! itself, in the order in which they happened there.

mod views;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::trace::{Delivered, Sent, What};
use crate::delivery::{Label, Olabel};
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::machine::broadcast::Address;

pub use views::{GroupViewText, ProcessLeft, SiteLeft, SiteViewText};

/// What the header of every history says first.
pub const FORMAT: &str = "isis history";

/// Grows with every change that older readers do not understand.
pub const VERSION: u32 = 1;

/// An id, which stands in a history as it is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<T>(pub T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T> Deserialize<'de> for Text<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        struct Parse<T>(PhantomData<T>);
        impl<T> Visitor<'_> for Parse<T>
        where
            T: FromStr,
            T::Err: fmt::Display,
        {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the text of an id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<T>, E> {
                text.parse().map(Text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Parse(PhantomData))
    }
}

/// A 64-bit digest in 16 hexadecimal digits: numbers of that size are not safe in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub u64);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Digest, Self::Err> {
        u64::from_str_radix(text, 16).map(Digest)
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The cluster's name.
    pub cluster: String,
    /// Whose history it is.
    pub site: Text<Site>,
    /// Microseconds from 1970 to the opening of the site by its wall clock; for the reader's
    /// orientation.
    pub opened_us: u64,
    /// Whether it votes from a store; left out if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store: bool,
}

/// How a site ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was closed, and the others knew of it.
    Closed,
    /// It stopped without a farewell, or the others did not answer it in time.
    Halted,
    /// A committed view excludes it.
    Excluded,
    /// An invariant of the library did not hold.
    Broken,
}

/// Every other line. `at` is in microseconds since the site was opened.
#[allow(missing_docs)] // docs/AUDIT.md says of the fields what their names do not
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The site acts on a committed site view.
    Install { at: u64, view: SiteViewText },
    /// The site asks to leave the site view.
    Leaving { at: u64 },
    /// The site has ended. What follows was taken out of queues later.
    End { at: u64, why: Why },
    /// A process begins.
    Open {
        at: u64,
        process: Text<ProcessId>,
        name: String,
    },
    /// The application ends a process, with so many broadcasts that some destination has not taken.
    Close {
        at: u64,
        process: Text<ProcessId>,
        in_flight: usize,
    },
    /// The application has taken the last event of a process.
    Ended { at: u64, process: Text<ProcessId> },
    /// The application takes a site view.
    SiteView {
        at: u64,
        process: Text<ProcessId>,
        view: SiteViewText,
    },
    /// The application takes a group view.
    View {
        at: u64,
        process: Text<ProcessId>,
        view: GroupViewText,
    },
    /// The application asks to join the group of a name.
    Join {
        at: u64,
        process: Text<ProcessId>,
        name: String,
        token: u64,
    },
    /// The application asks to watch the group of a name.
    Lookup {
        at: u64,
        process: Text<ProcessId>,
        name: String,
        token: u64,
    },
    /// The application asks to leave a group, or to watch it no more.
    Leave {
        at: u64,
        process: Text<ProcessId>,
        group: Text<GroupId>,
        token: u64,
    },
    /// The application sends a broadcast; its id names the sender.
    Send {
        at: u64,
        id: Text<MessageId>,
        to: Destinations,
        label: LabelText,
        /// The OBCASTs that it comes after, as the library has it.
        after: Vec<Text<MessageId>>,
        /// It is taken only once it is safe.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        safe: bool,
        length: usize,
        digest: Text<Digest>,
    },
    /// The application takes a broadcast.
    Deliver {
        at: u64,
        process: Text<ProcessId>,
        id: Text<MessageId>,
        /// The group that it was sent to, and the number of the view in which it is taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Text<GroupId>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        view: Option<u64>,
        label: LabelText,
        length: usize,
        digest: Text<Digest>,
    },
    /// The application calls flush.
    Flush {
        at: u64,
        process: Text<ProcessId>,
        token: u64,
    },
    /// The application learns how an operation ended: `joined`, `watching`, `left`, `flushed`, `closed`,
    /// `status`, or the error.
    Completed {
        at: u64,
        process: Text<ProcessId>,
        token: u64,
        outcome: String,
        /// The group that was left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Text<GroupId>>,
    },
    /// The application is told that a broadcast of its process reaches nobody.
    Undeliverable { at: u64, id: Text<MessageId> },
    /// The application is told that its site has no quorum.
    Blocked { at: u64, process: Text<ProcessId> },
    /// The application is told that its site goes on.
    Unblocked { at: u64, process: Text<ProcessId> },
}

/// The outcome of a flush that has returned.
pub const FLUSHED: &str = "flushed";

/// Where a broadcast goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destinations {
    /// To the members of a group.
    Group(Text<GroupId>),
    /// To these processes.
    List(Vec<Text<ProcessId>>),
}

/// The primitive with its label or olabel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelText {
    /// A BCAST.
    Bcast(Arc<str>),
    /// An OBCAST of a stream.
    Stream(Arc<str>),
    /// A causal OBCAST.
    Causal,
    /// An OBCAST without order.
    Unordered,
    /// A GBCAST.
    Gbcast,
}

/// Appends a line.
pub fn write_line(out: &mut impl io::Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn texts<T: Copy>(items: &[T]) -> Vec<Text<T>> {
    items.iter().copied().map(Text).collect()
}

fn items<T>(texts: Vec<Text<T>>) -> Vec<T> {
    texts.into_iter().map(|text| text.0).collect()
}

impl From<&Address> for Destinations {
    fn from(address: &Address) -> Destinations {
        match address {
            Address::Group(group) => Destinations::Group(Text(*group)),
            Address::List(list) => Destinations::List(texts(list)),
        }
    }
}

impl From<Destinations> for Address {
    fn from(to: Destinations) -> Address {
        match to {
            Destinations::Group(group) => Address::Group(group.0),
            Destinations::List(list) => Address::List(items(list)),
        }
    }
}

impl From<&Label> for LabelText {
    fn from(label: &Label) -> LabelText {
        match label {
            Label::Bcast(label) => LabelText::Bcast(label.clone()),
            Label::Obcast(Olabel::Stream(name)) => LabelText::Stream(name.clone()),
            Label::Obcast(Olabel::Causal) => LabelText::Causal,
            Label::Obcast(Olabel::Unordered) => LabelText::Unordered,
            Label::Gbcast => LabelText::Gbcast,
        }
    }
}

impl From<LabelText> for Label {
    fn from(label: LabelText) -> Label {
        match label {
            LabelText::Bcast(label) => Label::Bcast(label),
            LabelText::Stream(name) => Label::Obcast(Olabel::Stream(name)),
            LabelText::Causal => Label::Obcast(Olabel::Causal),
            LabelText::Unordered => Label::Obcast(Olabel::Unordered),
            LabelText::Gbcast => Label::Gbcast,
        }
    }
}

impl Entry {
    /// When, in microseconds since the site was opened.
    pub fn at(&self) -> u64 {
        match self {
            Entry::Install { at, .. }
            | Entry::Leaving { at }
            | Entry::End { at, .. }
            | Entry::Open { at, .. }
            | Entry::Close { at, .. }
            | Entry::Ended { at, .. }
            | Entry::SiteView { at, .. }
            | Entry::View { at, .. }
            | Entry::Join { at, .. }
            | Entry::Lookup { at, .. }
            | Entry::Leave { at, .. }
            | Entry::Send { at, .. }
            | Entry::Deliver { at, .. }
            | Entry::Flush { at, .. }
            | Entry::Completed { at, .. }
            | Entry::Undeliverable { at, .. }
            | Entry::Blocked { at, .. }
            | Entry::Unblocked { at, .. } => *at,
        }
    }

    /// What happened, in the history of this site. Nothing if no property is about it, an error if the
    /// line contradicts itself.
    pub fn what(self, site: Site) -> Result<Option<What>, String> {
        let site_view = |view: SiteViewText| view.view().ok_or("the epoch is no number");
        Ok(Some(match self {
            Entry::Install { view, .. } => What::Install(site, site_view(view)?),
            Entry::Leaving { .. } => What::Leaving(site),
            Entry::End { why, .. } => match why {
                Why::Closed => What::Out { site, asked: true },
                Why::Excluded => What::Out { site, asked: false },
                Why::Halted | Why::Broken => What::Crash(site),
            },
            Entry::Open { process, .. } => What::Open(process.0),
            Entry::Close { process, .. } => What::Close(process.0),
            Entry::Ended { process, .. } => What::Ended(process.0),
            Entry::SiteView { process, view, .. } => {
                What::SiteView(process.0, Arc::new(site_view(view)?))
            }
            Entry::View { process, view, .. } => What::View(process.0, Arc::new(view.into())),
            Entry::Join { process, name, .. } => What::AskJoin(process.0, name),
            Entry::Lookup { process, name, .. } => What::AskLookup(process.0, name),
            Entry::Leave { process, group, .. } => What::AskLeave(process.0, group.0),
            Entry::Send {
                id,
                to,
                label,
                after,
                safe,
                length,
                digest,
                ..
            } => What::Send(Sent {
                id: id.0,
                to: to.into(),
                label: label.into(),
                after: items(after),
                safe,
                length,
                digest: digest.0.0,
            }),
            Entry::Deliver {
                process,
                id,
                group,
                view,
                label,
                length,
                digest,
                ..
            } => What::Deliver(
                process.0,
                Delivered {
                    id: id.0,
                    group: match (group, view) {
                        (Some(group), Some(view)) => Some((group.0, view)),
                        (None, None) => None,
                        _ => return Err("a group without a view, or a view without a group".into()),
                    },
                    label: label.into(),
                    length,
                    digest: digest.0.0,
                },
            ),
            Entry::Flush { process, token, .. } => What::FlushBegin(process.0, token),
            Entry::Completed {
                process,
                token,
                outcome,
                ..
            } if outcome == FLUSHED => What::FlushEnd(process.0, token),
            Entry::Completed {
                process,
                group: Some(group),
                ..
            } => What::Left(process.0, group.0),
            Entry::Completed { .. } => return Ok(None),
            Entry::Undeliverable { id, .. } => What::Undeliverable(id.0),
            Entry::Blocked { process, .. } => What::Blocked(process.0),
            Entry::Unblocked { process, .. } => What::Unblocked(process.0),
        }))
    }
}
