//! The simulator: a cluster of the shipped machines on a simulated network, in one thread and in
//! simulated time. A seed is a run: what a threaded system shows once a year is repeated at will.
//!
//! | module | what it is |
//! |---|---|
//! | [`chance`] | the one source of every decision: a seed, or a tape |
//! | [`laws`] | latencies, losses, stalls, drift |
//! | `clock`, `disk` | of a host |
//! | `network`, `pipe` | hosts by number, cuts, connections |
//! | [`process`] | a process: its endpoint, recorded |
//! | [`node`], `effects` | a running site: its three machines and the queues between them |
//! | [`cluster`] | hosts, the event heap; crash, restart, pause, cut |
//! | [`world`] | what its user brings: applications, and plans of what is to happen |
//!
//! Implement [`World`], make a [`Cluster`], plan something with [`Cluster::at`], call
//! [`Cluster::run_until`]; [`Cluster::trace`] records all for [`crate::audit`]. Hosts are numbered from
//! 0; host `n` has the site id `n`. Times are microseconds since the beginning.

pub mod chance;
mod clock;
pub mod cluster;
mod disk;
mod effects;
pub mod laws;
mod network;
pub mod node;
mod pipe;
pub mod process;
pub mod world;

pub use chance::{Chance, Lanes};
pub use cluster::{Cluster, configs};
pub use laws::{Latency, Laws, MS, SECOND};
pub use node::Node;
pub use process::Process;
pub use world::{Env, Note, World};
