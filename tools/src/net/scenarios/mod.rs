//! What is done to the members. A scenario is played on a cluster that nobody has started, and ends
//! with a cluster whose members are in one view; the rest is the same for all.

mod links;
mod processes;
mod sites;

use super::cluster::{Cluster, Shape};
use crate::Outcome;

/// What every member of most scenarios offers: 100 broadcasts per second, BCASTs and OBCASTs in turn.
const LOAD: &str = "start 100 bo";

/// One scenario.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What its members are to be.
    pub shape: Shape,
    /// It measures what other scenarios beside it would disturb.
    pub alone: bool,
    /// Plays it; what it did and measured.
    pub play: fn(&mut Cluster) -> Outcome<String>,
}

/// A scenario that this machine lacks something for.
#[derive(Debug)]
pub struct Skipped(String);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

const fn five(name: &'static str, play: fn(&mut Cluster) -> Outcome<String>) -> Scenario {
    shaped(name, Shape::FIVE, play)
}

const fn shaped(
    name: &'static str,
    shape: Shape,
    play: fn(&mut Cluster) -> Outcome<String>,
) -> Scenario {
    Scenario {
        name,
        shape,
        alone: false,
        play,
    }
}

const STORES: Shape = Shape {
    stores: true,
    ..Shape::FIVE
};

/// All members in one view, offering the usual load; the number of that view.
fn begin(cluster: &mut Cluster) -> Outcome<u64> {
    cluster.form(&[])?;
    cluster.tell_all(LOAD)?;
    Ok(cluster.last_view())
}

/// How many views came since there were so many, and who was taken for dead meanwhile.
fn unrest(cluster: &Cluster, views: u64) -> String {
    format!(
        "{} new views, {} exclusions",
        cluster.last_view() - views,
        cluster.exclusions()
    )
}

/// Nobody was taken for dead.
fn nobody_lost(cluster: &Cluster, views: u64) -> Outcome<()> {
    if cluster.exclusions() > 0 || cluster.last_view() != views {
        return Err(format!("members were lost: {}", unrest(cluster, views)).into());
    }
    Ok(())
}

/// All of them. The long ones begin first.
pub const SCENARIOS: [Scenario; 20] = [
    five("bridge-partition", links::bridge_partition),
    five("loss", links::loss),
    five("pause-long", processes::pause_long),
    five("kill-joiner", processes::kill_joiner),
    five("flapping", links::flapping),
    five("isolation", links::isolation),
    five("partition", links::partition),
    five("one-way-cut", links::one_way_cut),
    five("kill-manager", processes::kill_manager),
    five("kill-coordinator", processes::kill_coordinator),
    five("kill-member", processes::kill_member),
    five("killed-connections", links::killed_connections),
    five("pause-short", processes::pause_short),
    five("clock-back", processes::clock_back),
    five("same-id", sites::same_id),
    shaped("full-disk", STORES, sites::full_disk),
    shaped("cold-restart", STORES, sites::cold_restart),
    shaped(
        "slow-consumer",
        Shape {
            more: "window_messages=256",
            ..Shape::FIVE
        },
        sites::slow_consumer,
    ),
    shaped(
        "ten-at-once",
        Shape {
            sites: 10,
            ..Shape::FIVE
        },
        sites::ten_at_once,
    ),
    Scenario {
        alone: true,
        ..shaped(
            "wide-area",
            Shape {
                more: "window_messages=16",
                bridged: true,
                ..Shape::FIVE
            },
            links::wide_area,
        )
    },
];
