//! Disks, slow applications, and how sites begin.

use std::fs;
use std::time::Duration;

use super::{LOAD, begin, nobody_lost};
use crate::Outcome;
use crate::net::cluster::{Cluster, now, since};
use crate::net::sandbox::{address, tmpfs};

/// The disk under a site's store fills up: the site stops when the last page of its log is full, the
/// others go on, and with room it comes back.
pub fn full_disk(cluster: &mut Cluster) -> Outcome<String> {
    const MOST: usize = 40;
    let disk = cluster.folder.join("store-5");
    fs::create_dir_all(&disk)?;
    tmpfs(&disk, "64k")?;
    begin(cluster)?;
    let filler = disk.join("filler");
    fill(&filler)?;
    let full = cluster.give_up(5);
    // Each view has to be stored.
    let mut views = 0;
    while !cluster.ended(full) {
        if views == MOST {
            return Err(format!("the store took {MOST} views without room").into());
        }
        views += 1;
        let gone = cluster.name(4);
        let killed = now();
        cluster.kill(4)?;
        cluster.without(&[1, 2, 3], &[gone], killed)?;
        cluster.start(4)?;
        cluster.tell(4, "join")?;
        cluster.tell(4, LOAD)?;
        let back = |c: &Cluster| {
            let name = c.name(4);
            !name.is_empty()
                && [1, 2, 3, 4]
                    .iter()
                    .all(|s| c.log(*s).members().contains(&name))
        };
        cluster.until("4 to be back", back)?;
    }
    let stopped = now();
    cluster.whole()?;
    let without = since(stopped);
    let words = cluster.complaints(full);
    if !words.contains("No space left") {
        return Err(format!("the site ended for another reason: {words}").into());
    }
    fs::remove_file(&filler)?;
    let from = now();
    cluster.restart(5, LOAD)?;
    Ok(format!(
        "no room in 5's store: it stopped at the change of view {views}, new view after {without}; back after {}",
        since(from)
    ))
}

/// Writes until there is no room.
fn fill(path: &std::path::Path) -> Outcome<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    loop {
        match file.write_all(&[0; 512]) {
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
            other => other?,
        }
    }
}

/// One member takes 100 events a second of 500 offered, then all: senders wait, views do not.
pub fn slow_consumer(cluster: &mut Cluster) -> Outcome<String> {
    begin(cluster)?;
    cluster.tell(3, "slow 100")?;
    cluster.pass(Duration::from_secs(6))?;
    let gone = cluster.name(5);
    let killed = now();
    cluster.kill(5)?;
    let change = cluster.without(&[1, 2, 4], &[gone], killed)?;
    cluster.tell(3, "slow 0")?;
    let from = now();
    cluster.whole()?;
    let caught_up = since(from);
    if cluster.exclusions() > 0 {
        return Err("a slow member was excluded".into());
    }
    cluster.restart(5, LOAD)?;
    Ok(format!(
        "3 takes 100/s of 500/s, 5 killed meanwhile: {change} at the fast ones; 3 caught up in {caught_up}"
    ))
}

/// Ten sites start in one moment.
pub fn ten_at_once(cluster: &mut Cluster) -> Outcome<String> {
    let from = now();
    cluster.form(&[])?;
    let formed = since(from);
    let views: usize = cluster.log(1).site_views.len();
    cluster.tell_all("start 20 bo")?;
    cluster.pass(Duration::from_secs(2))?;
    Ok(format!(
        "ten started at once: all members of one group after {formed}, {views} site views"
    ))
}

/// All sites fail; three of them, then the others, go on from their stores.
pub fn cold_restart(cluster: &mut Cluster) -> Outcome<String> {
    begin(cluster)?;
    cluster.pass(Duration::from_secs(1))?;
    let last = |c: &Cluster| {
        let views = c.logs.iter().flat_map(|log| &log.site_views);
        views
            .max_by_key(|v| v.number)
            .map(|v| (v.number, v.epoch.clone()))
    };
    let before = last(cluster).ok_or("no site view")?;
    for site in cluster.sites() {
        cluster.kill(site)?;
    }
    cluster.begins_anew();
    let from = now();
    cluster.start_all(&[2, 4, 5])?;
    cluster.until("a majority to go on", |c| {
        c.sites()
            .iter()
            .all(|site| !c.log(*site).site_views.is_empty())
    })?;
    let went_on = since(from);
    cluster.start_all(&[1, 3])?;
    cluster.tell_all("join")?;
    cluster.whole()?;
    cluster.tell_all(LOAD)?;
    cluster.pass(Duration::from_secs(1))?;
    let first = &cluster.log(2).site_views[0];
    if first.epoch != before.1 || first.number <= before.0 {
        return Err(format!("view {} of {} after {before:?}", first.number, first.epoch).into());
    }
    Ok(format!(
        "all killed in site view {}: 3 of 5 went on with view {} of the same sequence after {went_on}, whole after {}",
        before.0,
        first.number,
        since(from)
    ))
}

/// A program is given the id of a site that lives.
pub fn same_id(cluster: &mut Cluster) -> Outcome<String> {
    const TOLD: &str = "another live site has this id";
    let views = begin(cluster)?;
    let stranger_site = 6;
    let peers: Vec<String> = [1, 2, 4, 5]
        .map(|site| format!("peer={site}@{}", address(site)))
        .into();
    let configuration = format!(
        "id=3 listen={} cluster=net insecure=yes {}",
        address(stranger_site),
        peers.join(" ")
    );
    let stranger = cluster.start_stranger(stranger_site, &configuration)?;
    cluster.pass(Duration::from_secs(6))?;
    let entered = cluster.log_of(stranger).site_views.len();
    let words = cluster.complaints(stranger);
    cluster.dismiss(stranger)?;
    if entered > 0 || !words.contains(TOLD) {
        return Err(format!("the stranger had {entered} views; it said {words}").into());
    }
    nobody_lost(cluster, views)?;
    Ok(format!(
        "a second site 3 for 6 s: not admitted, nobody lost; it was told: {TOLD}"
    ))
}
