//! The measurement: three programs on loopback, through the C interface, everything delivered at
//! every member.

mod figures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;

use crate::Outcome;
use crate::clock::monotonic_ns;
use crate::crew::{Crew, Said};
use crate::fields::Fields;
use crate::ports;
use figures::Figures;

const SITES: usize = 3;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent in the throughput measurements: kind and payload size.
const LOADS: [(&str, &str, usize); 5] = [
    ("BCAST", "b", 64),
    ("BCAST", "b", 1024),
    ("safe BCAST", "s", 64),
    ("OBCAST", "o", 64),
    ("OBCAST", "o", 1024),
];

/// What `isis bench` is told.
#[derive(Args)]
pub struct Options {
    /// The member program
    #[arg(long)]
    member: PathBuf,
    /// How many times everything is measured
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How long each throughput measurement sends, in milliseconds
    #[arg(long, default_value_t = 2000)]
    milliseconds: u64,
    /// How many broadcasts the latency is taken from
    #[arg(long, default_value_t = 2000)]
    samples: u64,
}

/// Measures and prints.
pub fn run(options: &Options) -> Outcome<bool> {
    let mut figures = Figures::default();
    for run in 1..=options.runs {
        println!("run {run} of {}", options.runs);
        let mut members = Members::start(&options.member)?;
        for (name, kind, size) in LOADS {
            let rate = members.throughput(kind, size, options.milliseconds)?;
            figures.add(&format!("{name} {size} B"), rate, "messages/s");
        }
        for (name, kind) in [("BCAST", "b"), ("safe BCAST", "s")] {
            let (p50, p99) = members.latency(kind, options.samples)?;
            let name = format!("{name} 64 B, send to own delivery");
            figures.add(&format!("{name}, p50"), p50, "us");
            figures.add(&format!("{name}, p99"), p99, "us");
        }
        figures.add(
            "kill of the view manager to the later survivor's view",
            members.failover()?,
            "ms",
        );
    }
    println!(
        "\nthree sites on loopback, all three send, delivered at every member; median (least to most)"
    );
    print!("{figures}");
    Ok(true)
}

/// The decimal values of a line.
type Numbers = BTreeMap<String, u64>;

/// The running members.
struct Members(Crew);

impl Members {
    fn start(member: &Path) -> Outcome<Members> {
        let name = format!("isis-bench-{}", std::process::id());
        let mut crew = Crew::new(std::env::temp_dir().join(&name));
        let addresses = ports::free_addresses(SITES)?;
        for text in ports::configurations(&addresses, &name, "") {
            crew.start(Command::new(member).arg(text).arg(SITES.to_string()))?;
        }
        let mut members = Members(crew);
        let all = (0..SITES).collect::<Vec<_>>();
        members.each("view", &all, |fields| fields["members"] == SITES as u64)?;
        Ok(members)
    }

    /// Messages per second, delivered at the slowest member.
    fn throughput(&mut self, kind: &str, size: usize, milliseconds: u64) -> Outcome<f64> {
        let all = (0..SITES).collect::<Vec<_>>();
        self.tell(&all, &format!("run {kind} {size} {milliseconds}"))?;
        let ran = self.each("ran", &all, |_| true)?;
        let delivered: Vec<u64> = ran.iter().map(|fields| fields["delivered"]).collect();
        if delivered.iter().any(|n| *n != delivered[0]) {
            return Err(format!("the members delivered different numbers: {delivered:?}").into());
        }
        let begin = ran.iter().map(|fields| fields["begin"]).min().unwrap_or(0);
        let end = ran.iter().map(|fields| fields["end"]).max().unwrap_or(0);
        Ok(delivered[0] as f64 * 1e9 / end.saturating_sub(begin).max(1) as f64)
    }

    /// Median and 99th percentile in microseconds, from the second oldest site: neither the view
    /// manager nor the last.
    fn latency(&mut self, kind: &str, samples: u64) -> Outcome<(f64, f64)> {
        self.tell(&[1], &format!("latency {kind} {samples}"))?;
        let fields = self.each("latency", &[1], |_| true)?.remove(0);
        Ok((fields["p50_ns"] as f64 / 1e3, fields["p99_ns"] as f64 / 1e3))
    }

    /// Kills the view manager of an idle group. Milliseconds to the later survivor's view.
    fn failover(&mut self) -> Outcome<f64> {
        let killed = monotonic_ns();
        self.0.kill(0)?;
        let views = self.each("view", &[1, 2], |fields| {
            fields["members"] == SITES as u64 - 1
        })?;
        let later = views
            .iter()
            .map(|fields| fields["at"])
            .max()
            .unwrap_or(killed);
        Ok((later - killed) as f64 / 1e6)
    }

    fn tell(&mut self, places: &[usize], line: &str) -> Outcome<()> {
        for place in places {
            self.0.tell(*place, line)?;
        }
        Ok(())
    }

    /// The fields of the first line of this kind from each of these members that will do.
    fn each(
        &mut self,
        word: &str,
        places: &[usize],
        will_do: impl Fn(&Numbers) -> bool,
    ) -> Outcome<Vec<Numbers>> {
        let deadline = Instant::now() + PATIENCE;
        let mut found: BTreeMap<usize, Numbers> = BTreeMap::new();
        while found.len() < places.len() {
            let Some((place, said)) = self.0.hear(deadline) else {
                let complaints = self.0.all_complaints();
                return Err(format!("out of time, waiting for `{word}`{complaints}").into());
            };
            match said {
                Said::Line(line) => {
                    let line = Fields::of(&line);
                    let numbers = line.numbers();
                    if line.word() == word && places.contains(&place) && will_do(&numbers) {
                        found.insert(place, numbers);
                    }
                }
                Said::End if places.contains(&place) => {
                    let complaints = self.0.all_complaints();
                    return Err(format!("site {} has ended{complaints}", place + 1).into());
                }
                Said::End => {}
            }
        }
        Ok(places
            .iter()
            .filter_map(|place| found.remove(place))
            .collect())
    }
}
