use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::Builder;

use crate::ids::SiteId;
use crate::runtime::transport::{Inbox, InboxSender};

/// Names looked up at the same time. The system's resolver may take a minute over one.
const AT_ONCE: usize = 4;

/// What became of a name.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(super) peer: SiteId,
    pub(super) addresses: Result<Vec<SocketAddr>, String>,
}

/// Looks names up without keeping the transport thread waiting: each in a thread of its own that
/// ends with the look-up. Nothing can cut a look-up short; one that hangs while the site closes
/// ends by itself, and its answer goes nowhere.
#[derive(Debug)]
pub(super) struct Resolver {
    inbox: InboxSender,
    running: usize,
    waiting: VecDeque<(SiteId, String)>,
}

impl Resolver {
    pub(super) fn new(inbox: InboxSender) -> Resolver {
        Resolver {
            inbox,
            running: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Looks up `host:port`; the answer comes into the inbox.
    pub(super) fn start(&mut self, peer: SiteId, address: &str) -> io::Result<()> {
        if self.running == AT_ONCE {
            self.waiting.push_back((peer, address.to_owned()));
            return Ok(());
        }
        let inbox = self.inbox.clone();
        let address = address.to_owned();
        // Started by the transport thread, it blocks all signals as that one does.
        Builder::new().name("isis-resolver".into()).spawn(move || {
            let addresses = match address.to_socket_addrs() {
                Ok(found) => Ok(found.collect()),
                Err(e) => Err(format!("cannot resolve {address:?}: {e}")),
            };
            inbox.send(Inbox::Resolved(Resolved { peer, addresses }));
        })?;
        self.running += 1;
        Ok(())
    }

    /// An answer has come: another one may start. Who, if that fails.
    pub(super) fn ended(&mut self) -> Option<(SiteId, io::Error)> {
        self.running -= 1;
        let (peer, address) = self.waiting.pop_front()?;
        let error = self.start(peer, &address).err()?;
        Some((peer, error))
    }

    /// Names being looked up or waiting for it.
    pub(super) fn len(&self) -> usize {
        self.running + self.waiting.len()
    }
}
