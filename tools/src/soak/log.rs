//! What the sites of the soak said, and what follows from it.

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
}

/// Of one incarnation of a site.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `site.incarnation`, once it has opened.
    pub me: Option<String>,
    /// Group views by number.
    pub views: BTreeMap<u64, SeenView>,
    /// BCASTs and OBCASTs that it has sent, once it has stopped.
    pub sent: Option<(u64, u64)>,
    /// What it held each time that it was idle.
    pub idle: Vec<BTreeMap<String, u64>>,
    /// KiB of its memory in RAM, each time that it was asked.
    pub resident: Vec<u64>,
    /// By sender and primitive (`b` or `o`).
    pub from: BTreeMap<(String, String), Received>,
    /// It has said what it received.
    pub reported: bool,
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
                };
                self.views.insert(line.number("number")?, view);
            }
            "stopped" => self.sent = Some((line.number("bcasts")?, line.number("obcasts")?)),
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
            "reported" => self.reported = true,
            _ => {}
        }
        Some(())
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
        if let (Some(me), Some((bcasts, obcasts))) = (&log.me, log.sent) {
            verdict.lost += lost(observer, me, "b", bcasts) + lost(observer, me, "o", obcasts);
        }
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

fn lost(observer: &Log, sender: &str, kind: &str, sent: u64) -> u64 {
    let received = observer.from.get(&(sender.to_owned(), kind.to_owned()));
    sent.saturating_sub(received.map_or(0, |received| received.last))
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
        "stopped bcasts=10 obcasts=9",
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
