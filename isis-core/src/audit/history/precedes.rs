//! The relation *precedes* of §3.2 between OBCASTs: one precedes another if its sender had sent or taken
//! it before, and their olabels are comparable, and so on transitively.
//!
//! The closure of a long run has too many pairs to be kept. What a property wants to know of all that
//! precedes an OBCAST is summed up along the trace instead: per process and kind of olabel, what it has
//! sent and taken so far with all that precedes that.

use std::collections::BTreeMap;

use super::{History, Number};
use crate::delivery::{Label, Olabel};
use crate::ids::GroupId;
use crate::machine::broadcast::Address;

/// With which others an OBCAST is comparable. Groups and streams have numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// With no others, or no OBCAST at all.
    Alone,
    /// With all to its group, or with all to lists.
    Causal(u32),
    /// With those of its streams, and with causal ones to its group.
    Streams(Vec<u32>, u32),
}

/// One process sends or takes an OBCAST.
#[derive(Clone, Copy, Debug)]
struct Act {
    process: u32,
    number: Number,
    sends: bool,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Precedes {
    /// In the order of the trace.
    acts: Vec<Act>,
    /// By number.
    kinds: Vec<Kind>,
    processes: usize,
}

/// What one process has sent and taken, summed up.
#[derive(Clone, Debug, Default)]
struct Past<V> {
    streams: BTreeMap<u32, V>,
    groups: BTreeMap<u32, V>,
    /// Of the groups, the causal ones alone.
    causal: BTreeMap<u32, V>,
}

impl Precedes {
    pub(super) fn new(history: &History<'_>) -> Precedes {
        let (mut groups, mut streams) = (BTreeMap::new(), BTreeMap::new());
        let mut kinds = Vec::with_capacity(history.broadcasts.len());
        for broadcast in &history.broadcasts {
            let Some((_, sent)) = broadcast.sent else {
                kinds.push(Kind::Alone);
                continue;
            };
            let group: Option<GroupId> = match sent.to {
                Address::Group(group) => Some(group),
                Address::List(_) => None,
            };
            let next = groups.len() as u32;
            let group = *groups.entry(group).or_insert(next);
            kinds.push(match &sent.label {
                Label::Obcast(Olabel::Causal) => Kind::Causal(group),
                Label::Obcast(Olabel::Stream(name)) => {
                    let mut number = |stream: &str| {
                        let next = streams.len() as u32;
                        *streams.entry(stream.to_owned()).or_insert(next)
                    };
                    Kind::Streams(name.split(',').map(&mut number).collect(), group)
                }
                _ => Kind::Alone,
            });
        }
        let mut acts = Vec::new();
        for (process, life) in history.lives.values().enumerate() {
            for (at, step) in &life.steps {
                let (number, sends) = match step {
                    super::Step::Send(n, _) => (*n, true),
                    super::Step::Deliver(n, _) => (*n, false),
                    _ => continue,
                };
                if kinds[number] != Kind::Alone {
                    let process = process as u32;
                    acts.push((
                        *at,
                        Act {
                            process,
                            number,
                            sends,
                        },
                    ));
                }
            }
        }
        acts.sort_unstable_by_key(|(at, _)| *at);
        Precedes {
            acts: acts.into_iter().map(|(_, act)| act).collect(),
            kinds,
            processes: history.lives.len(),
        }
    }

    /// Shows to `found`, for every OBCAST that anything precedes, the sum of the values of all that
    /// precedes it, in the order of their sends. `value` is of one broadcast; `join` adds the second to
    /// the first, and must not mind the same value twice.
    pub fn sum_up<V: Clone, E>(
        &self,
        value: impl Fn(Number) -> V,
        join: impl Fn(&mut V, &V),
        mut found: impl FnMut(Number, &V) -> Result<(), E>,
    ) -> Result<(), E> {
        let past = Past {
            streams: BTreeMap::new(),
            groups: BTreeMap::new(),
            causal: BTreeMap::new(),
        };
        let mut pasts: Vec<Past<V>> = vec![past; self.processes];
        // What an OBCAST brings to who takes it; none before it is sent.
        let mut brings: Vec<Option<V>> = vec![None; self.kinds.len()];
        for act in &self.acts {
            let (past, kind) = (&mut pasts[act.process as usize], &self.kinds[act.number]);
            if act.sends {
                let mut all = value(act.number);
                if let Some(before) = past.before(kind, &join) {
                    found(act.number, &before)?;
                    join(&mut all, &before);
                }
                brings[act.number] = Some(all);
            }
            if let Some(all) = &brings[act.number] {
                past.add(kind, all, &join);
            }
        }
        Ok(())
    }
}

impl<V: Clone> Past<V> {
    fn before(&self, kind: &Kind, join: impl Fn(&mut V, &V)) -> Option<V> {
        match kind {
            Kind::Alone => None,
            Kind::Causal(group) => self.groups.get(group).cloned(),
            Kind::Streams(streams, group) => {
                let mine = streams.iter().filter_map(|s| self.streams.get(s));
                let mut all = mine.chain(self.causal.get(group));
                let mut sum = all.next()?.clone();
                all.for_each(|more| join(&mut sum, more));
                Some(sum)
            }
        }
    }

    fn add(&mut self, kind: &Kind, value: &V, join: impl Fn(&mut V, &V)) {
        let to = |sums: &mut BTreeMap<u32, V>, key: &u32| match sums.get_mut(key) {
            Some(sum) => join(sum, value),
            None => _ = sums.insert(*key, value.clone()),
        };
        match kind {
            Kind::Alone => {}
            Kind::Causal(group) => {
                to(&mut self.groups, group);
                to(&mut self.causal, group);
            }
            Kind::Streams(streams, group) => {
                to(&mut self.groups, group);
                streams.iter().for_each(|s| to(&mut self.streams, s));
            }
        }
    }
}
