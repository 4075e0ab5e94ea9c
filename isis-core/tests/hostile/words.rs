//! Saying things in a peer's name, and what came of it.

use bytes::Bytes;
use isis_core::broadcast::{Bcast, Completion, Decision, Message, Obcast, SiteSet, Stamped, To};
use isis_core::delivery::Olabel;
use isis_core::ids::{Class, MessageId, ProcessId};
use isis_core::machine::FromPeer;
use isis_core::machine::broadcast::{Input, Note};
use isis_core::wire;

use crate::cluster::{Cluster, site};

pub fn id(sender: ProcessId, class: Class, seq: u64) -> MessageId {
    MessageId { sender, class, seq }
}

/// The set of these ranks.
pub fn ranks(of: &[usize]) -> SiteSet {
    let mut set = SiteSet::default();
    of.iter().for_each(|r| set.insert(*r));
    set
}

/// A BCAST to this list, which names these sites.
pub fn bcast(sender: ProcessId, seq: u64, list: &[ProcessId], sites: &[usize]) -> Message {
    Message::Bcast(Bcast {
        id: id(sender, Class::Bcast, seq),
        origin: seq,
        label: "l".into(),
        to: To::List(list.to_vec()),
        sites: ranks(sites),
        clock: 0,
        after: vec![],
        safe: false,
        payload: Bytes::from_static(b"hostile"),
    })
}

/// An OBCAST to this list, which names these sites.
pub fn obcast(
    sender: ProcessId,
    seq: u64,
    list: &[ProcessId],
    sites: &[usize],
    after: &[MessageId],
) -> Message {
    Message::Obcast(Obcast {
        id: id(sender, Class::Obcast, seq),
        olabel: Olabel::Causal,
        to: To::List(list.to_vec()),
        sites: ranks(sites),
        back: 0,
        others: after.to_vec(),
        whole: true,
        payload: Bytes::from_static(b"hostile"),
    })
}

/// A decision of this view about nothing.
pub fn decision(view: u64) -> Decision {
    Decision {
        view,
        clock: 1,
        finals: vec![],
        records: vec![],
        joining: vec![],
    }
}

impl Cluster {
    /// Site `from` says this to site `to`, stamped with a view, whatever its own machine thinks.
    pub fn say(&mut self, from: u32, to: u32, view: u64, message: Message) {
        let body = message.body();
        let head = wire::encode(&Stamped { view, message });
        let message = Bytes::from([&head[..], &body[..]].concat());
        let from = site(from);
        self.step(site(to), Input::Receive(FromPeer { from, message }));
    }

    pub fn say_completion(&mut self, from: u32, to: u32, view: u64, message: Completion) {
        self.say(from, to, view, Message::Completion(message));
    }

    /// How often a site has called a peer's words malformed.
    pub fn refusals(&self, at: u32, from: u32) -> usize {
        let note = (site(at), Note::Malformed { from: site(from) });
        self.notes.iter().filter(|n| **n == note).count()
    }

    /// Two honest sites can still do everything with each other: in a group of new processes, which
    /// none of the lies so far was about.
    pub fn assert_carries_on(&mut self, sites: &[u32]) {
        let members: Vec<ProcessId> = sites.iter().map(|s| self.open(site(*s), 9)).collect();
        let group = self.group("afterwards", &members);
        use isis_core::machine::broadcast::Address;
        for p in &members {
            self.bcast(*p, Address::Group(group), "l", &format!("{p}"));
            self.obcast(*p, Address::Group(group), Olabel::Causal, &format!("{p}"));
            self.gbcast(*p, group, &format!("{p}"));
        }
        for p in &members {
            self.flush(*p);
        }
        self.run();
        for p in &members {
            let log = self.log(*p);
            for q in &members {
                for kind in ["b", "o", "g"] {
                    assert!(self.has(*p, &format!("{kind}:{q}")), "{p}: {log:?}");
                }
            }
            assert!(self.has(*p, "Flushed"), "{p}: {log:?}");
        }
    }
}
