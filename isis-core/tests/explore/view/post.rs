//! Messages between view machines. Every one that was ever sent is kept once, under a small number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use isis_core::ids::Site;

/// A message, once it is sent; kept for ever.
pub struct Letter {
    pub digest: u128,
    pub number: u16,
    pub from: Site,
    pub to: Site,
    pub message: Vec<u8>,
    pub words: String,
}

/// The numbers of what was ever sent, in order. Every state has one: so they are small.
#[derive(Clone, Default)]
pub struct Letters(pub Arc<[u16]>);

impl Letters {
    pub fn contains(&self, letter: &Letter) -> bool {
        self.0.binary_search(&letter.number).is_ok()
    }

    /// Says whether it is new.
    pub fn add(&mut self, letter: &Letter) -> bool {
        let Err(place) = self.0.binary_search(&letter.number) else {
            return false;
        };
        let (before, after) = self.0.split_at(place);
        self.0 = [before, &[letter.number], after].concat().into();
        true
    }
}

/// All letters by number, which is in the order in which they were first sent.
pub struct Post {
    letters: Box<[OnceLock<&'static Letter>]>,
    next: AtomicUsize,
}

impl Post {
    pub fn new() -> Post {
        let room = usize::from(u16::MAX) + 1;
        Post {
            letters: (0..room).map(|_| OnceLock::new()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The number is its own from here on.
    pub fn add(&self, letter: impl FnOnce(u16) -> Letter) -> &'static Letter {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let small = u16::try_from(number).expect("there are not so many letters");
        let letter: &Letter = Box::leak(Box::new(letter(small)));
        self.letters[number].get_or_init(|| letter)
    }

    pub fn get(&self, number: u16) -> &'static Letter {
        self.letters[usize::from(number)]
            .get()
            .expect("it was sent")
    }
}
