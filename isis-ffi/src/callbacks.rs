//! The application's callbacks, and who gets which event.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::sized;
use crate::boundary::{accessor, in_callback};
use crate::delivery_status::isis_delivery_status;
use crate::event::{Body, Completed, isis_event};
use crate::group::isis_group;
use crate::ids::isis_id;
use crate::message::isis_message;
use crate::process::isis_process;
use crate::status::Failure;
use crate::view::{isis_group_view, isis_site_view};

/// What the application wants to be told. Set every field you do not need to NULL, best with
/// isis_callbacks_init(). `user` is what was given along with the struct.
///
/// The rules for all of them: they are called by whoever dispatches the process's events, one at a
/// time, in the order of the events. Messages and views are borrowed: valid until the callback
/// returns (isis_message_clone() keeps a message). Inside a callback sends, accessors, clones and
/// operations with a timeout of 0 are allowed; what would wait gives ISIS_EBUSY. A callback must
/// return: no longjmp(), no C++ exception.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_callbacks {
    /// sizeof(isis_callbacks), set by isis_callbacks_init().
    pub struct_size: usize,
    /// A broadcast is delivered (3). `group` is 0 if it was sent to an explicit destination list.
    pub deliver: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            process: isis_process,
            group: isis_group,
            message: *const isis_message,
        ),
    >,
    /// A group the process is in, or watches, has a new view (3.3): after every message of the view
    /// before, and before every message of this one. The view that ends the process's own membership
    /// does not list it, and is the last the process hears of the group; to a process that watches,
    /// the last is a view without members: the group is dissolved.
    pub view: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            process: isis_process,
            group: isis_group,
            view: *const isis_group_view,
        ),
    >,
    /// The site view has changed (4.2); every message of the views before it came before.
    pub site_view: Option<
        unsafe extern "C" fn(user: *mut c_void, process: isis_process, view: *const isis_site_view),
    >,
    /// No quorum of the site view is reachable: broadcasts wait. `unblocked` or `excluded` follows.
    pub blocked: Option<unsafe extern "C" fn(user: *mut c_void, process: isis_process)>,
    /// A quorum is reachable again; what waited goes on by itself.
    pub unblocked: Option<unsafe extern "C" fn(user: *mut c_void, process: isis_process)>,
    /// A send that gave ISIS_EAGAIN may be tried again.
    pub writable: Option<unsafe extern "C" fn(user: *mut c_void, process: isis_process)>,
    /// An operation that gave ISIS_PENDING or ISIS_ETIMEDOUT has ended: `token` as given to it,
    /// `operation` one of ISIS_OP_*, `status` its code, `group` the group's handle (ISIS_OP_JOIN and
    /// ISIS_OP_LOOKUP with ISIS_OK) or 0.
    pub completed: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            process: isis_process,
            token: u64,
            operation: c_int,
            status: c_int,
            group: isis_group,
        ),
    >,
    /// The others agreed that this site had failed ("you are dead", 4.1); `view` goes on without
    /// it. Only `closed` follows.
    pub excluded: Option<
        unsafe extern "C" fn(user: *mut c_void, process: isis_process, view: *const isis_site_view),
    >,
    /// The process has ended; no event follows. Its handle is still to be closed.
    pub closed: Option<unsafe extern "C" fn(user: *mut c_void, process: isis_process)>,
    /// Called once, after the last other call of this struct's callbacks, when the library has
    /// forgotten them: `user` may be freed. Called by the thread that closes or replaces them, or by
    /// the one that dispatches.
    pub drop: Option<unsafe extern "C" fn(user: *mut c_void)>,
    /// An isis_status() that gave ISIS_PENDING or ISIS_ETIMEDOUT has its answer, borrowed like
    /// messages and views. If this is NULL, `completed` is told that it has ended.
    pub answered: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            process: isis_process,
            token: u64,
            answer: *const isis_delivery_status,
        ),
    >,
    /// A broadcast of the process, `id`, reached nobody: the group that it watched was dissolved first.
    pub undeliverable:
        Option<unsafe extern "C" fn(user: *mut c_void, process: isis_process, id: *const isis_id)>,
}

const NONE: isis_callbacks = isis_callbacks {
    struct_size: size_of::<isis_callbacks>(),
    deliver: None,
    view: None,
    site_view: None,
    blocked: None,
    unblocked: None,
    writable: None,
    completed: None,
    excluded: None,
    closed: None,
    drop: None,
    answered: None,
    undeliverable: None,
};

/// Sets `struct_size` and makes all callbacks NULL. NULL is allowed and does nothing.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `callbacks` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_callbacks_init(callbacks: *mut isis_callbacks) {
    accessor((), || {
        if !callbacks.is_null() {
            // SAFETY: the caller's promise.
            unsafe { callbacks.write(NONE) };
        }
    });
}

/// Callbacks as the library keeps them; `drop` is called when the last use ends.
pub(crate) struct CallbackSet {
    calls: isis_callbacks,
    user: *mut c_void,
    /// The call that brought them has failed: they are the application's again.
    forgotten: AtomicBool,
}

// SAFETY: `user` is only handed back to the application, whose callbacks the header says are called
// by whichever thread dispatches.
unsafe impl Send for CallbackSet {}
// SAFETY: as above.
unsafe impl Sync for CallbackSet {}

impl Drop for CallbackSet {
    fn drop(&mut self) {
        if let Some(drop) = self.calls.drop
            && !self.forgotten.load(Ordering::SeqCst)
        {
            // SAFETY: the application's function and its own pointer.
            in_callback(|| unsafe { drop(self.user) });
        }
    }
}

impl CallbackSet {
    /// # Safety
    /// `callbacks` is NULL or begins with its `struct_size` and is that long.
    pub(crate) unsafe fn new(
        callbacks: *const isis_callbacks,
        user: *mut c_void,
    ) -> Result<Option<CallbackSet>, Failure> {
        if callbacks.is_null() {
            return Ok(None);
        }
        let least = offset_of!(isis_callbacks, drop) + size_of::<usize>();
        // SAFETY: the caller's promise.
        let calls = unsafe { sized(callbacks, NONE, least, "callbacks") }?;
        Ok(Some(CallbackSet {
            calls,
            user,
            forgotten: AtomicBool::new(false),
        }))
    }

    /// Leaves `user` to the application: `drop` will not be called.
    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Ordering::SeqCst);
    }

    /// Makes the call that the event asks for; whether there is one.
    pub(crate) fn call(&self, event: &isis_event) -> bool {
        let (c, user, process, group) = (&self.calls, self.user, event.process, event.group);
        /// Calls the application's function, if it gave one, with the application's pointer and
        /// what the library lends it for the time of the call.
        macro_rules! tell {
            ($function:expr $(, $argument:expr)*) => {
                match $function {
                    // SAFETY: the application's function, with its own pointer and valid arguments.
                    Some(f) => {
                        in_callback(|| unsafe { f(user, process $(, $argument)*) });
                        true
                    }
                    None => false,
                }
            };
        }
        match &event.body {
            Body::Message(message) => tell!(c.deliver, group, &raw const *message),
            Body::View(view) => tell!(c.view, group, &raw const *view),
            Body::SiteView(view) => tell!(c.site_view, &raw const *view),
            Body::Blocked => tell!(c.blocked),
            Body::Unblocked => tell!(c.unblocked),
            Body::Writable => tell!(c.writable),
            Body::Completed(Completed {
                token,
                answer: Some(answer),
                ..
            }) if c.answered.is_some() => {
                let answer = answer.lend();
                tell!(c.answered, *token, &raw const answer)
            }
            Body::Completed(done) => {
                tell!(c.completed, done.token, done.operation, done.status, group)
            }
            Body::Undeliverable(id) => tell!(c.undeliverable, &raw const *id),
            Body::Excluded(view) => tell!(c.excluded, &raw const *view),
            Body::Closed => tell!(c.closed),
        }
    }
}
