//! Callbacks, called from one library thread per process, started when the first is set.
//!
//! The thread is one of Python's own (`threading.Thread`, a daemon), so that tracebacks, debuggers
//! and thread-locals work in it. It waits without the interpreter's lock and takes it once for all
//! the events that have queued meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use isis_core::Error;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::event;
use crate::inbox::{ForCallback, Kind, Kinds};
use crate::process::Member;
use crate::wait::{Inside, as_callback};

/// Callbacks by kind.
pub type Set = BTreeMap<Kind, Py<PyAny>>;

/// The callbacks of a process and of its groups, by their names.
#[derive(Default)]
pub struct Callbacks {
    process: Mutex<Set>,
    groups: Mutex<BTreeMap<Arc<str>, Set>>,
    running: AtomicBool,
}

/// Reads keyword arguments; `allowed` are those that make sense.
pub fn from_keywords(keywords: Option<&Bound<'_, PyDict>>, allowed: &[Kind]) -> PyResult<Set> {
    let mut set = Set::new();
    for (name, callback) in keywords.into_iter().flatten() {
        let name: String = name.extract()?;
        let known = Kind::ALL.iter().find(|(_, known)| *known == name);
        let Some((kind, _)) = known.filter(|(kind, _)| allowed.contains(kind)) else {
            return Err(PyTypeError::new_err(format!(
                "unexpected keyword argument '{name}'"
            )));
        };
        if callback.is_none() {
            continue;
        }
        if !callback.is_callable() {
            return Err(PyTypeError::new_err(format!("{name} is not callable")));
        }
        set.insert(*kind, callback.unbind());
    }
    Ok(set)
}

/// The kinds that a set has callbacks for.
fn kinds(set: &Set) -> Kinds {
    set.keys()
        .fold(Kinds::default(), |kinds, kind| kinds.with(*kind))
}

impl Callbacks {
    fn find(&self, py: Python<'_>, kind: Kind, group: Option<&str>) -> Option<Py<PyAny>> {
        let groups = self.groups.lock();
        let of_group = group
            .and_then(|group| groups.get(group))
            .and_then(|set| set.get(&kind))
            .map(|callback| callback.clone_ref(py));
        drop(groups);
        of_group.or_else(|| {
            let set = self.process.lock();
            set.get(&kind).map(|callback| callback.clone_ref(py))
        })
    }
}

/// Sets the callbacks of the process.
pub fn set(py: Python<'_>, member: &Arc<Member>, set: Set) -> PyResult<()> {
    if set.is_empty() {
        return Ok(());
    }
    let kinds = kinds(&set);
    *member.callbacks.process.lock() = set;
    member.inbox.call_back(kinds);
    start(py, member)
}

/// Sets the callbacks for a group that the process is about to join, in place of earlier ones.
pub fn set_for(py: Python<'_>, member: &Arc<Member>, group: &str, set: Set) -> PyResult<()> {
    let kinds = kinds(&set);
    let old = {
        let mut groups = member.callbacks.groups.lock();
        groups.insert(Arc::from(group), set)
    };
    drop(old); // outside the lock: it may run finalizers
    member.inbox.call_back_for(group, kinds);
    if kinds.is_empty() {
        Ok(())
    } else {
        start(py, member)
    }
}

fn start(py: Python<'_>, member: &Arc<Member>) -> PyResult<()> {
    if member.callbacks.running.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let arguments = [
        (
            "target",
            Py::new(py, Dispatcher(member.clone()))?.into_any(),
        ),
        (
            "name",
            format!("isis-{}", member.process().name())
                .into_pyobject(py)?
                .into_any()
                .unbind(),
        ),
        (
            "daemon",
            true.into_pyobject(py)?.to_owned().into_any().unbind(),
        ),
    ];
    let thread = py
        .import("threading")?
        .getattr("Thread")?
        .call((), Some(&arguments.into_py_dict(py)?))?;
    thread.call_method0("start")?;
    Ok(())
}

/// What the thread runs.
#[pyclass(frozen, module = "isis._isis")]
struct Dispatcher(Arc<Member>);

#[pymethods]
impl Dispatcher {
    fn __call__(&self, py: Python<'_>) {
        /// How long it waits at most without a look around.
        const PATIENCE: Duration = Duration::from_secs(1);
        let _inside = Inside::enter();
        let member = &self.0;
        loop {
            let mut next = py.detach(|| member.inbox.next_for_callback(PATIENCE));
            while let Ok(event) = next {
                as_callback(|| call(py, member, event));
                next = member.inbox.next_for_callback(Duration::ZERO);
            }
            if !matches!(next, Err(Error::TimedOut)) {
                break;
            }
        }
        // What a callback refers to may refer to this process.
        let process = std::mem::take(&mut *member.callbacks.process.lock());
        let groups = std::mem::take(&mut *member.callbacks.groups.lock());
        drop((process, groups));
    }
}

fn call(py: Python<'_>, member: &Member, item: ForCallback) {
    let kind = Kind::of(&item.event);
    let Some(callback) = member.callbacks.find(py, kind, item.group.as_deref()) else {
        return;
    };
    let called = event::to_python(py, item.event).and_then(|event| callback.call1(py, (event,)));
    if let Err(error) = called {
        let name = Kind::ALL[kind as usize].1;
        if let Err(error) = report(py, member, name, error) {
            error.write_unraisable(py, None);
        }
    }
}

/// A callback raised: the log gets the traceback, the thread goes on.
fn report(py: Python<'_>, member: &Member, callback: &str, error: PyErr) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("isis",))?;
    let process = member.process();
    let text = format!("{callback} of {} {:?} raised", process.id(), process.name());
    let exc_info = [("exc_info", error.into_value(py))].into_py_dict(py)?;
    logger.call_method("error", ("%s", text), Some(&exc_info))?;
    Ok(())
}
