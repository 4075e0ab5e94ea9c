//! Handles as numbers: entries of a table that only grows, each with a generation, so that a
//! handle kept too long names nothing instead of somebody else's memory.
//!
//! A handle is 30 bits of generation, 2 bits of kind and 32 bits of slot. Slots live in segments that are
//! never moved or freed, so a look-up takes no lock but the slot's own, for reading: calls on
//! different handles share nothing.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::boundary;
use crate::status::{Failure, ISIS_ENOMEM};

/// What a table holds.
pub(crate) trait Entry: Send + Sync + 'static {
    /// Tells the handles of one table from those of another: 1 to 3.
    const KIND: u64;
    /// For messages to people.
    const NAME: &'static str;
    /// What every slot has besides its entry, and keeps when the entry goes.
    type Side: Default + Send + Sync;
}

pub(crate) struct Slot<T: Entry> {
    state: RwLock<State<T>>,
    pub(crate) side: T::Side,
}

struct State<T> {
    generation: u32,
    entry: Option<Arc<T>>,
    /// What a call with the handle that was retired last is told.
    retired: c_int,
}

pub(crate) struct Table<T: Entry> {
    segments: [OnceLock<Box<[Slot<T>]>>; SEGMENTS],
    free: Mutex<Free>,
}

struct Free {
    /// Slots to use again, the longest unused first.
    slots: VecDeque<u32>,
    /// Slots used so far.
    len: u32,
}

/// Segment k has 64 << k slots.
const FIRST: usize = 64;
const SEGMENTS: usize = 24;
const LAST_GENERATION: u32 = (1 << 30) - 1;

impl<T: Entry> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot {
            state: RwLock::new(State {
                generation: 0,
                entry: None,
                retired: 0,
            }),
            side: T::Side::default(),
        }
    }
}

pub(crate) fn generation_of(handle: u64) -> u32 {
    (handle >> 34) as u32
}

fn compose<T: Entry>(slot: u32, generation: u32) -> u64 {
    u64::from(generation) << 34 | T::KIND << 32 | u64::from(slot)
}

impl<T: Entry> Table<T> {
    pub(crate) const fn new() -> Table<T> {
        Table {
            segments: [const { OnceLock::new() }; SEGMENTS],
            free: Mutex::new(Free {
                slots: VecDeque::new(),
                len: 0,
            }),
        }
    }

    /// The slot that a handle of this kind names. Async-signal-safe.
    pub(crate) fn slot(&self, handle: u64) -> Option<&Slot<T>> {
        if handle >> 32 & 3 != T::KIND {
            return None;
        }
        let place = handle as u32 as usize + FIRST;
        let segment = (place / FIRST).ilog2() as usize;
        self.segments
            .get(segment)?
            .get()?
            .get(place - (FIRST << segment))
    }

    /// Makes an entry that may know its own handle and slot.
    pub(crate) fn insert(
        &'static self,
        make: impl FnOnce(u64, &'static Slot<T>) -> Result<T, Failure>,
    ) -> Result<u64, Failure> {
        let index = self.take_slot()?;
        let place = index as usize + FIRST;
        let segment = (place / FIRST).ilog2() as usize;
        let slots = self.segments[segment]
            .get_or_init(|| (0..FIRST << segment).map(|_| Slot::default()).collect());
        let slot = &slots[place - (FIRST << segment)];
        let generation = slot.state.read().generation + 1;
        let handle = compose::<T>(index, generation);
        match make(handle, slot) {
            Ok(entry) => {
                let mut state = slot.state.write();
                state.generation = generation;
                state.entry = Some(Arc::new(entry));
                Ok(handle)
            }
            Err(failure) => {
                self.free.lock().slots.push_back(index);
                Err(failure)
            }
        }
    }

    fn take_slot(&self) -> Result<u32, Failure> {
        let mut free = self.free.lock();
        if let Some(slot) = free.slots.pop_front() {
            return Ok(slot);
        }
        if (free.len as usize / FIRST + 1).ilog2() as usize >= SEGMENTS {
            return Err(Failure::new(ISIS_ENOMEM, "no more handles"));
        }
        free.len += 1;
        Ok(free.len - 1)
    }

    /// The entry of a handle, which becomes what the running call is about.
    pub(crate) fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        boundary::about(handle);
        let Some(slot) = self.slot(handle) else {
            return Err(never::<T>(handle));
        };
        let state = slot.state.read();
        if state.generation != generation_of(handle) {
            return Err(never::<T>(handle));
        }
        match &state.entry {
            Some(entry) => Ok(entry.clone()),
            None => Err(Failure::new(
                state.retired,
                format!("{} handle {handle:#x} is closed", T::NAME),
            )),
        }
    }

    /// Ends a handle: calls with it get `code`, and once its slot is used again `ISIS_EINVAL`.
    pub(crate) fn retire(&self, handle: u64, code: c_int) -> Option<Arc<T>> {
        let slot = self.slot(handle)?;
        let mut state = slot.state.write();
        if state.generation != generation_of(handle) {
            return None;
        }
        let entry = state.entry.take()?;
        state.retired = code;
        // A slot whose generations are used up rests for good.
        if state.generation < LAST_GENERATION {
            self.free.lock().slots.push_back(handle as u32);
        }
        Some(entry)
    }
}

fn never<T: Entry>(handle: u64) -> Failure {
    if handle == 0 {
        return Failure::invalid(format!("no {} handle (0)", T::NAME));
    }
    Failure::invalid(format!(
        "{handle:#x} is no {} handle, or a stale one",
        T::NAME
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ISIS_ECLOSED, ISIS_EINVAL};

    struct Thing(u64);

    impl Entry for Thing {
        const KIND: u64 = 1;
        const NAME: &'static str = "thing";
        type Side = ();
    }

    fn table() -> &'static Table<Thing> {
        Box::leak(Box::new(Table::new()))
    }

    fn insert(table: &'static Table<Thing>, value: u64) -> u64 {
        table.insert(|_, _| Ok(Thing(value))).unwrap()
    }

    #[test]
    fn a_retired_handle_is_closed_and_then_stale() {
        let table = table();
        let first = insert(table, 1);
        assert_eq!(table.get(first).unwrap().0, 1);
        assert!(table.retire(first, ISIS_ECLOSED).is_some());
        assert!(table.retire(first, ISIS_ECLOSED).is_none(), "once only");
        assert_eq!(table.get(first).err().unwrap().code, ISIS_ECLOSED);
        let second = insert(table, 2);
        assert_eq!(second as u32, first as u32, "the slot is used again");
        assert_eq!(table.get(first).err().unwrap().code, ISIS_EINVAL);
        assert_eq!(table.get(second).unwrap().0, 2);
    }

    #[test]
    fn numbers_that_were_never_handles_name_nothing() {
        let table = table();
        let handle = insert(table, 1);
        let kind_changed = handle ^ 3 << 32;
        let strangers = [0, 1, u64::MAX, handle + 1, kind_changed, handle | 1 << 31];
        for stranger in strangers {
            assert_eq!(table.get(stranger).err().unwrap().code, ISIS_EINVAL);
        }
    }

    #[test]
    fn many_handles_are_all_different_and_all_found() {
        let table = table();
        let handles: Vec<u64> = (0..1000).map(|n| insert(table, n)).collect();
        for (n, handle) in handles.iter().enumerate() {
            assert_eq!(table.get(*handle).unwrap().0, n as u64);
        }
    }

    #[test]
    fn a_failed_insert_gives_its_slot_back() {
        let table = table();
        let failed = table.insert(|_, _| Err(Failure::invalid("no")));
        assert_eq!(failed.err().unwrap().code, ISIS_EINVAL);
        assert_eq!(insert(table, 1) as u32, 0);
    }

    #[test]
    fn threads_that_race_never_see_another_generation() {
        let table = table();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for n in 0..2000 {
                        let value = thread << 32 | n;
                        let handle = insert(table, value);
                        assert_eq!(table.get(handle).unwrap().0, value);
                        table.retire(handle, ISIS_ECLOSED);
                        assert!(table.get(handle).is_err());
                    }
                });
            }
        });
    }
}
