//! Events one by one, for languages in which callbacks are hard.

use std::ffi::c_int;
use std::ptr::null;

use crate::args::present;
use crate::boundary::{accessor, boundary};
use crate::delivery_status::{Answer, isis_delivery_status};
use crate::group::isis_group;
use crate::ids::isis_id;
use crate::message::isis_message;
use crate::process::isis_process;
use crate::status::{Failure, ISIS_OK};
use crate::view::{isis_group_view, isis_site_view};

/// An event of a process, taken by isis_next(). It never changes.
pub struct isis_event {
    pub(crate) process: isis_process,
    pub(crate) group: isis_group,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Message(isis_message),
    View(isis_group_view),
    SiteView(isis_site_view),
    Blocked,
    Unblocked,
    Writable,
    Completed(Completed),
    Undeliverable(isis_id),
    Excluded(isis_site_view),
    Closed,
}

/// An operation that has ended.
#[derive(Default)]
pub(crate) struct Completed {
    pub(crate) token: u64,
    pub(crate) operation: c_int,
    pub(crate) status: c_int,
    /// Of isis_status().
    pub(crate) answer: Option<Answer>,
}

/// A broadcast is delivered: isis_event_message(), isis_event_group().
pub const ISIS_EVENT_MESSAGE: c_int = 1;
/// A group has a new view: isis_event_group_view(), isis_event_group().
pub const ISIS_EVENT_VIEW: c_int = 2;
/// The site view has changed: isis_event_site_view().
pub const ISIS_EVENT_SITE_VIEW: c_int = 3;
/// No quorum of the site view is reachable: broadcasts wait.
pub const ISIS_EVENT_BLOCKED: c_int = 4;
/// A quorum is reachable again.
pub const ISIS_EVENT_UNBLOCKED: c_int = 5;
/// A send that gave ISIS_EAGAIN may be tried again.
pub const ISIS_EVENT_WRITABLE: c_int = 6;
/// An operation has ended: isis_event_token(), isis_event_operation(), isis_event_status(), and
/// for a join or a look-up isis_event_group().
pub const ISIS_EVENT_COMPLETED: c_int = 7;
/// The others agreed that this site had failed: isis_event_site_view() goes on without it.
pub const ISIS_EVENT_EXCLUDED: c_int = 8;
/// The process has ended; no event follows.
pub const ISIS_EVENT_CLOSED: c_int = 9;

/// A broadcast of this process reached nobody, because the group that it watched was dissolved first:
/// isis_event_id().
pub const ISIS_EVENT_UNDELIVERABLE: c_int = 10;

/// A join has ended.
pub const ISIS_OP_JOIN: c_int = 1;
/// A leave has ended.
pub const ISIS_OP_LEAVE: c_int = 2;
/// A flush has ended.
pub const ISIS_OP_FLUSH: c_int = 3;
/// The closing of a process has ended.
pub const ISIS_OP_CLOSE: c_int = 4;
/// A status call has been answered: isis_event_delivery_status().
pub const ISIS_OP_STATUS: c_int = 5;
/// A look-up has ended.
pub const ISIS_OP_LOOKUP: c_int = 6;

impl Body {
    fn kind(&self) -> c_int {
        match self {
            Body::Message(_) => ISIS_EVENT_MESSAGE,
            Body::View(_) => ISIS_EVENT_VIEW,
            Body::SiteView(_) => ISIS_EVENT_SITE_VIEW,
            Body::Blocked => ISIS_EVENT_BLOCKED,
            Body::Unblocked => ISIS_EVENT_UNBLOCKED,
            Body::Writable => ISIS_EVENT_WRITABLE,
            Body::Completed(_) => ISIS_EVENT_COMPLETED,
            Body::Undeliverable(_) => ISIS_EVENT_UNDELIVERABLE,
            Body::Excluded(_) => ISIS_EVENT_EXCLUDED,
            Body::Closed => ISIS_EVENT_CLOSED,
        }
    }
}

/// # Safety
/// `event` is NULL or valid.
unsafe fn completed<'a>(event: *const isis_event) -> Option<&'a Completed> {
    // SAFETY: the caller's promise.
    match unsafe { event.as_ref() }.map(|e| &e.body) {
        Some(Body::Completed(completed)) => Some(completed),
        _ => None,
    }
}

/// Gives an event back, and with it the message or view that was borrowed from it. NULL is allowed
/// and does nothing.
///
/// Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
///
/// # Safety
/// `event` is NULL or came from isis_next(), and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_free(event: *mut isis_event) {
    accessor((), || {
        if !event.is_null() {
            // SAFETY: made by Box::into_raw in isis_next().
            drop(unsafe { Box::from_raw(event) });
        }
    });
}

/// What kind of event it is: ISIS_EVENT_*. Later versions may have more kinds: ignore what you do
/// not know. 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_kind(event: *const isis_event) -> c_int {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { event.as_ref() }.map_or(0, |e| e.body.kind()))
}

/// The process whose event it is; 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_process(event: *const isis_event) -> isis_process {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { event.as_ref() }.map_or(0, |e| e.process))
}

/// The group that a message was addressed to, that has a new view, or that a completed join or
/// look-up has found; else 0.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_group(event: *const isis_event) -> isis_group {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { event.as_ref() }.map_or(0, |e| e.group))
}

/// The message of an ISIS_EVENT_MESSAGE; else NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
/// isis_event_free(); isis_message_clone() keeps it longer.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_message(event: *const isis_event) -> *const isis_message {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        match unsafe { event.as_ref() }.map(|e| &e.body) {
            Some(Body::Message(message)) => message,
            _ => null(),
        }
    })
}

/// The view of an ISIS_EVENT_VIEW; else NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
/// isis_event_free().
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_group_view(event: *const isis_event) -> *const isis_group_view {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        match unsafe { event.as_ref() }.map(|e| &e.body) {
            Some(Body::View(view)) => view,
            _ => null(),
        }
    })
}

/// The view of an ISIS_EVENT_SITE_VIEW or ISIS_EVENT_EXCLUDED; else NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
/// isis_event_free().
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_site_view(event: *const isis_event) -> *const isis_site_view {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        match unsafe { event.as_ref() }.map(|e| &e.body) {
            Some(Body::SiteView(view) | Body::Excluded(view)) => view,
            _ => null(),
        }
    })
}

/// The broadcast of an ISIS_EVENT_UNDELIVERABLE, as its send returned it; else all zero.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `event` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_id(event: *const isis_event, out: *mut isis_id) {
    accessor((), || {
        // SAFETY: the caller's promise.
        let id = match unsafe { event.as_ref() }.map(|e| &e.body) {
            Some(Body::Undeliverable(id)) => *id,
            _ => isis_id::default(),
        };
        if !out.is_null() {
            // SAFETY: the caller's promise.
            unsafe { out.write(id) };
        }
    });
}

/// The token of an ISIS_EVENT_COMPLETED, as it was given to the operation; else 0.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_token(event: *const isis_event) -> u64 {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { completed(event) }.map_or(0, |c| c.token))
}

/// The operation of an ISIS_EVENT_COMPLETED: ISIS_OP_*; else 0.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_operation(event: *const isis_event) -> c_int {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { completed(event) }.map_or(0, |c| c.operation))
}

/// How the operation of an ISIS_EVENT_COMPLETED ended: ISIS_OK or a failure's code; else ISIS_OK.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `event` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_status(event: *const isis_event) -> c_int {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { completed(event) }.map_or(0, |c| c.status))
}

/// The answer that an ISIS_EVENT_COMPLETED of ISIS_OP_STATUS brings. Set `out->struct_size`, `failed`
/// and `failed_room` before the call.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: copied into what `out` names.
/// Codes: ISIS_EINVAL NULL, an event that brings no answer, struct_size unset; ISIS_EVERSION header
/// newer than the library.
///
/// # Safety
/// `event` is NULL or valid; `out` is NULL, or writable with its inputs set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_event_delivery_status(
    event: *const isis_event,
    out: *mut isis_delivery_status,
) -> c_int {
    boundary(|| {
        present(event.cast_mut(), "event")?;
        // SAFETY: the caller's promises.
        unsafe {
            let answer = completed(event).and_then(|c| c.answer.as_ref());
            answer
                .ok_or_else(|| Failure::invalid("the event brings no answer to a status call"))?
                .give(out)?;
        }
        Ok(ISIS_OK)
    })
}
