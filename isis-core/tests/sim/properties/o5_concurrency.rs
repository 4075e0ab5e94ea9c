//! O5: an OBCAST waits for nothing that does not precede it. White box: what its sender's endpoint
//! says it comes after, and what it was placed after.

use isis_core::audit::history::History;
use isis_core::audit::trace::What;
use isis_core::ids::{Class, MessageId};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (at, record) in history.records.iter().enumerate() {
        let (id, after) = match &record.what {
            What::Send(m) => (m.id, &m.after),
            What::Placed(_, id, after) => (*id, after),
            _ => continue,
        };
        let stranger = |first: &&MessageId| !history.precedes.holds(**first, id);
        if id.class == Class::Obcast
            && let Some(first) = after.iter().find(stranger)
        {
            return Err(format!("{first} does not precede: {}", history.text(at)));
        }
    }
    Ok(())
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
