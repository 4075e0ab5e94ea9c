//! The one source of chance: SplitMix64, seeded, so that a seed is a run.

/// A generator; `fork` makes independent ones, so that drawing more in one place does not shift the
/// others.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed ^ 0x1515_1985_0694_0694)
    }

    /// Another one, independent of this from here on.
    pub fn fork(&mut self) -> Chance {
        Chance(self.draw())
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(n)) >> 64) as u64
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True with this probability, per mille.
    pub fn per_mille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// A place in a list that is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// One of these, if there are any.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            None
        } else {
            Some(&items[self.index(items.len())])
        }
    }

    /// Around `mean`, never 0, with the exponential law's long tail (roughly; integers only).
    pub fn around(&mut self, mean: u64) -> u64 {
        let halvings = self.draw().trailing_zeros().min(6) as u64;
        let base = self.within(mean / 8, mean * 3 / 4 + 1);
        (base + halvings * mean / 2).max(1)
    }
}
