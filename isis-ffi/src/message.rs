//! Delivered broadcasts as C sees them: borrowed in a callback, owned from an event or a clone.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use isis_core::delivery::{Label, Message, Olabel};

use crate::args::{give, refer};
use crate::boundary::{accessor, boundary};
use crate::group::isis_group;
use crate::ids::{isis_id, isis_process_id, primitive_of};
use crate::send::ISIS_UNORDERED;
use crate::status::{ISIS_OK, c_text};

/// A delivered broadcast. It never changes: any number of threads may read it at once.
pub struct isis_message {
    message: Message,
    group: isis_group,
    /// Made when it is first asked for.
    label: OnceLock<CString>,
}

impl isis_message {
    pub(crate) fn new(message: Message, group: isis_group) -> isis_message {
        isis_message {
            message,
            group,
            label: OnceLock::new(),
        }
    }
}

/// Keeps a message beyond its callback or event. Counts a reference; copies no payload.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the result is the caller's,
/// to be given back to isis_message_free(); NULL gives NULL.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_clone(message: *const isis_message) -> *mut isis_message {
    accessor(null_mut(), || {
        // SAFETY: the caller's promise.
        let Some(message) = (unsafe { message.as_ref() }) else {
            return null_mut();
        };
        let clone = isis_message::new(message.message.clone(), message.group);
        Box::into_raw(Box::new(clone))
    })
}

/// Gives a clone back. NULL is allowed and does nothing. A message borrowed in a callback or from
/// an event is not freed.
///
/// Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
///
/// # Safety
/// `message` is NULL or came from isis_message_clone(), and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_free(message: *mut isis_message) {
    accessor((), || {
        if !message.is_null() {
            // SAFETY: made by Box::into_raw in isis_message_clone().
            drop(unsafe { Box::from_raw(message) });
        }
    });
}

/// The application's bytes, byte for byte as sent. `len`, if not NULL, gets how many they are.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the message's, valid as long as
/// it is; never NULL for a message (also where there are 0 bytes), NULL for NULL.
///
/// # Safety
/// `message` is NULL or valid; `len` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_data(
    message: *const isis_message,
    len: *mut usize,
) -> *const c_void {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        let message = unsafe { message.as_ref() };
        let payload = message.map(|m| &m.message.payload);
        // SAFETY: the caller's promise.
        if let Some(len) = unsafe { len.as_mut() } {
            *len = payload.map_or(0, |p| p.len());
        }
        payload.map_or(null(), |p| p.as_ptr().cast())
    })
}

/// Copies bytes of the message from `offset` on into `buffer`, at most `size` of them: for
/// languages in which a pointer into the library is awkward.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the buffer stays the caller's.
/// Result: how many bytes were copied; 0 at the end, and if an argument is NULL.
///
/// # Safety
/// `message` is NULL or valid; `buffer` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_read(
    message: *const isis_message,
    offset: usize,
    buffer: *mut c_void,
    size: usize,
) -> usize {
    accessor(0, || {
        // SAFETY: the caller's promise.
        let Some(message) = (unsafe { message.as_ref() }) else {
            return 0;
        };
        let rest = message.message.payload.get(offset..).unwrap_or_default();
        let part = &rest[..rest.len().min(size)];
        if buffer.is_null() || part.is_empty() {
            return 0;
        }
        // SAFETY: room for `size` bytes by the caller's promise; the payload is the library's own.
        unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), buffer.cast(), part.len()) };
        part.len()
    })
}

/// The label of a BCAST (3.1) or the stream of an OBCAST (3.2); "" where there is none.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the message's, valid as long as
/// it is; NULL for NULL only.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_label(message: *const isis_message) -> *const c_char {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        let Some(m) = (unsafe { message.as_ref() }) else {
            return null();
        };
        let label = m.label.get_or_init(|| c_text(m.message.label.as_str()));
        label.as_ptr()
    })
}

/// Which primitive carried it: ISIS_BCAST, ISIS_OBCAST or ISIS_GBCAST; 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_primitive(message: *const isis_message) -> u32 {
    accessor(0, || {
        // SAFETY: the caller's promise.
        unsafe { message.as_ref() }.map_or(0, |m| primitive_of(m.message.id.class))
    })
}

/// ISIS_UNORDERED if the OBCAST was sent so, else 0; 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_flags(message: *const isis_message) -> u32 {
    accessor(0, || {
        // SAFETY: the caller's promise.
        match unsafe { message.as_ref() }.map(|m| &m.message.label) {
            Some(Label::Obcast(Olabel::Unordered)) => ISIS_UNORDERED,
            _ => 0,
        }
    })
}

/// ID(B): what the sender's call returned (3).
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL an argument is NULL.
///
/// # Safety
/// `message` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_id(message: *const isis_message, out: *mut isis_id) -> c_int {
    boundary(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let message = refer(message, "message")?;
            give(out, message.message.id.into(), "out")?;
        }
        Ok(ISIS_OK)
    })
}

/// SENDER(B): the process that sent it (3).
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL an argument is NULL.
///
/// # Safety
/// `message` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_sender(
    message: *const isis_message,
    out: *mut isis_process_id,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let message = refer(message, "message")?;
            give(out, message.message.id.sender.into(), "out")?;
        }
        Ok(ISIS_OK)
    })
}

/// The group it was addressed to; 0 if it went to an explicit destination list, and for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the receiving process's handle
/// of the group; nothing to give back.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_group(message: *const isis_message) -> isis_group {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { message.as_ref() }.map_or(0, |m| m.group))
}

/// The number of the group view in which it is delivered, at all members the same (3.3); 0 if it
/// went to an explicit destination list, and for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_message_view_number(message: *const isis_message) -> u64 {
    accessor(0, || {
        // SAFETY: the caller's promise.
        let group = unsafe { message.as_ref() }.and_then(|m| m.message.group);
        group.map_or(0, |(_, number)| number)
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use bytes::Bytes;

    use super::*;
    use crate::ids::message_id_of;

    fn message(label: Label) -> isis_message {
        let id = isis_id {
            sender: isis_process_id {
                incarnation: 5,
                site: 2,
                index: 1,
            },
            seq: 4,
            primitive: crate::ids::ISIS_OBCAST,
            reserved: 0,
        };
        let message = Message {
            id: message_id_of(id).unwrap(),
            group: None,
            label,
            payload: Bytes::from_static(b"payload"),
        };
        isis_message::new(message, 0)
    }

    #[test]
    fn a_clone_outlives_its_message_and_shares_its_bytes() {
        let m = message(Label::Obcast(Olabel::Stream("x".into())));
        // SAFETY: valid messages, freed once.
        unsafe {
            let clone = isis_message_clone(&m);
            let bytes = isis_message_data(&m, null_mut());
            drop(m);
            let mut len = 0;
            assert_eq!(isis_message_data(clone, &mut len), bytes);
            assert_eq!(len, 7);
            assert_eq!(CStr::from_ptr(isis_message_label(clone)), c"x");
            isis_message_free(clone);
            isis_message_free(null_mut());
        }
    }

    #[test]
    fn reading_stops_at_the_end() {
        let m = message(Label::Obcast(Olabel::Unordered));
        let mut buffer = [0u8; 4];
        // SAFETY: a valid message and buffer.
        let mut read =
            |at| unsafe { isis_message_read(&m, at, buffer.as_mut_ptr().cast(), buffer.len()) };
        assert_eq!((read(0), read(5), read(7), read(99)), (4, 2, 0, 0));
        assert_eq!(&buffer, b"adyl", "first payl, then ad over its beginning");
        // SAFETY: a valid message; NULL is refused.
        unsafe {
            assert_eq!(isis_message_flags(&m), ISIS_UNORDERED);
            assert_eq!(isis_message_read(&m, 0, null_mut(), 4), 0);
            assert_eq!(isis_message_label(null()), null());
        }
    }
}
