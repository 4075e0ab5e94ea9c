//! U: whoever takes a safe BCAST, and fails thereafter or not, has taken the BCASTs of its label up to it
//! as all survivors do: all of them, in one order (O1), without gaps (O2).

use super::{o1_bcast_order, o2_gap};
use crate::audit::history::{At, History, Life, bcast_label};

fn counts(life: &Life<'_>, label: &str) -> At {
    life.counted_or_safe(label)
}

pub fn check_order(history: &History<'_>) -> Result<(), String> {
    o1_bcast_order::check_upto(history, &counts)?;
    o2_gap::check_upto(history, &counts)
}

pub fn check_delivery(history: &History<'_>) -> Result<(), String> {
    if !history.live {
        return Ok(());
    }
    for (p, life) in &history.lives {
        for (at, n, m) in life.deliveries() {
            let is_bound = |label| at <= life.counted_or_safe(label);
            if bcast_label(&m.label).is_some_and(is_bound)
                && let Some(q) = history.survivor_without(n)
            {
                let text = history.text(at);
                return Err(format!("{q} never took what {p} took as safe: {text}"));
            }
        }
    }
    Ok(())
}

#[test]
fn rejects_the_loss_of_what_was_taken_as_safe() {
    use super::sketch::Sketch;
    // 0 takes a and then b, and fails; the others take b alone.
    let without_a = |a_is_safe: bool, b_is_safe: bool| {
        let mut s = Sketch::new();
        let mut send = |from, safe| match safe {
            true => s.safe_bcast(from, "q"),
            false => s.bcast(from, "q"),
        };
        let (a, b) = (send(0, a_is_safe), send(1, b_is_safe));
        s.take(&[0], a);
        s.take(&[0, 1, 2], b);
        s.crash(0);
        s.passes(check_delivery)
    };
    assert!(without_a(false, false));
    assert!(!without_a(true, false));
    assert!(!without_a(false, true));
}

#[test]
fn rejects_another_order_than_that_of_who_failed() {
    use super::sketch::Sketch;
    // 0 takes a before b and fails; the others take b before a.
    let orders = |a_is_safe: bool, b_is_safe: bool| {
        let mut s = Sketch::new();
        let mut send = |from, safe| match safe {
            true => s.safe_bcast(from, "q"),
            false => s.bcast(from, "q"),
        };
        let (a, b) = (send(0, a_is_safe), send(1, b_is_safe));
        s.take(&[0], a);
        s.take(&[0], b);
        s.crash(0);
        s.take(&[1, 2], b);
        s.take(&[1, 2], a);
        s
    };
    assert!(orders(false, false).passes(check_order));
    assert!(!orders(true, false).passes(check_order));
    assert!(!orders(false, true).passes(check_order));
    assert!(!orders(true, true).passes(check_order));
}
