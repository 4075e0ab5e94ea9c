//! M3: a process takes nothing before its first site view, and nothing of a group before its first
//! view of that group.

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for life in history.lives.values() {
        let mut groups = Vec::new();
        for (at, step) in &life.steps {
            match step {
                Step::View(v) => groups.push(v.group),
                Step::Deliver(_, m) if m.group.is_some_and(|(g, _)| !groups.contains(&g)) => {
                    return Err(format!("before the first view: {}", history.text(*at)));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_a_message_before_the_first_view() {
    use super::sketch::{Sketch, p};
    use crate::audit::trace::What;
    let mut s = Sketch::new();
    let m = s.bcast(0, "q");
    s.take(&[2], m);
    assert!(s.passes(check));
    s.trace
        .records
        .retain(|r| !matches!(&r.what, What::View(q, _) if *q == p(2)));
    assert!(!s.passes(check));
}
