//! M2: at one process the numbers of a group's views grow, and within an epoch those of the site
//! views; these also from one incarnation of a site to the next. (M5 sees to those of a group that is
//! watched.)

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
    let mut installed = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        let What::Install(site, v) = &record.what else {
            continue;
        };
        let last = installed.insert((site.id, v.epoch), v.number);
        if last.is_some_and(|before| v.number <= before) {
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
