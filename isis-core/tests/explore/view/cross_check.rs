//! The same states, counted and judged by another explorer, stateright's, and by properties that look at
//! the machines alone. Its packaged actors cannot halt, so what it explores is our model of the network.

use std::hash::{Hash, Hasher};

use isis_core::view::SiteView;
use stateright::{Checker, Model, Property};

use super::model::{Action, Budget, Explorer, Start, State};
use crate::engine::Model as _;

struct Ours(Explorer, State);

/// A state, and what our own checks say of the step to it.
#[derive(Clone)]
struct Seen {
    state: State,
    digest: u128,
    violation: Option<String>,
}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.digest.hash(hasher);
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.digest == other.digest
    }
}

#[derive(Clone)]
struct Step(usize, Action);

impl PartialEq for Step {
    fn eq(&self, other: &Step) -> bool {
        (self.0, self.1.digest()) == (other.0, other.1.digest())
    }
}

impl Ours {
    fn says(&self, seen: &Seen, words: &str) -> bool {
        let mut sent = self.0.sent(&seen.state);
        sent.any(|letter| letter.words.contains(words))
    }

    fn seen(&self, state: State) -> Seen {
        let digest = self.0.digest(&state);
        Seen {
            state,
            digest,
            violation: None,
        }
    }
}

impl Model for Ours {
    type State = Seen;
    type Action = Step;

    fn init_states(&self) -> Vec<Seen> {
        vec![self.seen(self.1.clone())]
    }

    fn actions(&self, seen: &Seen, actions: &mut Vec<Step>) {
        let moves = self.0.moves(&seen.state).into_iter();
        actions.extend(moves.map(|(at, action)| Step(at, action)));
    }

    fn next_state(&self, seen: &Seen, Step(at, action): Step) -> Option<Seen> {
        match self.0.make(&seen.state, at, action) {
            Ok(after) => after.map(|after| self.seen(after)),
            Err(violation) => Some(Seen {
                violation: Some(violation),
                ..seen.clone()
            }),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("our own checks", |_, seen: &Seen| seen.violation.is_none()),
            Property::always("one view of a number", |_, seen: &Seen| one_view(seen)),
            Property::sometimes("a take-over", |m: &Ours, seen: &Seen| {
                m.says(seen, "interrogate")
            }),
            Property::sometimes("a refusal", |m: &Ours, seen: &Seen| m.says(seen, "refuse")),
            Property::sometimes("an accepted proposal reported", |m: &Ours, seen: &Seen| {
                m.says(seen, "accepted v")
            }),
            Property::sometimes("a commit", |m: &Ours, seen: &Seen| m.says(seen, "commit")),
        ]
    }
}

/// M4, of what machines are in now.
fn one_view(seen: &Seen) -> bool {
    let machines = &seen.state.machines;
    let views: Vec<&SiteView> = machines.iter().filter_map(|m| m.views.current()).collect();
    let agree = |v: &SiteView| views.iter().all(|w| w.number != v.number || *w == v);
    views.iter().all(|v| agree(v))
}

/// How many states there are, by stateright; fails if a property does.
pub fn count(mut explorer: Explorer, start: Start, budget: Budget) -> usize {
    let initial = explorer.initial(start, budget);
    let checker = Ours(explorer, initial).checker().spawn_bfs().join();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name).is_some();
        let wanted = matches!(property.expectation, stateright::Expectation::Sometimes);
        assert_eq!(found, wanted, "{}", property.name);
    }
    checker.unique_state_count()
}
