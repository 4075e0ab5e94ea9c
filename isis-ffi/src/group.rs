//! Groups: joining, looking up, leaving, and the handles of those a process is in or watches.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use isis_core::delivery::Outcome;
use isis_core::ids::GroupId;
use isis_core::runtime::{Group, Operation};

use crate::args::{give, present, text};
use crate::boundary::{boundary, not_in_callback};
use crate::callbacks::{CallbackSet, isis_callbacks};
use crate::event::{ISIS_OP_JOIN, ISIS_OP_LEAVE, ISIS_OP_LOOKUP};
use crate::ids::isis_group_id;
use crate::process::{Joining, PROCESSES, Pending, ProcessEntry, isis_process};
use crate::status::{Failure, ISIS_ENOTMEMBER, ISIS_OK, ISIS_PENDING};
use crate::table::{Entry, Table};
use crate::view::{give_owned, isis_group_view};

/// A process's membership in a group (3.3), or its watch of one (isis_lookup()). 0 is none. It ends by
/// itself with the membership or the watch, or with the process; nothing to give back.
pub type isis_group = u64;

pub(crate) static GROUPS: Table<GroupEntry> = Table::new();

pub(crate) struct GroupEntry {
    pub(crate) group: Group,
    pub(crate) process: isis_process,
    handle: isis_group,
}

/// What a process's book says of a group.
pub(crate) struct Membership {
    pub(crate) handle: isis_group,
    pub(crate) callbacks: Option<Arc<CallbackSet>>,
}

impl Entry for GroupEntry {
    const KIND: u64 = 3;
    const NAME: &'static str = "group";
    type Side = ();
}

/// The group's handle, made when it is first met: by the join that succeeds, or by the first view,
/// whichever comes first. The join that the group owes its callbacks to is known by the core's
/// token, or by the name that the view carries.
pub(crate) fn bind(process: &ProcessEntry, id: GroupId, token: Option<u64>) -> Option<isis_group> {
    // The queue's lock: to be taken before the book's.
    let group = process.process.group(id)?;
    let mut book = process.book.lock();
    let joining = match token {
        Some(token) => book.pending.remove(&token).and_then(|p| p.join),
        None => None,
    };
    let callbacks = match joining {
        Some(joining) => joining.callbacks,
        None => book
            .pending
            .values_mut()
            .filter_map(|p| p.join.as_mut())
            .find(|j| j.name == group.name())
            .and_then(|j| j.callbacks.take()),
    };
    if let Some(known) = book.memberships.get_mut(&id) {
        if known.callbacks.is_none() {
            known.callbacks = callbacks;
        }
        return Some(known.handle);
    }
    let make = |handle, _: &_| {
        Ok(GroupEntry {
            group,
            process: process.handle,
            handle,
        })
    };
    let handle = GROUPS.insert(make).ok()?;
    book.memberships
        .insert(id, Membership { handle, callbacks });
    Some(handle)
}

/// Ends the group's handle, if the process is in the group no more and does not watch it.
pub(crate) fn unbind_if_over(process: &ProcessEntry, id: GroupId) {
    if process.process.group(id).is_some() {
        return;
    }
    // The callbacks are dropped outside the lock: their `drop` is the application's.
    let ended = process.book.lock().memberships.remove(&id);
    if let Some(membership) = &ended {
        GROUPS.retire(membership.handle, ISIS_ENOTMEMBER);
    }
}

/// Makes the process a member of the group of this name (3.3), which is created if there is none.
/// The view that admits it is its first event of the group.
///
/// `callbacks`, if not NULL, are told of the group's messages and views (`deliver`, `view`) instead
/// of the process's; their `drop` is called when the membership ends. `out`, if not NULL, gets the
/// group's handle on ISIS_OK, else 0.
/// `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome, with the handle, as *completed* event
/// with `token`).
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says. Ownership:
/// the struct is copied; `user` is the library's until `drop`, unless this call fails (ISIS_PENDING
/// and ISIS_ETIMEDOUT are no failure here): then nothing is taken, and `drop` not called.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL, already a member;
/// ISIS_ENAME bad name; ISIS_EVERSION header newer than the library; ISIS_ETIMEDOUT it goes on, and
/// completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
///
/// # Safety
/// `group` is NULL or a string; `callbacks` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_join(
    process: isis_process,
    group: *const c_char,
    callbacks: *const isis_callbacks,
    user: *mut c_void,
    timeout_ms: c_int,
    token: u64,
    out: *mut isis_group,
) -> c_int {
    boundary(|| {
        let mut handle = 0;
        // SAFETY: the caller's promises.
        let result = unsafe {
            join(
                process,
                group,
                callbacks,
                user,
                timeout_ms,
                token,
                &mut handle,
            )
        };
        if !out.is_null() {
            // SAFETY: the caller's promise.
            unsafe { give(out, handle, "out") }?;
        }
        result
    })
}

/// # Safety
/// As for [`isis_join`].
unsafe fn join(
    process: isis_process,
    group: *const c_char,
    callbacks: *const isis_callbacks,
    user: *mut c_void,
    timeout_ms: c_int,
    token: u64,
    out: &mut isis_group,
) -> Result<c_int, Failure> {
    let entry = PROCESSES.get(process)?;
    // SAFETY: the caller's promise.
    let name = unsafe { text(group, "group") }?;
    if timeout_ms != 0 {
        not_in_callback("isis_join")?;
    }
    // SAFETY: the caller's promise.
    let callbacks = unsafe { CallbackSet::new(callbacks, user) }?.map(Arc::new);
    let pending = Pending {
        token,
        operation: ISIS_OP_JOIN,
        join: Some(Joining {
            name: name.to_owned(),
            callbacks: callbacks.clone(),
        }),
    };
    match entry.run(Operation::Join(name), pending, timeout_ms) {
        Ok(None) => Ok(ISIS_PENDING),
        Ok(Some(outcome)) => {
            *out = joined(&entry, &outcome)?;
            Ok(ISIS_OK)
        }
        Err(failure) => {
            if failure.code != crate::status::ISIS_ETIMEDOUT
                && let Some(callbacks) = callbacks
            {
                callbacks.forget();
            }
            Err(failure)
        }
    }
}

/// Addresses the group of this name without joining it: from now on the process *watches* the group.
///
/// A process that watches gets the group's view as it is, then every later one, in the place that the
/// view has among the messages at the members: after a view that tells of a failure nothing comes from
/// who failed (3.3). It may use the handle for isis_bcast(), isis_obcast() and isis_gbcast(): what it
/// sends has the order, the safety and the status of what a member sends, but the group's messages,
/// its own included, do not come to it. The watch goes on until isis_leave(), until the process joins
/// the group, or until a view without members comes: the group is dissolved, the handle ends, and what
/// had not left by then comes back as *undeliverable*. Events go to the process's callbacks.
///
/// If the process is a member, the handle of its membership is returned. `out`, if not NULL, gets the
/// group's handle on ISIS_OK, else 0.
/// `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome, with the handle, as *completed* event
/// with `token`).
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL; ISIS_ENAME bad name,
/// or no group has it: try again when somebody has created it; ISIS_ETIMEDOUT it goes on, and
/// completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
///
/// # Safety
/// `group` is NULL or a string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_lookup(
    process: isis_process,
    group: *const c_char,
    timeout_ms: c_int,
    token: u64,
    out: *mut isis_group,
) -> c_int {
    boundary(|| {
        let mut handle = 0;
        // SAFETY: the caller's promise.
        let result = unsafe { lookup(process, group, timeout_ms, token, &mut handle) };
        if !out.is_null() {
            // SAFETY: the caller's promise.
            unsafe { give(out, handle, "out") }?;
        }
        result
    })
}

/// # Safety
/// As for [`isis_lookup`].
unsafe fn lookup(
    process: isis_process,
    group: *const c_char,
    timeout_ms: c_int,
    token: u64,
    out: &mut isis_group,
) -> Result<c_int, Failure> {
    let entry = PROCESSES.get(process)?;
    // SAFETY: the caller's promise.
    let name = unsafe { text(group, "group") }?;
    if timeout_ms != 0 {
        not_in_callback("isis_lookup")?;
    }
    let pending = Pending {
        token,
        operation: ISIS_OP_LOOKUP,
        join: None,
    };
    match entry.run(Operation::Lookup(name), pending, timeout_ms)? {
        None => Ok(ISIS_PENDING),
        Some(outcome) => {
            *out = joined(&entry, &outcome)?;
            Ok(ISIS_OK)
        }
    }
}

fn joined(process: &ProcessEntry, outcome: &Outcome) -> Result<isis_group, Failure> {
    let (Outcome::Joined(id) | Outcome::Watching(id)) = outcome else {
        return Err(Failure::invalid(format!("it completed with {outcome:?}")));
    };
    let book = process.book.lock();
    book.memberships
        .get(id)
        .map(|m| m.handle)
        .ok_or_else(|| Failure::new(ISIS_ENOTMEMBER, "the membership has ended already"))
}

/// Ends the process's membership, or its watch. Sends to the group give ISIS_ENOTMEMBER from now on;
/// its events go on until the view without the process, with which the handle ends. The handle of a
/// watch ends when this completes.
///
/// `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
/// Codes: ISIS_EINVAL bad handle; ISIS_ENOTMEMBER the membership has ended already; ISIS_ECLOSED,
/// ISIS_EEXCLUDED the process or site has; ISIS_ETIMEDOUT it goes on, and completes as an event;
/// ISIS_EBUSY would block inside a callback: pass 0.
#[unsafe(no_mangle)]
pub extern "C" fn isis_leave(group: isis_group, timeout_ms: c_int, token: u64) -> c_int {
    boundary(|| {
        let entry = GROUPS.get(group)?;
        if timeout_ms != 0 {
            not_in_callback("isis_leave")?;
        }
        let process = PROCESSES.get(entry.process)?;
        let pending = Pending {
            token,
            operation: ISIS_OP_LEAVE,
            join: None,
        };
        let outcome = process.run(Operation::Leave(entry.group.id()), pending, timeout_ms)?;
        Ok(outcome.map_or(ISIS_PENDING, |_| ISIS_OK))
    })
}

/// The process that is the member, or watches.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
/// Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_process(group: isis_group, out: *mut isis_process) -> c_int {
    boundary(|| {
        let process = GROUPS.get(group)?.process;
        // SAFETY: the caller's promise.
        unsafe { give(out, process, "out") }?;
        Ok(ISIS_OK)
    })
}

/// The instance of the group: the same at all members.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_get_id(group: isis_group, out: *mut isis_group_id) -> c_int {
    boundary(|| {
        let id = GROUPS.get(group)?.group.id();
        // SAFETY: the caller's promise.
        unsafe { give(out, id.into(), "out") }?;
        Ok(ISIS_OK)
    })
}

/// The group view as of the last *view* event that the process took; `*out` is NULL before the
/// first.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
/// given to isis_group_view_free().
/// Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_current_view(
    group: isis_group,
    out: *mut *mut isis_group_view,
) -> c_int {
    boundary(|| {
        let entry = GROUPS.get(group)?;
        present(out, "out")?;
        let view = entry.group.view();
        let view = view.map(|view| isis_group_view::new(view, entry.handle));
        // SAFETY: the caller's promise.
        unsafe { give_owned(view, out) }?;
        Ok(ISIS_OK)
    })
}
