//! A message between machines, and what it says in words.

use bytes::Bytes;
use isis_core::broadcast::{Completion, Control, Gbcast, Message, Stamped};
use isis_core::ids::Site;
use isis_core::machine::{Lane, Packet};
use isis_core::wire;

use crate::engine::digest;

/// A message, once it is sent; kept for ever.
pub struct Letter {
    pub digest: u128,
    pub from: Site,
    pub lane: Lane,
    pub bytes: Bytes,
    pub words: String,
}

impl Letter {
    pub fn new(from: Site, lane: Lane, packet: &Packet) -> Letter {
        let bytes = Bytes::from([&packet.head[..], &packet.body[..]].concat());
        let stamped: Stamped = wire::decode_exact(&packet.head).expect("a machine's own message");
        let digest = digest(&(from, lane, &bytes));
        let words = words(from, &stamped.message);
        Letter {
            digest,
            from,
            lane,
            bytes,
            words,
        }
    }
}

/// What a message is, and the body of a BCAST or OBCAST that is not of the site that sends it.
fn words(from: Site, message: &Message) -> String {
    let passed = |sender: Site| match sender == from {
        true => "",
        false => " passed on",
    };
    match message {
        Message::Bcast(m) => format!("bcast {}{}", m.id, passed(m.id.sender.site)),
        Message::Obcast(m) => {
            let what = if m.whole { "obcast" } else { "header" };
            format!("{what} {}{}", m.id, passed(m.id.sender.site))
        }
        Message::Control(control) => control_words(from, control),
        Message::Gbcast(run) => run_words(run),
        Message::Completion(completion) => completion_words(completion),
    }
}

fn control_words(from: Site, control: &Control) -> String {
    let finals = control.finals.iter().flat_map(|run| run.iter());
    let others = finals.filter(|(id, _, _)| id.sender.site != from).count();
    let parts = [
        ("proposals", control.proposals.len()),
        ("finals", control.finals.len()),
        ("finals-of-others", others),
        ("received", control.received.len()),
        ("placed", control.placed.len()),
        ("pulls", control.pulls.len()),
        ("known", control.finals_known.len()),
        ("floors", control.floors.len()),
    ];
    let present = parts.iter().filter(|(_, n)| *n > 0);
    present.fold("control".into(), |all, (word, _)| format!("{all} {word}"))
}

fn run_words(run: &Gbcast) -> String {
    let text = format!("{run:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    format!("run {}", text[..end.unwrap_or(text.len())].to_lowercase())
}

fn completion_words(completion: &Completion) -> String {
    match completion {
        Completion::PushEnd { .. } => "push end".into(),
        Completion::Report(_) => "report".into(),
        Completion::Decision(decisions) if decisions.len() > 1 => "decision repeating".into(),
        Completion::Decision(_) => "decision".into(),
        Completion::Stored => "stored".into(),
        Completion::Go => "go".into(),
        Completion::Directory(_) => "directory".into(),
    }
}
