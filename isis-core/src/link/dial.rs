//! Whom to connect to, and when again.
//!
//! Both sides of a session dial; the handshake decides which connection stays. A connection that
//! served and broke is replaced at once, for the answer is evidence: refused means that the program
//! is gone, another incarnation that it was restarted (DESIGN §5). Otherwise attempts back off at
//! random. A site that is silent on an open connection is dialled too: after a cut, a new connection
//! gets through long before the old one repeats itself.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Transport;
use super::session::{Session, Standing};
use crate::ids::SiteId;
use crate::machine::transport::{Connection, Effect};
use crate::machine::{Evidence, LinkReport, TransportToView};
use crate::time::Time;

const LEAST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted less than this did not serve: replacing it at once could go on for ever.
const SERVED: Duration = Duration::from_millis(100);
/// A carrier that has not answered for so long is asked again.
const CARRIER_PATIENCE: Duration = Duration::from_secs(10);

/// A small generator for back-off (SplitMix64); nothing else depends on it.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Between half of `mean` and one and a half of it.
    fn around(&mut self, mean: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let micros = mean.as_micros() as u64;
        Duration::from_micros(micros / 2 + (z ^ (z >> 31)) % micros.max(1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Try at this time, if there is still a reason.
    Due(Time),
    /// The carrier connects, since then.
    Connecting(Time),
    /// Connected and greeted.
    Greeted(Connection),
}

/// The attempts to reach one site id.
#[derive(Debug)]
pub(super) struct Dial {
    attempt: Attempt,
    address: String,
    /// Attempts ever made: they take the known addresses in turn.
    made: usize,
    pause: Duration,
    /// The trouble last reported.
    cause: Option<String>,
}

impl Dial {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.attempt {
            Attempt::Due(at) => Some(at),
            Attempt::Connecting(since) => Some(since + CARRIER_PATIENCE),
            Attempt::Greeted(_) => None,
        }
    }
}

impl Transport {
    /// Dials this site as soon as there is a reason and no attempt under way.
    pub(super) fn dial_soon(&mut self, now: Time, id: SiteId) {
        if id == self.me.id {
            return;
        }
        self.dials.entry(id).or_insert(Dial {
            attempt: Attempt::Due(now),
            address: String::new(),
            made: 0,
            pause: LEAST_PAUSE,
            cause: None,
        });
    }

    /// Makes the attempts that are due.
    pub(super) fn redial(&mut self, now: Time, out: &mut Vec<Effect>) {
        let due = |dial: &Dial| dial.deadline().is_some_and(|at| at <= now);
        let ids = self.dials.iter().filter(|(_, dial)| due(dial));
        for id in ids.map(|(&id, _)| id).collect::<Vec<_>>() {
            let addresses = self.addresses(id);
            let Some(dial) = self.dials.get_mut(&id) else {
                continue;
            };
            if addresses.is_empty() {
                self.dials.remove(&id);
                continue;
            }
            dial.address = addresses[dial.made % addresses.len()].clone();
            dial.made += 1;
            dial.attempt = Attempt::Connecting(now);
            out.push(Effect::Connect {
                peer: id,
                address: dial.address.clone(),
            });
        }
    }

    /// Where this site may be reached; none if there is no reason to dial it.
    fn addresses(&self, id: SiteId) -> Vec<String> {
        if self.sessions_of(id).any(Session::is_live) {
            return Vec::new();
        }
        let members = self.view.iter().flat_map(|view| &view.members);
        let member = members.filter(|m| m.site.id == id).map(|m| &m.address);
        let lost = self.sessions_of(id).filter(|s| s.standing == Standing::Up);
        let mut found: Vec<String> = Vec::new();
        for address in member
            .chain(lost.map(|s| &s.address))
            .chain(self.seeds.get(&id))
        {
            if !address.is_empty() && !found.contains(address) {
                found.push(address.clone());
            }
        }
        found
    }

    /// The sessions with all incarnations of a site id.
    pub(super) fn sessions_of(&self, id: SiteId) -> impl Iterator<Item = &Session> + '_ {
        self.sessions.values().filter(move |s| s.site.id == id)
    }

    pub(super) fn on_connected(
        &mut self,
        now: Time,
        connection: Connection,
        peer: SiteId,
        out: &mut Vec<Effect>,
    ) {
        let live = self.sessions_of(peer).any(Session::is_live);
        let dial = self.dials.get_mut(&peer);
        let asked = dial.filter(|dial| matches!(dial.attempt, Attempt::Connecting(_)));
        match asked {
            Some(dial) if !live => dial.attempt = Attempt::Greeted(connection),
            Some(_) => {
                self.dial_done(peer);
                return out.push(Effect::Close(connection));
            }
            None => return out.push(Effect::Close(connection)),
        }
        self.greet(now, connection, peer, out);
    }

    pub(super) fn on_connect_failed(
        &mut self,
        now: Time,
        peer: SiteId,
        refused: bool,
        cause: String,
        out: &mut Vec<Effect>,
    ) {
        let Some(dial) = self.dials.get_mut(&peer) else {
            return;
        };
        let address = dial.address.clone();
        if dial.cause.as_ref() != Some(&cause) {
            dial.cause = Some(cause.clone());
            let report = LinkReport::Unreachable { peer, cause };
            out.push(Effect::ToView(TransportToView::Report(report)));
        }
        if refused {
            self.on_refused(peer, &address, out);
        }
        self.dial_later(now, peer);
    }

    /// Nobody listens where a site of an established session did: it has halted.
    fn on_refused(&mut self, peer: SiteId, address: &str, out: &mut Vec<Effect>) {
        for session in self.sessions.values_mut() {
            let was_there = session.site.id == peer && session.address == address;
            let suspected = [Standing::Up, Standing::Lost(Evidence::Silence)];
            if was_there && session.connection.is_none() && suspected.contains(&session.standing) {
                session.lose(Evidence::Refused, out);
            }
        }
        self.forget_strangers();
    }

    /// The attempt failed: another one after a while.
    pub(super) fn dial_later(&mut self, now: Time, id: SiteId) {
        if let Some(dial) = self.dials.get_mut(&id) {
            dial.attempt = Attempt::Due(now + self.random.around(dial.pause));
            dial.pause = (dial.pause * 2).min(MOST_PAUSE);
        }
    }

    /// There is nothing left to attempt.
    pub(super) fn dial_done(&mut self, id: SiteId) {
        self.dials.remove(&id);
    }

    /// The session's connection is gone, or was never made: dial at once if it had served.
    pub(super) fn reconnect(&mut self, now: Time, id: SiteId, since: Time) {
        self.dial_soon(now, id);
        let pause = self.random.around(LEAST_PAUSE);
        if let Some(dial) = self.dials.get_mut(&id)
            && now - since < SERVED
            && dial.attempt == Attempt::Due(now)
        {
            dial.attempt = Attempt::Due(now + pause);
        }
    }

    /// A connection that was dialled ended before it was established; which is as well, if the peer
    /// is connected by another one.
    pub(super) fn dial_broken(
        &mut self,
        now: Time,
        id: SiteId,
        cause: &str,
        out: &mut Vec<Effect>,
    ) {
        if self.sessions_of(id).any(Session::is_live) {
            self.dial_done(id);
        } else {
            self.on_connect_failed(now, id, false, cause.to_string(), out);
        }
    }

    /// Sessions outside the view that are lost and never carried anything.
    pub(super) fn forget_strangers(&mut self) {
        let view = self.view.as_ref();
        self.sessions.retain(|site, session| {
            let lost =
                session.connection.is_none() && matches!(session.standing, Standing::Lost(_));
            !(lost && session.untouched()) || view.is_some_and(|v| v.contains(*site))
        });
    }

    /// Whether this connection is the attempt under way.
    pub(super) fn is_attempt(&self, id: SiteId, connection: Connection) -> bool {
        let dial = self.dials.get(&id);
        dial.is_some_and(|dial| dial.attempt == Attempt::Greeted(connection))
    }
}
