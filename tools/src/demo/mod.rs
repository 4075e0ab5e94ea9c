//! The demonstration: three programs, one in C and two in Python, replicate a text as one group.
//! The one whose site is the view manager is killed while it still has lines to send, and comes back
//! as a new incarnation. Then everybody's replicas are compared.
//!
//! The members are ordinary programs that know nothing of this one but the lines that they print and
//! the words `report` and `quit` on their standard input.

mod cast;
mod digest;
mod record;
mod show;
mod stage;
mod text;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::Outcome;
use cast::Cast;
use record::Record;
use show::Show;
use stage::Stage;
use text::Text;

/// Fewer lines are sent before the kill could be aimed at.
const LEAST_LINES: usize = 20_000;

/// Which program's site is the oldest, and is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Victim {
    /// The one in C.
    C,
    /// One in Python.
    Python,
}

/// What `isis demo` is told.
#[derive(Args)]
pub struct Options {
    /// Which program is the view manager and dies
    #[arg(long, value_enum, default_value = "c")]
    victim: Victim,
    /// The text to send; repeated if it has fewer than 20,000 lines
    #[arg(long)]
    file: PathBuf,
    /// The member in C
    #[arg(long)]
    c_member: PathBuf,
    /// The member in Python
    #[arg(long)]
    python_member: PathBuf,
    /// The Python that has isis installed
    #[arg(long)]
    python: PathBuf,
    /// The folder for the members' histories, for `isis audit`
    #[arg(long)]
    record: Option<PathBuf>,
    /// The longest that the run may take, in seconds
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

/// Runs it. Whether all is as promised.
pub fn run(options: &Options) -> Outcome<bool> {
    let bytes = std::fs::read(&options.file)
        .map_err(|e| format!("cannot read {}: {e}", options.file.display()))?;
    let given = Text::new(&bytes);
    if given.lines().is_empty() {
        return Err(format!("{} has no lines", options.file.display()).into());
    }
    let text = given.repeated(LEAST_LINES);
    let cast = Cast::new(options, &text)?;
    let deadline = Instant::now() + Duration::from_secs(options.timeout);
    let outcome = Stage::new(&cast, Show::new(&text), deadline).and_then(|mut stage| {
        let played = stage.play();
        played.map_err(|e| format!("{e}\n{}", stage.state_of_things()).into())
    });
    match outcome {
        Ok(run) => Ok(finish(&cast, &text, &run)),
        Err(error) => Err(format!(
            "{error}\nthe members' files are in {}",
            cast.folder().display()
        )
        .into()),
    }
}

/// A run that came to its end.
struct Played {
    /// First incarnations by place, then the restarted one.
    records: Vec<Record>,
    /// From the kill to the later survivor's view callback.
    failover: Duration,
}

fn finish(cast: &Cast, text: &Text, run: &Played) -> bool {
    let (killed, survivors) = (&run.records[0], [&run.records[1], &run.records[2]]);
    let restarted = &run.records[3];
    let verdict = verdict::judge(text, &survivors, restarted, killed);
    show::table(cast, &run.records);
    println!(
        "RESULT sites=3 lines={} killed={} failover_ms={:.1} {verdict}",
        text.lines().len(),
        killed.site,
        run.failover.as_secs_f64() * 1000.0,
    );
    if verdict.good() {
        cast.clean_up();
    } else {
        show::views(cast, &run.records);
        eprintln!("the members' files are in {}", cast.folder().display());
    }
    verdict.good()
}
