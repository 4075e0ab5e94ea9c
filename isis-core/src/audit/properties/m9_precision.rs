//! M9: when faults have stopped and the run has come to rest, all live sites are in one site view,
//! which holds exactly them, and all live processes of a group, and those who watch it, in one view of
//! it, which holds only live processes. Recorded histories all end, so it says nothing about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Site;

use crate::audit::history::{History, Step};
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live || history.merged {
        return Ok(());
    }
    sites(history)?;
    groups(history)
}

fn sites(history: &History<'_>) -> Result<(), String> {
    let mut living: BTreeMap<Site, Option<usize>> = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Start(site) => {
                living.insert(*site, None);
            }
            What::Crash(site) | What::Out { site, .. } => {
                living.remove(site);
            }
            What::Install(site, _) => {
                living.insert(*site, Some(at));
            }
            _ => {}
        }
    }
    let all: BTreeSet<Site> = living.keys().copied().collect();
    for (site, last) in &living {
        let Some(at) = last else {
            return Err(format!("site {site} lives and never came into a view"));
        };
        let What::Install(_, view) = &history.records[*at].what else {
            unreachable!("filled above");
        };
        let members: BTreeSet<Site> = view.sites().collect();
        if members != all {
            let text = history.text(*at);
            return Err(format!(
                "at rest, with {all:?} alive, the last view is: {text}"
            ));
        }
    }
    Ok(())
}

fn groups(history: &History<'_>) -> Result<(), String> {
    for (p, life) in history.survivors() {
        let mut last = BTreeMap::new();
        for (at, step) in &life.steps {
            match step {
                Step::View(v) if !v.members.contains(&p) => _ = last.remove(&v.group),
                Step::View(v) | Step::Watch(v) => _ = last.insert(v.group, (*at, *v)),
                Step::WatchEnd(g) => _ = last.remove(g),
                _ => {}
            }
        }
        for (at, v) in last.values() {
            let newest = history
                .views
                .range((v.group, 0)..=(v.group, u64::MAX))
                .next_back();
            let is_newest = newest.is_some_and(|((_, n), _)| *n == v.number);
            let dead = v.members.iter().find(|q| !history.survived(**q));
            if !is_newest || dead.is_some() {
                let text = history.text(*at);
                return Err(format!("at rest this is not the right last view: {text}"));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_a_watcher_that_was_not_told() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    s.view(&[0, 1, 2], group_view(2, &[0, 1, 2], &[]));
    s.watch(&[1], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    s.watch(&[2], group_view(1, &[0, 1, 2], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_dead_site_in_the_last_view() {
    use super::sketch::{Sketch, group_view, site_view};
    use crate::delivery::LeaveReason;
    let mut s = Sketch::new();
    assert!(s.passes(check));
    s.crash(2);
    assert!(!s.passes(check));
    s.site_view(&[0, 1], site_view(1, &[0, 1], &[]));
    assert!(!s.passes(check));
    s.view(
        &[0, 1],
        group_view(2, &[0, 1], &[(2, LeaveReason::SiteFailed)]),
    );
    assert!(s.passes(check));
}
