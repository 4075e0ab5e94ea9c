//! What carries frames between sites: TCP, or the memory of one program.

mod bell;
mod in_process;
mod tcp;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use bell::Bell;
pub use in_process::InProcessNetwork;
pub(crate) use in_process::Port;
pub(crate) use tcp::{Resolved, Tcp, TcpListen};

use crate::ids::SiteId;
use crate::machine::transport::{Connection, Input};

/// Carries frames for the transport thread, and is the place where it sleeps. Whatever it has for
/// the machine it appends to `inputs`; only [`Carrier::wait`] waits.
pub(crate) trait Carrier: Send + 'static {
    /// Waits for the network, the bell or the timeout, but not if something is `pending` in the
    /// inbox already.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        pending: impl Fn() -> bool,
        inputs: &mut VecDeque<Input>,
    );

    /// When it needs to be asked again, if nothing happens before.
    fn timeout(&self) -> Option<Duration>;

    /// `Effect::Connect`.
    fn connect(&mut self, peer: SiteId, address: &str, inputs: &mut VecDeque<Input>);

    /// A name that `connect` wanted has been looked up.
    fn resolved(&mut self, resolved: Resolved, inputs: &mut VecDeque<Input>);

    /// `Effect::Transmit`: collects, [`Carrier::flush`] writes.
    fn transmit(&mut self, connection: Connection, frame: [Bytes; 2]);

    /// `Effect::Close`.
    fn close(&mut self, connection: Connection);

    /// Writes what has been collected, once per connection.
    fn flush(&mut self, inputs: &mut VecDeque<Input>);

    /// Connections, bytes collected and not written, names being looked up.
    fn gauges(&self) -> (usize, usize, usize);
}
