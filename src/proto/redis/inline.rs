//! Inline commands: a line of text split into arguments by Redis' quoting rules.
//!
//! Arguments are separated by blanks. Inside double quotes `\n \r \t \b \a`, `\xHH` and a
//! backslash before any other byte are understood; inside single quotes only `\'`. A closing quote
//! must be followed by a blank or the end of the line. Source: Redis' documentation of inline
//! commands and of `redis-cli` quoting, checked against Redis 7.0.15.

/// An open quote, or a byte right behind a closing one. The client gets
/// [`super::errors::UNBALANCED_QUOTES`] and is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// The longest line that is accepted, in bytes; a longer one gets
/// [`super::errors::LONG_INLINE`] and the connection is closed.
pub const MAX_LINE: usize = 64 * 1024;

/// Splits one line, without its LF or CR LF, into arguments.
///
/// An empty or blank line has none. A NUL byte ends the line (Redis waits for ever after one).
///
/// # Errors
/// [`Unbalanced`] quotes.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let line = line.split(|&b| b == 0).next().unwrap_or_default();
    let mut rest = Bytes(line);
    let mut args = Vec::new();
    loop {
        rest.skip_blanks();
        if rest.0.is_empty() {
            return Ok(args);
        }
        args.push(rest.argument()?);
    }
}

/// Returns true if the first word of an inline command betrays a web browser that was tricked into sending
/// us a request. Redis closes such a connection without an answer, because what follows may be
/// commands smuggled in a form.
pub fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn skip_blanks(&mut self) {
        while self.0.first().is_some_and(|&b| is_blank(b)) {
            self.next();
        }
    }

    fn argument(&mut self) -> Result<Vec<u8>, Unbalanced> {
        let mut arg = Vec::new();
        loop {
            match self.next() {
                None | Some(b' ' | b'\n' | b'\r' | b'\t') => return Ok(arg),
                Some(quote @ (b'"' | b'\'')) => {
                    self.quoted(quote, &mut arg)?;
                    // The closing quote ends the argument.
                    return match self.next() {
                        None => Ok(arg),
                        Some(b) if is_blank(b) => Ok(arg),
                        Some(_) => Err(Unbalanced),
                    };
                }
                Some(byte) => arg.push(byte),
            }
        }
    }

    fn quoted(&mut self, quote: u8, arg: &mut Vec<u8>) -> Result<(), Unbalanced> {
        loop {
            match (self.next().ok_or(Unbalanced)?, self.0) {
                (b'\\', [b'x', high, low, rest @ ..])
                    if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    arg.push(hex(*high) << 4 | hex(*low));
                    self.0 = rest;
                }
                (b'\\', [byte, rest @ ..]) if quote == b'"' => {
                    arg.push(match byte {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 0x08,
                        b'a' => 0x07,
                        other => *other,
                    });
                    self.0 = rest;
                }
                (b'\\', [b'\'', rest @ ..]) if quote == b'\'' => {
                    arg.push(b'\'');
                    self.0 = rest;
                }
                (byte, _) if byte == quote => return Ok(()),
                (byte, _) => arg.push(byte),
            }
        }
    }
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).unwrap_or(0) as u8
}
