//! Bad traces are made of these.

use isis_core::audit::trace::{Trace, What};
use isis_core::ids::{Class, Incarnation, MessageId, ProcessId, Site, SiteId};

/// The process of the site of this number.
pub fn process(site: u32) -> ProcessId {
    let site = Site {
        id: SiteId(site),
        incarnation: Incarnation(1),
    };
    ProcessId { site, index: 1 }
}

pub fn obcast(site: u32, seq: u64) -> MessageId {
    MessageId {
        sender: process(site),
        class: Class::Obcast,
        seq,
    }
}

/// One thing a microsecond.
pub fn trace<const N: usize>(whats: [What; N]) -> Trace {
    let mut trace = Trace::default();
    for (at, what) in (1..).zip(whats) {
        trace.add(at, what);
    }
    trace
}
