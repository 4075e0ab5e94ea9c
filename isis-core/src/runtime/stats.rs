use crate::broadcast::Gauges;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

macro_rules! statistics {
    (counters { $($(#[$cdoc:meta])* $counter:ident,)* } gauges { $($(#[$gdoc:meta])* $gauge:ident,)* }) => {
        /// What a site has done, and what it holds now. Some gauges are as of each thread's last
        /// wake-up.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$cdoc])* pub $counter: u64,)*
            $($(#[$gdoc])* pub $gauge: usize,)*
        }

        impl Stats {
            /// Everything by name, counters first.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [
                    $((stringify!($counter), self.$counter),)*
                    $((stringify!($gauge), self.$gauge as u64),)*
                ]
                .into_iter()
            }

            /// What the site holds now, by name: the same whenever nothing is going on.
            pub fn gauges(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($gauge), self.$gauge as u64),)*].into_iter()
            }
        }

        /// The cells behind [`Stats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $counter: AtomicU64,)*
            $(pub(crate) $gauge: AtomicUsize,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats {
                    $($counter: self.$counter.load(Ordering::Relaxed),)*
                    $($gauge: self.$gauge.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

statistics! {
    counters {
        /// Site views applied.
        site_views,
        /// Times that no quorum of the site view was reachable.
        blocked_spells,
        /// Times that this site took over as view manager.
        take_overs,
        /// Suspicions withdrawn because others heard the suspect.
        second_chances,
        /// Handshakes refused, by either side.
        refused_handshakes,
        /// Connections closed because of bytes that are no frame, or a frame out of place.
        garbage_connections,
        /// Connections that never said anything whole and were closed.
        half_open_connections,
        /// Sessions that continued on a new connection.
        resumed_sessions,
        /// Times that this site itself was not running for a while.
        own_pauses,
        /// Messages of peers that did not decode.
        malformed_messages,
        /// Completions applied (R12).
        completions,
        /// BCASTs of failed sites completed by the survivors.
        completed_orphans,
        /// Messages of failed sites that this site passed on.
        pushed_messages,
        /// GBCAST runs that a site view ended without a commit record.
        aborted_runs,
        /// Commit records that a completion's decision carried.
        carried_records,
        /// Broadcasts rejected by a change of group view and sent again (R27).
        resent_broadcasts,
        /// BCASTs put on queues of local processes.
        bcasts_delivered,
        /// OBCASTs put on queues of local processes.
        obcasts_delivered,
        /// Application GBCASTs put on queues of local processes.
        gbcasts_delivered,
        /// Lines recorded for `isis audit`.
        history_records,
        /// 1 if an error of the disk has ended the recording.
        history_failed,
        /// OBCASTs of local processes whose olabel was less than that of one sent or taken before, by the
        /// registered comparison: nothing orders the two (3.2).
        late_olabels,
    }
    gauges {
        /// Threads that run.
        threads,
        /// Local processes.
        processes,
        /// Events that wait in their queues.
        queued_events,
        /// Their broadcasts that some destination has not taken yet.
        in_flight_messages,
        /// The same in payload bytes.
        in_flight_bytes,
        /// OBCASTs that their next sends may have to name.
        past_ids,
        /// BCASTs, OBCASTs and finals in the store, entries of priority queues and wait queues.
        stored,
        /// Sends that wait for the end of a wait phase or completion.
        held_sends,
        /// Flushes that have not returned, and GBCAST runs.
        running_operations,
        /// Inputs that wait for the three threads.
        inbox_items,
        /// Connections, half-open ones included.
        connections,
        /// Bytes that wait for their sockets.
        unwritten_bytes,
        /// Names being resolved.
        resolving,
    }
}

impl Counters {
    pub(crate) fn note_gauges(&self, gauges: &Gauges) {
        let stored = gauges.bcasts + gauges.obcasts + gauges.finals + gauges.queued;
        set(&self.stored, stored);
        set(&self.held_sends, gauges.held);
        set(&self.running_operations, gauges.flushes + gauges.runs);
    }
}

/// How often something has happened by now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(u64);

impl Count {
    /// Whoever can make something happen must not be able to fill the log with it: the first few
    /// times are worth a line, then every time that the count has doubled.
    pub(crate) fn is_worth_a_line(self) -> bool {
        self.0 <= 16 || self.0.is_power_of_two()
    }
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) -> Count {
    Count(counter.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Counts several.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    if n > 0 {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }
}

/// Sets a gauge.
pub(crate) fn set(gauge: &AtomicUsize, value: usize) {
    gauge.store(value, Ordering::Relaxed);
}
