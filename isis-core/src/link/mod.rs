//! The inter-site layer (§4.1): reliable, ordered messages between incarnations, hellos, and the
//! evidence from which site views are made.
//!
//! [`Transport`] is the machine. Below it a *carrier* (sockets, or a simulated network) makes
//! connections and carries frames. A connection may lose, double and reorder frames: sequence
//! numbers, acknowledgements and repetition belong to the *session*, one per pair of incarnations,
//! which goes on over one connection after another. So TCP and datagrams run the same machine, and a
//! broken connection costs nothing but time.
//!
//! - `outgoing`, `lane`, `incoming`: the lanes of a session, their windows, fragments, lane rule.
//! - `session`: a session's clocks: hello, silence, acknowledgement.
//! - `handshake`: who may speak with us, and which of two connections wins.
//! - `connections`: how connections begin and end, and what depends on them.
//! - `dial`: whom to connect to, and when again.
//!
//! Link acknowledgements free link buffers and mean nothing else; receipts that mean something come
//! from the broadcast machine (R11).

mod connections;
mod delay;
mod dial;
mod handshake;
mod incoming;
mod lane;
mod outgoing;
mod session;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::config::Config;
use crate::ids::{Site, SiteId};
use crate::machine::transport::{Connection, Effect, Input, Note};
use crate::machine::{Lane, Packet, Refusal, TransportToView, ViewToTransport};
use crate::time::Time;
use crate::view::{Member, SiteView};
use crate::wire::frame::{self, Frame, MAX_FRAME};

use connections::Role;
use dial::{Dial, Random};

use session::{OutOfPlace, Session};

const LANES: [Lane; 3] = [Lane::Control, Lane::Data, Lane::Bulk];
/// Larger messages are cut into pieces of this size; packs are not longer either.
const FRAGMENT: usize = 32 << 10;
/// Messages up to this size are copied into packs; larger ones travel as they are.
const COPY_LIMIT: usize = 8 << 10;
/// What one lane of a session may have sent and not acknowledged. It also bounds what a carrier must
/// hold for a connection, and so how long Control waits behind Bulk.
const WINDOW_BYTES: usize = 2 << 20;
/// The same in frames.
const WINDOW_FRAMES: usize = 1024;
/// Acknowledgements wait this long for a frame to travel on.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// Or until this much has come.
const ACK_BYTES: usize = 256 << 10;
/// The same in frames.
const ACK_FRAMES: usize = 128;
/// What protocol headers may add to the largest message of the application.
const HEADER_ROOM: u64 = 16 << 20;
/// The least limit on a received message, whatever is configured here: the sender's configuration
/// decides what is sent.
const LEAST_LIMIT: u64 = 64 << 20;

/// What the links of a site have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of lanes sent, repeated ones included.
    pub frames_sent: u64,
    /// Frames of lanes sent again.
    pub frames_repeated: u64,
    /// Handshakes refused, by either side.
    pub refusals: u64,
    /// Connections closed for what arrived on them.
    pub garbage: u64,
    /// Sessions that went on over another connection.
    pub resumptions: u64,
}

/// What all sessions need to know of the configuration.
#[derive(Debug)]
struct Settings {
    cluster: String,
    olabels: String,
    address: String,
    hello_interval: Duration,
    suspect_after: Duration,
    message_limit: u64,
}

/// The transport machine: connections and sessions.
///
/// Drive it as [`crate::machine`] says. `handle` is `feed` and `flush`; a caller that has several
/// inputs at hand may feed them all and flush once, and larger packs come of it.
#[derive(Debug)]
pub struct Transport {
    me: Site,
    settings: Settings,
    view: Option<SiteView>,
    seeds: BTreeMap<SiteId, String>,
    sessions: BTreeMap<Site, Session>,
    connections: BTreeMap<Connection, Role>,
    dials: BTreeMap<SiteId, Dial>,
    withheld: BTreeSet<Site>,
    random: Random,
    /// When this machine should run again: at once while a `flush` is owed.
    expected: Option<Time>,
    counters: Counters,
}

impl Transport {
    /// A machine without connections; the view machine says whom to seek. `seed` spreads the
    /// reconnects of many sites.
    pub fn new(config: &Config, me: Site, seed: u64, now: Time) -> Transport {
        let address = match config.advertise.is_empty() {
            true => config.listen.clone(),
            false => config.advertise.clone(),
        };
        Transport {
            me,
            settings: Settings {
                cluster: config.cluster.clone(),
                olabels: config
                    .olabels
                    .as_ref()
                    .map_or_else(String::new, |c| c.name().into()),
                address,
                hello_interval: config.hello_interval,
                suspect_after: config.suspect_after,
                message_limit: LEAST_LIMIT.max(config.max_message as u64) + HEADER_ROOM,
            },
            view: None,
            seeds: BTreeMap::new(),
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            dials: BTreeMap::new(),
            withheld: BTreeSet::new(),
            random: Random::new(seed ^ now.0),
            expected: None,
            counters: Counters::default(),
        }
    }

    /// Takes one input and says what follows from it.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        self.feed(now, input, out);
        self.flush(now, out);
    }

    /// Takes one input without sending the messages that it queues; `flush` must follow.
    pub fn feed(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        self.notice_pause(now, out);
        match input {
            Input::Received { connection, frame } => self.on_frame(now, connection, &frame, out),
            Input::Send { to, lane, packet } => self.on_send(&to, lane, &packet),
            Input::Accepted(connection) => self.on_accepted(now, connection, out),
            Input::Connected { connection, peer } => self.on_connected(now, connection, peer, out),
            Input::ConnectFailed {
                peer,
                refused,
                cause,
            } => self.on_connect_failed(now, peer, refused, cause, out),
            Input::Closed { connection, .. } => self.on_closed(now, connection, out),
            Input::View(request) => self.on_view(now, request, out),
            Input::Drained(_) | Input::Timeout => {}
        }
        self.expected = Some(now);
    }

    /// Does what is due and sends what the windows let go.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.notice_pause(now, out);
        self.check_handshakes(now, out);
        let mut silent = Vec::new();
        for session in self.sessions.values_mut() {
            if session.check_silence(now, out) {
                silent.push(session.site.id);
            }
            session.flush(now, &mut self.counters, out);
        }
        if !silent.is_empty() {
            self.forget_strangers();
        }
        for id in silent {
            self.dial_soon(now, id);
        }
        self.redial(now, out);
        self.expected = self.earliest();
    }

    /// When `Input::Timeout` is wanted.
    pub fn deadline(&self) -> Option<Time> {
        self.expected
    }

    fn earliest(&self) -> Option<Time> {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        let handshakes = self.connections.values().filter_map(Role::deadline);
        let dials = self.dials.values().filter_map(Dial::deadline);
        sessions.chain(handshakes).chain(dials).min()
    }

    /// Nothing is queued, unacknowledged or incomplete in any session.
    pub fn is_idle(&self) -> bool {
        self.sessions
            .values()
            .all(|s| s.outgoing.backlog().0 == 0 && s.incoming.is_empty())
    }

    /// Messages and bytes for this site that are queued or not acknowledged.
    pub fn backlog(&self, site: Site) -> (usize, usize) {
        let session = self.sessions.get(&site);
        session.map_or((0, 0), |s| s.outgoing.backlog())
    }

    /// The sites to which there is a connection at present.
    pub fn connected(&self) -> impl Iterator<Item = Site> + '_ {
        let connected = |s: &&Session| s.connection.is_some();
        self.sessions.values().filter(connected).map(|s| s.site)
    }

    /// What the links have done.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// This machine ran much later than it asked to: its own pause, and nobody's silence.
    fn notice_pause(&mut self, now: Time, out: &mut Vec<Effect>) {
        let late = self.expected.take().map_or(Duration::ZERO, |due| now - due);
        if late < self.settings.suspect_after / 4 {
            return;
        }
        let micros = late.as_micros() as u64;
        out.push(Effect::Note(Note::OwnPause { micros }));
        for session in self.sessions.values_mut() {
            session.excuse(now);
        }
        for role in self.connections.values_mut() {
            role.postpone(late);
        }
    }

    fn on_send(&mut self, to: &[Site], lane: Lane, packet: &Packet) {
        for site in to {
            if let Some(session) = self.sessions.get_mut(site) {
                session.outgoing.push(lane, packet.clone());
            }
        }
    }

    fn on_frame(
        &mut self,
        now: Time,
        connection: Connection,
        bytes: &Bytes,
        out: &mut Vec<Effect>,
    ) {
        let Some(role) = self.connections.get(&connection) else {
            return;
        };
        let frame = match frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.garbage(now, connection, error.to_string(), out),
        };
        match role {
            Role::Established(site) => self.on_session_frame(now, connection, *site, frame, out),
            _ => self.on_handshake_frame(now, connection, frame, out),
        }
    }

    fn on_session_frame(
        &mut self,
        now: Time,
        connection: Connection,
        site: Site,
        frame: Frame,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.sessions.get_mut(&site) else {
            return;
        };
        session.hear(now, out);
        let limit = self.settings.message_limit;
        let outcome = match frame {
            Frame::Stream(stream) => {
                let withheld = self.withheld.contains(&site);
                session.on_stream(now, stream, withheld, limit, out)
            }
            Frame::Status(status) => {
                let outcome = session.on_status(now, &status);
                if let Some(stamp) = status.echo {
                    self.on_echo(now, site, stamp, out);
                }
                outcome
            }
            Frame::View(message) => {
                let message = TransportToView::Message {
                    from: site,
                    message,
                };
                out.push(Effect::ToView(message));
                Ok(())
            }
            Frame::Greeting(greeting) if greeting.from == site => {
                self.answer(connection, site, out);
                Ok(())
            }
            Frame::Answer(greeting) if greeting.from == site => Ok(()),
            Frame::Refusal(reason) => {
                self.on_refusal(now, connection, site.id, reason, out);
                Ok(())
            }
            Frame::Greeting(_) | Frame::Answer(_) | Frame::Foreign { .. } => Err(OutOfPlace),
        };
        if let Err(OutOfPlace) = outcome {
            self.garbage(now, connection, "a frame out of place".to_string(), out);
        }
    }

    fn on_view(&mut self, now: Time, request: ViewToTransport, out: &mut Vec<Effect>) {
        match request {
            ViewToTransport::Send { to, message } => self.send_view_message(to, message, out),
            ViewToTransport::Withhold { token, sites } => self.withhold(now, token, sites, out),
            ViewToTransport::Install(view) => self.install(now, view, out),
            ViewToTransport::Seek(seeds) => {
                self.seeds = seeds.into_iter().collect();
                let ids: Vec<SiteId> = self.seeds.keys().copied().collect();
                for id in ids {
                    self.dial_soon(now, id);
                }
            }
        }
    }

    /// Unsequenced: without a connection it is lost, and the view machine repeats it.
    fn send_view_message(&mut self, to: Site, message: Bytes, out: &mut Vec<Effect>) {
        let connection = self.sessions.get(&to).and_then(|s| s.connection);
        if let Some(connection) = connection
            && message.len() < MAX_FRAME
        {
            let frame = [frame::view(), message];
            out.push(Effect::Transmit { connection, frame });
        }
    }

    /// R7. What had arrived and was not taken stays where it is, unacknowledged.
    fn withhold(&mut self, now: Time, token: u64, sites: BTreeSet<Site>, out: &mut Vec<Effect>) {
        let before = core::mem::replace(&mut self.withheld, sites);
        out.push(Effect::ToView(TransportToView::Withheld { token }));
        for site in before.difference(&self.withheld.clone()) {
            let limit = self.settings.message_limit;
            let Some(session) = self.sessions.get_mut(site) else {
                continue;
            };
            if session.take(now, limit, out).is_err()
                && let Some(connection) = session.connection
            {
                self.garbage(now, connection, "a frame out of place".to_string(), out);
            }
        }
    }

    /// Ends the sessions of those excluded, who are told that they are dead (§4.1), and makes sure
    /// that every other member has one.
    fn install(&mut self, now: Time, view: SiteView, out: &mut Vec<Effect>) {
        self.view = Some(view.clone());
        let sites = self.sessions.keys().copied();
        for site in sites.filter(|&s| excludes(&view, s)).collect::<Vec<_>>() {
            let session = self.sessions.remove(&site);
            if let Some(connection) = session.and_then(|s| s.connection) {
                let reason = Refusal::Dead(view.clone().into());
                self.refuse(now, connection, Some(site.id), reason, out);
            }
        }
        for member in view.members {
            if member.site != self.me {
                let Member { site, address } = member;
                let settings = &self.settings;
                let session = self.sessions.entry(site);
                session.or_insert_with(|| Session::new(site, address, settings, now));
                self.dial_soon(now, site.id);
            }
        }
    }

    fn is_member(&self, site: Site) -> bool {
        self.view.as_ref().is_some_and(|view| view.contains(site))
    }
}

/// "You are dead": the view, or one before it, has excluded this incarnation.
fn excludes(view: &SiteView, site: Site) -> bool {
    let admitted = view.highest.get(&site.id);
    !view.contains(site) && admitted.is_some_and(|highest| site.incarnation <= *highest)
}
