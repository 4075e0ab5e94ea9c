//! Connections before, beside and after the handshake: how each one ends, and what depends on it.
//!
//! Before a connection is established it is bounded in number, time and what it may say.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::Transport;
use crate::ids::{Site, SiteId};
use crate::machine::transport::{Connection, Effect, Note};
use crate::machine::{LinkReport, Refusal, TransportToView};
use crate::time::Time;
use crate::view::LeftReason;
use crate::wire::frame::{self, Greeting};

/// How long a connection may take to become established.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Accepted connections that are not established.
const MAX_HALF_OPEN: usize = 64;

/// What a connection is to us.
#[derive(Debug)]
pub(super) enum Role {
    /// Accepted; its greeting must come before `until`.
    Fresh { until: Time },
    /// Dialled; the greeting is repeated until it is answered.
    Greeted {
        peer: SiteId,
        frame: Bytes,
        until: Time,
        again: Time,
        pause: Duration,
    },
    /// Greeted or answered; the site that has its id is being asked for a sign of life.
    Waiting {
        greeting: Box<Greeting>,
        dialled: bool,
        rival: Site,
        stamp: u64,
        until: Time,
    },
    /// A session's.
    Established(Site),
}

impl Role {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Role::Fresh { until } | Role::Waiting { until, .. } => Some(*until),
            Role::Greeted { until, again, .. } => Some(*until.min(again)),
            Role::Established(_) => None,
        }
    }

    /// We were not running for so long.
    pub(super) fn postpone(&mut self, by: Duration) {
        match self {
            Role::Fresh { until } | Role::Waiting { until, .. } | Role::Greeted { until, .. } => {
                *until = *until + by
            }
            Role::Established(_) => {}
        }
    }
}

impl Transport {
    pub(super) fn on_accepted(&mut self, now: Time, connection: Connection, out: &mut Vec<Effect>) {
        let half_open = |role: &Role| !matches!(role, Role::Established(_) | Role::Greeted { .. });
        let mut half_open = self.connections.iter().filter(|(_, role)| half_open(role));
        if let Some((&oldest, _)) = half_open.next()
            && half_open.count() + 1 >= MAX_HALF_OPEN
        {
            let what = "too many half-open connections".to_string();
            self.garbage(now, oldest, what, out);
        }
        let until = now + HANDSHAKE;
        self.connections.insert(connection, Role::Fresh { until });
    }

    /// A site has answered a hello: newcomers that waited for that are second sites of its id.
    pub(super) fn on_echo(&mut self, now: Time, site: Site, stamp: u64, out: &mut Vec<Effect>) {
        for connection in self.waiting_for(site, Some(stamp)) {
            self.refuse(now, connection, Some(site.id), Refusal::Duplicate, out);
        }
    }

    /// The newcomers that wait for this site's sign of life, or for this very one.
    fn waiting_for(&self, site: Site, echo: Option<u64>) -> Vec<Connection> {
        let waits = |role: &Role| match role {
            Role::Waiting { rival, stamp, .. } => {
                *rival == site && echo.is_none_or(|e| e == *stamp)
            }
            _ => false,
        };
        let waiting = self.connections.iter().filter(|(_, role)| waits(role));
        waiting.map(|(&connection, _)| connection).collect()
    }

    /// Closes a connection, which is nobody's fault.
    pub(super) fn close(
        &mut self,
        now: Time,
        connection: Connection,
        cause: &str,
        out: &mut Vec<Effect>,
    ) {
        out.push(Effect::Close(connection));
        self.release(now, connection, cause, out);
    }

    /// Tells the peer why we do not speak with it, and closes.
    pub(super) fn refuse(
        &mut self,
        now: Time,
        connection: Connection,
        peer: Option<SiteId>,
        reason: Refusal,
        out: &mut Vec<Effect>,
    ) {
        let words = words(&reason);
        let left = peer.is_some_and(|peer| asked_to_leave(&reason, peer));
        transmit(connection, frame::refusal(&reason), out);
        self.refused(now, connection, peer, words, left, out);
    }

    /// The peer told us why it does not speak with us.
    pub(super) fn on_refusal(
        &mut self,
        now: Time,
        connection: Connection,
        peer: SiteId,
        reason: Refusal,
        out: &mut Vec<Effect>,
    ) {
        let words = format!("it says: {}", words(&reason));
        let report = LinkReport::Refused { peer, reason };
        out.push(Effect::ToView(TransportToView::Report(report)));
        self.refused(now, connection, Some(peer), words, false, out);
    }

    fn refused(
        &mut self,
        now: Time,
        connection: Connection,
        peer: Option<SiteId>,
        reason: String,
        left: bool,
        out: &mut Vec<Effect>,
    ) {
        self.counters.refusals += 1;
        out.push(Effect::Note(Note::Refused {
            peer,
            reason: reason.clone(),
            left,
        }));
        self.close(now, connection, &reason, out);
    }

    /// Closes a connection for what arrived, or did not arrive, on it.
    pub(super) fn garbage(
        &mut self,
        now: Time,
        connection: Connection,
        what: String,
        out: &mut Vec<Effect>,
    ) {
        self.counters.garbage += 1;
        out.push(Effect::Note(Note::Garbage { what: what.clone() }));
        self.close(now, connection, &what, out);
    }

    pub(super) fn on_closed(&mut self, now: Time, connection: Connection, out: &mut Vec<Effect>) {
        self.release(now, connection, "the connection was closed", out);
    }

    /// A connection is gone: whatever depended on it goes on without it.
    fn release(&mut self, now: Time, connection: Connection, cause: &str, out: &mut Vec<Effect>) {
        let peer = match self.connections.remove(&connection) {
            Some(Role::Greeted { peer, .. }) => peer,
            Some(Role::Waiting { greeting, .. }) => greeting.from.id,
            Some(Role::Established(site)) => {
                if let Some(session) = self.sessions.get_mut(&site) {
                    session.connection = None;
                    let since = session.since;
                    self.reconnect(now, site.id, since);
                }
                return self.admit_successors(now, site, out);
            }
            Some(Role::Fresh { .. }) | None => return,
        };
        if self.is_attempt(peer, connection) {
            self.dial_broken(now, peer, cause, out);
        }
    }

    /// A site's connection broke while newcomers of its id waited for its sign of life.
    fn admit_successors(&mut self, now: Time, site: Site, out: &mut Vec<Effect>) {
        for connection in self.waiting_for(site, None) {
            self.admit_waiting(now, connection, out);
        }
    }

    /// The site that was asked has given no sign of life.
    fn admit_waiting(&mut self, now: Time, connection: Connection, out: &mut Vec<Effect>) {
        if let Some(Role::Waiting {
            greeting, dialled, ..
        }) = self.role(connection)
        {
            let greeting = greeting.as_ref().clone();
            let dialled = dialled.then_some(greeting.from.id);
            self.judge(now, connection, greeting, dialled, out);
        }
    }

    /// Repeats greetings and ends handshakes that took too long.
    pub(super) fn check_handshakes(&mut self, now: Time, out: &mut Vec<Effect>) {
        let due = |role: &Role| role.deadline().is_some_and(|at| at <= now);
        let due = self.connections.iter().filter(|(_, role)| due(role));
        for connection in due.map(|(&c, _)| c).collect::<Vec<_>>() {
            match self.connections.get_mut(&connection) {
                Some(Role::Waiting { .. }) => self.admit_waiting(now, connection, out),
                Some(Role::Greeted {
                    frame,
                    until,
                    again,
                    pause,
                    ..
                }) if *until > now => {
                    transmit(connection, frame.clone(), out);
                    *pause *= 2;
                    *again = now + *pause;
                }
                Some(Role::Greeted { .. }) => self.close(now, connection, "no answer", out),
                _ => self.garbage(now, connection, "no greeting in time".to_string(), out),
            }
        }
    }

    /// What a connection is, if it is still there.
    pub(super) fn role(&self, connection: Connection) -> Option<&Role> {
        self.connections.get(&connection)
    }
}

pub(super) fn transmit(connection: Connection, frame: Bytes, out: &mut Vec<Effect>) {
    let frame = [frame, Bytes::new()];
    out.push(Effect::Transmit { connection, frame });
}

/// Whether the site is refused because it left, as it wished.
fn asked_to_leave(reason: &Refusal, id: SiteId) -> bool {
    let Refusal::Dead(view) = reason else {
        return false;
    };
    let mut left = view.left.iter();
    left.any(|(site, why)| site.id == id && *why == LeftReason::Asked)
}

/// A refusal for the log.
fn words(reason: &Refusal) -> String {
    match reason {
        Refusal::Version { ours: (low, high) } => format!("I speak versions {low} to {high}"),
        Refusal::Cluster { ours } => format!("my cluster is {ours:?}"),
        Refusal::Epoch => "we are in views of different epochs".to_string(),
        Refusal::Duplicate => "another live site has this id".to_string(),
        Refusal::Dead(view) => format!("you are dead since view {}", view.number.0),
        Refusal::WrongSite { ours } => {
            format!("I am site {ours}: the address is wrong, or an id is used twice")
        }
        Refusal::Authentication => "authentication failed".to_string(),
        Refusal::Olabels { ours } if ours.is_empty() => {
            "I have no comparison of olabels registered".to_string()
        }
        Refusal::Olabels { ours } => format!("I compare olabels by {ours:?}"),
    }
}
