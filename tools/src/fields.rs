//! What programs say: lines `word name=value name=value`.

use std::collections::BTreeMap;

/// A line taken apart.
pub struct Fields<'a> {
    word: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Fields<'a> {
    /// Takes a line apart; what is not `name=value` is left out.
    pub fn of(line: &'a str) -> Fields<'a> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Fields {
            word,
            values: rest
                .split(' ')
                .filter_map(|field| field.split_once('='))
                .collect(),
        }
    }

    /// The first word: what the line is about.
    pub fn word(&self) -> &'a str {
        self.word
    }

    /// A value as it stands.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).copied()
    }

    /// A decimal value.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A hexadecimal value.
    pub fn hex(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.text(name)?, 16).ok()
    }

    /// A value that lists things with commas between them.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        Some(
            self.text(name)?
                .split(',')
                .filter(|item| !item.is_empty())
                .map(String::from)
                .collect(),
        )
    }

    /// All decimal values.
    pub fn numbers(&self) -> BTreeMap<String, u64> {
        let number = |(name, value): (&&str, &&str)| Some((name.to_string(), value.parse().ok()?));
        self.values.iter().filter_map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_word_and_values() {
        let line = Fields::of("view number=3 digest=ff members=1.5,2.6 x");
        assert_eq!(line.word(), "view");
        assert_eq!(
            (line.number("number"), line.hex("digest")),
            (Some(3), Some(255))
        );
        assert_eq!(line.list("members").unwrap(), ["1.5", "2.6"]);
        assert_eq!(line.number("x"), None);
        assert_eq!(line.numbers().len(), 1);
        assert_eq!(Fields::of("last").word(), "last");
    }
}
