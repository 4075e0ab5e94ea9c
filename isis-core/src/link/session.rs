//! A session: all that passes between two incarnations, over one connection after another (§4.1).
//!
//! The session outlives its connections: sequence numbers, queues and what came early stay, so a
//! broken connection loses and doubles nothing. It ends only by a view that excludes the peer, or by
//! a later incarnation of it that no view asks us to doubt.
//!
//! A hello goes out every `hello_interval`, under load too: its answer measures the delay that a
//! frame meets behind what is queued, which is what the silence timeout must allow for.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::delay::Delay;
use super::incoming::{Arrival, BadFragment, Incoming};
use super::outgoing::Outgoing;
use super::{ACK_BYTES, ACK_DELAY, ACK_FRAMES, Counters, Settings};
use crate::ids::{Epoch, Incarnation, Site, SiteId};
use crate::machine::transport::{Connection, Effect};
use crate::machine::{Evidence, FromPeer, LinkReport, TransportToView};
use crate::time::Time;
use crate::wire::frame::{self, Greeting, PerLane, Status, Stream};

/// What the view machine was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing yet.
    New,
    /// `Up`.
    Up,
    /// `Lost`.
    Lost(Evidence),
}

/// A frame that this peer's machine would not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfPlace;

impl From<BadFragment> for OutOfPlace {
    fn from(_: BadFragment) -> OutOfPlace {
        OutOfPlace
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) site: Site,
    pub(super) address: String,
    epoch: Option<Epoch>,
    pub(super) connection: Option<Connection>,
    /// When the connection was established.
    pub(super) since: Time,
    /// The number of the latest connection and who dialled it.
    pub(super) latest: (u64, SiteId),
    pub(super) standing: Standing,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    delay: Delay,
    heard: Time,
    /// Answers to earlier hellos say nothing of the delay.
    excused: Time,
    hello_due: Time,
    /// When what was taken must be acknowledged.
    ack_due: Option<Time>,
    /// Frames and bytes that came since the last acknowledgement.
    since_ack: (usize, usize),
    /// A hello that wants its answer.
    echo: Option<u64>,
}

impl Session {
    /// A session that has no connection yet; silence counts from now.
    pub(super) fn new(site: Site, address: String, settings: &Settings, now: Time) -> Session {
        Session {
            site,
            address,
            epoch: None,
            connection: None,
            since: now,
            latest: (0, site.id),
            standing: Standing::New,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            delay: Delay::new(settings.suspect_after, settings.hello_interval),
            heard: now,
            excused: now,
            hello_due: now,
            ack_due: None,
            since_ack: (0, 0),
            echo: None,
        }
    }

    /// Whether the peer is connected and not suspected for its silence.
    pub(super) fn is_live(&self) -> bool {
        self.connection.is_some() && self.standing == Standing::Up
    }

    /// Nothing was ever sent or received: forgetting the session changes nothing.
    pub(super) fn untouched(&self) -> bool {
        self.outgoing.untouched() && self.incoming.is_empty() && self.incoming.taken() == [0; 3]
    }

    /// Whether the speaker can be the other end of this session: what it knows to be acknowledged
    /// was taken here, and what it has taken was sent. Otherwise one side has forgotten the session.
    pub(super) fn is_continued_by(&self, greeting: &Greeting, ours: Incarnation) -> bool {
        let taken = self.incoming.taken();
        greeting.to_incarnation != Some(ours)
            || (taken
                .iter()
                .zip(greeting.acknowledged)
                .all(|(t, a)| a <= *t)
                && self.outgoing.has_sent(&greeting.received))
    }

    /// Whether a connection would win over the latest: a later one, of the same number the one
    /// dialled by the lower site id, of the same dialler the newer.
    pub(super) fn yields_to(&self, number: u64, dialler: SiteId) -> bool {
        let (latest, by) = self.latest;
        number > latest || (number == latest && dialler <= by)
    }

    /// The session goes on over this connection.
    pub(super) fn connect(
        &mut self,
        connection: Connection,
        greeting: &Greeting,
        me: Site,
        now: Time,
        out: &mut Vec<Effect>,
    ) {
        self.connection = Some(connection);
        self.since = now;
        if greeting.to_incarnation == Some(me.incarnation) {
            self.outgoing.acknowledge(&greeting.received);
        }
        self.outgoing.restart();
        self.hello_due = now;
        self.ack_due = None;
        self.echo = None;
        self.heard = now;
        let known = self.standing == Standing::Up
            && self.epoch == greeting.epoch
            && self.address == greeting.address;
        self.epoch = greeting.epoch;
        self.address.clone_from(&greeting.address);
        if !known {
            self.report_up(out);
        }
    }

    fn report_up(&mut self, out: &mut Vec<Effect>) {
        self.standing = Standing::Up;
        out.push(Effect::ToView(TransportToView::Report(LinkReport::Up {
            site: self.site,
            address: self.address.clone(),
            epoch: self.epoch,
        })));
    }

    /// Tells the view machine, unless it knows.
    pub(super) fn lose(&mut self, evidence: Evidence, out: &mut Vec<Effect>) {
        if self.standing != Standing::Lost(evidence) {
            self.standing = Standing::Lost(evidence);
            out.push(Effect::ToView(TransportToView::Report(LinkReport::Lost {
                site: self.site,
                evidence,
            })));
        }
    }

    /// A frame came on the session's connection.
    pub(super) fn hear(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.standing == Standing::Lost(Evidence::Silence) {
            self.delay.wrongly_suspected(now - self.heard);
            self.report_up(out);
        }
        self.heard = now;
    }

    /// Nobody is blamed for the time in which this site itself did not run.
    pub(super) fn excuse(&mut self, now: Time) {
        self.heard = now;
        self.excused = now;
    }

    /// Sends a hello and returns its stamp, which the peer alone can echo.
    pub(super) fn probe(&mut self, now: Time, out: &mut Vec<Effect>) -> u64 {
        self.transmit_status(Some(now.0), out);
        self.hello_due = now + self.delay.hello_interval();
        now.0
    }

    pub(super) fn on_status(&mut self, now: Time, status: &Status) -> Result<(), OutOfPlace> {
        if status.stamp.is_some() {
            self.echo = status.stamp;
        }
        if let Some(stamp) = status.echo
            && Time(stamp) >= self.excused
        {
            self.delay.sample(now - Time(stamp));
        }
        self.acknowledged(&status.acks)
    }

    /// Keeps a frame of a lane and hands up what can be, unless the site is withheld (R7).
    pub(super) fn on_stream(
        &mut self,
        now: Time,
        stream: Stream,
        withheld: bool,
        limit: u64,
        out: &mut Vec<Effect>,
    ) -> Result<(), OutOfPlace> {
        self.acknowledged(&stream.acks)?;
        self.since_ack.0 += 1;
        self.since_ack.1 += stream.content_len();
        match self.incoming.arrive(stream) {
            Arrival::Next if !withheld => self.take(now, limit, out),
            Arrival::Next | Arrival::Early => Ok(()),
            Arrival::Repeated => {
                if !withheld {
                    self.ack_due = Some(now);
                }
                Ok(())
            }
        }
    }

    /// Hands up whatever waits only for this.
    pub(super) fn take(
        &mut self,
        now: Time,
        limit: u64,
        out: &mut Vec<Effect>,
    ) -> Result<(), OutOfPlace> {
        let from = self.site;
        let taken = self.incoming.take(limit, |message| {
            out.push(Effect::Deliver(FromPeer { from, message }))
        })?;
        if taken > 0 {
            let (frames, bytes) = self.since_ack;
            let many = frames >= ACK_FRAMES || bytes >= ACK_BYTES;
            let due = if many { now } else { now + ACK_DELAY };
            self.ack_due = Some(self.ack_due.map_or(due, |earlier| earlier.min(due)));
        }
        Ok(())
    }

    fn acknowledged(&mut self, acks: &PerLane) -> Result<(), OutOfPlace> {
        match self.outgoing.acknowledge(acks) {
            true => Ok(()),
            false => Err(OutOfPlace),
        }
    }

    /// Suspects a peer that has been silent for too long. `true` if it was just now.
    pub(super) fn check_silence(&mut self, now: Time, out: &mut Vec<Effect>) -> bool {
        let late = self.silence_due().is_some_and(|due| due <= now);
        if late {
            self.lose(Evidence::Silence, out);
        }
        late
    }

    fn silence_due(&self) -> Option<Time> {
        match self.standing {
            Standing::New | Standing::Up => Some(self.heard + self.delay.silence()),
            Standing::Lost(_) => None,
        }
    }

    /// Sends all that is due and all that the windows let go.
    pub(super) fn flush(&mut self, now: Time, counters: &mut Counters, out: &mut Vec<Effect>) {
        let Some(connection) = self.connection else {
            return;
        };
        let hello = self.hello_due <= now;
        if hello {
            self.hello_due = now + self.delay.hello_interval();
        }
        if hello || self.echo.is_some() {
            self.transmit_status(hello.then_some(now.0), out);
        }
        let sent = match self.standing {
            Standing::Up => self.flush_lanes(now, connection, counters, out),
            Standing::New | Standing::Lost(_) => 0,
        };
        if sent > 0 {
            self.acks_sent();
        } else if self.ack_due.is_some_and(|due| due <= now) {
            self.transmit_status(None, out);
        }
    }

    /// Not towards a peer that seems silent: the carrier would only hoard.
    fn flush_lanes(
        &mut self,
        now: Time,
        connection: Connection,
        counters: &mut Counters,
        out: &mut Vec<Effect>,
    ) -> u64 {
        let acks = self.incoming.taken();
        let timeout = self.delay.repeat();
        let (repeated, sent) = self.outgoing.flush(now, timeout, &acks, |frame| {
            out.push(Effect::Transmit { connection, frame });
        });
        counters.frames_repeated += repeated;
        counters.frames_sent += sent;
        sent
    }

    fn transmit_status(&mut self, stamp: Option<u64>, out: &mut Vec<Effect>) {
        let Some(connection) = self.connection else {
            return;
        };
        let status = Status {
            acks: self.incoming.taken(),
            stamp,
            echo: self.echo.take(),
        };
        let frame = [frame::status(&status), Bytes::new()];
        out.push(Effect::Transmit { connection, frame });
        self.acks_sent();
    }

    fn acks_sent(&mut self) {
        self.ack_due = None;
        self.since_ack = (0, 0);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let connected = self.connection.map(|_| {
            let repeat = self.outgoing.deadline(self.delay.repeat());
            let repeat = repeat.filter(|_| self.is_live());
            let timers = [Some(self.hello_due), self.ack_due, repeat];
            timers.into_iter().flatten().min()
        });
        [connected.flatten(), self.silence_due()]
            .into_iter()
            .flatten()
            .min()
    }
}
