//! Sites: opening from a struct or from text, closing, site views, statistics.

use std::env;
use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr::{null, null_mut};
use std::time::Duration;

use isis_core::Error;
use isis_core::config::{Config, FirstView, Quorum};
use isis_core::ids::{Epoch, SiteId};
use isis_core::order::{Comparison, Relation};
use isis_core::runtime::Site;
use parking_lot::Mutex;

use crate::args::{give, list, optional_text, present, sized, text, timeout};
use crate::boundary::{accessor, boundary, in_callback, not_in_callback, watch_for_forks};
use crate::farewell::Farewell;
use crate::group::GROUPS;
use crate::ids::isis_site_id;
use crate::process::{self, PROCESSES, isis_process};
use crate::status::{Failure, ISIS_ECLOSED, ISIS_OK, ISIS_PENDING, c_text};
use crate::table::{Entry, Table};
use crate::view::{give_owned, isis_site_view};

/// An open site: this program's part of the cluster. 0 is none. Never an address: one that was
/// closed is recognised. A program may open several, each of its own number.
pub type isis_site = u64;

pub(crate) static SITES: Table<SiteEntry> = Table::new();

pub(crate) struct SiteEntry {
    pub(crate) site: Site,
    pub(crate) processes: Mutex<Vec<isis_process>>,
    closing: Mutex<Closing>,
}

/// Who closes a site.
enum Closing {
    Nobody,
    /// A call that waits, or one that is just looking.
    SomeCall,
    /// It has been started, and goes on by itself.
    Itself(Farewell),
}

impl Entry for SiteEntry {
    const KIND: u64 = 1;
    const NAME: &'static str = "site";
    type Side = ();
}

/// Stops the site that a handle of any kind belongs to: an invariant broke in a call about it.
pub(crate) fn halt_site_of(handle: u64) {
    if let Ok(entry) = SITES.get(handle) {
        entry.site.halt();
    } else if let Ok(entry) = PROCESSES.get(handle) {
        entry.process.site().halt();
    } else if let Ok(entry) = GROUPS.get(handle) {
        entry.group.process().site().halt();
    }
}

/// Another site that is listed in the configuration.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_peer {
    /// Its number.
    pub id: u32,
    /// 0.
    pub reserved: u32,
    /// Where it is reached: "host:port".
    pub address: *const c_char,
}

/// A new site view needs a majority of the view before, or exactly half with its oldest site: the
/// other side of a cut blocks.
pub const ISIS_QUORUM_MAJORITY: u32 = 0;
/// The report's assumption that the network never partitions (2): both sides of a cut go on, and
/// the promises on order across failures hold only if there is none.
pub const ISIS_QUORUM_NONE: u32 = 1;
/// Every listed site takes part in the first site view.
pub const ISIS_FIRST_VIEW_ALL: u32 = 0;
/// A majority is enough, at the operator's risk: after a cut, restarted sites can found a second
/// system.
pub const ISIS_FIRST_VIEW_MAJORITY: u32 = 1;
/// This site begins alone, at the operator's risk.
pub const ISIS_FIRST_VIEW_ALONE: u32 = 2;

/// What a site is told when it opens. Initialize it with isis_site_options_init(), then set `id`,
/// usually `listen` and `peers`, and what else should not be the default. 0 and NULL mean the
/// default. Strings and the list are copied by isis_site_open().
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_site_options {
    /// sizeof(isis_site_options), set by isis_site_options_init().
    pub struct_size: usize,
    /// This site's number, 1 or more, different from all others'.
    pub id: u32,
    /// ISIS_QUORUM_*.
    pub quorum: u32,
    /// ISIS_FIRST_VIEW_*.
    pub first_view: u32,
    /// Not 0: may listen outside loopback without a key.
    pub insecure: u32,
    /// The cluster's name; sites of different names refuse each other. Default "isis".
    pub cluster: *const c_char,
    /// Where to listen, "host:port"; port 0 picks one. Default "127.0.0.1:0".
    pub listen: *const c_char,
    /// What the others are told to connect to. Default: where it listens.
    pub advertise: *const c_char,
    /// The other listed sites.
    pub peers: *const isis_peer,
    /// How many they are.
    pub peer_count: usize,
    /// How often an idle link says hello (4.1). Default 250.
    pub hello_interval_ms: u32,
    /// The least silence after which a site is suspected. Default 2000.
    pub suspect_after_ms: u32,
    /// The largest message accepted, in bytes. Default 64 MiB.
    pub max_message: u64,
    /// How many broadcasts of one process may be undelivered somewhere before its sends give
    /// ISIS_EAGAIN. Default 4096.
    pub window_messages: u64,
    /// The same in bytes. Default 128 MiB.
    pub window_bytes: u64,
    /// The folder in which a history of the site is recorded, for `isis audit`. Default: the one that
    /// the environment variable ISIS_RECORD names, or none. An error of the disk ends the recording,
    /// never the site; the log says so.
    pub record: *const c_char,
    /// The name of the comparison of olabels below; NULL if there is none, and olabels are streams and
    /// sets of streams. Sites with different names refuse each other.
    pub olabel_order: *const c_char,
    /// How one olabel stands to another (3.2): ISIS_OLABEL_*. Called on the thread that sends an OBCAST
    /// with an olabel, before that send returns, under no lock; it counts as a callback, and must return.
    /// It must be pure, and answer for two olabels in either order alike: what it says is remembered.
    /// Another answer, or one that contradicts another, halts the site, and isis_last_error() names both
    /// olabels.
    pub compare_olabels: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            first: *const c_char,
            second: *const c_char,
        ) -> c_int,
    >,
    /// Given to `compare_olabels`, possibly by several threads at once; must live as long as the site.
    pub compare_user: *mut c_void,
    /// The directory of the site's store, made if it does not exist; one for each site. Default: none.
    /// With it a restarted site votes as it had voted, and after all sites have failed those of the
    /// last view go on (4.2). It keeps site views, no messages and nothing of the application.
    pub store: *const c_char,
    /// Not NULL: the sequence of site views whose name this is, 32 hexadecimal digits as the log names
    /// them, is over: its last sites are lost for good. If one of them still runs, there will be two
    /// systems.
    pub abandon: *const c_char,
}

/// The first olabel is less: an OBCAST with it comes before a later one with the second.
pub const ISIS_OLABEL_BEFORE: c_int = -1;
/// OBCASTs with these olabels come in the order in which they are sent.
pub const ISIS_OLABEL_EQUAL: c_int = 0;
/// The first olabel is greater. An OBCAST with the second one that is sent later is accepted all the
/// same; nothing orders the two, and the statistic `late_olabels` counts it.
pub const ISIS_OLABEL_AFTER: c_int = 1;
/// Nothing orders them.
pub const ISIS_OLABEL_UNRELATED: c_int = 2;

const DEFAULTS: isis_site_options = isis_site_options {
    struct_size: size_of::<isis_site_options>(),
    id: 0,
    quorum: ISIS_QUORUM_MAJORITY,
    first_view: ISIS_FIRST_VIEW_ALL,
    insecure: 0,
    cluster: null(),
    listen: null(),
    advertise: null(),
    peers: null(),
    peer_count: 0,
    hello_interval_ms: 0,
    suspect_after_ms: 0,
    max_message: 0,
    window_messages: 0,
    window_bytes: 0,
    record: null(),
    olabel_order: null(),
    compare_olabels: None,
    compare_user: null_mut(),
    store: null(),
    abandon: null(),
};

/// Sets `struct_size` and the defaults. NULL is allowed and does nothing.
///
/// Thread: any; allowed inside a callback. Blocking: no.
///
/// # Safety
/// `options` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_options_init(options: *mut isis_site_options) {
    accessor((), || {
        if !options.is_null() {
            // SAFETY: the caller's promise.
            unsafe { options.write(DEFAULTS) };
        }
    });
}

/// Opens a site: binds its port and starts its three threads, which block all signals. Returns at
/// once; the first site view comes later (isis_site_wait_view()).
///
/// Thread: any; allowed inside a callback. Blocking: no, except to look up a host name to listen on.
/// Ownership: `*out` is the caller's, to be given to isis_site_close(); `options` is copied.
/// Codes: ISIS_EINVAL an option is wrong, isis_last_error() says which and what was expected;
/// ISIS_ENAME an option is not UTF-8; ISIS_EIO the port is in use, the name unknown, or the store
/// cannot be written; ISIS_EBUSY another site has the store open; ISIS_EPROTO the store is damaged or
/// another site's: isis_last_error() says what to do;
/// ISIS_ENOTSUP listening outside loopback without a key needs `insecure`; ISIS_EVERSION header
/// newer than the library; ISIS_EFORKED in a forked child.
///
/// # Safety
/// `options` is NULL or valid; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_open(
    options: *const isis_site_options,
    out: *mut isis_site,
) -> c_int {
    boundary(|| {
        present(out, "out")?;
        let least = offset_of!(isis_site_options, window_bytes) + size_of::<u64>();
        // SAFETY: the caller's promises.
        let config = unsafe { config_of(&sized(options, DEFAULTS, least, "options")?) }?;
        // SAFETY: the caller's promise.
        unsafe { give(out, open(config)?, "out") }?;
        Ok(ISIS_OK)
    })
}

/// As isis_site_open(), from a text, "id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002": no struct
/// to fill. Words in any order, separated by blanks: id (required), cluster, listen, advertise, peer
/// (`id@host:port`, as often as there are peers), quorum (majority, none), first_view (all,
/// majority, alone), store, abandon, insecure (yes, no), hello_interval_ms, suspect_after_ms,
/// max_message, window_messages, window_bytes, along_bytes, patience_ms, record. NULL takes the text
/// from the environment variable ISIS_CONFIG. A comparison of olabels takes isis_site_open().
///
/// Thread: any; allowed inside a callback. Blocking: no, except to look up a host name to listen on.
/// Ownership: `*out` is the caller's, to be given to isis_site_close().
/// Codes: as isis_site_open(); ISIS_EINVAL also if `config` is NULL and ISIS_CONFIG unset.
///
/// # Safety
/// `config` is NULL or a string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_open_text(config: *const c_char, out: *mut isis_site) -> c_int {
    boundary(|| {
        present(out, "out")?;
        // SAFETY: the caller's promise.
        let config = match unsafe { optional_text(config, "config") }? {
            Some(text) => Config::from_text(text)?,
            None => Config::from_text(&env::var("ISIS_CONFIG").map_err(|e| {
                Failure::invalid(format!(
                    "config is NULL, and ISIS_CONFIG: {e}; expected for example \
                     id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002"
                ))
            })?)?,
        };
        // SAFETY: the caller's promise.
        unsafe { give(out, open(config)?, "out") }?;
        Ok(ISIS_OK)
    })
}

fn open(config: Config) -> Result<isis_site, Failure> {
    watch_for_forks();
    let site = Site::open(config)?;
    SITES.insert(|_, _| {
        Ok(SiteEntry {
            site,
            processes: Mutex::new(Vec::new()),
            closing: Mutex::new(Closing::Nobody),
        })
    })
}

/// # Safety
/// The strings and the list are NULL or valid.
unsafe fn config_of(options: &isis_site_options) -> Result<Config, Failure> {
    let mut config = Config::new(SiteId(options.id));
    config.quorum = match options.quorum {
        ISIS_QUORUM_MAJORITY => Quorum::Majority,
        ISIS_QUORUM_NONE => Quorum::None,
        other => return Err(Failure::invalid(format!("options.quorum is {other}"))),
    };
    config.first_view = match options.first_view {
        ISIS_FIRST_VIEW_ALL => FirstView::All,
        ISIS_FIRST_VIEW_MAJORITY => FirstView::Majority,
        ISIS_FIRST_VIEW_ALONE => FirstView::Alone,
        other => return Err(Failure::invalid(format!("options.first_view is {other}"))),
    };
    config.insecure = options.insecure != 0;
    // SAFETY: the caller's promise.
    unsafe {
        set_text(&mut config.cluster, options.cluster, "options.cluster")?;
        set_text(&mut config.listen, options.listen, "options.listen")?;
        set_text(
            &mut config.advertise,
            options.advertise,
            "options.advertise",
        )?;
        set_text(&mut config.record, options.record, "options.record")?;
        set_text(&mut config.store, options.store, "options.store")?;
        if let Some(text) = optional_text(options.abandon, "options.abandon")? {
            let epoch = Epoch::parse(text).ok_or_else(|| {
                Failure::invalid(format!(
                    "options.abandon is {text:?}, expected the 32 hexadecimal digits that the log names"
                ))
            })?;
            config.abandon = Some(epoch);
        }
        for peer in list(options.peers, options.peer_count, "options.peers")? {
            let address = text(peer.address, "a peer's address")?;
            if config
                .peers
                .insert(SiteId(peer.id), address.to_owned())
                .is_some()
            {
                return Err(Failure::invalid(format!(
                    "peer {} is listed twice",
                    peer.id
                )));
            }
        }
    }
    set_millis(&mut config.hello_interval, options.hello_interval_ms);
    set_millis(&mut config.suspect_after, options.suspect_after_ms);
    set_size(&mut config.max_message, options.max_message);
    set_size(&mut config.window_messages, options.window_messages);
    set_size(&mut config.window_bytes, options.window_bytes);
    // SAFETY: the caller's promises.
    config.olabels = unsafe { comparison_of(options) }?;
    Ok(config)
}

/// The application's pointer, which it has made fit for any thread.
struct User(*mut c_void);

// SAFETY: the documentation of `compare_user` asks the application for that.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

/// The registered comparison, if there is one.
///
/// # Safety
/// The name is NULL or a string; the function does what its documentation says.
unsafe fn comparison_of(options: &isis_site_options) -> Result<Option<Comparison>, Failure> {
    // SAFETY: the caller's promise.
    let name = unsafe { optional_text(options.olabel_order, "options.olabel_order") }?;
    let (Some(name), Some(compare)) = (name, options.compare_olabels) else {
        return match (name, options.compare_olabels) {
            (None, None) => Ok(None),
            _ => Err(Failure::invalid(
                "options.olabel_order and options.compare_olabels go together",
            )),
        };
    };
    let user = User(options.compare_user);
    Ok(Some(Comparison::new(name, move |first, second| {
        let User(user) = &user;
        let text = |s: &str| CString::new(s).map_err(|e| e.to_string());
        let (first, second) = (text(first)?, text(second)?);
        // SAFETY: the caller's promise; both strings live until it returns.
        let answer = in_callback(|| unsafe { compare(*user, first.as_ptr(), second.as_ptr()) });
        match answer {
            ISIS_OLABEL_BEFORE => Ok(Relation::Before),
            ISIS_OLABEL_EQUAL => Ok(Relation::Equal),
            ISIS_OLABEL_AFTER => Ok(Relation::After),
            ISIS_OLABEL_UNRELATED => Ok(Relation::Unrelated),
            other => Err(format!("it answered {other}")),
        }
    })))
}

/// # Safety
/// `value` is NULL or a string.
unsafe fn set_text(field: &mut String, value: *const c_char, what: &str) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    if let Some(text) = unsafe { optional_text(value, what) }? {
        text.clone_into(field);
    }
    Ok(())
}

fn set_millis(field: &mut Duration, value: u32) {
    if value != 0 {
        *field = Duration::from_millis(u64::from(value));
    }
}

fn set_size(field: &mut usize, value: u64) {
    if value != 0 {
        *field = usize::try_from(value).unwrap_or(usize::MAX);
    }
}

/// Closes a site: its processes end, it leaves the site view, its threads end, its port is free.
/// Its handle and those of its processes and groups have ended when this returns, with whatever code
/// but ISIS_PENDING, ISIS_EINVAL, ISIS_EBUSY and ISIS_ENOMEM. Processes with a library thread: that is
/// joined (not with a timeout of 0).
///
/// `timeout_ms`: how long the farewell may take, -1 for ever. 0 does not wait: ISIS_PENDING says that
/// the close goes on by itself, for at most 5 seconds. The handles stay valid; take the remaining
/// events, and call it again, for example every few milliseconds after *closed*: once the site and its
/// threads have stopped, it returns ISIS_OK. (With another timeout it then waits for that.) Nothing is
/// wrong with ending the program instead.
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle (a second close, too); ISIS_ETIMEDOUT it
/// is closed, but the others may have to find out by themselves, isis_last_error() says why;
/// ISIS_EBUSY would block inside a callback: pass 0; ISIS_ENOMEM no thread left to go on in: pass
/// another timeout.
#[unsafe(no_mangle)]
pub extern "C" fn isis_site_close(site: isis_site, timeout_ms: c_int) -> c_int {
    boundary(|| {
        let entry = SITES.get(site)?;
        if timeout_ms != 0 {
            not_in_callback("isis_site_close")?;
        }
        let farewell = match (entry.whose_turn(), timeout_ms) {
            (Closing::SomeCall, _) => {
                return Err(Failure::new(ISIS_ECLOSED, "another thread closes the site"));
            }
            (Closing::Nobody, 0) => return entry.start_close(),
            (Closing::Nobody, _) => entry.site.close(timeout(timeout_ms)),
            (Closing::Itself(farewell), 0) => {
                if let Err(farewell) = farewell.end() {
                    *entry.closing.lock() = Closing::Itself(farewell);
                    return Ok(ISIS_PENDING);
                }
                Ok(())
            }
            (Closing::Itself(farewell), _) => {
                farewell.wait();
                Ok(())
            }
        };
        let processes = std::mem::take(&mut *entry.processes.lock());
        for process in processes {
            process::retire(process, timeout_ms != 0);
        }
        SITES.retire(site, ISIS_ECLOSED);
        match farewell {
            Err(error @ Error::NotTold(_)) => Err(error.into()),
            // Or it had ended already: excluded, or halted.
            _ => Ok(ISIS_OK),
        }
    })
}

impl SiteEntry {
    fn whose_turn(&self) -> Closing {
        std::mem::replace(&mut *self.closing.lock(), Closing::SomeCall)
    }

    fn start_close(&self) -> Result<c_int, Failure> {
        // Fails only if it has ended already; its threads may still be there.
        let _ = self.site.start_close();
        let farewell = Farewell::begin(self.site.clone());
        let mut closing = self.closing.lock();
        match farewell {
            Ok(farewell) => {
                *closing = Closing::Itself(farewell);
                Ok(ISIS_PENDING)
            }
            Err(failure) => {
                *closing = Closing::Nobody;
                Err(failure)
            }
        }
    }
}

/// The site's number and incarnation (4.1).
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_get_id(site: isis_site, out: *mut isis_site_id) -> c_int {
    boundary(|| {
        let id = SITES.get(site)?.site.id();
        // SAFETY: the caller's promise.
        unsafe { give(out, id.into(), "out") }?;
        Ok(ISIS_OK)
    })
}

/// Where the site really listens, "host:port", with the port that was picked for port 0. Writes at
/// most `size` bytes into `buffer`, the last one a NUL.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: the buffer stays the caller's.
/// Result: the length of the address without the NUL, which may be more than fitted; or a negative
/// code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL with a size above 0.
///
/// # Safety
/// `buffer` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_address(
    site: isis_site,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        let address = c_text(&SITES.get(site)?.site.local_addr());
        let bytes = address.as_bytes();
        if size > 0 {
            present(buffer, "buffer")?;
            let fits = bytes.len().min(size - 1);
            // SAFETY: `fits` + 1 bytes are within the room that the caller promised.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), fits);
                buffer.add(fits).write(0);
            }
        }
        Ok(bytes.len() as c_int)
    })
}

/// The latest site view; `*out` is NULL before the first.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
/// given to isis_site_view_free().
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_current_view(
    site: isis_site,
    out: *mut *mut isis_site_view,
) -> c_int {
    boundary(|| {
        let view = SITES.get(site)?.site.view().map(isis_site_view::new);
        // SAFETY: the caller's promise.
        unsafe { give_owned(view, out) }?;
        Ok(ISIS_OK)
    })
}

/// Waits for a site view of at least `min_sites` sites. `out`, if not NULL, gets it, or NULL.
///
/// `timeout_ms`: how long to wait; -1 for ever, 0 not at all.
/// Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says. Ownership:
/// `*out` is the caller's, to be given to isis_site_view_free().
/// Codes: ISIS_ETIMEDOUT no such view yet: the log names whom the site waits for; ISIS_EINVAL,
/// ISIS_ECLOSED, ISIS_EEXCLUDED bad, closed or excluded site; ISIS_EBUSY would block inside a
/// callback.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_wait_view(
    site: isis_site,
    min_sites: usize,
    timeout_ms: c_int,
    out: *mut *mut isis_site_view,
) -> c_int {
    boundary(|| {
        let entry = SITES.get(site)?;
        if timeout_ms != 0 {
            not_in_callback("isis_site_wait_view")?;
        }
        let view = entry.site.wait_view(min_sites, timeout(timeout_ms));
        if !out.is_null() {
            let view = view.as_ref().ok().cloned().map(isis_site_view::new);
            // SAFETY: the caller's promise.
            unsafe { give_owned(view, out) }?;
        }
        view?;
        Ok(ISIS_OK)
    })
}

/// Whether the site is blocked: 1 if no quorum of its site view is reachable, 0 if it goes on.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Result: 1, 0, or a negative code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
#[unsafe(no_mangle)]
pub extern "C" fn isis_site_is_blocked(site: isis_site) -> c_int {
    boundary(|| Ok(c_int::from(SITES.get(site)?.site.is_blocked())))
}
