//! A program under the command's care: what it prints comes line by line into one channel for all
//! programs, and it does not outlive the command.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a program said, or that it says nothing more.
#[derive(Debug)]
pub enum Said {
    /// One line of its standard output.
    Line(String),
    /// Its standard output ended: the program has.
    End,
}

/// A running program. Ends with its handle.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
    errors: PathBuf,
}

impl Program {
    /// Starts a program whose lines go to `lines` under the name `who`, its standard error to a file.
    pub fn start(
        command: &mut Command,
        who: usize,
        errors: &Path,
        lines: Sender<(usize, Said)>,
    ) -> std::io::Result<Program> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(errors)?)
            .spawn()
            .map_err(|e| {
                let program = command.get_program().to_string_lossy().into_owned();
                std::io::Error::new(e.kind(), format!("cannot start {program}: {e}"))
            })?;
        let stdout = child.stdout.take().expect("piped above");
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The command may have stopped listening.
                let _ = lines.send((who, Said::Line(line)));
            }
            let _ = lines.send((who, Said::End));
        });
        let stdin = child.stdin.take();
        Ok(Program {
            child,
            stdin,
            reader: Some(reader),
            errors: errors.to_owned(),
        })
    }

    /// Tells the program something on its standard input.
    pub fn tell(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => writeln!(stdin, "{line}"),
            None => Ok(()),
        }
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Sends it a signal, such as SIGSTOP.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Waits until the program has ended by itself and everything that it said is in the channel.
    pub fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.stdin = None;
        let status = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        status
    }

    /// The last lines that it wrote on its standard error.
    pub fn complaints(&self) -> String {
        let text = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
