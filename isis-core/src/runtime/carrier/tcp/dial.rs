use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::Tcp;
use super::socket::Socket;
use crate::ids::SiteId;
use crate::machine::transport::{Connection, Input};

/// An address that does not answer is given up after this.
const DIAL_TIME: Duration = Duration::from_secs(5);

/// A connection on its way.
pub(super) struct Dial {
    peer: SiteId,
    address: SocketAddr,
    stream: TcpStream,
    /// What else the name stands for.
    others: VecDeque<SocketAddr>,
    /// All addresses so far refused.
    refused: bool,
    pub(super) deadline: Instant,
}

impl Tcp {
    /// Connects to the first of these addresses that can be connected to. `refused` if all tried
    /// before were refused.
    pub(super) fn dial(
        &mut self,
        peer: SiteId,
        mut addresses: VecDeque<SocketAddr>,
        mut refused: bool,
        inputs: &mut VecDeque<Input>,
    ) {
        refused &= !addresses.is_empty();
        let mut cause = String::from("the name stands for no address");
        while let Some(address) = addresses.pop_front() {
            match self.start_dial(peer, address, &mut addresses, refused) {
                Ok(()) => return,
                Err(e) => {
                    refused &= e.kind() == io::ErrorKind::ConnectionRefused;
                    cause = format!("{address}: {e}");
                }
            }
        }
        inputs.push_back(Input::ConnectFailed {
            peer,
            refused,
            cause,
        });
    }

    fn start_dial(
        &mut self,
        peer: SiteId,
        address: SocketAddr,
        others: &mut VecDeque<SocketAddr>,
        refused: bool,
    ) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        let name = self.name();
        self.register(name, &mut stream)?;
        let dial = Dial {
            peer,
            address,
            stream,
            others: std::mem::take(others),
            refused,
            deadline: Instant::now() + DIAL_TIME,
        };
        self.dials.insert(name, dial);
        Ok(())
    }

    /// The poll has news of a connection on its way.
    pub(super) fn dial_event(&mut self, name: u64, inputs: &mut VecDeque<Input>) {
        let Some(dial) = self.dials.get(&name) else {
            return;
        };
        match outcome(&dial.stream) {
            Some(Ok(())) => {
                let dial = self.dials.remove(&name).expect("just seen");
                let connection = Connection(name);
                self.sockets
                    .insert(name, Socket::new(connection, dial.stream));
                self.readable.insert(name);
                inputs.push_back(Input::Connected {
                    connection,
                    peer: dial.peer,
                });
            }
            Some(Err(e)) => self.dial_failed(name, &e, inputs),
            None => {}
        }
    }

    fn dial_failed(&mut self, name: u64, error: &io::Error, inputs: &mut VecDeque<Input>) {
        let Some(dial) = self.dials.remove(&name) else {
            return;
        };
        let refused = dial.refused && error.kind() == io::ErrorKind::ConnectionRefused;
        if dial.others.is_empty() {
            inputs.push_back(Input::ConnectFailed {
                peer: dial.peer,
                refused,
                cause: format!("{}: {error}", dial.address),
            });
        } else {
            self.dial(dial.peer, dial.others, refused, inputs);
        }
    }

    pub(super) fn expire_dials(&mut self, now: Instant, inputs: &mut VecDeque<Input>) {
        let late: Vec<u64> = self
            .dials
            .iter()
            .filter(|(_, dial)| dial.deadline <= now)
            .map(|(name, _)| *name)
            .collect();
        for name in late {
            self.dial_failed(name, &io::ErrorKind::TimedOut.into(), inputs);
        }
    }
}

/// How a connection attempt ended; nothing if it goes on.
fn outcome(stream: &TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(Some(e)) | Err(e) => return Some(Err(e)),
        Ok(None) => {}
    }
    match (stream.peer_addr(), stream.local_addr()) {
        // Where nobody listens on a port of the ephemeral range, a socket can connect to itself.
        (Ok(peer), Ok(local)) if peer == local => {
            Some(Err(io::ErrorKind::ConnectionRefused.into()))
        }
        (Ok(_), _) => Some(Ok(())),
        (Err(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Config;
    use crate::runtime::carrier::{Carrier, TcpListen};
    use crate::runtime::channel::Receiver;
    use crate::runtime::opening::Opening;
    use crate::runtime::transport::Inbox;

    const PEER: SiteId = SiteId(2);

    /// Connects and waits for the answer.
    fn connect(tcp: &mut Tcp, inbox: &Receiver<Inbox>, address: &str) -> Input {
        let mut inputs = VecDeque::new();
        tcp.connect(PEER, address, &mut inputs);
        let end = Instant::now() + Duration::from_secs(20);
        while inputs.is_empty() && Instant::now() < end {
            let short = Some(Duration::from_millis(100));
            tcp.wait(short, || !inbox.is_empty(), &mut inputs);
            while let Some(Inbox::Resolved(resolved)) = inbox.try_recv() {
                tcp.resolved(resolved, &mut inputs);
            }
        }
        inputs.pop_front().expect("an answer in time")
    }

    /// Names are looked up anew each time, and all that one stands for is tried.
    #[test]
    fn every_attempt_gets_its_answer() {
        let listen = TcpListen::bind("127.0.0.1:0", false).unwrap();
        let config = Config::new(SiteId(1));
        let opening = Opening::new(config, listen.bell.clone()).unwrap();
        let mut tcp = Tcp::new(listen, opening.shared.clone());
        let inbox = &opening.transport;

        let unresolvable = format!("{}:1", "x".repeat(70));
        let answer = connect(&mut tcp, inbox, &unresolvable);
        let Input::ConnectFailed {
            refused: false,
            cause,
            ..
        } = answer
        else {
            panic!("{answer:?}");
        };
        assert!(cause.contains(&unresolvable));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let name = format!("localhost:{}", address.port());
        for target in [address.to_string(), name.clone()] {
            let answer = connect(&mut tcp, inbox, &target);
            let connected = matches!(answer, Input::Connected { peer: PEER, .. });
            assert!(connected, "{answer:?}");
        }
        drop(listener);
        for target in [address.to_string(), name] {
            let answer = connect(&mut tcp, inbox, &target);
            let refused = matches!(answer, Input::ConnectFailed { refused: true, .. });
            assert!(refused, "{answer:?}");
        }
        assert_eq!(tcp.gauges().2, 0);
    }
}
