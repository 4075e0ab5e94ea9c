//! Programs that are stopped for a while, or die, at the worst moment.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};

use super::{LOAD, Skipped, begin, nobody_lost};
use crate::Outcome;
use crate::net::cluster::{Cluster, now, since};

/// Pauses shorter than the timeout: a member's, then the manager's.
pub fn pause_short(cluster: &mut Cluster) -> Outcome<String> {
    let views = begin(cluster)?;
    for site in [3, 1, 3] {
        cluster.signal(site, SIGSTOP)?;
        cluster.pass(Duration::from_secs(1))?;
        cluster.signal(site, SIGCONT)?;
        cluster.pass(Duration::from_secs(1))?;
    }
    nobody_lost(cluster, views)?;
    Ok("3, the manager, and 3 again stopped for 1 s each: nobody lost".into())
}

/// Pauses longer than the timeout: who was stopped learns that it is out, and comes back.
pub fn pause_long(cluster: &mut Cluster) -> Outcome<String> {
    begin(cluster)?;
    let mut text = Vec::new();
    for (who, site) in [("3", 3), ("the manager", 1)] {
        let gone = cluster.name(site);
        let stopped = now();
        cluster.signal(site, SIGSTOP)?;
        let change = cluster.without(&cluster.others(&[site]), &[gone], stopped)?;
        cluster.pass(Duration::from_secs(1))?;
        cluster.signal(site, SIGCONT)?;
        let goes_on = now();
        cluster.until("the stopped one to be told", |c| {
            c.logs.iter().filter(|log| log.excluded.is_some()).count() > text.len()
        })?;
        let told = since(goes_on);
        cluster.whole()?;
        text.push(format!(
            "{who} stopped: {change}, told after {told}, back after {}",
            since(goes_on)
        ));
    }
    Ok(text.join("; "))
}

/// The youngest member dies.
pub fn kill_member(cluster: &mut Cluster) -> Outcome<String> {
    begin(cluster)?;
    cluster.pass(Duration::from_secs(1))?;
    let change = die(cluster, 5)?;
    cluster.restart(5, LOAD)?;
    Ok(format!("SIGKILL of a member: {change}"))
}

/// The manager dies while it admits a site.
pub fn kill_manager(cluster: &mut Cluster) -> Outcome<String> {
    begin(cluster)?;
    die(cluster, 5)?;
    cluster.start(5)?;
    cluster.until("the applicant", |c| c.log(5).me.is_some())?;
    cluster.tell(5, "join")?;
    cluster.tell(5, LOAD)?;
    let change = die(cluster, 1)?;
    cluster.whole()?;
    cluster.restart(1, LOAD)?;
    Ok(format!(
        "SIGKILL of the manager while it admits a site: {change}"
    ))
}

/// The oldest member's site, which runs all GBCASTs, dies with one of each member's under way.
pub fn kill_coordinator(cluster: &mut Cluster) -> Outcome<String> {
    const GBCASTS: &str = "start 100 bog";
    cluster.form(&[3])?;
    cluster.tell_all(GBCASTS)?;
    cluster.pass(Duration::from_secs(1))?;
    let change = die(cluster, 3)?;
    cluster.restart(3, GBCASTS)?;
    Ok(format!("SIGKILL of the GBCAST coordinator: {change}"))
}

/// A site dies while it enters the site view, or the group, again and again; then it comes in.
pub fn kill_joiner(cluster: &mut Cluster) -> Outcome<String> {
    const DEATHS: [u64; 5] = [0, 20, 60, 150, 400];
    begin(cluster)?;
    cluster.kill(5)?;
    for delay in DEATHS {
        cluster.start(5)?;
        cluster.until("the joiner to open", |c| c.log(5).me.is_some())?;
        cluster.tell(5, "join")?;
        cluster.pass(Duration::from_millis(delay))?;
        cluster.kill(5)?;
    }
    let from = now();
    cluster.whole()?;
    let rid = since(from);
    let from = now();
    cluster.restart(5, LOAD)?;
    Ok(format!(
        "a joiner killed {} times, 0 to 400 ms after it opened: rid of it after {rid}, the next one is in after {}",
        DEATHS.len(),
        since(from)
    ))
}

/// A program comes back with a clock that was stepped back by an hour: it is told that it is older than
/// what is known of it, and opens again.
pub fn clock_back(cluster: &mut Cluster) -> Outcome<String> {
    let library = faketime().ok_or_else(|| {
        Skipped(
            "there is no libfaketime, to step a program's clock: apt-get install faketime".into(),
        )
    })?;
    let wrapper = [
        "env",
        &format!("LD_PRELOAD={library}"),
        "FAKETIME=-3600",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
    .map(String::from);
    begin(cluster)?;
    let mut text = Vec::new();
    // One runs C, the other Python.
    for site in [4, 5] {
        let change = die(cluster, site)?;
        let from = now();
        cluster.start_with(site, &wrapper)?;
        cluster.enter(&[site], LOAD)?;
        text.push(format!("{site}: {change}, back after {}", since(from)));
    }
    Ok(format!(
        "restarted with the clock an hour back ({} refused at first): {}",
        cluster.exclusions(),
        text.join("; ")
    ))
}

fn faketime() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let here = folders.flatten().map(|folder| folder.path());
    let library = |folder: std::path::PathBuf| folder.join("faketime/libfaketimeMT.so.1");
    let found = here.map(library).find(|path| Path::is_file(path))?;
    Some(found.display().to_string())
}

/// SIGKILL, and the view of the others.
fn die(cluster: &mut Cluster, site: usize) -> Outcome<crate::net::cluster::Change> {
    let gone = cluster.name(site);
    let killed = now();
    cluster.kill(site)?;
    let others: Vec<usize> = cluster.sites();
    let members = others
        .into_iter()
        .filter(|s| !cluster.log(*s).views.is_empty());
    let members: Vec<usize> = members.collect();
    cluster.without(&members, &[gone], killed)
}
