//! Every byte that leaves this program for another one: the wire formats (DESIGN §11).
//!
//! Any byte can arrive on a socket, so decoding returns an error instead of panicking, and
//! allocates in proportion to what has arrived, never by a length that it was merely told.

mod codec;
pub mod frame;
mod splitter;
#[cfg(test)]
mod tests;
pub(crate) mod varint;

pub use codec::{WireError, decode_exact, decode_prefix, encode};
pub use splitter::FrameSplitter;
