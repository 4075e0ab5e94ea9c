//! TCP: a listener, connections, and those on their way.
//!
//! Sockets are registered once, for edges of both kinds. What an event promises is remembered until
//! the socket has been read dry; what is to be written is tried at once, and after that when the
//! socket reports room.

mod dial;
mod listen;
mod outbox;
mod resolver;
mod socket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::warn;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::{Bell, Carrier};
use dial::Dial;
pub(crate) use listen::TcpListen;
pub(crate) use resolver::Resolved;
use resolver::Resolver;
use socket::{Socket, Verdict};

use crate::ids::SiteId;
use crate::machine::transport::{Connection, Input, Note};
use crate::runtime::shared::Shared;
use crate::runtime::stats::count;

const BELL: Token = Token(0);
const LISTENER: Token = Token(1);
/// Connections are named from here on, and their tokens are their names.
const FIRST_CONNECTION: u64 = 2;
const EVENTS: usize = 256;
/// Accepted connections that have not said anything whole: one more, and the oldest goes.
const HALF_OPEN: usize = 64;
/// And this long after it was accepted it goes anyway.
const HALF_OPEN_TIME: Duration = Duration::from_secs(5);
/// Accepted in one wake-up.
const ACCEPTS_PER_WAKEUP: usize = 64;
/// Out of descriptors: accept again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The link's window bounds what waits for a socket, retransmissions aside; beyond this the
/// connection is closed, and the session goes on over the next one.
const UNWRITTEN: usize = 64 << 20;

pub(crate) struct Tcp {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
    listener: TcpListener,
    /// The listener may have more; not before this time.
    accept: Option<Instant>,
    sockets: BTreeMap<u64, Socket>,
    dials: BTreeMap<u64, Dial>,
    next: u64,
    /// To be read, and to be written, in this wake-up.
    readable: BTreeSet<u64>,
    writable: BTreeSet<u64>,
    /// Accepted and silent, oldest first.
    half_open: VecDeque<(u64, Instant)>,
    resolver: Resolver,
    shared: Arc<Shared>,
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.bell.close();
    }
}

impl Tcp {
    pub(crate) fn new(bound: TcpListen, shared: Arc<Shared>) -> Tcp {
        Tcp {
            poll: bound.poll,
            events: Events::with_capacity(EVENTS),
            bell: bound.bell,
            listener: bound.listener,
            accept: None,
            sockets: BTreeMap::new(),
            dials: BTreeMap::new(),
            next: FIRST_CONNECTION,
            readable: BTreeSet::new(),
            writable: BTreeSet::new(),
            half_open: VecDeque::new(),
            resolver: Resolver::new(shared.inboxes.transport.clone()),
            shared,
        }
    }

    fn name(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    // --- accepting ---

    fn accept(&mut self, inputs: &mut VecDeque<Input>) {
        if self.accept.is_none_or(|at| at > Instant::now()) {
            return;
        }
        for _ in 0..ACCEPTS_PER_WAKEUP {
            match self.listener.accept() {
                Ok((stream, _)) => self.accepted(stream, inputs),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.accept = None;
                    return;
                }
                Err(e) if concerns_one_connection(&e) => {}
                Err(e) => {
                    let me = self.shared.me;
                    warn!("site {me}: cannot accept connections for the moment: {e}");
                    self.accept = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, inputs: &mut VecDeque<Input>) {
        if self.half_open.len() >= HALF_OPEN {
            self.close_half_open(inputs);
        }
        let name = self.name();
        if self.establish(name, stream).is_ok() {
            self.half_open.push_back((name, Instant::now()));
            inputs.push_back(Input::Accepted(Connection(name)));
        }
    }

    /// Closes the accepted connection that has been silent for longest.
    fn close_half_open(&mut self, inputs: &mut VecDeque<Input>) {
        if let Some((name, _)) = self.half_open.pop_front()
            && self.sockets.contains_key(&name)
        {
            count(&self.shared.counters.half_open_connections);
            self.gone(name, false, inputs);
        }
    }

    fn expire_half_open(&mut self, now: Instant, inputs: &mut VecDeque<Input>) {
        let sockets = &self.sockets;
        self.half_open
            .retain(|(name, _)| sockets.get(name).is_some_and(|s| !s.spoke));
        while let Some((_, since)) = self.half_open.front()
            && *since + HALF_OPEN_TIME <= now
        {
            self.close_half_open(inputs);
        }
    }

    // --- established ---

    fn register(&self, name: u64, stream: &mut TcpStream) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(name as usize);
        self.poll.registry().register(stream, token, interest)
    }

    fn establish(&mut self, name: u64, mut stream: TcpStream) -> io::Result<()> {
        self.register(name, &mut stream)?;
        self.sockets
            .insert(name, Socket::new(Connection(name), stream));
        Ok(())
    }

    fn event(&mut self, event: &EventBits, inputs: &mut VecDeque<Input>) {
        let name = event.name;
        if self.dials.contains_key(&name) {
            return self.dial_event(name, inputs);
        }
        let Some(socket) = self.sockets.get_mut(&name) else {
            return;
        };
        if event.ends {
            socket.ends();
        }
        if event.readable || event.ends {
            self.readable.insert(name);
        }
        if event.writable && socket.unwritten() > 0 {
            self.writable.insert(name);
        }
    }

    fn read_all(&mut self, inputs: &mut VecDeque<Input>) {
        for name in std::mem::take(&mut self.readable) {
            let Some(socket) = self.sockets.get_mut(&name) else {
                continue;
            };
            match socket.read(inputs) {
                Verdict::Idle => {}
                Verdict::More => {
                    self.readable.insert(name);
                }
                Verdict::Gone => self.gone(name, true, inputs),
                Verdict::Garbage => {
                    let what = String::from("a frame longer than any may be");
                    self.shared.note_transport(Note::Garbage { what });
                    self.gone(name, false, inputs);
                }
            }
        }
    }

    fn gone(&mut self, name: u64, by_peer: bool, inputs: &mut VecDeque<Input>) {
        if self.sockets.remove(&name).is_some() {
            inputs.push_back(Input::Closed {
                connection: Connection(name),
                by_peer,
            });
        }
    }
}

/// What a poll event says, so that the event list is free again.
struct EventBits {
    name: u64,
    readable: bool,
    writable: bool,
    ends: bool,
}

impl From<&Event> for EventBits {
    fn from(event: &Event) -> EventBits {
        EventBits {
            name: event.token().0 as u64,
            readable: event.is_readable(),
            writable: event.is_writable(),
            ends: event.is_read_closed() || event.is_error(),
        }
    }
}

/// Whether an error of `accept` is that of the connection rather than of this program.
fn concerns_one_connection(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
    )
}

impl Carrier for Tcp {
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        pending: impl Fn() -> bool,
        inputs: &mut VecDeque<Input>,
    ) {
        let busy = !self.readable.is_empty();
        let slept = self
            .bell
            .sleep(&mut self.poll, &mut self.events, timeout, || {
                busy || pending()
            });
        if let Err(e) = slept {
            panic!("cannot poll: {e}");
        }
        let events: Vec<EventBits> = self.events.iter().map(EventBits::from).collect();
        for event in events {
            match Token(event.name as usize) {
                BELL => {}
                LISTENER => self.accept = self.accept.or(Some(Instant::now())),
                _ => self.event(&event, inputs),
            }
        }
        self.accept(inputs);
        self.read_all(inputs);
        if !self.half_open.is_empty() || !self.dials.is_empty() {
            let now = Instant::now();
            self.expire_half_open(now, inputs);
            self.expire_dials(now, inputs);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let half_open = self.half_open.front().map(|(_, at)| *at + HALF_OPEN_TIME);
        let dial = self.dials.values().map(|dial| dial.deadline).min();
        let first = [self.accept, half_open, dial].into_iter().flatten().min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    fn connect(&mut self, peer: SiteId, address: &str, inputs: &mut VecDeque<Input>) {
        if let Ok(address) = address.parse::<SocketAddr>() {
            return self.dial(peer, [address].into(), true, inputs);
        }
        if let Err(e) = self.resolver.start(peer, address) {
            inputs.push_back(Input::ConnectFailed {
                peer,
                refused: false,
                cause: format!("cannot resolve {address:?}: {e}"),
            });
        }
    }

    fn resolved(&mut self, resolved: Resolved, inputs: &mut VecDeque<Input>) {
        let failed = |peer, cause| Input::ConnectFailed {
            peer,
            refused: false,
            cause,
        };
        if let Some((peer, e)) = self.resolver.ended() {
            inputs.push_back(failed(peer, e.to_string()));
        }
        match resolved.addresses {
            Ok(addresses) => self.dial(resolved.peer, addresses.into(), true, inputs),
            Err(cause) => inputs.push_back(failed(resolved.peer, cause)),
        }
    }

    fn transmit(&mut self, connection: Connection, frame: [Bytes; 2]) {
        if let Some(socket) = self.sockets.get_mut(&connection.0) {
            socket.outbox().push(frame);
            self.writable.insert(connection.0);
        }
    }

    fn close(&mut self, connection: Connection) {
        // What was transmitted before, such as a refusal, may still go out.
        if let Some(mut socket) = self.sockets.remove(&connection.0) {
            socket.write(&mut VecDeque::new());
        }
    }

    fn flush(&mut self, inputs: &mut VecDeque<Input>) {
        for name in std::mem::take(&mut self.writable) {
            let Some(socket) = self.sockets.get_mut(&name) else {
                continue;
            };
            let gone = socket.write(inputs) == Verdict::Gone;
            if gone || socket.unwritten() > UNWRITTEN {
                self.gone(name, gone, inputs);
            }
        }
    }

    fn gauges(&self) -> (usize, usize, usize) {
        let unwritten = self.sockets.values().map(Socket::unwritten).sum();
        let connections = self.sockets.len() + self.dials.len();
        (connections, unwritten, self.resolver.len())
    }
}
