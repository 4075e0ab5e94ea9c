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

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::connections::{HANDSHAKE, Role, transmit};
use super::session::Session;
use super::{Transport, excludes};
use crate::ids::{Site, SiteId};
use crate::machine::transport::{Connection, Effect, Note};
use crate::machine::{Evidence, Refusal};
use crate::time::Time;
use crate::wire::frame::{self, Frame, Greeting, VERSIONS};

/// Over TCP the first greeting arrives; over datagrams it may not.
const REPEAT_GREETING: Duration = Duration::from_millis(250);
/// Sessions with sites outside the view.
const MAX_STRANGERS: usize = 256;

impl Transport {
    /// Introduces us on a connection that we dialled.
    pub(super) fn greet(
        &mut self,
        now: Time,
        connection: Connection,
        peer: SiteId,
        out: &mut Vec<Effect>,
    ) {
        let latest = self.sessions_of(peer).map(|s| s.latest.0).max();
        let number = latest.unwrap_or(0).saturating_add(1);
        let member = self.view.iter().flat_map(|view| view.sites());
        let known = member
            .filter(|site| site.id == peer)
            .chain(self.sessions_of(peer).map(|s| s.site).max())
            .next();
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
            olabels: self.settings.olabels.clone(),
            epoch: self.view.as_ref().map(|view| view.epoch),
            from: self.me,
            to,
            to_incarnation: session.map(|s| s.site.incarnation),
            address: self.settings.address.clone(),
            number,
            received: session.map_or([0; 3], |s| s.incoming.taken()),
            acknowledged: session.map_or([0; 3], |s| s.outgoing.acknowledged()),
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
    pub(super) fn judge(
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
        let asked = matches!(self.role(connection), Some(Role::Waiting { .. }));
        let rivals = self.sessions_of(from.id).filter(|s| s.site != from);
        let connected = rivals.filter(|s| s.connection.is_some());
        let rival = connected.map(|s| s.site).max();
        match rival {
            Some(rival) if !asked && !self.is_member(from) => {
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
        } else if greeting.olabels != self.settings.olabels {
            let ours = self.settings.olabels.clone();
            Some(Refusal::Olabels { ours })
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
        let strangers = self.sessions.keys().filter(|s| !self.is_member(**s));
        if !self.sessions.contains_key(&site) && strangers.count() >= MAX_STRANGERS {
            return self.garbage(now, connection, "too many sites".to_string(), out);
        }
        let (settings, address) = (&self.settings, &greeting.address);
        let session = self.sessions.entry(site);
        let session = session.or_insert_with(|| Session::new(site, address.clone(), settings, now));
        if !session.is_continued_by(&greeting, self.me.incarnation) {
            return self.garbage(now, connection, "another session".to_string(), out);
        }
        let dialler = if dialled { self.me.id } else { site.id };
        if session.connection.is_some() && !session.yields_to(greeting.number, dialler) {
            return self.close(now, connection, "superseded", out);
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
        for session in self.sessions.values_mut() {
            if session.site.id != site.id || session.site >= site {
                continue;
            }
            session.lose(Evidence::Restarted, out);
            if let Some(connection) = session.connection.take() {
                self.connections.remove(&connection);
                out.push(Effect::Close(connection));
            }
        }
        self.forget_strangers();
    }
}
