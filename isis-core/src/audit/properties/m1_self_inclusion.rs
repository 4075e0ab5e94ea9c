//! M1: whoever takes a view is in it. The view that ends a process's own membership is the
//! exception: it does not list it (see `Event::View`).

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (p, life) in &history.lives {
        for (at, step) in &life.steps {
            let fits = match step {
                Step::SiteView(v) => v.contains(p.site),
                Step::View(v) => v.members.contains(p) || v.left.iter().any(|(q, _)| q == p),
                _ => true,
            };
            if !fits {
                return Err(format!("not in its own view: {}", history.text(*at)));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_a_view_without_the_one_who_takes_it() {
    use super::sketch::{Sketch, group_view};
    let mut s = Sketch::new();
    assert!(s.passes(check));
    s.view(&[2], group_view(2, &[0, 1], &[]));
    assert!(!s.passes(check));
}
