//! A descriptor for poll loops: readable as long as an event waits (level-triggered).

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use isis_core::runtime::Notifier;
use parking_lot::Mutex;

/// One end of a socket pair that has a byte to read exactly while an event waits, in the library's
/// queue or among those held here.
pub struct Descriptor {
    reader: UnixStream,
    writer: UnixStream,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    queued: bool,
    held: bool,
    shown: bool,
}

impl Descriptor {
    /// A new pair.
    pub fn new() -> std::io::Result<Descriptor> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Descriptor {
            reader,
            writer,
            waiting: Mutex::default(),
        })
    }

    /// The number for poll, select and their like. Never to be read from.
    pub fn fileno(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Events are held outside the library's queue, or no longer.
    pub fn set_held(&self, held: bool) {
        self.change(|waiting| waiting.held = held);
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting.lock();
        change(&mut waiting);
        let wanted = waiting.queued || waiting.held;
        if wanted == waiting.shown {
            return;
        }
        // The pair holds one byte at most, so that neither call can find it full or empty.
        let done = if wanted {
            (&self.writer).write(&[1])
        } else {
            (&self.reader).read(&mut [0])
        };
        if done.is_ok() {
            waiting.shown = wanted;
        }
    }
}

impl Notifier for Descriptor {
    fn raise(&self) {
        self.change(|waiting| waiting.queued = true);
    }

    fn clear(&self) {
        self.change(|waiting| waiting.queued = false);
    }
}

#[cfg(test)]
impl Descriptor {
    /// Whether a poll would find it readable.
    pub fn is_shown(&self) -> bool {
        let mut byte = [0];
        let found = (&self.reader).read(&mut byte).is_ok_and(|n| n == 1);
        if found {
            assert_eq!((&self.writer).write(&byte).unwrap(), 1);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_while_an_event_waits_anywhere() {
        let d = Descriptor::new().unwrap();
        assert!(!d.is_shown());
        d.raise();
        assert!(d.is_shown());
        d.set_held(true);
        d.raise();
        d.clear();
        assert!(d.is_shown());
        d.set_held(false);
        assert!(!d.is_shown());
        d.clear();
        assert!(!d.is_shown());
    }
}
