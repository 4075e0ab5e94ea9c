//! O5: an OBCAST waits for nothing that does not precede it. White box: what its sender's endpoint
//! says it comes after, and what it was placed after.

use std::convert::Infallible;

use isis_core::audit::history::History;
use isis_core::audit::trace::What;
use isis_core::ids::{Class, MessageId};

pub fn check(history: &History<'_>) -> Result<(), String> {
    let before = all_before(history);
    for (at, record) in history.records.iter().enumerate() {
        let (id, after) = match &record.what {
            What::Send(m) => (m.id, &m.after),
            What::Placed(_, id, after) => (*id, after),
            _ => continue,
        };
        let precedes = |first: MessageId| {
            let numbers = (history.number(first), history.number(id));
            matches!(numbers, (Some(a), Some(b)) if before[b].has(a))
        };
        if id.class == Class::Obcast
            && let Some(first) = after.iter().find(|first| !precedes(**first))
        {
            return Err(format!("{first} does not precede: {}", history.text(at)));
        }
    }
    Ok(())
}

/// For every broadcast, what precedes it. A simulated run is short enough for that.
fn all_before(history: &History<'_>) -> Vec<Numbers> {
    let mut before = vec![Numbers::default(); history.broadcasts.len()];
    let found = |n: usize, all: &Numbers| {
        before[n] = all.clone();
        Ok::<(), Infallible>(())
    };
    let all = history.precedes.sum_up(Numbers::one, Numbers::join, found);
    all.unwrap_or_else(|never| match never {});
    before
}

/// A set of numbers, as bits.
#[derive(Clone, Debug, Default)]
struct Numbers(Vec<u64>);

impl Numbers {
    fn one(n: usize) -> Numbers {
        let mut words = vec![0; n / 64 + 1];
        words[n / 64] = 1 << (n % 64);
        Numbers(words)
    }

    fn join(&mut self, other: &Numbers) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    fn has(&self, n: usize) -> bool {
        self.0
            .get(n / 64)
            .is_some_and(|word| word >> (n % 64) & 1 == 1)
    }
}

#[test]
fn rejects_waiting_for_another_stream() {
    use isis_core::audit::trace::{Sent, Trace};
    use isis_core::delivery::{Label, Olabel};
    use isis_core::ids::{Incarnation, ProcessId, Site, SiteId};
    use isis_core::machine::broadcast::Address;
    let site = Site {
        id: SiteId(0),
        incarnation: Incarnation(1),
    };
    let sender = ProcessId { site, index: 1 };
    let mut trace = Trace::default();
    let mut send = |seq, stream: &str, after| {
        let id = MessageId {
            sender,
            class: Class::Obcast,
            seq,
        };
        let sent = Sent {
            id,
            to: Address::List(vec![sender]),
            label: Label::Obcast(Olabel::Stream(stream.into())),
            after,
            safe: false,
            length: 0,
            digest: 0,
        };
        trace.add(seq, What::Send(sent));
        id
    };
    let a = send(1, "x", Vec::new());
    let b = send(2, "x", vec![a]);
    let c = send(3, "y", Vec::new());
    trace.add(4, What::Placed(sender, b, vec![a]));
    assert_eq!(check(&History::new(&trace)), Ok(()));
    trace.add(5, What::Placed(sender, c, vec![a]));
    assert!(check(&History::new(&trace)).is_err());
}
