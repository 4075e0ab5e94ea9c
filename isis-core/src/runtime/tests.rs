//! Panics in the machines: the site stops, and nobody waits for ever (fail-stop).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::carrier::{InProcessNetwork, Port};
use super::driver::{BroadcastMachine, Machine, Machines, machines};
use super::opening::Opening;
use super::{Process, Site, Wait};
use crate::broadcast::Gauges;
use crate::config::Config;
use crate::delivery::Event;
use crate::error::Error;
use crate::ids::SiteId;
use crate::machine::{broadcast, transport, view};
use crate::time::Time;

const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// A machine that panics at a certain input.
struct Bomb<M: Machine> {
    machine: M,
    fuse: fn(&M::Input) -> bool,
}

impl<M: Machine> Machine for Bomb<M> {
    type Input = M::Input;
    type Effect = M::Effect;

    fn handle(&mut self, now: Time, input: M::Input, effects: &mut Vec<M::Effect>) {
        assert!(!(self.fuse)(&input), "boom");
        self.machine.handle(now, input, effects);
    }

    fn settle(&mut self, now: Time, effects: &mut Vec<M::Effect>) {
        self.machine.settle(now, effects);
    }

    fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }
}

impl<M: BroadcastMachine> BroadcastMachine for Bomb<M> {
    fn applied_view(&self) -> Option<u64> {
        self.machine.applied_view()
    }

    fn gauges(&self) -> Gauges {
        self.machine.gauges()
    }
}

/// What makes which machine panic.
struct Fuses {
    transport: fn(&transport::Input) -> bool,
    view: fn(&view::Input) -> bool,
    broadcast: fn(&broadcast::Input) -> bool,
}

const NONE: Fuses = Fuses {
    transport: |_| false,
    view: |_| false,
    broadcast: |_| false,
};

fn open(id: u32, network: &Arc<InProcessNetwork>, fuses: Fuses) -> Site {
    let mut config = Config::new(SiteId(id));
    config.listen = format!("site-{id}:1");
    let other = 3 - id;
    let peers = [(SiteId(other), format!("site-{other}:1"))];
    config.peers = peers.into();
    let port = Port::new(network.clone(), &config.listen).unwrap();
    let address = port.address.clone();
    let opening = Opening::new(config, port.bell.clone()).unwrap();
    let carrier = port.open(&opening.shared).unwrap();
    let make = |opening: &Opening| {
        let real = machines(opening)?;
        Ok(Machines {
            transport: Bomb {
                machine: real.transport,
                fuse: fuses.transport,
            },
            view: Bomb {
                machine: real.view,
                fuse: fuses.view,
            },
            broadcast: Bomb {
                machine: real.broadcast,
                fuse: fuses.broadcast,
            },
        })
    };
    Site::start(opening, address, carrier, make).unwrap()
}

/// Site 1, whose machines may panic, and its member; site 2 in the same view.
fn two_sites(fuses: Fuses) -> (Site, Process, Site) {
    let network = Arc::new(InProcessNetwork::new());
    let sites = [open(1, &network, fuses), open(2, &network, NONE)];
    for site in &sites {
        site.wait_view(2, LONG).unwrap();
    }
    let process = sites[0].process("victim").unwrap();
    let [first, second] = sites;
    (first, process, second)
}

/// Everything that can be asked of a broken site answers, and says that it is broken.
fn is_broken(site: &Site, process: &Process) {
    let end = loop {
        match process.next(LONG) {
            Ok(event) => assert!(!matches!(event, Event::Excluded(_))),
            Err(end) => break end,
        }
    };
    assert!(matches!(&end, Error::Internal(what) if what.contains("boom")));
    assert_eq!(process.flush(LONG), Err(end.clone()));
    assert_eq!(process.join("group", LONG).err(), Some(end.clone()));
    let send = process.bcast_to(&[process.id()], "", Bytes::new(), Wait::Forever);
    assert_eq!(send, Err(end.clone()));
    assert_eq!(site.process("another").err(), Some(end.clone()));
    assert_eq!(site.wait_view(9, LONG), Err(end));
    site.close(LONG).unwrap();
    assert_eq!(site.stats().threads, 0);
}

#[test]
fn a_panic_in_the_broadcast_machine_ends_the_site() {
    let flush = |input: &broadcast::Input| {
        let broadcast::Input::Call { call, .. } = input else {
            return false;
        };
        matches!(call, broadcast::Call::Flush { .. })
    };
    let (site, process, other) = two_sites(Fuses {
        broadcast: flush,
        ..NONE
    });
    let waiting = process.flush(LONG);
    assert!(matches!(waiting, Err(Error::Internal(_))));
    is_broken(&site, &process);
    other.halt();
}

#[test]
fn a_panic_in_the_transport_machine_ends_the_site() {
    let send = |input: &transport::Input| {
        let transport::Input::Send { packet, .. } = input else {
            return false;
        };
        let says = |part: &Bytes| part.windows(7).any(|w| w == b"fateful");
        says(&packet.head) || says(&packet.body)
    };
    let (site, process, other) = two_sites(Fuses {
        transport: send,
        ..NONE
    });
    // Joining is told to the other site.
    let waiting = process.join("fateful", LONG);
    assert!(matches!(waiting, Err(Error::Internal(_))));
    is_broken(&site, &process);
    other.halt();
}

#[test]
fn a_panic_in_the_view_machine_ends_the_site() {
    let lost = |input: &view::Input| {
        use crate::machine::{LinkReport, TransportToView};
        let view::Input::Transport(TransportToView::Report(report)) = input else {
            return false;
        };
        matches!(report, LinkReport::Lost { .. })
    };
    let (site, process, other) = two_sites(Fuses { view: lost, ..NONE });
    other.halt();
    is_broken(&site, &process);
}
