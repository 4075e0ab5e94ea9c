//! A comparison of olabels that the application registers with its site (§3.2, R19).
//!
//! It is evaluated by the sender alone, when it sends, on the thread that calls; what travels is
//! ids. So it need not be the same program everywhere, only the same order: sites whose
//! registrations have different names refuse each other.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::error::Error;

/// How one olabel stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// It is less: an OBCAST with it comes before a later one with the other.
    Before,
    /// It is greater. The other may not be sent after it any more; if it is, nothing orders the two.
    After,
    /// They are ordered as they are sent.
    Equal,
    /// Nothing orders them.
    Unrelated,
}

impl Relation {
    /// How the other stands to the one.
    pub fn reversed(self) -> Relation {
        match self {
            Relation::Before => Relation::After,
            Relation::After => Relation::Before,
            same => same,
        }
    }
}

/// A function on two olabels; an error is words about why it has no answer.
type Compare = dyn Fn(&str, &str) -> Result<Relation, String> + Send + Sync;

/// A registered comparison. It must be pure: its answers are remembered.
#[derive(Clone)]
pub struct Comparison {
    name: String,
    compare: Arc<Compare>,
}

impl Comparison {
    /// `compare(a, b)` says how a stands to b; `name` is what the other sites must have registered too.
    pub fn new(
        name: impl Into<String>,
        compare: impl Fn(&str, &str) -> Result<Relation, String> + Send + Sync + 'static,
    ) -> Comparison {
        Comparison {
            name: name.into(),
            compare: Arc::new(compare),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the first olabel stands to the second, asked both ways. An error names both: the
    /// comparison failed, or contradicts itself.
    pub fn relation(&self, first: &str, second: &str) -> Result<Relation, Error> {
        let ask = |a: &str, b: &str| {
            (self.compare)(a, b).map_err(|why| {
                Error::Olabels(format!(
                    "{:?} cannot compare {a:?} with {b:?}: {why}",
                    self.name
                ))
            })
        };
        let (there, back) = (ask(first, second)?, ask(second, first)?);
        if there != back.reversed() || (first == second && there != Relation::Equal) {
            return Err(Error::Olabels(format!(
                "{:?} contradicts itself: {first:?} is {there:?} to {second:?}, and that {back:?} to {first:?}",
                self.name
            )));
        }
        Ok(there)
    }
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comparison({:?})", self.name)
    }
}

impl PartialEq for Comparison {
    fn eq(&self, other: &Comparison) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.compare, &other.compare)
    }
}

impl Eq for Comparison {}
