//! One trace out of the histories of all sites, without trust in any clock.
//!
//! Each history keeps its own order. Between them only what must be so is so: a broadcast is sent
//! before it is taken, and who asks to leave, or closes a process, does so before a view tells of it.
//! Where that leaves a choice, the wall clocks make the trace pleasant to read; no property depends on
//! that.

use std::collections::BTreeSet;

use super::entry::Why;
use super::read::Recorded;
use super::trace::{HAS_STORE, Origin, Trace, What};
use crate::delivery::LeaveReason;
use crate::ids::{GroupId, MessageId, ProcessId, Site};
use crate::view::{LeftReason, SiteView};

/// Something that comes before what another history tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Sent(MessageId),
    AskedToLeave(ProcessId, GroupId),
    Closed(ProcessId),
    Leaving(Site),
}

impl Cause {
    fn of(what: &What) -> Option<Cause> {
        match what {
            What::Send(m) => Some(Cause::Sent(m.id)),
            What::AskLeave(p, g) => Some(Cause::AskedToLeave(*p, *g)),
            What::Close(p) => Some(Cause::Closed(*p)),
            What::Leaving(site) => Some(Cause::Leaving(*site)),
            _ => None,
        }
    }
}

/// Whether what happens must wait for one of these causes.
fn waits(what: &What, to_come: &BTreeSet<Cause>) -> bool {
    let asked = |v: &SiteView| {
        let mut left = v.left.iter().filter(|(_, why)| *why == LeftReason::Asked);
        left.any(|(site, _)| to_come.contains(&Cause::Leaving(*site)))
    };
    match what {
        What::Deliver(_, m) => to_come.contains(&Cause::Sent(m.id)),
        What::View(_, v) => v.left.iter().any(|(p, why)| match why {
            LeaveReason::Left => to_come.contains(&Cause::AskedToLeave(*p, v.group)),
            LeaveReason::ProcessFailed => to_come.contains(&Cause::Closed(*p)),
            LeaveReason::SiteFailed => false,
        }),
        What::Install(_, v) => asked(v),
        What::SiteView(_, v) => asked(v),
        _ => false,
    }
}

/// A history and how far it has been merged.
struct Source {
    recorded: Recorded,
    next: usize,
    waiting: bool,
}

impl Source {
    /// The wall clock's time of its next line.
    fn time(&self) -> Option<u64> {
        let line = self.recorded.lines.get(self.next)?;
        Some(self.recorded.header.opened_us.saturating_add(line.at))
    }
}

/// Merges the histories of all sites of a run. An error says why they cannot be judged together:
/// histories of two clusters, one given twice, or one missing.
///
/// `at_rest`: the user says that the run had come to rest before its processes were closed; the
/// promises to survivors are then held against those that were closed. An error if somebody was
/// closed before its broadcasts had been taken.
pub fn merge(histories: Vec<Recorded>, at_rest: bool) -> Result<Trace, String> {
    belong_together(&histories)?;
    if at_rest {
        at_rest_at_the_end(&histories)?;
    }
    let begin = histories.iter().map(|h| h.header.opened_us).min();
    let mut to_come: BTreeSet<Cause> = BTreeSet::new();
    for line in histories.iter().flat_map(|h| &h.lines) {
        to_come.extend(Cause::of(&line.what));
    }
    let mut trace = Trace {
        live: at_rest,
        merged: true,
        files: histories.iter().map(|h| h.name.clone()).collect(),
        ..Trace::default()
    };
    let mut sources: Vec<Source> = histories
        .into_iter()
        .map(|recorded| Source {
            recorded,
            next: 0,
            waiting: false,
        })
        .collect();
    for source in &sources {
        let site = source.recorded.site();
        trace.add(0, What::Start(site));
        if source.recorded.header.store {
            trace.add(0, What::Note(site, HAS_STORE.into()));
        }
    }
    while let Some(file) = choose(&mut sources, &to_come) {
        let source = &mut sources[file];
        let line = &mut source.recorded.lines[source.next];
        source.next += 1;
        let opened = source.recorded.header.opened_us - begin.unwrap_or_default();
        let at = opened.saturating_add(line.at);
        let what = std::mem::replace(&mut line.what, What::Quiet);
        if let Some(cause) = Cause::of(&what) {
            to_come.remove(&cause);
            sources.iter_mut().for_each(|s| s.waiting = false);
        }
        let origin = Origin {
            file: file as u32,
            line: line_number(&sources[file]),
        };
        trace.add_from(at, what, origin);
        let source = &sources[file];
        if source.next == source.recorded.lines.len() && source.recorded.end.is_none() {
            trace.add_from(at, What::Crash(source.recorded.site()), origin);
        }
    }
    Ok(trace)
}

fn line_number(source: &Source) -> u32 {
    source.recorded.lines[source.next - 1].number
}

/// Whose line comes next. If all wait for each other, no order explains what they tell: one of them
/// goes on, and the properties find the broadcast that was taken before it was sent.
fn choose(sources: &mut [Source], to_come: &BTreeSet<Cause>) -> Option<usize> {
    loop {
        let next = |waiting: bool, sources: &[Source]| {
            let of = sources.iter().enumerate();
            let able = of.filter(|(_, s)| s.waiting == waiting);
            let timed = able.filter_map(|(i, s)| Some((s.time()?, i)));
            timed.min().map(|(_, i)| i)
        };
        let Some(i) = next(false, sources) else {
            return next(true, sources);
        };
        let source = &mut sources[i];
        source.waiting = waits(&source.recorded.lines[source.next].what, to_come);
        if !source.waiting {
            return Some(i);
        }
    }
}

fn belong_together(histories: &[Recorded]) -> Result<(), String> {
    let Some(first) = histories.first() else {
        return Err("no history".into());
    };
    let mut sites = BTreeSet::new();
    for history in histories {
        let cluster = &history.header.cluster;
        if *cluster != first.header.cluster {
            let (a, b) = (&first.name, &history.name);
            let theirs = &first.header.cluster;
            return Err(format!("{a} is of cluster {theirs:?}, {b} of {cluster:?}"));
        }
        if !sites.insert(history.site()) {
            return Err(format!("two histories of site {}", history.site()));
        }
    }
    for history in histories {
        for line in &history.lines {
            let missing = match &line.what {
                What::Install(_, v) => v.sites().find(|s| !sites.contains(s)),
                _ => None,
            };
            if let Some(site) = missing {
                let (name, number) = (&history.name, line.number);
                return Err(format!(
                    "the history of site {site} is missing, which is in the view of {name}:{number}"
                ));
            }
        }
    }
    Ok(())
}

fn at_rest_at_the_end(histories: &[Recorded]) -> Result<(), String> {
    for history in histories.iter().filter(|h| h.end == Some(Why::Closed)) {
        if let Some((process, in_flight, line)) = history.hurried.first() {
            let name = &history.name;
            return Err(format!(
                "not at rest: {process} was closed with {in_flight} broadcasts that some destination \
                 had not taken, {name}:{line}"
            ));
        }
    }
    Ok(())
}

#[test]
fn a_site_with_a_store_is_known_by_its_first_line() {
    let head = |store: &str| {
        format!(
            r#"{{"format":"isis history","version":1,"cluster":"c","site":"1.7","opened_us":5{store}}}"#
        )
    };
    let noted = |store: &str| {
        let history = super::read::read("f", format!("{}\n", head(store)).as_bytes());
        let trace = merge(vec![history.unwrap().unwrap()], false).unwrap();
        let notes = trace.records.iter();
        notes
            .filter(|r| matches!(&r.what, What::Note(_, note) if note == HAS_STORE))
            .count()
    };
    assert_eq!(noted(""), 0);
    assert_eq!(noted(r#","store":true"#), 1);
}
