//! Small runs that record themselves, for pictures and for tests of the audit:
//!
//! ```text
//! cargo run --release -p isis-core --example histories -- take-over DIR
//! isis trace DIR -o take-over.svg
//! ```
//!
//! All sites run in this program, over the in-process network. `take-over` kills the oldest site, the
//! view manager, among broadcasts. `chain` has OBCASTs that follow from one another. `everything` uses
//! all primitives in two groups, and kills a site.
// The clock bounds the waits.
#![allow(clippy::disallowed_types)]

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isis_core::Error;
use isis_core::config::Config;
use isis_core::delivery::{Event, Olabel};
use isis_core::ids::{MessageId, SiteId};
use isis_core::runtime::{Group, InProcessNetwork, Process, Site, Wait};

type Outcome<T> = Result<T, Box<dyn StdError>>;

/// Longer than any step takes.
const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, folder] = &arguments[..] else {
        return Err("histories take-over|chain|everything DIR".into());
    };
    match scenario.as_str() {
        "take-over" => take_over(folder),
        "chain" => chain(folder),
        "everything" => everything(folder),
        other => Err(format!("no scenario {other:?}").into()),
    }
}

/// Sites 1 to n, in one view, that record to this folder.
fn open(folder: &str, cluster: &str, n: u32) -> Outcome<Vec<Site>> {
    let network = Arc::new(InProcessNetwork::new());
    let address = |id: u32| format!("site-{id}:1");
    let mut sites = Vec::new();
    for id in 1..=n {
        let mut config = Config::new(SiteId(id));
        config.cluster = cluster.into();
        config.listen = address(id);
        config.hello_interval = Duration::from_millis(50);
        config.suspect_after = Duration::from_millis(1000);
        config.record = folder.into();
        let others = (1..=n).filter(|other| *other != id);
        config.peers = others.map(|id| (SiteId(id), address(id))).collect();
        sites.push(Site::open_with(config, network.clone())?);
    }
    for site in &sites {
        site.wait_view(n as usize, LONG)?;
    }
    Ok(sites)
}

/// All these processes become members of the group.
fn join(processes: &[Process], name: &str) -> Outcome<Vec<Group>> {
    let mut groups = Vec::new();
    for process in processes {
        groups.push(process.join(name, LONG)?);
    }
    members(&groups, groups.len())?;
    Ok(groups)
}

/// Each takes events until its view has so many members.
fn members(groups: &[Group], n: usize) -> Outcome<()> {
    for group in groups {
        while group.view().is_none_or(|view| view.members.len() != n) {
            group.process().next(LONG)?;
        }
    }
    Ok(())
}

/// Takes events until this broadcast has come.
fn take(process: &Process, id: MessageId) -> Outcome<()> {
    loop {
        if let Event::Message(message) = process.next(LONG)?
            && message.id == id
        {
            return Ok(());
        }
    }
}

/// Takes whatever is there.
fn drain(processes: &[Process]) -> Outcome<()> {
    for process in processes {
        loop {
            match process.next(Some(Duration::from_millis(30))) {
                Ok(_) => {}
                Err(Error::TimedOut) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Closes the sites when all has been taken everywhere.
fn close(sites: &[Site], processes: &[Process]) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while sites.iter().any(|site| site.stats().in_flight_messages > 0) {
        if Instant::now() > deadline {
            return Err("not at rest in time".into());
        }
        drain(processes)?;
    }
    for site in sites {
        site.close(LONG)?;
    }
    Ok(())
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn processes(sites: &[Site]) -> Outcome<Vec<Process>> {
    let mut processes = Vec::new();
    for site in sites {
        processes.push(site.process("member")?);
    }
    Ok(processes)
}

/// Five members send in turn; the oldest site, the view manager, dies with a broadcast of each on the way.
fn take_over(folder: &str) -> Outcome<()> {
    let sites = open(folder, "take-over", 5)?;
    let processes = processes(&sites)?;
    let groups = join(&processes, "text")?;
    for group in groups.iter().step_by(2) {
        let id = group.bcast("line", text("before"), Wait::Forever)?;
        for process in &processes {
            take(process, id)?;
        }
    }
    for group in &groups {
        group.bcast("line", text("on the way"), Wait::Forever)?;
    }
    sites[0].halt();
    members(&groups[1..], 4)?;
    for group in groups[1..].iter().step_by(2) {
        let id = group.bcast("line", text("after"), Wait::Forever)?;
        for process in &processes[1..] {
            take(process, id)?;
        }
    }
    close(&sites[1..], &processes[1..])
}

/// One asks, the next answers, the third follows that; beside them a stream that waits for nobody.
fn chain(folder: &str) -> Outcome<()> {
    let sites = open(folder, "chain", 4)?;
    let processes = processes(&sites)?;
    let groups = join(&processes, "talk")?;
    groups[3].obcast(Olabel::Stream("aside".into()), text("0"), Wait::Forever)?;
    let mut last = groups[0].obcast(Olabel::Causal, text("question"), Wait::Forever)?;
    for turn in 1..8 {
        let next = &groups[turn % 3];
        take(next.process(), last)?;
        last = next.obcast(Olabel::Causal, text("answer"), Wait::Forever)?;
    }
    take(&processes[3], last)?;
    drain(&processes)?;
    close(&sites, &processes)
}

/// Every primitive, in two groups with the same members, to lists, a flush, and a site that dies.
fn everything(folder: &str) -> Outcome<()> {
    let sites = open(folder, "everything", 4)?;
    let processes = processes(&sites)?;
    let (g, h) = (join(&processes, "g")?, join(&processes, "h")?);
    let ids: Vec<_> = processes.iter().map(Process::id).collect();
    for (i, group) in g.iter().enumerate() {
        group.bcast("q", text("in g"), Wait::Forever)?;
        h[i].bcast("q", text("in h"), Wait::Forever)?;
        processes[i].bcast_to(&ids[..2], "two", text("to two"), Wait::Forever)?;
    }
    drain(&processes)?;
    follow_through_lists(&processes)?;
    let mut last = g[0].obcast(Olabel::Causal, text("first"), Wait::Forever)?;
    for next in &g[1..] {
        take(next.process(), last)?;
        last = next.obcast(Olabel::Causal, text("next"), Wait::Forever)?;
    }
    drain(&processes)?;
    g[1].gbcast(text("cut"), Wait::Forever)?;
    drain(&processes)?;
    // What the last site takes and tells of before it dies.
    let seen = [ids[0], ids[3]];
    let seen = processes[3].bcast_to(&seen, "seen", text("seen"), Wait::Forever)?;
    take(&processes[3], seen)?;
    h[3].bcast("q", text("the last one of D"), Wait::Forever)?;
    drain(&processes)?;
    processes[1].flush(LONG)?;
    sites[3].halt();
    members(&g[..3], 3)?;
    members(&h[..3], 3)?;
    g[0].bcast("q", text("after"), Wait::Forever)?;
    h[2].leave(LONG)?;
    drain(&processes[..3])?;
    g[1].obcast(Olabel::Unordered, text("the end"), Wait::Forever)?;
    drain(&processes[..3])?;
    close(&sites[..3], &processes[..3])
}

/// The third broadcast comes after the first at C, though its sender never heard of that.
fn follow_through_lists(processes: &[Process]) -> Outcome<()> {
    let [a, b, c, d] = processes else {
        return Err("four processes".into());
    };
    let first = a.obcast_to(&[b.id(), c.id()], Olabel::Causal, text("1"), Wait::Forever)?;
    take(b, first)?;
    let second = b.obcast_to(&[d.id()], Olabel::Causal, text("2"), Wait::Forever)?;
    take(d, second)?;
    let third = d.obcast_to(&[c.id()], Olabel::Causal, text("3"), Wait::Forever)?;
    take(c, third)
}
