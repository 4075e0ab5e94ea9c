//! Sites.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use isis_core::Error;
use isis_core::config::{Config, FirstView, Quorum};
use isis_core::ids;
use isis_core::order::{Comparison, Relation};
use isis_core::runtime::{self, FAREWELL};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::callbacks;
use crate::error::{
    ArgumentError, ClosedError, ForkedError, IsisTimeoutError, NotMemberError, entry, exception,
};
use crate::event::SiteView;
use crate::fork::Origin;
use crate::ids::SiteId;
use crate::inbox::Kind;
use crate::logging;
use crate::process::Process;
use crate::wait::{self, Timeout, as_callback, may_block};

/// How long the end of a `with` block waits for the others to agree.
pub const ON_EXIT: Duration = Duration::from_secs(10);

/// How long the end of the last reference does.
const ON_DROP: Duration = Duration::from_secs(1);

/// How long the end of the interpreter waits for each site still open, and then for threads.
const AT_EXIT: Duration = Duration::from_secs(2);

/// The sites of this program, to be closed before the interpreter ends.
static OPEN: Mutex<Vec<Weak<Handle>>> = Mutex::new(Vec::new());

struct Handle {
    site: runtime::Site,
    origin: Origin,
}

/// An open site: one running instance of the library, with its processes.
///
/// ``id`` is its number in the cluster, ``listen`` its ``host:port`` (port 0 picks one), ``peers``
/// the other listed sites, ``{number: "host:port"}``; ``advertise`` is what they are told to connect
/// to, if not ``listen``. Sites of another ``cluster`` name are refused. ``quorum`` is
/// ``"majority"``, or ``"none"`` where the network never partitions; ``first_view`` says who must
/// take part in the first view: ``"all"`` listed sites, a ``"majority"``, or this one ``"alone"``
/// (the last two at your risk: a cut can found two systems). ``store`` is the directory of the site's
/// store, one for each site: with it a restarted site votes as it had voted, and after all sites have
/// failed those of the last view go on; it keeps site views, no messages and nothing of the
/// application. ``abandon`` says that a sequence of site views is over, by the name that the log
/// gives it, because its last sites are lost for good. Listening outside loopback takes
/// ``insecure=True``. ``hello_interval`` and ``suspect_after`` are in seconds, ``max_message`` and
/// ``window_bytes`` in bytes, ``window_messages`` counts broadcasts; ``None`` is the default.
/// ``record`` is a folder in which a history of the site is recorded, for ``isis audit``; so is the
/// environment variable ``ISIS_RECORD``. An error of the disk ends the recording, never the site.
///
/// Without ``compare_olabels`` olabels are streams and sets of streams (:meth:`Group.obcast`). With it,
/// ``compare_olabels(a, b)`` says how one stands to another (report §3.2): negative, a is less, so that
/// an OBCAST with a comes before a later one with b; positive, a is greater; 0, in the order in which
/// they are sent; ``None``, nothing orders them. It is called on the thread that sends, as a callback,
/// and must be pure: its answers are remembered. ``olabel_order`` is its name; sites with different
/// names refuse each other. If it raises, or contradicts itself, the send raises :class:`OlabelError`
/// and the site halts. An olabel less than an earlier one is accepted, unordered against that one, and
/// counted (``late_olabels`` of :meth:`stats`).
///
/// Opening binds the port and returns; the first view comes later (:meth:`wait_view`). Raises
/// :class:`ArgumentError`, :class:`NetworkError`, :class:`UnsupportedError`; of the store
/// :class:`BusyError` if another site has it open, :class:`ProtocolError` if it is damaged or another
/// site's. Every method may be
/// called from any thread. As a context manager the site closes itself at the end, waiting at most
/// 10 s for the others; so is a site closed that nobody refers to any more, or that is still open
/// when the interpreter ends.
#[pyclass(frozen, weakref, module = "isis")]
pub struct Site(Arc<Handle>);

/// A site that nobody refers to any more is closed, while other threads of Python run.
impl Drop for Handle {
    fn drop(&mut self) {
        let site = self.site.clone();
        // Without an interpreter, or in a forked child, the library's own handle does what can be
        // done.
        Python::try_attach(|py| py.detach(|| drop(site.close(Some(ON_DROP)))));
    }
}

fn positive_seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        ArgumentError::new_err(format!("{name} is a number of seconds, not {seconds}"))
    })
}

fn quorum(word: &str) -> PyResult<Quorum> {
    match word {
        "majority" => Ok(Quorum::Majority),
        "none" => Ok(Quorum::None),
        _ => Err(ArgumentError::new_err(format!(
            "quorum is 'majority' or 'none', not {word:?}"
        ))),
    }
}

fn first_view(word: &str) -> PyResult<FirstView> {
    match word {
        "all" => Ok(FirstView::All),
        "majority" => Ok(FirstView::Majority),
        "alone" => Ok(FirstView::Alone),
        _ => Err(ArgumentError::new_err(format!(
            "first_view is 'all', 'majority' or 'alone', not {word:?}"
        ))),
    }
}

fn comparison(
    py: Python<'_>,
    name: Option<String>,
    compare: Option<Py<PyAny>>,
) -> PyResult<Option<Comparison>> {
    match (name, compare) {
        (None, None) => Ok(None),
        (Some(name), Some(compare)) if compare.bind(py).is_callable() => {
            Ok(Some(Comparison::new(name, move |first, second| {
                Python::attach(|py| relation(py, &compare, first, second))
                    .map_err(|e| e.to_string())
            })))
        }
        _ => Err(ArgumentError::new_err(
            "olabel_order, a name, and compare_olabels, a callable, go together",
        )),
    }
}

/// Asks Python how one olabel stands to another.
fn relation(py: Python<'_>, compare: &Py<PyAny>, first: &str, second: &str) -> PyResult<Relation> {
    let answer = as_callback(|| compare.call1(py, (first, second)))?;
    let answer: Option<i64> = answer.extract(py)?;
    Ok(match answer {
        None => Relation::Unrelated,
        Some(0) => Relation::Equal,
        Some(n) if n < 0 => Relation::Before,
        Some(_) => Relation::After,
    })
}

fn open(py: Python<'_>, config: Config) -> PyResult<Site> {
    logging::start(py)?;
    let site = py
        .detach(|| runtime::Site::open(config))
        .map_err(exception)?;
    let handle = Arc::new(Handle {
        site,
        origin: Origin::here(),
    });
    let mut open = OPEN.lock();
    open.retain(|site| site.strong_count() > 0);
    open.push(Arc::downgrade(&handle));
    Ok(Site(handle))
}

impl Site {
    fn here(&self) -> PyResult<&runtime::Site> {
        self.0.origin.check().map_err(exception)?;
        Ok(&self.0.site)
    }
}

#[pymethods]
impl Site {
    #[new]
    #[pyo3(signature = (
        id, *, listen="127.0.0.1:0", peers=None, advertise="", cluster="isis", quorum="majority",
        first_view="all", store="", abandon=None, insecure=false, hello_interval=None,
        suspect_after=None, max_message=None, window_messages=None, window_bytes=None, record=None,
        olabel_order=None, compare_olabels=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn new(
        py: Python<'_>,
        id: u32,
        listen: &str,
        peers: Option<BTreeMap<u32, String>>,
        advertise: &str,
        cluster: &str,
        quorum: &str,
        first_view: &str,
        store: &str,
        abandon: Option<&str>,
        insecure: bool,
        hello_interval: Option<f64>,
        suspect_after: Option<f64>,
        max_message: Option<usize>,
        window_messages: Option<usize>,
        window_bytes: Option<usize>,
        record: Option<PathBuf>,
        olabel_order: Option<String>,
        compare_olabels: Option<Py<PyAny>>,
    ) -> PyResult<Site> {
        entry(|| {
            let mut config = Config::new(ids::SiteId(id));
            config.listen = listen.into();
            config.advertise = advertise.into();
            config.cluster = cluster.into();
            config.quorum = self::quorum(quorum)?;
            config.first_view = self::first_view(first_view)?;
            config.store = store.into();
            if let Some(name) = abandon {
                let epoch = ids::Epoch::parse(name).ok_or_else(|| {
                    ArgumentError::new_err(format!(
                        "abandon is the 32 hexadecimal digits that the log names, not {name:?}"
                    ))
                })?;
                config.abandon = Some(epoch);
            }
            config.insecure = insecure;
            for (peer, address) in peers.into_iter().flatten() {
                config.peers.insert(ids::SiteId(peer), address);
            }
            if let Some(seconds) = hello_interval {
                config.hello_interval = positive_seconds("hello_interval", seconds)?;
            }
            if let Some(seconds) = suspect_after {
                config.suspect_after = positive_seconds("suspect_after", seconds)?;
            }
            config.max_message = max_message.unwrap_or(config.max_message);
            config.window_messages = window_messages.unwrap_or(config.window_messages);
            config.window_bytes = window_bytes.unwrap_or(config.window_bytes);
            if let Some(folder) = record {
                config.record = folder.into_os_string().into_string().map_err(|folder| {
                    ArgumentError::new_err(format!("record is not UTF-8: {folder:?}"))
                })?;
            }
            config.olabels = comparison(py, olabel_order, compare_olabels)?;
            open(py, config)
        })
    }

    /// Opens a site from text: ``"id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002 ..."``; without
    /// it, from the environment variable ``ISIS_CONFIG``. The words are those of the constructor,
    /// with times in milliseconds (``hello_interval_ms``, ``suspect_after_ms``). Errors name the
    /// word.
    #[staticmethod]
    #[pyo3(signature = (text=None))]
    fn from_config(py: Python<'_>, text: Option<String>) -> PyResult<Site> {
        entry(|| {
            let text = match text {
                Some(text) => text,
                None => py
                    .import("os")?
                    .getattr("environ")?
                    .call_method1("get", ("ISIS_CONFIG",))?
                    .extract::<Option<String>>()?
                    .ok_or_else(|| ArgumentError::new_err("ISIS_CONFIG is not set"))?,
            };
            open(py, Config::from_text(&text).map_err(exception)?)
        })
    }

    /// Its number and incarnation.
    #[getter]
    fn id(&self) -> SiteId {
        SiteId(self.0.site.id())
    }

    /// Where it listens, ``host:port``, with the port that was picked.
    #[getter]
    fn address(&self) -> String {
        self.0.site.local_addr()
    }

    /// The latest site view; ``None`` before the first. Does not block.
    #[getter]
    fn view(&self) -> PyResult<Option<SiteView>> {
        entry(|| Ok(self.here()?.view().map(SiteView)))
    }

    /// Whether no quorum of the site view is reachable, so that broadcasts wait. Does not block.
    #[getter]
    fn blocked(&self) -> PyResult<bool> {
        entry(|| Ok(self.here()?.is_blocked()))
    }

    /// Blocks until there is a site view of at least ``min_sites`` sites, and returns it.
    ///
    /// Releases the interpreter's lock and answers Ctrl-C. Raises :class:`IsisTimeoutError`,
    /// :class:`ClosedError`, :class:`BusyError` inside a callback.
    #[pyo3(signature = (min_sites=1, timeout=None))]
    fn wait_view(
        &self,
        py: Python<'_>,
        min_sites: usize,
        timeout: Option<Timeout>,
    ) -> PyResult<SiteView> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let site = self.here()?;
            let view = timeout.wait(py, |slice| site.wait_view(min_sites, Some(slice)))?;
            Ok(SiteView(view))
        })
    }

    /// Opens a process; ``name`` is for people. It is usable at once. Does not block.
    ///
    /// The ``on_`` callbacks are called from a library thread, one per process, with each event of
    /// their kind, for all groups whose :meth:`Process.join` sets none of that kind; events without
    /// a callback come by iteration. An exception that a callback raises is logged. Raises
    /// :class:`ClosedError`, :class:`ArgumentError` for a bad name.
    #[pyo3(signature = (name="", **callbacks))]
    fn process(
        slf: &Bound<'_, Self>,
        name: &str,
        callbacks: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Process> {
        entry(|| {
            let set = callbacks::from_keywords(callbacks, &Kind::ALL.map(|(kind, _)| kind))?;
            let process = slf.get().here()?.process(name).map_err(exception)?;
            let process = Process::new(slf.clone().unbind(), process);
            callbacks::set(slf.py(), &process.member, set)?;
            Ok(process)
        })
    }

    /// Counters and gauges by name, for supervision. Does not block.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        entry(|| {
            let stats = PyDict::new(py);
            for (name, value) in self.here()?.stats().entries() {
                stats.set_item(name, value)?;
            }
            Ok(stats)
        })
    }

    /// Ends the processes (R31), leaves the site view (R6), ends the library's threads. Blocks until
    /// it is done.
    ///
    /// Closing again does nothing. With ``timeout=0`` it only starts, and goes on by itself for at most
    /// five seconds. Raises
    /// :class:`IsisTimeoutError` when the site has stopped but the others may not know yet, and why,
    /// :class:`BusyError` inside a callback.
    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<Timeout>) -> PyResult<()> {
        entry(|| {
            let timeout = timeout.unwrap_or_default();
            let site = self.here()?.clone();
            may_block(timeout).map_err(exception)?;
            let (done, closed) = mpsc::channel();
            // On a thread, so that Ctrl-C does not have to wait for it.
            let limit = match timeout {
                Timeout::ZERO => Some(FAREWELL),
                Timeout(limit) => limit,
            };
            std::thread::spawn(move || done.send(site.close(limit)));
            if timeout == Timeout::ZERO {
                return Ok(());
            }
            let result = Timeout(None).wait(py, move |slice| match closed.recv_timeout(slice) {
                // Its own timeout has an end, unlike that of the slice.
                Ok(result) => Ok(result),
                Err(RecvTimeoutError::Timeout) => Err(Error::TimedOut),
                Err(RecvTimeoutError::Disconnected) => {
                    Err(Error::Internal("the closing thread has gone".into()))
                }
            })?;
            match result {
                Ok(()) | Err(Error::Closed(_)) => Ok(()),
                Err(error) => Err(exception(error)),
            }
        })
    }

    /// Stops at once without telling anybody, as a crash would. For tests.
    fn halt(&self, py: Python<'_>) -> PyResult<()> {
        entry(|| {
            let site = self.here()?;
            py.detach(|| site.halt());
            Ok(())
        })
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        quietly(py, self.close(py, Some(Timeout(Some(ON_EXIT)))))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Site is a running thing and cannot be pickled; its id can",
        ))
    }

    fn __repr__(&self) -> String {
        format!("<Site {} at {}>", self.id(), self.address())
    }
}

/// At the end of a `with` block: what has ended or left already, goes on ending, or is the parent's
/// is no error.
pub fn quietly(py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
    result.or_else(|error| {
        let expected = error.is_instance_of::<ClosedError>(py)
            || error.is_instance_of::<NotMemberError>(py)
            || error.is_instance_of::<ForkedError>(py)
            || error.is_instance_of::<IsisTimeoutError>(py);
        if expected { Ok(()) } else { Err(error) }
    })
}

/// For Python's atexit: closes the sites still open and lets all threads leave this crate.
#[pyfunction(name = "_at_exit")]
pub fn at_exit(py: Python<'_>) -> PyResult<()> {
    entry(|| {
        let open = std::mem::take(&mut *OPEN.lock());
        for handle in open.iter().filter_map(Weak::upgrade) {
            if handle.origin.check().is_err() {
                continue; // this is a forked child, and the site is its parent's
            }
            // It has stopped even if the others could not be told in time.
            py.detach(|| drop(handle.site.close(Some(AT_EXIT))));
        }
        logging::stop(py);
        wait::until_alone(py, AT_EXIT);
        Ok(())
    })
}
