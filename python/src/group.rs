//! Groups.

use std::sync::Arc;

use isis_core::Error;
use isis_core::ids;
use isis_core::runtime;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::argument::{self, Payload};
use crate::error::{entry, exception};
use crate::event::View;
use crate::ids::{GroupId, MessageId};
use crate::process::{Member, Process};
use crate::wait::Timeout;

/// A process's membership in a group, or its watch of one.
///
/// Made by :meth:`Process.join` and :meth:`Process.lookup`. Every method may be called from any thread; blocking is as told at
/// :class:`Process`. Iteration gives the events of this group that have no callback, and those that
/// concern the whole process, until the group has been left or the process is closed.
///
/// As a context manager it leaves the group at the end, waiting at most 10 s for the others.
#[pyclass(frozen, weakref, module = "isis")]
pub struct Group {
    group: runtime::Group,
    process: Py<Process>,
}

impl Group {
    /// The handle of a group that the process has joined.
    pub fn find(process: &Bound<'_, Process>, id: ids::GroupId) -> PyResult<Option<Group>> {
        let group = process.get().member.process().group(id);
        Ok(group.map(|group| Group {
            group,
            process: process.clone().unbind(),
        }))
    }

    fn member(&self) -> PyResult<&Arc<Member>> {
        let member = &self.process.get().member;
        member.here()?;
        Ok(member)
    }
}

#[pymethods]
impl Group {
    /// The instance of the group.
    #[getter]
    fn id(&self) -> GroupId {
        GroupId(self.group.id())
    }

    /// The group's name.
    #[getter]
    fn name(&self) -> &str {
        self.group.name()
    }

    /// The member, or who watches.
    #[getter]
    fn process(&self, py: Python<'_>) -> Py<Process> {
        self.process.clone_ref(py)
    }

    /// The view of the last :class:`View` event of the group that was handed out; before the first,
    /// the view that admitted this process. Does not block.
    #[getter]
    fn view(&self) -> PyResult<Option<View>> {
        entry(|| Ok(self.member()?.inbox.view(self.group.id()).map(View)))
    }

    /// The members in :attr:`view`, oldest first. Does not block.
    #[getter]
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        entry(|| match self.view()? {
            Some(view) => view.members(py),
            None => Ok(PyTuple::empty(py)),
        })
    }

    /// BCAST (report §3.1): messages of the same label come in the same order at all members.
    ///
    /// With ``safe=True`` nobody is handed it until every operational destination site is known to hold it,
    /// and what comes before it by its label, in their final places: whoever is handed it, and fails
    /// thereafter or not, has got the messages of the label up to it as all survivors get them. It takes
    /// two hops more; messages of the label that come after it wait along.
    ///
    /// ``payload`` is any bytes-like object and is copied. When too many broadcasts of this process
    /// are still undelivered somewhere the call blocks for at most ``timeout`` seconds
    /// (:class:`IsisTimeoutError`, nothing sent); with ``block=False`` or ``timeout=0``, and always
    /// inside a callback, it raises :class:`FlowControlError` instead, and :class:`Writable`
    /// follows. Raises also :class:`MessageTooLargeError`, :class:`ArgumentError` for a bad label,
    /// :class:`NotMemberError`, :class:`ClosedError`.
    #[pyo3(signature = (payload, label="", *, safe=false, block=true, timeout=None))]
    fn bcast(
        &self,
        py: Python<'_>,
        payload: Payload,
        label: &str,
        safe: bool,
        block: bool,
        timeout: Option<Timeout>,
    ) -> PyResult<MessageId> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            self.member()?;
            argument::send(py, block, timeout, |wait| match safe {
                true => self.group.safe_bcast(label, payload.0.clone(), wait),
                false => self.group.bcast(label, payload.0.clone(), wait),
            })
        })
    }

    /// OBCAST (report §3.2): delivered here at once, at the other members after what precedes it.
    ///
    /// Without ``olabel`` it is *causal*: it comes after every OBCAST of the group that this process
    /// sent or was handed before. With ``olabel`` it is of that stream, and comes after those of the
    /// stream and the causal ones only; ``"x,y"`` is in both streams, x and y. A site with
    /// ``compare_olabels`` compares olabels by that instead (:class:`OlabelError`). With ``ordered=False`` it comes in any order. The other
    /// arguments, blocking and errors as in :meth:`bcast`.
    #[pyo3(signature = (payload, olabel=None, *, ordered=true, block=true, timeout=None))]
    fn obcast(
        &self,
        py: Python<'_>,
        payload: Payload,
        olabel: Option<&str>,
        ordered: bool,
        block: bool,
        timeout: Option<Timeout>,
    ) -> PyResult<MessageId> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            self.member()?;
            let olabel = argument::olabel(olabel, ordered)?;
            argument::send(py, block, timeout, |wait| {
                self.group.obcast(olabel.clone(), payload.0.clone(), wait)
            })
        })
    }

    /// GBCAST (report §3.3): ordered against everything in the group. Slower than the others.
    ///
    /// Arguments, blocking and errors as in :meth:`bcast`.
    #[pyo3(signature = (payload, *, block=true, timeout=None))]
    fn gbcast(
        &self,
        py: Python<'_>,
        payload: Payload,
        block: bool,
        timeout: Option<Timeout>,
    ) -> PyResult<MessageId> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            self.member()?;
            argument::send(py, block, timeout, |wait| {
                self.group.gbcast(payload.0.clone(), wait)
            })
        })
    }

    /// The same as :meth:`Process.flush` of :attr:`process`.
    #[pyo3(signature = (timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<()> {
        self.process.get().flush(py, timeout)
    }

    /// Stops being a member, or watching. Blocks until the others agree.
    ///
    /// Events that came before are still handed out; the last of the group is the view without this
    /// process. Raises :class:`NotMemberError` if it has left before, :class:`IsisTimeoutError` when
    /// the time runs out (leaving goes on and ends with :class:`Completed`), :class:`ClosedError`,
    /// :class:`BusyError`.
    #[pyo3(signature = (timeout=None))]
    fn leave(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<()> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let member = self.member()?;
            member.complete(py, timeout, || self.group.start_leave())?;
            Ok(())
        })
    }

    /// Starts to leave and returns a token; :class:`Completed` with it follows. Does not block.
    fn start_leave(&self) -> PyResult<u64> {
        entry(|| {
            self.member()?;
            self.group.start_leave().map_err(exception)
        })
    }

    /// The next event of this group or of the whole process. Blocks until there is one.
    ///
    /// Raises :class:`NotMemberError` after the last event of a group that was left,
    /// :class:`IsisTimeoutError`, :class:`ClosedError`, :class:`BusyError`.
    #[pyo3(signature = (timeout=None))]
    fn next(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<Py<PyAny>> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            self.member()?
                .next(py, Some(self.group.id()), timeout)?
                .ok_or_else(|| exception(Error::NotMember))
        })
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        entry(|| self.member()?.iterate(py, Some(self.group.id())))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        let timeout = Timeout(Some(crate::site::ON_EXIT));
        crate::site::quietly(py, self.leave(py, Some(timeout)))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Group is a running thing and cannot be pickled; its id can",
        ))
    }

    fn __repr__(&self) -> String {
        format!("<Group {:?} {}>", self.group.name(), self.group.id())
    }
}
