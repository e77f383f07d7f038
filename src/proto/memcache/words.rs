//! The words of a line.

/// Words of a line, parted by blanks. memcached splits a line into 23 words at a time; only the commands by
/// several keys look further.
pub(super) struct Words<'a> {
    /// The line without its line end.
    pub line: &'a [u8],
    words: [&'a [u8]; Words::MOST],
    /// How many of them there are.
    pub count: usize,
}

impl<'a> Words<'a> {
    /// Most words that are split.
    pub(super) const MOST: usize = 23;

    /// Splits a line without its line end.
    pub(super) fn of(line: &'a [u8]) -> Words<'a> {
        let mut words = [&b""[..]; Words::MOST];
        let mut count = 0;
        for (slot, word) in words.iter_mut().zip(split(line)) {
            *slot = word;
            count += 1;
        }
        Words { line, words, count }
    }

    /// Word `index`, empty if there is none.
    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        self.words.get(index).copied().unwrap_or_default()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[&'a [u8]] {
        self.words.get(..self.count).unwrap_or_default()
    }

    /// The last one, empty if there is none.
    pub(super) fn last(&self) -> &'a [u8] {
        self.all().last().copied().unwrap_or_default()
    }

    /// Returns true if the last word is `noreply`.
    pub(super) fn noreply(&self) -> bool {
        self.last() == b"noreply"
    }
}

/// All words of a line, however many.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
}
