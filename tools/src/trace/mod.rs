//! `isis trace`: recorded histories as a space-time diagram.

mod draw;
mod layout;
mod picture;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use isis_core::audit::merge::merge;
use isis_core::audit::trace::{Trace, What};

use crate::Outcome;
use crate::audit::histories;
use layout::Layout;
use picture::Picture;

/// More events than this nobody can read.
const MOST_EVENTS: usize = 2000;

/// What `isis trace` is told.
#[derive(Args)]
pub struct Options {
    /// Recorded histories of all sites of a run, or folders of them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to draw: an SVG file
    #[arg(short, long)]
    output: PathBuf,
    /// Leave out so many events of applications from the beginning
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// Draw at most so many
    #[arg(long)]
    take: Option<usize>,
}

/// Draws.
pub fn run(options: &Options) -> Outcome<bool> {
    let (histories, remarks) = histories(&options.files)?;
    eprint!("{remarks}");
    let trace = merge(histories, false)?;
    let picture = Picture::of(&cut(trace, options));
    let events = picture.events.len();
    if events > MOST_EVENTS {
        return Err(format!(
            "{events} events; at most {MOST_EVENTS} can be drawn: choose with --skip and --take"
        )
        .into());
    }
    let svg = draw::svg(&picture, &Layout::of(&picture));
    let output = options.output.display();
    fs::write(&options.output, svg).map_err(|e| format!("{output}: {e}"))?;
    println!(
        "{events} events of {} processes in {output}",
        picture.processes.len()
    );
    Ok(true)
}

/// The part that is wanted. What opens a process, or ended one earlier, stays: it says whose lines there
/// are.
fn cut(trace: Trace, options: &Options) -> Trace {
    let mut place = 0;
    let end = options
        .skip
        .saturating_add(options.take.unwrap_or(usize::MAX));
    let mut cut = Trace::default();
    for record in trace.records {
        let opens = matches!(record.what, What::Open(_));
        let ends = matches!(record.what, What::Crash(_) | What::Ended(_));
        if !opens && !ends && record.what.process().is_some() {
            place += 1;
            if place > options.skip && place <= end {
                cut.records.push(record);
            }
        } else if opens || (ends && place < end) {
            cut.records.push(record);
        }
    }
    cut
}
