//! The library's log lines become records of `logging.getLogger("isis")` and its children.
//!
//! The library's threads never wait for the interpreter: they put lines into a bounded queue, from
//! which a thread of Python's own takes them.

use std::collections::VecDeque;
use std::sync::Once;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

use crate::fork;
use crate::wait::Inside;

/// More lines than this that nobody took yet are counted and dropped.
const MOST: usize = 10_000;

/// How often the level of the logger is looked at.
const LOOK: Duration = Duration::from_secs(1);

struct Line {
    level: Level,
    logger: String,
    text: String,
}

struct Lines {
    waiting: VecDeque<Line>,
    lost: u64,
    running: bool,
    stopping: bool,
}

struct Bridge {
    lines: Mutex<Lines>,
    more: Condvar,
}

impl Bridge {
    const fn new() -> Bridge {
        Bridge {
            lines: Mutex::new(Lines {
                waiting: VecDeque::new(),
                lost: 0,
                running: false,
                stopping: false,
            }),
            more: Condvar::new(),
        }
    }
}

/// One for each fork between the process that loaded the module and this one: a child has the
/// parent's memory, where a lock may be held for ever, but not its threads.
static BRIDGES: [Bridge; 16] = [const { Bridge::new() }; 16];

fn bridge() -> &'static Bridge {
    &BRIDGES[fork::generation().min(BRIDGES.len() - 1)]
}

/// What the crate `log` knows.
struct Entrance;

impl Log for Entrance {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            level: record.level(),
            logger: logger_name(record.target()),
            text: record.args().to_string(),
        };
        let bridge = bridge();
        let mut lines = bridge.lines.lock();
        if lines.waiting.len() < MOST {
            lines.waiting.push_back(line);
        } else {
            lines.lost += 1;
        }
        bridge.more.notify_one();
    }

    fn flush(&self) {}
}

/// `isis_core::view::participant` logs to `isis.view.participant`.
fn logger_name(target: &str) -> String {
    let path = target.strip_prefix("isis_core").unwrap_or(target);
    let path = path.trim_start_matches("::").replace("::", ".");
    match path.as_str() {
        "" | "isis" => "isis".into(),
        path => format!("isis.{path}"),
    }
}

/// Starts to hand lines over, unless that goes on already.
pub fn start(py: Python<'_>) -> PyResult<()> {
    static INSTALLED: Once = Once::new();
    // Fails only if this copy of `log` has a logger already, and then lines go there.
    INSTALLED.call_once(|| drop(log::set_logger(&Entrance)));
    log::set_max_level(wanted_level(py)?);
    if std::mem::replace(&mut bridge().lines.lock().running, true) {
        return Ok(());
    }
    let arguments = [
        ("target", Py::new(py, Pump)?.into_any()),
        ("name", "isis-log".into_pyobject(py)?.into_any().unbind()),
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

/// Hands over what waits, then nothing more.
pub fn stop(py: Python<'_>) {
    log::set_max_level(LevelFilter::Off);
    bridge().lines.lock().stopping = true;
    bridge().more.notify_all();
    hand_over(py);
}

/// The level of the logger "isis" in the terms of `log`.
fn wanted_level(py: Python<'_>) -> PyResult<LevelFilter> {
    let logger = py.import("logging")?.call_method1("getLogger", ("isis",))?;
    let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
    Ok(match level {
        ..=5 => LevelFilter::Trace,
        6..=10 => LevelFilter::Debug,
        11..=20 => LevelFilter::Info,
        21..=30 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    })
}

fn python_level(level: Level) -> u8 {
    match level {
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        Level::Debug => 10,
        Level::Trace => 5,
    }
}

/// What the thread runs.
#[pyclass(frozen, module = "isis._isis")]
struct Pump;

#[pymethods]
impl Pump {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let _inside = Inside::enter();
        while !bridge().lines.lock().stopping {
            py.detach(|| {
                let bridge = bridge();
                let mut lines = bridge.lines.lock();
                if lines.waiting.is_empty() && !lines.stopping {
                    bridge.more.wait_for(&mut lines, LOOK);
                }
            });
            hand_over(py);
            if !bridge().lines.lock().stopping {
                log::set_max_level(wanted_level(py)?);
            }
        }
        Ok(())
    }
}

fn hand_over(py: Python<'_>) {
    let (waiting, lost) = {
        let mut lines = bridge().lines.lock();
        let lost = std::mem::take(&mut lines.lost);
        (std::mem::take(&mut lines.waiting), lost)
    };
    for line in waiting {
        emit(py, &line);
    }
    if lost > 0 {
        emit(
            py,
            &Line {
                level: Level::Warn,
                logger: "isis".into(),
                text: format!("{lost} log lines lost: too many at once"),
            },
        );
    }
}

fn emit(py: Python<'_>, line: &Line) {
    let emitted = py
        .import("logging")
        .and_then(|logging| logging.call_method1("getLogger", (&line.logger,)))
        .and_then(|logger| {
            logger.call_method1("log", (python_level(line.level), "%s", &line.text))
        });
    if let Err(error) = emitted {
        error.write_unraisable(py, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_are_named_after_modules() {
        assert_eq!(logger_name("isis_core::view::manager"), "isis.view.manager");
        assert_eq!(logger_name("isis_core"), "isis");
        assert_eq!(logger_name("isis"), "isis");
        assert_eq!(logger_name("mio::poll"), "isis.mio.poll");
    }
}
