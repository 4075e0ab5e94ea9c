//! Every function that C can call goes through the panic boundary, and its comment says what the
//! header must say.

use std::fs;
use std::path::Path;

/// A function that C can call: its name, its comment, its body.
struct Exported {
    name: String,
    comment: String,
    body: String,
}

fn sources() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    files.map(|f| fs::read_to_string(f).unwrap()).collect()
}

/// All functions `extern "C"` with a body. The formatter puts their closing brace at the line's
/// beginning.
fn exported(source: &str) -> Vec<Exported> {
    let lines: Vec<&str> = source.lines().collect();
    let starts = |line: &&str| {
        let words = line.trim_start();
        words.contains("extern \"C\" fn ") && !words.starts_with("unsafe extern \"C\" fn(")
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| starts(line)) {
        let (_, name) = line.split_once("extern \"C\" fn ").unwrap();
        let name = name.split('(').next().unwrap().to_owned();
        let end = at + lines[at..].iter().position(|l| *l == "}").unwrap();
        let open = at
            + lines[at..=end]
                .iter()
                .position(|l| l.ends_with('{'))
                .unwrap();
        let above = lines[..at].iter().rev();
        let mut comment: Vec<&str> = above
            .take_while(|l| l.starts_with("///") || l.starts_with("#["))
            .copied()
            .collect();
        comment.reverse();
        found.push(Exported {
            name,
            comment: comment.join("\n"),
            body: lines[open + 1..end].join("\n"),
        });
    }
    found
}

/// Whether the body is one call of one of the wrappers, and nothing else.
fn is_wrapped(body: &str) -> bool {
    let calls = ["boundary(", "accessor(", "signal_safe("];
    let code: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let first = code.first().map_or("", |line| line.trim_start());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let statements = code.iter().filter(|line| indent(line) == 4);
    let others = statements.filter(|line| {
        let line = line.trim_start();
        !calls.iter().any(|call| line.starts_with(call)) && !line.starts_with('}')
    });
    calls.iter().any(|call| first.starts_with(call)) && others.count() == 0
}

#[test]
fn every_body_is_behind_the_boundary() {
    let all: Vec<Exported> = sources().iter().flat_map(|s| exported(s)).collect();
    assert!(all.len() > 60, "only {} functions found", all.len());
    let naked = all.iter().filter(|f| !is_wrapped(&f.body));
    let naked: Vec<&str> = naked.map(|f| f.name.as_str()).collect();
    assert!(naked.is_empty(), "not behind the panic boundary: {naked:?}");
}

#[test]
fn every_comment_says_thread_and_blocking() {
    for source in sources() {
        for f in exported(&source)
            .iter()
            .filter(|f| f.comment.contains("no_mangle"))
        {
            for word in ["/// Thread: ", "Blocking: "] {
                assert!(f.comment.contains(word), "{} lacks {word:?}", f.name);
            }
        }
    }
}

#[test]
fn a_naked_body_is_found() {
    let good = "pub extern \"C\" fn a() -> c_int {\n    boundary(|| {\n        Ok(1)\n    })\n}\n";
    let bad = [
        "pub extern \"C\" fn a() -> c_int {\n    1\n}\n",
        "pub unsafe extern \"C\" fn a(\n    x: i32,\n) -> c_int {\n    let y = x;\n    boundary(|| Ok(y))\n}\n",
        "extern \"C\" fn a() {\n    boundary(|| Ok(1));\n    other();\n}\n",
    ];
    assert!(is_wrapped(&exported(good)[0].body));
    for source in bad {
        assert!(!is_wrapped(&exported(source)[0].body), "{source}");
    }
}
