//! Processes: opening, closing, callbacks, operations under way.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use isis_core::Error;
use isis_core::delivery::{Event, Outcome};
use isis_core::ids::GroupId;
use isis_core::runtime::{Operation, Process};
use parking_lot::Mutex;

use crate::alarm::{Alarm, Readiness, Showing};
use crate::args::{give, present, text, timeout};
use crate::boundary::{boundary, not_in_callback};
use crate::callbacks::{CallbackSet, isis_callbacks};
use crate::event::{ISIS_OP_CLOSE, ISIS_OP_FLUSH};
use crate::group::{self, Membership};
use crate::ids::isis_process_id;
use crate::site::{SITES, isis_site};
use crate::status::{Failure, ISIS_ECLOSED, ISIS_OK, ISIS_PENDING};
use crate::table::{Entry, Table, generation_of};

/// A process (2): an endpoint at a site. 0 is none. Never an address: one that was closed is
/// recognised.
pub type isis_process = u64;

pub(crate) static PROCESSES: Table<ProcessEntry> = Table::new();

pub(crate) struct ProcessEntry {
    pub(crate) handle: isis_process,
    pub(crate) process: Process,
    pub(crate) readiness: Arc<Readiness>,
    /// How long sends with ISIS_WAIT wait.
    pub(crate) send_timeout_ms: AtomicI32,
    /// Held by whoever takes events: one at a time.
    pub(crate) consumer: Mutex<Vec<Event>>,
    /// The event *closed* has been taken.
    pub(crate) closed: AtomicBool,
    pub(crate) book: Mutex<Book>,
    callbacks: Mutex<Option<Arc<CallbackSet>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    site: isis_site,
}

/// What is known of a process's operations and groups. The process's lock in the core may be held
/// while this one is taken, never the other way round.
#[derive(Default)]
pub(crate) struct Book {
    /// Operations under way, by the core's token.
    pub(crate) pending: BTreeMap<u64, Pending>,
    pub(crate) memberships: BTreeMap<GroupId, Membership>,
}

/// An operation under way.
pub(crate) struct Pending {
    /// The caller's.
    pub(crate) token: u64,
    pub(crate) operation: c_int,
    pub(crate) join: Option<Joining>,
}

/// What a join brings along.
pub(crate) struct Joining {
    pub(crate) name: String,
    pub(crate) callbacks: Option<Arc<CallbackSet>>,
}

impl Entry for ProcessEntry {
    const KIND: u64 = 2;
    const NAME: &'static str = "process";
    type Side = Alarm;
}

impl ProcessEntry {
    fn new(
        handle: isis_process,
        site: isis_site,
        process: Process,
        alarm: &'static Alarm,
    ) -> Result<ProcessEntry, Failure> {
        let readiness = Arc::new(Readiness::new(alarm)?);
        alarm.arm(generation_of(handle), readiness.fd());
        process.set_notifier(Arc::new(Showing(Arc::downgrade(&readiness))));
        Ok(ProcessEntry {
            handle,
            process,
            readiness,
            send_timeout_ms: AtomicI32::new(-1),
            consumer: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
            book: Mutex::new(Book::default()),
            callbacks: Mutex::new(None),
            thread: Mutex::new(None),
            site,
        })
    }

    pub(crate) fn callbacks(&self) -> Option<Arc<CallbackSet>> {
        self.callbacks.lock().clone()
    }

    /// The old set is dropped here, outside the lock: its `drop` is the application's.
    fn set_callbacks(&self, set: Option<Arc<CallbackSet>>) {
        let old = std::mem::replace(&mut *self.callbacks.lock(), set);
        drop(old);
    }

    /// Runs an operation in the way that `timeout_ms` says. `Ok(None)`: it goes on, and the caller's
    /// token comes back in the completed event.
    pub(crate) fn run(
        &self,
        operation: Operation<'_>,
        pending: Pending,
        timeout_ms: c_int,
    ) -> Result<Option<Outcome>, Failure> {
        let mut key = None;
        let result = self.process.run(operation, timeout(timeout_ms), |core| {
            key = Some(core);
            self.book.lock().pending.insert(core, pending);
        });
        match result {
            Err(Error::TimedOut) if timeout_ms == 0 => return Ok(None),
            Err(Error::TimedOut) => return Err(Error::TimedOut.into()),
            _ => {}
        }
        if let (Err(_), Some(key)) = (&result, key) {
            self.book.lock().pending.remove(&key);
        }
        let outcome = result?;
        match (&outcome, key) {
            (Outcome::Joined(group) | Outcome::Watching(group), Some(key)) => {
                group::bind(self, *group, Some(key));
            }
            (_, Some(key)) => {
                self.book.lock().pending.remove(&key);
            }
            (_, None) => {}
        }
        if let Outcome::Left(group) = outcome {
            group::unbind_if_over(self, group);
        }
        Ok(Some(outcome))
    }

    /// A library thread takes the events from now on.
    fn start_thread(self: &Arc<Self>) -> Result<(), Failure> {
        let mut thread = self.thread.lock();
        if thread.is_some() {
            return Err(Failure::invalid("the process has its thread already"));
        }
        let entry = self.clone();
        let spawned = crate::signals::blocked(|| {
            thread::Builder::new()
                .name("isis-dispatch".into())
                .spawn(move || entry.dispatch_until_closed())
        });
        let spawned = spawned
            .map_err(|e| Failure::new(crate::status::ISIS_ENOMEM, format!("no thread: {e}")))?;
        *thread = Some(spawned);
        Ok(())
    }
}

/// Opens a process at a site. It may join and send at once; until the first site view that waits.
///
/// `name` is for people (logs).
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
/// given to isis_process_close().
/// Codes: ISIS_EINVAL bad handle, or NULL; ISIS_ENAME bad name; ISIS_ECLOSED, ISIS_EEXCLUDED the
/// site has ended: open another one; ISIS_ENOMEM no descriptor left.
///
/// # Safety
/// `name` is NULL or a string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_process_open(
    site: isis_site,
    name: *const c_char,
    out: *mut isis_process,
) -> c_int {
    boundary(|| {
        let entry = SITES.get(site)?;
        // SAFETY: the caller's promise.
        let name = unsafe { text(name, "name") }?;
        present(out, "out")?;
        let process = entry.site.process(name)?;
        let handle = PROCESSES
            .insert(|handle, slot| ProcessEntry::new(handle, site, process, &slot.side))?;
        entry.processes.lock().push(handle);
        // SAFETY: the caller's promise.
        unsafe { give(out, handle, "out") }?;
        Ok(ISIS_OK)
    })
}

/// Ends a process: its groups see it fail once its broadcasts are received and final (R31, the
/// report's 2). Leave first where the others should see it leave. When this returns ISIS_OK the
/// handle and those of its groups have ended, isis_fd() is closed, events not taken are dropped, and
/// the callbacks' `drop` has been called (by a callback under way: when that returns). ISIS_PENDING
/// and ISIS_ETIMEDOUT leave the handle valid: take the remaining events, and after *closed* call it
/// again, which then returns ISIS_OK at once. If the process has a library thread, that is joined.
///
/// `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle (a second close, too); ISIS_ETIMEDOUT it
/// goes on; ISIS_EBUSY would block inside a callback: pass 0; ISIS_EBLOCKED no quorum.
#[unsafe(no_mangle)]
pub extern "C" fn isis_process_close(
    process: isis_process,
    timeout_ms: c_int,
    token: u64,
) -> c_int {
    boundary(|| {
        let entry = PROCESSES.get(process)?;
        if timeout_ms != 0 {
            not_in_callback("isis_process_close")?;
        }
        if !entry.closed.load(Ordering::SeqCst) {
            let pending = Pending {
                token,
                operation: ISIS_OP_CLOSE,
                join: None,
            };
            match entry.run(Operation::Close, pending, timeout_ms) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(ISIS_PENDING),
                // It has ended in another way; what remains is to forget it.
                Err(failure) if ended(failure.code) => {}
                Err(failure) => return Err(failure),
            }
        }
        drop(entry);
        retire(process, timeout_ms != 0)
            .map(|()| ISIS_OK)
            .ok_or_else(|| Failure::new(ISIS_ECLOSED, "another thread closed it meanwhile"))
    })
}

fn ended(code: c_int) -> bool {
    use crate::status::{ISIS_EEXCLUDED, ISIS_EPANIC};
    [ISIS_ECLOSED, ISIS_EEXCLUDED, ISIS_EPANIC].contains(&code)
}

/// Ends a handle and all that hangs on it. The process has ended, or is about to with its site.
pub(crate) fn retire(handle: isis_process, wait: bool) -> Option<()> {
    let slot = PROCESSES.slot(handle)?;
    let entry = PROCESSES.retire(handle, ISIS_ECLOSED)?;
    let thread = entry.thread.lock().take();
    if let Some(thread) = thread
        && wait
        && thread.thread().id() != thread::current().id()
    {
        // It ends with the event *closed*. It catches the panics of its calls.
        let _ = thread.join();
    }
    slot.side.disarm();
    let book = std::mem::take(&mut *entry.book.lock());
    for membership in book.memberships.values() {
        group::GROUPS.retire(membership.handle, ISIS_ECLOSED);
    }
    if let Ok(site) = SITES.get(entry.site) {
        site.processes.lock().retain(|p| *p != handle);
    }
    entry.set_callbacks(None);
    Some(())
}

/// Says who is to be told of the process's events. Replaces what was set before, whose `drop` is
/// called. NULL: nobody (events without a callback are dropped when dispatched). `user` goes along
/// with every call. Events of a group that was joined with callbacks of its own go there first.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the struct is copied; `user` is
/// the library's until `drop`, unless this call fails: then nothing is taken, and `drop` not called.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, struct_size unset; ISIS_EVERSION header
/// newer than the library.
///
/// # Safety
/// `callbacks` is NULL or valid; its functions keep to the rules of isis_callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_set_callbacks(
    process: isis_process,
    callbacks: *const isis_callbacks,
    user: *mut c_void,
) -> c_int {
    boundary(|| {
        let entry = PROCESSES.get(process)?;
        // SAFETY: the caller's promise.
        let set = unsafe { CallbackSet::new(callbacks, user) }?;
        entry.set_callbacks(set.map(Arc::new));
        Ok(ISIS_OK)
    })
}

/// Has a thread of the library dispatch the process's events from now on, until *closed*. Set the
/// callbacks first. The thread blocks all signals.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or it has its thread already; ISIS_ENOMEM
/// no thread left.
#[unsafe(no_mangle)]
pub extern "C" fn isis_start_thread(process: isis_process) -> c_int {
    boundary(|| {
        PROCESSES.get(process)?.start_thread()?;
        Ok(ISIS_OK)
    })
}

/// The process's name in the system, unique for ever.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_process_get_id(
    process: isis_process,
    out: *mut isis_process_id,
) -> c_int {
    boundary(|| {
        let id = PROCESSES.get(process)?.process.id();
        // SAFETY: the caller's promise.
        unsafe { give(out, id.into(), "out") }?;
        Ok(ISIS_OK)
    })
}

/// How long sends with ISIS_WAIT wait for room: -1, the default, for ever.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
#[unsafe(no_mangle)]
pub extern "C" fn isis_set_send_timeout(process: isis_process, timeout_ms: c_int) -> c_int {
    boundary(|| {
        let entry = PROCESSES.get(process)?;
        entry.send_timeout_ms.store(timeout_ms, Ordering::Relaxed);
        Ok(ISIS_OK)
    })
}

/// The flush primitive of 3.4: completes when every OBCAST that the process sent or delivered is
/// received, and every BCAST that it sent is final, at all operational destinations. What it did
/// before survives any failure after that: flush before telling the outside world.
///
/// `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process; ISIS_ETIMEDOUT it goes
/// on, and completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
#[unsafe(no_mangle)]
pub extern "C" fn isis_flush(process: isis_process, timeout_ms: c_int, token: u64) -> c_int {
    boundary(|| {
        let entry = PROCESSES.get(process)?;
        if timeout_ms != 0 {
            not_in_callback("isis_flush")?;
        }
        let pending = Pending {
            token,
            operation: ISIS_OP_FLUSH,
            join: None,
        };
        let outcome = entry.run(Operation::Flush, pending, timeout_ms)?;
        Ok(outcome.map_or(ISIS_PENDING, |_| ISIS_OK))
    })
}
