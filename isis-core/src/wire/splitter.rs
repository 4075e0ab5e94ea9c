//! Frames on a byte stream: each with its length before it, four bytes, little-endian.

use bytes::{Bytes, BytesMut};

use super::WireError;
use super::frame::MAX_FRAME;

/// Small enough for an allocator to keep it at hand, large enough for many small frames.
const BUFFER: usize = 64 << 10;
/// Large frames come in rows: few of them should straddle two buffers, for that costs a copy.
const LARGE_BUFFER: usize = 256 << 10;
/// Reads into less than this are not worth a call.
const LEAST_SPACE: usize = 4 << 10;
const PREFIX: usize = 4;

/// Cuts what is read from a byte stream into frames.
///
/// Read into [`space`](Self::space), say how much it was with [`filled`](Self::filled), then take
/// [`next_frame`](Self::next_frame) until there is none. Frames are slices of the read buffer; only
/// one that straddles two buffers is copied.
#[derive(Debug)]
pub struct FrameSplitter {
    /// All of it initialised; the first `filled` bytes have been read and not yet taken.
    buffer: BytesMut,
    filled: usize,
}

impl Default for FrameSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameSplitter {
    /// Nothing read yet; no buffer either.
    pub fn new() -> FrameSplitter {
        FrameSplitter {
            buffer: BytesMut::new(),
            filled: 0,
        }
    }

    /// The length prefix of a frame in pieces.
    pub fn prefix(frame: &[Bytes; 2]) -> [u8; PREFIX] {
        ((frame[0].len() + frame[1].len()) as u32).to_le_bytes()
    }

    /// Where to read to next; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        let wanted = self.frame_length().unwrap_or(0).min(MAX_FRAME) + PREFIX;
        let least = wanted.max(self.filled + LEAST_SPACE);
        if self.buffer.len() < least {
            let usual = if wanted > BUFFER / 4 {
                LARGE_BUFFER
            } else {
                BUFFER
            };
            let mut buffer = BytesMut::zeroed(least.max(usual));
            buffer[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
            self.buffer = buffer;
        }
        &mut self.buffer[self.filled..]
    }

    /// The first `read` bytes of the space now hold what came.
    pub fn filled(&mut self, read: usize) {
        self.filled = self.buffer.len().min(self.filled + read);
    }

    /// The next whole frame, or `None` until more has been read. After an error the stream makes no
    /// sense any more.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.frame_length() else {
            return Ok(None);
        };
        if length > MAX_FRAME {
            return Err(WireError::TooLong);
        }
        if self.filled < PREFIX + length {
            return Ok(None);
        }
        self.filled -= PREFIX + length;
        let frame = self.buffer.split_to(PREFIX + length).freeze();
        Ok(Some(frame.slice(PREFIX..)))
    }

    /// Of the frame at the front, if its prefix is there.
    fn frame_length(&self) -> Option<usize> {
        let (&prefix, _) = self.buffer[..self.filled].split_first_chunk::<PREFIX>()?;
        Some(u32::from_le_bytes(prefix) as usize)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn split(stream: &[u8], step: usize) -> Result<Vec<Bytes>, WireError> {
        let mut splitter = FrameSplitter::new();
        let mut frames = Vec::new();
        for mut chunk in stream.chunks(step) {
            while !chunk.is_empty() {
                let space = splitter.space();
                let n = space.len().min(chunk.len());
                space[..n].copy_from_slice(&chunk[..n]);
                splitter.filled(n);
                chunk = &chunk[n..];
                while let Some(frame) = splitter.next_frame()? {
                    frames.push(frame);
                }
            }
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut() {
        let frames: Vec<Bytes> = [0, 1, 5, 300, 40_000, 2, MAX_FRAME, 70_000, 3]
            .iter()
            .map(|&n| Bytes::from(vec![n as u8; n]))
            .collect();
        let mut stream = Vec::new();
        for frame in &frames {
            stream.extend_from_slice(&FrameSplitter::prefix(&[frame.clone(), Bytes::new()]));
            stream.extend_from_slice(frame);
        }
        for step in [1, 3, 1000, 65_536, stream.len()] {
            assert_eq!(split(&stream, step).as_ref(), Ok(&frames), "step {step}");
        }
    }

    #[test]
    fn an_oversized_frame_is_refused_before_it_is_read() {
        let announced = (MAX_FRAME as u32 + 1).to_le_bytes();
        assert_eq!(split(&announced, 4), Err(WireError::TooLong));
        let mut splitter = FrameSplitter::new();
        splitter.space()[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        splitter.filled(4);
        assert!(splitter.space().len() <= MAX_FRAME + PREFIX);
    }
}
