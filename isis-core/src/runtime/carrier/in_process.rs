//! Connections between the sites of one program, without sockets.
//!
//! A site's port is its transport thread's inbox; a connection is a pair of names. Frames go
//! straight into the other site's inbox, in order, under the network's lock, which nobody holds
//! while waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mio::{Events, Poll, Token};
use parking_lot::Mutex;

use super::{Bell, Carrier, Resolved};
use crate::error::Error;
use crate::ids::SiteId;
use crate::machine::transport::{Connection, Input};
use crate::runtime::shared::Shared;
use crate::runtime::transport::{Inbox, InboxSender};

const BELL: Token = Token(0);
/// Ports that are asked for as 0 are numbered from here.
const FIRST_PORT: u16 = 1024;

/// A network in the memory of one program. Sites opened on it reach each other, and nobody else, by
/// the addresses that they listen on. Links can be cut and connections killed.
#[derive(Debug, Default)]
pub struct InProcessNetwork(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By address.
    ports: BTreeMap<String, Whose>,
    /// Of each end of a connection.
    ends: BTreeMap<Connection, End>,
    /// Links that lose everything.
    cut: BTreeSet<(SiteId, SiteId)>,
    connections: u64,
    ports_given: u16,
    sites: u64,
}

/// The port of a site. Two sites may wrongly have one id, so each has a number too.
#[derive(Clone, Debug)]
struct Whose {
    number: u64,
    site: SiteId,
    inbox: InboxSender,
}

#[derive(Debug)]
struct End {
    whose: Whose,
    other: Connection,
}

fn link(a: SiteId, b: SiteId) -> (SiteId, SiteId) {
    (a.min(b), a.max(b))
}

impl InProcessNetwork {
    /// A network without sites.
    pub fn new() -> InProcessNetwork {
        InProcessNetwork::default()
    }

    /// From now on everything between the two sites is lost, as if a cable had been pulled.
    pub fn cut(&self, a: SiteId, b: SiteId) {
        self.0.lock().cut.insert(link(a, b));
    }

    /// Undoes [`InProcessNetwork::cut`].
    pub fn heal(&self, a: SiteId, b: SiteId) {
        self.0.lock().cut.remove(&link(a, b));
    }

    /// Resets the connections between the two sites; how many.
    pub fn kill_connections(&self, a: SiteId, b: SiteId) -> usize {
        let mut state = self.0.lock();
        let between = |end: &End| {
            let other = &state.ends[&end.other];
            link(end.whose.site, other.whose.site) == link(a, b)
        };
        let killed = state.names(between);
        for name in &killed {
            state.reset(*name);
        }
        killed.len() / 2
    }
}

impl State {
    fn names(&self, which: impl Fn(&End) -> bool) -> Vec<Connection> {
        let matching = self.ends.iter().filter(|(_, end)| which(end));
        matching.map(|(name, _)| *name).collect()
    }

    fn is_cut(&self, a: SiteId, b: SiteId) -> bool {
        self.cut.contains(&link(a, b))
    }

    /// The caller's end, or whether nobody listens there (else the link is cut).
    fn connect(&mut self, whose: &Whose, address: &str) -> Result<Connection, bool> {
        let to = self.ports.get(address).cloned().ok_or(true)?;
        if self.is_cut(whose.site, to.site) {
            return Err(false);
        }
        let ours = Connection(self.connections);
        let theirs = Connection(self.connections + 1);
        self.connections += 2;
        to.inbox.send(Inbox::Carried(Input::Accepted(theirs)));
        let (whose, other) = (whose.clone(), theirs);
        self.ends.insert(ours, End { whose, other });
        let (whose, other) = (to, ours);
        self.ends.insert(theirs, End { whose, other });
        Ok(ours)
    }

    fn transmit(&self, connection: Connection, frame: Bytes) {
        if let Some(end) = self.ends.get(&connection)
            && let Some(other) = self.ends.get(&end.other)
            && !self.is_cut(end.whose.site, other.whose.site)
        {
            other.whose.inbox.send(Inbox::Carried(Input::Received {
                connection: end.other,
                frame,
            }));
        }
    }

    /// Ends a connection from this end; the other hears of it.
    fn close(&mut self, connection: Connection) {
        if let Some(end) = self.ends.remove(&connection) {
            self.reset(end.other);
        }
    }

    /// Ends one end of a connection by telling it.
    fn reset(&mut self, connection: Connection) {
        if let Some(end) = self.ends.remove(&connection) {
            end.whose.inbox.send(Inbox::Carried(Input::Closed {
                connection,
                by_peer: true,
            }));
        }
    }
}

/// A site's place in the network, before its threads are made.
pub(crate) struct Port {
    network: Arc<InProcessNetwork>,
    poll: Poll,
    pub(crate) bell: Arc<Bell>,
    pub(crate) address: String,
}

impl Port {
    /// Takes the address; a free port if that is 0.
    pub(crate) fn new(network: Arc<InProcessNetwork>, listen: &str) -> Result<Port, Error> {
        let io = |e: std::io::Error| Error::Io(format!("cannot listen on {listen}: {e}"));
        let poll = Poll::new().map_err(io)?;
        let bell = Arc::new(Bell::new(&poll, BELL).map_err(io)?);
        let address = match listen.strip_suffix(":0") {
            Some(host) => {
                let mut state = network.0.lock();
                state.ports_given += 1;
                format!("{host}:{}", FIRST_PORT + state.ports_given)
            }
            None => listen.to_owned(),
        };
        Ok(Port {
            network,
            poll,
            bell,
            address,
        })
    }

    /// From here on others can connect.
    pub(crate) fn open(self, shared: &Shared) -> Result<InProcess, Error> {
        let mut state = self.network.0.lock();
        if state.ports.contains_key(&self.address) {
            return Err(Error::Io(format!(
                "cannot listen on {}: another site of this network does",
                self.address
            )));
        }
        let number = state.sites;
        state.sites += 1;
        let whose = Whose {
            number,
            site: shared.me.id,
            inbox: shared.inboxes.transport.clone(),
        };
        state.ports.insert(self.address.clone(), whose.clone());
        drop(state);
        Ok(InProcess {
            port: self,
            events: Events::with_capacity(1),
            whose,
        })
    }
}

/// Carries the frames of one site.
pub(crate) struct InProcess {
    port: Port,
    events: Events,
    whose: Whose,
}

impl InProcess {
    fn names(&self, state: &State) -> Vec<Connection> {
        state.names(|end| end.whose.number == self.whose.number)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.port.bell.close();
        let mut state = self.port.network.0.lock();
        state.ports.remove(&self.port.address);
        for connection in self.names(&state) {
            state.close(connection);
        }
    }
}

impl Carrier for InProcess {
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        pending: impl Fn() -> bool,
        _inputs: &mut VecDeque<Input>,
    ) {
        let port = &mut self.port;
        let slept = port
            .bell
            .sleep(&mut port.poll, &mut self.events, timeout, pending);
        if let Err(e) = slept {
            panic!("cannot poll: {e}");
        }
    }

    fn timeout(&self) -> Option<Duration> {
        None
    }

    fn connect(&mut self, peer: SiteId, address: &str, inputs: &mut VecDeque<Input>) {
        let connected = self.port.network.0.lock().connect(&self.whose, address);
        inputs.push_back(match connected {
            Ok(connection) => Input::Connected { connection, peer },
            Err(refused) => Input::ConnectFailed {
                peer,
                refused,
                cause: if refused {
                    format!("nobody listens on {address}")
                } else {
                    format!("the link to {address} is cut")
                },
            },
        });
    }

    fn resolved(&mut self, _: Resolved, _: &mut VecDeque<Input>) {
        unreachable!("addresses in a program are not looked up");
    }

    fn transmit(&mut self, connection: Connection, frame: [Bytes; 2]) {
        let [head, body] = frame;
        let whole = if body.is_empty() {
            head
        } else {
            let mut whole = BytesMut::with_capacity(head.len() + body.len());
            whole.extend_from_slice(&head);
            whole.extend_from_slice(&body);
            whole.freeze()
        };
        self.port.network.0.lock().transmit(connection, whole);
    }

    fn close(&mut self, connection: Connection) {
        self.port.network.0.lock().close(connection);
    }

    fn flush(&mut self, _: &mut VecDeque<Input>) {}

    fn gauges(&self) -> (usize, usize, usize) {
        let connections = self.names(&self.port.network.0.lock()).len();
        (connections, 0, 0)
    }
}
