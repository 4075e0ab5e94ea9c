//! Processes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use isis_core::Error;
use isis_core::delivery::{Event, Outcome, StatusAnswer};
use isis_core::machine::broadcast;
use isis_core::runtime;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument::{self, Payload};
use crate::callbacks::{self, Callbacks};
use crate::descriptor::Descriptor;
use crate::error::{NetworkError, entry, exception};
use crate::event;
use crate::fork::Origin;
use crate::group::Group;
use crate::ids::{GroupId, MessageId, ProcessId, SiteId};
use crate::inbox::{Inbox, Kind, Source};
use crate::site::Site;
use crate::wait::{Timeout, may_block};

/// What the handles of a process share.
pub struct Member {
    /// Its events.
    pub inbox: Inbox<Queue>,
    /// Who is called with some of them.
    pub callbacks: Callbacks,
    descriptor: OnceLock<Arc<Descriptor>>,
    origin: Origin,
}

/// The library's queue of a process.
pub struct Queue(runtime::Process);

impl Source for Queue {
    fn next(&self, timeout: Duration) -> Result<Event, Error> {
        self.0.next(Some(timeout))
    }

    fn pending(&self) -> usize {
        self.0.pending()
    }
}

impl Member {
    /// The library's handle.
    pub fn process(&self) -> &runtime::Process {
        &self.inbox.source().0
    }

    /// Itself, unless this is a forked child.
    pub fn here(&self) -> PyResult<&Member> {
        self.origin.check().map_err(exception)?;
        Ok(self)
    }

    /// Starts an operation and waits for its outcome.
    pub fn complete(
        &self,
        py: Python<'_>,
        timeout: Timeout,
        start: impl FnOnce() -> Result<u64, Error>,
    ) -> PyResult<Outcome> {
        may_block(timeout).map_err(exception)?;
        let token = self.inbox.start(start).map_err(exception)?;
        let outcome = timeout.wait(py, |slice| self.inbox.outcome(token, slice));
        if outcome.is_err() {
            self.inbox.give_up(token);
        }
        outcome
    }

    /// The next event, of one group or any; `None` if the group has none to come.
    pub fn next(
        &self,
        py: Python<'_>,
        group: Option<isis_core::ids::GroupId>,
        timeout: Timeout,
    ) -> PyResult<Option<Py<PyAny>>> {
        match timeout.wait(py, |slice| self.inbox.next(group, slice))? {
            Some(event) => Ok(Some(event::to_python(py, event)?)),
            None => Ok(None),
        }
    }

    /// The next event of an iteration, which ends when nothing more can come.
    pub fn iterate(
        &self,
        py: Python<'_>,
        group: Option<isis_core::ids::GroupId>,
    ) -> PyResult<Option<Py<PyAny>>> {
        match self.next(py, group, Timeout(None)) {
            Err(e) if e.is_instance_of::<crate::error::ClosedError>(py) => Ok(None),
            other => other,
        }
    }
}

/// How a broadcast stands (report §4.1).
#[pyclass(frozen, module = "isis")]
pub struct Status(pub StatusAnswer);

#[pymethods]
impl Status {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("state", "failed")
    }

    /// ``"pending"``: some operational destination site may not have it yet; ``"sent"``: received
    /// at every operational destination site (OBCAST), or its place is final (BCAST, GBCAST);
    /// ``"stable"``: no failure can undo it.
    #[getter]
    fn state(&self) -> &'static str {
        match self.0.status {
            broadcast::Status::Pending => "pending",
            broadcast::Status::Sent => "sent",
            broadcast::Status::Stable => "stable",
        }
    }

    /// Destination sites that failed before they had it.
    #[getter]
    fn failed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.failed.iter().map(|site| SiteId(*site)))
    }

    fn __repr__(&self) -> String {
        let failed: Vec<String> = self.0.failed.iter().map(|site| site.to_string()).collect();
        format!("<Status {}, failed: [{}]>", self.state(), failed.join(", "))
    }
}

/// A process: it joins groups, sends, and takes its events one by one, in order.
///
/// Made by :meth:`Site.process`. It is usable at once; what it starts goes on when the site has its
/// first view. Every method may be called from any thread. Blocking methods release the
/// interpreter's lock, answer Ctrl-C, take ``timeout`` in seconds (``None`` waits for ever, 0 does
/// not wait), and raise :class:`BusyError` inside a callback unless ``timeout`` is 0.
///
/// Iteration gives every event that has no callback, until the process is closed. The same events
/// come by :meth:`next`, :meth:`next_batch` and iteration over a group: each is handed out once.
/// A process that takes no events holds up those who send to it, itself included (R29).
///
/// As a context manager it closes itself at the end, waiting at most 10 s.
#[pyclass(frozen, weakref, module = "isis")]
pub struct Process {
    pub(crate) member: Arc<Member>,
    site: Py<Site>,
}

impl Process {
    /// Joins or looks up a group and waits until its first view is here.
    fn enter(
        slf: &Bound<'_, Self>,
        name: &str,
        timeout: Option<Timeout>,
        callbacks: Option<&Bound<'_, PyDict>>,
        kinds: &[Kind],
        start: impl FnOnce(&runtime::Process) -> Result<u64, Error>,
    ) -> PyResult<Group> {
        let timeout = timeout.unwrap_or_default();
        let py = slf.py();
        let member = &slf.get().member;
        member.here()?;
        may_block(timeout).map_err(exception)?;
        let set = callbacks::from_keywords(callbacks, kinds)?;
        callbacks::set_for(py, member, name, set)?;
        let outcome = member.complete(py, timeout, || start(member.process()))?;
        let (Outcome::Joined(id) | Outcome::Watching(id)) = outcome else {
            unreachable!("it completed with {outcome:?}")
        };
        timeout.wait(py, |slice| member.inbox.admitted(id, slice))?;
        Group::find(slf, id)?.ok_or_else(|| exception(Error::NotMember))
    }

    /// The Python object for a process just opened.
    pub fn new(site: Py<Site>, process: runtime::Process) -> Process {
        let me = process.id();
        Process {
            member: Arc::new(Member {
                inbox: Inbox::new(Queue(process), me),
                callbacks: Callbacks::default(),
                descriptor: OnceLock::new(),
                origin: Origin::here(),
            }),
            site,
        }
    }
}

/// The kinds of callbacks that a group has.
const OF_GROUP: [Kind; 2] = [Kind::Message, Kind::View];

#[pymethods]
impl Process {
    /// Its name in the system.
    #[getter]
    fn id(&self) -> ProcessId {
        ProcessId(self.member.process().id())
    }

    /// Its name for people.
    #[getter]
    fn name(&self) -> &str {
        self.member.process().name()
    }

    /// Where it runs.
    #[getter]
    fn site(&self, py: Python<'_>) -> Py<Site> {
        self.site.clone_ref(py)
    }

    /// Becomes a member of the group of this name, created if there is none (report §3.3).
    ///
    /// Blocks until the process is a member. ``on_message`` and ``on_view`` are called from a
    /// library thread with each :class:`Message` and :class:`View` of the group; without them these
    /// come by iteration, the view that admitted the process first. Raises
    /// :class:`IsisTimeoutError` when the time runs out (the join goes on and ends with
    /// :class:`Completed`), :class:`ArgumentError` for a bad name, :class:`ClosedError`,
    /// :class:`BusyError`.
    #[pyo3(signature = (name, timeout=None, **callbacks))]
    fn join(
        slf: &Bound<'_, Self>,
        name: &str,
        timeout: Option<Timeout>,
        callbacks: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Group> {
        entry(|| {
            Self::enter(slf, name, timeout, callbacks, &OF_GROUP, |process| {
                process.start_join(name)
            })
        })
    }

    /// Starts to join and returns a token; :class:`Completed` with it follows, and then
    /// :meth:`group` gives the group. Callbacks and errors as in :meth:`join`. Does not block.
    #[pyo3(signature = (name, **callbacks))]
    fn start_join(
        &self,
        py: Python<'_>,
        name: &str,
        callbacks: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        entry(|| {
            let member = &self.member;
            member.here()?;
            let set = callbacks::from_keywords(callbacks, &OF_GROUP)?;
            callbacks::set_for(py, member, name, set)?;
            member.process().start_join(name).map_err(exception)
        })
    }

    /// Addresses the group of this name without joining it: from now on the process *watches* it.
    ///
    /// Blocks until that is so. A process that watches gets the group's :class:`View` as it is, then
    /// every later one, in the place that it has among the messages at the members. It may use the
    /// returned group to send: its broadcasts have the order and the safety of a member's, but no
    /// messages of the group come to it, its own included. The watch goes on until
    /// :meth:`Group.leave`, until the process joins, or until a view without members: the group is
    /// dissolved, and what had not left by then comes back as :class:`Undeliverable`. For a member this
    /// gives its membership. ``on_view`` as in :meth:`join`. Raises :class:`ArgumentError` for a bad
    /// name and if no group has it, :class:`IsisTimeoutError` when the time runs out (the look-up goes
    /// on and ends with :class:`Completed`), :class:`ClosedError`, :class:`BusyError`.
    #[pyo3(signature = (name, timeout=None, **callbacks))]
    fn lookup(
        slf: &Bound<'_, Self>,
        name: &str,
        timeout: Option<Timeout>,
        callbacks: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Group> {
        entry(|| {
            Self::enter(slf, name, timeout, callbacks, &[Kind::View], |process| {
                process.start_lookup(name)
            })
        })
    }

    /// Starts a look-up and returns a token; :class:`Completed` with it follows, and then
    /// :meth:`group` gives the group. Callbacks and errors as in :meth:`lookup`. Does not block.
    #[pyo3(signature = (name, **callbacks))]
    fn start_lookup(
        &self,
        py: Python<'_>,
        name: &str,
        callbacks: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        entry(|| {
            let member = &self.member;
            member.here()?;
            let set = callbacks::from_keywords(callbacks, &[Kind::View])?;
            callbacks::set_for(py, member, name, set)?;
            member.process().start_lookup(name).map_err(exception)
        })
    }

    /// A group that this process is in, or watches, by its id; else ``None``. Does not block.
    fn group(slf: &Bound<'_, Self>, id: GroupId) -> PyResult<Option<Group>> {
        entry(|| {
            slf.get().member.here()?;
            Group::find(slf, id.0)
        })
    }

    /// The next event. Blocks until there is one.
    ///
    /// Raises :class:`IsisTimeoutError` when the time runs out, :class:`ClosedError` after
    /// :class:`Closed` was handed out, :class:`BusyError`.
    #[pyo3(signature = (timeout=None))]
    fn next(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<Py<PyAny>> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let next = self.member.here()?.next(py, None, timeout)?;
            Ok(next.expect("only a group has no more events"))
        })
    }

    /// Up to ``max`` events as a list: what has queued up, at least one. Blocks until there is one.
    /// Errors as :meth:`next`.
    #[pyo3(signature = (max=256, timeout=None))]
    fn next_batch(
        &self,
        py: Python<'_>,
        max: usize,
        timeout: Option<Timeout>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let member = self.member.here()?;
            let mut batch = Vec::new();
            if max == 0 {
                return Ok(batch);
            }
            batch.extend(member.next(py, None, timeout)?);
            while batch.len() < max
                && let Ok(Some(event)) = member.inbox.next(None, Duration::ZERO)
            {
                batch.push(event::to_python(py, event)?);
            }
            Ok(batch)
        })
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        entry(|| self.member.here()?.iterate(py, None))
    }

    /// A descriptor that is readable while an event without a callback waits, for ``selectors``,
    /// ``select``, ``asyncio``'s ``add_reader`` and their like.
    ///
    /// Level-triggered. Never read from it or close it: take the events. It may rarely show an event
    /// that another thread has just taken, so take them with ``timeout=0``. Once the process is
    /// closed it stays readable. Raises :class:`NetworkError` when there are no descriptors left.
    fn fileno(&self) -> PyResult<i32> {
        entry(|| {
            let member = self.member.here()?;
            if let Some(descriptor) = member.descriptor.get() {
                return Ok(descriptor.fileno());
            }
            let new = Descriptor::new().map_err(|e| NetworkError::new_err(e.to_string()))?;
            let mut first = false;
            let descriptor = member.descriptor.get_or_init(|| {
                first = true;
                Arc::new(new)
            });
            if first {
                member.inbox.show(descriptor);
                member.process().set_notifier(descriptor.clone());
            }
            Ok(descriptor.fileno())
        })
    }

    /// How many events wait. Does not block.
    #[getter]
    fn pending(&self) -> PyResult<usize> {
        entry(|| Ok(self.member.here()?.inbox.pending()))
    }

    /// BCAST to an explicit list of processes (report §3.1): those of the same label come in the
    /// same order everywhere.
    ///
    /// Arguments, blocking and errors as :meth:`Group.bcast`; :class:`ArgumentError` for an empty
    /// list.
    #[pyo3(signature = (dests, payload, label="", *, safe=false, block=true, timeout=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn bcast_to(
        &self,
        py: Python<'_>,
        dests: Vec<ProcessId>,
        payload: Payload,
        label: &str,
        safe: bool,
        block: bool,
        timeout: Option<Timeout>,
    ) -> PyResult<MessageId> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let process = self.member.here()?.process();
            let dests: Vec<_> = dests.iter().map(|d| d.0).collect();
            argument::send(py, block, timeout, |wait| match safe {
                true => process.safe_bcast_to(&dests, label, payload.0.clone(), wait),
                false => process.bcast_to(&dests, label, payload.0.clone(), wait),
            })
        })
    }

    /// OBCAST to an explicit list of processes (report §3.2): delivered here at once if this
    /// process is in the list, elsewhere after what precedes it.
    ///
    /// Arguments, blocking and errors as :meth:`Group.obcast`; :class:`ArgumentError` for an empty
    /// list.
    #[pyo3(signature = (
        dests, payload, olabel=None, *, ordered=true, block=true, timeout=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn obcast_to(
        &self,
        py: Python<'_>,
        dests: Vec<ProcessId>,
        payload: Payload,
        olabel: Option<&str>,
        ordered: bool,
        block: bool,
        timeout: Option<Timeout>,
    ) -> PyResult<MessageId> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let process = self.member.here()?.process();
            let dests: Vec<_> = dests.iter().map(|d| d.0).collect();
            let olabel = argument::olabel(olabel, ordered)?;
            argument::send(py, block, timeout, |wait| {
                process.obcast_to(&dests, olabel.clone(), payload.0.clone(), wait)
            })
        })
    }

    /// Blocks until every OBCAST that the process sent or was handed is received, and every BCAST
    /// that it sent has its place, at all operational destinations (report §3.4): from then on no
    /// failure can undo them.
    ///
    /// Raises :class:`IsisTimeoutError` when the time runs out (the flush goes on and ends with
    /// :class:`Completed`), :class:`ClosedError`, :class:`BusyError`.
    #[pyo3(signature = (timeout=None))]
    pub(crate) fn flush(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<()> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let member = self.member.here()?;
            member.complete(py, timeout, || member.process().start_flush())?;
            Ok(())
        })
    }

    /// Starts a flush and returns a token; :class:`Completed` with it follows. Does not block.
    fn start_flush(&self) -> PyResult<u64> {
        entry(|| {
            self.member
                .here()?
                .process()
                .start_flush()
                .map_err(exception)
        })
    }

    /// How a broadcast of this process stands (report §4.1). Blocks until the library answers, soon.
    ///
    /// Raises :class:`ArgumentError` if the process did not send it, :class:`IsisTimeoutError` when
    /// the time runs out (the answer comes with :class:`Completed`), :class:`ClosedError`,
    /// :class:`BusyError`.
    #[pyo3(signature = (id, timeout=None))]
    fn status(&self, py: Python<'_>, id: MessageId, timeout: Option<Timeout>) -> PyResult<Status> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let member = self.member.here()?;
            let start = || member.process().start_status(id.0);
            match member.complete(py, timeout, start)? {
                Outcome::Status(answer) => Ok(Status(answer)),
                other => unreachable!("{other:?} is no answer to a status call"),
            }
        })
    }

    /// Asks how a broadcast of this process stands and returns a token; :class:`Completed` with it
    /// follows, and has the answer. Does not block.
    fn start_status(&self, id: MessageId) -> PyResult<u64> {
        entry(|| {
            self.member
                .here()?
                .process()
                .start_status(id.0)
                .map_err(exception)
        })
    }

    /// Ends the process: its groups see it fail, after its messages (R31). Blocks until it is done.
    ///
    /// :class:`Closed` is its last event. Closing again does nothing. Raises
    /// :class:`IsisTimeoutError` when the time runs out (closing goes on), :class:`BusyError`.
    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<()> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let member = self.member.here()?;
            match member.complete(py, timeout, || member.process().start_close()) {
                Err(e) if !e.is_instance_of::<crate::error::ClosedError>(py) => Err(e),
                _ => Ok(()),
            }
        })
    }

    /// Starts to end the process and returns a token. Does not block.
    fn start_close(&self) -> PyResult<u64> {
        entry(|| {
            self.member
                .here()?
                .process()
                .start_close()
                .map_err(exception)
        })
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        let timeout = Timeout(Some(crate::site::ON_EXIT));
        crate::site::quietly(py, self.close(py, Some(timeout)))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Process is a running thing and cannot be pickled; its id can",
        ))
    }

    fn __repr__(&self) -> String {
        format!("<Process {} {:?}>", self.id(), self.name())
    }
}
