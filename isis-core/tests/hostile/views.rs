//! View machines that found and change views while their messages are lost, doubled and changed, and
//! others are made up. A site view is the subject of its own tests; here nothing may panic, and what
//! is installed must be a view.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use isis_core::config::Config;
use isis_core::ids::{Epoch, Site, SiteId, ViewNumber};
use isis_core::machine::view::{Effect, Input};
use isis_core::machine::{Evidence, LinkReport, Refusal, TransportToView, ViewToTransport};
use isis_core::time::Time;
use isis_core::view::{LeftReason, Memory, SiteView, Views};
use isis_core::wire;

use crate::choice::Choice;
use crate::cluster::{Cluster, site};
use crate::draw::draw;

const SITES: u32 = 3;
/// Messages in flight beyond this are lost.
const MOST_IN_FLIGHT: usize = 64;

pub struct Run {
    choice: Choice,
    now: Time,
    machines: Vec<Views>,
    in_flight: Vec<(Site, Site, Bytes)>,
}

#[test]
fn no_message_stops_a_view_machine() {
    for seed in 0..300 {
        let outcome = std::panic::catch_unwind(|| Run::new(Choice::seed(seed, 100..=500)).run());
        assert!(outcome.is_ok(), "SEED={seed}");
    }
}

impl Run {
    pub fn new(choice: Choice) -> Run {
        let now = Time(1_000_000);
        let machine = |id: u32| {
            let mut config = Config::new(SiteId(id));
            let others = (0..SITES).filter(|other| *other != id);
            config.peers = others.map(|id| (SiteId(id), id.to_string())).collect();
            // Two of the three have a store.
            let opened = || Memory::default().open(SiteId(id), site(id).incarnation);
            let memory = (id > 0).then(opened);
            Views::new(
                &config,
                site(id),
                id.to_string(),
                memory,
                u64::from(id),
                now,
            )
        };
        Run {
            choice,
            now,
            machines: (0..SITES).map(machine).collect(),
            in_flight: Vec::new(),
        }
    }

    pub fn run(mut self) {
        while self.choice.goes_on() {
            self.step();
        }
    }

    fn step(&mut self) {
        let at = self.choice.index(self.machines.len());
        match self.choice.below(16) {
            0..3 => {
                self.now = self.now + Duration::from_millis(self.choice.below(400));
                self.input(at, Input::Timeout);
            }
            3..6 => self.report(at),
            6 => {
                let token = self.choice.below(40);
                self.transport(at, TransportToView::Withheld { token });
            }
            7 if self.choice.below(8) == 0 => self.input(at, Input::Leave),
            7..9 => self.made_up(at),
            _ => self.deliver(),
        }
    }

    fn transport(&mut self, at: usize, word: TransportToView) {
        self.input(at, Input::Transport(word));
    }

    fn any_site(&mut self) -> Site {
        let choice = &mut self.choice;
        match choice.below(16) {
            0 => draw(&mut |n| choice.below(n)).expect("any site can be drawn"),
            id => site(id as u32 % SITES),
        }
    }

    fn report(&mut self, at: usize) {
        let site = self.any_site();
        let peer = site.id;
        let report = match self.choice.below(10) {
            0 => LinkReport::Unreachable {
                peer,
                cause: "it is not there".into(),
            },
            1 => {
                let choice = &mut self.choice;
                let reason: Option<Refusal> = draw(&mut |n| choice.below(n));
                let reason = reason.unwrap_or(Refusal::Epoch);
                LinkReport::Refused { peer, reason }
            }
            2 => LinkReport::Lost {
                site,
                evidence: Evidence::Silence,
            },
            3 => LinkReport::Lost {
                site,
                evidence: Evidence::Refused,
            },
            kind => LinkReport::Up {
                site,
                address: "a".into(),
                epoch: (kind == 4).then_some(Epoch(7)),
            },
        };
        self.transport(at, TransportToView::Report(report));
    }

    /// Any bytes, or a view that nobody committed.
    fn made_up(&mut self, at: usize) {
        let from = self.any_site();
        let choice = &mut self.choice;
        let message = if choice.below(2) == 0 {
            let len = choice.below(48);
            (0..len).map(|_| choice.below(256) as u8).collect()
        } else {
            let view: Option<SiteView> = draw(&mut |n| choice.below(n));
            view.map_or_else(Bytes::new, |view| commit(&view))
        };
        self.transport(at, TransportToView::Message { from, message });
    }

    /// One of the messages in flight arrives, changed now and then, and may do so again.
    fn deliver(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let place = self.choice.index(self.in_flight.len());
        let (from, to, mut message) = self.in_flight[place].clone();
        if self.choice.below(4) > 0 {
            self.in_flight.swap_remove(place);
        }
        if self.choice.below(4) == 0 && !message.is_empty() {
            let mut changed = message.to_vec();
            let at = self.choice.index(changed.len());
            changed[at] = self.choice.below(256) as u8;
            message = changed.into();
        }
        let Some(at) = (0..self.machines.len()).find(|at| site(*at as u32) == to) else {
            return;
        };
        self.transport(at, TransportToView::Message { from, message });
    }

    fn input(&mut self, at: usize, input: Input) {
        let mut effects = Vec::new();
        self.machines[at].handle(self.now, input, &mut effects);
        let me = site(at as u32);
        for effect in effects {
            match effect {
                Effect::ToTransport(ViewToTransport::Send { to, message })
                    if self.in_flight.len() < MOST_IN_FLIGHT =>
                {
                    self.in_flight.push((me, to, message));
                }
                // Sooner or later; `step` makes up others.
                Effect::ToTransport(ViewToTransport::Withhold { token, .. })
                    if self.choice.below(2) == 0 =>
                {
                    self.transport(at, TransportToView::Withheld { token });
                }
                Effect::Persist { token, .. } => self.input(at, Input::Stored { token }),
                Effect::Install(view) => assert_is_view(&view, me),
                _ => {}
            }
        }
    }
}

/// The encoding of a committed view: the eleventh kind of the view machine's messages.
fn commit(view: &SiteView) -> Bytes {
    [wire::encode(&10u32), wire::encode(view)].concat().into()
}

#[test]
fn what_cannot_be_a_view_is_not_installed() {
    let good = Cluster::new(0).commit(&[site(1), site(0)]);
    let not_listed = SiteView {
        members: good.members[..1].to_vec(),
        ..good.clone()
    };
    let left_and_there = SiteView {
        left: vec![(site(1), LeftReason::Failed)],
        ..good.clone()
    };
    let the_last = SiteView {
        number: ViewNumber(u64::MAX),
        ..good.clone()
    };
    for (view, is_view) in [
        (not_listed, false),
        (left_and_there, false),
        (the_last, false),
        (good, true),
    ] {
        let mut run = Run::new(Choice::tape(&[]));
        let from = site(1);
        let message = commit(&view);
        run.transport(0, TransportToView::Message { from, message });
        let installed = run.machines[0].current() == Some(&view);
        assert_eq!(installed, is_view, "{view}");
    }
}

fn assert_is_view(view: &SiteView, me: Site) {
    let sites: BTreeSet<Site> = view.sites().collect();
    assert!(view.contains(me), "{view}");
    assert_eq!(sites.len(), view.members.len(), "{view}");
}
