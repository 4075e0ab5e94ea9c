//! A run as bytes: recorded from a seed, kept in a file, repeated, and made smaller while it still fails.

use std::path::Path;
use std::time::{Duration, Instant};

use isis_core::sim::{Chance, Lanes};

use super::options::Options;

/// What decides a run: about its options and its stores, then as the cluster has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    options: [Vec<u8>; 2],
    run: Lanes,
}

/// The options, what decided them, and what is to decide the run.
pub struct Start {
    pub options: Options,
    chances: [Chance; 2],
    pub run: Chance,
}

impl Start {
    pub fn of_seed(seed: u64) -> Start {
        // Stores have a generator of their own: seeds from before there were any stay what they were.
        let own = seed.wrapping_mul(0x9e37_79b9).wrapping_add(1);
        let run = Chance::new(seed.wrapping_mul(31).wrapping_add(7));
        Start::draw([seed, own].map(Chance::new), run)
    }

    pub fn of_tape(tape: &Tape) -> Start {
        let lane = |bytes: Vec<u8>| Chance::replay([bytes, Vec::new(), Vec::new()]);
        Start::draw(
            tape.options.clone().map(lane),
            Chance::replay(tape.run.clone()),
        )
    }

    fn draw([mut first, mut own]: [Chance; 2], run: Chance) -> Start {
        let options = Options::draw(&mut first, &mut own);
        let chances = [first, own];
        Start {
            options,
            chances,
            run,
        }
    }

    /// What decided the options; the run's own part is added when it is over.
    pub fn tape(&self) -> Tape {
        let options = self.chances.each_ref().map(|c| c.lanes()[0].clone());
        let run = Lanes::default();
        Tape { options, run }
    }
}

impl Tape {
    pub fn with_run(self, run: Lanes) -> Tape {
        Tape { run, ..self }
    }

    fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.options.iter_mut().chain(&mut self.run)
    }

    /// Each lane after its length. Any bytes are a tape.
    pub fn from_bytes(mut bytes: &[u8]) -> Tape {
        let mut tape = Tape::default();
        for lane in tape.lanes_mut() {
            let Some((length, rest)) = bytes.split_first_chunk() else {
                break;
            };
            let length = u32::from_le_bytes(*length) as usize;
            let (own, rest) = rest.split_at(length.min(rest.len()));
            *lane = own.to_vec();
            bytes = rest;
        }
        tape
    }

    pub fn bytes(&self) -> Vec<u8> {
        let lanes = self.options.iter().chain(&self.run);
        let with_length = |lane: &Vec<u8>| [&(lane.len() as u32).to_le_bytes()[..], lane].concat();
        lanes.flat_map(with_length).collect()
    }

    pub fn read(path: &Path) -> Tape {
        let bytes = std::fs::read(path);
        Tape::from_bytes(&bytes.unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// Bytes that decide something: zeros at the end of a lane are as good as none.
    pub fn len(&self) -> usize {
        self.options.iter().chain(&self.run).map(Vec::len).sum()
    }

    fn trim(&mut self) {
        for lane in self.lanes_mut() {
            let used = lane
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            lane.truncate(used);
        }
    }

    /// A tape that is no longer and still fails: parts are left out, or set to 0, ever smaller ones, as
    /// long as time allows.
    pub fn shrink(mut self, time: Duration, fails: impl Fn(&Tape) -> bool) -> Tape {
        let until = Instant::now() + time;
        self.trim();
        loop {
            let before = self.clone();
            let longest = self.lanes_mut().map(|lane| lane.len()).max();
            let sizes = std::iter::successors(longest, |size| Some(size / 2));
            for size in sizes.take_while(|size| *size > 0) {
                for lane in 0..5 {
                    let parts = self.lane(lane).len().div_ceil(size);
                    for part in (0..parts).rev() {
                        if Instant::now() > until {
                            return self;
                        }
                        self = self.without(lane, part * size..(part + 1) * size, &fails);
                    }
                }
            }
            if self == before {
                return self;
            }
        }
    }

    fn lane(&mut self, lane: usize) -> &mut Vec<u8> {
        self.lanes_mut().nth(lane).expect("one of five")
    }

    /// Without this part of a lane, or with zeros there, if that fails too.
    fn without(
        mut self,
        lane: usize,
        part: std::ops::Range<usize>,
        fails: impl Fn(&Tape) -> bool,
    ) -> Tape {
        let end = part.end.min(self.lane(lane).len());
        if part.start >= end {
            return self;
        }
        if self.lane(lane)[part.start..end].iter().any(|b| *b != 0) {
            let mut zeroed = self.clone();
            zeroed.lane(lane)[part.start..end].fill(0);
            zeroed.trim();
            if fails(&zeroed) {
                self = zeroed;
            }
        }
        let end = end.min(self.lane(lane).len());
        if part.start >= end {
            return self;
        }
        let mut shorter = self.clone();
        shorter.lane(lane).drain(part.start..end);
        shorter.trim();
        if fails(&shorter) { shorter } else { self }
    }
}

#[test]
fn bytes_are_a_tape_again() {
    let start = Start::of_seed(3);
    let tape = start.tape().with_run([vec![1], Vec::new(), vec![2, 3]]);
    assert_eq!(Tape::from_bytes(&tape.bytes()), tape);
    assert_eq!(Tape::from_bytes(&[9, 0, 0, 0, 7]).len(), 1);
}

#[test]
fn shrinking_keeps_what_fails() {
    let run = [(0..=255).collect(), vec![7; 300], vec![0; 9]];
    let tape = Tape::default().with_run(run);
    let fails = |t: &Tape| t.run[0].contains(&100) && t.run[1].contains(&7);
    let small = tape.shrink(Duration::from_secs(5), fails);
    assert!(fails(&small) && small.len() <= 4, "{small:?}");
}
