//! The names of sites, processes, messages and groups as Python sees them: values that compare,
//! hash and pickle.

use std::fmt;

use isis_core::ids;
use pyo3::prelude::*;

use crate::error::ArgumentError;

macro_rules! displayed {
    ($($name:ident),*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

displayed!(SiteId, ProcessId, MessageId, GroupId);

/// One incarnation of a site: its configured number, and which run of it (report §4.1).
///
/// Compares by number, then age; hashes; pickles. ``str()`` gives ``number.incarnation``.
#[pyclass(frozen, eq, ord, hash, str, from_py_object, module = "isis")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub ids::Site);

#[pymethods]
impl SiteId {
    #[new]
    fn new(number: u32, incarnation: u64) -> SiteId {
        SiteId(ids::Site {
            id: ids::SiteId(number),
            incarnation: ids::Incarnation(incarnation),
        })
    }

    /// The configured number, the same over all incarnations.
    #[getter]
    fn number(&self) -> u32 {
        self.0.id.0
    }

    /// Which run of the site; grows at every restart.
    #[getter]
    fn incarnation(&self) -> u64 {
        self.0.incarnation.0
    }

    fn __getnewargs__(&self) -> (u32, u64) {
        (self.number(), self.incarnation())
    }

    fn __repr__(&self) -> String {
        format!("SiteId({}, {})", self.number(), self.incarnation())
    }
}

/// A process: which site it runs at, and which of that site's processes it is.
///
/// Compares, hashes, pickles: it may travel in a payload and be a destination of
/// :meth:`Process.bcast_to` elsewhere.
#[pyclass(frozen, eq, ord, hash, str, from_py_object, module = "isis")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub ids::ProcessId);

#[pymethods]
impl ProcessId {
    #[new]
    fn new(site: SiteId, index: u32) -> ProcessId {
        ProcessId(ids::ProcessId {
            site: site.0,
            index,
        })
    }

    /// The site it runs at.
    #[getter]
    fn site(&self) -> SiteId {
        SiteId(self.0.site)
    }

    /// Which of that site's processes; never used again within an incarnation.
    #[getter]
    fn index(&self) -> u32 {
        self.0.index
    }

    fn __getnewargs__(&self) -> (SiteId, u32) {
        (self.site(), self.index())
    }

    fn __repr__(&self) -> String {
        format!("ProcessId({}, {})", self.site().__repr__(), self.index())
    }
}

/// The name of a broadcast, unique over all incarnations: what the send returned.
///
/// Ids of one sender and kind compare as sent.
#[pyclass(frozen, eq, ord, hash, str, from_py_object, module = "isis")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub ids::MessageId);

#[pymethods]
impl MessageId {
    #[new]
    fn new(sender: ProcessId, kind: &str, seq: u64) -> PyResult<MessageId> {
        let class = match kind {
            "bcast" => ids::Class::Bcast,
            "obcast" => ids::Class::Obcast,
            "gbcast" => ids::Class::Gbcast,
            _ => {
                return Err(ArgumentError::new_err(format!(
                    "kind is 'bcast', 'obcast' or 'gbcast', not {kind:?}"
                )));
            }
        };
        Ok(MessageId(ids::MessageId {
            sender: sender.0,
            class,
            seq,
        }))
    }

    /// The process that sent it.
    #[getter]
    fn sender(&self) -> ProcessId {
        ProcessId(self.0.sender)
    }

    /// ``"bcast"``, ``"obcast"`` or ``"gbcast"``.
    #[getter]
    pub fn kind(&self) -> &'static str {
        match self.0.class {
            ids::Class::Bcast => "bcast",
            ids::Class::Obcast => "obcast",
            ids::Class::Gbcast => "gbcast",
        }
    }

    /// Counts from 1 per sender and kind.
    #[getter]
    fn seq(&self) -> u64 {
        self.0.seq
    }

    fn __getnewargs__(&self) -> (ProcessId, &'static str, u64) {
        (self.sender(), self.kind(), self.seq())
    }

    fn __repr__(&self) -> String {
        let sender = self.sender().__repr__();
        format!("MessageId({sender}, '{}', {})", self.kind(), self.seq())
    }
}

/// The instance of a group: one dissolved and created anew under its old name has another id.
#[pyclass(frozen, eq, ord, hash, str, from_py_object, module = "isis")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub ids::GroupId);

#[pymethods]
impl GroupId {
    #[new]
    fn new(founder: ProcessId, seq: u64) -> GroupId {
        GroupId(ids::GroupId {
            founder: founder.0,
            seq,
        })
    }

    /// The process whose join created the group.
    #[getter]
    fn founder(&self) -> ProcessId {
        ProcessId(self.0.founder)
    }

    /// Counts the groups that the founder created.
    #[getter]
    fn seq(&self) -> u64 {
        self.0.seq
    }

    fn __getnewargs__(&self) -> (ProcessId, u64) {
        (self.founder(), self.seq())
    }

    fn __repr__(&self) -> String {
        format!("GroupId({}, {})", self.founder().__repr__(), self.seq())
    }
}
