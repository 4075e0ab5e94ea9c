//! What happened in a run, and in how many runs: a simulation in which the interesting things never
//! occur proves nothing.

use std::collections::BTreeSet;
use std::fmt;

use isis_core::audit::trace::{Trace, What};
use isis_core::broadcast::{Counts as Travelled, TRAVELLED};

/// How often each kind of event occurred in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub broadcasts: u64,
    pub groups: u64,
    pub site_views: u64,
    pub group_views: u64,
    pub take_overs: u64,
    pub orphans: u64,
    pub reconnects: u64,
    pub restarts: u64,
    pub partitions: u64,
    pub resumed: u64,
    pub aborted_runs: u64,
    pub orphaned_runs: u64,
    pub resent: u64,
    pub second_chances: u64,
    pub exclusions: u64,
    pub carried_records: u64,
    pub own_pauses: u64,
    pub would_block: u64,
    pub ended_blocked: u64,
    /// Of each of [`TRAVELLED`].
    pub travelled: Travelled,
    pub outside: u64,
    pub undeliverable: u64,
    pub total_failures: u64,
    pub revivals: u64,
    pub safe: u64,
}

impl Counts {
    /// What the record of the run tells.
    pub fn read(&mut self, trace: &Trace) {
        let (mut hosts, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for record in &trace.records {
            match &record.what {
                What::Start(site) => self.restarts += u64::from(!hosts.insert(site.id)),
                What::Install(_, view) => self.site_views = self.site_views.max(view.number.0),
                What::Out { asked, .. } => self.exclusions += u64::from(!asked),
                What::Send(m) => self.safe += u64::from(m.safe),
                What::View(_, view) => {
                    groups.insert((view.group, view.number));
                }
                _ => {}
            }
        }
        let instances: BTreeSet<_> = groups.iter().map(|(group, _)| *group).collect();
        self.groups = instances.len() as u64;
        self.group_views = (groups.len() - instances.len()) as u64;
    }

    pub fn add_travelled(&mut self, more: Travelled) {
        self.travelled
            .iter_mut()
            .zip(more)
            .for_each(|(n, m)| *n += m);
    }
}

/// The events that at least [`LEAST_SHARE`] of all seeds must show.
type Event = (&'static str, fn(&Counts) -> u64);
const REQUIRED: [Event; 17] = [
    ("take-over", |c| c.take_overs),
    ("completion of an orphan", |c| c.orphans),
    ("reconnect and resume", |c| c.reconnects),
    ("restart", |c| c.restarts),
    ("partition", |c| c.partitions),
    ("blocked and resumed", |c| c.resumed),
    ("GBCAST run whose coordinator died", |c| c.orphaned_runs),
    ("rejection and re-send", |c| c.resent),
    (TRAVELLED[0], |c| c.travelled[0]),
    (TRAVELLED[1], |c| c.travelled[1]),
    (TRAVELLED[2], |c| c.travelled[2]),
    (TRAVELLED[3], |c| c.travelled[3]),
    (TRAVELLED[4], |c| c.travelled[4]),
    ("broadcast from outside a group", |c| c.outside),
    ("total failure", |c| c.total_failures),
    ("going on from stores", |c| c.revivals),
    ("safe BCAST", |c| c.safe),
];
const OTHERS: [Event; 8] = [
    ("GBCAST run aborted by a site view", |c| c.aborted_runs),
    ("second chance", |c| c.second_chances),
    ("exclusion of the living", |c| c.exclusions),
    ("commit record carried", |c| c.carried_records),
    ("own pause noticed", |c| c.own_pauses),
    ("send refused for want of room", |c| c.would_block),
    ("no quorum left at the end", |c| c.ended_blocked),
    ("broadcast to a group that was dissolved", |c| {
        c.undeliverable
    }),
];

/// Per mille of seeds.
const LEAST_SHARE: usize = 30;

/// The counts of many runs.
#[derive(Debug, Default)]
pub struct Table(pub Vec<Counts>);

impl Table {
    fn share(&self, event: fn(&Counts) -> u64) -> usize {
        let with = self.0.iter().filter(|c| event(c) > 0).count();
        with * 1000 / self.0.len().max(1)
    }

    fn median(&self, event: fn(&Counts) -> u64) -> u64 {
        let mut values: Vec<u64> = self.0.iter().map(event).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    /// What did not occur often enough.
    pub fn shortcomings(&self) -> Vec<String> {
        let rare = |(name, event): &&Event| {
            (self.share(*event) < LEAST_SHARE).then(|| format!("{name} is too rare"))
        };
        let mut all: Vec<String> = REQUIRED.iter().filter_map(|e| rare(&e)).collect();
        for (name, least, event) in [
            (
                "broadcasts",
                100,
                (|c: &Counts| c.broadcasts) as fn(&Counts) -> u64,
            ),
            ("groups", 2, |c| c.groups),
            ("view changes", 1, |c| c.site_views + c.group_views),
        ] {
            let median = self.median(event);
            if median < least {
                all.push(format!("the median seed has only {median} {name}"));
            }
        }
        all
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds; the median one has {} broadcasts, {} groups, {} site views, {} group views",
            self.0.len(),
            self.median(|c| c.broadcasts),
            self.median(|c| c.groups),
            self.median(|c| c.site_views),
            self.median(|c| c.group_views),
        )?;
        writeln!(f, "{:40} {:>10}", "event", "% of seeds")?;
        for (name, event) in REQUIRED.iter().chain(&OTHERS) {
            let share = self.share(*event);
            writeln!(f, "{name:40} {:>8}.{}", share / 10, share % 10)?;
        }
        Ok(())
    }
}
