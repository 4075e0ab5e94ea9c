//! What the broadcast thread has for an endpoint.

use std::collections::BTreeMap;

use crate::delivery::Event;
use crate::ids::ProcessId;
use crate::machine::broadcast::ToEndpoint;

/// What the endpoint has not taken in yet. What needs no order is summed up, so that a process that
/// does nothing does not make it grow.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) events: Vec<ToEndpoint>,
    pub(super) settled: BTreeMap<ProcessId, u64>,
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What has been added to it.
#[derive(Default)]
pub(super) struct News {
    /// There are events; or other things that callers wait for.
    pub(super) events: bool,
    /// `Event::Closed` is among them.
    pub(super) closed: bool,
    /// Room for so many messages and bytes has come back.
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Mail {
    pub(super) fn add(&mut self, items: impl Iterator<Item = ToEndpoint>) -> News {
        let mut news = News::default();
        for item in items {
            match item {
                ToEndpoint::Settled { sender, below } => {
                    let known = self.settled.entry(sender).or_default();
                    *known = below.max(*known);
                }
                ToEndpoint::Released { messages, bytes } => {
                    news.messages += messages;
                    news.bytes += bytes;
                }
                item => {
                    news.events = true;
                    news.closed |= is_closed(&item);
                    self.events.push(item);
                }
            }
        }
        self.messages += news.messages;
        self.bytes += news.bytes;
        // Those that came before count, too: while they were taken out to be added to, a caller may
        // have looked and found nothing.
        news.events |= !self.events.is_empty() && !cfg!(isis_mutant = "H3");
        news
    }
}

fn is_closed(item: &ToEndpoint) -> bool {
    matches!(
        item,
        ToEndpoint::Event {
            event: Event::Closed,
            ..
        }
    )
}
