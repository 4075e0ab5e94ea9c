//! Broadcast machines on a network that the test drives by hand: every link is a queue per lane, and
//! nothing moves unless the test says so. Site views are given, not agreed.

use std::collections::BTreeMap;

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::delivery::{Endpoint, Event, Label, Limits, Olabel};
use isis_core::group::Machine;
use isis_core::ids::{Epoch, GroupId, Incarnation, MessageId, ProcessId, Site, SiteId, ViewNumber};
use isis_core::machine::broadcast::{Address, Call, Effect, Input};
use isis_core::machine::{FromPeer, Lane};
use isis_core::time::Time;
use isis_core::view::{LeftReason, Member, SiteView};

/// The site with this number, first incarnation.
pub fn site(id: u32) -> Site {
    Site {
        id: SiteId(id),
        incarnation: Incarnation(1),
    }
}

/// Machines, their endpoints, and what is in flight.
pub struct Cluster {
    pub machines: BTreeMap<Site, Machine>,
    pub endpoints: BTreeMap<ProcessId, Endpoint>,
    /// What each process has taken, in words.
    pub taken: BTreeMap<ProcessId, Vec<String>>,
    links: BTreeMap<(Site, Site), Vec<(Lane, Bytes)>>,
    now: Time,
    view: Option<SiteView>,
}

impl Cluster {
    /// Sites 0..n, no view yet.
    pub fn new(n: u32) -> Cluster {
        let machines =
            (0..n).map(|id| (site(id), Machine::new(&Config::new(SiteId(id)), site(id))));
        Cluster {
            machines: machines.collect(),
            endpoints: BTreeMap::new(),
            taken: BTreeMap::new(),
            links: BTreeMap::new(),
            now: Time(1),
            view: None,
        }
    }

    /// Sites 0..n in view 0, each with a process 1.
    pub fn running(n: u32) -> Cluster {
        let mut cluster = Cluster::new(n);
        for id in 0..n {
            cluster.open(site(id), 1);
        }
        cluster.install_everywhere(&(0..n).map(site).collect::<Vec<_>>());
        cluster.run();
        cluster
    }

    fn step(&mut self, at: Site, input: Input) {
        let mut out = Vec::new();
        let Some(machine) = self.machines.get_mut(&at) else {
            return;
        };
        machine.handle(self.now, input, &mut out);
        for effect in out {
            match effect {
                Effect::Send { to, lane, packet } => {
                    let bytes = Bytes::from([&packet.head[..], &packet.body[..]].concat());
                    for peer in to {
                        self.links
                            .entry((at, peer))
                            .or_default()
                            .push((lane, bytes.clone()));
                    }
                }
                Effect::Deliver { process, item } => {
                    let id = ProcessId {
                        site: at,
                        index: process,
                    };
                    self.endpoints
                        .get_mut(&id)
                        .expect("delivery to an open process")
                        .push(item);
                }
                Effect::Note(_) => {}
            }
        }
    }

    /// Opens a process.
    pub fn open(&mut self, at: Site, index: u32) -> ProcessId {
        let id = ProcessId { site: at, index };
        let limits = Limits::from(&Config::new(at.id));
        self.endpoints.insert(id, Endpoint::new(id, limits));
        self.call(
            id,
            Call::Open {
                name: format!("{id}"),
            },
        );
        id
    }

    fn call(&mut self, process: ProcessId, call: Call) {
        self.step(
            process.site,
            Input::Call {
                process: process.index,
                call,
            },
        );
    }

    /// Installs the next view, of these sites, at one site.
    pub fn install(&mut self, at: Site, members: &[Site]) {
        let view = self.next_view(members);
        self.step(at, Input::Install(view));
    }

    /// Installs the next view at all of its sites.
    pub fn install_everywhere(&mut self, members: &[Site]) {
        let view = self.next_view(members);
        for at in members {
            self.step(*at, Input::Install(view.clone()));
        }
        self.view = Some(view);
    }

    /// The view after the last one that was installed everywhere.
    pub fn next_view(&self, members: &[Site]) -> SiteView {
        let old: Vec<Site> = self.view.iter().flat_map(|v| v.sites()).collect();
        SiteView {
            epoch: Epoch(1),
            number: ViewNumber(self.view.as_ref().map_or(0, |v| v.number.0 + 1)),
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
            left: old
                .iter()
                .filter(|s| !members.contains(s))
                .map(|s| (*s, LeftReason::Failed))
                .collect(),
            founding: vec![],
            highest: BTreeMap::new(),
        }
    }

    /// The site halts; with it goes what it has sent and nobody got.
    pub fn crash(&mut self, at: Site) {
        self.machines.remove(&at);
        self.links.retain(|(from, to), _| *from != at && *to != at);
        self.endpoints.retain(|id, _| id.site != at);
    }

    /// Hands over the most urgent message of a link; says whether there was one.
    pub fn deliver(&mut self, from: Site, to: Site) -> bool {
        let Some(link) = self.links.get_mut(&(from, to)) else {
            return false;
        };
        let Some(first) = (0..link.len()).min_by_key(|i| (link[*i].0, *i)) else {
            return false;
        };
        let (_, message) = link.remove(first);
        self.step(to, Input::Receive(FromPeer { from, message }));
        true
    }

    /// Sends off what a machine has gathered.
    pub fn tick(&mut self, at: Site) {
        self.step(at, Input::Timeout);
    }

    /// Runs until nothing moves: all links, all timers, all processes take their events.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            let links: Vec<(Site, Site)> = self.links.keys().copied().collect();
            let mut moved = false;
            for (from, to) in links {
                moved |= self.deliver(from, to);
            }
            let sites: Vec<Site> = self.machines.keys().copied().collect();
            for at in sites {
                if let Some(due) = self.machines[&at].deadline() {
                    if due > self.now && !moved {
                        self.now = due;
                    }
                    if due <= self.now {
                        self.tick(at);
                        moved = true;
                    }
                }
            }
            moved |= self.take_all();
            if !moved {
                return;
            }
        }
        panic!("the cluster does not come to rest");
    }

    /// Every process takes what it has.
    pub fn take_all(&mut self) -> bool {
        let ids: Vec<ProcessId> = self.endpoints.keys().copied().collect();
        let mut any = false;
        for id in ids {
            while let Some(endpoint) = self.endpoints.get_mut(&id)
                && let Some(event) = endpoint.next()
            {
                any = true;
                if let Some(word) = in_words(&event) {
                    self.taken.entry(id).or_default().push(word);
                }
            }
            if let Some(call) = self.endpoints.get_mut(&id).and_then(Endpoint::taken) {
                self.call(id, call);
            }
        }
        any
    }

    pub fn join(&mut self, process: ProcessId, name: &str) {
        let (_, call) = self
            .endpoints
            .get_mut(&process)
            .unwrap()
            .join(name)
            .unwrap();
        self.call(process, call);
    }

    pub fn leave(&mut self, process: ProcessId, group: GroupId) {
        let (_, call) = self
            .endpoints
            .get_mut(&process)
            .unwrap()
            .leave(group)
            .unwrap();
        self.call(process, call);
    }

    pub fn flush(&mut self, process: ProcessId) {
        let (_, call) = self.endpoints.get_mut(&process).unwrap().flush().unwrap();
        self.call(process, call);
    }

    pub fn bcast(&mut self, process: ProcessId, to: Address, label: &str, text: &str) -> MessageId {
        let endpoint = self.endpoints.get_mut(&process).unwrap();
        let (id, call) = endpoint
            .bcast(to, label, Bytes::copy_from_slice(text.as_bytes()))
            .unwrap();
        self.call(process, call);
        id
    }

    pub fn obcast(
        &mut self,
        process: ProcessId,
        to: Address,
        olabel: Olabel,
        text: &str,
    ) -> MessageId {
        let endpoint = self.endpoints.get_mut(&process).unwrap();
        let (id, call) = endpoint
            .obcast(to, olabel, Bytes::copy_from_slice(text.as_bytes()))
            .unwrap();
        self.call(process, call);
        id
    }

    pub fn gbcast(&mut self, process: ProcessId, group: GroupId, text: &str) -> MessageId {
        let endpoint = self.endpoints.get_mut(&process).unwrap();
        let (id, call) = endpoint
            .gbcast(group, Bytes::copy_from_slice(text.as_bytes()))
            .unwrap();
        self.call(process, call);
        id
    }

    /// What a process has taken, in words, without site views.
    pub fn log(&self, process: ProcessId) -> Vec<String> {
        self.taken.get(&process).cloned().unwrap_or_default()
    }

    /// Asserts that every queue and store is empty.
    pub fn assert_idle(&self) {
        for (at, machine) in &self.machines {
            assert_eq!(
                machine.gauges(),
                Default::default(),
                "at {at}: {:?}",
                machine.pending()
            );
            assert_eq!(machine.pending(), Vec::<String>::new(), "at {at}");
        }
    }
}

/// Messages as "b:text", "o:text", "g:text"; group views as "name#number[p1 p2]".
fn in_words(event: &Event) -> Option<String> {
    match event {
        Event::Message(m) => {
            let kind = match m.label {
                Label::Bcast(_) => 'b',
                Label::Obcast(_) => 'o',
                Label::Gbcast => 'g',
            };
            Some(format!("{kind}:{}", String::from_utf8_lossy(&m.payload)))
        }
        Event::View(v) => {
            let members: Vec<String> = v.members.iter().map(|p| format!("{}", p.site.id)).collect();
            Some(format!("{}#{}[{}]", v.name, v.number, members.join(" ")))
        }
        Event::Completed { result, .. } => Some(format!("{result:?}").split('(').take(2).collect()),
        _ => None,
    }
}
