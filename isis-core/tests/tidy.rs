//! What the compiler does not check: layers import only what is below them, the protocols use nothing
//! but `core` and `alloc`, files stay small, and every mutant is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each part of `src` may import of this crate. `machine` holds what passes between the machines,
/// and of `view` and `delivery` the layers above share the data types alone (see `only_data_is_shared`).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("audit", &["delivery", "ids", "machine", "view"]),
    ("ids", &[]),
    ("time", &[]),
    ("error", &[]),
    ("order", &["error"]),
    ("config", &["error", "ids", "order"]),
    ("wire", &["ids", "machine"]),
    ("machine", &["delivery", "ids", "time", "view", "wire"]),
    (
        "delivery",
        &["config", "error", "ids", "machine", "order", "view"],
    ),
    ("view", &["config", "ids", "machine", "time", "wire"]),
    (
        "link",
        &["config", "ids", "machine", "time", "view", "wire"],
    ),
    (
        "broadcast",
        &[
            "config", "delivery", "ids", "machine", "time", "view", "wire",
        ],
    ),
    (
        "group",
        &[
            "broadcast",
            "config",
            "delivery",
            "error",
            "ids",
            "machine",
            "time",
            "view",
            "wire",
        ],
    ),
    (
        "runtime",
        &[
            "audit",
            "broadcast",
            "config",
            "delivery",
            "error",
            "group",
            "ids",
            "link",
            "machine",
            "order",
            "time",
            "view",
            "wire",
        ],
    ),
    (
        "sim",
        &[
            "audit", "config", "delivery", "error", "group", "ids", "link", "machine", "time",
            "view",
        ],
    ),
];

/// The machines and their state, which only the runtime and the simulator put together.
const MACHINES: &[&str] = &["Views", "Transport", "Endpoint", "Broadcast"];

/// Outside the protocols, and free to use `std`.
const OUTSIDE: [&str; 4] = ["audit", "lib", "runtime", "sim"];

/// Files over 500 lines, and why they are one.
const LONG: &[(&str, &str)] = &[(
    "src/link/tests/pair.rs",
    "each test pins the exact effects of its inputs, with the constructors that all need",
)];

/// The sources of this crate below a folder, by path within it.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("a readable entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    let named = files.iter().map(|file| {
        let name = file.strip_prefix(root).expect("below the root");
        let text = fs::read_to_string(file).expect("text");
        (name.display().to_string(), text)
    });
    named.collect()
}

/// The part of `src` that a file belongs to.
fn part(file: &str) -> &str {
    let name = file.trim_start_matches("src/");
    name.split(['/', '.']).next().unwrap_or_default()
}

/// The code of a file without its comments and its unit tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = shipped.unwrap_or_default().lines();
    lines.filter(|l| !l.trim_start().starts_with("//"))
}

/// The shipped sources: no test modules.
fn shipped() -> Vec<(String, String)> {
    let mut files = sources("src");
    files.retain(|(name, _)| !name.contains("/tests/") && !name.ends_with("/tests.rs"));
    files
}

#[test]
fn a_layer_imports_only_layers_below_it() {
    let may: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    for (file, text) in shipped() {
        let own = part(&file);
        if own == "lib" {
            continue;
        }
        let allowed = may
            .get(own)
            .unwrap_or_else(|| panic!("{file}: a new layer"));
        for line in code(&text) {
            for import in line.split("crate::").skip(1) {
                let end = import.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                let other = &import[..end.unwrap_or(import.len())];
                let fine = other == own || allowed.contains(&other) || !may.contains_key(other);
                assert!(fine, "{file} imports {other}: {line}");
            }
        }
    }
}

#[test]
fn only_data_is_shared_between_the_machines() {
    for (file, text) in shipped() {
        if ["lib", "runtime", "sim"].contains(&part(&file)) {
            continue;
        }
        for line in code(&text).filter(|l| l.trim_start().starts_with("use crate::")) {
            let own = format!("use crate::{}", part(&file));
            let of_below = part(&file) == "group" && line.contains("crate::broadcast");
            for machine in MACHINES {
                let named = line
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|w| w == *machine);
                let fine = !named || line.starts_with(&own) || of_below;
                assert!(fine, "{file}: {line}");
            }
        }
    }
}

#[test]
fn the_protocols_use_core_and_alloc_alone() {
    let forbidden = ["std::", "HashMap", "HashSet", "Instant", "SystemTime"];
    for (file, text) in shipped() {
        if OUTSIDE.contains(&part(&file)) {
            continue;
        }
        for line in code(&text) {
            let found = forbidden.iter().find(|word| line.contains(**word));
            assert_eq!(found, None, "{file}: {line}");
        }
    }
}

#[test]
fn nothing_is_left_to_do() {
    let words = ["todo", "unimplemented"].map(|w| format!("{w}!("));
    let ignored = ["#[ignore", "]"].concat();
    for (file, text) in sources("src").into_iter().chain(sources("tests")) {
        let found = words.iter().find(|w| text.contains(*w));
        assert_eq!(found, None, "{file}");
        assert!(!text.contains(&ignored), "{file} ignores a test");
    }
}

#[test]
fn long_files_have_a_reason() {
    let long: BTreeSet<&str> = LONG.iter().map(|(file, _)| *file).collect();
    for (file, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        match long.contains(&*file) {
            true => assert!(lines > 500, "{file} needs no reason any more"),
            false => assert!(lines <= 500, "{file} has {lines} lines"),
        }
    }
}

/// The names in `isis_mutant = "…"`.
fn mutants(text: &str) -> BTreeSet<&str> {
    let after = text.split("isis_mutant = \"").skip(1);
    after.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_mutant_is_hunted_and_none_can_be_shipped() {
    let (whole, parts): (Vec<_>, Vec<_>) = sources("src")
        .into_iter()
        .partition(|(file, _)| file == "src/lib.rs");
    let in_code: BTreeSet<&str> = parts.iter().flat_map(|(_, text)| mutants(text)).collect();
    assert_eq!(mutants(&whole[0].1), in_code, "IS_MUTANT");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mk/mutants.sh");
    let script = fs::read_to_string(script).expect("the script of `make mutants`");
    let table = script.split("LIST'\n").nth(1).unwrap_or_default();
    let rows = table.lines().take_while(|row| *row != "LIST");
    let hunted: BTreeSet<&str> = rows.filter_map(|row| row.split(' ').next()).collect();
    assert_eq!(hunted, in_code, "mk/mutants.sh");
}
