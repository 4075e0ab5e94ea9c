//! The soak: three sites under load, one after the other killed and restarted, and an observer that
//! lives throughout. At the end nothing may be lost, doubled or left over.

mod member;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;

use crate::Outcome;
use crate::crew::{Crew, Said, record_to};
use crate::log::{Log, judge};
use crate::ports;
pub use member::{MemberOptions, member};

/// The sites that send and are killed; one more observes.
const SENDERS: usize = 3;

/// The observer's place.
const OBSERVER: usize = SENDERS;

/// From then on the observer's memory may not grow by more than a tenth and [`GROWTH_KIB`].
const WARM: Duration = Duration::from_secs(60);
const GROWTH_KIB: u64 = 4096;

/// The longest that any one step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `isis soak` is told.
#[derive(Args)]
pub struct Options {
    /// How long the load lasts
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Seconds between kills
    #[arg(long, default_value_t = 20.0)]
    kill_every: f64,
    /// Broadcasts per second that each of the three sites offers: while one of them is dead, the
    /// other two offer two thirds of the whole
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// The folder for the sites' histories, for `isis audit`
    #[arg(long)]
    record: Option<PathBuf>,
}

/// Runs it. Whether all is as promised.
pub fn run(options: &Options) -> Outcome<bool> {
    let mut soak = Soak::start(options)?;
    let outcome = soak.play(options);
    outcome.map_err(|e| format!("{e}{}", soak.crew.all_complaints()).into())
}

struct Soak {
    crew: Crew,
    configurations: Vec<String>,
    rate: u32,
    record: Option<PathBuf>,
    /// By place in the crew.
    logs: Vec<Log>,
    /// The place of each site's present incarnation.
    present: Vec<usize>,
    /// Those that are meant to end.
    killed: Vec<usize>,
    /// KiB of the observer's memory, first once it is [`WARM`].
    resident: Vec<u64>,
}

impl Soak {
    fn start(options: &Options) -> Outcome<Soak> {
        let name = format!("isis-soak-{}", std::process::id());
        let addresses = ports::free_addresses(SENDERS + 1)?;
        let mut soak = Soak {
            crew: Crew::new(std::env::temp_dir().join(&name)),
            configurations: ports::configurations(&addresses, &name, ""),
            rate: options.rate,
            record: options.record.clone(),
            logs: Vec::new(),
            present: Vec::new(),
            killed: Vec::new(),
            resident: Vec::new(),
        };
        for site in 0..=SENDERS {
            let place = soak.start_site(site)?;
            soak.present.push(place);
        }
        Ok(soak)
    }

    fn start_site(&mut self, site: usize) -> Outcome<usize> {
        let mut command = Command::new(std::env::current_exe()?);
        record_to(&mut command, self.record.as_deref());
        command
            .arg("soak-member")
            .arg(&self.configurations[site])
            .arg(self.rate.to_string());
        self.logs.push(Log::default());
        self.crew.start(&mut command)
    }

    fn play(&mut self, options: &Options) -> Outcome<bool> {
        self.until("all sites in one view", |soak| soak.all_see_all())?;
        let resting = self.idle()?;
        let begin = Instant::now();
        for site in 0..SENDERS {
            self.crew.tell(self.present[site], "start")?;
        }
        let end = begin + Duration::from_secs_f64(options.minutes * 60.0);
        let every = Duration::from_secs_f64(options.kill_every);
        let mut next_kill = begin + every;
        for site in (0..SENDERS).cycle() {
            self.listen_until(next_kill.min(end))?;
            if next_kill + PATIENCE.min(every) > end {
                break;
            }
            self.replace(site)?;
            next_kill += every;
            if begin.elapsed() >= WARM {
                self.weigh_observer()?;
            }
        }
        self.listen_until(end)?;
        self.weigh_observer()?;
        self.stop()?;
        let seconds = begin.elapsed().as_secs_f64();
        let rested = self.idle()?;
        self.report()?;
        let at_rest = left_over(&resting, &rested);
        let good = self.finish(seconds, at_rest);
        self.close()?;
        Ok(good)
    }

    /// Ends the sites in good order, so that their histories say that they lived to the end.
    fn close(&mut self) -> Outcome<()> {
        for place in self.present.clone() {
            self.killed.push(place);
            self.crew.tell(place, "quit")?;
        }
        for place in self.present.clone() {
            self.crew.wait(place)?;
        }
        Ok(())
    }

    fn all_see_all(&self) -> bool {
        let names: Option<Vec<&String>> = self.places().map(|p| self.logs[p].me.as_ref()).collect();
        names.is_some_and(|names| {
            self.places().all(|place| {
                let members = self.logs[place].members();
                members.len() == names.len() && names.iter().all(|name| members.contains(name))
            })
        })
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        self.present.iter().copied()
    }

    /// Kills a site, waits for the others' view, starts it again.
    fn replace(&mut self, site: usize) -> Outcome<()> {
        let place = self.present[site];
        let name = self.logs[place].me.clone().unwrap_or_default();
        self.killed.push(place);
        let killed = Instant::now();
        self.crew.kill(place)?;
        self.until("a view without the killed site", |soak| {
            let mut others = soak.places().filter(|other| *other != place);
            others.all(|other| !soak.logs[other].members().contains(&name))
        })?;
        let failover = killed.elapsed();
        self.present[site] = self.start_site(site)?;
        self.until("all sites in one view", |soak| soak.all_see_all())?;
        self.crew.tell(self.present[site], "start")?;
        println!(
            "site {} killed: out of the view after {:.0} ms, back after {:.0} ms",
            site + 1,
            failover.as_secs_f64() * 1e3,
            killed.elapsed().as_secs_f64() * 1e3
        );
        Ok(())
    }

    fn weigh_observer(&mut self) -> Outcome<()> {
        let place = self.present[OBSERVER];
        let before = self.logs[place].resident.len();
        self.crew.tell(place, "memory")?;
        self.until("the observer's memory", |soak| {
            soak.logs[place].resident.len() > before
        })?;
        self.resident.extend(self.logs[place].resident.last());
        Ok(())
    }

    /// Ends the load, and waits until the observer has everything.
    fn stop(&mut self) -> Outcome<()> {
        for site in 0..SENDERS {
            self.crew.tell(self.present[site], "stop")?;
        }
        self.until("the senders to stop", |soak| {
            (0..SENDERS).all(|site| soak.logs[soak.present[site]].sent.is_some())
        })
    }

    /// One quiet second, then what each site holds.
    fn idle(&mut self) -> Outcome<Vec<BTreeMap<String, u64>>> {
        self.listen_until(Instant::now() + Duration::from_secs(1))?;
        let places: Vec<usize> = self.places().collect();
        let before: Vec<usize> = places
            .iter()
            .map(|place| self.logs[*place].idle.len())
            .collect();
        for place in &places {
            self.crew.tell(*place, "idle")?;
        }
        self.until("everybody's idle counts", |soak| {
            places
                .iter()
                .zip(&before)
                .all(|(place, n)| soak.logs[*place].idle.len() > *n)
        })?;
        Ok(places
            .iter()
            .filter_map(|place| self.logs[*place].idle.last().cloned())
            .collect())
    }

    fn report(&mut self) -> Outcome<()> {
        for place in self.present.clone() {
            self.crew.tell(place, "report")?;
        }
        self.until("the reports", |soak| {
            soak.places().all(|place| soak.logs[place].reports > 0)
        })
    }

    fn finish(&self, seconds: f64, left_over: Vec<String>) -> bool {
        let observer = &self.logs[self.present[OBSERVER]];
        let verdict = judge(&self.logs, observer);
        let memory = Memory::of(&self.resident);
        let delivered: u64 = observer.from.values().map(|received| received.count).sum();
        for line in &left_over {
            println!("not at rest: {line}");
        }
        println!(
            "RESULT seconds={seconds:.0} delivered={delivered} per_second={:.0} kills={} views={} \
             lost={} doubled={} views_agree={} deliveries_agree={} at_rest={} \
             resident_kib={}..{} bounded={}",
            delivered as f64 / seconds,
            self.killed.len(),
            observer.views.len(),
            verdict.lost,
            verdict.doubled,
            if verdict.views_differ == 0 {
                "yes"
            } else {
                "no"
            },
            if verdict.deliveries_differ == 0 {
                "yes"
            } else {
                "no"
            },
            if left_over.is_empty() { "yes" } else { "no" },
            memory.warm,
            memory.last,
            if memory.is_bounded() { "yes" } else { "no" },
        );
        verdict == Default::default() && left_over.is_empty() && memory.is_bounded()
    }

    fn listen_until(&mut self, end: Instant) -> Outcome<()> {
        while Instant::now() < end {
            self.listen(end)?;
        }
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl Fn(&Soak) -> bool) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() >= deadline {
                return Err(format!("out of time, waiting for {what}").into());
            }
            self.listen(deadline)?;
        }
        Ok(())
    }

    fn listen(&mut self, deadline: Instant) -> Outcome<()> {
        match self.crew.hear(deadline) {
            Some((place, Said::Line(line))) => self.logs[place].take(&line),
            Some((place, Said::End)) if !self.killed.contains(&place) => {
                return Err(format!("member {} has ended", place + 1).into());
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// KiB of a process under load: as soon as it was warm, and at the end.
struct Memory {
    warm: u64,
    last: u64,
}

impl Memory {
    fn of(weighed: &[u64]) -> Memory {
        let at = |kib: Option<&u64>| kib.copied().unwrap_or_default();
        Memory {
            warm: at(weighed.first()),
            last: at(weighed.last()),
        }
    }

    fn is_bounded(&self) -> bool {
        self.last <= self.warm + self.warm / 10 + GROWTH_KIB
    }
}

/// What sites hold at the end and did not hold before the load.
fn left_over(before: &[BTreeMap<String, u64>], after: &[BTreeMap<String, u64>]) -> Vec<String> {
    let mut lines = Vec::new();
    for (site, (before, after)) in before.iter().zip(after).enumerate() {
        for (name, now) in after
            .iter()
            .filter(|(name, now)| before.get(*name) != Some(now))
        {
            let then = before.get(name).copied().unwrap_or_default();
            lines.push(format!("site {}: {name} was {then}, is {now}", site + 1));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_is_named() {
        let held = |n| vec![BTreeMap::from([(String::from("fds"), n)])];
        assert_eq!(left_over(&held(9), &held(9)), Vec::<String>::new());
        assert_eq!(left_over(&held(9), &held(10)), ["site 1: fds was 9, is 10"]);
    }

    #[test]
    fn growth_beyond_a_tenth_and_some_is_seen() {
        let memory = |last| Memory::of(&[20_000, 90_000, last]);
        assert!(memory(22_000 + GROWTH_KIB).is_bounded());
        assert!(!memory(22_001 + GROWTH_KIB).is_bounded());
    }
}
