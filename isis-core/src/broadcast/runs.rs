//! Batches of numbers and receipts, shortened to runs: what comes in a row travels as one entry.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::sound::is_number;
use crate::ids::{Class, MessageId, ProcessId};

/// A run is at most this long, so that a few bytes cannot announce work for hours.
const MOST_IN_RUN: u32 = 4096;

/// Proposals or finals of consecutive BCASTs of one sender whose numbers are consecutive too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NumberRun {
    sender: ProcessId,
    seq: u64,
    number: u64,
    count: u32,
    /// [`super::bcast::label_key`] of the BCASTs; 0 in proposals.
    label: u32,
}

impl NumberRun {
    /// Appends one number to a batch.
    pub fn push(batch: &mut Vec<NumberRun>, id: MessageId, number: u64, label: u32) {
        if let Some(last) = batch.last_mut() {
            let n = u64::from(last.count);
            if last.sender == id.sender
                && last.label == label
                && last.seq + n == id.seq
                && last.number + n == number
                && last.count < MOST_IN_RUN
            {
                last.count += 1;
                return;
            }
        }
        batch.push(NumberRun {
            sender: id.sender,
            seq: id.seq,
            number,
            count: 1,
            label,
        });
    }

    /// The runs in batches of at most so many numbers, which is no less than a run may have.
    pub(super) fn batches(runs: Vec<NumberRun>, most: usize) -> Vec<Vec<NumberRun>> {
        let mut batches: Vec<Vec<NumberRun>> = Vec::new();
        let mut room = 0;
        for run in runs {
            let count = run.count as usize;
            match batches.last_mut().filter(|_| count <= room) {
                Some(batch) => batch.push(run),
                None => {
                    batches.push(Vec::from([run]));
                    room = most;
                }
            }
            room -= count;
        }
        batches
    }

    /// How many numbers the runs announce.
    pub(super) fn total(runs: &[NumberRun]) -> usize {
        runs.iter()
            .fold(0, |n, r| n.saturating_add(r.count as usize))
    }

    pub(super) fn is_sound(&self) -> bool {
        self.count <= MOST_IN_RUN && is_number(self.seq) && is_number(self.number)
    }

    pub(super) fn sender(&self) -> ProcessId {
        self.sender
    }

    /// The BCASTs with their numbers and label. A run that would overflow is cut short.
    pub fn iter(&self) -> impl Iterator<Item = (MessageId, u64, u32)> + use<> {
        let NumberRun {
            sender,
            seq,
            number,
            count,
            label,
        } = *self;
        (0..u64::from(count)).map_while(move |i| {
            let id = MessageId {
                sender,
                class: Class::Bcast,
                seq: seq.checked_add(i)?,
            };
            Some((id, number.checked_add(i)?, label))
        })
    }
}

/// Consecutive broadcasts of one process of the site that the batch goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeqRun {
    /// The process at the receiving site.
    pub process: u32,
    /// Its primitive.
    pub class: Class,
    /// The first of the run.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl SeqRun {
    /// Appends one broadcast to a batch.
    pub fn push(batch: &mut Vec<SeqRun>, id: MessageId) {
        if let Some(last) = batch.last_mut()
            && last.process == id.sender.index
            && last.class == id.class
            && last.first + last.count == id.seq
        {
            last.count += 1;
            return;
        }
        batch.push(SeqRun {
            process: id.sender.index,
            class: id.class,
            first: id.seq,
            count: 1,
        });
    }

    pub(super) fn is_sound(&self) -> bool {
        is_number(self.first) && is_number(self.count)
    }

    /// One past the last.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}
