//! A request's head: finding its end, and reading it (RFC 9112).
//!
//! Strict where two readers could understand different things (folded lines, blanks before a colon,
//! contradicting lengths, bare carriage returns: 400), lenient where they cannot: lines may end in
//! a bare line feed, empty lines before the request line are skipped, and `Host` may be missing,
//! because checks written by hand against the C original do all three.

use memchr::memchr;

use super::response::Status;

/// Longest head, with its empty line. A longer request line is 414, longer fields are 431.
pub const MAX_HEAD: usize = 64 * 1024;
/// Most header fields; more are 431.
pub const MAX_FIELDS: usize = 100;
/// Longest body; a longer one is 413.
pub const MAX_BODY: usize = 64 * 1024;

/// What is asked to be done. Methods are case-sensitive.
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
    /// Whether the connection may serve another request: HTTP/1.1 without `Connection: close`.
    pub keep_alive: bool,
    /// Bytes of body that follow the head, at most [`MAX_BODY`].
    pub content_length: usize,
    /// Whether the sender waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// What the sender calls this server (`Host`).
    pub host: Option<String>,
    /// The origin of the page on whose behalf a browser asks (`Origin`).
    pub origin: Option<String>,
    /// How that page is related to this server (`Sec-Fetch-Site`).
    pub fetch_site: Option<String>,
    /// That page, or its origin (`Referer`).
    pub referer: Option<String>,
    /// Whether a browser asks, as far as it says so: by any `Sec-Fetch` field, or a `User-Agent` that
    /// begins with `Mozilla/`, as those of all browsers do.
    pub is_browser: bool,
    /// The host and port in a target in absolute form.
    pub authority: Option<String>,
    /// Whether the path came as it is, without percent escapes.
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
    /// Looks for the head at the front of `input`, which holds what it held last time and more.
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
                    request_line(line)?;
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
    /// A [`Refusal`]; the connection cannot be used any further then, because where the next
    /// request begins is not known for sure.
    pub fn parse(head: &[u8]) -> Result<Request, Refusal> {
        let mut lines = head.split_inclusive(|&b| b == b'\n').map(line_of);
        let (method, target, http11) = request_line(lines.next().unwrap_or_default())?;
        let Target {
            path,
            query,
            authority,
            is_plain_path,
        } = split_target(target)?;

        let mut fields = Fields::default();
        let mut count = 0;
        for line in lines.take_while(|line| !line.is_empty()) {
            count += 1;
            if count > MAX_FIELDS {
                return Err(Refusal(Status::FIELDS_TOO_LARGE, "too many header fields"));
            }
            fields.take(line)?;
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

/// Method, target, and whether it is HTTP/1.1 rather than 1.0.
fn request_line(line: &[u8]) -> Result<(Method, &[u8], bool), Refusal> {
    let mut words = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("the request line is not: method target version"));
    };
    if method.is_empty() || !method.iter().all(|&b| is_token(b)) {
        return Err(bad("the method is malformed"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(bad("the target is malformed"));
    }
    let http11 = match version {
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => true,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal(
                Status::VERSION_NOT_SUPPORTED,
                "only HTTP/1.0 and HTTP/1.1 are spoken",
            ));
        }
        _ => return Err(bad("the version is malformed")),
    };
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        _ => Method::Other,
    };
    Ok((method, target, http11))
}

/// What a target says.
struct Target {
    path: String,
    query: Option<String>,
    authority: Option<String>,
    is_plain_path: bool,
}

/// Takes apart a target in origin form, absolute form (`http://host/path`) or `*`.
fn split_target(target: &[u8]) -> Result<Target, Refusal> {
    // Checked to be visible ASCII.
    let target = str::from_utf8(target).map_err(|_| bad("the target is malformed"))?;
    let absolute = ["http://", "https://"].iter().find_map(|scheme| {
        let start = target.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| target.get(scheme.len()..))?
    });
    let mut authority = None;
    let local = match absolute {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (host, local) = rest.split_at(end);
            authority = Some(host.to_owned());
            if local.is_empty() { "/" } else { local }
        }
        None if target.starts_with('/') || target == "*" => target,
        None => return Err(bad("the target is malformed")),
    };
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (local, None),
    };
    Ok(Target {
        is_plain_path: !path.contains('%'),
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            percent_decode(path)?
        },
        query,
        authority,
    })
}

/// `%41` becomes `A`; what is no UTF-8 afterwards, or no escape, is refused.
fn percent_decode(path: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad("the path has a broken percent escape"));
        };
        // Two hexadecimal digits make a byte.
        decoded.push((high * 16 + low) as u8);
    }
    String::from_utf8(decoded).map_err(|_| bad("the path is not UTF-8"))
}

/// The header fields that mean something here.
#[derive(Default)]
struct Fields {
    content_length: Option<u64>,
    transfer_encoding: bool,
    close: bool,
    expects_continue: bool,
    unknown_expectation: bool,
    host: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    referer: Option<String>,
    is_browser: bool,
}

impl Fields {
    fn take(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let colon = memchr(b':', line).ok_or(bad("a header field has no colon"))?;
        let (name, value) = line.split_at(colon);
        // A blank here is a folded line, or a name that ends in one.
        if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
            return Err(bad("the name of a header field is malformed"));
        }
        let value = value.get(1..).unwrap_or_default();
        if value.iter().any(|&b| b.is_ascii_control() && b != b'\t') {
            return Err(bad("the value of a header field is malformed"));
        }
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value).ok_or(bad("Content-Length is malformed"))?;
            if self.content_length.is_some_and(|before| before != length) {
                return Err(bad("Content-Length contradicts itself"));
            }
            self.content_length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encoding = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.close |= value
                .split(|&b| b == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        } else if name.eq_ignore_ascii_case(b"expect") {
            let known = value.eq_ignore_ascii_case(b"100-continue");
            self.expects_continue |= known;
            self.unknown_expectation |= !known;
        } else if name.eq_ignore_ascii_case(b"host") {
            // Two could be understood differently by different readers (RFC 9112, 3.2).
            once(&mut self.host, value).ok_or(bad("Host contradicts itself"))?;
        } else if name.eq_ignore_ascii_case(b"origin") {
            once(&mut self.origin, value).ok_or(bad("Origin contradicts itself"))?;
        } else if name.eq_ignore_ascii_case(b"referer") {
            once(&mut self.referer, value).ok_or(bad("Referer contradicts itself"))?;
        } else if name.eq_ignore_ascii_case(b"user-agent") {
            self.is_browser |= begins_with(value, b"Mozilla/");
        } else if begins_with(name, b"sec-fetch-") {
            self.is_browser = true;
            if name.eq_ignore_ascii_case(b"sec-fetch-site") {
                once(&mut self.fetch_site, value)
                    .ok_or(bad("Sec-Fetch-Site contradicts itself"))?;
            }
        }
        Ok(())
    }
}

/// Whether `text` begins with `start`, in letters of either case.
fn begins_with(text: &[u8], start: &[u8]) -> bool {
    let head = text.get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Keeps the value of a field that may come once, or again with the same value.
fn once(place: &mut Option<String>, value: &[u8]) -> Option<()> {
    let value = String::from_utf8_lossy(value);
    if place.as_ref().is_some_and(|before| *before != value) {
        return None;
    }
    *place = Some(value.into_owned());
    Some(())
}

/// Decimal digits only; what does not fit is as long as can be.
fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = value.iter().fold(0u64, |n, &b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    Some(length)
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
