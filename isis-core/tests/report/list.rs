//! `PROMISES.md` against the tests: every promise has one test, every test stands for one promise.
//! A test of another file is named with its path within the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&full).unwrap_or_else(|e| panic!("{}: {e}", full.display()))
}

/// The names of the functions marked as tests.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == "#[test]" {
            let declaration = lines.find(|l| l.starts_with("fn ")).unwrap_or_default();
            let name = declaration.trim_start_matches("fn ").split('(').next();
            tests.insert(name.unwrap_or_default().to_owned());
        }
    }
    tests
}

/// The tests of this target, but for those of this file.
fn own_tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report");
    let files = fs::read_dir(folder).expect("the folder of these tests");
    let names = files.map(|f| f.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".rs") && name != "list.rs")
        .flat_map(|name| tests_in(&read(&format!("tests/report/{name}"))))
        .collect()
}

/// The rows of the list's tables: id and test.
fn rows() -> Vec<(String, String)> {
    let list = read("tests/report/PROMISES.md");
    let rows = list.lines().filter(|l| l.starts_with("| ")).map(|l| {
        let cells: Vec<&str> = l.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "three cells: {l}");
        (cells[0].to_owned(), cells[2].trim_matches('`').to_owned())
    });
    rows.filter(|(id, _)| id != "id").collect()
}

#[test]
fn the_list_and_the_tests_correspond() {
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (id, test) in rows() {
        assert!(ids.insert(id.clone()), "{id} is listed twice");
        let other = listed.insert(test.clone(), id.clone());
        assert_eq!(other, None, "{test} stands for two promises, one is {id}");
    }
    let own = own_tests();
    for (test, id) in &listed {
        let exists = match test.split_once("::") {
            Some((file, name)) => tests_in(&read(file)).contains(name),
            None => own.contains(test),
        };
        assert!(exists, "{id} has no test: {test}");
    }
    let unlisted: Vec<_> = own.iter().filter(|t| !listed.contains_key(*t)).collect();
    assert!(unlisted.is_empty(), "not in PROMISES.md: {unlisted:?}");
}

/// The tests of a folder of this crate and of all folders in it.
fn tests_under(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => tests_under(&path),
            Some(rust) if rust == "rs" => tests_in(&fs::read_to_string(&path).unwrap()),
            _ => BTreeSet::new(),
        })
        .collect()
}

/// `docs/CORRECTNESS.md` names tests that exist, for every trap.
#[test]
fn every_trap_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: BTreeSet<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| tests_under(&root.join(folder)))
        .collect();
    let page = read("../docs/CORRECTNESS.md");
    let (_, traps) = page.split_once("\n## Traps\n").expect("the table of traps");
    let rows = traps
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| trap"));
    for row in rows {
        let cell = row.split(" | ").nth(2).unwrap_or_default();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for test in named {
            assert!(tests.contains(test), "there is no test {test}: {row}");
        }
    }
}

/// The scenarios that this list must not lose.
#[test]
fn every_scenario_is_named() {
    let names = rows().into_iter().map(|(_, test)| test);
    let names: Vec<String> = names
        .map(|t| t.rsplit("::").next().unwrap().into())
        .collect();
    let number = |name: &str, kind: &str| -> Option<u32> {
        let digits = name.strip_prefix(kind)?.split('_').next()?;
        digits.trim_end_matches(char::is_alphabetic).parse().ok()
    };
    let missing = |kind: &str, wanted: &mut dyn Iterator<Item = u32>| -> Vec<u32> {
        let named = |n: &u32| names.iter().any(|t| number(t, kind) == Some(*n));
        wanted.filter(|n| !named(n)).collect()
    };
    let mut review = (1..=12)
        .chain(13..=25)
        .chain([27, 34, 35, 36])
        .chain(44..=55);
    assert_eq!(missing("review_", &mut review), [0; 0]);
    assert_eq!(missing("trace_", &mut (1..=9)), [0; 0]);
    assert_eq!(missing("c", &mut (1..=6)), [0; 0]);
}
