//! M8: those who stay keep their order; those who join come behind them; `joined` and `left` are the
//! difference to the view before.

use std::fmt::Debug;

use crate::ids::Site;

use crate::audit::history::History;
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (key, view) in &history.views {
        let Some(before) = history.views.get(&(key.0, key.1 - 1)) else {
            continue;
        };
        let left: Vec<_> = view.left.iter().map(|(p, _)| *p).collect();
        compare(&before.members, &view.members, &view.joined, &left)?;
    }
    let mut sites = std::collections::BTreeMap::new();
    for record in history.records {
        if let What::Install(_, v) = &record.what {
            sites.insert((v.epoch, v.number.0), v);
        }
    }
    for (key, view) in &sites {
        let before = key.1.checked_sub(1).and_then(|n| sites.get(&(key.0, n)));
        if let Some(before) = before {
            let old: Vec<Site> = before.sites().collect();
            let new: Vec<Site> = view.sites().collect();
            let left: Vec<Site> = view.left.iter().map(|(s, _)| *s).collect();
            compare(&old, &new, &view.joined, &left)?;
        }
    }
    Ok(())
}

fn compare<T: PartialEq + Copy + Debug>(
    old: &[T],
    new: &[T],
    joined: &[T],
    left: &[T],
) -> Result<(), String> {
    let kept: Vec<T> = old.iter().copied().filter(|p| !left.contains(p)).collect();
    let expected: Vec<T> = kept.iter().chain(joined).copied().collect();
    if expected == new && left.iter().all(|p| old.contains(p)) {
        return Ok(());
    }
    Err(format!(
        "{old:?} with {joined:?} and without {left:?} is not {new:?}"
    ))
}

#[test]
fn rejects_a_joiner_before_an_older_one() {
    use super::sketch::{Sketch, group_view, p};
    let mut s = Sketch::new();
    let mut view = group_view(2, &[0, 1, 2, 3], &[]);
    view.joined = vec![p(3)];
    s.view(&[0], view);
    assert!(s.passes(check));
    let mut view = group_view(3, &[4, 0, 1, 2, 3], &[]);
    view.joined = vec![p(4)];
    s.view(&[0], view);
    assert!(!s.passes(check));
}
