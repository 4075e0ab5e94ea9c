//! M6: a site view is agreed by a quorum of the one before it (a majority, or exactly half with the
//! oldest). Acceptances are not in the trace; what is: sites that had halted, or were out, before the
//! sites of the new view last changed cannot have agreed to it. So whenever a view appears, a quorum
//! of the one before must have acted on that one at some time, or live still, or be back with a store.

use std::collections::{BTreeMap, BTreeSet};

use isis_core::audit::history::History;
use isis_core::audit::trace::{HAS_STORE, What};
use isis_core::ids::{Epoch, Site};
use isis_core::view::SiteView;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut views: BTreeMap<(Epoch, u64), &SiteView> = BTreeMap::new();
    let mut acted: BTreeMap<(Epoch, u64), BTreeSet<Site>> = BTreeMap::new();
    let mut gone: BTreeSet<Site> = BTreeSet::new();
    let mut stored: BTreeSet<Site> = BTreeSet::new();
    for (at, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Crash(site) | What::Out { site, .. } => {
                gone.insert(*site);
            }
            What::Note(site, note) if note == HAS_STORE => {
                stored.insert(*site);
            }
            What::Install(site, v) => {
                let key = (v.epoch, v.number.0);
                let before = v.number.0.checked_sub(1).map(|n| (v.epoch, n));
                if !views.contains_key(&key)
                    && let Some(old) = before.and_then(|b| views.get(&b))
                {
                    let acted = &acted[&(old.epoch, old.number.0)];
                    let back = |s: &Site| stored.iter().any(|t| t.id == s.id && t > s);
                    let could = |s: &Site| acted.contains(s) || !gone.contains(s) || back(s);
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
    use isis_core::audit::trace::Trace;
    use isis_core::ids::{Incarnation, SiteId, ViewNumber};
    use isis_core::view::Member;
    let site = |id| Site {
        id: SiteId(id),
        incarnation: Incarnation(1),
    };
    let view = |number, sites: &[u32]| SiteView {
        epoch: Epoch(7),
        number: ViewNumber(number),
        members: Vec::from_iter(sites.iter().map(|id| Member {
            site: site(*id),
            address: String::new(),
        })),
        joined: Vec::new(),
        left: Vec::new(),
        founding: vec![SiteId(0)],
        highest: BTreeMap::new(),
    };
    let mut trace = Trace::default();
    for (number, sites, who) in [(1, 5, 0), (1, 5, 1), (2, 6, 0)] {
        let all: Vec<u32> = (0..sites).collect();
        trace.add(0, What::Install(site(who), view(number, &all)));
    }
    assert_eq!(check(&History::new(&trace)), Ok(()));
    for id in 2..6 {
        trace.add(1, What::Crash(site(id)));
    }
    trace.add(2, What::Install(site(0), view(3, &[0])));
    assert!(check(&History::new(&trace)).is_err());
}
