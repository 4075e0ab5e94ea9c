use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use isis_core::audit::read::{Recorded, read};

use crate::Outcome;

/// What a recorder adds to the name of a history that it gave up.
const INCOMPLETE: &str = "incomplete";

/// Reads the histories in these files and folders; with remarks on what was left out.
pub fn histories(paths: &[PathBuf]) -> Outcome<(Vec<Recorded>, String)> {
    let (mut found, mut remarks) = (Vec::new(), String::new());
    for path in paths {
        found.extend(expand(path).map_err(|e| format!("{}: {e}", path.display()))?);
    }
    let mut histories = Vec::new();
    for path in found {
        let name = path.display().to_string();
        if path.extension() == Some(OsStr::new(INCOMPLETE)) {
            return Err(
                format!("{name}: its recording was given up, see the log of its site").into(),
            );
        }
        let file = File::open(&path).map_err(|e| format!("{name}: {e}"))?;
        match read(&name, BufReader::with_capacity(1 << 20, file))? {
            Some(history) => histories.push(history),
            None => remarks += &format!("{name}: killed before its first line, left out\n"),
        }
    }
    Ok((histories, remarks))
}

/// A file, or the histories of a folder by name.
fn expand(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().and_then(OsStr::to_str);
        if matches!(extension, Some("jsonl" | INCOMPLETE)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
