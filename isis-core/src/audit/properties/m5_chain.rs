//! M5, DESIGN promise 8: from joining to leaving, and while it watches, a process misses no view;
//! consecutive site views share a site that acted on both, or with stores was in both; a second epoch
//! only begins when the first cannot go on.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Epoch, Site};
use crate::view::SiteView;

use crate::audit::history::{History, Step};
use crate::audit::trace::{HAS_STORE, What};

pub fn check(history: &History<'_>) -> Result<(), String> {
    no_gaps(history)?;
    shared_sites(history)?;
    match history.merged {
        true => Ok(()),
        false => one_epoch(history),
    }
}

fn no_gaps(history: &History<'_>) -> Result<(), String> {
    for (p, life) in &history.lives {
        let mut groups = BTreeMap::new();
        let mut watched = BTreeMap::new();
        let mut sites: Option<(Epoch, u64)> = None;
        for (at, step) in &life.steps {
            let gap = match step {
                Step::View(v) => {
                    let before = groups.insert(v.group, (v.number, v.members.contains(p)));
                    let before = before.filter(|(_, member)| *member).map(|(n, _)| n);
                    let before = before.or(watched.remove(&v.group));
                    before.is_some_and(|n| v.number != n + 1)
                }
                Step::Watch(v) => {
                    let before = watched.insert(v.group, v.number);
                    before.is_some_and(|n| v.number != n + 1)
                }
                Step::WatchEnd(g) => {
                    watched.remove(g);
                    false
                }
                Step::SiteView(v) => {
                    let before = sites.replace((v.epoch, v.number.0));
                    before.is_some_and(|b| b != (v.epoch, v.number.0 - 1))
                }
                _ => false,
            };
            if gap {
                return Err(format!("a view is missing before: {}", history.text(*at)));
            }
        }
    }
    Ok(())
}

/// The last view may have been seen by joiners alone, when all others failed on the way; nothing
/// follows it then, unless those come back with their stores: then a member of both will do, which has
/// voted and may have failed before it acted.
fn shared_sites(history: &History<'_>) -> Result<(), String> {
    let mut installed: BTreeMap<(Epoch, u64), (&SiteView, BTreeSet<Site>)> = BTreeMap::new();
    let mut stores = false;
    for record in history.records {
        match &record.what {
            What::Install(site, v) => {
                let key = (v.epoch, v.number.0);
                let (_, sites) = installed.entry(key).or_insert((v, BTreeSet::new()));
                sites.insert(*site);
            }
            What::Note(_, note) => stores |= note == HAS_STORE,
            _ => {}
        }
    }
    for ((epoch, n), (view, sites)) in &installed {
        let before = n.checked_sub(1).and_then(|n| installed.get(&(*epoch, n)));
        let followed = installed.contains_key(&(*epoch, n + 1));
        let Some((old, acted)) = before.filter(|_| followed) else {
            continue;
        };
        let by_store = stores && view.sites().any(|s| old.sites().any(|o| o.id == s.id));
        if sites.is_disjoint(acted) && !by_store {
            return Err(format!(
                "no site acted on both site views {} and {n}",
                n - 1
            ));
        }
    }
    Ok(())
}

/// Needs one clock: of recorded histories nobody knows which epoch was first.
fn one_epoch(history: &History<'_>) -> Result<(), String> {
    let mut first: Vec<Epoch> = Vec::new();
    let mut latest: BTreeMap<Epoch, u64> = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        let What::Install(_, v) = &record.what else {
            continue;
        };
        if !first.contains(&v.epoch) {
            first.push(v.epoch);
        }
        let seen = latest.get(&v.epoch).copied();
        let is_old = first.last() != Some(&v.epoch);
        if is_old && seen.is_some_and(|n| n < v.number.0) {
            return Err(format!("two epochs go on: {}", history.text(at)));
        }
        latest.insert(v.epoch, seen.unwrap_or(0).max(v.number.0));
    }
    Ok(())
}

#[test]
fn rejects_a_gap() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    s.view(&[0], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    s.view(&[0], group_view(4, &[0, 1, 2], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_a_gap_in_what_is_watched() {
    use super::sketch::{Sketch, group, group_view, p};
    let gap = |ends: bool| {
        let mut s = Sketch::new();
        s.watch(&[3], group_view(1, &[0, 1, 2], &[]));
        if ends {
            s.add(What::Left(p(3), group()));
        }
        s.watch(&[3], group_view(3, &[0, 1, 2], &[]));
        s
    };
    assert!(gap(true).passes(check));
    assert!(!gap(false).passes(check));
}

#[test]
fn rejects_site_views_without_a_common_site() {
    use super::sketch::{Sketch, site_view};
    let mut s = Sketch::new();
    s.site_view(&[0, 1], site_view(1, &[0, 1, 2], &[]));
    s.site_view(&[0], site_view(2, &[0], &[]));
    assert!(s.passes(check));
    let mut s = Sketch::new();
    s.site_view(&[3], site_view(1, &[3], &[]));
    s.site_view(&[3], site_view(2, &[3], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_two_epochs_that_go_on() {
    use super::sketch::{Sketch, site_view};
    let mut s = Sketch::new();
    let mut other = site_view(0, &[3, 4], &[]);
    other.epoch = Epoch(8);
    s.site_view(&[3], other);
    assert!(s.passes(check));
    s.site_view(&[0], site_view(1, &[0, 1, 2], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_views_without_a_common_member_with_stores_too() {
    use super::sketch::{Sketch, site, site_view};
    let mut s = Sketch::new();
    s.add(What::Note(site(0), HAS_STORE.into()));
    s.site_view(&[3], site_view(1, &[0, 3], &[]));
    s.site_view(&[3], site_view(2, &[0, 3], &[]));
    assert!(s.passes(check));
    s.site_view(&[4], site_view(3, &[4], &[]));
    s.site_view(&[4], site_view(4, &[4], &[]));
    assert!(!s.passes(check));
}
