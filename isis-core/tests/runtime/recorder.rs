//! Recorded histories: what is in them, and that a recording never harms the site.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use isis_core::audit::entry::Why;
use isis_core::audit::history::History;
use isis_core::audit::merge::merge;
use isis_core::audit::properties::{ALL, first_violation};
use isis_core::audit::read::{Recorded, read};
use isis_core::audit::trace::{Trace, What, digest};
use isis_core::delivery::Olabel;
use isis_core::runtime::{InProcessNetwork, Site, Wait};

use crate::support::*;

/// A folder of this test alone, empty.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    path
}

/// Sites 1 to n in process, in one view, that record.
fn recorded_sites(folder: &Path, n: usize) -> Vec<Site> {
    let network = Arc::new(InProcessNetwork::new());
    let addresses: Vec<String> = (1..=n).map(|i| format!("site-{i}:1")).collect();
    let open = |mut config: isis_core::config::Config| {
        config.record = folder.to_str().unwrap().into();
        Site::open_with(config, network.clone()).unwrap()
    };
    in_one_view(configs(&addresses).into_iter().map(open).collect())
}

fn histories(folder: &Path) -> Vec<Recorded> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let open = |path: &PathBuf| {
        let file = BufReader::new(File::open(path).unwrap());
        read(path.file_name().unwrap().to_str().unwrap(), file)
    };
    paths
        .iter()
        .map(|path| open(path).unwrap().unwrap())
        .collect()
}

#[track_caller]
fn is_good(trace: &Trace) {
    assert_eq!(first_violation(&History::new(trace), &ALL), Ok(()));
}

#[test]
fn a_recorded_run_has_everything_and_is_good() {
    let folder = folder("recorder-run");
    let sites = recorded_sites(&folder, 3);
    let groups = members(&sites, "g");
    let payload = Bytes::from_static(b"hello");
    let bcast = groups[0]
        .safe_bcast("q", payload.clone(), Wait::Forever)
        .unwrap();
    let obcast = groups[1]
        .obcast(Olabel::Causal, payload.clone(), Wait::Forever)
        .unwrap();
    let gbcast = groups[2].gbcast(payload.clone(), Wait::Forever).unwrap();
    let to = [groups[2].process().id()];
    let list = groups[1]
        .process()
        .bcast_to(&to, "q", payload.clone(), Wait::Forever)
        .unwrap();
    for (group, n) in groups.iter().zip([3, 3, 4]) {
        messages(group, n);
        group.process().flush(LONG).unwrap();
    }
    let at_rest = || {
        groups
            .iter()
            .all(|g| g.process().site().stats().in_flight_messages == 0)
    };
    eventually("everything is taken everywhere", at_rest);
    for site in &sites {
        let stats = site.stats();
        assert!(stats.history_records > 8);
        assert_eq!(stats.history_failed, 0);
    }
    for site in &sites {
        site.close(LONG).unwrap();
    }
    let histories = histories(&folder);
    for (history, site) in histories.iter().zip(&sites) {
        assert_eq!(history.site(), site.id());
        assert_eq!((history.end, history.torn), (Some(Why::Closed), false));
        let has = |wanted: &dyn Fn(&What) -> bool| history.lines.iter().any(|l| wanted(&l.what));
        assert!(has(
            &|w| matches!(w, What::Install(_, v) if v.members.len() == 3)
        ));
        assert!(has(
            &|w| matches!(w, What::View(_, v) if v.members.len() == 3)
        ));
        assert!(has(&|w| matches!(w, What::FlushEnd(_, _))));
        assert!(has(&|w| matches!(w, What::Leaving(_))));
        let ends = history
            .lines
            .iter()
            .filter(|l| matches!(l.what, What::Out { .. }));
        assert_eq!(ends.count(), 1);
        for id in [bcast, obcast, gbcast] {
            let taken = |w: &What| {
                matches!(w, What::Deliver(_, m)
                if m.id == id && m.length == 5 && m.digest == digest(b"hello"))
            };
            assert!(has(&taken), "{id} at {}", history.site());
        }
    }
    for (history, id, safe) in [(0, bcast, true), (1, list, false)] {
        let sent = |w: &What| matches!(w, What::Send(m) if m.id == id && m.safe == safe);
        let mut lines = histories[history].lines.iter();
        assert!(lines.any(|l| sent(&l.what)), "{id}");
    }
    let trace = merge(histories, true).unwrap();
    is_good(&trace);
}

#[test]
fn a_killed_site_s_history_is_judged_with_the_others() {
    let folder = folder("recorder-killed");
    let sites = recorded_sites(&folder, 3);
    let groups = members(&sites, "g");
    for (i, group) in groups.iter().enumerate() {
        for n in 0..20 {
            let payload = Bytes::from(format!("{i} {n}"));
            group.bcast("q", payload.clone(), Wait::Forever).unwrap();
            group
                .obcast(Olabel::Causal, payload, Wait::Forever)
                .unwrap();
        }
    }
    sites[0].halt();
    for group in &groups[1..] {
        until_view_of(group, 2);
        group.process().flush(LONG).unwrap();
        while group.process().try_next().is_some() {}
    }
    for site in &sites[1..] {
        site.close(LONG).unwrap();
    }
    let histories = histories(&folder);
    assert_eq!(histories[0].end, Some(Why::Halted));
    is_good(&merge(histories, false).unwrap());
}

/// Nobody must learn of a broadcast that is not in its sender's file: the file is read while the site
/// runs, as it would stand after a SIGKILL.
#[test]
fn what_others_have_taken_is_in_the_sender_s_file() {
    let folder = folder("recorder-order");
    let sites = recorded_sites(&folder, 2);
    let groups = members(&sites, "g");
    for n in 0..100u32 {
        let payload = Bytes::from(n.to_string());
        let id = groups[0]
            .obcast(Olabel::Causal, payload, Wait::Forever)
            .unwrap();
        assert_eq!(next_message(&groups[1]).id, id);
        let histories = histories(&folder);
        let sent = |w: &What| matches!(w, What::Send(m) if m.id == id);
        assert!(histories[0].lines.iter().any(|l| sent(&l.what)), "{id}");
    }
    halt(&sites);
}

#[test]
fn a_folder_that_cannot_be_made_stops_nobody() {
    let folder = folder("recorder-no-folder");
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "a file").unwrap();
    let sites = recorded_sites(&folder, 2);
    let groups = members(&sites, "g");
    groups[0].bcast("q", Bytes::new(), Wait::Forever).unwrap();
    assert_eq!(messages(&groups[1], 1).len(), 1);
    for site in &sites {
        assert_eq!(site.stats().history_failed, 1);
        assert_eq!(site.stats().history_records, 0);
    }
    halt(&sites);
    fs::remove_file(&folder).unwrap();
}
