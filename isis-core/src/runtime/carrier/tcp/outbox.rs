use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::Bytes;

use crate::wire::FrameSplitter;

/// Pieces up to this size are copied behind each other: cheaper than a slice each in a `writev`.
const COPY_LIMIT: usize = 8 << 10;
/// A buffer of copies grows to about this.
const COPY_BUFFER: usize = 64 << 10;
/// Slices per `writev`.
const SLICES: usize = 64;

/// Frames that wait to be written to one socket.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is written.
    written: usize,
    len: usize,
    /// An empty buffer kept for the next copies.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Piece {
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Copied(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, frame: [Bytes; 2]) {
        self.copy(&FrameSplitter::prefix(&frame));
        for part in frame {
            if part.len() <= COPY_LIMIT {
                self.copy(&part);
            } else {
                self.len += part.len();
                self.pieces.push_back(Piece::Shared(part));
            }
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Copied(buffer)) if buffer.len() < COPY_BUFFER => {
                buffer.extend_from_slice(bytes);
            }
            _ => {
                let mut buffer = std::mem::take(&mut self.spare);
                buffer.extend_from_slice(bytes);
                self.pieces.push_back(Piece::Copied(buffer));
            }
        }
    }

    /// Writes until nothing is left or the socket takes no more; the latter is no error.
    pub(super) fn write(&mut self, to: &mut impl Write) -> io::Result<()> {
        while self.len > 0 {
            match self.write_some(to) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.advance(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn write_some(&self, to: &mut impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let skip = if used == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&piece.bytes()[skip..]);
            used += 1;
        }
        to.write_vectored(&slices[..used])
    }

    fn advance(&mut self, n: usize) {
        self.len -= n;
        self.written += n;
        while let Some(piece) = self.pieces.front()
            && self.written >= piece.bytes().len()
        {
            self.written -= piece.bytes().len();
            if let Some(Piece::Copied(mut buffer)) = self.pieces.pop_front()
                && buffer.capacity() > self.spare.capacity()
            {
                buffer.clear();
                self.spare = buffer;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time, then nothing for a moment.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = bytes.len().min(self.room);
            self.room -= n;
            self.taken.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_goes_in_comes_out_framed_however_narrow_the_socket() {
        for room in [1, 7, 1000, 100_000] {
            let mut outbox = Outbox::default();
            let mut socket = Narrow {
                taken: Vec::new(),
                room: 0,
            };
            let mut expected = Vec::new();
            for size in [0, 1, 100, COPY_LIMIT, COPY_LIMIT + 1, 3, 2 * COPY_BUFFER, 5] {
                let frame = [Bytes::from(vec![7; 9]), Bytes::from(vec![size as u8; size])];
                expected.extend_from_slice(&(9 + size as u32).to_le_bytes());
                expected.extend_from_slice(&frame[0]);
                expected.extend_from_slice(&frame[1]);
                outbox.push(frame);
                outbox.write(&mut socket).unwrap();
            }
            assert_eq!(outbox.len(), expected.len());
            while outbox.len() > 0 {
                socket.room = room;
                outbox.write(&mut socket).unwrap();
            }
            assert_eq!(socket.taken, expected);
        }
    }
}
