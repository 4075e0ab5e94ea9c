//! What a fuzzer is to break, each as a function of bytes: `fuzz/fuzz_targets` drives them, and
//! `corpus` replays what is kept in `fuzz/corpus`.

use bytes::Bytes;
use isis_core::broadcast::Stamped;
use isis_core::config::Config;
use isis_core::wire::frame::{self, Content, Frame};
use isis_core::wire::{self, FrameSplitter};

use crate::choice::Choice;
use crate::{links, random, views};

/// More bytes than this make no run deeper, only slower.
const LONGEST_TAPE: usize = 4096;

/// One run over these bytes.
pub type Target = fn(&[u8]);

/// By name of its corpus.
pub const TARGETS: [(&str, Target); 5] = [
    ("wire", wire),
    ("links", links),
    ("views", views),
    ("broadcasts", broadcasts),
    ("config", config),
];

/// A stream of bytes from a socket, and a message.
pub fn wire(data: &[u8]) {
    let mut splitter = FrameSplitter::new();
    let mut rest = data;
    while !rest.is_empty() {
        let space = splitter.space();
        let n = space.len().min(rest.len()).min(100);
        space[..n].copy_from_slice(&rest[..n]);
        splitter.filled(n);
        rest = &rest[n..];
        while let Ok(Some(frame)) = splitter.next_frame() {
            decode(&frame);
        }
    }
    decode(&Bytes::copy_from_slice(data));
    if let Ok((stamped, _)) = wire::decode_prefix::<Stamped>(data) {
        let again = wire::decode_exact(&wire::encode(&stamped));
        assert_eq!(again, Ok(stamped));
    }
}

/// What decodes says the same when it is encoded and decoded again.
fn decode(bytes: &Bytes) {
    let Ok(frame) = frame::decode(bytes) else {
        return;
    };
    let again = match &frame {
        Frame::Greeting(greeting) => frame::greeting(greeting),
        Frame::Answer(greeting) => frame::answer(greeting),
        Frame::Status(status) => frame::status(status),
        Frame::Stream(stream) => {
            if let Content::Pack(pack) = &stream.content {
                let total: usize = frame::messages(pack).map(|m| m.len()).sum();
                assert!(total <= pack.len());
            }
            return;
        }
        Frame::Refusal(_) | Frame::Foreign { .. } | Frame::View(_) => return,
    };
    assert_eq!(frame::decode(&again).as_ref(), Ok(&frame));
}

/// Connections, handshakes and frames, to two transport machines that speak with each other besides.
pub fn links(data: &[u8]) {
    links::Run::new(tape(data)).run();
}

/// View machines whose messages are lost, doubled, changed and made up.
pub fn views(data: &[u8]) {
    views::Run::new(tape(data)).run();
}

/// Lies to broadcast machines, as in `random`.
pub fn broadcasts(data: &[u8]) {
    random::Run::new(tape(data)).run();
}

/// A site's configuration.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(config) = Config::from_text(&text) {
        assert_eq!(config.validate(), Ok(()));
    }
}

fn tape(data: &[u8]) -> Choice {
    Choice::tape(&data[..data.len().min(LONGEST_TAPE)])
}
