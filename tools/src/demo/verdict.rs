//! The verdict: a function of the text and of what the members recorded, nothing else.

use std::collections::BTreeMap;
use std::fmt;

use super::digest;
use super::record::{Record, SeenView};
use super::text::Text;

/// What the members' records say about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Every two members that had a view of one number had the same one.
    pub views_agree: bool,
    /// The survivors' queues are the same, and all members' since the restarted site joined.
    pub order_agree: bool,
    /// The same of the tallies.
    pub tally_agree: bool,
    /// Lines and words of the text that a survivor does not have.
    pub lost: u64,
    /// Lines and words that a survivor has more than once, or that are not in the text.
    pub duplicated: u64,
}

impl Verdict {
    /// Whether all is as promised.
    pub fn good(&self) -> bool {
        self.views_agree
            && self.order_agree
            && self.tally_agree
            && self.lost == 0
            && self.duplicated == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |yes| if yes { "yes" } else { "no" };
        write!(
            f,
            "views_agree={} order_agree={} tally_agree={} lost={} duplicated={}",
            say(self.views_agree),
            say(self.order_agree),
            say(self.tally_agree),
            self.lost,
            self.duplicated
        )
    }
}

/// Judges a run. `survivors` lived throughout; `restarted` is the new incarnation of the one that
/// was killed, `killed` the old one, of which only the views count.
pub fn judge(text: &Text, survivors: &[&Record], restarted: &Record, killed: &Record) -> Verdict {
    let everybody: Vec<&Record> = survivors
        .iter()
        .copied()
        .chain([restarted, killed])
        .collect();
    let present: Vec<&Record> = survivors.iter().copied().chain([restarted]).collect();
    let damage: Vec<(u64, u64)> = survivors
        .iter()
        .map(|member| damage(text, member))
        .collect();
    Verdict {
        views_agree: views_agree(&everybody, |member| &member.views)
            && views_agree(&everybody, |member| &member.site_views)
            && same(survivors, |member| Some(numbers(member))),
        order_agree: same(survivors, |member| Some(member.digests?.queue))
            && same(&present, |member| Some(member.digests?.queue_since))
            && survivors.iter().all(|m| {
                m.digests
                    .is_some_and(|d| d.queue == digest::of_queue(&m.queue))
            }),
        tally_agree: same(survivors, |member| Some(member.digests?.tally))
            && same(&present, |member| Some(member.digests?.tally_since))
            && survivors.iter().all(|m| {
                m.digests
                    .is_some_and(|d| d.tally == digest::of_tally(&m.tally))
            }),
        lost: damage
            .iter()
            .map(|(lost, _)| *lost)
            .max()
            .unwrap_or(u64::MAX),
        duplicated: damage
            .iter()
            .map(|(_, duplicated)| *duplicated)
            .max()
            .unwrap_or(u64::MAX),
    }
}

/// Whether the members' answers are there and the same.
fn same<T: PartialEq>(members: &[&Record], what: impl Fn(&Record) -> Option<T>) -> bool {
    let answers: Vec<Option<T>> = members.iter().map(|member| what(member)).collect();
    answers
        .iter()
        .all(|answer| answer.is_some() && *answer == answers[0])
}

/// The numbers of the group views that a member has seen since all three were in.
fn numbers(member: &Record) -> Vec<u64> {
    let all_in = member
        .views
        .iter()
        .find(|(_, view)| view.members.len() >= 3)
        .map(|(n, _)| *n);
    member
        .views
        .keys()
        .copied()
        .filter(|n| all_in.is_some_and(|first| *n >= first))
        .collect()
}

fn views_agree(members: &[&Record], views: impl Fn(&Record) -> &BTreeMap<u64, SeenView>) -> bool {
    let mut agreed: BTreeMap<u64, &[String]> = BTreeMap::new();
    members.iter().all(|member| {
        let views = views(member);
        !views.is_empty()
            && views
                .iter()
                .all(|(n, view)| *agreed.entry(*n).or_insert(&view.members) == view.members)
    })
}

/// How many lines and words of the text a member lacks, and has in excess.
fn damage(text: &Text, member: &Record) -> (u64, u64) {
    let (lines_lost, lines_doubled) = compare(text.lines(), &member.queue);
    let (words_lost, words_doubled) = compare(text.words(), &member.words);
    let (counts_lost, counts_doubled) = compare_counts(text, member);
    // A word that is missing is missing from the tally as well: one loss, seen twice.
    (
        lines_lost + words_lost.max(counts_lost),
        lines_doubled + words_doubled.max(counts_doubled),
    )
}

fn compare(items: &[Vec<u8>], delivered: &[(u64, Vec<u8>)]) -> (u64, u64) {
    let mut seen = vec![false; items.len()];
    let mut excess = 0;
    for (number, item) in delivered {
        let place = *number as usize;
        if items.get(place) == Some(item) && !seen[place] {
            seen[place] = true;
        } else {
            excess += 1;
        }
    }
    (seen.iter().filter(|seen| !**seen).count() as u64, excess)
}

fn compare_counts(text: &Text, member: &Record) -> (u64, u64) {
    let mut balance: BTreeMap<&[u8], i64> = BTreeMap::new();
    for word in text.words() {
        *balance.entry(word).or_default() += 1;
    }
    for (word, count) in &member.tally {
        *balance.entry(word).or_default() -= *count as i64;
    }
    let lost: i64 = balance.values().filter(|missing| **missing > 0).sum();
    let excess: i64 = balance.values().filter(|missing| **missing < 0).sum();
    (lost.unsigned_abs(), excess.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::record::Digests;

    const CUT: usize = 4;

    fn text() -> Text {
        Text::new(b"the brig before the ketch\nthe ketch\nbefore the brig\nand\nthe bell\n")
    }

    fn numbered(items: &[Vec<u8>]) -> Vec<(u64, Vec<u8>)> {
        items
            .iter()
            .enumerate()
            .map(|(n, item)| (n as u64, item.clone()))
            .collect()
    }

    fn tally(words: &[(u64, Vec<u8>)]) -> BTreeMap<Vec<u8>, u64> {
        let mut tally = BTreeMap::new();
        for (_, word) in words {
            *tally.entry(word.clone()).or_default() += 1;
        }
        tally
    }

    /// What a member with this queue and these words in this order reports. The tally of the second
    /// digest begins at the end of the words, for the sake of short tests.
    fn member(queue: Vec<(u64, Vec<u8>)>, words: Vec<(u64, Vec<u8>)>, cut: usize) -> Record {
        let mut record = Record::new(1);
        let tally = tally(&words);
        record.digests = Some(Digests {
            queue: digest::of_queue(&queue),
            tally: digest::of_tally(&tally),
            queue_since: digest::of_queue(&queue[cut..]),
            tally_since: 0,
        });
        (record.queue, record.words, record.tally) = (queue, words, tally);
        for (number, members) in [(3, "a b c"), (4, "b c"), (5, "b c d")] {
            let members = members.split(' ').map(String::from).collect();
            record.views.insert(
                number,
                SeenView {
                    members,
                    at: number,
                },
            );
        }
        record.site_views = record.views.clone();
        record
    }

    struct Run {
        first: Record,
        second: Record,
        restarted: Record,
        killed: Record,
    }

    impl Run {
        fn good() -> Run {
            let (lines, words) = (numbered(text().lines()), numbered(text().words()));
            let first = member(lines.clone(), words.clone(), CUT);
            let mut restarted = member(lines[CUT..].to_vec(), Vec::new(), 0);
            restarted.views.retain(|number, _| *number == 5);
            let mut killed = Record::new(1);
            (killed.views, killed.site_views) = (first.views.clone(), first.site_views.clone());
            killed.views.retain(|number, _| *number == 3);
            Run {
                second: first.clone(),
                first,
                restarted,
                killed,
            }
        }

        fn with_first(queue: Vec<(u64, Vec<u8>)>, words: Vec<(u64, Vec<u8>)>) -> Run {
            let cut = queue.len() - 1;
            Run {
                first: member(queue, words, cut),
                ..Run::good()
            }
        }

        fn verdict(&self) -> Verdict {
            judge(
                &text(),
                &[&self.first, &self.second],
                &self.restarted,
                &self.killed,
            )
        }
    }

    const GOOD: Verdict = Verdict {
        views_agree: true,
        order_agree: true,
        tally_agree: true,
        lost: 0,
        duplicated: 0,
    };

    #[test]
    fn a_good_run_is_good() {
        assert_eq!(Run::good().verdict(), GOOD);
        assert!(GOOD.good());
        assert_eq!(
            GOOD.to_string(),
            "views_agree=yes order_agree=yes tally_agree=yes lost=0 duplicated=0"
        );
    }

    #[test]
    fn one_lost_line_is_seen() {
        let mut queue = numbered(text().lines());
        queue.remove(1);
        let verdict = Run::with_first(queue, numbered(text().words())).verdict();
        assert_eq!(
            verdict,
            Verdict {
                lost: 1,
                order_agree: false,
                ..GOOD
            }
        );
        assert!(!verdict.good());
    }

    #[test]
    fn one_doubled_word_is_seen() {
        let mut words = numbered(text().words());
        words.push(words[3].clone());
        let verdict = Run::with_first(numbered(text().lines()), words).verdict();
        assert_eq!(
            verdict,
            Verdict {
                duplicated: 1,
                tally_agree: false,
                ..GOOD
            }
        );
        assert!(!verdict.good());
    }

    #[test]
    fn two_swapped_lines_are_seen() {
        let mut queue = numbered(text().lines());
        queue.swap(0, 1);
        let verdict = Run::with_first(queue, numbered(text().words())).verdict();
        assert_eq!(
            verdict,
            Verdict {
                order_agree: false,
                ..GOOD
            }
        );
        assert!(!verdict.good());
    }

    #[test]
    fn one_differing_view_is_seen() {
        let mut run = Run::good();
        run.second.views.get_mut(&4).unwrap().members = vec!["c".into(), "b".into()];
        assert_eq!(
            run.verdict(),
            Verdict {
                views_agree: false,
                ..GOOD
            }
        );
        assert!(!run.verdict().good());
    }

    #[test]
    fn all_four_at_once_are_four_failures() {
        let mut queue = numbered(text().lines());
        queue.remove(1);
        queue.swap(0, 1);
        let mut words = numbered(text().words());
        words.push(words[3].clone());
        let mut run = Run::with_first(queue, words);
        run.second.views.get_mut(&4).unwrap().members.reverse();
        let verdict = run.verdict();
        assert!(!verdict.views_agree && !verdict.order_agree);
        assert_eq!((verdict.lost, verdict.duplicated), (1, 1));
    }

    #[test]
    fn a_loss_that_all_survivors_share_is_still_a_loss() {
        let mut words = numbered(text().words());
        words.remove(2);
        let mut run = Run::with_first(numbered(text().lines()), words);
        run.second = run.first.clone();
        assert_eq!(run.verdict(), Verdict { lost: 1, ..GOOD });
    }

    #[test]
    fn a_view_that_only_one_survivor_saw_is_seen() {
        let mut run = Run::good();
        run.second.views.remove(&4);
        assert!(!run.verdict().views_agree);
    }

    #[test]
    fn a_restarted_member_that_differs_since_it_joined_is_seen() {
        let mut run = Run::good();
        run.restarted.digests.as_mut().unwrap().queue_since += 1;
        assert_eq!(
            run.verdict(),
            Verdict {
                order_agree: false,
                ..GOOD
            }
        );
    }

    #[test]
    fn no_report_is_no_agreement() {
        let mut run = Run::good();
        run.second.digests = None;
        assert!(!run.verdict().good());
    }
}
