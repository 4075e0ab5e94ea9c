//! Names of groups and processes, labels.

use alloc::format;

use crate::error::Error;

/// Names and labels are at most this many bytes.
pub const MAX_NAME: usize = 255;

/// Whether a name or label may be used; a peer's may be no other.
pub(crate) fn check_name(what: &str, name: &str, may_be_empty: bool) -> Result<(), Error> {
    if name.is_empty() && !may_be_empty {
        return Err(Error::Name(format!("the {what} is empty")));
    }
    if name.len() > MAX_NAME {
        return Err(Error::Name(format!(
            "the {what} has {} bytes; at most {MAX_NAME} are possible",
            name.len()
        )));
    }
    if name.contains('\0') {
        return Err(Error::Name(format!("the {what} contains a NUL")));
    }
    Ok(())
}
