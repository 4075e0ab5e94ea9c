//! The Python interface of Isis: the native half of the package `isis`.
//!
//! ```text
//!   site  process  group        the classes; every entry is behind the panic boundary (error)
//!   inbox  callbacks  wait      who gets which event, on which thread, and how calls wait
//!   ids  event  argument        values that cross
//!   descriptor  logging  fork   poll loops, log lines, forked children
//! ```
//!
//! All classes are frozen and `Sync`: nothing here counts on the interpreter's lock. Locks of this
//! crate are never held while Python code may run, and the library's own threads never wait for
//! the interpreter.

mod argument;
mod callbacks;
mod descriptor;
mod error;
mod event;
mod fork;
mod group;
mod ids;
mod inbox;
mod logging;
mod process;
mod site;
mod wait;

use pyo3::prelude::*;

// Shipped: never the protocols with a protection taken out.
const _: () = assert!(!isis_core::IS_MUTANT, "this would ship a mutant");

/// Classes and threads belong to one interpreter, and threads of the library come back to the main
/// one. Python 3.12 and later refuse by themselves, from what the module says of itself.
fn refuse_subinterpreters(py: Python<'_>) -> PyResult<()> {
    use pyo3::ffi::{PyInterpreterState_Get, PyInterpreterState_GetID};
    let _attached = py;
    // SAFETY: this thread is attached to an interpreter, so there is a current one.
    let id = unsafe { PyInterpreterState_GetID(PyInterpreterState_Get()) };
    if id == 0 {
        return Ok(());
    }
    Err(pyo3::exceptions::PyImportError::new_err(
        "module isis._isis does not support loading in subinterpreters",
    ))
}

/// The native half of isis. Import ``isis`` instead.
#[pymodule(gil_used = false)]
mod _isis {
    use super::*;

    #[pymodule_export]
    use super::event::{
        Blocked, Closed, Completed, Excluded, Message, SiteView, Unblocked, Undeliverable, View,
        Writable,
    };
    #[pymodule_export]
    use super::fork::after_in_child;
    #[pymodule_export]
    use super::group::Group;
    #[pymodule_export]
    use super::ids::{GroupId, MessageId, ProcessId, SiteId};
    #[pymodule_export]
    use super::process::{Process, Status};
    #[pymodule_export]
    use super::site::{Site, at_exit};

    /// The version of the library.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        refuse_subinterpreters(py)?;
        let hook = [("after_in_child", module.getattr("_after_fork_in_child")?)];
        py.import("os")?.call_method(
            "register_at_fork",
            (),
            Some(&pyo3::types::IntoPyDict::into_py_dict(hook, py)?),
        )?;
        py.import("atexit")?
            .call_method1("register", (module.getattr("_at_exit")?,))?;
        Ok(())
    }
}
