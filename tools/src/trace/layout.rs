//! Where things stand: a row for each event.
//!
//! There is no clock. A row is as far down as what must have come before pushes it: an event comes
//! below the one before it at its process, a delivery below its send. A view is one moment in the life
//! of its group, so it stands in one row at all its members, if their histories allow that.

use std::collections::BTreeMap;

use super::picture::{Kind, Picture};

/// The rows of the events.
pub struct Layout {
    /// By event.
    pub rows: Vec<usize>,
    /// How many there are.
    pub height: usize,
}

impl Layout {
    /// Of this picture.
    pub fn of(picture: &Picture) -> Layout {
        let rows = rows(picture, true, true)
            .or_else(|| rows(picture, true, false))
            .or_else(|| rows(picture, false, false))
            // Histories that contradict each other: as the trace has it.
            .unwrap_or_else(|| (0..picture.events.len()).collect());
        let height = rows.iter().max().map_or(0, |last| last + 1);
        Layout { rows, height }
    }
}

/// Rows with a view in one row at all its members, and a failure above the views that tell of it, as
/// far as wanted. None if that leads in circles.
fn rows(picture: &Picture, joint_views: bool, failures_first: bool) -> Option<Vec<usize>> {
    let events = &picture.events;
    let mut joint: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut places: Vec<usize> = (0..events.len()).collect();
    for (i, event) in events.iter().enumerate() {
        let kind = match event.kind {
            // Who leaves sees the same view.
            Kind::Left { key } => Kind::View {
                key,
                failure: false,
            },
            Kind::View { key, .. } => Kind::View {
                key,
                failure: false,
            },
            Kind::SiteView { .. } => event.kind,
            _ => continue,
        };
        if joint_views {
            places[i] = *joint.entry(kind).or_insert(i);
        }
    }
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    let mut crashes: Vec<usize> = Vec::new();
    for (i, event) in events.iter().enumerate() {
        if let Some(before) = last.insert(event.column, places[i]) {
            after[before].push(places[i]);
        }
        if failures_first && event.kind == Kind::Crash {
            crashes.push(i);
        }
        if matches!(
            event.kind,
            Kind::View { failure: true, .. } | Kind::SiteView { failure: true, .. }
        ) {
            crashes
                .iter()
                .for_each(|crash| after[*crash].push(places[i]));
        }
    }
    for message in &picture.messages {
        if let Some(sent) = message.sent {
            after[sent].extend(message.taken.iter().copied());
        }
    }
    let rows = longest_paths(&places, &after)?;
    Some(places.iter().map(|place| rows[*place]).collect())
}

fn longest_paths(places: &[usize], after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut waits_for = vec![0; after.len()];
    for next in after.iter().flatten() {
        waits_for[*next] += 1;
    }
    let is_node = |i: &usize| places[*i] == *i;
    let nodes = (0..after.len()).filter(is_node).count();
    let mut free: Vec<usize> = (0..after.len())
        .filter(is_node)
        .filter(|i| waits_for[*i] == 0)
        .collect();
    let mut rows = vec![0; after.len()];
    let mut done = 0;
    while let Some(node) = free.pop() {
        done += 1;
        for next in &after[node] {
            rows[*next] = rows[*next].max(rows[node] + 1);
            waits_for[*next] -= 1;
            if waits_for[*next] == 0 {
                free.push(*next);
            }
        }
    }
    (done == nodes).then_some(rows)
}
