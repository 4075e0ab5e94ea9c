//! One machine by hand: what goes in and the exact list of what comes out.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::network::{address, config, ms, site, view};
use crate::ids::{Epoch, SiteId};
use crate::link::{Counters, Transport};
use crate::machine::transport::{Connection, Effect, Input, Note};
use crate::machine::{
    Evidence, FromPeer, Lane, LinkReport, Packet, Refusal, TransportToView, ViewToTransport,
};
use crate::time::Time;
use crate::view::LeftReason;
use crate::wire::frame::{self, Content, Frame, Greeting, Status, Stream};

/// Site 1, with a clock.
struct One {
    link: Transport,
    now: Time,
}

impl One {
    fn new() -> One {
        let now = Time(5_000_000);
        let link = Transport::new(&config(SiteId(1)), site(1, 1), 3, now);
        One { link, now }
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.link.handle(self.now, input, &mut out);
        out
    }

    fn receive(&mut self, connection: u64, frame: impl Into<Bytes>) -> Vec<Effect> {
        self.input(Input::Received {
            connection: Connection(connection),
            frame: frame.into(),
        })
    }

    fn view(&mut self, request: ViewToTransport) -> Vec<Effect> {
        self.input(Input::View(request))
    }

    /// Lets the time pass, timer by timer.
    fn pass(&mut self, duration: Duration) -> Vec<Effect> {
        let end = self.now + duration;
        let mut out = Vec::new();
        while let Some(due) = self.link.deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            out.extend(self.input(Input::Timeout));
        }
        self.now = end;
        out
    }

    fn accept(&mut self, connection: u64, greeting: &Greeting) -> Vec<Effect> {
        assert_eq!(self.input(Input::Accepted(Connection(connection))), []);
        self.receive(connection, frame::greeting(greeting))
    }

    /// Site 2 is connected and all hellos are answered.
    fn with_two() -> One {
        let mut one = One::new();
        one.accept(9, &greeting(2, 1));
        one.pass(ms(150));
        one
    }
}

fn greeting(id: u32, incarnation: u64) -> Greeting {
    Greeting {
        cluster: "isis".to_string(),
        olabels: String::new(),
        epoch: None,
        from: site(id, incarnation),
        to: SiteId(1),
        to_incarnation: None,
        address: address(SiteId(id)),
        number: 1,
        received: [0; 3],
        acknowledged: [0; 3],
        authentication: Vec::new(),
    }
}

fn from_one(to: u32, to_incarnation: Option<u64>) -> Greeting {
    Greeting {
        from: site(1, 1),
        to: SiteId(to),
        to_incarnation: to_incarnation.map(crate::ids::Incarnation),
        address: address(SiteId(1)),
        ..greeting(1, 1)
    }
}

fn transmit(connection: u64, head: Bytes, body: Bytes) -> Effect {
    Effect::Transmit {
        connection: Connection(connection),
        frame: [head, body],
    }
}

fn hello(now: Time) -> Bytes {
    frame::status(&Status {
        stamp: Some(now.0),
        ..Status::default()
    })
}

fn close(connection: u64) -> Effect {
    Effect::Close(Connection(connection))
}

fn report(report: LinkReport) -> Effect {
    Effect::ToView(TransportToView::Report(report))
}

fn up(id: u32, incarnation: u64) -> Effect {
    report(LinkReport::Up {
        site: site(id, incarnation),
        address: address(SiteId(id)),
        epoch: None,
    })
}

fn lost(id: u32, incarnation: u64, evidence: Evidence) -> Effect {
    let site = site(id, incarnation);
    report(LinkReport::Lost { site, evidence })
}

fn garbage(what: &str) -> Effect {
    let what = what.to_string();
    Effect::Note(Note::Garbage { what })
}

fn refused(id: u32, reason: &str) -> Effect {
    Effect::Note(Note::Refused {
        peer: Some(SiteId(id)),
        reason: reason.to_string(),
        left: false,
    })
}

fn connect(id: u32) -> Effect {
    Effect::Connect {
        peer: SiteId(id),
        address: address(SiteId(id)),
    }
}

fn message(text: &'static str) -> Packet {
    Packet {
        head: Bytes::from_static(text.as_bytes()),
        body: Bytes::new(),
    }
}

/// A frame as a peer would send it.
fn packed(lane: Lane, seq: u64, after: [u64; 2], texts: &[&str]) -> Bytes {
    let mut content = Vec::new();
    for text in texts {
        content.push(text.len() as u8);
        content.extend_from_slice(text.as_bytes());
    }
    frame::stream(lane, false, seq, &after, &[0; 3], &content)
}

fn delivered(text: &'static str) -> Effect {
    Effect::Deliver(FromPeer {
        from: site(2, 1),
        message: Bytes::from_static(text.as_bytes()),
    })
}

fn send(lane: Lane, text: &'static str) -> Input {
    Input::Send {
        to: vec![site(2, 1), site(3, 1)],
        lane,
        packet: message(text),
    }
}

#[test]
fn a_greeting_is_answered_and_the_peer_is_up() {
    let mut one = One::new();
    let effects = one.accept(9, &greeting(2, 1));
    let answer = frame::answer(&from_one(2, Some(1)));
    let expected = [
        up(2, 1),
        transmit(9, answer, Bytes::new()),
        transmit(9, hello(one.now), Bytes::new()),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn a_seed_is_dialled_and_greeted_and_its_answer_makes_a_session() {
    let mut one = One::new();
    let seeds = vec![(SiteId(2), address(SiteId(2)))];
    assert_eq!(one.view(ViewToTransport::Seek(seeds)), [connect(2)]);
    let effects = one.input(Input::Connected {
        connection: Connection(4),
        peer: SiteId(2),
    });
    let ours = frame::greeting(&from_one(2, None));
    assert_eq!(effects, [transmit(4, ours.clone(), Bytes::new())]);
    // Over datagrams it may be lost.
    assert_eq!(one.pass(ms(250)), [transmit(4, ours, Bytes::new())]);
    let effects = one.receive(4, frame::answer(&greeting(2, 1)));
    assert_eq!(
        effects,
        [up(2, 1), transmit(4, hello(one.now), Bytes::new())]
    );
    assert_eq!(one.receive(4, frame::answer(&greeting(2, 1))), []);
}

#[test]
fn a_seed_that_refuses_is_reported_once_and_tried_again() {
    let mut one = One::new();
    let seeds = vec![(SiteId(2), address(SiteId(2)))];
    one.view(ViewToTransport::Seek(seeds));
    let failed = Input::ConnectFailed {
        peer: SiteId(2),
        refused: true,
        cause: "connection refused".to_string(),
    };
    let unreachable = report(LinkReport::Unreachable {
        peer: SiteId(2),
        cause: "connection refused".to_string(),
    });
    assert_eq!(one.input(failed.clone()), [unreachable]);
    let mut attempts = 0;
    for _ in 0..100 {
        let effects = one.pass(ms(100));
        if effects == [connect(2)] {
            attempts += 1;
            assert_eq!(one.input(failed.clone()), []);
        }
    }
    assert!((5..20).contains(&attempts), "{attempts} in ten seconds");
    // Nobody wants it any more.
    one.view(ViewToTransport::Seek(Vec::new()));
    assert_eq!(one.pass(ms(10_000)), []);
    assert_eq!(one.link.deadline(), None);
}

#[test]
fn refusals_name_their_reason_to_both_sides() {
    let cluster = Greeting {
        cluster: "other".to_string(),
        ..greeting(2, 1)
    };
    let wrong = Greeting {
        to: SiteId(7),
        ..greeting(2, 1)
    };
    let proof = Greeting {
        authentication: vec![1],
        ..greeting(2, 1)
    };
    let order = Greeting {
        olabels: "versions".to_string(),
        ..greeting(2, 1)
    };
    let none = String::new();
    let own_id = greeting(1, 2);
    let ours = "isis".to_string();
    let cases = [
        (cluster, Refusal::Cluster { ours }, "my cluster is \"isis\""),
        (
            wrong,
            Refusal::WrongSite { ours: SiteId(1) },
            "I am site 1: the address is wrong, or an id is used twice",
        ),
        (proof, Refusal::Authentication, "authentication failed"),
        (
            order,
            Refusal::Olabels { ours: none },
            "I have no comparison of olabels registered",
        ),
        (own_id, Refusal::Duplicate, "another live site has this id"),
    ];
    for (greeting, refusal, words) in cases {
        let mut one = One::new();
        let effects = one.accept(9, &greeting);
        let id = greeting.from.id.0;
        let told = transmit(9, frame::refusal(&refusal), Bytes::new());
        assert_eq!(effects, [told, refused(id, words), close(9)]);
        assert_eq!(one.link.counters().refusals, 1);
        assert_eq!(one.link.deadline(), None);
    }
}

#[test]
fn a_peer_without_a_common_version_is_refused_before_it_is_understood() {
    let mut one = One::new();
    one.input(Input::Accepted(Connection(9)));
    let foreign = b"\x01ISIS\x07\x00\x09\x00and then what nobody here can read";
    let effects = one.receive(9, Bytes::from_static(foreign));
    let refusal = frame::refusal(&Refusal::Version {
        ours: frame::VERSIONS,
    });
    let note = Effect::Note(Note::Refused {
        peer: None,
        reason: "I speak versions 1 to 1".to_string(),
        left: false,
    });
    let told = transmit(9, refusal, Bytes::new());
    assert_eq!(effects, [told, note, close(9)]);
}

#[test]
fn a_refusal_reaches_the_view_machine_with_its_view() {
    let mut one = One::new();
    let seeds = vec![(SiteId(2), address(SiteId(2)))];
    one.view(ViewToTransport::Seek(seeds));
    one.input(Input::Connected {
        connection: Connection(4),
        peer: SiteId(2),
    });
    let reason = Refusal::Dead(view(3, &[site(2, 1)]).into());
    let effects = one.receive(4, frame::refusal(&reason));
    let words = "it says: you are dead since view 3";
    let expected = [
        report(LinkReport::Refused {
            peer: SiteId(2),
            reason,
        }),
        refused(2, words),
        close(4),
        report(LinkReport::Unreachable {
            peer: SiteId(2),
            cause: words.to_string(),
        }),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn views_of_different_epochs_refuse_each_other() {
    let mut one = One::new();
    one.view(ViewToTransport::Install(view(0, &[site(1, 1)])));
    let stranger = Greeting {
        epoch: Some(Epoch(8)),
        ..greeting(2, 1)
    };
    let effects = one.accept(9, &stranger);
    let refusal = frame::refusal(&Refusal::Epoch);
    assert_eq!(effects[0], transmit(9, refusal, Bytes::new()));
    assert_eq!(effects[2], close(9));
}

#[test]
fn a_view_tells_the_excluded_that_they_are_dead_for_ever() {
    let mut one = One::with_two();
    let both = view(0, &[site(1, 1), site(2, 1)]);
    one.view(ViewToTransport::Install(both.clone()));
    one.input(send(Lane::Data, "to the dead"));
    let mut without = view(1, &[site(1, 1)]);
    without.highest = both.highest;
    let effects = one.view(ViewToTransport::Install(without.clone()));
    let dead = frame::refusal(&Refusal::Dead(without.into()));
    let words = refused(2, "you are dead since view 1");
    let told = |c| {
        [
            transmit(c, dead.clone(), Bytes::new()),
            words.clone(),
            close(c),
        ]
    };
    assert_eq!(effects, told(9));
    assert!(one.link.is_idle());
    assert_eq!(one.accept(10, &greeting(2, 1)), told(10));
    // The next incarnation may come.
    assert_eq!(one.accept(11, &greeting(2, 2))[0], up(2, 2));
}

#[test]
fn who_left_as_it_wished_is_refused_like_that() {
    let mut one = One::with_two();
    let both = view(0, &[site(1, 1), site(2, 1)]);
    one.view(ViewToTransport::Install(both.clone()));
    let mut without = view(1, &[site(1, 1)]);
    without.highest = both.highest;
    without.left = vec![(site(2, 1), LeftReason::Asked)];
    let left = |effects: &[Effect]| {
        effects
            .iter()
            .any(|e| matches!(e, Effect::Note(Note::Refused { left: true, .. })))
    };
    assert!(left(&one.view(ViewToTransport::Install(without))));
    assert!(left(&one.accept(10, &greeting(2, 1))));
}

#[test]
fn messages_are_packed_when_they_are_flushed_together() {
    let mut one = One::with_two();
    let mut out = Vec::new();
    for text in ["one", "two"] {
        one.link.feed(one.now, send(Lane::Data, text), &mut out);
    }
    one.link
        .feed(one.now, send(Lane::Control, "three"), &mut out);
    one.link.flush(one.now, &mut out);
    let control = frame::stream(Lane::Control, false, 1, &[0, 0], &[0; 3], &[]);
    let data = frame::stream(Lane::Data, false, 1, &[1, 0], &[0; 3], &[]);
    let expected = [
        transmit(9, control, Bytes::from_static(b"\x05three")),
        transmit(9, data, Bytes::from_static(b"\x03one\x03two")),
    ];
    assert_eq!(out, expected);
    assert!(!one.link.is_idle());
    assert_eq!(one.link.backlog(site(2, 1)), (2, 14));
    let acks = Status {
        acks: [1, 1, 0],
        ..Status::default()
    };
    assert_eq!(one.receive(9, frame::status(&acks)), []);
    assert!(one.link.is_idle());
}

#[test]
fn frames_are_taken_in_the_order_of_the_lane_rule() {
    let mut one = One::with_two();
    let bulk = packed(Lane::Bulk, 1, [1, 2], &["bulk"]);
    assert_eq!(one.receive(9, bulk), []);
    let second = packed(Lane::Data, 2, [1, 0], &["d3"]);
    assert_eq!(one.receive(9, second.clone()), []);
    let first = packed(Lane::Data, 1, [0, 0], &["d1", "d2"]);
    assert_eq!(one.receive(9, first), [delivered("d1"), delivered("d2")]);
    let control = packed(Lane::Control, 1, [0, 0], &["c"]);
    let expected = [delivered("c"), delivered("d3"), delivered("bulk")];
    assert_eq!(one.receive(9, control), expected);
    // A little later all of it is acknowledged; what comes again is only that.
    let acks = frame::status(&Status {
        acks: [1, 2, 1],
        ..Status::default()
    });
    let acknowledged = [transmit(9, acks, Bytes::new())];
    assert_eq!(one.pass(ms(5)), acknowledged);
    assert_eq!(one.receive(9, second), acknowledged);
}

#[test]
fn withheld_frames_are_neither_handed_up_nor_acknowledged() {
    let mut one = One::with_two();
    let withhold = |token, sites: &[_]| ViewToTransport::Withhold {
        token,
        sites: sites.iter().copied().collect(),
    };
    let withheld = |token| Effect::ToView(TransportToView::Withheld { token });
    assert_eq!(one.view(withhold(7, &[site(2, 1)])), [withheld(7)]);
    let data = packed(Lane::Data, 1, [0, 0], &["held"]);
    assert_eq!(one.receive(9, data.clone()), []);
    assert_eq!(one.receive(9, data), []);
    assert_eq!(one.pass(ms(50)), []);
    // Hellos and view messages pass.
    let asked = one.receive(9, hello(Time(77)));
    let echo = Status {
        echo: Some(77),
        ..Status::default()
    };
    assert_eq!(asked, [transmit(9, frame::status(&echo), Bytes::new())]);
    let passed = Effect::ToView(TransportToView::Message {
        from: site(2, 1),
        message: Bytes::from_static(b"vote"),
    });
    assert_eq!(one.receive(9, Bytes::from_static(b"\x11vote")), [passed]);
    assert_eq!(one.view(withhold(8, &[])), [withheld(8), delivered("held")]);
    assert_eq!(one.pass(ms(5)).len(), 1, "acknowledged");
}

#[test]
fn view_messages_go_at_once_or_are_lost() {
    let mut one = One::with_two();
    let send = |id| ViewToTransport::Send {
        to: site(id, 1),
        message: Bytes::from_static(b"vote"),
    };
    let sent = transmit(9, Bytes::from_static(b"\x11"), Bytes::from_static(b"vote"));
    assert_eq!(one.view(send(2)), [sent]);
    assert_eq!(one.view(send(3)), []);
}

#[test]
fn silence_is_reported_and_taken_back() {
    let mut one = One::with_two();
    let effects = one.pass(ms(2000));
    let said = effects
        .iter()
        .filter(|e| !matches!(e, Effect::Transmit { .. }));
    assert!(said.eq(&[lost(2, 1, Evidence::Silence)]), "{effects:?}");
    let quiet: Vec<_> = one.pass(ms(3000));
    assert!(quiet.iter().all(|e| matches!(e, Effect::Transmit { .. })));
    assert_eq!(one.receive(9, hello(Time(1)))[0], up(2, 1));
}

#[test]
fn a_member_that_is_silent_is_dialled_anew() {
    let mut one = One::with_two();
    one.view(ViewToTransport::Install(view(0, &[site(1, 1), site(2, 1)])));
    let effects = one.pass(ms(2000));
    let said = effects
        .iter()
        .filter(|e| !matches!(e, Effect::Transmit { .. }));
    let expected = [lost(2, 1, Evidence::Silence), connect(2)];
    assert!(said.eq(&expected), "{effects:?}");
}

#[test]
fn an_own_pause_is_nobodys_silence() {
    let mut one = One::with_two();
    let due = one.link.deadline().expect("hellos");
    one.now = due + ms(60_000);
    let effects = one.input(Input::Timeout);
    let pause = Effect::Note(Note::OwnPause { micros: 60_000_000 });
    assert_eq!(effects, [pause, transmit(9, hello(one.now), Bytes::new())]);
    let later = one.pass(ms(1500));
    assert!(later.iter().all(|e| matches!(e, Effect::Transmit { .. })));
}

#[test]
fn an_own_pause_before_a_flush_is_noticed_too() {
    let mut one = One::with_two();
    let mut out = Vec::new();
    one.link.feed(one.now, send(Lane::Data, "x"), &mut out);
    one.link.flush(one.now + ms(60_000), &mut out);
    let pause = Effect::Note(Note::OwnPause { micros: 60_000_000 });
    assert_eq!(out[0], pause);
    assert!(
        out.iter().all(|e| !matches!(e, Effect::ToView(_))),
        "{out:?}"
    );
}

#[test]
fn a_broken_connection_is_made_again_at_once_and_goes_on_where_it_was() {
    let mut one = One::with_two();
    one.input(send(Lane::Data, "kept"));
    one.receive(9, packed(Lane::Data, 1, [0, 0], &["d1"]));
    let broken = Input::Closed {
        connection: Connection(9),
        by_peer: true,
    };
    assert_eq!(one.input(broken), [connect(2)]);
    let effects = one.input(Input::Connected {
        connection: Connection(10),
        peer: SiteId(2),
    });
    let ours = Greeting {
        number: 2,
        received: [0, 1, 0],
        ..from_one(2, Some(1))
    };
    assert_eq!(
        effects,
        [transmit(10, frame::greeting(&ours), Bytes::new())]
    );
    let theirs = Greeting {
        number: 2,
        to_incarnation: Some(site(1, 1).incarnation),
        acknowledged: [0, 1, 0],
        ..greeting(2, 1)
    };
    let again = frame::stream(Lane::Data, false, 1, &[0, 0], &[0, 1, 0], &[]);
    let hello = Status {
        acks: [0, 1, 0],
        stamp: Some(one.now.0),
        echo: None,
    };
    let expected = [
        Effect::Note(Note::Resumed { with: site(2, 1) }),
        transmit(10, frame::status(&hello), Bytes::new()),
        transmit(10, again, Bytes::from_static(b"\x04kept")),
    ];
    assert_eq!(one.receive(10, frame::answer(&theirs)), expected);
}

#[test]
fn a_refused_reconnect_is_evidence() {
    let mut one = One::with_two();
    let broken = Input::Closed {
        connection: Connection(9),
        by_peer: true,
    };
    assert_eq!(one.input(broken), [connect(2)]);
    let effects = one.input(Input::ConnectFailed {
        peer: SiteId(2),
        refused: true,
        cause: "connection refused".to_string(),
    });
    assert_eq!(effects[1], lost(2, 1, Evidence::Refused));
}

#[test]
fn a_second_site_of_an_id_is_refused_while_the_first_answers() {
    let mut one = One::with_two();
    let effects = one.accept(10, &greeting(2, 5));
    assert_eq!(effects, [transmit(9, hello(one.now), Bytes::new())]);
    let alive = Status {
        echo: Some(one.now.0),
        ..Status::default()
    };
    let told = transmit(10, frame::refusal(&Refusal::Duplicate), Bytes::new());
    let words = refused(2, "another live site has this id");
    let expected = [told, words, close(10)];
    assert_eq!(one.receive(9, frame::status(&alive)), expected);
}

#[test]
fn a_later_incarnation_buries_one_that_does_not_answer() {
    for breaks in [true, false] {
        let mut one = One::with_two();
        one.accept(10, &greeting(2, 5));
        let effects = if breaks {
            one.input(Input::Closed {
                connection: Connection(9),
                by_peer: true,
            })
        } else {
            one.pass(ms(1000))
        };
        let buried = effects
            .iter()
            .position(|e| *e == lost(2, 1, Evidence::Restarted));
        let admitted = effects.iter().position(|e| *e == up(2, 5));
        assert!(buried.is_some() && buried < admitted, "{effects:?}");
        // The earlier one cannot come back.
        let effects = one.accept(11, &greeting(2, 1));
        assert_eq!(effects[1], refused(2, "another live site has this id"));
    }
}

#[test]
fn garbage_closes_the_connection() {
    let empty = b"".as_slice();
    for (bytes, what) in [
        (empty, "malformed"),
        (b"GET / HTTP/1.1\r\n", "malformed"),
        (b"\x10\x00\x00\x00\x00", "not a handshake"),
        (b"\x01ISIS\x01\x00\x01\x00", "malformed"),
        (b"\x02JSIS\x01\x00\x01\x00", "malformed"),
    ] {
        let mut one = One::new();
        one.input(Input::Accepted(Connection(9)));
        let effects = one.receive(9, Bytes::from_static(bytes));
        assert_eq!(effects, [garbage(what), close(9)]);
        assert_eq!(one.receive(9, Bytes::from_static(bytes)), []);
    }
}

#[test]
fn impossible_frames_close_an_established_connection() {
    let beyond = frame::status(&Status {
        acks: [0, 9, 0],
        ..Status::default()
    });
    let fragment =
        |seq, total: u8| frame::stream(Lane::Bulk, true, seq, &[0, 0], &[0; 3], &[total, b'x']);
    let mixed = [fragment(1, 9), packed(Lane::Bulk, 2, [0, 0], &["whole"])];
    let changed = [fragment(1, 9), fragment(2, 8)];
    for frames in [&[beyond][..], &mixed, &changed] {
        let mut one = One::with_two();
        let effects: Vec<_> = frames
            .iter()
            .flat_map(|f| one.receive(9, f.clone()))
            .collect();
        let expected = [garbage("a frame out of place"), close(9)];
        assert_eq!(effects[..2], expected);
        let garbage = 1;
        assert_eq!(
            one.link.counters(),
            Counters {
                garbage,
                ..Counters::default()
            }
        );
    }
}

#[test]
fn half_open_connections_are_bounded_in_number_and_time() {
    let mut one = One::new();
    for connection in 0..64 {
        assert_eq!(one.input(Input::Accepted(Connection(connection))), []);
    }
    let effects = one.input(Input::Accepted(Connection(64)));
    assert_eq!(
        effects,
        [garbage("too many half-open connections"), close(0)]
    );
    let effects = one.pass(ms(5000));
    assert_eq!(effects.len(), 2 * 64);
    assert_eq!(effects[..2], [garbage("no greeting in time"), close(1)]);
    assert_eq!(one.link.deadline(), None);
}

#[test]
fn a_peer_cannot_fill_our_memory_with_early_frames() {
    let mut one = One::with_two();
    let content = String::from_utf8(vec![b'x'; 100]).expect("text");
    for seq in (2..5000).chain([u64::MAX]) {
        one.receive(9, packed(Lane::Data, seq, [0, 0], &[&content]));
    }
    let effects = one.receive(9, packed(Lane::Data, 1, [0, 0], &["first"]));
    let handed_up = effects.iter().filter(|e| matches!(e, Effect::Deliver(_)));
    assert_eq!(handed_up.count(), 1024);
}

#[test]
fn decoding_a_stream_shares_the_frame() {
    let frame = packed(Lane::Data, 1, [0, 0], &["shared"]);
    let Ok(Frame::Stream(Stream {
        content: Content::Pack(pack),
        ..
    })) = frame::decode(&frame)
    else {
        panic!("a pack");
    };
    let message = frame::messages(&pack).next().expect("one");
    assert!(frame.as_ptr_range().contains(&message.as_ptr()));
}
