//! The disk of a host under its site's store: writes take time, in their order, and a crash may come
//! before, while or after one gets there.

use std::collections::VecDeque;

use isis_core::ids::Site;
use isis_core::view::Memory;

use super::rng::Rng;

#[derive(Debug)]
pub struct Disk {
    held: Memory,
    /// Under way: when each ends, with its token.
    writes: VecDeque<(u64, u64, Memory)>,
}

impl Disk {
    /// As its site's next incarnation finds it: what it held, with that one in it.
    pub fn opened(held: Memory, site: Site) -> Disk {
        Disk {
            held: held.open(site.id, site.incarnation),
            writes: VecDeque::new(),
        }
    }

    pub fn held(&self) -> Memory {
        self.held.clone()
    }

    /// Begins a write that takes so long; when it ends.
    pub fn write(&mut self, now: u64, takes: u64, token: u64, memory: Memory) -> u64 {
        let at = self.writes.back().map_or(now, |(at, ..)| *at) + takes;
        self.writes.push_back((at, token, memory));
        at
    }

    pub fn has_written(&self, now: u64) -> bool {
        self.writes.front().is_some_and(|(at, ..)| *at <= now)
    }

    /// The token of a write that has ended.
    pub fn written(&mut self, now: u64) -> Option<u64> {
        let (_, token, memory) = self.writes.pop_front_if(|(at, ..)| *at <= now)?;
        self.held = memory;
        Some(token)
    }

    /// Its site halts: some of the writes under way have got to the disk.
    pub fn after_halt(mut self, rng: &mut Rng) -> Memory {
        let ended = rng.index(self.writes.len() + 1);
        let last = self.writes.drain(..ended).next_back();
        last.map_or(self.held, |(.., memory)| memory)
    }
}
