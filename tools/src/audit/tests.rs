//! A good run, and ten others that differ from it in one line: the audit names what that line breaks.
//!
//! The run is `everything` of isis-core's example `histories`, with small incarnations: processes A, B,
//! C and D at sites 1 to 4, members of groups g and h. D's site is killed.

use std::fs;
use std::path::{Path, PathBuf};

use isis_core::audit::properties::Violation;

use super::{Report, audit};
use crate::Outcome;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const D: usize = 3;

/// The four files, by lines.
struct Run([Vec<String>; 4]);

fn site(i: usize) -> String {
    format!("{0}.{0}", i + 1)
}

/// `b2:p1@1.1`, in quotes, as in a line that tells of it.
fn id(name: &str, sender: usize) -> String {
    format!("\"id\":\"{name}:p1@{}\"", site(sender))
}

impl Run {
    fn good() -> Run {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
        let read = |i: usize| {
            let path = folder.join(format!("everything-{}.jsonl", site(i)));
            let text = fs::read_to_string(path).unwrap();
            text.lines().map(String::from).collect()
        };
        Run([A, B, C, D].map(read))
    }

    /// The one line of a file that has all these words.
    #[track_caller]
    fn line(&self, file: usize, words: &[&str]) -> usize {
        let has = |line: &&String| words.iter().all(|w| line.contains(w));
        let all = self.0[file].iter();
        let found: Vec<usize> = all
            .enumerate()
            .filter(|(_, l)| has(l))
            .map(|(i, _)| i)
            .collect();
        assert_eq!(found.len(), 1, "{words:?} in {found:?}");
        found[0]
    }

    #[track_caller]
    fn taken(&self, file: usize, name: &str, sender: usize) -> usize {
        self.line(file, &["{\"deliver\"", &id(name, sender)])
    }

    /// Moves a line of a file to below another.
    fn move_below(&mut self, file: usize, line: usize, below: usize) {
        let moved = self.0[file].remove(line);
        let place = if line < below { below } else { below + 1 };
        self.0[file].insert(place, moved);
    }

    /// What the audit says; `name` makes the folder this test's own.
    fn audit(&self, name: &str) -> Outcome<Report> {
        let folder = std::env::temp_dir().join(format!("isis-audit-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let paths: Vec<PathBuf> = (0..4).map(|i| folder.join(format!("{i}.jsonl"))).collect();
        for (path, lines) in paths.iter().zip(&self.0) {
            fs::write(path, lines.join("\n") + "\n").unwrap();
        }
        let report = audit(&paths, true);
        fs::remove_dir_all(&folder).unwrap();
        report
    }

    fn verdict(&self, name: &str) -> Option<Violation> {
        self.audit(name).unwrap().violation
    }

    /// The audit finds that this property does not hold, and shows this line of this file.
    #[track_caller]
    fn violates(&self, property: &str, file: usize, line: usize) {
        let violation = self.verdict(property).expect("a violation");
        assert_eq!(violation.property, property, "{}", violation.text);
        let place = format!("{file}.jsonl:{}: ", line + 1);
        let text = violation.text;
        assert!(text.contains(&place), "{place} is not in {text}");
    }
}

#[test]
fn the_recorded_run_is_good() {
    assert_eq!(Run::good().verdict("good"), None);
}

#[test]
fn m4_a_view_with_other_members() {
    let mut run = Run::good();
    let line = run.line(B, &["{\"view\"", "\"name\":\"g\",\"number\":5"]);
    let edited = run.0[B][line].replace(
        "\"members\":[\"p1@1.1\",\"p1@2.2\"",
        "\"members\":[\"p1@2.2\",\"p1@1.1\"",
    );
    assert_ne!(edited, run.0[B][line]);
    run.0[B][line] = edited;
    run.violates("M4", B, line);
}

#[test]
fn i2_a_broadcast_taken_twice() {
    let mut run = Run::good();
    let line = run.taken(C, "b1", A);
    let again = run.0[C][line].clone();
    run.0[C].insert(line + 1, again);
    let violation = run.verdict("I2").unwrap();
    assert_eq!(violation.property, "I");
    assert!(violation.text.starts_with("I2: "), "{}", violation.text);
    assert!(violation.text.contains(&format!("2.jsonl:{}: ", line + 2)));
}

#[test]
fn s1_a_broadcast_taken_in_another_view() {
    let mut run = Run::good();
    let line = run.taken(B, "b1", A);
    run.0[B][line] = run.0[B][line].replace("\"view\":4", "\"view\":3");
    run.violates("S1", B, line);
}

#[test]
fn s2_a_broadcast_that_one_member_of_two_views_lacks() {
    let mut run = Run::good();
    let line = run.taken(B, "b1", D);
    run.0[B].remove(line);
    let others = run.taken(A, "b1", D);
    run.violates("S2", A, others);
}

#[test]
fn f1_a_broadcast_of_a_failed_process() {
    let mut run = Run::good();
    let line = run.taken(A, "b3", D);
    let view = run.line(A, &["{\"view\"", "\"name\":\"g\",\"number\":5"]);
    run.move_below(A, line, view);
    run.violates("F1", A, view);
}

#[test]
fn o1_orders_that_go_round_across_two_groups() {
    let mut run = Run::good();
    // The last in g and the first in h that differ.
    let (in_g, in_h) = (run.taken(C, "b1", A), run.taken(C, "b2", A));
    match in_g < in_h {
        true => run.move_below(C, in_g, in_h),
        false => run.move_below(C, in_h, in_g),
    }
    run.violates("O1", C, run.taken(C, "b1", A));
}

#[test]
fn o3_what_a_killed_process_told_of() {
    let mut run = Run::good();
    let line = run.taken(A, "b4", D);
    run.0[A].remove(line);
    run.violates("O3", D, run.taken(D, "b4", D));
}

#[test]
fn o4_a_chain_whose_ends_are_out_of_order() {
    let mut run = Run::good();
    let (first, third) = (run.taken(C, "o1", A), run.taken(C, "o1", D));
    run.move_below(C, first, third);
    run.violates("O4", C, third);
}

#[test]
fn o6_a_broadcast_on_both_sides_of_a_gbcast() {
    let mut run = Run::good();
    let (cut, later) = (run.taken(C, "g1", B), run.taken(C, "b5", D));
    run.move_below(C, cut, later);
    run.violates("O6", C, later);
}

#[test]
fn r1_a_broadcast_that_one_survivor_lacks() {
    let mut run = Run::good();
    let end = "o3";
    let line = run.taken(C, end, B);
    run.0[C].remove(line);
    run.violates("R1", A, run.taken(A, end, B));
}

#[test]
fn a_missing_history_is_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let paths: Vec<PathBuf> = [A, B, D]
        .map(|i| folder.join(format!("everything-{}.jsonl", site(i))))
        .into();
    let error = audit(&paths, false).err().unwrap().to_string();
    assert!(
        error.contains("the history of site 3.3 is missing"),
        "{error}"
    );
}

#[test]
fn a_process_closed_too_early_is_an_error() {
    let mut run = Run::good();
    let line = run.line(B, &["{\"close\""]);
    run.0[B][line] = run.0[B][line].replace("\"in_flight\":0", "\"in_flight\":2");
    let error = run.audit("hurried").err().unwrap().to_string();
    assert!(error.starts_with("not at rest: p1@2.2"), "{error}");
    assert!(error.ends_with(&format!("1.jsonl:{}", line + 1)), "{error}");
}
