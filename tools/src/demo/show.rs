//! What the user sees: a bar on a terminal, plain lines elsewhere, a table at the end.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::cast::Cast;
use super::record::Record;
use super::text::Text;

/// How often a plain line tells how far it is.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);

/// Progress towards the last line.
pub struct Show {
    bar: Option<ProgressBar>,
    lines: u64,
    words: u64,
    told: Instant,
}

impl Show {
    /// For this text.
    pub fn new(text: &Text) -> Show {
        let (lines, words) = (text.lines().len() as u64, text.words().len() as u64);
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = "{bar:40} {percent:>3} % of lines and words at all survivors, {elapsed}";
            let style = ProgressStyle::with_template(style).expect("a literal");
            ProgressBar::new(lines + words).with_style(style)
        });
        let show = Show {
            bar,
            lines,
            words,
            told: Instant::now(),
        };
        show.say(&format!(
            "{lines} lines by BCAST, {words} words by OBCAST, three sites"
        ));
        show
    }

    /// Tells of an event.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    /// Tells how far the slower survivor is.
    pub fn progress(&mut self, records: &[Record]) {
        let delivered = records[1..records.len().min(3)]
            .iter()
            .map(|record| record.delivered);
        let (lines, words) = delivered.min().unwrap_or_default();
        match &self.bar {
            Some(bar) => bar.set_position(lines + words),
            None if self.told.elapsed() >= PLAIN_INTERVAL => {
                self.told = Instant::now();
                println!(
                    "{lines} of {} lines, {words} of {} words",
                    self.lines, self.words
                );
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// One row per site: the members that are there at the end, in the order of their sites.
pub fn table(cast: &Cast, records: &[Record]) {
    println!(
        "{:<5}{:<8}{:>20}{:>6}{:>7}{:>8}{:>9}  {:<16}  {:<16}  {:<16}  {:<16}",
        "site",
        "program",
        "incarnation",
        "site",
        "group",
        "BCASTs",
        "OBCASTs",
        "queue",
        "tally",
        "queue, rejoined",
        "tally, rejoined"
    );
    println!("{:<33}{:>6}{:>7}", "", "views", "views");
    for (place, record) in [(3, &records[3]), (1, &records[1]), (2, &records[2])] {
        let digests = record.digests.unwrap_or_default();
        println!(
            "{:<5}{:<8}{:>20}{:>6}{:>7}{:>8}{:>9}  {:016x}  {:016x}  {:016x}  {:016x}",
            record.site,
            cast.program(place),
            record.incarnation,
            record.site_views.len(),
            record.views.len(),
            record.queue.len(),
            record.words.len(),
            digests.queue,
            digests.tally,
            digests.queue_since,
            digests.tally_since,
        );
    }
}

/// Every member's views, for a run that did not end well.
pub fn views(cast: &Cast, records: &[Record]) {
    for (place, record) in records.iter().enumerate() {
        eprintln!("site {} ({}):", record.site, cast.program(place));
        for (kind, views) in [
            ("site view", &record.site_views),
            ("group view", &record.views),
        ] {
            for (number, view) in views {
                eprintln!(
                    "    {kind} {number}: {} at {}",
                    view.members.join(" "),
                    view.at
                );
            }
        }
    }
}
