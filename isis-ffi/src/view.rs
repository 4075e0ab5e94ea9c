//! Group views (3.3) and site views (4.2) as C sees them.

use std::ffi::{CString, c_char, c_int};
use std::ptr::{null, null_mut};
use std::sync::Arc;

use isis_core::delivery::{GroupView, LeaveReason};
use isis_core::ids::ProcessId;
use isis_core::view::{LeftReason, SiteView};

use crate::args::{give, refer};
use crate::boundary::{accessor, boundary};
use crate::group::isis_group;
use crate::ids::{isis_group_id, isis_process_id, isis_site_id};
use crate::status::{ISIS_OK, c_text};

/// A numbered membership list of a group, oldest member first (3.3); the same at all members that
/// have this number. It never changes: any number of threads may read it at once.
pub struct isis_group_view {
    view: Arc<GroupView>,
    group: isis_group,
    name: CString,
    members: Vec<isis_process_id>,
    joined: Vec<isis_process_id>,
    left: Vec<isis_departure>,
}

/// A numbered list of the operational sites, oldest first (4.2). It never changes: any number of
/// threads may read it at once.
pub struct isis_site_view {
    view: Arc<SiteView>,
    epoch: CString,
    members: Vec<isis_site_id>,
    addresses: Vec<CString>,
    joined: Vec<isis_site_id>,
    left: Vec<isis_site_departure>,
}

/// A process that is no longer in a group, and why.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_departure {
    /// Which.
    pub process: isis_process_id,
    /// ISIS_LEFT, ISIS_SITE_FAILED or ISIS_PROCESS_FAILED.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
}

/// A site that is no longer in the site view, and why.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_site_departure {
    /// Which.
    pub site: isis_site_id,
    /// ISIS_LEFT or ISIS_SITE_FAILED.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
}

/// It asked to leave.
pub const ISIS_LEFT: u32 = 1;
/// Its site failed: it halted, or was silent for so long that the others agreed that it had.
pub const ISIS_SITE_FAILED: u32 = 2;
/// The process ended without leaving, while its site lives.
pub const ISIS_PROCESS_FAILED: u32 = 3;

impl isis_group_view {
    pub(crate) fn new(view: Arc<GroupView>, group: isis_group) -> isis_group_view {
        let ids = |list: &[ProcessId]| list.iter().map(|p| (*p).into()).collect();
        let left = view.left.iter().map(|(process, reason)| isis_departure {
            process: (*process).into(),
            reason: match reason {
                LeaveReason::Left => ISIS_LEFT,
                LeaveReason::SiteFailed => ISIS_SITE_FAILED,
                LeaveReason::ProcessFailed => ISIS_PROCESS_FAILED,
            },
            reserved: 0,
        });
        isis_group_view {
            group,
            name: c_text(&view.name),
            members: ids(&view.members),
            joined: ids(&view.joined),
            left: left.collect(),
            view,
        }
    }
}

impl isis_site_view {
    pub(crate) fn new(view: Arc<SiteView>) -> isis_site_view {
        let left = view.left.iter().map(|(site, reason)| isis_site_departure {
            site: (*site).into(),
            reason: match reason {
                LeftReason::Asked => ISIS_LEFT,
                LeftReason::Failed => ISIS_SITE_FAILED,
            },
            reserved: 0,
        });
        isis_site_view {
            epoch: c_text(&format!("{:032x}", view.epoch.0)),
            members: view.sites().map(Into::into).collect(),
            addresses: view.members.iter().map(|m| c_text(&m.address)).collect(),
            joined: view.joined.iter().map(|s| (*s).into()).collect(),
            left: left.collect(),
            view,
        }
    }
}

/// A list for C: its beginning, and its length where the caller asks for it.
///
/// # Safety
/// `count` is NULL or writable.
unsafe fn hand_out<T>(list: Option<&Vec<T>>, count: *mut usize) -> *const T {
    // SAFETY: the caller's promise.
    if let Some(count) = unsafe { count.as_mut() } {
        *count = list.map_or(0, Vec::len);
    }
    list.map_or(null(), |l| l.as_ptr())
}

/// Gives back what isis_group_current_view() gave. NULL is allowed and does nothing. A view borrowed
/// in a callback or from an event is not freed.
///
/// Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
///
/// # Safety
/// `view` is NULL or came from isis_group_current_view(), and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_free(view: *mut isis_group_view) {
    accessor((), || {
        if !view.is_null() {
            // SAFETY: made by Box::into_raw in isis_group_current_view().
            drop(unsafe { Box::from_raw(view) });
        }
    });
}

/// The number of the view; counts from 1 per instance of the group. 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_number(view: *const isis_group_view) -> u64 {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { view.as_ref() }.map_or(0, |v| v.view.number))
}

/// The group's name.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_name(view: *const isis_group_view) -> *const c_char {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        unsafe { view.as_ref() }.map_or(null(), |v| v.name.as_ptr())
    })
}

/// The receiving process's handle of the group; 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_group(view: *const isis_group_view) -> isis_group {
    // SAFETY: the caller's promise.
    accessor(0, || unsafe { view.as_ref() }.map_or(0, |v| v.group))
}

/// The instance of the group: the same at all members.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL an argument is NULL.
///
/// # Safety
/// `view` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_id(
    view: *const isis_group_view,
    out: *mut isis_group_id,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's promises.
        unsafe { give(out, refer(view, "view")?.view.group.into(), "out") }?;
        Ok(ISIS_OK)
    })
}

/// The members, oldest first. `count`, if not NULL, gets how many they are. The view that ends the
/// receiving process's own membership does not list it.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_members(
    view: *const isis_group_view,
    count: *mut usize,
) -> *const isis_process_id {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.members), count) }
    })
}

/// Those of the members that are new in this view. As isis_group_view_members().
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_joined(
    view: *const isis_group_view,
    count: *mut usize,
) -> *const isis_process_id {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.joined), count) }
    })
}

/// Members of the view before that are not in this one, and why. Nothing from a failed one is
/// delivered after this view (3.3). As isis_group_view_members().
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_group_view_left(
    view: *const isis_group_view,
    count: *mut usize,
) -> *const isis_departure {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.left), count) }
    })
}

/// Gives back what isis_site_current_view() gave. NULL is allowed and does nothing. A view borrowed
/// in a callback or from an event is not freed.
///
/// Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
///
/// # Safety
/// `view` is NULL or came from isis_site_current_view(), and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_free(view: *mut isis_site_view) {
    accessor((), || {
        if !view.is_null() {
            // SAFETY: made by Box::into_raw in isis_site_current_view().
            drop(unsafe { Box::from_raw(view) });
        }
    });
}

/// The number of the view; the first one of a cluster is number 0. 0 for NULL.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_number(view: *const isis_site_view) -> u64 {
    // SAFETY: the caller's promise.
    accessor(0, || {
        unsafe { view.as_ref() }.map_or(0, |v| v.view.number.0)
    })
}

/// The random name, 32 hexadecimal digits, of the sequence of site views that this one belongs to.
/// Views and messages of different epochs have nothing to do with each other.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_epoch(view: *const isis_site_view) -> *const c_char {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        unsafe { view.as_ref() }.map_or(null(), |v| v.epoch.as_ptr())
    })
}

/// The operational sites, oldest first; the first is the view manager (4.2). `count`, if not NULL,
/// gets how many they are.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_members(
    view: *const isis_site_view,
    count: *mut usize,
) -> *const isis_site_id {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.members), count) }
    })
}

/// The address, "host:port", that the member at this place of the list advertises.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL and for a place beyond the list.
///
/// # Safety
/// `view` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_address(
    view: *const isis_site_view,
    place: usize,
) -> *const c_char {
    accessor(null(), || {
        // SAFETY: the caller's promise.
        let address = unsafe { view.as_ref() }.and_then(|v| v.addresses.get(place));
        address.map_or(null(), |a| a.as_ptr())
    })
}

/// Those of the members that are new in this view. As isis_site_view_members().
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_joined(
    view: *const isis_site_view,
    count: *mut usize,
) -> *const isis_site_id {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.joined), count) }
    })
}

/// Sites of the view before that are not in this one, and why. As isis_site_view_members().
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
/// is; NULL for NULL only.
///
/// # Safety
/// `view` is NULL or valid; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_view_left(
    view: *const isis_site_view,
    count: *mut usize,
) -> *const isis_site_departure {
    accessor(null(), || {
        // SAFETY: the caller's promises.
        unsafe { hand_out(view.as_ref().map(|v| &v.left), count) }
    })
}

/// Puts an owned view where the caller wants it; none there is leaves NULL.
///
/// # Safety
/// `out` is NULL or writable.
pub(crate) unsafe fn give_owned<T>(
    view: Option<T>,
    out: *mut *mut T,
) -> Result<(), crate::status::Failure> {
    crate::args::present(out, "out")?;
    let view = view.map_or(null_mut(), |v| Box::into_raw(Box::new(v)));
    // SAFETY: the caller's promise.
    unsafe { give(out, view, "out") }
}
