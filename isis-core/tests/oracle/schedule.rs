//! One random schedule.

mod end;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use isis_core::broadcast::Counts;
use isis_core::config::Config;
use isis_core::delivery::{Endpoint, Event, Label, Limits, Olabel, Outcome};
use isis_core::group::Machine;
use isis_core::ids::{Epoch, GroupId, Incarnation, ProcessId, Site, SiteId, ViewNumber};
use isis_core::machine::broadcast::{Address, Call, Effect, Input, ToEndpoint};
use isis_core::machine::{FromPeer, Lane};
use isis_core::time::Time;
use isis_core::view::{LeftReason, Member, SiteView};

use crate::properties;
use crate::trace::{Delivered, Sent, Trace, What, digest};
use isis_core::sim::Chance;

/// Properties of site views: here they are given.
const GIVEN: [&str; 3] = ["M6", "M7", "M9"];

/// How many microseconds a step takes.
const STEP: u64 = 50;

struct Host {
    machine: Machine,
    /// Views decided and not installed here yet.
    installed: usize,
    excluded: bool,
}

/// What came of a schedule.
pub struct Verdict {
    /// What went wrong.
    pub failure: Option<String>,
    /// What travelled with OBCASTs.
    pub travelled: Counts,
}

pub struct Run {
    pub rng: Chance,
    now: u64,
    trace: Trace,
    hosts: BTreeMap<Site, Host>,
    pub endpoints: BTreeMap<ProcessId, Endpoint>,
    pub groups: BTreeMap<ProcessId, Vec<GroupId>>,
    pub watched: BTreeMap<ProcessId, BTreeSet<GroupId>>,
    /// All groups that anybody has been in.
    pub named: BTreeMap<GroupId, String>,
    pub seen: BTreeMap<ProcessId, Arc<SiteView>>,
    pub flushes: BTreeSet<(ProcessId, u64)>,
    /// Per link: lane, number of arrival, bytes.
    links: BTreeMap<(Site, Site), Vec<(Lane, Bytes)>>,
    views: Vec<SiteView>,
    late: Vec<Site>,
    crashes: u64,
    pub sends: u64,
    pub payloads: u64,
    pub names: u64,
    pub large: bool,
    pub slow_taker: bool,
    /// A link on which things take long, so that others come first.
    slow_link: Option<(Site, Site)>,
    config: Config,
    travelled: Counts,
}

/// Runs a schedule.
pub fn run(seed: u64, verbose: bool) -> Verdict {
    let mut run = Run::new(seed, verbose);
    for _ in 0..20_000 {
        if run.sends == 0 {
            break;
        }
        run.random_step();
    }
    run.quiet();
    let stuck = run.stuck();
    run.trace.live = true;
    if verbose {
        for (at, host) in &run.hosts {
            println!(
                "{at}: {:?}, {:#?}",
                host.machine.gauges(),
                host.machine.pending()
            );
        }
        println!("left over: {stuck:?}");
    }
    let failure = match properties::check(&run.trace) {
        // Whoever acted on both views may have halted before it acted on the first.
        Err(v) if v.text.starts_with("no site acted") => stuck,
        Err(v) if !GIVEN.contains(&v.property) => Some(format!("{}: {}", v.property, v.text)),
        _ => stuck,
    };
    Verdict {
        failure,
        travelled: run.travelled,
    }
}

fn site(id: u32) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(1),
    }
}

/// Small bodies count as large now and then, and patience may end after a few steps.
fn draw_config(rng: &mut Chance) -> Config {
    let mut config = Config::new(SiteId(0));
    config.along_bytes = [0, 16 << 10][rng.index(2)];
    let patience = [STEP, STEP, 4 * STEP, 4 * STEP, 20 * STEP, 100_000];
    config.patience = Duration::from_micros(patience[rng.index(6)]);
    config
}

impl Run {
    fn new(seed: u64, verbose: bool) -> Run {
        let mut rng = Chance::new(seed);
        let n = rng.within(2, 5) as u32;
        let first = rng.within(1, u64::from(n)) as u32;
        let (crashes, sends) = (rng.below(3), rng.within(3, 60));
        let trace = Trace {
            verbose,
            ..Trace::default()
        };
        let mut run = Run {
            now: 1,
            trace,
            hosts: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            groups: BTreeMap::new(),
            watched: BTreeMap::new(),
            named: BTreeMap::new(),
            seen: BTreeMap::new(),
            flushes: BTreeSet::new(),
            links: BTreeMap::new(),
            views: Vec::new(),
            late: (first..n).map(site).collect(),
            crashes: crashes.min(u64::from(n) - 1),
            sends,
            payloads: 0,
            names: rng.within(1, 3),
            large: rng.per_mille(200),
            slow_taker: rng.per_mille(300),
            slow_link: rng
                .per_mille(600)
                .then(|| (site(rng.below(2) as u32), site(2))),
            config: draw_config(&mut rng),
            travelled: Counts::default(),
            rng,
        };
        for id in 0..n {
            let at = site(id);
            run.add(What::Start(at));
            let machine = Machine::new(&run.config, at);
            run.hosts.insert(
                at,
                Host {
                    machine,
                    installed: 0,
                    excluded: false,
                },
            );
            for index in 1..=run.rng.within(1, 2) as u32 {
                run.open(ProcessId { site: at, index });
            }
        }
        run.decide((0..first).map(site).collect());
        run
    }

    pub fn add(&mut self, what: What) {
        self.trace.add(self.now, what);
    }

    fn open(&mut self, id: ProcessId) {
        self.add(What::Open(id));
        self.endpoints
            .insert(id, Endpoint::new(id, Limits::from(&self.config)));
        self.call(
            id,
            Call::Open {
                name: String::new(),
            },
        );
    }

    pub fn call(&mut self, process: ProcessId, call: Call) {
        self.step(
            process.site,
            Input::Call {
                process: process.index,
                call,
            },
        );
    }

    /// The oracle decides the next view.
    fn decide(&mut self, members: Vec<Site>) {
        let old: Vec<Site> = self
            .views
            .last()
            .map(|v| v.sites().collect())
            .unwrap_or_default();
        let out = old.iter().filter(|s| !members.contains(s));
        self.views.push(SiteView {
            epoch: Epoch(1),
            number: ViewNumber(self.views.len() as u64),
            members: members
                .iter()
                .map(|s| Member {
                    site: *s,
                    address: String::new(),
                })
                .collect(),
            joined: members
                .iter()
                .filter(|s| !old.contains(s))
                .copied()
                .collect(),
            left: out.map(|s| (*s, LeftReason::Failed)).collect(),
            founding: vec![SiteId(0)],
            highest: BTreeMap::new(),
        });
    }

    fn step(&mut self, at: Site, input: Input) {
        self.now += 1;
        let mut out = Vec::new();
        let Some(host) = self.hosts.get_mut(&at) else {
            return;
        };
        let before = host.machine.travelled();
        host.machine.handle(Time(self.now * STEP), input, &mut out);
        for (i, n) in host.machine.travelled().into_iter().enumerate() {
            self.travelled[i] += n - before[i];
        }
        for effect in out {
            match effect {
                Effect::Send { to, lane, packet } => {
                    let bytes = Bytes::from([&packet.head[..], &packet.body[..]].concat());
                    for peer in to {
                        if self.hosts.contains_key(&peer) {
                            self.links
                                .entry((at, peer))
                                .or_default()
                                .push((lane, bytes.clone()));
                        }
                    }
                }
                Effect::Deliver { process, item } => {
                    let id = ProcessId {
                        site: at,
                        index: process,
                    };
                    if let ToEndpoint::Event {
                        event: Event::Message(m),
                        after,
                    } = &item
                        && matches!(m.label, Label::Obcast(_))
                    {
                        self.trace
                            .add(self.now, What::Placed(id, m.id, after.clone()));
                    }
                    if let Some(e) = self.endpoints.get_mut(&id) {
                        e.push(item);
                    }
                }
                Effect::Note(note) => self
                    .trace
                    .add(self.now, What::Note(at, format!("{note:?}"))),
            }
        }
    }

    fn random_step(&mut self) {
        match self.rng.below(1000) {
            0..=1 if self.crashes > 0 => self.crash(),
            2..=4 => self.change_view(),
            5..=80 => self.install_somewhere(),
            81..=200 => self.tick(),
            201..=400 => self.take_somewhere(),
            401..=470 => self.act(),
            _ => {
                self.deliver_somewhere();
            }
        }
    }

    fn pick_host(&mut self) -> Site {
        let all: Vec<Site> = self.hosts.keys().copied().collect();
        all[self.rng.index(all.len())]
    }

    fn crash(&mut self) {
        let at = self.pick_host();
        // Somebody goes on: total failure is another story.
        let others = |v: &SiteView| v.sites().any(|s| s != at && self.hosts.contains_key(&s));
        if !self.views.last().is_some_and(others) {
            return;
        }
        self.crashes -= 1;
        self.add(What::Crash(at));
        self.hosts.remove(&at);
        self.endpoints.retain(|p, _| p.site != at);
        self.late.retain(|s| *s != at);
        // Of what it sent, each peer gets a prefix.
        for ((from, to), link) in &mut self.links {
            if *to == at {
                link.clear();
            } else if *from == at {
                let keep = self.rng.below(link.len() as u64 + 1) as usize;
                link.truncate(keep);
            }
        }
    }

    /// The oracle excludes who halted, now and then somebody alive, and admits who waits.
    fn change_view(&mut self) {
        let Some(view) = self.views.last() else {
            return;
        };
        let members: Vec<Site> = view.sites().collect();
        let mut next: Vec<Site> = members
            .iter()
            .filter(|s| self.hosts.contains_key(s))
            .copied()
            .collect();
        if next.len() > 1 && self.rng.per_mille(100) {
            next.remove(self.rng.index(next.len()));
        }
        if !self.late.is_empty() && self.rng.per_mille(700) {
            next.push(self.late.remove(0));
        }
        if next != members && !next.is_empty() {
            for s in members.iter().filter(|s| !next.contains(s)) {
                if let Some(host) = self.hosts.get_mut(s) {
                    host.excluded = true;
                }
            }
            self.decide(next);
        }
    }

    fn install_somewhere(&mut self) {
        let at = self.pick_host();
        self.install_next(at);
    }

    fn install_next(&mut self, at: Site) -> bool {
        let Some(host) = self.hosts.get_mut(&at) else {
            return false;
        };
        // A site installs from the first view that has it.
        while let Some(view) = self.views.get(host.installed) {
            host.installed += 1;
            if view.contains(at) {
                let view = view.clone();
                self.add(What::Install(at, view.clone()));
                self.step(at, Input::Install(view));
                return true;
            } else if host.excluded {
                let view = view.clone();
                self.add(What::Out {
                    site: at,
                    asked: false,
                });
                self.step(at, Input::Excluded(view));
                self.hosts.remove(&at);
                self.endpoints.retain(|p, _| p.site != at);
                return true;
            }
        }
        false
    }

    fn tick(&mut self) {
        let at = self.pick_host();
        self.tick_at(at);
    }

    fn tick_at(&mut self, at: Site) -> bool {
        let due = self.hosts.get(&at).and_then(|h| h.machine.deadline());
        if due.is_some_and(|d| d.0 <= self.now * STEP) {
            self.step(at, Input::Timeout);
            return true;
        }
        false
    }

    /// The messages of a link that may arrive next: none overtakes an earlier one of its own or a more
    /// urgent lane.
    fn candidates(link: &[(Lane, Bytes)]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut barred = Lane::Bulk;
        for (i, (lane, _)) in link.iter().enumerate() {
            let free = found.is_empty() || *lane < barred;
            if free {
                found.push(i);
                barred = barred.min(*lane);
            }
            if barred == Lane::Control {
                break;
            }
        }
        found
    }

    fn deliver_somewhere(&mut self) -> bool {
        let open: Vec<(Site, Site)> = self
            .links
            .iter()
            .filter(|((_, to), l)| !l.is_empty() && self.hosts.contains_key(to))
            .map(|(k, _)| *k)
            .collect();
        let Some(&(from, to)) = self.rng.pick(&open) else {
            return false;
        };
        if self.slow_link == Some((from, to)) && self.rng.per_mille(980) {
            return true;
        }
        let link = self.links.get_mut(&(from, to)).unwrap();
        let candidates = Self::candidates(link);
        let i = candidates[self.rng.index(candidates.len())];
        let (_, message) = link.remove(i);
        self.step(to, Input::Receive(FromPeer { from, message }));
        true
    }
}
