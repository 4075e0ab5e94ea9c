//! M6: a site view is agreed by a quorum of the one before it (a majority, or exactly half with the
//! oldest). Acceptances are not in the trace; what is: sites that had halted, or were out, before the
//! sites of the new view last changed cannot have agreed to it. So whenever a view appears, a quorum
//! of the one before must have acted on that one at some time, or live still.

use std::collections::{BTreeMap, BTreeSet};

use isis_core::ids::{Epoch, Site};
use isis_core::view::SiteView;

use crate::history::History;
use crate::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut views: BTreeMap<(Epoch, u64), &SiteView> = BTreeMap::new();
    let mut acted: BTreeMap<(Epoch, u64), BTreeSet<Site>> = BTreeMap::new();
    let mut gone: BTreeSet<Site> = BTreeSet::new();
    for (at, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Crash(site) | What::Out { site, .. } => {
                gone.insert(*site);
            }
            What::Install(site, v) => {
                let key = (v.epoch, v.number.0);
                let before = v.number.0.checked_sub(1).map(|n| (v.epoch, n));
                if !views.contains_key(&key)
                    && let Some(old) = before.and_then(|b| views.get(&b))
                {
                    let acted = &acted[&(old.epoch, old.number.0)];
                    let could = |s: &Site| acted.contains(s) || !gone.contains(s);
                    let voters: BTreeSet<Site> = old.sites().filter(could).collect();
                    if !is_quorum(old, &voters) {
                        let text = history.text(at);
                        return Err(format!("no quorum can have agreed: {text}"));
                    }
                }
                views.entry(key).or_insert(v);
                acted.entry(key).or_default().insert(*site);
            }
            _ => {}
        }
    }
    Ok(())
}

/// DESIGN R5.
pub fn is_quorum(view: &SiteView, voters: &BTreeSet<Site>) -> bool {
    let n = view.sites().filter(|s| voters.contains(s)).count();
    let all = view.members.len();
    2 * n > all || 2 * n == all && voters.contains(&view.manager())
}

#[test]
fn rejects_a_view_that_a_minority_made() {
    use super::sketch::{Sketch, site_view};
    let mut s = Sketch::new();
    s.site_view(&[0, 1], site_view(1, &[0, 1, 2, 3, 4], &[]));
    s.site_view(&[0], site_view(2, &[0, 1, 2, 3, 4, 5], &[]));
    assert!(s.passes(check));
    for i in [2, 3, 4, 5] {
        s.crash(i);
    }
    s.site_view(&[0], site_view(3, &[0], &[]));
    assert!(!s.passes(check));
}
