//! The frame layouts, byte by byte, and what any bytes may do to the decoder: nothing.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::WireError;
use super::frame::{self, Content, Frame, Greeting, MAX_FRAME, PerLane, Status, Stream};
use crate::ids::{Epoch, Incarnation, Site, SiteId};
use crate::machine::{Lane, Refusal};

fn site(id: u32, incarnation: u64) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(incarnation),
    }
}

fn greeting() -> Greeting {
    Greeting {
        cluster: "isis".to_string(),
        olabels: "v".to_string(),
        epoch: Some(Epoch(0x0102_0304)),
        from: site(3, 1000),
        to: SiteId(1),
        to_incarnation: Some(Incarnation(7)),
        address: "a:1".to_string(),
        number: 2,
        received: [1, 2, 300],
        acknowledged: [4, 5, 6],
        authentication: vec![0xaa, 0xbb],
    }
}

/// A frame in one piece.
fn whole(head: Bytes, body: &'static [u8]) -> Bytes {
    Bytes::from([&head[..], body].concat())
}

fn stream(lane: Lane, seq: u64, after: [u64; 2], acks: PerLane, content: Content) -> Frame {
    Frame::Stream(Stream {
        lane,
        seq,
        after,
        acks,
        content,
    })
}

/// Layouts are promises to sites that run another version: a change here needs a new version.
#[test]
fn golden_frames() {
    let status = Status {
        acks: [1, 0, 200],
        stamp: Some(3),
        echo: Some(128),
    };
    let pack = whole(
        frame::stream(Lane::Bulk, false, 5, &[1, 2], &[3, 4, 130], b"\x02h"),
        b"i\x00",
    );
    let data = frame::stream(Lane::Data, true, 6, &[1, 0], &[0, 0, 0], b"\x09");
    let fragment = whole(data, b"piece");
    let pack_content = Content::Pack(Bytes::from_static(b"\x02hi\x00"));
    let piece = Content::Fragment {
        total: 9,
        bytes: Bytes::from_static(b"piece"),
    };
    let golden: [(&[u8], Bytes, Frame); 7] = [
        (
            b"\x01ISIS\x01\x00\x01\x00\x04isis\x01v\x01\xfc\x04\x03\x02\x01\x03\xfb\xe8\x03\x01\x01\x07\
              \x03a:1\x02\x01\x02\xfb\x2c\x01\x04\x05\x06\x02\xaa\xbb",
            frame::greeting(&greeting()),
            Frame::Greeting(greeting()),
        ),
        (
            b"\x02ISIS\x01\x00\x01\x00\x04isis\x01v\x01\xfc\x04\x03\x02\x01\x03\xfb\xe8\x03\x01\x01\x07\
              \x03a:1\x02\x01\x02\xfb\x2c\x01\x04\x05\x06\x02\xaa\xbb",
            frame::answer(&greeting()),
            Frame::Answer(greeting()),
        ),
        (
            b"\x03ISIS\x01\x00\x01\x00\x05\x09",
            frame::refusal(&Refusal::WrongSite { ours: SiteId(9) }),
            Frame::Refusal(Refusal::WrongSite { ours: SiteId(9) }),
        ),
        (
            b"\x10\x01\x00\xc8\x01\x03\x03\x80\x01",
            frame::status(&status),
            Frame::Status(status),
        ),
        (
            b"\x11vote",
            whole(frame::view(), b"vote"),
            Frame::View(Bytes::from_static(b"vote")),
        ),
        (
            b"\x22\x05\x01\x02\x03\x04\x82\x01\x02hi\x00",
            pack,
            stream(Lane::Bulk, 5, [1, 2], [3, 4, 130], pack_content),
        ),
        (
            b"\x25\x06\x01\x00\x00\x00\x09piece",
            fragment,
            stream(Lane::Data, 6, [1, 0], [0; 3], piece),
        ),
    ];
    for (bytes, encoded, frame) in golden {
        assert_eq!(encoded, bytes);
        assert_eq!(frame::decode(&Bytes::from_static(bytes)), Ok(frame));
    }
}

#[test]
fn sites_without_a_common_version_learn_just_that() {
    let decode = |bytes: &'static [u8]| frame::decode(&Bytes::from_static(bytes));
    let versions = (2, 0x0105);
    let foreign = decode(b"\x01ISIS\x02\x00\x05\x01 whatever they say there");
    assert_eq!(foreign, Ok(Frame::Foreign { versions }));
    let refusal = decode(b"\x03ISIS\x02\x00\x05\x01 whatever they say there");
    let ours = versions;
    assert_eq!(refusal, Ok(Frame::Refusal(Refusal::Version { ours })));
    // A range that includes ours has a common version.
    let wide = [b"\x03ISIS\x00\x00\x09\x00".as_slice(), &[2]].concat();
    let epoch = Frame::Refusal(Refusal::Epoch);
    assert_eq!(frame::decode(&Bytes::from(wide)), Ok(epoch));
}

#[test]
fn greetings_and_frames_are_bounded() {
    let long = Greeting {
        address: "a".repeat(5000),
        ..greeting()
    };
    let proof = Greeting {
        authentication: vec![0; 2000],
        ..greeting()
    };
    for greeting in [long, proof] {
        let decoded = frame::decode(&frame::greeting(&greeting));
        assert_eq!(decoded, Err(WireError::TooLong));
    }
    let frame = Bytes::from(vec![0x11; MAX_FRAME + 1]);
    assert_eq!(frame::decode(&frame), Err(WireError::TooLong));
    assert!(frame::decode(&frame.slice(1..)).is_ok());
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers of all lengths.
fn number(state: &mut u64) -> u64 {
    let bits = random(state) % 65;
    random(state).checked_shr(bits as u32).unwrap_or(0)
}

fn bytes(state: &mut u64, most: u64) -> Bytes {
    let length = random(state) % (most + 1);
    (0..length).map(|_| random(state) as u8).collect()
}

fn any_stream(s: &mut u64) -> (Stream, Bytes) {
    let lane = [Lane::Control, Lane::Data, Lane::Bulk][random(s) as usize % 3];
    let (seq, acks) = (number(s), [number(s), number(s), number(s)]);
    let mut after = [0; 2];
    after[..lane as usize].fill_with(|| number(s));
    let mut intro = Vec::new();
    let fragment = random(s).is_multiple_of(2);
    let content = if fragment {
        let piece = Bytes::from([&b"x"[..], &bytes(s, 50)].concat());
        let total = (piece.len() as u64).saturating_add(number(s));
        super::varint::put(&mut intro, total);
        intro.extend_from_slice(&piece);
        let bytes = piece;
        Content::Fragment { total, bytes }
    } else {
        for _ in 0..random(s) % 5 {
            let message = bytes(s, 200);
            super::varint::put(&mut intro, message.len() as u64);
            intro.extend_from_slice(&message);
        }
        Content::Pack(Bytes::from(intro.clone()))
    };
    let encoded = frame::stream(lane, fragment, seq, &after, &acks, &intro);
    let stream = Stream {
        lane,
        seq,
        after,
        acks,
        content,
    };
    (stream, encoded)
}

#[test]
fn decode_inverts_encode() {
    let state = &mut 11;
    for _ in 0..3000 {
        let (stream, encoded) = any_stream(state);
        assert_eq!(frame::decode(&encoded), Ok(Frame::Stream(stream)));
        let some = |s: &mut u64| random(s).is_multiple_of(2).then(|| number(s));
        let status = Status {
            acks: [number(state), number(state), number(state)],
            stamp: some(state),
            echo: some(state),
        };
        let encoded = frame::status(&status);
        assert_eq!(frame::decode(&encoded), Ok(Frame::Status(status)));
        let greeting = Greeting {
            cluster: "x".repeat(random(state) as usize % 100),
            olabels: "y".repeat(random(state) as usize % 100),
            epoch: some(state).map(|n| Epoch(u128::from(n) << 7)),
            from: site(number(state) as u32, number(state)),
            to_incarnation: some(state).map(Incarnation),
            number: number(state),
            received: [number(state), number(state), number(state)],
            authentication: bytes(state, 100).to_vec(),
            ..greeting()
        };
        let encoded = frame::greeting(&greeting);
        assert_eq!(frame::decode(&encoded), Ok(Frame::Greeting(greeting)));
    }
}

#[test]
fn no_bytes_make_decoding_panic() {
    const KINDS: [u8; 12] = [
        0x01, 0x02, 0x03, 0x10, 0x11, 0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
    ];
    let state = &mut 12;
    for round in 0..20_000 {
        let mut frame = match round % 3 {
            0 => bytes(state, 60).to_vec(),
            1 => any_stream(state).1.to_vec(),
            _ => frame::greeting(&greeting()).to_vec(),
        };
        for _ in 0..random(state) % 4 {
            if let Some(at) = (random(state) as usize).checked_rem(frame.len()) {
                frame[at] = random(state) as u8;
            }
        }
        if round % 3 == 0 {
            frame.insert(0, KINDS[random(state) as usize % KINDS.len()]);
        }
        frame.truncate(random(state) as usize % 400);
        if let Ok(Frame::Stream(Stream {
            content: Content::Pack(pack),
            ..
        })) = frame::decode(&Bytes::from(frame))
        {
            let taken: usize = frame::messages(&pack).map(|m| m.len()).sum();
            assert!(taken <= pack.len());
        }
    }
}
