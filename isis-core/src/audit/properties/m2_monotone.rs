//! M2: at one process the numbers of a group's views grow, and within an epoch those of the site
//! views. (M5 sees to those of a group that is watched.)

use std::collections::BTreeMap;

use crate::audit::history::{History, Step};

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
