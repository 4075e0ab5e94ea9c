//! `isis audit`: do these recorded histories keep what the report promises?

mod files;

use std::path::{Path, PathBuf};

use clap::Args;
use isis_core::audit::history::History;
use isis_core::audit::merge::merge;
use isis_core::audit::properties::{ALL, Property, Violation, first_violation};
use isis_core::audit::read::Recorded;

use crate::Outcome;
#[cfg(test)]
mod tests;

pub use files::histories;

/// What `isis audit` is told.
#[derive(Args)]
pub struct Options {
    /// Recorded histories of all sites of a run, or folders of them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The run had come to rest before its sites were closed: hold what is promised to survivors
    /// against all that were closed in good order
    #[arg(long)]
    at_rest: bool,
}

/// Audits. Whether all properties hold.
pub fn run(options: &Options) -> Outcome<bool> {
    let report = audit(&options.files, options.at_rest)?;
    println!("{report}");
    Ok(report.violation.is_none())
}

/// Audits histories of a run that had come to rest; what does not hold, in words.
pub fn good_at_rest(folder: &Path) -> Outcome<()> {
    let report = audit(&[folder.to_owned()], true)?;
    match report.violation {
        None => Ok(()),
        Some(_) => Err(report.to_string().into()),
    }
}

/// What an audit has found.
struct Report {
    summary: String,
    violation: Option<Violation>,
    at_rest: bool,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.summary)?;
        if let Some(violation) = &self.violation {
            let name = violation.property;
            let property = ALL.iter().find(|p| p.name == name);
            let promise = property.map_or("", |p| p.promise);
            return write!(f, "VIOLATED {name}: {promise}\n{}", violation.text);
        }
        let held = names(|p| self.at_rest || !p.at_rest);
        write!(f, "AUDIT good: {held}")?;
        if !self.at_rest {
            let rest = names(|p| p.at_rest);
            write!(f, "\nnot checked without --at-rest: {rest}")?;
        }
        Ok(())
    }
}

/// The names of properties that can be checked on recorded histories, all of which end.
fn names(wanted: impl Fn(&Property) -> bool) -> String {
    let names: Vec<&str> = ALL
        .iter()
        .filter(|p| p.name != "M9" && wanted(p))
        .map(|p| p.name)
        .collect();
    names.join(" ")
}

/// Audits the histories in these files and folders.
fn audit(files: &[PathBuf], at_rest: bool) -> Outcome<Report> {
    let (histories, mut summary) = histories(files)?;
    summary += &format!("{}\n", census(&histories));
    let trace = merge(histories, at_rest)?;
    let history = History::new(&trace);
    let violation = first_violation(&history, &ALL).err();
    let deliveries: usize = history.broadcasts.iter().map(|b| b.taken.len()).sum();
    summary += &format!(
        "{} processes, {} broadcasts, {deliveries} deliveries\n",
        history.lives.len(),
        history.broadcasts.len()
    );
    Ok(Report {
        summary,
        violation,
        at_rest,
    })
}

fn census(histories: &[Recorded]) -> String {
    let killed = histories.iter().filter(|h| h.end.is_none()).count();
    let torn = histories.iter().filter(|h| h.torn).count();
    let lines: usize = histories.iter().map(|h| h.lines.len()).sum();
    let mut text = format!("{} sites, {lines} lines", histories.len());
    if killed > 0 {
        text += &format!("; {killed} without an end, so killed");
    }
    if torn > 0 {
        text += &format!("; {torn} with a last line cut off, which is left out");
    }
    text
}
