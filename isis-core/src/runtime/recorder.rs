//! The recorder: what the applications of a site send and take, as a file that `isis audit` reads
//! (docs/AUDIT.md).
//!
//! Records are written at the boundary to the application, in the order in which it calls and takes,
//! into a buffer. The broadcast thread writes the buffer to the file once per wake-up, before anything
//! that came of the wake-up leaves for the transport or the endpoints: whatever anybody else could have
//! seen is in the file even if the program is killed at the next instruction. (A killed *machine* may
//! lose what its disk had not got yet.)
//!
//! An error of the disk ends the recording, never the site. The file is then renamed, so that nobody
//! takes half a history for a whole one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{info, warn};
use parking_lot::Mutex;

use super::clock::Clock;
use super::ending::Ending;
use crate::audit::entry::{Digest, Entry, FLUSHED, FORMAT, Header, Text, VERSION, Why, write_line};
use crate::audit::trace::digest;
use crate::config::Config;
use crate::delivery::{Event, Label, Message, Outcome};
use crate::error::Error;
use crate::ids::{MessageId, ProcessId, Site};
use crate::machine::broadcast::{Address, Call};
use crate::view::SiteView;

/// Names the folder where the configuration names none.
const VARIABLE: &str = "ISIS_RECORD";

/// The end of a history's name, and what is added when the recording was given up.
const EXTENSION: &str = "jsonl";
const INCOMPLETE: &str = "incomplete";

/// Records the history of one site.
pub(crate) struct Recorder {
    site: Site,
    clock: Clock,
    path: PathBuf,
    buffer: Mutex<Vec<u8>>,
    file: Mutex<Output>,
    records: AtomicU64,
    /// The recording was given up.
    failed: AtomicBool,
    /// The end of the site is recorded.
    ended: AtomicBool,
}

struct Output {
    /// None when the recording was given up.
    file: Option<File>,
    /// A buffer to exchange for the full one.
    spare: Vec<u8>,
}

impl Recorder {
    /// Begins a history if the configuration or the environment wants one.
    pub(crate) fn open(config: &Config, site: Site, clock: Clock) -> Option<Recorder> {
        let folder = match config.record.is_empty() {
            false => PathBuf::from(&config.record),
            true => PathBuf::from(std::env::var_os(VARIABLE).filter(|v| !v.is_empty())?),
        };
        let path = folder.join(file_name(&config.cluster, site));
        let recorder = Recorder {
            site,
            clock,
            path,
            buffer: Mutex::new(Vec::new()),
            file: Mutex::new(Output {
                file: None,
                spare: Vec::new(),
            }),
            records: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        let mut output = recorder.file.lock();
        match begin(&folder, &recorder.path, config, site) {
            Ok(file) => {
                info!("site {site}: records to {}", recorder.path.display());
                output.file = Some(file);
            }
            Err(error) => recorder.give_up(&mut output, &error),
        }
        drop(output);
        Some(recorder)
    }

    /// Lines recorded.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Whether an error of the disk has ended the recording.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn record(&self, entry: impl FnOnce(u64) -> Entry) {
        if self.failed() {
            return;
        }
        let entry = entry(self.clock.now().0);
        // Writing to memory does not fail, and an entry is always valid JSON.
        let _ = write_line(&mut *self.buffer.lock(), &entry);
        self.records.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what is recorded to the file.
    pub(crate) fn flush(&self) {
        let mut output = self.file.lock();
        let mut full = mem::take(&mut output.spare);
        mem::swap(&mut *self.buffer.lock(), &mut full);
        if let Some(file) = &mut output.file
            && let Err(error) = file.write_all(&full)
        {
            self.give_up(&mut output, &error);
        }
        full.clear();
        output.spare = full;
    }

    fn give_up(&self, output: &mut Output, error: &io::Error) {
        self.failed.store(true, Ordering::Relaxed);
        let path = self.path.display();
        warn!("site {}: records no longer, {path}: {error}", self.site);
        if output.file.take().is_some() {
            let mut name = self.path.clone().into_os_string();
            name.push(".");
            name.push(INCOMPLETE);
            // Nothing more can be done; the log has it.
            let _ = fs::rename(&self.path, name);
        }
    }

    // --- the site ---

    /// The site acts on a committed view.
    pub(crate) fn installed(&self, view: &SiteView) {
        self.record(|at| Entry::Install {
            at,
            view: view.into(),
        });
    }

    /// The site asks to leave; written before anybody can hear of it.
    pub(crate) fn leaving(&self) {
        self.record(|at| Entry::Leaving { at });
        self.flush();
    }

    /// The site has ended; `told`: after a farewell. Only the first time counts.
    pub(crate) fn ended(&self, ending: &Ending, told: bool) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let why = match ending {
            Ending::Closed if told => Why::Closed,
            Ending::Closed | Ending::Olabels(_) | Ending::StoreFailed(_) => Why::Halted,
            Ending::Excluded(_) => Why::Excluded,
            Ending::Broken(_) => Why::Broken,
        };
        self.record(|at| Entry::End { at, why });
        self.flush();
    }

    // --- a process; the caller holds the lock of its endpoint ---

    /// A process begins.
    pub(crate) fn opened(&self, process: ProcessId, name: &str) {
        let name = name.to_owned();
        self.record(|at| Entry::Open {
            at,
            process: Text(process),
            name,
        });
    }

    /// The application's call, before the broadcast thread can have it.
    pub(crate) fn called(&self, process: ProcessId, in_flight: usize, call: &Call) {
        let process = Text(process);
        match call {
            Call::Send(m) => self.sent(m.id, &m.address, &m.label, &m.after, m.safe, &m.payload),
            Call::Gbcast {
                id,
                group,
                after,
                payload,
            } => {
                let to = Address::Group(*group);
                self.sent(*id, &to, &Label::Gbcast, after, false, payload);
            }
            Call::Close { .. } => self.record(|at| Entry::Close {
                at,
                process,
                in_flight,
            }),
            Call::Join { name, token } => self.record(|at| Entry::Join {
                at,
                process,
                name: name.clone(),
                token: *token,
            }),
            Call::Lookup { name, token } => self.record(|at| Entry::Lookup {
                at,
                process,
                name: name.clone(),
                token: *token,
            }),
            Call::Leave { group, token } => self.record(|at| Entry::Leave {
                at,
                process,
                group: Text(*group),
                token: *token,
            }),
            Call::Flush { token, .. } => self.record(|at| Entry::Flush {
                at,
                process,
                token: *token,
            }),
            Call::Open { .. } | Call::Status { .. } | Call::Taken { .. } => {}
        }
    }

    fn sent(
        &self,
        id: MessageId,
        to: &Address,
        label: &Label,
        after: &[MessageId],
        safe: bool,
        payload: &[u8],
    ) {
        self.record(|at| Entry::Send {
            at,
            id: Text(id),
            to: to.into(),
            label: label.into(),
            after: after.iter().copied().map(Text).collect(),
            safe,
            length: payload.len(),
            digest: Text(Digest(digest(payload))),
        });
    }

    /// The application takes an event.
    pub(crate) fn took(&self, process: ProcessId, event: &Event) {
        let id = Text(process);
        match event {
            Event::Message(message) => self.delivered(process, message),
            Event::View(view) => self.record(|at| Entry::View {
                at,
                process: id,
                view: (&**view).into(),
            }),
            Event::SiteView(view) => self.record(|at| Entry::SiteView {
                at,
                process: id,
                view: (&**view).into(),
            }),
            Event::Blocked => self.record(|at| Entry::Blocked { at, process: id }),
            Event::Unblocked => self.record(|at| Entry::Unblocked { at, process: id }),
            Event::Completed { token, result } => self.completed(process, *token, result),
            Event::Undeliverable(id) => {
                self.record(|at| Entry::Undeliverable { at, id: Text(*id) })
            }
            Event::Closed => self.record(|at| Entry::Ended { at, process: id }),
            // The site's own record says so.
            Event::Excluded(_) => {}
            // It says nothing about anybody else.
            Event::Writable => {}
        }
    }

    fn delivered(&self, process: ProcessId, message: &Message) {
        self.record(|at| Entry::Deliver {
            at,
            process: Text(process),
            id: Text(message.id),
            group: message.group.map(|(group, _)| Text(group)),
            view: message.group.map(|(_, number)| number),
            label: (&message.label).into(),
            length: message.payload.len(),
            digest: Text(Digest(digest(&message.payload))),
        });
    }

    /// The application learns how an operation ended.
    pub(crate) fn completed(
        &self,
        process: ProcessId,
        token: u64,
        result: &Result<Outcome, Error>,
    ) {
        let group = match result {
            Ok(Outcome::Left(group)) => Some(Text(*group)),
            _ => None,
        };
        let outcome = match result {
            Ok(Outcome::Joined(_)) => "joined".into(),
            Ok(Outcome::Watching(_)) => "watching".into(),
            Ok(Outcome::Left(_)) => "left".into(),
            Ok(Outcome::Flushed) => FLUSHED.into(),
            Ok(Outcome::Closed) => "closed".into(),
            Ok(Outcome::Status(_)) => "status".into(),
            Err(error) => error.to_string(),
        };
        self.record(|at| Entry::Completed {
            at,
            process: Text(process),
            token,
            outcome,
            group,
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}

/// One file per incarnation. What a name of a file cannot hold is replaced.
fn file_name(cluster: &str, site: Site) -> String {
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
        _ => '_',
    };
    let cluster: String = cluster.chars().map(plain).collect();
    format!("{cluster}-{site}.{EXTENSION}")
}

fn begin(folder: &Path, path: &Path, config: &Config, site: Site) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let mut file = File::create_new(path)?;
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        cluster: config.cluster.clone(),
        site: Text(site),
        opened_us: since_1970.as_micros() as u64,
        store: !config.store.is_empty(),
    };
    let mut line = Vec::new();
    write_line(&mut line, &header)?;
    file.write_all(&line)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Incarnation, SiteId};

    /// A file that cannot be written to stands for a disk that is full.
    #[test]
    fn an_error_of_the_disk_ends_the_recording() {
        let folder = std::env::temp_dir().join(format!("isis-recorder-{}", std::process::id()));
        let mut config = Config::new(SiteId(1));
        config.record = folder.to_str().unwrap().into();
        let site = Site {
            id: SiteId(1),
            incarnation: Incarnation(7),
        };
        let recorder = Recorder::open(&config, site, Clock::start()).unwrap();
        recorder.leaving();
        assert_eq!((recorder.records(), recorder.failed()), (1, false));
        recorder.file.lock().file = Some(File::open(&recorder.path).unwrap());
        recorder.leaving();
        assert!(recorder.failed());
        recorder.leaving();
        assert_eq!(recorder.records(), 2);
        let mut names = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name());
        assert_eq!(names.next().unwrap(), "isis-1.7.jsonl.incomplete");
        assert!(names.next().is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
