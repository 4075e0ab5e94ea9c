//! What the members of a run said, and what follows from it.

use std::collections::BTreeMap;

use crate::fields::Fields;

/// What a member delivered of one incarnation and primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The first message's number.
    pub first: u64,
    /// The highest number.
    pub last: u64,
    /// How many.
    pub count: u64,
}

impl Received {
    fn missing(self) -> u64 {
        (self.last + 1 - self.first).saturating_sub(self.count)
    }

    fn doubled(self) -> u64 {
        self.count.saturating_sub(self.last + 1 - self.first)
    }
}

/// A group view as a member saw it: its members, and the digests of the view before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenView {
    /// Oldest first.
    pub members: Vec<String>,
    /// How many messages were delivered in the view before, the order of its BCASTs, the set of all.
    pub before: [u64; 3],
    /// When, by CLOCK_MONOTONIC, if the member says so.
    pub at: u64,
    /// What the member had sent then and somebody had not taken, if it says so.
    pub in_flight: u64,
}

/// A site view as a member saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSiteView {
    /// Its number.
    pub number: u64,
    /// The name of its sequence.
    pub epoch: String,
    /// Oldest first.
    pub members: Vec<String>,
    /// When, by CLOCK_MONOTONIC.
    pub at: u64,
}

/// Of one incarnation of a site.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `site.incarnation`, once it has opened.
    pub me: Option<String>,
    /// Group views by number.
    pub views: BTreeMap<u64, SeenView>,
    /// Site views in their order, if it says so.
    pub site_views: Vec<SeenSiteView>,
    /// When it was told that no quorum is reachable.
    pub blocked: Vec<u64>,
    /// When it was told that one is reachable again.
    pub unblocked: Vec<u64>,
    /// When it was told that the others go on without it.
    pub excluded: Option<u64>,
    /// What it has sent by primitive (`b`, `o` or `g`), once it has stopped.
    pub sent: Option<BTreeMap<String, u64>>,
    /// The mean time in which a broadcast left its window, each time that it tried.
    pub alone_ns: Vec<u64>,
    /// What it held each time that it was idle.
    pub idle: Vec<BTreeMap<String, u64>>,
    /// KiB of its memory in RAM, each time that it was asked.
    pub resident: Vec<u64>,
    /// By sender and primitive.
    pub from: BTreeMap<(String, String), Received>,
    /// How often it has said what it received.
    pub reports: usize,
    /// What it had sent and somebody had not taken when it last reported, if it says so.
    pub in_flight: u64,
}

impl Log {
    /// Takes in a line.
    pub fn take(&mut self, line: &str) {
        let line = Fields::of(line);
        // What is not understood is missed later.
        let _ = self.understand(&line);
    }

    fn understand(&mut self, line: &Fields<'_>) -> Option<()> {
        match line.word() {
            "open" => self.me = Some(line.text("me")?.to_owned()),
            "view" => {
                let before = [
                    line.number("messages")?,
                    line.hex("order")?,
                    line.hex("set")?,
                ];
                let view = SeenView {
                    members: line.list("members")?,
                    before,
                    at: line.number("at").unwrap_or_default(),
                    in_flight: line.number("in_flight").unwrap_or_default(),
                };
                self.views.insert(line.number("number")?, view);
            }
            "siteview" => self.site_views.push(SeenSiteView {
                number: line.number("number")?,
                epoch: line.text("epoch")?.to_owned(),
                members: line.list("members")?,
                at: line.number("at")?,
            }),
            "blocked" => self.blocked.push(line.number("at")?),
            "unblocked" => self.unblocked.push(line.number("at")?),
            "excluded" => self.excluded = line.number("at"),
            "stopped" => self.sent = Some(line.numbers()),
            "alone" => self.alone_ns.push(line.number("mean_ns")?),
            "idle" => self.idle.push(line.numbers()),
            "resident" => self.resident.push(line.number("kib")?),
            "from" => {
                let received = Received {
                    first: line.number("first")?,
                    last: line.number("last")?,
                    count: line.number("count")?,
                };
                let sender = (line.text("site")?.to_owned(), line.text("kind")?.to_owned());
                self.from.insert(sender, received);
            }
            "reported" => {
                self.reports += 1;
                self.in_flight = line.number("in_flight").unwrap_or_default();
            }
            _ => {}
        }
        Some(())
    }

    /// Whether it has heard of a sender that has stopped, and not yet the last.
    pub fn awaits(&self, sender: &Log) -> bool {
        let (Some(name), Some(sent)) = (&sender.me, &sender.sent) else {
            return false;
        };
        sent.iter().any(|(kind, sent)| {
            let received = self.from.get(&(name.clone(), kind.clone()));
            received.is_some_and(|received| received.last < *sent)
        })
    }

    /// The members of its last view.
    pub fn members(&self) -> &[String] {
        self.views
            .last_key_value()
            .map_or(&[], |(_, view)| &view.members)
    }
}

/// What the logs say about the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that the observer should have and has not.
    pub lost: u64,
    /// Messages that some member has more than once.
    pub doubled: u64,
    /// Pairs of members that saw different views of one number.
    pub views_differ: u64,
    /// Pairs of members that delivered differently in one view.
    pub deliveries_differ: u64,
}

/// Judges the logs of all incarnations; `observer` was there throughout.
pub fn judge(logs: &[Log], observer: &Log) -> Verdict {
    let mut verdict = Verdict::default();
    for log in logs {
        verdict.lost += log
            .from
            .values()
            .map(|received| received.missing())
            .sum::<u64>();
        verdict.doubled += log
            .from
            .values()
            .map(|received| received.doubled())
            .sum::<u64>();
        verdict.lost += lost(observer, log);
    }
    // A member's first view closes nothing for it, and the observer heard every sender from its start.
    verdict.lost += observer
        .from
        .values()
        .map(|received| received.first.abs_diff(1))
        .sum::<u64>();
    let mut agreed: BTreeMap<u64, &[String]> = BTreeMap::new();
    let mut delivered: BTreeMap<u64, [u64; 3]> = BTreeMap::new();
    for log in logs {
        for (place, (number, view)) in log.views.iter().enumerate() {
            let members = *agreed.entry(*number).or_insert(&view.members);
            verdict.views_differ += u64::from(members != view.members);
            if place > 0 {
                let before = *delivered.entry(*number).or_insert(view.before);
                verdict.deliveries_differ += u64::from(before != view.before);
            }
        }
    }
    verdict
}

/// How many of the last messages of a sender that has stopped a member lacks.
fn lost(observer: &Log, sender: &Log) -> u64 {
    let (Some(name), Some(sent)) = (&sender.me, &sender.sent) else {
        return 0;
    };
    let lacks = |(kind, sent): (&String, &u64)| {
        let received = observer.from.get(&(name.clone(), kind.clone()));
        sent.saturating_sub(received.map_or(0, |received| received.last))
    };
    sent.iter().map(lacks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Log {
        let mut log = Log::default();
        lines.iter().for_each(|line| log.take(line));
        log
    }

    const SENDER: [&str; 4] = [
        "open me=1.5",
        "view number=1 members=1.5,2.6 messages=0 order=0 set=0",
        "view number=2 members=1.5 messages=7 order=a set=b",
        "stopped b=10 o=9",
    ];

    const OBSERVER: [&str; 5] = [
        "open me=2.6",
        "view number=1 members=1.5,2.6 messages=0 order=0 set=0",
        "view number=2 members=1.5 messages=7 order=a set=b",
        "from site=1.5 kind=b first=1 last=10 count=10",
        "from site=1.5 kind=o first=1 last=9 count=9",
    ];

    fn verdict_with(place: usize, line: &'static str) -> Verdict {
        let mut lines = OBSERVER;
        lines[place] = line;
        let observer = log(&lines);
        judge(&[log(&SENDER), observer.clone()], &observer)
    }

    #[test]
    fn a_good_run_is_good() {
        assert_eq!(verdict_with(0, "open me=2.6"), Verdict::default());
    }

    #[test]
    fn what_is_still_to_come_is_awaited() {
        let observer = log(&OBSERVER);
        assert!(!observer.awaits(&log(&SENDER)));
        let mut lines = SENDER;
        lines[3] = "stopped b=11 o=9";
        assert!(observer.awaits(&log(&lines)));
        assert!(!observer.awaits(&log(&SENDER[..3])), "it has not stopped");
        assert!(!log(&OBSERVER[..3]).awaits(&log(&SENDER)), "it came later");
    }

    #[test]
    fn each_fault_is_seen() {
        let good = Verdict::default();
        let last = verdict_with(3, "from site=1.5 kind=b first=1 last=9 count=9");
        assert_eq!(last, Verdict { lost: 1, ..good });
        let middle = verdict_with(3, "from site=1.5 kind=b first=1 last=10 count=9");
        assert_eq!(middle, Verdict { lost: 1, ..good });
        let doubled = verdict_with(4, "from site=1.5 kind=o first=1 last=9 count=10");
        assert_eq!(doubled, Verdict { doubled: 1, ..good });
        let view = verdict_with(2, "view number=2 members=1.5,9.9 messages=7 order=a set=b");
        assert_eq!(
            view,
            Verdict {
                views_differ: 1,
                ..good
            }
        );
        let order = verdict_with(2, "view number=2 members=1.5 messages=7 order=c set=b");
        assert_eq!(
            order,
            Verdict {
                deliveries_differ: 1,
                ..good
            }
        );
    }
}
