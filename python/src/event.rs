//! What a process receives, as frozen Python objects.

use std::sync::Arc;

use isis_core::Error;
use isis_core::delivery::{self, Event, GroupView, Label, LeaveReason, Olabel, Outcome};
use isis_core::view;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{PyClass, PyClassInitializer};

use crate::error::exception;
use crate::ids::{GroupId, MessageId, ProcessId, SiteId};
use crate::process::Status;

/// The Python object for an event.
pub fn to_python(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    match event {
        Event::Message(message) => object(py, Message::new(py, message)),
        Event::View(view) => object(py, View(view)),
        Event::SiteView(view) => object(py, SiteView(view)),
        Event::Blocked => object(py, Blocked),
        Event::Unblocked => object(py, Unblocked),
        Event::Writable => object(py, Writable),
        Event::Completed { token, result } => object(py, Completed { token, result }),
        Event::Undeliverable(id) => object(py, Undeliverable(MessageId(id))),
        Event::Excluded(view) => object(py, Excluded(view)),
        Event::Closed => object(py, Closed),
    }
}

fn object<T: PyClass + Into<PyClassInitializer<T>>>(
    py: Python<'_>,
    value: T,
) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, value)?.into_any())
}

/// A delivered broadcast.
#[pyclass(frozen, module = "isis")]
pub struct Message {
    id: MessageId,
    group: Option<(isis_core::ids::GroupId, u64)>,
    label: Label,
    payload: Py<PyBytes>,
}

impl Message {
    fn new(py: Python<'_>, message: delivery::Message) -> Message {
        Message {
            id: MessageId(message.id),
            group: message.group,
            label: message.label,
            payload: PyBytes::new(py, &message.payload).unbind(),
        }
    }
}

#[pymethods]
impl Message {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("payload", "sender")
    }

    /// What the sender's call returned.
    #[getter]
    fn id(&self) -> MessageId {
        self.id
    }

    /// The process that sent it.
    #[getter]
    fn sender(&self) -> ProcessId {
        ProcessId(self.id.0.sender)
    }

    /// ``"bcast"``, ``"obcast"`` or ``"gbcast"``.
    #[getter]
    fn kind(&self) -> &'static str {
        self.id.kind()
    }

    /// The application's bytes.
    #[getter]
    fn payload(&self, py: Python<'_>) -> Py<PyBytes> {
        self.payload.clone_ref(py)
    }

    /// The label of a BCAST (report §3.1); ``None`` for the other kinds.
    #[getter]
    fn label(&self) -> Option<&str> {
        match &self.label {
            Label::Bcast(label) => Some(label),
            _ => None,
        }
    }

    /// The stream of an OBCAST (report §3.2); ``None`` for causal and unordered ones, and for the
    /// other kinds.
    #[getter]
    fn olabel(&self) -> Option<&str> {
        match &self.label {
            Label::Obcast(Olabel::Stream(name)) => Some(name),
            _ => None,
        }
    }

    /// False for an OBCAST sent with ``ordered=False``.
    #[getter]
    fn ordered(&self) -> bool {
        self.label != Label::Obcast(Olabel::Unordered)
    }

    /// The group it was addressed to; ``None`` for an explicit destination list.
    #[getter]
    fn group(&self) -> Option<GroupId> {
        self.group.map(|(group, _)| GroupId(group))
    }

    /// The number of the group view in which all members deliver it; ``None`` for an explicit
    /// destination list.
    #[getter]
    fn view(&self) -> Option<u64> {
        self.group.map(|(_, number)| number)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        const SHOWN: usize = 40;
        let payload = self.payload.bind(py);
        let bytes = payload.as_bytes();
        let shown = PyBytes::new(py, &bytes[..bytes.len().min(SHOWN)]).repr()?;
        let more = if bytes.len() > SHOWN { "..." } else { "" };
        let label = self.label().or(self.olabel()).unwrap_or_default();
        Ok(format!(
            "<Message {} {label:?} {shown}{more} {} bytes>",
            self.id,
            bytes.len(),
        ))
    }
}

/// A new view of a group: its numbered membership list, oldest first (report §3.3).
///
/// The view that ends this process's own membership is the last event of the group and does not
/// list it among ``members``. To a process that watches the group, the last is a view without members:
/// the group is dissolved.
#[pyclass(frozen, module = "isis")]
pub struct View(pub Arc<GroupView>);

fn processes<'py>(
    py: Python<'py>,
    list: &[isis_core::ids::ProcessId],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, list.iter().map(|p| ProcessId(*p)))
}

#[pymethods]
impl View {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("name", "members")
    }

    /// The instance of the group.
    #[getter]
    fn group(&self) -> GroupId {
        GroupId(self.0.group)
    }

    /// The group's name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Counts from 1 per instance of the group.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    /// The members, oldest first.
    #[getter]
    pub fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        processes(py, &self.0.members)
    }

    /// Those of ``members`` that are new in this view.
    #[getter]
    fn joined<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        processes(py, &self.0.joined)
    }

    /// Pairs of a member of the view before that is not in this one, and why: ``"left"``,
    /// ``"site failed"`` or ``"process failed"``.
    #[getter]
    fn left<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let why = |reason: LeaveReason| match reason {
            LeaveReason::Left => "left",
            LeaveReason::SiteFailed => "site failed",
            LeaveReason::ProcessFailed => "process failed",
        };
        PyTuple::new(
            py,
            self.0.left.iter().map(|(p, r)| (ProcessId(*p), why(*r))),
        )
    }

    fn __repr__(&self) -> String {
        let members: Vec<String> = self.0.members.iter().map(|p| p.to_string()).collect();
        format!(
            "<View {} of {:?}: {}>",
            self.0.number,
            self.0.name,
            members.join(", ")
        )
    }
}

/// A new site view: the numbered list of operational sites, oldest first (report §4.2).
///
/// Every message of the views before came before this event.
#[pyclass(frozen, module = "isis")]
pub struct SiteView(pub Arc<view::SiteView>);

#[pymethods]
impl SiteView {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("number", "members")
    }

    /// The random name of the sequence that the view belongs to.
    #[getter]
    fn epoch(&self) -> u128 {
        self.0.epoch.0
    }

    /// Its place in the sequence; the first is 0.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number.0
    }

    /// The operational sites, oldest first.
    #[getter]
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let sites: Vec<SiteId> = self.0.sites().map(SiteId).collect();
        PyTuple::new(py, sites)
    }

    /// The addresses that the members advertise, in the same order.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.members.iter().map(|m| &m.address))
    }

    /// Those of ``members`` that were not in the view before.
    #[getter]
    fn joined<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.joined.iter().map(|s| SiteId(*s)))
    }

    /// Pairs of a site of the view before that is not in this one, and why: ``"asked"`` or
    /// ``"failed"``.
    #[getter]
    fn left<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let why = |reason: view::LeftReason| match reason {
            view::LeftReason::Asked => "asked",
            view::LeftReason::Failed => "failed",
        };
        PyTuple::new(py, self.0.left.iter().map(|(s, r)| (SiteId(*s), why(*r))))
    }

    /// The oldest site.
    #[getter]
    fn manager(&self) -> SiteId {
        SiteId(self.0.manager())
    }

    fn __repr__(&self) -> String {
        let members: Vec<String> = self.0.sites().map(|s| s.to_string()).collect();
        format!("<SiteView {}: {}>", self.0.number.0, members.join(", "))
    }
}

macro_rules! bare_events {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => { $(
        $(#[doc = $doc])*
        #[pyclass(frozen, module = "isis")]
        pub struct $name;

        #[pymethods]
        impl $name {
            fn __repr__(&self) -> &'static str {
                concat!("<", stringify!($name), ">")
            }
        }
    )* };
}

bare_events! {
    /// No quorum of the site view is reachable (report §4.2): broadcasts wait.
    ///
    /// Ends with :class:`Unblocked` or :class:`Excluded`.
    Blocked;
    /// A quorum is reachable again; what waited goes on.
    Unblocked;
    /// A send that raised :class:`FlowControlError` may be tried again.
    Writable;
    /// The process or its site is closed. Nothing follows.
    Closed;
}

/// An operation that was started, or whose caller stopped waiting, has ended.
#[pyclass(frozen, module = "isis")]
pub struct Completed {
    token: u64,
    result: Result<Outcome, Error>,
}

#[pymethods]
impl Completed {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("token", "outcome")
    }

    /// What the ``start_`` method returned.
    #[getter]
    fn token(&self) -> u64 {
        self.token
    }

    /// ``"joined"``, ``"watching"``, ``"left"``, ``"flushed"``, ``"closed"`` or ``"answered"``; ``None``
    /// if it failed.
    #[getter]
    fn outcome(&self) -> Option<&'static str> {
        self.result.as_ref().ok().map(|outcome| match outcome {
            Outcome::Joined(_) => "joined",
            Outcome::Watching(_) => "watching",
            Outcome::Left(_) => "left",
            Outcome::Flushed => "flushed",
            Outcome::Closed => "closed",
            Outcome::Status(_) => "answered",
        })
    }

    /// The group that was joined, found or left; see :meth:`Process.group`.
    #[getter]
    fn group(&self) -> Option<GroupId> {
        match &self.result {
            Ok(Outcome::Joined(group) | Outcome::Watching(group) | Outcome::Left(group)) => {
                Some(GroupId(*group))
            }
            _ => None,
        }
    }

    /// The answer to :meth:`Process.start_status`.
    #[getter]
    fn status(&self) -> Option<Status> {
        match &self.result {
            Ok(Outcome::Status(answer)) => Some(Status(answer.clone())),
            _ => None,
        }
    }

    /// Why it failed, as an exception that is not raised; ``None`` if it did not.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let error = self.result.as_ref().err()?;
        Some(exception(error.clone()).into_value(py).into_any())
    }

    fn __repr__(&self) -> String {
        match &self.result {
            Ok(_) => format!(
                "<Completed {} {}>",
                self.token,
                self.outcome().unwrap_or("")
            ),
            Err(error) => format!("<Completed {}: {error}>", self.token),
        }
    }
}

/// A broadcast of this process reached nobody: the group that it watched was dissolved first.
#[pyclass(frozen, module = "isis")]
pub struct Undeliverable(MessageId);

#[pymethods]
impl Undeliverable {
    #[classattr]
    fn __match_args__() -> (&'static str,) {
        ("id",)
    }

    /// What the call that sent it returned.
    #[getter]
    fn id(&self) -> MessageId {
        self.0
    }

    fn __repr__(&self) -> String {
        format!("<Undeliverable {}>", self.0)
    }
}

/// The other sites agreed that this one had failed ("you are dead", report §4.1).
///
/// Only :class:`Closed` follows. Open a new :class:`Site` to go on.
#[pyclass(frozen, module = "isis")]
pub struct Excluded(pub Arc<view::SiteView>);

#[pymethods]
impl Excluded {
    /// The view that says so.
    #[getter]
    fn site_view(&self) -> SiteView {
        SiteView(self.0.clone())
    }

    fn __repr__(&self) -> String {
        format!("<Excluded by view {}>", self.0.number.0)
    }
}
