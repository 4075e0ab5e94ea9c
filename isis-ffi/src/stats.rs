//! What a site has done, and what it holds.

use std::ffi::c_int;

use isis_core::runtime::Stats;

use crate::args::{give, refer, sized};
use crate::boundary::boundary;
use crate::site::{SITES, isis_site};
use crate::status::ISIS_OK;

/// What a site has done (counters) and what it holds now (gauges, from `threads` on).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_stats {
    /// sizeof(isis_stats), set by the caller.
    pub struct_size: usize,
    /// Site views applied.
    pub site_views: u64,
    /// Times that no quorum of the site view was reachable.
    pub blocked_spells: u64,
    /// Times that this site took over as view manager.
    pub take_overs: u64,
    /// Handshakes refused, by either side.
    pub refused_handshakes: u64,
    /// Connections closed because of bytes that are no frame, or a frame out of place.
    pub garbage_connections: u64,
    /// Connections that never said anything whole and were closed.
    pub half_open_connections: u64,
    /// Sessions that continued on a new connection.
    pub resumed_sessions: u64,
    /// BCASTs put on queues of local processes.
    pub bcasts_delivered: u64,
    /// OBCASTs put on queues of local processes.
    pub obcasts_delivered: u64,
    /// Application GBCASTs put on queues of local processes.
    pub gbcasts_delivered: u64,
    /// Threads that run.
    pub threads: u64,
    /// Local processes.
    pub processes: u64,
    /// Events that wait in their queues.
    pub queued_events: u64,
    /// Their broadcasts that some destination has not taken yet.
    pub in_flight_messages: u64,
    /// The same in payload bytes.
    pub in_flight_bytes: u64,
    /// Connections, half-open ones included.
    pub connections: u64,
    /// A counter: OBCASTs sent here whose olabel was less than that of one sent or taken before.
    pub late_olabels: u64,
}

fn statistics_of(stats: &Stats, struct_size: usize) -> isis_stats {
    isis_stats {
        struct_size,
        site_views: stats.site_views,
        blocked_spells: stats.blocked_spells,
        take_overs: stats.take_overs,
        refused_handshakes: stats.refused_handshakes,
        garbage_connections: stats.garbage_connections,
        half_open_connections: stats.half_open_connections,
        resumed_sessions: stats.resumed_sessions,
        bcasts_delivered: stats.bcasts_delivered,
        obcasts_delivered: stats.obcasts_delivered,
        gbcasts_delivered: stats.gbcasts_delivered,
        threads: stats.threads as u64,
        processes: stats.processes as u64,
        queued_events: stats.queued_events as u64,
        in_flight_messages: stats.in_flight_messages as u64,
        in_flight_bytes: stats.in_flight_bytes as u64,
        connections: stats.connections as u64,
        late_olabels: stats.late_olabels,
    }
}

/// The site's counters and gauges. Set `out->struct_size` before the call.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, NULL, struct_size unset; ISIS_EVERSION
/// header newer than the library.
///
/// # Safety
/// `out` is NULL or writable, with `struct_size` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn isis_site_stats(site: isis_site, out: *mut isis_stats) -> c_int {
    boundary(|| {
        let entry = SITES.get(site)?;
        // SAFETY: the caller's promise.
        let asked = unsafe { refer(out.cast_const(), "out") }?;
        let size = size_of::<isis_stats>();
        // SAFETY: the caller's promise.
        unsafe { sized(asked, *asked, size, "out") }?;
        let stats = statistics_of(&entry.site.stats(), asked.struct_size);
        // SAFETY: the caller's promise.
        unsafe { give(out, stats, "out") }?;
        Ok(ISIS_OK)
    })
}
