//! The text that the demonstration sends: numbered lines, numbered words.

/// What bytes separate words: C's `isspace` and Python's `bytes.split`, which the members use.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// A text as lines and words. Both are numbered from 0 through the whole text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Text {
    /// Splits a text at newlines; what follows the last newline is a line unless it is empty.
    pub fn new(bytes: &[u8]) -> Text {
        let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        let words = lines
            .iter()
            .flat_map(|line| line.split(is_space).filter(|w| !w.is_empty()))
            .map(<[u8]>::to_vec)
            .collect();
        Text { lines, words }
    }

    /// The text over and over until it has at least `least` lines.
    pub fn repeated(self, least: usize) -> Text {
        if self.lines.is_empty() || self.lines.len() >= least {
            return self;
        }
        let times = least.div_ceil(self.lines.len());
        Text::new(&self.to_bytes().repeat(times))
    }

    /// The lines.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// The words of all lines.
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    /// The text as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.lines.join(&b'\n');
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words_are_numbered_through() {
        let text = Text::new(b"one two\n\n  three\tfour \nfive");
        assert_eq!(text.lines().len(), 4);
        assert_eq!(
            text.words(),
            [
                b"one".to_vec(),
                b"two".into(),
                b"three".into(),
                b"four".into(),
                b"five".into()
            ]
        );
        assert_eq!(Text::new(b"").lines().len(), 0);
        assert_eq!(Text::new(b"a\n").lines().len(), 1);
    }

    #[test]
    fn a_short_text_is_repeated_whole() {
        let text = Text::new(b"a b\nc\n").repeated(5);
        assert_eq!((text.lines().len(), text.words().len()), (6, 9));
        assert_eq!(Text::new(&text.to_bytes()), text);
    }
}
