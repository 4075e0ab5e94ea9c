//! The members of a scenario: started, told, listened to, made to fail.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Programs;
use super::sandbox::{self, Sandbox};
use crate::Outcome;
use crate::clock::monotonic_ns;
use crate::crew::{Crew, Said, record_to};
use crate::log::Log;
use crate::ports;

/// The longest that anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(40);

/// How a scenario's members are to be.
#[derive(Clone, Copy)]
pub struct Shape {
    /// How many sites.
    pub sites: usize,
    /// Whether each has a store.
    pub stores: bool,
    /// More words for each configuration.
    pub more: &'static str,
    /// Whether sites reach each other through the bridge's addresses, where something stands between.
    pub bridged: bool,
}

impl Shape {
    /// Five sites, as they are by default.
    pub const FIVE: Shape = Shape {
        sites: 5,
        stores: false,
        more: "",
        bridged: false,
    };
}

/// The members; sites are counted from 1.
pub struct Cluster {
    /// Their network.
    pub net: Sandbox,
    /// The scenario's folder.
    pub folder: PathBuf,
    /// What each incarnation said, in the order of their starts.
    pub logs: Vec<Log>,
    crew: Crew,
    programs: Programs,
    shape: Shape,
    configurations: Vec<String>,
    /// The place in the crew of the program that runs at a site, if one does.
    present: Vec<Option<usize>>,
    /// The log that a program's lines go to now, by place.
    writes: Vec<usize>,
    /// Programs that are meant to end, or may.
    ending: BTreeSet<usize>,
    /// The log with which the present group begins.
    begin: usize,
}

impl Cluster {
    /// Nobody yet.
    pub fn new(net: Sandbox, folder: PathBuf, programs: Programs, shape: Shape) -> Cluster {
        let configurations = configurations(&shape, &folder);
        Cluster {
            crew: Crew::new(folder.join("member")),
            present: vec![None; net.sites() + 1],
            net,
            folder,
            logs: Vec::new(),
            programs,
            shape,
            configurations,
            writes: Vec::new(),
            ending: BTreeSet::new(),
            begin: 0,
        }
    }

    // --- starting and telling ---

    /// All sites, in one view of the group, which those of `first` have founded.
    pub fn form(&mut self, first: &[usize]) -> Outcome<()> {
        let all: Vec<usize> = (1..=self.shape.sites).collect();
        self.start_all(&all)?;
        self.until("the first site view", |c| {
            all.iter().all(|s| !c.log(*s).site_views.is_empty())
        })?;
        for site in first {
            self.tell(*site, "join")?;
            self.until("the founder to be in", |c| c.log(*site).views.len() == 1)?;
        }
        for site in all.iter().filter(|s| !first.contains(s)) {
            self.tell(*site, "join")?;
        }
        self.whole()
    }

    /// Starts these.
    pub fn start_all(&mut self, sites: &[usize]) -> Outcome<()> {
        sites.iter().try_for_each(|site| self.start(*site))
    }

    /// Starts a site's program.
    pub fn start(&mut self, site: usize) -> Outcome<()> {
        self.start_with(site, &[])
    }

    /// Starts it by a command such as `env`.
    pub fn start_with(&mut self, site: usize, wrapper: &[String]) -> Outcome<()> {
        let configuration = self.configurations[site - 1].clone();
        let place = self.launch(site, wrapper, &configuration)?;
        self.present[site] = Some(place);
        Ok(())
    }

    /// Starts a program in a site's namespace that is none of the sites; its place.
    pub fn start_stranger(&mut self, site: usize, configuration: &str) -> Outcome<usize> {
        let place = self.launch(site, &[], configuration)?;
        self.ending.insert(place);
        Ok(place)
    }

    fn launch(&mut self, site: usize, wrapper: &[String], configuration: &str) -> Outcome<usize> {
        let mut command = self.net.command(site);
        command.args(wrapper).args(self.programs.of(site));
        record_to(&mut command, Some(&self.histories()));
        let place = self.crew.start(command.arg(configuration))?;
        self.writes.push(self.logs.len());
        self.logs.push(Log::default());
        Ok(place)
    }

    /// Where the histories are.
    pub fn histories(&self) -> PathBuf {
        self.folder.join("histories")
    }

    /// Starts a killed site's program again, which joins, offers a load, and is in.
    pub fn restart(&mut self, site: usize, load: &str) -> Outcome<()> {
        self.start(site)?;
        self.enter(&[site], load)
    }

    /// Has these join and offer a load.
    pub fn enter(&mut self, sites: &[usize], load: &str) -> Outcome<()> {
        for site in sites {
            self.tell(*site, "join")?;
            self.tell(*site, load)?;
        }
        self.whole()
    }

    /// Tells a site's program something.
    pub fn tell(&mut self, site: usize, line: &str) -> Outcome<()> {
        let place = self.place(site);
        self.crew.tell(place, line)
    }

    /// Tells it to all that run.
    pub fn tell_all(&mut self, line: &str) -> Outcome<()> {
        self.sites()
            .into_iter()
            .try_for_each(|s| self.tell(s, line))
    }

    /// All have failed: what comes is another group.
    pub fn begins_anew(&mut self) {
        self.begin = self.logs.len();
    }

    // --- faults ---

    /// SIGKILL.
    pub fn kill(&mut self, site: usize) -> Outcome<()> {
        let place = self.place(site);
        self.ending.insert(place);
        self.present[site] = None;
        self.crew.kill(place)
    }

    /// From now on a site's program may end by itself, and counts no more.
    pub fn give_up(&mut self, site: usize) -> usize {
        let place = self.place(site);
        self.ending.insert(place);
        self.present[site] = None;
        place
    }

    /// Whether a program has ended.
    pub fn ended(&self, place: usize) -> bool {
        self.crew.ended(place)
    }

    /// The last lines of a program's standard error.
    pub fn complaints(&self, place: usize) -> String {
        self.crew.complaints(place)
    }

    /// Ends a stranger.
    pub fn dismiss(&mut self, place: usize) -> Outcome<()> {
        self.crew.kill(place)
    }

    /// SIGSTOP, SIGCONT.
    pub fn signal(&self, site: usize, signal: Signal) -> Outcome<()> {
        self.crew.signal(self.place(site), signal)
    }

    // --- what is known ---

    /// The sites whose programs run.
    pub fn sites(&self) -> Vec<usize> {
        let runs = |site: &usize| self.present[*site].is_some();
        (1..self.present.len()).filter(runs).collect()
    }

    /// The sites whose programs run, but for these.
    pub fn others(&self, without: &[usize]) -> Vec<usize> {
        let mut sites = self.sites();
        sites.retain(|site| !without.contains(site));
        sites
    }

    fn place(&self, site: usize) -> usize {
        self.present[site].expect("the scenario asks of sites that run")
    }

    /// What the present incarnation of a site said.
    pub fn log(&self, site: usize) -> &Log {
        self.log_of(self.place(site))
    }

    /// What a program's present incarnation said.
    pub fn log_of(&self, place: usize) -> &Log {
        &self.logs[self.writes[place]]
    }

    /// The present incarnation of a site; empty before it has opened.
    pub fn name(&self, site: usize) -> String {
        self.log(site).me.clone().unwrap_or_default()
    }

    /// The names of these.
    pub fn names(&self, sites: &[usize]) -> Vec<String> {
        sites.iter().map(|site| self.name(*site)).collect()
    }

    /// What the members of the present group said.
    pub fn group_logs(&self) -> &[Log] {
        &self.logs[self.begin..]
    }

    /// Of the members that reported, the one that came first.
    pub fn observer(&self) -> Option<&Log> {
        let reported = self.group_logs().iter().filter(|log| log.reports > 0);
        reported.min_by_key(|log| log.views.keys().next().copied())
    }

    /// A site that has stopped is to say anew what it has sent.
    pub fn forget_sent(&mut self, site: usize) {
        let log = self.writes[self.place(site)];
        self.logs[log].sent = None;
    }

    /// How many incarnations were excluded.
    pub fn exclusions(&self) -> usize {
        self.logs
            .iter()
            .filter(|log| log.excluded.is_some())
            .count()
    }

    /// The highest number of a group view that anybody saw.
    pub fn last_view(&self) -> u64 {
        let last = |log: &Log| log.views.keys().next_back().copied();
        self.logs.iter().filter_map(last).max().unwrap_or_default()
    }

    // --- waiting ---

    /// All that run are in one view of the group, and nobody else.
    pub fn whole(&mut self) -> Outcome<()> {
        self.until("all members in one view", |cluster| {
            let sites = cluster.sites();
            let mut names = cluster.names(&sites);
            names.sort();
            !names.iter().any(String::is_empty)
                && sites.iter().all(|site| {
                    let mut members = cluster.log(*site).members().to_vec();
                    members.sort();
                    members == names
                })
        })
    }

    /// These have a view of the group without those. How long that took since then, and what they had
    /// in flight.
    pub fn without(&mut self, sites: &[usize], gone: &[String], since: u64) -> Outcome<Change> {
        let sees = |cluster: &Cluster, site: usize| {
            let views = cluster.log(site).views.values();
            let mut without = views
                .filter(|view| view.at >= since && !gone.iter().any(|g| view.members.contains(g)));
            without.next().map(|view| (view.at, view.in_flight))
        };
        let what = format!("a view of {sites:?} without {}", gone.join(", "));
        self.until(&what, |cluster| {
            sites.iter().all(|site| sees(cluster, *site).is_some())
        })?;
        let seen: Vec<(u64, u64)> = sites.iter().filter_map(|s| sees(self, *s)).collect();
        let at = seen.iter().map(|(at, _)| *at).max().unwrap_or(since);
        Ok(Change {
            after: Duration::from_nanos(at - since),
            in_flight: seen.iter().map(|(_, n)| n).sum(),
        })
    }

    /// Goes on for so long.
    pub fn pass(&mut self, time: Duration) -> Outcome<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.listen(end)?;
        }
        Ok(())
    }

    /// Waits for something that must come.
    pub fn until(&mut self, what: &str, done: impl Fn(&Cluster) -> bool) -> Outcome<()> {
        match self.until_or(PATIENCE, done)? {
            true => Ok(()),
            false => Err(format!("out of time, waiting for {what}").into()),
        }
    }

    /// Waits for something that may come; whether it did.
    pub fn until_or(
        &mut self,
        patience: Duration,
        done: impl Fn(&Cluster) -> bool,
    ) -> Outcome<bool> {
        let deadline = Instant::now() + patience;
        while !done(self) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.listen(deadline)?;
        }
        Ok(true)
    }

    fn listen(&mut self, deadline: Instant) -> Outcome<()> {
        match self.crew.hear(deadline) {
            Some((place, Said::Line(line))) => self.note(place, &line),
            Some((place, Said::End)) if !self.ending.contains(&place) => {
                return Err(format!("member {place} has ended").into());
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// A program that opens again is another incarnation, with a log of its own.
    fn note(&mut self, place: usize, line: &str) {
        if line.starts_with("open ") && self.log_of(place).me.is_some() {
            self.writes[place] = self.logs.len();
            self.logs.push(Log::default());
        }
        self.logs[self.writes[place]].take(line);
    }

    // --- the end ---

    /// Ends the load, waits until everybody has everything, and what has left its windows, and ends
    /// the sites in good order.
    pub fn settle(&mut self) -> Outcome<()> {
        self.whole()?;
        // Some load for those that came last.
        self.pass(Duration::from_secs(1))?;
        self.tell_all("stop")?;
        self.until("the senders to stop", |c| {
            c.sites().iter().all(|site| c.log(*site).sent.is_some())
        })?;
        let deadline = Instant::now() + PATIENCE;
        while !self.reports_rest()? {
            if Instant::now() >= deadline {
                return Err("out of time, waiting for everybody to have everything".into());
            }
        }
        // Once more, for those that took the last broadcast after they had reported.
        self.reports_rest()?;
        let places: Vec<usize> = self.present.iter().flatten().copied().collect();
        self.ending.extend(&places);
        self.tell_all("quit")?;
        for place in places {
            self.until("the members to end", |c| c.ended(place))?;
            self.crew.wait(place)?;
        }
        Ok(())
    }

    /// Asks all what they were delivered; whether nothing is in flight. (A GBCAST is for its sender as
    /// soon as that has taken it, so it takes a look at the others too.)
    fn reports_rest(&mut self) -> Outcome<bool> {
        let sites = self.sites();
        let asked: Vec<usize> = sites.iter().map(|s| self.log(*s).reports).collect();
        self.tell_all("report")?;
        self.until("the reports", |c| {
            let mut both = sites.iter().zip(&asked);
            both.all(|(site, before)| c.log(*site).reports > *before)
        })?;
        let logs: Vec<&Log> = sites.iter().map(|site| self.log(*site)).collect();
        let waits = |log: &&Log| log.in_flight > 0 || logs.iter().any(|sender| log.awaits(sender));
        Ok(!logs.iter().any(waits))
    }

    /// The last lines of everybody's standard error.
    pub fn all_complaints(&self) -> String {
        self.crew.all_complaints()
    }
}

/// A change of view as the scenario saw it.
#[derive(Clone, Copy)]
pub struct Change {
    /// From the fault to the last member's view.
    pub after: Duration,
    /// What those members had sent then and somebody had not taken.
    pub in_flight: u64,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.after.as_secs_f64();
        write!(
            f,
            "new view after {seconds:.2} s, {} in flight",
            self.in_flight
        )
    }
}

/// Now, as members say it.
pub fn now() -> u64 {
    monotonic_ns()
}

/// Time since then, in words.
pub fn since(then: u64) -> String {
    format!("{:.2} s", monotonic_ns().saturating_sub(then) as f64 / 1e9)
}

fn configurations(shape: &Shape, folder: &std::path::Path) -> Vec<String> {
    let sites = 1..=shape.sites;
    let reached = |site| match shape.bridged {
        true => sandbox::bridge_address(site),
        false => sandbox::address(site),
    };
    let addresses: Vec<String> = sites.clone().map(reached).collect();
    let more = format!("insecure=yes {}", shape.more);
    let mut texts = ports::configurations(&addresses, "net", more.trim());
    for (site, text) in sites.zip(&mut texts) {
        if shape.bridged {
            let (reached, own) = (reached(site), sandbox::address(site));
            *text = text.replacen(
                &format!("listen={reached}"),
                &format!("listen={own} advertise={reached}"),
                1,
            );
        }
        if shape.stores {
            let store = folder.join(format!("store-{site}"));
            *text += &format!(" store={}", store.display());
        }
    }
    texts
}
