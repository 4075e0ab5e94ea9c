//! Arguments that several calls take.

use bytes::Bytes;
use isis_core::Error;
use isis_core::delivery::Olabel;
use isis_core::ids::MessageId;
use isis_core::runtime::Wait;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use crate::error::{ArgumentError, exception};
use crate::ids;
use crate::wait::{Timeout, in_callback};

/// A copy of a bytes-like object.
pub struct Payload(pub Bytes);

impl<'py> FromPyObject<'_, 'py> for Payload {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Payload> {
        let copy = if let Ok(bytes) = object.cast::<PyBytes>() {
            Bytes::copy_from_slice(bytes.as_bytes())
        } else if let Ok(array) = object.cast::<PyByteArray>() {
            Bytes::from(array.to_vec())
        } else {
            let Ok(view) = PyMemoryView::from(&object) else {
                return Err(PyTypeError::new_err(format!(
                    "payload is a bytes-like object, not {}",
                    object.get_type().name()?
                )));
            };
            let bytes = view.call_method0("tobytes")?;
            Bytes::copy_from_slice(bytes.cast::<PyBytes>()?.as_bytes())
        };
        Ok(Payload(copy))
    }
}

/// The olabel: `None` is causal, a name is a stream, `ordered=False` is neither.
pub fn olabel(name: Option<&str>, ordered: bool) -> PyResult<Olabel> {
    match (name, ordered) {
        (None, true) => Ok(Olabel::Causal),
        (Some(name), true) => Ok(Olabel::Stream(name.into())),
        (None, false) => Ok(Olabel::Unordered),
        (Some(name), false) => Err(ArgumentError::new_err(format!(
            "an OBCAST with ordered=False is in no stream, but olabel is {name:?}"
        ))),
    }
}

/// A send, with back-pressure as the caller wants it: inside a callback nothing waits.
pub fn send(
    py: Python<'_>,
    block: bool,
    timeout: Timeout,
    send: impl Fn(Wait) -> Result<MessageId, Error> + Send + Sync,
) -> PyResult<ids::MessageId> {
    let id = if !block || timeout == Timeout::ZERO || in_callback() {
        send(Wait::No).map_err(exception)?
    } else {
        timeout.wait(py, |slice| send(Wait::For(slice)))?
    };
    Ok(ids::MessageId(id))
}
