//! The first line of a reply: its code, and the words behind it.
//!
//! Words are parted by blanks only: memcached may write a key as it is stored, control bytes included.

/// The first line of a reply that is held as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyLine<'a> {
    /// Without its CR LF.
    pub line: &'a [u8],
    /// The bytes behind the line.
    pub rest: &'a [u8],
}

/// Returns the code of a reply: its first word. A `start` without a blank or a line end is taken for the code.
pub fn code(start: &[u8]) -> &[u8] {
    let end = start.iter().position(|byte| matches!(byte, b' ' | b'\r'));
    start.get(..end.unwrap_or(start.len())).unwrap_or_default()
}

impl<'a> ReplyLine<'a> {
    /// Splits a reply behind its first line.
    pub fn of(reply: &'a [u8]) -> ReplyLine<'a> {
        let end = memchr::memchr(b'\r', reply).unwrap_or(reply.len());
        let (line, rest) = reply.split_at_checked(end).unwrap_or((reply, b""));
        ReplyLine {
            line,
            rest: rest.get(2..).unwrap_or_default(),
        }
    }

    /// The first word.
    pub fn code(&self) -> &'a [u8] {
        code(self.line)
    }

    /// The text behind the first word and a blank.
    pub fn text(&self) -> &'a [u8] {
        self.line.get(self.code().len() + 1..).unwrap_or_default()
    }

    /// The flags of a meta command's reply with their places in the line: the words behind the code, and behind the
    /// length of a `VA` line.
    pub fn flags(&self) -> Flags<'a> {
        let code = self.code();
        let mut flags = Flags {
            line: self.line,
            end: code.len(),
        };
        if code == b"VA" {
            flags.next();
        }
        flags
    }
}

/// See [`ReplyLine::flags`].
pub(super) struct Flags<'a> {
    line: &'a [u8],
    /// The place behind the latest word.
    pub end: usize,
}

impl<'a> Iterator for Flags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.line.get(self.end + 1..)?;
        let word = rest.split(|byte| *byte == b' ').next()?;
        self.end += 1 + word.len();
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_first_words() {
        for (start, expected) in [
            ("EN\r\n", "EN"),
            ("HD c1 t-1\r\n", "HD"),
            ("END", "END"),
            ("EXISTS\r\n", "EXISTS"),
            ("", ""),
        ] {
            assert_eq!(code(start.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn flags_are_the_words_behind_the_code_and_a_length() {
        for (reply, flags, ends, rest) in [
            ("HD\r\n", &[][..], &[2][..], ""),
            ("HD c1 kx\r\n", &["c1", "kx"], &[2, 5, 8], ""),
            ("VA 2 f5 b\r\nxy\r\n", &["f5", "b"], &[4, 7, 9], "xy\r\n"),
            ("VA 2\r\nxy\r\n", &[], &[4], "xy\r\n"),
        ] {
            let line = ReplyLine::of(reply.as_bytes());
            let mut words = line.flags();
            let (mut seen, mut places) = (Vec::new(), vec![words.end]);
            while let Some(word) = words.next() {
                seen.push(std::str::from_utf8(word).unwrap());
                places.push(words.end);
            }
            assert_eq!((&seen[..], &places[..]), (flags, ends), "{reply}");
            assert_eq!(line.rest, rest.as_bytes());
        }
    }
}
