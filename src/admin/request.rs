//! A request's head: finding its end, and reading it (RFC 9112).
//!
//! Strict where two readers could understand different things (folded lines, blanks before a colon,
//! contradicting lengths, bare carriage returns: 400), lenient where they cannot: lines may end in
//! a bare line feed, empty lines before the request line are skipped, and `Host` may be missing,
//! because checks written by hand against the C original do all three.

mod fields;
mod target;

use std::borrow::Cow;

use memchr::memchr;

use self::fields::Fields;
use self::target::Target;
use super::response::Status;

/// Longest head, with its empty line. A longer request line is 414, longer fields are 431.
pub const MAX_HEAD: usize = 64 * 1024;
/// Most header fields; more are 431.
pub const MAX_FIELDS: usize = 100;
/// Longest body; a longer one is 413.
pub const MAX_BODY: usize = 64 * 1024;

/// Methods. They are case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read, but answer the head only.
    Head,
    /// Change.
    Post,
    /// Anything else: known to no route.
    Other,
}

impl Method {
    /// Its name in `Allow`; empty for [`Method::Other`].
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Other => "",
        }
    }
}

/// Why a request is not served: the status, and one line for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub Status, pub &'static str);

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, percent-decoded; `*` for a request about the server itself.
    pub path: String,
    /// What follows the first `?` of the target, as it came.
    pub query: Option<String>,
    /// True if the connection may serve another request: HTTP/1.1 without `Connection: close`.
    pub keep_alive: bool,
    /// Bytes of body that follow the head, at most [`MAX_BODY`].
    pub content_length: usize,
    /// True if the sender waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The name of this server in the request (`Host`).
    pub host: Option<String>,
    /// The origin of the page on whose behalf a browser asks (`Origin`).
    pub origin: Option<String>,
    /// How that page is related to this server (`Sec-Fetch-Site`).
    pub fetch_site: Option<String>,
    /// That page, or its origin (`Referer`).
    pub referer: Option<String>,
    /// True if the request shows that a browser sent it: by any `Sec-Fetch` field, or a `User-Agent` that
    /// begins with `Mozilla/`, as those of all browsers do.
    pub is_browser: bool,
    /// The host and port in a target in absolute form.
    pub authority: Option<String>,
    /// True if the path was sent without percent escapes.
    pub is_plain_path: bool,
}

/// Where a head ends, found as the bytes come in; no byte is looked at twice.
#[derive(Clone, Debug, Default)]
pub struct HeadScan {
    /// Where the request line begins: after empty lines.
    start: usize,
    line_start: usize,
    scanned: usize,
}

impl HeadScan {
    /// Looks for the head at the front of `input`, which holds the same bytes as last time and more.
    /// Returns where its request line begins and where the head ends, once it is complete.
    ///
    /// # Errors
    /// When the head is too long, or as soon as the request line is known to be none.
    pub fn find(&mut self, input: &[u8]) -> Result<Option<(usize, usize)>, Refusal> {
        let too_long = |first: bool| {
            if first {
                Refusal(Status::URI_TOO_LONG, "the request line is too long")
            } else {
                Refusal(Status::FIELDS_TOO_LARGE, "the header is too long")
            }
        };
        while let Some(at) = input
            .get(self.scanned..)
            .and_then(|rest| memchr(b'\n', rest))
        {
            let end = self.scanned + at + 1;
            let line = line_of(input.get(self.line_start..end).unwrap_or_default());
            let first = self.line_start == self.start;
            if end > MAX_HEAD {
                return Err(too_long(first));
            }
            self.scanned = end;
            self.line_start = end;
            match (first, line.is_empty()) {
                (true, true) => self.start = end,
                (true, false) => {
                    let line = input.get(self.start..end).unwrap_or_default();
                    let line = with_known_minor(line);
                    let mut parsed = httparse::Request::new(&mut []);
                    if let Err(error) = parsed.parse(&line) {
                        return Err(unreadable(error, &parsed, &line));
                    }
                    request_line(&parsed)?;
                }
                (false, true) => return Ok(Some((self.start, end))),
                (false, false) => {}
            }
        }
        self.scanned = input.len();
        if input.len() >= MAX_HEAD {
            return Err(too_long(self.line_start == self.start));
        }
        Ok(None)
    }
}

/// A line without its end.
fn line_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

const fn bad(why: &'static str) -> Refusal {
    Refusal(Status::BAD_REQUEST, why)
}

impl Request {
    /// Reads a complete head, request line first.
    ///
    /// # Errors
    /// A [`Refusal`]; the connection cannot be used any further then, because the beginning of the next
    /// request is uncertain.
    pub fn parse(head: &[u8]) -> Result<Request, Refusal> {
        let head = with_known_minor(head);
        let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut room);
        match parsed.parse(&head) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            // Its end is elsewhere than it was found to be.
            Ok(_) => return Err(bad("the header is malformed")),
            Err(error) => return Err(unreadable(error, &parsed, &head)),
        }
        let (method, target, http11) = request_line(&parsed)?;
        let Target {
            path,
            query,
            authority,
            is_plain_path,
        } = target::split(target)?;

        let mut fields = Fields::default();
        for field in parsed.headers.iter() {
            fields.take(field)?;
        }
        if fields.transfer_encoding {
            return Err(Refusal(
                Status::LENGTH_REQUIRED,
                "a body needs Content-Length",
            ));
        }
        if fields.unknown_expectation && http11 {
            return Err(Refusal(
                Status::EXPECTATION_FAILED,
                "only 100-continue can be expected",
            ));
        }
        let content_length = fields.content_length.unwrap_or(0);
        if content_length > MAX_BODY as u64 {
            return Err(Refusal(Status::CONTENT_TOO_LARGE, "the body is too long"));
        }
        Ok(Request {
            method,
            path,
            query,
            keep_alive: http11 && !fields.close,
            // At most MAX_BODY, so it fits.
            content_length: content_length as usize,
            expects_continue: http11 && fields.expects_continue,
            host: fields.host,
            origin: fields.origin,
            fetch_site: fields.fetch_site,
            referer: fields.referer,
            is_browser: fields.is_browser,
            authority,
            is_plain_path,
        })
    }
}

/// Checks what was read of a request line: method, target, and whether it is HTTP/1.1 rather than 1.0.
fn request_line<'h>(
    parsed: &httparse::Request<'_, 'h>,
) -> Result<(Method, &'h str, bool), Refusal> {
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(bad(NO_REQUEST_LINE));
    };
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("the target is malformed"));
    }
    let method = [Method::Get, Method::Head, Method::Post]
        .into_iter()
        .find(|known| known.name() == method);
    Ok((method.unwrap_or(Method::Other), target, minor > 0))
}

const NO_REQUEST_LINE: &str = "the request line is not: method target version";

/// The answer to a malformed head; `parsed` is the part before the error.
fn unreadable(error: httparse::Error, parsed: &httparse::Request<'_, '_>, head: &[u8]) -> Refusal {
    use httparse::Error;
    let mut lines = head.split(|&byte| byte == b'\n');
    let line = line_of(lines.next().unwrap_or_default());
    match error {
        Error::TooManyHeaders => Refusal(Status::FIELDS_TOO_LARGE, "too many header fields"),
        Error::HeaderValue => bad("the value of a header field is malformed"),
        Error::HeaderName => {
            let mut fields = lines.map(line_of).take_while(|line| !line.is_empty());
            match fields.all(|field| memchr(b':', field).is_some()) {
                true => bad("the name of a header field is malformed"),
                false => bad("a header field has no colon"),
            }
        }
        _ if line.split(|&byte| byte == b' ').count() != 3 => bad(NO_REQUEST_LINE),
        _ if parsed.method.is_none() => bad("the method is malformed"),
        _ if parsed.path.is_none() => bad("the target is malformed"),
        _ => match line.split(|&byte| byte == b' ').next_back() {
            Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Refusal(
                    Status::VERSION_NOT_SUPPORTED,
                    "only HTTP/1.0 and HTTP/1.1 are spoken",
                )
            }
            _ => bad("the version is malformed"),
        },
    }
}

/// The head as one of HTTP/1.1 if it is of a later HTTP/1, which is read the same (RFC 9110, 2.5).
fn with_known_minor(head: &[u8]) -> Cow<'_, [u8]> {
    let line = head.split(|&byte| byte == b'\n').next().map(line_of);
    match line {
        Some(
            [
                before @ ..,
                b' ',
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                b'2'..=b'9',
            ],
        ) => {
            let mut head = head.to_vec();
            if let Some(minor) = head.get_mut(before.len() + b" HTTP/1.".len()) {
                *minor = b'1';
            }
            Cow::Owned(head)
        }
        _ => Cow::Borrowed(head),
    }
}

#[cfg(test)]
mod tests;
