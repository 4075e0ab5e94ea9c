//! M2: at one process the numbers of a group's views grow, and within an epoch those of the site
//! views; these also from one incarnation of a site to the next, in the order of their names: a merged
//! history has no clock that could tell. (M5 sees to those of a group that is watched.)

use std::collections::BTreeMap;

use crate::audit::history::{History, Step};
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for life in history.lives.values() {
        let mut groups = BTreeMap::new();
        let mut epochs = BTreeMap::new();
        for (at, step) in &life.steps {
            let last = match step {
                Step::View(v) => groups.insert(v.group, v.number).map(|n| (n, v.number)),
                // It may be the one that the process has just left.
                Step::Watch(v) => groups.insert(v.group, v.number).map(|n| (n, v.number + 1)),
                Step::SiteView(v) => epochs.insert(v.epoch, v.number.0).map(|n| (n, v.number.0)),
                _ => None,
            };
            if last.is_some_and(|(before, now)| now <= before) {
                return Err(format!(
                    "a view's number does not grow: {}",
                    history.text(*at)
                ));
            }
        }
    }
    let mut installed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        if let What::Install(site, v) = &record.what {
            let views = installed.entry((site.id, v.epoch)).or_default();
            views.push((site.incarnation, at, v.number));
        }
    }
    for views in installed.values_mut() {
        views.sort_by_key(|(incarnation, at, _)| (*incarnation, *at));
        if let Some(pair) = views.windows(2).find(|pair| pair[1].2 <= pair[0].2) {
            let at = pair[1].1;
            return Err(format!("a site's views restart: {}", history.text(at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_a_number_that_comes_twice() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    s.view(&[0], group_view(2, &[0, 1, 2], &[]));
    assert!(s.passes(check));
    s.view(&[0], group_view(2, &[0, 1, 2], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_an_incarnation_that_begins_where_another_had_been() {
    use super::sketch::{Sketch, site, site_view};
    use crate::ids::Incarnation;
    let mut s = Sketch::new();
    s.site_view(&[0], site_view(1, &[0, 1], &[]));
    let next = crate::ids::Site {
        incarnation: Incarnation(2),
        ..site(0)
    };
    s.add(What::Install(next, site_view(2, &[0, 1], &[])));
    assert!(s.passes(check));
    s.add(What::Install(next, site_view(1, &[0, 1], &[])));
    assert!(!s.passes(check));
}

#[test]
fn an_earlier_incarnation_is_earlier_wherever_its_records_stand() {
    use super::sketch::{Sketch, site, site_view};
    use crate::ids::Incarnation;
    let mut s = Sketch::new();
    let next = crate::ids::Site {
        incarnation: Incarnation(2),
        ..site(0)
    };
    s.add(What::Install(next, site_view(2, &[0, 1], &[])));
    s.site_view(&[0], site_view(1, &[0, 1], &[]));
    assert!(s.passes(check));
}
