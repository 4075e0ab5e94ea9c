//! What the user of the simulator brings: applications, and what happens to the cluster.

use std::fmt::Debug;

use crate::audit::trace::{Trace, What};
use crate::machine::{broadcast, transport, view};

use super::chance::Chance;
use super::cluster::Cluster;
use super::laws::Laws;
use super::network::Network;
use super::node::{Node, WakeUp};
use super::process::Process;

/// The applications of a cluster, and what happens to it. Functions get the whole cluster, or the
/// surroundings of the site that acts, with the world in them.
pub trait World: Sized {
    /// What the application of one process keeps.
    type App;
    /// What is to happen later ([`Cluster::at`]).
    type Plan: Debug;

    /// A process begins: what its application keeps.
    fn open(env: &mut Env<'_, Self>, process: &Process) -> Self::App;

    /// Events wait at a process: after how long its application looks at them. None: never again.
    fn pace(env: &mut Env<'_, Self>, app: &Self::App) -> Option<u64>;

    /// The application takes some events ([`Process::next`]), and may do anything in answer. What it
    /// leaves is offered again after [`World::pace`].
    fn take(env: &mut Env<'_, Self>, app: &mut Self::App, process: &mut Process);

    /// What was planned happens.
    fn happens(cluster: &mut Cluster<Self>, plan: Self::Plan);

    /// A site has begun at this host; it has no processes yet.
    fn started(_cluster: &mut Cluster<Self>, _host: usize) {}

    /// A site has halted: by a crash, or because it is out of the site view.
    fn halted(_cluster: &mut Cluster<Self>, _node: &Node<Self::App>) {}

    /// A machine says something that is of interest to people alone.
    fn noted(&mut self, _note: Note<'_>) {}
}

/// What a machine says.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// The transport machine.
    Transport(&'a transport::Note),
    /// The view machine.
    View(&'a view::Note),
    /// The broadcast machine.
    Broadcast(&'a broadcast::Note),
}

/// What surrounds a site while it acts.
pub struct Env<'a, W: World> {
    /// Microseconds since the beginning; the site's own clock is another one.
    pub now: u64,
    /// Of the cluster.
    pub laws: &'a Laws,
    /// Where every decision comes from.
    pub chance: &'a mut Chance,
    /// The record of the run.
    pub trace: &'a mut Trace,
    /// The applications' common part.
    pub world: &'a mut W,
    /// Faults have stopped ([`Cluster::calm`]).
    pub quiet: bool,
    pub(super) network: &'a mut Network,
    /// Wake-ups to schedule: when, what for.
    pub(super) wake_ups: Vec<(u64, WakeUp)>,
}

impl<W: World> Env<'_, W> {
    /// Adds to the record of the run.
    pub fn record(&mut self, what: What) {
        self.trace.add(self.now, what);
    }
}
