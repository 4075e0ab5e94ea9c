//! What the README quotes is what the repository has.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The code block after `<!-- path -->`.
fn quote(readme: &str, path: &str) -> String {
    let marker = format!("<!-- {path} -->\n");
    let block = readme
        .split_once(&marker)
        .unwrap_or_else(|| panic!("README has no {marker}"))
        .1;
    let block = block
        .split_once("<!-- end -->")
        .expect("a marker for the end")
        .0;
    let lines: Vec<&str> = block.lines().collect();
    let [first, code @ .., last] = &lines[..] else {
        panic!("no code after {marker}")
    };
    assert!(
        first.starts_with("```") && *last == "```",
        "no code after {marker}"
    );
    code.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_examples_are_quoted_whole() {
    let readme = read("README.md");
    for path in [
        "bindings/examples/member.c",
        "bindings/examples/member.cpp",
        "python/examples/member.py",
    ] {
        assert_eq!(
            quote(&readme, path),
            read(path),
            "README quotes {path} as it was"
        );
    }
}

#[test]
fn the_examples_are_as_short_as_promised() {
    assert!(read("bindings/examples/member.c").lines().count() <= 60);
    assert!(read("bindings/examples/member.cpp").lines().count() <= 60);
    assert!(read("python/examples/member.py").lines().count() <= 25);
}

#[test]
fn the_files_that_the_readme_names_exist() {
    let readme = read("README.md");
    let named = readme.split('`').skip(1).step_by(2);
    let files = named.filter(|name| {
        name.contains('/')
            && !name.contains(' ')
            && name.rsplit('/').next().is_some_and(|f| f.contains('.'))
    });
    for file in files.filter(|file| !file.starts_with("./")) {
        assert!(root().join(file).exists(), "README names {file}");
    }
}

#[test]
fn the_changelog_begins_with_what_is_not_released() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = read("CHANGELOG.md");
    let first = changelog
        .lines()
        .find(|line| line.starts_with("## "))
        .unwrap_or_default();
    assert!(
        first == "## [Unreleased]" || first.starts_with(&format!("## [{version}]")),
        "{first}"
    );
}
