//! The disk of a host under its site's store: writes take time, in their order, and a crash may come
//! before, while or after one gets there.

use std::collections::VecDeque;

use crate::ids::Site;
use crate::view::Memory;

use super::chance::Chance;

#[derive(Debug)]
pub(super) struct Disk {
    held: Memory,
    /// Under way: when each ends, with its token.
    writes: VecDeque<(u64, u64, Memory)>,
}

impl Disk {
    /// As its site's next incarnation finds it: what it held, with that one in it.
    pub(super) fn opened(held: Memory, site: Site) -> Disk {
        Disk {
            held: held.open(site.id, site.incarnation),
            writes: VecDeque::new(),
        }
    }

    pub(super) fn held(&self) -> Memory {
        self.held.clone()
    }

    /// Begins a write that takes so long; when it ends.
    pub(super) fn write(&mut self, now: u64, takes: u64, token: u64, memory: Memory) -> u64 {
        let at = self.writes.back().map_or(now, |(at, ..)| *at) + takes;
        self.writes.push_back((at, token, memory));
        at
    }

    pub(super) fn has_written(&self, now: u64) -> bool {
        self.writes.front().is_some_and(|(at, ..)| *at <= now)
    }

    /// The token of a write that has ended.
    pub(super) fn written(&mut self, now: u64) -> Option<u64> {
        let (_, token, memory) = self.writes.pop_front_if(|(at, ..)| *at <= now)?;
        self.held = memory;
        Some(token)
    }

    /// Its site halts: some of the writes under way have got to the disk.
    pub(super) fn after_halt(mut self, chance: &mut Chance) -> Memory {
        let ended = chance.index(self.writes.len() + 1);
        let last = self.writes.drain(..ended).next_back();
        last.map_or(self.held, |(.., memory)| memory)
    }
}
