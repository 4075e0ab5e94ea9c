//! How far a broadcast has come: the status of 4.1.

use std::ffi::c_int;
use std::ptr::null_mut;

use isis_core::delivery::{Outcome, StatusAnswer};
use isis_core::machine::broadcast::Status;
use isis_core::runtime::Operation;

use crate::args::{give, present, refer, sized};
use crate::boundary::{boundary, not_in_callback};
use crate::event::ISIS_OP_STATUS;
use crate::ids::{isis_id, isis_site_id, message_id_of};
use crate::process::{PROCESSES, Pending, isis_process};
use crate::status::{Failure, ISIS_OK, ISIS_PENDING};

/// Some operational destination site may not have it yet.
pub const ISIS_STATUS_PENDING: u32 = 0;
/// Received at every operational destination site (OBCAST), or its place is final (BCAST, GBCAST).
pub const ISIS_STATUS_SENT: u32 = 1;
/// Received, and final, at every operational destination site: no failure can undo it.
pub const ISIS_STATUS_STABLE: u32 = 2;

/// The answer of isis_status(). Set `failed` and `failed_room` before the call: where the library
/// may list the failed sites; NULL and 0 if only their number is of interest.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_delivery_status {
    /// sizeof(isis_delivery_status).
    pub struct_size: usize,
    /// Where to list destination sites that failed before they had it.
    pub failed: *mut isis_site_id,
    /// How many fit there.
    pub failed_room: usize,
    /// How many there are, which may be more.
    pub failed_count: usize,
    /// ISIS_STATUS_*.
    pub state: u32,
    /// 0.
    pub reserved: u32,
}

/// An answer as the library keeps it.
pub(crate) struct Answer {
    state: u32,
    failed: Vec<isis_site_id>,
}

impl Answer {
    pub(crate) fn new(answer: &StatusAnswer) -> Answer {
        Answer {
            state: match answer.status {
                Status::Pending => ISIS_STATUS_PENDING,
                Status::Sent => ISIS_STATUS_SENT,
                Status::Stable => ISIS_STATUS_STABLE,
            },
            failed: answer.failed.iter().map(|site| (*site).into()).collect(),
        }
    }

    /// To be read while this lives.
    pub(crate) fn lend(&self) -> isis_delivery_status {
        isis_delivery_status {
            struct_size: size_of::<isis_delivery_status>(),
            failed: match self.failed.as_slice() {
                [] => null_mut(),
                some => some.as_ptr().cast_mut(),
            },
            failed_room: self.failed.len(),
            failed_count: self.failed.len(),
            state: self.state,
            reserved: 0,
        }
    }

    /// # Safety
    /// `out` is NULL, or writable with its inputs set.
    pub(crate) unsafe fn give(&self, out: *mut isis_delivery_status) -> Result<(), Failure> {
        // SAFETY: the caller's promises; within the room that was promised.
        unsafe {
            let mut answer = inputs(out)?;
            answer.state = self.state;
            answer.failed_count = self.failed.len();
            for (place, site) in self.failed.iter().take(answer.failed_room).enumerate() {
                present(answer.failed, "out.failed")?;
                answer.failed.add(place).write(*site);
            }
            give(out, answer, "out")
        }
    }
}

/// # Safety
/// `out` is NULL, or readable with its inputs set.
unsafe fn inputs(out: *const isis_delivery_status) -> Result<isis_delivery_status, Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let asked = refer(out, "out")?;
        sized(asked, *asked, size_of::<isis_delivery_status>(), "out")
    }
}

/// How far a broadcast of this process has come (the status of 4.1).
///
/// `timeout_ms`: -1 waits, 0 only asks (ISIS_PENDING; the answer comes with a *completed* event of
/// ISIS_OP_STATUS with `token`: the callback `answered`, or isis_event_delivery_status()). `out` may
/// be NULL with 0.
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says; the answer
/// takes well under a millisecond unless the machine is busy.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL, an id that is no
/// broadcast of this process, struct_size unset; ISIS_EVERSION header newer than the library;
/// ISIS_ETIMEDOUT the answer comes as an event; ISIS_EBUSY would block inside a callback: pass 0.
///
/// # Safety
/// `id` is NULL or valid; `out` is NULL, or writable with its inputs set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_status(
    process: isis_process,
    id: *const isis_id,
    timeout_ms: c_int,
    token: u64,
    out: *mut isis_delivery_status,
) -> c_int {
    boundary(|| {
        let entry = PROCESSES.get(process)?;
        if timeout_ms != 0 {
            not_in_callback("isis_status")?;
        }
        // SAFETY: the caller's promises.
        let id = unsafe {
            if timeout_ms != 0 {
                inputs(out)?;
            }
            *refer(id, "id")?
        };
        let pending = Pending {
            token,
            operation: ISIS_OP_STATUS,
            join: None,
        };
        match entry.run(Operation::Status(message_id_of(id)?), pending, timeout_ms)? {
            Some(Outcome::Status(answer)) => {
                // SAFETY: the caller's promise.
                unsafe { Answer::new(&answer).give(out) }?;
                Ok(ISIS_OK)
            }
            _ => Ok(ISIS_PENDING),
        }
    })
}
