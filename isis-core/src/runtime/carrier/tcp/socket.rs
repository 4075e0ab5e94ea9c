use std::collections::VecDeque;
use std::io::{self, Read};

use mio::net::TcpStream;

use super::outbox::Outbox;
use crate::machine::transport::{Connection, Input};
use crate::wire::FrameSplitter;

/// More than this is read from one socket only after the others have had their turn.
const READ_PER_WAKEUP: usize = 256 << 10;
/// From this much on the machine is told when there is room again.
const FULL: usize = 256 << 10;
const ROOMY: usize = 64 << 10;

/// What a socket says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing more to do until the poll says so.
    Idle,
    /// Looked at again in the next wake-up.
    More,
    /// The connection has ended.
    Gone,
    /// What comes is no frame.
    Garbage,
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    connection: Connection,
    splitter: FrameSplitter,
    outbox: Outbox,
    /// The outbox was full, and the machine waits for `Drained`.
    full: bool,
    /// The peer's end of the stream, or an error, is behind what is left to read.
    ends: bool,
    /// A whole frame has come.
    pub(super) spoke: bool,
}

impl Socket {
    pub(super) fn new(connection: Connection, stream: TcpStream) -> Socket {
        // Frames are written whole; holding back small ones only costs time. An error here means
        // that the connection is gone, which reading will tell.
        let _ = stream.set_nodelay(true);
        Socket {
            stream,
            connection,
            splitter: FrameSplitter::new(),
            outbox: Outbox::default(),
            full: false,
            ends: false,
            spoke: false,
        }
    }

    pub(super) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    pub(super) fn unwritten(&self) -> usize {
        self.outbox.len()
    }

    /// The poll has seen the end of the stream.
    pub(super) fn ends(&mut self) {
        self.ends = true;
    }

    /// Reads what there is, up to a bound.
    pub(super) fn read(&mut self, inputs: &mut VecDeque<Input>) -> Verdict {
        let mut budget = READ_PER_WAKEUP;
        while budget > 0 {
            let space = self.splitter.space();
            let size = space.len();
            let read = match self.stream.read(space) {
                Ok(0) => return Verdict::Gone,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Verdict::Idle,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Verdict::Gone,
            };
            self.splitter.filled(read);
            if !self.split(inputs) {
                return Verdict::Garbage;
            }
            // A short read has emptied the socket (epoll(7)); what comes later is a new event.
            if read < size && !self.ends {
                return Verdict::Idle;
            }
            budget = budget.saturating_sub(read);
        }
        Verdict::More
    }

    /// False if the stream makes no sense.
    fn split(&mut self, inputs: &mut VecDeque<Input>) -> bool {
        loop {
            match self.splitter.next_frame() {
                Ok(Some(frame)) => {
                    self.spoke = true;
                    inputs.push_back(Input::Received {
                        connection: self.connection,
                        frame,
                    });
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Writes what the socket takes.
    pub(super) fn write(&mut self, inputs: &mut VecDeque<Input>) -> Verdict {
        if self.outbox.write(&mut self.stream).is_err() {
            return Verdict::Gone;
        }
        let left = self.outbox.len();
        if left >= FULL {
            self.full = true;
        } else if self.full && left <= ROOMY {
            self.full = false;
            inputs.push_back(Input::Drained(self.connection));
        }
        Verdict::Idle
    }
}
