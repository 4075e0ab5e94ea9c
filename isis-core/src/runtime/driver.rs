//! What the three threads ask of their machines.

use super::clock::seed;
use super::opening::Opening;
use crate::broadcast::Gauges;
use crate::error::Error;
use crate::group;
use crate::link::Transport;
use crate::machine::{broadcast, transport, view};
use crate::time::Time;
use crate::view::Views;

/// A state machine as described in [`crate::machine`].
pub(crate) trait Machine: Send + 'static {
    type Input;
    type Effect;

    /// One input; all effects are carried out before the next one.
    fn handle(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>);

    /// After the last input of a wake-up: what follows from all of them.
    fn settle(&mut self, _now: Time, _effects: &mut Vec<Self::Effect>) {}

    /// When to hand it `Timeout` at the latest; asked when it has settled.
    fn deadline(&self) -> Option<Time>;
}

pub(crate) trait TransportMachine:
    Machine<Input = transport::Input, Effect = transport::Effect>
{
}
impl<M> TransportMachine for M where M: Machine<Input = transport::Input, Effect = transport::Effect>
{}

pub(crate) trait ViewMachine: Machine<Input = view::Input, Effect = view::Effect> {}
impl<M> ViewMachine for M where M: Machine<Input = view::Input, Effect = view::Effect> {}

pub(crate) trait BroadcastMachine:
    Machine<Input = broadcast::Input, Effect = broadcast::Effect>
{
    /// The number of the site view that is applied.
    fn applied_view(&self) -> Option<u64>;

    /// How much it keeps.
    fn gauges(&self) -> Gauges;
}

/// The machines of one site.
pub(crate) struct Machines<T, V, B> {
    pub(crate) transport: T,
    pub(crate) view: V,
    pub(crate) broadcast: B,
}

/// Those that the library is made of.
pub(crate) fn machines(
    opening: &Opening,
) -> Result<Machines<Transport, Views, group::Machine>, Error> {
    let (config, me, now) = (&opening.config, opening.shared.me, opening.clock.now());
    let memory = opening.memory.clone();
    Ok(Machines {
        transport: Transport::new(config, me, seed()?, now),
        view: Views::new(config, me, config.advertise.clone(), memory, seed()?, now),
        broadcast: group::Machine::new(config, me),
    })
}

impl Machine for group::Machine {
    type Input = broadcast::Input;
    type Effect = broadcast::Effect;

    fn handle(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>) {
        self.handle(now, input, effects);
    }

    fn deadline(&self) -> Option<Time> {
        self.deadline()
    }
}

impl BroadcastMachine for group::Machine {
    fn applied_view(&self) -> Option<u64> {
        self.applied_view()
    }

    fn gauges(&self) -> Gauges {
        self.gauges()
    }
}

impl Machine for Transport {
    type Input = transport::Input;
    type Effect = transport::Effect;

    fn handle(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>) {
        self.feed(now, input, effects);
    }

    /// Larger packs come of sending once for several inputs.
    fn settle(&mut self, now: Time, effects: &mut Vec<Self::Effect>) {
        self.flush(now, effects);
    }

    fn deadline(&self) -> Option<Time> {
        self.deadline()
    }
}

impl Machine for Views {
    type Input = view::Input;
    type Effect = view::Effect;

    fn handle(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>) {
        self.handle(now, input, effects);
    }

    fn deadline(&self) -> Option<Time> {
        self.deadline()
    }
}
