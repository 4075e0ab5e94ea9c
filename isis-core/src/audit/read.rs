//! Reads recorded histories.

use std::io::{self, BufRead};

use super::entry::{Entry, FORMAT, Header, VERSION, Why};
use super::trace::What;
use crate::ids::{ProcessId, Site};

/// One thing of a recorded history that a property is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place in the file, from 1.
    pub number: u32,
    /// Microseconds since the site was opened.
    pub at: u64,
    /// Which thing.
    pub what: What,
}

/// The history of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Of the file.
    pub name: String,
    /// Its first line.
    pub header: Header,
    /// In order.
    pub lines: Vec<Line>,
    /// How the site ended; a site that did not say so was killed.
    pub end: Option<Why>,
    /// The last line was cut off, as a kill may do; it is left out.
    pub torn: bool,
    /// Processes that were closed while some destination had not taken all that they had sent: how
    /// many broadcasts, and in which line.
    pub hurried: Vec<(ProcessId, usize, u32)>,
}

impl Recorded {
    /// Whose history it is.
    pub fn site(&self) -> Site {
        self.header.site.0
    }
}

/// Reads one history. Nothing if the site was killed before its first line was whole; an error names
/// the file and the line.
pub fn read(name: &str, mut input: impl BufRead) -> Result<Option<Recorded>, String> {
    let mut text = Vec::new();
    let mut number = 0;
    let mut recorded: Option<Recorded> = None;
    loop {
        text.clear();
        let read = input.read_until(b'\n', &mut text);
        read.map_err(|e: io::Error| format!("{name}: {e}"))?;
        number += 1;
        if !text.ends_with(b"\n") {
            // The end, or a record of which the rest was never written.
            if let Some(recorded) = &mut recorded {
                recorded.torn = !text.is_empty();
            }
            return Ok(recorded);
        }
        let taken = match &mut recorded {
            None => header(name, &text).map(|header| recorded = Some(header)),
            Some(recorded) => recorded.take(number, &text),
        };
        taken.map_err(|e| format!("{name}:{number}: {e}"))?;
    }
}

fn header(name: &str, text: &[u8]) -> Result<Recorded, String> {
    let header: Header =
        serde_json::from_slice(text).map_err(|e| format!("not the head of a history: {e}"))?;
    if header.format != FORMAT {
        return Err(format!("{:?} is not {FORMAT:?}", header.format));
    }
    if header.version != VERSION {
        let theirs = header.version;
        return Err(format!("version {theirs}; this program reads {VERSION}"));
    }
    Ok(Recorded {
        name: name.into(),
        header,
        lines: Vec::new(),
        end: None,
        torn: false,
        hurried: Vec::new(),
    })
}

impl Recorded {
    fn take(&mut self, number: u32, text: &[u8]) -> Result<(), String> {
        let entry: Entry = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        let site = self.site();
        match &entry {
            Entry::End { why, .. } => self.end = Some(*why),
            Entry::Close {
                process, in_flight, ..
            } if *in_flight > 0 => self.hurried.push((process.0, *in_flight, number)),
            _ => {}
        }
        let at = entry.at();
        let Some(what) = entry.what(site)? else {
            return Ok(());
        };
        if let Some(other) = what.process().filter(|p| p.site != site) {
            return Err(format!("{other} is not at site {site}"));
        }
        self.lines.push(Line { number, at, what });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        r#"{"format":"isis history","version":1,"cluster":"c","site":"1.7","opened_us":5}"#;
    const OPEN: &str = r#"{"open":{"at":1,"process":"p1@1.7","name":""}}"#;
    const END: &str = r#"{"end":{"at":2,"why":"closed"}}"#;

    fn reading(text: &str) -> Result<Option<Recorded>, String> {
        read("f", text.as_bytes())
    }

    #[test]
    fn a_history_is_read_line_by_line() {
        let recorded = reading(&format!("{HEAD}\n{OPEN}\n{END}\n"));
        let recorded = recorded.unwrap().unwrap();
        assert_eq!(recorded.site().to_string(), "1.7");
        assert_eq!(recorded.lines.len(), 2);
        assert_eq!((recorded.lines[0].number, recorded.lines[0].at), (2, 1));
        assert_eq!((recorded.end, recorded.torn), (Some(Why::Closed), false));
    }

    #[test]
    fn what_a_kill_cut_off_is_left_out() {
        for cut in 1..OPEN.len() {
            let recorded = reading(&format!("{HEAD}\n{OPEN}\n{}", &OPEN[..cut]));
            let recorded = recorded.unwrap().unwrap();
            assert_eq!(recorded.lines.len(), 1);
            assert!(recorded.torn && recorded.end.is_none());
        }
        assert_eq!(reading(""), Ok(None));
        assert_eq!(reading(&HEAD[..20]), Ok(None));
    }

    #[test]
    fn other_damage_is_named_with_its_line() {
        for (text, words) in [
            ("{}\n".into(), "f:1: not the head"),
            (
                HEAD.replace("isis history", "other") + "\n",
                "f:1: \"other\"",
            ),
            (HEAD.replace(":1,", ":2,") + "\n", "f:1: version 2"),
            (
                format!("{HEAD}\n{{\"x\":1}}\n{OPEN}\n"),
                "f:2: unknown variant",
            ),
            (format!("{HEAD}\n{}\n{OPEN}\n", &OPEN[..9]), "f:2: EOF"),
            (
                format!("{HEAD}\n{}\n", OPEN.replace("1.7", "2.7")),
                "f:2: p1@2.7 is not at site 1.7",
            ),
        ] {
            let error = reading(&text).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
