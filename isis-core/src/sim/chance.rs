//! The one source of every decision: a generator, so that a seed is a run, or a tape of bytes, so that a
//! run can be repeated, changed and made smaller.
//!
//! A generator records what it decides. On a tape a decision is as many bytes as its range needs, the
//! lowest first, and after the tape's end all are 0: the least number, *no*, the first, nothing at all.
//! A tape has lanes, so that another order of steps does not shift what is planned:

/// Of what happens to the cluster, and what applications do.
pub const PLANS: usize = 0;
/// Of the order in which the machines of a site take their steps.
pub const STEPS: usize = 1;
/// Of a fork: the network.
pub const FORKED: usize = 2;

/// The bytes of one run, by lane.
pub type Lanes = [Vec<u8>; 3];

/// Decides. A fork is independent, so that drawing more in one place does not shift the others.
#[derive(Clone, Debug)]
pub struct Chance {
    /// SplitMix64; none: the lanes are read.
    generator: Option<u64>,
    lanes: Lanes,
    /// Up to where they are read.
    read: [usize; 3],
    pub(super) lane: usize,
}

impl Chance {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Chance {
        let generator = Some(seed ^ 0x1515_1985_0694_0694);
        Chance::with(generator, Lanes::default())
    }

    /// What these lanes say.
    pub fn replay(lanes: Lanes) -> Chance {
        Chance::with(None, lanes)
    }

    fn with(generator: Option<u64>, lanes: Lanes) -> Chance {
        Chance {
            generator,
            lanes,
            read: [0; 3],
            lane: PLANS,
        }
    }

    /// Another one, independent of this from here on. There is one fork.
    pub fn fork(&mut self) -> Chance {
        if self.generator.is_some() {
            return Chance::with(Some(self.generate()), Lanes::default());
        }
        let lane = std::mem::take(&mut self.lanes[FORKED]);
        Chance::replay([lane, Vec::new(), Vec::new()])
    }

    /// What has been decided so far, or what the tape said; without what a fork decided.
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    fn generate(&mut self) -> u64 {
        let state = self.generator.get_or_insert_default();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of so many bytes: what the generator decides, which is recorded, or what is on the tape.
    fn decide(&mut self, bytes: usize, generate: impl FnOnce(u64) -> u64) -> u64 {
        if self.generator.is_some() {
            let number = generate(self.generate());
            self.lanes[self.lane].extend_from_slice(&number.to_le_bytes()[..bytes]);
            return number;
        }
        let (lane, read) = (&self.lanes[self.lane], &mut self.read[self.lane]);
        let mut number = [0; 8];
        for byte in &mut number[..bytes] {
            *byte = lane.get(*read).copied().unwrap_or(0);
            *read += 1;
        }
        u64::from_le_bytes(number)
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.decide(8, |any| any)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let scaled = |any| ((u128::from(any) * u128::from(n)) >> 64) as u64;
        self.decide(width(n - 1), scaled) % n
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True with this probability, per mille.
    pub fn per_mille(&mut self, share: u64) -> bool {
        let possible = share > 0;
        let yes = |any| (((u128::from(any) * 1000) >> 64) < u128::from(share)) as u64;
        let byte = self.decide(usize::from(possible), |any| yes(any) * 255);
        // A byte of a fuzzer's says yes about as often as a generator does.
        possible && byte > 255 - (share * 255 / 1000).clamp(1, 255)
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

    /// One of these. A generator decides for one if there are any; 0 on a tape is none.
    pub fn pick_or_none<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let n = items.len() as u64;
        if n == 0 {
            return None;
        }
        let scaled = |any| ((u128::from(any) * u128::from(n)) >> 64) as u64 + 1;
        let place = self.decide(width(n), scaled) % (n + 1);
        items.get((place as usize).checked_sub(1)?)
    }

    /// Around `mean`, never 0, with the exponential law's long tail (roughly; integers only).
    pub fn around(&mut self, mean: u64) -> u64 {
        let halvings = self.decide(1, |any| any.trailing_zeros().min(6).into()) % 7;
        let base = self.within(mean / 8, mean * 3 / 4 + 1);
        (base + halvings * mean / 2).max(1)
    }
}

/// Of a number up to this one, in bytes.
fn width(most: u64) -> usize {
    8 - most.leading_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some decisions of every kind.
    fn decisions(c: &mut Chance) -> Vec<u64> {
        let mut fork = c.fork();
        let mut all = Vec::new();
        for n in [1, 2, 255, 256, 257, 1 << 40] {
            all.extend([c.below(n), fork.below(n), c.around(n), c.draw()]);
            c.lane = STEPS;
            all.extend([0, 1, 500, 1000].map(|share| u64::from(c.per_mille(share))));
            c.lane = PLANS;
            all.extend(c.pick_or_none(&[7, 8, 9]));
        }
        all.extend(fork.lanes()[PLANS].iter().map(|byte| u64::from(*byte)));
        all
    }

    #[test]
    fn a_tape_repeats_what_a_generator_decided() {
        for seed in 0..200 {
            let mut first = Chance::new(seed);
            let decided = decisions(&mut first);
            let mut lanes = first.lanes().clone();
            let fork = Chance::new(seed).fork();
            lanes[FORKED] = fork_lane(fork);
            assert_eq!(decisions(&mut Chance::replay(lanes)), decided);
        }
    }

    fn fork_lane(mut fork: Chance) -> Vec<u8> {
        for n in [1, 2, 255, 256, 257, 1 << 40] {
            fork.below(n);
        }
        fork.lanes()[PLANS].clone()
    }

    #[test]
    fn after_its_end_a_tape_says_no() {
        let mut c = Chance::replay(Lanes::default());
        assert_eq!((c.below(9), c.within(3, 9), c.draw()), (0, 3, 0));
        assert!(!c.per_mille(999));
        assert_eq!((c.pick(&[4, 5]), c.pick_or_none(&[4])), (Some(&4), None));
    }
}
