//! What the members say about themselves: one line per event on their standard output, and at the
//! end their replicas as files.
//!
//! ```text
//! open incarnation=17
//! siteview number=2 at=<ns> members=1.17,2.5,3.9
//! view number=4 at=<ns> members=1.17,2.5
//! progress sent=512 of=6667 lines=1300 words=10912
//! last                        before the last line of the share is sent, never after
//! resume missing_lines=2101 missing_words=17800
//! complete                    every member's lines and words are in
//! report incarnation=17 queue=<hex> tally=<hex> queue_since=<hex> tally_since=<hex>
//! ```

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::path::Path;

use crate::fields::Fields;

/// A view and when the member's callback had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenView {
    /// The members, oldest first, as the member writes them.
    pub members: Vec<String>,
    /// CLOCK_MONOTONIC in nanoseconds.
    pub at: u64,
}

/// The digests of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// Of the queue, in its order.
    pub queue: u64,
    /// Of the tally.
    pub tally: u64,
    /// Of the queue since the last view in which somebody joined.
    pub queue_since: u64,
    /// Of the tally since that view.
    pub tally_since: u64,
}

/// All that is known of one incarnation of a member.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Its site.
    pub site: usize,
    /// Its incarnation, as it says.
    pub incarnation: u64,
    /// Its site views by number.
    pub site_views: BTreeMap<u64, SeenView>,
    /// Its group views by number.
    pub views: BTreeMap<u64, SeenView>,
    /// Lines it has sent, of its share.
    pub sent: (u64, u64),
    /// Lines and words delivered to it.
    pub delivered: (u64, u64),
    /// It has said that it sends its last line.
    pub said_last: bool,
    /// Every member's items are delivered to it.
    pub complete: bool,
    /// Its digests, once it has reported.
    pub digests: Option<Digests>,
    /// The queue: number and text of each line, in order of delivery.
    pub queue: Vec<(u64, Vec<u8>)>,
    /// Number and text of each word, in order of delivery.
    pub words: Vec<(u64, Vec<u8>)>,
    /// The tally.
    pub tally: BTreeMap<Vec<u8>, u64>,
    /// What it said that nobody expected.
    pub strange: Vec<String>,
}

fn view(line: &Fields<'_>) -> Option<(u64, SeenView)> {
    let (members, at) = (line.list("members")?, line.number("at")?);
    Some((line.number("number")?, SeenView { members, at }))
}

impl Record {
    /// Of a member that has not said anything.
    pub fn new(site: usize) -> Record {
        Record {
            site,
            ..Record::default()
        }
    }

    /// Takes in a line that the member has printed.
    pub fn take(&mut self, line: &str) {
        if self.understand(line).is_none() {
            self.strange.push(line.to_owned());
        }
    }

    fn understand(&mut self, line: &str) -> Option<()> {
        let fields = Fields::of(line);
        match fields.word() {
            // The views in which members leave at the end come to some and not to others.
            "siteview" | "view" if self.digests.is_some() => {}
            "open" => self.incarnation = fields.number("incarnation")?,
            "siteview" => self.site_views.extend([view(&fields)?]),
            "view" => self.views.extend([view(&fields)?]),
            "progress" => {
                self.sent = (fields.number("sent")?, fields.number("of")?);
                self.delivered = (fields.number("lines")?, fields.number("words")?);
            }
            "last" => self.said_last = true,
            "complete" => self.complete = true,
            "report" => {
                self.digests = Some(Digests {
                    queue: fields.hex("queue")?,
                    tally: fields.hex("tally")?,
                    queue_since: fields.hex("queue_since")?,
                    tally_since: fields.hex("tally_since")?,
                });
            }
            "resume" | "blocked" | "unblocked" => {}
            _ => return None,
        }
        Some(())
    }

    /// Reads the files in which the member left its replica: `<base>.queue` and `<base>.words` with
    /// lines `<number> <bytes>`, `<base>.tally` with lines `<count> <word>`.
    pub fn read_replica(&mut self, base: &Path) -> Result<()> {
        self.queue = numbered(&base.with_extension("queue"))?;
        self.words = numbered(&base.with_extension("words"))?;
        let tally = numbered(&base.with_extension("tally"))?;
        self.tally = tally
            .into_iter()
            .map(|(count, word)| (word, count))
            .collect();
        Ok(())
    }
}

fn numbered(path: &Path) -> Result<Vec<(u64, Vec<u8>)>> {
    let bad = || {
        Error::other(format!(
            "{}: not `<number> <bytes>` on every line",
            path.display()
        ))
    };
    let bytes = std::fs::read(path)?;
    let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    lines
        .split(|b| *b == b'\n')
        .map(|line| {
            let space = line.iter().position(|b| *b == b' ').ok_or_else(bad)?;
            let number = std::str::from_utf8(&line[..space])
                .ok()
                .and_then(|n| n.parse().ok());
            Ok((number.ok_or_else(bad)?, line[space + 1..].to_vec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_a_record() {
        let mut record = Record::new(2);
        for line in [
            "open incarnation=17",
            "siteview number=1 at=5 members=1.17,2.5",
            "view number=3 at=9 members=1.17",
            "progress sent=2 of=10 lines=3 words=4",
            "last",
            "complete",
            "report incarnation=17 queue=ff tally=1 queue_since=2 tally_since=3",
        ] {
            record.take(line);
        }
        assert_eq!(record.incarnation, 17);
        assert_eq!(record.site_views[&1].members, ["1.17", "2.5"]);
        assert_eq!(record.views[&3].at, 9);
        assert_eq!((record.sent, record.delivered), ((2, 10), (3, 4)));
        assert!(record.said_last && record.complete && record.strange.is_empty());
        assert_eq!(record.digests.unwrap().queue, 255);
        record.take("view number=4 at=10 members=2.5");
        assert_eq!(record.views.len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let mut record = Record::new(1);
        record.take("Segmentation fault");
        record.take("view number=x");
        assert_eq!(record.strange.len(), 2);
    }
}
