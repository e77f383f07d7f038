//! The part of HTTP/1 that a list needs: one answer to one request.

use std::io::{self, ErrorKind, Read};

/// Most bytes of the lines before a body, and of the lines between the pieces of one.
const MAX_HEAD: usize = 64 << 10;
/// Most fields of a head.
const MAX_FIELDS: usize = 100;

/// Reads an answer and returns its body, of at most `limit` bytes. Lines may end without a carriage
/// return. The end of the body follows from `Transfer-Encoding: chunked` or `Content-Length` (then the server
/// may keep the connection open), else it is the end of the stream.
///
/// # Errors
/// A text: the status is not 200, or the answer is not HTTP, too long, or cut short.
pub fn body(source: &mut impl Read, limit: usize) -> Result<Vec<u8>, String> {
    let mut reader = Reader {
        source,
        bytes: Vec::new(),
        at: 0,
        lines: 0,
        limit,
    };
    let head = loop {
        let head = reader.head()?;
        // Interim answers precede the one that counts.
        if !(100..200).contains(&head.status) {
            break head;
        }
    };
    if head.status != 200 {
        return Err(format!("the server answers {}", head.line));
    }
    match (head.chunked, head.length) {
        (true, _) => reader.chunks(),
        (false, Some(length)) if length > limit => Err(too_long()),
        (false, Some(length)) => reader.take(length),
        (false, None) => reader.rest(),
    }
}

struct Head {
    status: u16,
    /// The first line, for messages.
    line: String,
    chunked: bool,
    length: Option<usize>,
}

impl Head {
    /// Adds a field.
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(format!("the answer is encoded as {}", shown(value)));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("content-length") {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let length = value.parse().ok().filter(|_| digits);
            if length.is_none() || (self.length.is_some() && self.length != length) {
                return Err(format!("the answer has a bad length: {}", shown(value)));
            }
            self.length = length;
        } else if name.eq_ignore_ascii_case("content-encoding")
            && !value.eq_ignore_ascii_case("identity")
        {
            return Err(format!("the answer is encoded as {}", shown(value)));
        }
        Ok(())
    }
}

struct Reader<'a, R> {
    source: &'a mut R,
    bytes: Vec<u8>,
    at: usize,
    /// Bytes of lines so far, or since the last piece of the body.
    lines: usize,
    limit: usize,
}

impl<R: Read> Reader<'_, R> {
    /// Reads some more; false at the end.
    fn fill(&mut self) -> Result<bool, String> {
        // Consumed bytes are dropped first.
        self.bytes.drain(..self.at);
        self.at = 0;
        let mut block = [0; 4096];
        loop {
            match self.source.read(&mut block) {
                Ok(n) => {
                    self.bytes.extend(block.iter().take(n));
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(words(&error)),
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// A line without its end.
    fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.unread()) {
                let line = self.unread().get(..end).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let line = String::from_utf8_lossy(line).into_owned();
                self.at += end + 1;
                self.lines += end + 1;
                if self.lines > MAX_HEAD {
                    return Err(too_long_a_head());
                }
                return Ok(line);
            }
            if self.lines + self.unread().len() > MAX_HEAD {
                return Err(too_long_a_head());
            }
            if !self.fill()? {
                return Err(cut_short());
            }
        }
    }

    /// All lines up to an empty one.
    fn head(&mut self) -> Result<Head, String> {
        let first = self.line()?;
        let mut text = format!("{first}\r\n");
        let no_http = || format!("the answer is no HTTP: {}", shown(&first));
        // A stream that is not HTTP may never have an empty line.
        if parser()
            .parse_response(&mut httparse::Response::new(&mut []), text.as_bytes())
            .is_err()
        {
            return Err(no_http());
        }
        loop {
            let line = self.line()?;
            text.push_str(&line);
            text.push_str("\r\n");
            if line.is_empty() {
                break;
            }
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = parser().parse_response(&mut response, text.as_bytes());
        if let Err(httparse::Error::TooManyHeaders) = parsed {
            return Err(too_long_a_head());
        }
        let (Ok(httparse::Status::Complete(_)), Some(status)) = (parsed, response.code) else {
            return Err(no_http());
        };
        let mut head = Head {
            status,
            line: shown(&first),
            chunked: false,
            length: None,
        };
        for field in response.headers.iter() {
            head.take(field.name, String::from_utf8_lossy(field.value).trim())?;
        }
        Ok(head)
    }

    /// Reads exactly `length` bytes.
    fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.unread().len() < length {
            if !self.fill()? {
                return Err(cut_short());
            }
        }
        let body = self.unread().get(..length).unwrap_or_default().to_vec();
        self.at += length;
        Ok(body)
    }

    /// Reads to the end of the stream.
    fn rest(&mut self) -> Result<Vec<u8>, String> {
        while self.unread().len() <= self.limit {
            if !self.fill()? {
                return Ok(self.unread().to_vec());
            }
        }
        Err(too_long())
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let bad = || format!("the answer has a bad chunk: {}", shown(&line));
            if !line.starts_with(|first: char| first.is_ascii_hexdigit()) {
                return Err(bad());
            }
            let size = match httparse::parse_chunk_size(format!("{line}\r\n").as_bytes()) {
                Ok(httparse::Status::Complete((_, size))) => size,
                Ok(httparse::Status::Partial) | Err(httparse::InvalidChunkSize) => {
                    return Err(bad());
                }
            };
            let size = usize::try_from(size).map_err(|_| too_long())?;
            if size == 0 {
                return Ok(body);
            }
            if size > self.limit - body.len() {
                return Err(too_long());
            }
            body.extend(self.take(size)?);
            // Bounded by the bytes of the body now.
            self.lines = 0;
            if !self.line()?.is_empty() {
                return Err("the answer has a chunk longer than it says".to_owned());
            }
        }
    }
}

/// A lenient parser, for careless servers.
fn parser() -> httparse::ParserConfig {
    let mut parser = httparse::ParserConfig::default();
    parser
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    parser
}

fn cut_short() -> String {
    "the answer is cut short".to_owned()
}

fn too_long_a_head() -> String {
    "the answer has too long a head".to_owned()
}

fn too_long() -> String {
    "the answer is too long".to_owned()
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "timed out".to_owned(),
        _ => crate::sys::reason(error),
    }
}

/// A line from the server, as shown in a message.
fn shown(line: &str) -> String {
    let text: String = line.chars().take(80).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out a text in pieces of `size`, then `end`.
    struct Pieces<'a>(&'a [u8], usize, Option<ErrorKind>);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            if n == 0
                && let Some(kind) = self.2
            {
                return Err(kind.into());
            }
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    /// The answer however it arrives.
    #[track_caller]
    fn read(text: &str, end: Option<ErrorKind>) -> Result<String, String> {
        let whole = body(&mut Pieces(text.as_bytes(), usize::MAX, end), 1000);
        for size in [1, 2, 3, 7] {
            assert_eq!(body(&mut Pieces(text.as_bytes(), size, end), 1000), whole);
        }
        whole.map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn item_5_answers_of_every_kind_of_server() {
        for (text, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\na|b", "a|b"),
            (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\na|b\n",
                "a|b\n",
            ),
            ("HTTP/1.0 200 OK\n\na|b", "a|b"),
            ("HTTP/1.1 200\r\n\r\na", "a"),
            ("HTTP/1.1 200 Fine\r\ncontent-length:3\r\n\r\na|b", "a|b"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na|bmore", "a|b"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\na|\r\n1\r\nb\r\n0\r\n\r\n",
                "a|b",
            ),
            (
                "HTTP/1.1 200 OK\ntransfer-encoding: Chunked\n\n0003\na|b\n0\n\n",
                "a|b",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\na", "a"),
            ("HTTP/1.0 200 OK\r\n\r\n", ""),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ] {
            assert_eq!(read(text, None).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn item_5_a_connection_kept_open_is_not_waited_for() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na|b",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na|b\r\n0\r\n",
        ] {
            let kept = read(text, Some(ErrorKind::WouldBlock));
            assert_eq!(kept.as_deref(), Ok("a|b"), "{text:?}");
        }
        let endless = read("HTTP/1.1 200 OK\r\n\r\na|b", Some(ErrorKind::TimedOut));
        assert_eq!(endless.unwrap_err(), "timed out");
    }

    #[test]
    fn item_6_answers_refused() {
        let long = format!("HTTP/1.0 200 OK\r\n\r\n{}", "x".repeat(1001));
        let head = format!("HTTP/1.0 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
        for (text, words) in [
            ("", "cut short"),
            ("HTTP/1.0 200 OK\r\n", "cut short"),
            (
                "HTTP/1.0 500 Oh\r\n\r\na",
                "the server answers HTTP/1.0 500 Oh",
            ),
            (
                "HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n",
                "answers HTTP/1.0 302",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", "answers HTTP/1.1 204"),
            ("HTTP/2 200\r\n\r\n", "no HTTP"),
            ("200 OK\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 2000 OK\r\n\r\n", "no HTTP"),
            ("SSH-2.0-x\r\n\r\n", "no HTTP"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na|b",
                "cut short",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "bad length",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "bad length",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
                "too long",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nab",
                "encoded as gzip",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "encoded as gzip",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na|b\r\n0\r\n",
                "longer than",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na|b\r\n",
                "cut short",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
                "bad chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n",
                "bad chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                "too long",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
                "bad chunk",
            ),
            (&long, "too long"),
            (&head, "too long a head"),
        ] {
            let error = body(&mut Pieces(text.as_bytes(), 4096, None), 1000).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
