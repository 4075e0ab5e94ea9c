//! Random lies: one of four sites says things of every kind, with any values, and things that an
//! honest site said with a byte changed, to machines in every state. Then it is excluded, and the
//! others must carry on.
//!
//! `SEED` runs one seed, `SEEDS` says how many, `FIRST` from where.

use std::sync::Arc;

use bytes::Bytes;
use isis_core::broadcast::{Action, Era, Gbcast, Message, Record, Roster, Stamped, To};
use isis_core::delivery::{GroupView, Olabel};
use isis_core::ids::{Class, GroupId, MessageId, SITE_PROCESS, Site};
use isis_core::machine::FromPeer;
use isis_core::machine::broadcast::{Address, Input};
use isis_core::wire;

use crate::calls::list;
use crate::choice::Choice;
use crate::cluster::{Cluster, at, p, site};
use crate::draw::draw;

const SITES: u32 = 4;
/// What a message may leave behind: three runs of numbers, and a little.
const MOST_KEPT: usize = 3 * 4096 + 256;

pub struct Run {
    rng: Choice,
    cluster: Cluster,
    liar: u32,
    /// In the order of the views.
    sites: Vec<Site>,
    number: Option<u64>,
    lies: usize,
}

#[test]
fn no_lie_stops_or_swells_the_others() {
    let number = |name: &str| std::env::var(name).ok().map(|v| v.parse().expect(name));
    let seeds = match number("SEED") {
        Some(seed) => seed..=seed,
        None => {
            let first = number("FIRST").unwrap_or(0);
            first..=first + number("SEEDS").unwrap_or(300)
        }
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| Run::new(Choice::seed(seed, 50..=300)).run());
        assert!(outcome.is_ok(), "SEED={seed}");
    }
}

impl Run {
    pub fn new(mut rng: Choice) -> Run {
        let mut sites: Vec<Site> = (0..SITES).map(site).collect();
        let first = rng.index(sites.len());
        sites.rotate_left(first);
        let mut cluster = Cluster::new(SITES);
        for id in 0..SITES {
            cluster.open(site(id), 1);
            cluster.open(site(id), 2);
        }
        Run {
            liar: rng.below(u64::from(SITES)) as u32,
            rng,
            cluster,
            sites,
            number: None,
            lies: 0,
        }
    }

    pub fn run(mut self) {
        while self.rng.goes_on() {
            self.step();
        }
        // One by one, for the liar may have been the oldest.
        let honest: Vec<Site> = (0..SITES).filter(|id| *id != self.liar).map(site).collect();
        self.cluster.release_all();
        if self.number.is_none() {
            self.view();
        }
        self.cluster.crash(self.liar);
        let members: Vec<Site> = self
            .sites
            .iter()
            .copied()
            .filter(|s| honest.contains(s))
            .collect();
        self.cluster.install_everywhere(&members);
        self.cluster.run();
        self.cluster
            .assert_carries_on(&honest.iter().map(|s| s.id.0).collect::<Vec<_>>());
        for at in &honest {
            let kept = self.cluster.machines[at].gauges();
            let kept = (kept.bcasts, kept.obcasts, kept.finals, kept.queued);
            assert_eq!(kept, (0, 0, 0, 0), "at {at}");
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..2 => self.view(),
            2..5 => {
                let (from, to) = (self.any_site(), self.any_site());
                self.cluster.hold(from, to, "");
            }
            5..8 => self.cluster.release_all(),
            8..30 => self.honest_act(),
            30..50 => {
                let rounds = self.rng.within(1, 12) as usize;
                self.cluster.run_for(rounds);
            }
            _ => self.lie(),
        }
        for machine in self.cluster.machines.values() {
            let g = machine.gauges();
            let kept = g.bcasts + g.obcasts + g.finals + g.queued + g.runs;
            assert!(kept <= 1000 + self.lies * MOST_KEPT, "{g:?}");
        }
    }

    fn any_site(&mut self) -> u32 {
        self.rng.below(u64::from(SITES)) as u32
    }

    /// The next view, of the same sites, at some of them at once and at all in the end.
    fn view(&mut self) {
        let view = self.cluster.commit(&self.sites.clone());
        self.number = Some(view.number.0);
        for id in 0..SITES {
            if self.rng.per_mille(300) {
                self.lie();
            }
            self.cluster.install(id, &view);
        }
    }

    fn honest_act(&mut self) {
        let process = at(self.any_site(), self.rng.within(1, 2) as u32);
        let to = list(&[p(0), p(1), p(2), p(3)]);
        match self.rng.below(6) {
            0 => {
                self.cluster.bcast(process, to, "l", "b");
            }
            1 => {
                self.cluster.obcast(process, to, Olabel::Causal, "o");
            }
            2 => self.cluster.join(process, "g"),
            3 => self.cluster.flush(process),
            kind => {
                let group = GroupId {
                    founder: at(self.any_site(), 1),
                    seq: 1,
                };
                if !self.cluster.endpoints[&process].is_member(group) {
                    return;
                }
                if kind == 4 {
                    self.cluster.gbcast(process, group, "g");
                } else {
                    let group = Address::Group(group);
                    self.cluster.bcast(process, group, "l", "b");
                }
            }
        }
    }

    fn lie(&mut self) {
        self.lies += 1;
        let to = self.any_site();
        if to == self.liar {
            return;
        }
        match self.rng.below(16) {
            0 => self.lie_in_a_run(to),
            1..5 => {
                if let Some(message) = self.altered(to) {
                    self.hand_over(to, message);
                }
            }
            _ => {
                let (view, message) = (self.stamp(), self.drawn(to));
                self.say(to, view, message);
            }
        }
    }

    /// A whole run of a group that nobody knows, with a field of a step changed now and then.
    fn lie_in_a_run(&mut self, to: u32) {
        let rng = &mut self.rng;
        let sender = p(self.liar);
        let run = MessageId {
            sender: at(self.liar, SITE_PROCESS),
            class: Class::Gbcast,
            seq: rng.below(4),
        };
        let base = Roster::new(Arc::new(GroupView {
            group: GroupId {
                founder: sender,
                seq: 1 + rng.below(2),
            },
            name: "g".into(),
            number: 1 + rng.below(3),
            members: vec![sender, at(to, 1)],
            joined: vec![],
            left: vec![],
        }));
        let application = |len| Action::Application {
            id: MessageId { sender, ..run },
            len,
        };
        let actions = vec![application(3)];
        let number = rng.below(20);
        let mut record = Record {
            run,
            number,
            actions: actions.clone(),
            before: vec![],
            roster: base.clone(),
        };
        match rng.below(8) {
            0 => record.actions = vec![application(rng.below(20) as usize)],
            1 => record.actions.push(application(usize::MAX)),
            2 => record.number += 1,
            3 => record = draw(&mut |n| rng.below(n)).unwrap_or(record),
            4 => Arc::make_mut(&mut record.roster.view).members.truncate(1),
            5 => record.roster.watchers.push(sender),
            _ => {}
        }
        let steps = [
            Gbcast::Start {
                run,
                base,
                actions,
                clock: 1,
                payload: Bytes::new(),
            },
            Gbcast::Final { run, number },
            Gbcast::Up { run },
            Gbcast::Store(record),
            Gbcast::Commit { run },
        ];
        for step in steps {
            if self.rng.per_mille(950) {
                let view = self.number.unwrap_or(0);
                self.say(to, view, Message::Gbcast(step));
            }
        }
    }

    fn hand_over(&mut self, to: u32, message: Bytes) {
        let from = site(self.liar);
        let input = Input::Receive(FromPeer { from, message });
        self.cluster.step(site(to), input);
    }

    /// What the liar's own machine has sent, with a byte changed; instead of it, or beside it.
    fn altered(&mut self, to: u32) -> Option<Bytes> {
        let link = self.cluster.links.get_mut(&(site(self.liar), site(to)))?;
        if link.is_empty() {
            return None;
        }
        let place = self.rng.index(link.len());
        let mut bytes = link[place].message.to_vec();
        if self.rng.per_mille(500) {
            link.remove(place);
        }
        if self.rng.per_mille(900) {
            let place = self.rng.index(bytes.len());
            bytes[place] = self.rng.next() as u8;
        }
        Some(bytes.into())
    }

    fn drawn(&mut self, to: u32) -> Message {
        let rng = &mut self.rng;
        let message = draw(&mut |n| rng.below(n));
        let mut message: Message = message.expect("any message can be drawn");
        if self.rng.per_mille(800) {
            self.mend(to, &mut message);
        }
        message
    }

    /// The era's number, mostly.
    fn stamp(&mut self) -> u64 {
        let number = self.number.unwrap_or(0);
        match self.rng.below(8) {
            0 => self.rng.next() >> self.rng.below(64),
            1 => number.saturating_sub(1),
            2 => number + 1 + self.rng.below(2),
            _ => number,
        }
    }

    fn say(&mut self, to: u32, view: u64, message: Message) {
        let body = match &message {
            Message::Gbcast(Gbcast::Start { actions, .. }) => actions.iter().map(length).sum(),
            Message::Gbcast(Gbcast::Request { action, .. }) => length(action),
            Message::Completion(_) | Message::Control(_) => 0,
            _ => self.rng.index(4),
        };
        let mut bytes = wire::encode(&Stamped { view, message });
        bytes.resize(bytes.len() + body, 7);
        self.hand_over(to, bytes.into());
    }

    /// Makes it likelier that the message is taken.
    fn mend(&mut self, to: u32, message: &mut Message) {
        let liar = p(self.liar);
        let era = Era {
            number: 0,
            sites: self.sites.clone(),
            me: 0,
        };
        let sites = |to: &mut To| match to {
            To::List(list) => {
                list.iter_mut().for_each(|p| p.index = p.index.max(1));
                list.sort_unstable();
                list.dedup();
                era.set(list.iter().map(|p| p.site))
            }
            To::Group { .. } => era.everyone(),
        };
        match message {
            Message::Bcast(m) => {
                m.id.sender = liar;
                m.sites = sites(&mut m.to);
            }
            Message::Obcast(m) => {
                m.id.sender = liar;
                m.others.iter_mut().for_each(|id| id.sender = liar);
                m.sites = sites(&mut m.to);
            }
            Message::Gbcast(m) => self.mend_run(to, m),
            Message::Control(_) | Message::Completion(_) => {}
        }
    }

    fn mend_run(&mut self, to: u32, message: &mut Gbcast) {
        let own = at(self.liar, SITE_PROCESS);
        match message {
            Gbcast::Start { run, base, .. } => {
                run.sender = own;
                let view = Arc::make_mut(&mut base.view);
                view.members.insert(0, p(self.liar));
            }
            Gbcast::Final { run, .. } | Gbcast::Up { run } | Gbcast::Commit { run } => {
                run.sender = own;
            }
            Gbcast::Store(record) => record.run.sender = own,
            Gbcast::Number { run, .. }
            | Gbcast::Head { run }
            | Gbcast::List { run, .. }
            | Gbcast::Stored { run }
            | Gbcast::Committed { run } => run.sender = at(to, SITE_PROCESS),
            Gbcast::Request { .. } | Gbcast::Gone { .. } | Gbcast::Announce(_) => {}
        }
    }
}

/// What a payload must be long to fit, within reason.
fn length(action: &Action) -> usize {
    match action {
        Action::Application { len, .. } => (*len).min(1000),
        _ => 0,
    }
}
