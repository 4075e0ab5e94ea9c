//! From errors and panics of the Rust library to the exceptions of `isis._errors`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use isis_core::Error;
use pyo3::prelude::*;

use crate::wait::Inside;

macro_rules! exceptions {
    ($($name:ident),*) => { $(pyo3::import_exception!(isis._errors, $name);)* };
}

exceptions!(
    ArgumentError,
    BlockedError,
    BusyError,
    ClosedError,
    ExcludedError,
    FlowControlError,
    ForkedError,
    InternalError,
    IsisError,
    IsisTimeoutError,
    MessageTooLargeError,
    NetworkError,
    NotMemberError,
    OlabelError,
    ProtocolError,
    UnsupportedError
);

/// The exception that stands for `error`.
pub fn exception(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Invalid(_) | Error::Name(_) => ArgumentError::new_err(text),
        Error::Closed(_) => ClosedError::new_err(text),
        Error::TimedOut | Error::NotTold(_) => IsisTimeoutError::new_err(text),
        Error::WouldBlock => FlowControlError::new_err(text),
        Error::TooLarge { .. } => MessageTooLargeError::new_err(text),
        Error::NotMember => NotMemberError::new_err(text),
        Error::Excluded(_) => ExcludedError::new_err(text),
        Error::Protocol(_) => ProtocolError::new_err(text),
        Error::Io(_) => NetworkError::new_err(text),
        Error::Busy(_) => BusyError::new_err(text),
        Error::NotSupported(_) => UnsupportedError::new_err(text),
        Error::Blocked => BlockedError::new_err(text),
        Error::Forked => ForkedError::new_err(text),
        Error::Olabels(_) => OlabelError::new_err(text),
        Error::Internal(_) => InternalError::new_err(text),
        _ => IsisError::new_err(text),
    }
}

/// The panic boundary: every entry that reaches the library runs inside it.
///
/// What a panic left behind is not looked at again: the library's own state is behind its threads,
/// which halt the site when one of them panics.
pub fn entry<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let _inside = Inside::enter();
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(exception(Error::Internal(panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_by_its_message() {
        let caught = catch_unwind(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!(panic_text(&*caught), "panic: number 7");
        let caught = catch_unwind(|| panic!("plain")).unwrap_err();
        assert_eq!(panic_text(&*caught), "panic: plain");
    }
}
