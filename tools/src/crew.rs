//! The programs of a run, and what they say.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::child::Program;
pub use crate::child::Said;

/// Has a program record the histories of its sites in this folder.
pub fn record_to(command: &mut Command, folder: Option<&Path>) {
    if let Some(folder) = folder {
        command.env("ISIS_RECORD", folder);
    }
}

/// Programs by place, in the order of their starts. They end with it.
pub struct Crew {
    programs: Vec<Program>,
    ended: Vec<bool>,
    lines: Receiver<(usize, Said)>,
    sender: Sender<(usize, Said)>,
    /// Where their standard errors go: this path with the place as its extension.
    errors: PathBuf,
}

impl Crew {
    /// Nobody yet. What the programs complain of goes to files whose names begin so.
    pub fn new(errors: PathBuf) -> Crew {
        let (sender, lines) = channel();
        Crew {
            programs: Vec::new(),
            ended: Vec::new(),
            lines,
            sender,
            errors,
        }
    }

    /// Starts a program; its place.
    pub fn start(&mut self, command: &mut Command) -> Outcome<usize> {
        let place = self.programs.len();
        let errors = self.errors.with_extension(format!("{place}.stderr"));
        self.programs.push(Program::start(
            command,
            place,
            &errors,
            self.sender.clone(),
        )?);
        self.ended.push(false);
        Ok(place)
    }

    /// What somebody says next, if that is before the deadline.
    pub fn hear(&mut self, deadline: Instant) -> Option<(usize, Said)> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (place, said) = self
            .lines
            .recv_timeout(left.max(Duration::from_millis(1)))
            .ok()?;
        if matches!(said, Said::End) {
            self.ended[place] = true;
        }
        Some((place, said))
    }

    /// Tells a program something on its standard input.
    pub fn tell(&mut self, place: usize, line: &str) -> Outcome<()> {
        Ok(self.programs[place].tell(line)?)
    }

    /// SIGKILL. What it said before is still to be heard, and then that it has ended.
    pub fn kill(&mut self, place: usize) -> Outcome<()> {
        Ok(self.programs[place].kill()?)
    }

    /// Sends it a signal, such as SIGSTOP.
    pub fn signal(&self, place: usize, signal: Signal) -> Outcome<()> {
        Ok(self.programs[place].signal(signal)?)
    }

    /// Whether everything that the program said has been heard.
    pub fn ended(&self, place: usize) -> bool {
        self.ended[place]
    }

    /// How a program ended.
    pub fn wait(&mut self, place: usize) -> Outcome<ExitStatus> {
        Ok(self.programs[place].wait()?)
    }

    /// The last lines of a program's standard error.
    pub fn complaints(&self, place: usize) -> String {
        self.programs[place].complaints()
    }

    /// The last lines of everybody's standard error.
    pub fn all_complaints(&self) -> String {
        let of = |place| match self.complaints(place) {
            text if text.is_empty() => text,
            text => format!("\nmember {}: {text}", place + 1),
        };
        (0..self.programs.len()).map(of).collect()
    }
}
