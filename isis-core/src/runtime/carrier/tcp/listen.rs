use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use mio::net::TcpListener;
use mio::{Interest, Poll};
use socket2::{Domain, Socket, Type};

use super::{BELL, LISTENER};
use crate::error::Error;
use crate::runtime::carrier::Bell;

const BACKLOG: i32 = 128;

/// A listener and a poll with a bell, made before the threads are.
pub(crate) struct TcpListen {
    pub(super) poll: Poll,
    pub(super) listener: TcpListener,
    pub(crate) bell: Arc<Bell>,
    pub(crate) address: SocketAddr,
}

impl TcpListen {
    /// Binds the first address that `listen` stands for and can be bound.
    pub(crate) fn bind(listen: &str, insecure: bool) -> Result<TcpListen, Error> {
        let io = |e: io::Error| Error::Io(format!("cannot listen on {listen}: {e}"));
        let mut failed = None;
        for address in listen.to_socket_addrs().map_err(io)? {
            if !insecure && !address.ip().is_loopback() {
                return Err(Error::Invalid(format!(
                    "listen={listen} can be reached from other machines, and this site has no key: \
                     listen on a loopback address, or accept that anybody may join by insecure=yes"
                )));
            }
            match TcpListen::bind_to(address) {
                Ok(bound) => return Ok(bound),
                Err(e) => failed = Some(e),
            }
        }
        Err(io(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into())))
    }

    fn bind_to(address: SocketAddr) -> io::Result<TcpListen> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let bell = Arc::new(Bell::new(&poll, BELL)?);
        Ok(TcpListen {
            address: listener.local_addr()?,
            poll,
            listener,
            bell,
        })
    }
}
