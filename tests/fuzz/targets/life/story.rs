//! The bytes of an input, read as a story.

/// Reads an input from its front. Behind its end there are zeros.
pub struct Story<'a> {
    rest: &'a [u8],
}

impl<'a> Story<'a> {
    pub fn new(input: &'a [u8]) -> Story<'a> {
        Story { rest: input }
    }

    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        first
    }

    /// A number below `limit`, which must not be zero.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A byte that says how many, and so many bytes; fewer at the end.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }
}
