use std::sync::Arc;

use crate::error::Error;
use crate::view::SiteView;

/// Why a site has ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// It was closed or halted.
    Closed,
    /// A committed view excludes it.
    Excluded(Arc<SiteView>),
    /// Its store cannot be written any more (R3).
    StoreFailed(Error),
    /// A machine broke an invariant (fail-stop).
    Broken(String),
    /// The registered comparison of olabels is at fault.
    Olabels(Error),
}

impl Ending {
    pub(crate) fn error(&self) -> Error {
        match self {
            Ending::Closed => Error::Closed("the site is closed".into()),
            Ending::Excluded(view) => {
                Error::Excluded(format!("view {} goes on without this site", view.number.0))
            }
            Ending::StoreFailed(error) => error.clone(),
            Ending::Broken(what) => Error::Internal(what.clone()),
            Ending::Olabels(error) => error.clone(),
        }
    }
}
