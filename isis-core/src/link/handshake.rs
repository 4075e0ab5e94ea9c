//! Who may speak with us, and which of several connections a session goes on over.
//!
//! The connecting side greets, the other side answers or refuses, and then both may send. Over
//! datagrams greeting and answer may be lost or overtaken: the greeting is repeated until it is
//! answered, a repeated one is answered again, and what overtakes the answer is dropped.
//!
//! *Two connections.* When both sides dial, or one side notices sooner that a connection is dead,
//! a session meets a second connection while it has one. Each carries a number, one more than its
//! dialler knew of; the higher wins, of two equal ones that of the lower site id. A dialler knows at
//! least the numbers that it proposed or answered, so only truly simultaneous ones are equal, and
//! both sides choose alike. What the loser still carried is repeated on the winner.
//!
//! *Two incarnations.* A newcomer with the id of a site that is connected waits while that one is
//! asked for a sign of life: if it answers, the newcomer is the second live site of that id and is
//! refused; if its connection breaks or it stays silent, it was restarted. A lower incarnation than
//! the one known is refused, unless it is the one in the view.
//!
//! Before a connection is established it is bounded in number, time and what it may say.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::session::{Session, received_of};
use super::{Transport, excludes};
use crate::ids::{Site, SiteId};
use crate::machine::transport::{Connection, Effect, Note};
use crate::machine::{Evidence, LinkReport, Refusal, TransportToView};
use crate::time::Time;
use crate::wire::frame::{self, Frame, Greeting, VERSIONS};

/// How long a connection may take to become established.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Over TCP the first greeting arrives; over datagrams it may not.
const REPEAT_GREETING: Duration = Duration::from_millis(250);
/// Accepted connections that are not established.
const MAX_HALF_OPEN: usize = 64;
/// Sessions with sites outside the view.
const MAX_STRANGERS: usize = 256;

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

    /// Introduces us on a connection that we dialled.
    pub(super) fn greet(
        &mut self,
        now: Time,
        connection: Connection,
        peer: SiteId,
        out: &mut Vec<Effect>,
    ) {
        let number = self
            .sessions_of(peer)
            .map(|s| s.latest.0)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let known = self.sessions_of(peer).map(|s| s.site).max();
        let frame = frame::greeting(&self.introduction(peer, known, number));
        transmit(connection, frame.clone(), out);
        let role = Role::Greeted {
            peer,
            frame,
            until: now + HANDSHAKE,
            again: now + REPEAT_GREETING,
            pause: REPEAT_GREETING,
        };
        self.connections.insert(connection, role);
    }

    fn introduction(&self, to: SiteId, known: Option<Site>, number: u64) -> Greeting {
        let session = known.and_then(|site| self.sessions.get(&site));
        Greeting {
            cluster: self.settings.cluster.clone(),
            epoch: self.view.as_ref().map(|view| view.epoch),
            from: self.me,
            to,
            to_incarnation: session.map(|s| s.site.incarnation),
            address: self.settings.address.clone(),
            number,
            received: session.map_or([0; 3], |s| s.incoming.taken()),
            authentication: Vec::new(),
        }
    }

    /// Introduces us on a connection that the peer dialled, once it has been admitted.
    pub(super) fn answer(&self, connection: Connection, site: Site, out: &mut Vec<Effect>) {
        let number = self.sessions.get(&site).map_or(0, |s| s.latest.0);
        let introduction = self.introduction(site.id, Some(site), number);
        transmit(connection, frame::answer(&introduction), out);
    }

    pub(super) fn on_handshake_frame(
        &mut self,
        now: Time,
        connection: Connection,
        frame: Frame,
        out: &mut Vec<Effect>,
    ) {
        let dialled = match self.role(connection) {
            Some(Role::Fresh { .. }) => None,
            Some(Role::Greeted { peer, .. }) => Some(*peer),
            _ => return,
        };
        match (frame, dialled) {
            (Frame::Greeting(greeting), None) | (Frame::Answer(greeting), Some(_)) => {
                self.judge(now, connection, greeting, dialled, out);
            }
            (Frame::Foreign { .. }, _) => {
                let reason = Refusal::Version { ours: VERSIONS };
                self.refuse(now, connection, dialled, reason, out);
            }
            (Frame::Refusal(reason), Some(peer)) => {
                self.on_refusal(now, connection, peer, reason, out);
            }
            (Frame::Status(_) | Frame::View(_) | Frame::Stream(_), Some(_)) => {}
            _ => self.garbage(now, connection, "not a handshake".to_string(), out),
        }
    }

    /// Decides about a peer that has introduced itself.
    fn judge(
        &mut self,
        now: Time,
        connection: Connection,
        greeting: Greeting,
        dialled: Option<SiteId>,
        out: &mut Vec<Effect>,
    ) {
        let from = greeting.from;
        if let Some(reason) = self.objection(&greeting, dialled) {
            return self.refuse(now, connection, Some(from.id), reason, out);
        }
        let rivals = self.sessions_of(from.id).filter(|s| s.site != from);
        let connected = rivals.filter(|s| s.connection.is_some());
        let rival = connected.map(|s| s.site).max();
        match rival {
            Some(rival) if !self.is_member(from) => {
                self.ask_rival(now, connection, greeting, dialled.is_some(), rival, out);
            }
            _ => self.admit(now, connection, greeting, dialled.is_some(), out),
        }
    }

    fn objection(&self, greeting: &Greeting, dialled: Option<SiteId>) -> Option<Refusal> {
        let from = greeting.from;
        let ours = self.view.as_ref();
        let wrong_site = greeting.to != self.me.id || dialled.is_some_and(|id| id != from.id);
        let epochs = ours.map(|view| view.epoch).zip(greeting.epoch);
        let newer = self.sessions_of(from.id).any(|s| s.site > from);
        if greeting.cluster != self.settings.cluster {
            let ours = self.settings.cluster.clone();
            Some(Refusal::Cluster { ours })
        } else if wrong_site {
            let ours = self.me.id;
            Some(Refusal::WrongSite { ours })
        } else if !greeting.authentication.is_empty() {
            Some(Refusal::Authentication)
        } else if epochs.is_some_and(|(a, b)| a != b) {
            Some(Refusal::Epoch)
        } else if let Some(view) = ours.filter(|view| excludes(view, from)) {
            Some(Refusal::Dead(Box::new(view.clone())))
        } else {
            let second = from.id == self.me.id || (newer && !self.is_member(from));
            second.then_some(Refusal::Duplicate)
        }
    }

    fn ask_rival(
        &mut self,
        now: Time,
        connection: Connection,
        greeting: Greeting,
        dialled: bool,
        rival: Site,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.sessions.get_mut(&rival) else {
            return;
        };
        let stamp = session.probe(now, out);
        let role = Role::Waiting {
            greeting: Box::new(greeting),
            dialled,
            rival,
            stamp,
            until: now + self.settings.suspect_after / 2,
        };
        self.connections.insert(connection, role);
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

    /// The peer is who it says and may speak: its session goes on, or begins, here.
    fn admit(
        &mut self,
        now: Time,
        connection: Connection,
        greeting: Greeting,
        dialled: bool,
        out: &mut Vec<Effect>,
    ) {
        let site = greeting.from;
        self.bury_predecessors(site, out);
        let strangers = self
            .sessions
            .keys()
            .filter(|s| !self.is_member(**s))
            .count();
        let settings = &self.settings;
        let known = self.sessions.contains_key(&site);
        if !known && strangers >= MAX_STRANGERS {
            return self.garbage(now, connection, "too many sites".to_string(), out);
        }
        let session = self
            .sessions
            .entry(site)
            .or_insert_with(|| Session::new(site, greeting.address.clone(), settings, now));
        if !session.continues(&received_of(&greeting, self.me.incarnation)) {
            return self.garbage(now, connection, "another session".to_string(), out);
        }
        let dialler = if dialled { self.me.id } else { site.id };
        if session.connection.is_some() && !session.yields_to(greeting.number, dialler) {
            return self.abandon(now, connection, out);
        }
        let number = session.latest.0.max(greeting.number);
        if let Some(loser) = session.connection.take() {
            self.connections.remove(&loser);
            out.push(Effect::Close(loser));
        }
        if session.latest.0 > 0 {
            self.counters.resumptions += 1;
            out.push(Effect::Note(Note::Resumed { with: site }));
        }
        session.latest = (number, dialler);
        self.connections.insert(connection, Role::Established(site));
        session.connect(connection, &greeting, self.me, now, out);
        if dialled {
            self.dial_done(site.id);
        } else {
            self.answer(connection, site, out);
        }
    }

    /// A later incarnation answers: the earlier ones have halted.
    fn bury_predecessors(&mut self, site: Site, out: &mut Vec<Effect>) {
        let earlier = |s: &&Session| s.site < site;
        let earlier: Vec<Site> = self
            .sessions_of(site.id)
            .filter(earlier)
            .map(|s| s.site)
            .collect();
        for site in earlier {
            let member = self.is_member(site);
            let Some(session) = self.sessions.get_mut(&site) else {
                continue;
            };
            session.lose(Evidence::Restarted, out);
            if let Some(connection) = session.connection.take() {
                self.connections.remove(&connection);
                out.push(Effect::Close(connection));
            }
            if !member {
                self.sessions.remove(&site);
            }
        }
    }

    /// Closes a connection that another one has made superfluous.
    fn abandon(&mut self, now: Time, connection: Connection, out: &mut Vec<Effect>) {
        out.push(Effect::Close(connection));
        self.release(now, connection, "superseded", out);
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
        transmit(connection, frame::refusal(&reason), out);
        self.refused(now, connection, peer, words, out);
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
        self.refused(now, connection, Some(peer), words, out);
    }

    fn refused(
        &mut self,
        now: Time,
        connection: Connection,
        peer: Option<SiteId>,
        reason: String,
        out: &mut Vec<Effect>,
    ) {
        self.counters.refusals += 1;
        out.push(Effect::Note(Note::Refused {
            peer,
            reason: reason.clone(),
        }));
        out.push(Effect::Close(connection));
        self.release(now, connection, &reason, out);
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
        out.push(Effect::Close(connection));
        self.release(now, connection, &what, out);
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

    fn admit_waiting(&mut self, now: Time, connection: Connection, out: &mut Vec<Effect>) {
        if let Some(Role::Waiting {
            greeting, dialled, ..
        }) = self.role(connection)
        {
            let (greeting, dialled) = (greeting.as_ref().clone(), *dialled);
            self.admit(now, connection, greeting, dialled, out);
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
                _ => self.garbage(now, connection, "no handshake in time".to_string(), out),
            }
        }
    }
}

fn transmit(connection: Connection, frame: Bytes, out: &mut Vec<Effect>) {
    let frame = [frame, Bytes::new()];
    out.push(Effect::Transmit { connection, frame });
}

/// A refusal for the log.
fn words(reason: &Refusal) -> String {
    match reason {
        Refusal::Version { ours: (low, high) } => format!("I speak versions {low} to {high}"),
        Refusal::Cluster { ours } => format!("my cluster is {ours:?}"),
        Refusal::Epoch => "we are in views of different epochs".to_string(),
        Refusal::Duplicate => "another live site has this id".to_string(),
        Refusal::Dead(view) => format!("you are dead since view {}", view.number.0),
        Refusal::WrongSite { ours } => format!("I am site {ours}"),
        Refusal::Authentication => "authentication failed".to_string(),
    }
}
