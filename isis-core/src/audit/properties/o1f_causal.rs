//! O1f: among BCASTs of one label, what its sender had sent or taken before comes first.

use crate::delivery::Label;
use crate::ids::MessageId;

use crate::audit::history::{History, Step};

pub fn check(history: &History<'_>) -> Result<(), String> {
    for (sender, life) in &history.lives {
        for (i, (_, step)) in life.steps.iter().enumerate() {
            let Step::Send(later) = step else { continue };
            let Label::Bcast(label) = &later.label else {
                continue;
            };
            for (_, step) in &life.steps[..i] {
                let (id, other) = match step {
                    Step::Send(m) => (m.id, &m.label),
                    Step::Deliver(m) => (m.id, &m.label),
                    _ => continue,
                };
                if matches!(other, Label::Bcast(l) if l == label) {
                    in_order(history, id, later.id)
                        .map_err(|e| format!("{sender} sent {} after {id}: {e}", later.id))?;
                }
            }
        }
    }
    Ok(())
}

/// Nobody whose deliveries count took `second` and then `first`.
pub fn in_order(history: &History<'_>, first: MessageId, second: MessageId) -> Result<(), String> {
    let (Some(a), Some(b)) = (history.taken.get(&first), history.taken.get(&second)) else {
        return Ok(());
    };
    for (q, (at, _)) in b {
        let counted = history.lives[q].counted;
        if a.get(q)
            .is_some_and(|(first_at, _)| first_at > at && *first_at <= counted)
        {
            return Err(format!("wrong order at {q}: {}", history.text(*at)));
        }
    }
    Ok(())
}

#[test]
fn rejects_an_answer_before_its_question() {
    use super::sketch::Sketch;
    let mut s = Sketch::new();
    let a = s.bcast_to(0, "q", &[1, 2]);
    s.take(&[1], a);
    let b = s.bcast_to(1, "q", &[2]);
    s.take(&[2], b);
    assert!(s.passes(check));
    s.take(&[2], a);
    assert!(!s.passes(check));
}
