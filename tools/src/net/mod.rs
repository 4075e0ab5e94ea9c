//! `isis net`: sites in network namespaces, with members in C and in Python, whose links and processes
//! are made to fail. Each scenario has a network of its own, says in one line what it did and measured,
//! and has its recorded histories audited.

mod cluster;
mod sandbox;
mod scenarios;
mod wide_area;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::Outcome;
use crate::audit::good_at_rest;
use crate::crew::{Crew, Said};
use crate::log::judge;
use cluster::Cluster;
use sandbox::Sandbox;
use scenarios::{SCENARIOS, Scenario, Skipped};

/// The most that one scenario may take; what then still runs is ended.
const LONGEST: Duration = Duration::from_secs(200);

/// The members' programs.
#[derive(Args, Clone)]
pub struct Programs {
    /// The member in C
    #[arg(long)]
    c_member: PathBuf,
    /// The interpreter of the member in Python
    #[arg(long)]
    python: PathBuf,
    /// The member in Python
    #[arg(long)]
    python_member: PathBuf,
    /// Whether the odd sites run Python, and not the even ones
    #[arg(long, hide = true)]
    python_first: bool,
    /// Where each scenario leaves its histories and what members wrote on their standard errors
    #[arg(long, default_value = "target/net")]
    folder: PathBuf,
}

impl Programs {
    /// What runs at a site: C and Python in turn.
    fn of(&self, site: usize) -> Vec<OsString> {
        match (site % 2 == 1) == self.python_first {
            true => vec![
                self.python.clone().into(),
                self.python_member.clone().into(),
            ],
            false => vec![self.c_member.clone().into()],
        }
    }
}

/// What `isis net` is told.
#[derive(Args)]
pub struct Options {
    /// The scenarios to run; all, if none is named
    scenario: Vec<String>,
    #[command(flatten)]
    programs: Programs,
    /// How many run beside each other
    #[arg(long, default_value_t = 4)]
    jobs: usize,
}

/// What a scenario's own process is told.
#[derive(Args)]
pub struct ScenarioOptions {
    /// Its name
    scenario: String,
    #[command(flatten)]
    programs: Programs,
}

/// Runs the scenarios. Whether all passed.
pub fn run(options: &Options) -> Outcome<bool> {
    let mut names: BTreeSet<&str> = options.scenario.iter().map(String::as_str).collect();
    let all = names.is_empty();
    let chosen: Vec<usize> = (0..SCENARIOS.len())
        .filter(|i| names.remove(SCENARIOS[*i].name) || all)
        .collect();
    if let Some(unknown) = names.first() {
        let known: Vec<&str> = SCENARIOS.iter().map(|s| s.name).collect();
        return Err(format!("no scenario {unknown}; there are {}", known.join(", ")).into());
    }
    if let Some(why) = sandbox::lacking() {
        println!("SKIPPED all scenarios on networks: {why}");
        return Ok(conclude(0, 0, chosen.len()));
    }
    std::fs::create_dir_all(&options.programs.folder)?;
    let mut runner = Runner {
        crew: Crew::new(options.programs.folder.join("scenario")),
        running: BTreeMap::new(),
        passed: 0,
        failed: 0,
        skipped: 0,
        programs: options.programs.clone(),
    };
    // First those that may share the machine.
    let (alone, shared): (Vec<usize>, Vec<usize>) =
        chosen.into_iter().partition(|i| SCENARIOS[*i].alone);
    runner.run(shared, options.jobs)?;
    runner.run(alone, 1)?;
    Ok(conclude(runner.passed, runner.failed, runner.skipped))
}

/// The last line. Whether all is well: in continuous integration what was skipped has failed.
fn conclude(passed: usize, failed: usize, skipped: usize) -> bool {
    let counts = std::env::var_os("CI").is_some_and(|v| v == "true");
    let failed = failed + if counts { skipped } else { 0 };
    println!("{passed} passed, {failed} failed");
    failed == 0
}

/// Scenarios as processes of their own.
struct Runner {
    crew: Crew,
    /// By place in the crew: which, since when, what it said.
    running: BTreeMap<usize, (usize, Instant, Option<String>)>,
    passed: usize,
    failed: usize,
    skipped: usize,
    programs: Programs,
}

impl Runner {
    fn run(&mut self, scenarios: Vec<usize>, jobs: usize) -> Outcome<()> {
        let mut waiting = scenarios.into_iter();
        loop {
            while self.running.len() < jobs.max(1) {
                match waiting.next() {
                    Some(scenario) => self.start(scenario)?,
                    None if self.running.is_empty() => return Ok(()),
                    None => break,
                }
            }
            self.listen()?;
        }
    }

    fn start(&mut self, scenario: usize) -> Outcome<()> {
        let mut command = sandbox::unshared(&std::env::current_exe()?);
        let programs = &self.programs;
        command.arg("net-scenario").arg(SCENARIOS[scenario].name);
        command.arg("--c-member").arg(&programs.c_member);
        command.arg("--python").arg(&programs.python);
        command.arg("--python-member").arg(&programs.python_member);
        command.arg("--folder").arg(&programs.folder);
        if programs.python_first != (scenario % 2 == 1) {
            command.arg("--python-first");
        }
        let place = self.crew.start(&mut command)?;
        self.running.insert(place, (scenario, Instant::now(), None));
        Ok(())
    }

    fn listen(&mut self) -> Outcome<()> {
        let begins = self.running.values().map(|(_, begin, _)| *begin);
        let deadline = begins.min().unwrap_or_else(Instant::now) + LONGEST;
        match self.crew.hear(deadline) {
            Some((place, Said::Line(line))) => {
                if let Some((_, _, said)) = self.running.get_mut(&place) {
                    let text = said.get_or_insert_default();
                    *text = [text, line.as_str()].join(if text.is_empty() { "" } else { "\n" });
                }
            }
            Some((place, Said::End)) => self.finish(place)?,
            None => {
                let late: Vec<usize> = self.running.keys().copied().collect();
                for place in late {
                    if self.running[&place].1.elapsed() >= LONGEST {
                        self.crew.kill(place)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, place: usize) -> Outcome<()> {
        let good = self.crew.wait(place)?.success();
        let Some((scenario, begin, said)) = self.running.remove(&place) else {
            return Ok(());
        };
        let name = SCENARIOS[scenario].name;
        let text =
            said.unwrap_or_else(|| format!("ended without a word{}", self.crew.complaints(place)));
        let skipped = text.strip_prefix("SKIPPED ");
        match (good, skipped) {
            (true, Some(why)) => {
                self.skipped += 1;
                println!("SKIPPED {name}: {why}");
            }
            (true, None) => {
                self.passed += 1;
                println!("{name:19} {text} ({:.0} s)", begin.elapsed().as_secs_f64());
            }
            (false, _) => {
                self.failed += 1;
                println!("{name:19} FAILED: {text}");
            }
        }
        Ok(())
    }
}

/// Plays one scenario, in the namespaces of this process. Whether all is as promised.
pub fn play(options: &ScenarioOptions) -> Outcome<bool> {
    end_with_the_starter();
    let of_name = |scenario: &&Scenario| scenario.name == options.scenario;
    let scenario = SCENARIOS.iter().find(of_name).ok_or("no such scenario")?;
    let folder = std::path::absolute(options.programs.folder.join(scenario.name))?;
    clear(&folder)?;
    let net = Sandbox::new(scenario.shape.sites + 1)?;
    let mut cluster = Cluster::new(net, folder, options.programs.clone(), scenario.shape);
    match tell(scenario, &mut cluster) {
        Ok(text) => println!("{text}"),
        Err(error) if error.is::<Skipped>() => println!("SKIPPED {error}"),
        Err(error) => {
            println!("{error}\n{}", cluster.all_complaints());
            return Ok(false);
        }
    }
    Ok(true)
}

/// What it did and measured.
fn tell(scenario: &Scenario, cluster: &mut Cluster) -> Outcome<String> {
    let did = (scenario.play)(cluster)?;
    cluster.settle()?;
    let observer = cluster.observer().ok_or("nobody reported")?;
    let verdict = judge(cluster.group_logs(), observer);
    let delivered: u64 = observer.from.values().map(|received| received.count).sum();
    if verdict != Default::default() {
        return Err(format!("{did}: {verdict:?}").into());
    }
    good_at_rest(&cluster.histories()).map_err(|e| format!("{did}; but {e}"))?;
    Ok(format!(
        "{did}; {delivered} delivered, lost {}, duplicated {}, audit good",
        verdict.lost, verdict.doubled
    ))
}

fn clear(folder: &Path) -> Outcome<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    Ok(std::fs::create_dir_all(folder)?)
}

/// The first process of a process namespace gets no SIGINT from a terminal; but its standard input ends
/// with the command that started it. With this process all others of the namespace end.
fn end_with_the_starter() {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        // Whatever ends it, nobody is there any more.
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(1);
    });
}
