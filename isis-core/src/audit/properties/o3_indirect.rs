//! O3, footnote 2 of §3: what a process had taken when it sent something that a survivor took, is
//! taken by all surviving destinations; so is what *precedes* an OBCAST that a survivor took.

use crate::ids::Class;

use crate::audit::history::History;

pub fn check(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    let lacking = |n| history.survivor_without(n);
    for life in history.lives.values() {
        for (at, n, m) in life.counted() {
            if m.id.class != Class::Obcast
                && let Some(q) = lacking(n)
            {
                let text = history.text(at);
                return Err(format!("this was seen, {q} never took it: {text}"));
            }
        }
    }
    history.precedes.sum_up(
        |n| lacking(n).map(|q| (n, q)),
        |lost, other| *lost = lost.or(*other),
        |n, lost| {
            let mut takers = history.broadcasts[n].taken.iter();
            let survivor = takers.find(|(p, _, _)| history.survived(*p));
            if let (Some((first, q)), Some((_, at, _))) = (lost, survivor) {
                let (first, text) = (history.broadcasts[*first].id, history.text(*at));
                return Err(format!("{q} never took {first}, which precedes: {text}"));
            }
            Ok(())
        },
    )
}

#[test]
fn rejects_what_was_seen_and_is_lost() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let b = s.bcast(2, "q");
    s.take(&[2], b);
    let o = s.obcast(2, "x");
    s.crash(2);
    assert!(s.passes(check));
    s.take(&[0, 1], o);
    assert!(!s.passes(check));
    s.take(&[0, 1], b);
    assert!(s.passes(check));
}
