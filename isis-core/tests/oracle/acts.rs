//! What applications do at random, and what they take.

use bytes::Bytes;
use isis_core::delivery::{Event, Label, Olabel, Outcome};
use isis_core::ids::{GroupId, ProcessId};
use isis_core::machine::broadcast::{Address, Call};

use crate::schedule::Run;
use crate::trace::{Delivered, Sent, What, digest};

impl Run {
    /// A process does something.
    pub fn act(&mut self) {
        let all: Vec<ProcessId> = self.endpoints.keys().copied().collect();
        let Some(&p) = self.rng.pick(&all) else {
            return;
        };
        let mut groups = self.groups.get(&p).cloned().unwrap_or_default();
        groups.extend(self.watched.get(&p).into_iter().flatten());
        // Nobody can know a process of a site that is not in the view.
        let known = self.seen.get(&p);
        let all: Vec<ProcessId> = all
            .into_iter()
            .filter(|q| known.is_some_and(|v| v.contains(q.site)))
            .collect();
        match self.rng.below(100) {
            0..=14 => {
                let name = format!("g{}", self.rng.below(self.names));
                if let Ok((_, call)) = self.endpoints.get_mut(&p).unwrap().join(&name) {
                    self.add(What::AskJoin(p, name));
                    self.call(p, call);
                }
            }
            15..=19 => {
                let name = format!("g{}", self.rng.below(self.names));
                if let Ok((_, call)) = self.endpoints.get_mut(&p).unwrap().lookup(&name) {
                    self.add(What::AskLookup(p, name));
                    self.call(p, call);
                }
            }
            20..=22 => {
                if let Some(&g) = self.rng.pick(&groups)
                    && let Ok((_, call)) = self.endpoints.get_mut(&p).unwrap().leave(g)
                {
                    self.add(What::AskLeave(p, g));
                    self.call(p, call);
                }
            }
            23 => {
                if let Ok((_, call)) = self.endpoints.get_mut(&p).unwrap().close() {
                    self.add(What::Close(p));
                    self.call(p, call);
                }
            }
            24..=28 => {
                if let Ok((token, call)) = self.endpoints.get_mut(&p).unwrap().flush() {
                    self.flushes.insert((p, token));
                    self.add(What::FlushBegin(p, token));
                    self.call(p, call);
                }
            }
            29..=34 => {
                if let Some(&g) = self.rng.pick(&groups) {
                    let payload = self.payload();
                    let sent = self
                        .endpoints
                        .get_mut(&p)
                        .unwrap()
                        .gbcast(g, payload.clone());
                    self.sent(p, sent, Address::Group(g), Label::Gbcast, &payload);
                }
            }
            35..=64 => {
                let Some(to) = self.address(&all, &groups) else {
                    return;
                };
                let payload = self.payload();
                let label = ["a", "b"][self.rng.index(2)];
                let endpoint = self.endpoints.get_mut(&p).unwrap();
                let sent = match self.rng.per_mille(250) {
                    true => endpoint.safe_bcast(to.clone(), label, payload.clone()),
                    false => endpoint.bcast(to.clone(), label, payload.clone()),
                };
                self.sent(p, sent, to, Label::Bcast(label.into()), &payload);
            }
            _ => {
                let Some(to) = self.address(&all, &groups) else {
                    return;
                };
                let payload = self.payload();
                let olabel = match self.rng.below(4) {
                    0 => Olabel::Causal,
                    1 => Olabel::Unordered,
                    _ => Olabel::Stream(["x", "y", "z", "x,y", "z,y"][self.rng.index(5)].into()),
                };
                let endpoint = self.endpoints.get_mut(&p).unwrap();
                let sent = endpoint.obcast(to.clone(), olabel.clone(), payload.clone());
                self.sent(p, sent, to, Label::Obcast(olabel), &payload);
            }
        }
    }

    fn payload(&mut self) -> Bytes {
        self.payloads += 1;
        let mut bytes = self.payloads.to_le_bytes().to_vec();
        if self.large && self.rng.per_mille(150) {
            bytes.resize(20_000, 0);
        }
        Bytes::from(bytes)
    }

    fn address(&mut self, all: &[ProcessId], groups: &[GroupId]) -> Option<Address> {
        if self.rng.per_mille(250) {
            let list: Vec<ProcessId> = all
                .iter()
                .filter(|_| self.rng.per_mille(500))
                .copied()
                .collect();
            return (!list.is_empty()).then_some(Address::List(list));
        }
        self.rng.pick(groups).map(|g| Address::Group(*g))
    }

    fn sent(
        &mut self,
        p: ProcessId,
        sent: Result<(isis_core::ids::MessageId, Call), isis_core::Error>,
        to: Address,
        label: Label,
        payload: &[u8],
    ) {
        let Ok((id, call)) = sent else { return };
        self.sends -= u64::from(self.sends > 0);
        let (after, safe) = match &call {
            Call::Send(s) => (s.after.clone(), s.safe),
            _ => (Vec::new(), false),
        };
        self.add(What::Send(Sent {
            id,
            to,
            label,
            after,
            safe,
            length: payload.len(),
            digest: digest(payload),
        }));
        self.call(p, call);
    }

    pub fn take_somewhere(&mut self) {
        let all: Vec<ProcessId> = self.endpoints.keys().copied().collect();
        if let Some(&p) = self.rng.pick(&all) {
            let n = if self.slow_taker {
                1
            } else {
                self.rng.within(1, 8)
            };
            for _ in 0..n {
                self.take(p);
            }
        }
    }

    pub fn take(&mut self, p: ProcessId) -> bool {
        let Some(e) = self.endpoints.get_mut(&p) else {
            return false;
        };
        let Some(event) = e.next() else { return false };
        let taken = e.taken();
        self.record(p, event);
        if let Some(call) = taken {
            self.call(p, call);
        }
        true
    }

    fn record(&mut self, p: ProcessId, event: Event) {
        match event {
            Event::Message(m) => {
                let m = Delivered {
                    id: m.id,
                    group: m.group,
                    label: m.label,
                    length: m.payload.len(),
                    digest: digest(&m.payload),
                };
                self.add(What::Deliver(p, m));
            }
            Event::View(v) => {
                let groups = self.groups.entry(p).or_default();
                let watched = self.watched.entry(p).or_default();
                let inside = v.members.contains(&p);
                groups.retain(|g| *g != v.group);
                if inside {
                    groups.push(v.group);
                }
                if inside || v.members.is_empty() {
                    watched.remove(&v.group);
                }
                self.named.insert(v.group, v.name.clone());
                self.add(What::View(p, v));
            }
            Event::Undeliverable(id) => self.add(What::Undeliverable(id)),
            Event::Completed {
                result: Ok(Outcome::Watching(group)),
                ..
            } if !self.groups.get(&p).is_some_and(|g| g.contains(&group)) => {
                self.watched.entry(p).or_default().insert(group);
            }
            Event::Completed {
                result: Ok(Outcome::Left(group)),
                ..
            } => {
                self.watched.entry(p).or_default().remove(&group);
                self.add(What::Left(p, group));
            }
            Event::SiteView(v) => {
                self.seen.insert(p, v.clone());
                self.add(What::SiteView(p, v));
            }
            Event::Completed {
                token,
                result: Ok(Outcome::Flushed),
            } => {
                self.flushes.remove(&(p, token));
                self.add(What::FlushEnd(p, token));
            }
            Event::Closed => {
                self.add(What::Ended(p));
                self.endpoints.remove(&p);
            }
            _ => {}
        }
    }
}
