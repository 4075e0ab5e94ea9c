//! The sends: BCAST (3.1), OBCAST (3.2), GBCAST (3.3), to groups and to explicit destination lists.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use isis_core::delivery::Olabel;
use isis_core::ids::{MessageId, ProcessId};
use isis_core::runtime::Wait;

use crate::args::{gathered, give, isis_iovec, list, optional_text, payload};
use crate::boundary::{boundary, not_in_callback};
use crate::group::{GROUPS, isis_group};
use crate::ids::{isis_id, isis_process_id};
use crate::process::{PROCESSES, isis_process};
use crate::status::{Failure, ISIS_OK};

/// Wait for room instead of returning ISIS_EAGAIN; as long as isis_set_send_timeout() says.
pub const ISIS_WAIT: u32 = 1;
/// For OBCASTs: comparable with no other (3.2).
pub const ISIS_UNORDERED: u32 = 2;
/// For BCASTs: *safe*. Nobody is handed it until every operational destination site is known to hold it,
/// and what comes before it by its label, in their final places: whoever is handed it, and fails
/// thereafter or not, has got the BCASTs of the label up to it as all survivors get them. Takes two
/// hops more than a plain one; BCASTs of the label that come after it wait along.
pub const ISIS_SAFE: u32 = 4;

/// Back-pressure as the flags say.
fn wait_of(flags: u32, allowed: u32, process: isis_process) -> Result<Wait, Failure> {
    if flags & !allowed != 0 {
        return Err(Failure::invalid(format!("flags {flags:#x}: unknown here")));
    }
    if flags & ISIS_WAIT == 0 {
        return Ok(Wait::No);
    }
    not_in_callback("a send with ISIS_WAIT")?;
    let timeout_ms = PROCESSES
        .get(process)?
        .send_timeout_ms
        .load(Ordering::Relaxed);
    Ok(u64::try_from(timeout_ms).map_or(Wait::Forever, |ms| Wait::For(Duration::from_millis(ms))))
}

/// # Safety
/// `olabel` is NULL or a string.
unsafe fn olabel_of(olabel: *const c_char, flags: u32) -> Result<Olabel, Failure> {
    // SAFETY: the caller's promise.
    match (
        unsafe { optional_text(olabel, "olabel") }?,
        flags & ISIS_UNORDERED,
    ) {
        (None, 0) => Ok(Olabel::Causal),
        (Some(stream), 0) => Ok(Olabel::Stream(Arc::from(stream))),
        (None, _) => Ok(Olabel::Unordered),
        (Some(_), _) => Err(Failure::invalid(
            "ISIS_UNORDERED and an olabel exclude each other",
        )),
    }
}

/// # Safety
/// `label` is NULL or a string.
unsafe fn label_of<'a>(label: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    Ok(unsafe { optional_text(label, "label") }?.unwrap_or(""))
}

/// # Safety
/// `dests` is NULL or has `count` ids.
unsafe fn dests_of(dests: *const isis_process_id, count: usize) -> Result<Vec<ProcessId>, Failure> {
    // SAFETY: the caller's promise.
    let dests = unsafe { list(dests, count, "dests") }?;
    Ok(dests.iter().map(|d| (*d).into()).collect())
}

/// # Safety
/// `id` is NULL or writable.
unsafe fn sent(message: MessageId, id: *mut isis_id) -> Result<c_int, Failure> {
    if !id.is_null() {
        // SAFETY: the caller's promise.
        unsafe { give(id, message.into(), "id") }?;
    }
    Ok(ISIS_OK)
}

/// # Safety
/// `label` is NULL or a string.
unsafe fn bcast(
    group: isis_group,
    label: *const c_char,
    bytes: impl FnOnce() -> Result<Bytes, Failure>,
    flags: u32,
) -> Result<MessageId, Failure> {
    let entry = GROUPS.get(group)?;
    // SAFETY: the caller's promise.
    let label = unsafe { label_of(label) }?;
    let wait = wait_of(flags, ISIS_WAIT | ISIS_SAFE, entry.process)?;
    let (group, bytes) = (&entry.group, bytes()?);
    Ok(match flags & ISIS_SAFE {
        0 => group.bcast(label, bytes, wait),
        _ => group.safe_bcast(label, bytes, wait),
    }?)
}

/// # Safety
/// `olabel` is NULL or a string.
unsafe fn obcast(
    group: isis_group,
    olabel: *const c_char,
    bytes: impl FnOnce() -> Result<Bytes, Failure>,
    flags: u32,
) -> Result<MessageId, Failure> {
    let entry = GROUPS.get(group)?;
    // SAFETY: the caller's promise.
    let olabel = unsafe { olabel_of(olabel, flags) }?;
    let wait = wait_of(flags, ISIS_WAIT | ISIS_UNORDERED, entry.process)?;
    Ok(entry.group.obcast(olabel, bytes()?, wait)?)
}

fn gbcast(
    group: isis_group,
    bytes: impl FnOnce() -> Result<Bytes, Failure>,
    flags: u32,
) -> Result<MessageId, Failure> {
    let entry = GROUPS.get(group)?;
    let wait = wait_of(flags, ISIS_WAIT, entry.process)?;
    Ok(entry.group.gbcast(bytes()?, wait)?)
}

/// # Safety
/// `dests` is NULL or has `count` ids; `label` is NULL or a string.
unsafe fn bcast_to(
    process: isis_process,
    (dests, count): (*const isis_process_id, usize),
    label: *const c_char,
    bytes: impl FnOnce() -> Result<Bytes, Failure>,
    flags: u32,
) -> Result<MessageId, Failure> {
    let entry = PROCESSES.get(process)?;
    // SAFETY: the caller's promises.
    let (dests, label) = unsafe { (dests_of(dests, count)?, label_of(label)?) };
    let wait = wait_of(flags, ISIS_WAIT | ISIS_SAFE, process)?;
    let (process, bytes) = (&entry.process, bytes()?);
    Ok(match flags & ISIS_SAFE {
        0 => process.bcast_to(&dests, label, bytes, wait),
        _ => process.safe_bcast_to(&dests, label, bytes, wait),
    }?)
}

/// # Safety
/// `dests` is NULL or has `count` ids; `olabel` is NULL or a string.
unsafe fn obcast_to(
    process: isis_process,
    (dests, count): (*const isis_process_id, usize),
    olabel: *const c_char,
    bytes: impl FnOnce() -> Result<Bytes, Failure>,
    flags: u32,
) -> Result<MessageId, Failure> {
    let entry = PROCESSES.get(process)?;
    // SAFETY: the caller's promises.
    let (dests, olabel) = unsafe { (dests_of(dests, count)?, olabel_of(olabel, flags)?) };
    let wait = wait_of(flags, ISIS_WAIT | ISIS_UNORDERED, process)?;
    Ok(entry.process.obcast_to(&dests, olabel, bytes()?, wait)?)
}

/// BCAST(msg, label, dests) of 3.1 to the members of a group: every operational member receives it,
/// or none does; two with the same label are delivered in the same order at all common members.
/// `label` is at most 255 bytes; NULL is "".
///
/// `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_SAFE.
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
/// not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
/// has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
/// room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad
/// label; ISIS_EBUSY ISIS_WAIT inside a callback: do without it.
///
/// # Safety
/// `label` is NULL or a string; `data` has `len` bytes; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_bcast(
    group: isis_group,
    label: *const c_char,
    data: *const c_void,
    len: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe { sent(bcast(group, label, || payload(data, len), flags)?, id) })
}

/// As isis_bcast(), with the bytes gathered from `iov_count` pieces in their order.
///
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: as isis_bcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
///
/// # Safety
/// `label` is NULL or a string; `iov` has `iov_count` valid pieces; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_bcastv(
    group: isis_group,
    label: *const c_char,
    iov: *const isis_iovec,
    iov_count: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe { sent(bcast(group, label, || gathered(iov, iov_count), flags)?, id) })
}

/// OBCAST(msg, olabel, dests) of 3.2 to the members of a group: delivered here at once, and
/// elsewhere after every OBCAST that *precedes* it. `olabel`: NULL is comparable with all others of
/// the group (causal order); a name, with those of the same stream, "x,y" with those of x and of y; a
/// site opened with `compare_olabels` compares names by that instead.
///
/// `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_UNORDERED.
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
/// not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
/// has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
/// room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad
/// label, or an empty stream in it; ISIS_EBUSY ISIS_WAIT inside a callback: do without it;
/// ISIS_EPANIC the registered comparison of olabels is at fault: the site has halted.
///
/// # Safety
/// `olabel` is NULL or a string; `data` has `len` bytes; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_obcast(
    group: isis_group,
    olabel: *const c_char,
    data: *const c_void,
    len: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe { sent(obcast(group, olabel, || payload(data, len), flags)?, id) })
}

/// As isis_obcast(), with the bytes gathered from `iov_count` pieces in their order.
///
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: as isis_obcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
///
/// # Safety
/// `olabel` is NULL or a string; `iov` has `iov_count` valid pieces; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_obcastv(
    group: isis_group,
    olabel: *const c_char,
    iov: *const isis_iovec,
    iov_count: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe {
        sent(
            obcast(group, olabel, || gathered(iov, iov_count), flags)?,
            id,
        )
    })
}

/// GBCAST of 3.3 to the members of a group: ordered against every other broadcast and every view of
/// the group.
///
/// `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT.
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
/// not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
/// has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
/// room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_EBUSY
/// ISIS_WAIT inside a callback: do without it.
///
/// # Safety
/// `data` has `len` bytes; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_gbcast(
    group: isis_group,
    data: *const c_void,
    len: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe { sent(gbcast(group, || payload(data, len), flags)?, id) })
}

/// As isis_gbcast(), with the bytes gathered from `iov_count` pieces in their order.
///
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: as isis_gbcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
///
/// # Safety
/// `iov` has `iov_count` valid pieces; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_gbcastv(
    group: isis_group,
    iov: *const isis_iovec,
    iov_count: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe { sent(gbcast(group, || gathered(iov, iov_count), flags)?, id) })
}

/// BCAST of 3.1 to exactly these processes, members of a common group or not; as isis_bcast().
/// One that is named twice gets one copy.
///
/// `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_SAFE.
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: ISIS_EINVAL bad handle, NULL with a length, empty destination list or one with a process
/// of index 0, which is its site's own, unknown flag;
/// ISIS_ECLOSED, ISIS_EEXCLUDED the process or site has ended: open another; ISIS_EAGAIN no room:
/// nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no room in time: nothing was sent;
/// ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad label; ISIS_EBUSY ISIS_WAIT inside a
/// callback: do without it.
///
/// # Safety
/// `dests` has `dest_count` ids; `label` is NULL or a string; `data` has `len` bytes; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_bcast_to(
    process: isis_process,
    dests: *const isis_process_id,
    dest_count: usize,
    label: *const c_char,
    data: *const c_void,
    len: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe {
        sent(
            bcast_to(
                process,
                (dests, dest_count),
                label,
                || payload(data, len),
                flags,
            )?,
            id,
        )
    })
}

/// As isis_bcast_to(), with the bytes gathered from `iov_count` pieces in their order.
///
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: as isis_bcast_to(); ISIS_EMSGSIZE also if the pieces' sum overflows.
///
/// # Safety
/// `dests` has `dest_count` ids; `label` is NULL or a string; `iov` has `iov_count` valid pieces; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_bcast_tov(
    process: isis_process,
    dests: *const isis_process_id,
    dest_count: usize,
    label: *const c_char,
    iov: *const isis_iovec,
    iov_count: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe {
        sent(
            bcast_to(
                process,
                (dests, dest_count),
                label,
                || gathered(iov, iov_count),
                flags,
            )?,
            id,
        )
    })
}

/// OBCAST of 3.2 to exactly these processes, members of a common group or not; as isis_obcast(). A
/// NULL `olabel` is comparable with all others sent to explicit lists.
///
/// `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_UNORDERED.
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: ISIS_EINVAL bad handle, NULL with a length, empty destination list or one with a process
/// of index 0, which is its site's own, unknown flag;
/// ISIS_ECLOSED, ISIS_EEXCLUDED the process or site has ended: open another; ISIS_EAGAIN no room:
/// nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no room in time: nothing was sent;
/// ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad label; ISIS_EBUSY ISIS_WAIT inside a
/// callback: do without it.
///
/// # Safety
/// `dests` has `dest_count` ids; `olabel` is NULL or a string; `data` has `len` bytes; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_obcast_to(
    process: isis_process,
    dests: *const isis_process_id,
    dest_count: usize,
    olabel: *const c_char,
    data: *const c_void,
    len: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe {
        sent(
            obcast_to(
                process,
                (dests, dest_count),
                olabel,
                || payload(data, len),
                flags,
            )?,
            id,
        )
    })
}

/// As isis_obcast_to(), with the bytes gathered from `iov_count` pieces in their order.
///
/// Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
/// bytes are copied.
/// Codes: as isis_obcast_to(); ISIS_EMSGSIZE also if the pieces' sum overflows.
///
/// # Safety
/// `dests` has `dest_count` ids; `olabel` is NULL or a string; `iov` has `iov_count` valid pieces; `id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_obcast_tov(
    process: isis_process,
    dests: *const isis_process_id,
    dest_count: usize,
    olabel: *const c_char,
    iov: *const isis_iovec,
    iov_count: usize,
    flags: u32,
    id: *mut isis_id,
) -> c_int {
    // SAFETY: the caller's promises.
    boundary(|| unsafe {
        sent(
            obcast_to(
                process,
                (dests, dest_count),
                olabel,
                || gathered(iov, iov_count),
                flags,
            )?,
            id,
        )
    })
}
