//! Where a run's choices come from: a seed, or bytes that a fuzzer makes up.

use isis_core::sim::Chance;

pub enum Choice {
    Seed {
        rng: Chance,
        /// Steps that are left.
        steps: u64,
    },
    /// As many choices as there are bytes; after them, always the first.
    Tape(std::vec::IntoIter<u8>),
}

impl Choice {
    pub fn seed(seed: u64, steps: std::ops::RangeInclusive<u64>) -> Choice {
        let mut rng = Chance::new(seed);
        let steps = rng.within(*steps.start(), *steps.end());
        Choice::Seed { rng, steps }
    }

    pub fn tape(bytes: &[u8]) -> Choice {
        Choice::Tape(Vec::from(bytes).into_iter())
    }

    /// Whether the run has another step.
    pub fn goes_on(&mut self) -> bool {
        match self {
            Choice::Seed { steps, .. } => {
                *steps = steps.saturating_sub(1);
                *steps > 0
            }
            Choice::Tape(bytes) => bytes.len() > 0,
        }
    }

    pub fn next(&mut self) -> u64 {
        match self {
            Choice::Seed { rng, .. } => rng.draw(),
            Choice::Tape(bytes) => {
                let eight = bytes.by_ref().take(8);
                eight.fold(0, |all, byte| all << 8 | u64::from(byte))
            }
        }
    }

    /// Below `n`, which is not 0. Of a tape, a byte each where that is enough.
    pub fn below(&mut self, n: u64) -> u64 {
        match self {
            Choice::Seed { rng, .. } => rng.below(n),
            Choice::Tape(bytes) if n <= 256 => u64::from(bytes.next().unwrap_or(0)) % n,
            Choice::Tape(_) => self.next() % n,
        }
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn per_mille(&mut self, chance: u64) -> bool {
        match self {
            Choice::Seed { rng, .. } => rng.per_mille(chance),
            Choice::Tape(_) => self.below(256) * 1000 < chance * 256,
        }
    }

    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }
}
