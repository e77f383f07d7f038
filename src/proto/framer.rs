//! Cutting a stream of bytes into messages: one interface of all parsers, one walk over the slices of a stream.

use crate::mbuf::{Chain, Raw, Slice};

/// Result of a search for the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse<M, B> {
    /// A message ends here; the parser is ready for the next one.
    Complete(M),
    /// All bytes were looked at, more are needed.
    Incomplete,
    /// No message can be found from here on; the connection must be closed.
    Bad(B),
}

/// A resumable parser that finds the ends of messages.
///
/// Both searches start at the first byte of a message. When a parser is under way, it must be shown at least the
/// bytes it has seen before; it does not look at them again.
pub trait Framer {
    /// A complete message, as far as the parser looks at it.
    type Message;
    /// Why no message can be found.
    type Broken;

    /// Looks for the end of the message at the beginning of `data`.
    fn parse(&mut self, data: &[u8]) -> Parse<Self::Message, Self::Broken>;
    /// The same over the borders of slices.
    fn find(&mut self, data: &Chain) -> Parse<Self::Message, Self::Broken>;
    /// Returns the length of a message in bytes.
    fn len(message: &Self::Message) -> usize;
    /// Returns true if no message is under way.
    fn is_idle(&self) -> bool;
    /// Returns the bytes known to be missing from the message under way; 0 if unknown.
    fn expected(&self) -> usize;
}

/// Looks for the end of the message at the beginning of `data`.
#[inline]
pub fn frame<F: Framer>(parser: &mut F, data: &Chain) -> Parse<F::Message, F::Broken> {
    if let Some(all) = data.as_contiguous() {
        return parser.parse(all);
    }
    if parser.is_idle()
        && let Some(first) = data.slices().next()
    {
        match parser.parse(first) {
            Parse::Incomplete => {}
            found => return found,
        }
    }
    parser.find(data)
}

/// The next step of [`drain`] after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Goes on with the next message.
    Next,
    /// Stops behind the message and drops the rest of the bytes.
    Stop,
    /// Stops in front of the message and keeps its bytes.
    Refused,
}

/// The receiver of the messages of a stream.
pub trait Sink<M> {
    /// Takes a message, whose bytes are `raw`.
    fn take(&mut self, message: M, raw: Raw<'_>) -> Taken;
}

/// Takes complete messages from the front of `data` and hands them to `sink`, in order, until that stops it. An
/// unfinished or refused message stays in `data` with the bytes behind it. Returns why the stream is broken, if it is.
#[inline(always)]
pub fn drain<F: Framer>(
    parser: &mut F,
    data: &mut Chain,
    sink: &mut impl Sink<F::Message>,
) -> Option<F::Broken> {
    // True if the message under way begins in the first slice and goes on in the next.
    let mut spread = !parser.is_idle();
    loop {
        if spread && data.as_contiguous().is_none() {
            match parser.find(data) {
                Parse::Complete(message) => {
                    let mut raw = data.split_to(F::len(&message));
                    match sink.take(message, Raw::Spread(&raw)) {
                        Taken::Next => {}
                        Taken::Stop => {
                            data.clear();
                            return None;
                        }
                        Taken::Refused => {
                            raw.append(data);
                            *data = raw;
                            return None;
                        }
                    }
                }
                Parse::Incomplete => return None,
                Parse::Bad(broken) => {
                    data.clear();
                    return Some(broken);
                }
            }
        }
        let slice = data.pop()?;
        let mut at = 0;
        loop {
            match parser.parse(slice.get(at..).unwrap_or(&[])) {
                Parse::Complete(message) => {
                    let end = at + F::len(&message);
                    match sink.take(message, Raw::Whole(&slice, at, end)) {
                        Taken::Next => at = end,
                        Taken::Stop => {
                            data.clear();
                            return None;
                        }
                        Taken::Refused => {
                            put_back(&slice, at, data);
                            return None;
                        }
                    }
                }
                Parse::Incomplete => break,
                Parse::Bad(broken) => {
                    data.clear();
                    return Some(broken);
                }
            }
        }
        spread = at < slice.len();
        if spread {
            put_back(&slice, at, data);
            if data.as_contiguous().is_some() {
                return None;
            }
        }
    }
}

/// Puts the bytes of a slice from `at` on back to the front of `data`.
fn put_back(slice: &Slice, at: usize, data: &mut Chain) {
    let mut rest = Chain::new();
    rest.push_range(slice, at, slice.len());
    rest.append(data);
    *data = rest;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;

    /// Messages of digits, each ended by a full stop. `x` is none.
    #[derive(Default)]
    struct Stops {
        seen: usize,
    }

    impl Stops {
        fn look(&mut self, bytes: &[u8]) -> Parse<usize, u8> {
            for (at, byte) in bytes.iter().enumerate().skip(self.seen) {
                match byte {
                    b'.' => {
                        self.seen = 0;
                        return Parse::Complete(at + 1);
                    }
                    b'0'..=b'9' => {}
                    other => return Parse::Bad(*other),
                }
            }
            self.seen = bytes.len();
            Parse::Incomplete
        }
    }

    impl Framer for Stops {
        type Message = usize;
        type Broken = u8;

        fn parse(&mut self, data: &[u8]) -> Parse<usize, u8> {
            self.look(data)
        }

        fn find(&mut self, data: &Chain) -> Parse<usize, u8> {
            self.look(&data.to_vec())
        }

        fn len(message: &usize) -> usize {
            *message
        }

        fn is_idle(&self) -> bool {
            self.seen == 0
        }

        fn expected(&self) -> usize {
            0
        }
    }

    fn chain(text: &[u8], cuts: u32) -> Chain {
        let pool = Pool::new(64, usize::MAX);
        let mut chain = Chain::new();
        let mut start = 0;
        for end in 1..=text.len() {
            if end == text.len() || cuts >> (end - 1) & 1 == 1 {
                // A writer of its own for each piece: neighbours in one block would merge.
                let piece = text.get(start..end).unwrap();
                let mut writer = pool.writer();
                writer
                    .spare()
                    .get_mut(..piece.len())
                    .unwrap()
                    .copy_from_slice(piece);
                chain.push(writer.commit(piece.len()));
                start = end;
            }
        }
        chain
    }

    fn text(raw: Raw<'_>) -> String {
        raw.with_bytes(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Stops at `9.`, refuses `8.`.
    impl Sink<usize> for String {
        fn take(&mut self, len: usize, raw: Raw<'_>) -> Taken {
            assert_eq!(len, raw.len());
            let message = text(raw);
            if message == "8." {
                return Taken::Refused;
            }
            self.push_str(&message);
            match &message[..] {
                "9." => Taken::Stop,
                _ => Taken::Next,
            }
        }
    }

    /// Messages taken, what is left, and the byte that broke the stream, for every way to cut a text.
    #[track_caller]
    fn taken(input: &str, taken: &str, left: &str, broken: Option<u8>) {
        for cuts in 0..1 << (input.len() - 1) {
            let mut messages = String::new();
            let mut parser = Stops::default();
            let mut data = chain(input.as_bytes(), cuts);
            let why = drain(&mut parser, &mut data, &mut messages);
            let rest = text(Raw::from(&data));
            assert_eq!(
                (&messages[..], &rest[..], why),
                (taken, left, broken),
                "cuts {cuts:b}"
            );
        }
    }

    #[test]
    fn messages_are_taken_however_they_are_cut() {
        taken("1.22.333.", "1.22.333.", "", None);
        taken("1.22.33", "1.22.", "33", None);
        taken("1.8.2.", "1.", "8.2.", None);
        taken("1.9.2.", "1.9.", "", None);
        taken("1.2x3.", "1.", "", Some(b'x'));
    }

    /// Replies behind one that ended with a block were left until the datastore sent more.
    #[test]
    fn a_message_that_ends_with_a_slice_does_not_keep_the_last_slice_waiting() {
        let mut messages = String::new();
        let mut data = chain(b"1.2.", 0b10);
        drain(&mut Stops::default(), &mut data, &mut messages);
        assert_eq!((&messages[..], data.len()), ("1.2.", 0));
    }

    #[test]
    fn a_message_is_found_at_the_front_however_it_is_cut() {
        for cuts in 0..1 << 5 {
            let data = chain(b"12345.", cuts);
            assert_eq!(
                frame(&mut Stops::default(), &data),
                Parse::Complete(6),
                "{cuts:b}"
            );
            let mut under_way = Stops { seen: 3 };
            assert_eq!(frame(&mut under_way, &data), Parse::Complete(6), "{cuts:b}");
        }
    }
}
