//! M4: one number names one view, everywhere, also at processes and sites that then crash.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::audit::history::History;
use crate::audit::trace::What;

pub fn check(history: &History<'_>) -> Result<(), String> {
    let mut groups = BTreeMap::new();
    let mut sites = BTreeMap::new();
    for (at, record) in history.records.iter().enumerate() {
        let other = match &record.what {
            What::View(_, v) => match groups.entry((v.group, v.number)) {
                Entry::Vacant(e) => {
                    e.insert((at, v));
                    None
                }
                Entry::Occupied(e) => (e.get().1 != v).then_some(e.get().0),
            },
            What::Install(_, v) => differs(&mut sites, at, v),
            What::SiteView(_, v) => differs(&mut sites, at, v),
            _ => None,
        };
        if let Some(other) = other {
            let (a, b) = (history.text(other), history.text(at));
            return Err(format!("two views of one number:\n  {a}\n  {b}"));
        }
    }
    Ok(())
}

type Sites<'a> = BTreeMap<(crate::ids::Epoch, u64), (usize, &'a crate::view::SiteView)>;

fn differs<'a>(seen: &mut Sites<'a>, at: usize, v: &'a crate::view::SiteView) -> Option<usize> {
    match seen.entry((v.epoch, v.number.0)) {
        Entry::Vacant(e) => {
            e.insert((at, v));
            None
        }
        Entry::Occupied(e) => (e.get().1 != v).then_some(e.get().0),
    }
}

#[test]
fn rejects_two_views_of_one_number() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    s.view(&[0], group_view(2, &[0, 1], &[]));
    assert!(s.passes(check));
    s.view(&[1], group_view(2, &[1, 0], &[]));
    assert!(!s.passes(check));
}

#[test]
fn rejects_two_site_views_of_one_number() {
    use super::sketch::{Sketch, site_view};
    let mut s = Sketch::new();
    s.site_view(&[0], site_view(1, &[0, 1], &[]));
    assert!(s.passes(check));
    s.site_view(&[2], site_view(1, &[2, 1], &[]));
    assert!(!s.passes(check));
}
