//! What view machines say to each other. The messages are datagrams: lost, doubled, delayed and
//! overtaken ones must do no harm, so each says which decision it belongs to.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::SiteView;
use crate::ids::{Epoch, Site, SiteId, ViewNumber};
use crate::wire;

/// Names one attempt to decide a view (R4). Ballots of equal attempt are ordered by their proposers;
/// attempt 0 belongs to the oldest site and needs no interrogation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Ballot {
    pub attempt: u64,
    pub proposer: Site,
}

/// Whether a site has a store that durably holds its votes, and was never in a view (R2).
pub(super) type Durable = bool;

/// The one value of a ballot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Proposal {
    pub ballot: Ballot,
    pub view: SiteView,
    /// For a first view, the incarnations that promised and therefore may accept (R2), with whether
    /// the promise outlives them; else empty.
    pub voters: BTreeMap<Site, Durable>,
}

/// Which view a ballot is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Subject {
    /// `None` for the first view, which has no epoch until it is committed.
    pub epoch: Option<Epoch>,
    pub number: ViewNumber,
}

/// What a member tells the others about itself, at every change and periodically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Status {
    pub epoch: Epoch,
    /// The view that it has installed: laggards are caught up on seeing each other's.
    pub number: ViewNumber,
    /// Counts its changes, so that a late one is recognised.
    pub count: u64,
    /// With whom it has a live session: a joiner needs one with every member (R6).
    pub hears: BTreeSet<Site>,
    /// Whom it suspects: suspicions travel.
    pub suspects: BTreeSet<Site>,
    /// It wishes to leave (R6).
    pub leaving: bool,
    /// It has accepted a proposal for the next view and withholds what that excludes (R7); somebody
    /// must bring it to an end.
    pub undecided: bool,
}

/// A message between view machines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Message {
    /// "I am in no view; these are the sites I would found one with." Binds to nothing.
    Outside {
        listed: BTreeSet<SiteId>,
        durable: Durable,
    },
    /// "Admit me." Whoever says this never accepts a first view of another epoch (R2).
    Join {
        /// The sequence.
        epoch: Epoch,
        /// The latest view of it that the applicant knows.
        number: ViewNumber,
        /// An earlier incarnation is in that view, and the applicant has its store: it votes in its
        /// place (R3).
        votes: bool,
    },
    /// See [`Status`].
    Status(Status),
    /// Second chance (§4.1): "do you hear this site? I do not."
    Doubt { suspect: Site },
    /// The answer.
    Hears { suspect: Site, heard: bool },
    /// Asks for a promise to take part in no lower ballot.
    Interrogate { subject: Subject, ballot: Ballot },
    /// The promise, with what was accepted at the highest ballot.
    Promise {
        subject: Subject,
        ballot: Ballot,
        accepted: Option<Proposal>,
    },
    /// The manager's proposal, which is also its own acceptance (R5).
    Propose {
        subject: Subject,
        proposal: Proposal,
    },
    /// An acceptance. It carries the value, so that whoever hears enough of them can commit.
    Accept {
        subject: Subject,
        proposal: Proposal,
    },
    /// A higher ballot was promised.
    Refuse {
        subject: Subject,
        ballot: Ballot,
        promised: Ballot,
    },
    /// A committed view: to its members, to those that it leaves out ("you are dead"), and to
    /// outside sites, which join it.
    Commit(SiteView),
    /// The latest committed view that a store knows, from a site that looks for the others of it: it need
    /// not be running.
    Past(SiteView),
}

impl Message {
    /// Whether every view that it carries can be one.
    pub fn is_sound(&self) -> bool {
        match self {
            Message::Commit(view) | Message::Past(view) => view.is_sound(),
            Message::Propose { proposal, .. } | Message::Accept { proposal, .. } => {
                proposal.view.is_sound()
            }
            Message::Promise { accepted, .. } => {
                accepted.as_ref().is_none_or(|p| p.view.is_sound())
            }
            _ => true,
        }
    }
}

/// An encoded message of the view machine in words, for traces: what it is, and the view it is about.
pub fn describe(message: &[u8]) -> String {
    match wire::decode_exact::<Message>(message) {
        Ok(message) => message.to_string(),
        Err(error) => format!("not a message of the view machine: {error}"),
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Outside { .. } => write!(f, "outside"),
            Message::Join { votes: false, .. } => write!(f, "join"),
            Message::Join { number, .. } => write!(f, "join and vote v{}", number.0 + 1),
            Message::Status(status) => {
                let suspects: Vec<String> = status.suspects.iter().map(Site::to_string).collect();
                let leaving = if status.leaving { " leaving" } else { "" };
                let number = status.number.0;
                write!(
                    f,
                    "status v{number} suspects [{}]{leaving}",
                    suspects.join(" ")
                )
            }
            Message::Doubt { suspect } => write!(f, "doubt {suspect}"),
            Message::Hears { suspect, heard } => write!(f, "hears {suspect} {heard}"),
            Message::Interrogate { subject, ballot } => {
                write!(f, "interrogate v{} {ballot}", subject.number.0)
            }
            Message::Promise {
                subject,
                ballot,
                accepted,
            } => {
                write!(f, "promise v{} {ballot}", subject.number.0)?;
                match accepted {
                    Some(proposal) => write!(f, " accepted {proposal}"),
                    None => Ok(()),
                }
            }
            Message::Propose { proposal, .. } => write!(f, "propose {proposal}"),
            Message::Accept { proposal, .. } => write!(f, "accept {proposal}"),
            Message::Refuse {
                subject,
                ballot,
                promised,
            } => {
                write!(
                    f,
                    "refuse v{} {ballot} promised {promised}",
                    subject.number.0
                )
            }
            Message::Commit(view) => write!(f, "commit {view}"),
            Message::Past(view) => write!(f, "past {view}"),
        }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.attempt, self.proposer)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.view, self.ballot)
    }
}
