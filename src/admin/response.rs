//! A response, and its bytes (RFC 9112).

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use bytes::BytesMut;

use super::request::{Method, Refusal};
use crate::clock::Now;

/// A status code and its reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u16, &'static str);

#[allow(missing_docs)] // The phrases say it.
impl Status {
    pub const OK: Status = Status(200, "OK");
    pub const BAD_REQUEST: Status = Status(400, "Bad Request");
    pub const FORBIDDEN: Status = Status(403, "Forbidden");
    pub const NOT_FOUND: Status = Status(404, "Not Found");
    pub const METHOD_NOT_ALLOWED: Status = Status(405, "Method Not Allowed");
    pub const CONFLICT: Status = Status(409, "Conflict");
    pub const LENGTH_REQUIRED: Status = Status(411, "Length Required");
    pub const CONTENT_TOO_LARGE: Status = Status(413, "Content Too Large");
    pub const URI_TOO_LONG: Status = Status(414, "URI Too Long");
    pub const EXPECTATION_FAILED: Status = Status(417, "Expectation Failed");
    pub const FIELDS_TOO_LARGE: Status = Status(431, "Request Header Fields Too Large");
    pub const NOT_IMPLEMENTED: Status = Status(501, "Not Implemented");
    pub const UNAVAILABLE: Status = Status(503, "Service Unavailable");
    pub const VERSION_NOT_SUPPORTED: Status = Status(505, "HTTP Version Not Supported");

    /// The three digits.
    pub fn code(self) -> u16 {
        self.0
    }
}

/// The `Content-Type` of the C original's routes, whatever their body is.
pub const LEGACY_TYPE: &str = "application/json; charset=utf-8";
/// That of a one-line reason.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: Status,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The value of `Allow`; no such field if empty.
    pub allow: &'static [Method],
    /// True if it is sent as HTTP/1.0 and ends the connection, for clients that read nothing else.
    pub http10: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// 200 with the content type of the original's routes.
    pub fn legacy(body: impl Into<Vec<u8>>) -> Response {
        Response {
            status: Status::OK,
            content_type: LEGACY_TYPE,
            allow: &[],
            http10: false,
            body: body.into(),
        }
    }

    /// A JSON document.
    pub fn json(status: Status, document: &serde_json::Value) -> Response {
        Response {
            status,
            ..Response::legacy(format!("{document}\n"))
        }
    }

    /// An error with a reason of one line made for the case.
    pub fn reason(status: Status, why: &str) -> Response {
        Response {
            status,
            content_type: TEXT_TYPE,
            ..Response::legacy(format!("{why}\n"))
        }
    }

    /// An error with a reason of one line.
    pub fn refusal(Refusal(status, why): Refusal) -> Response {
        Response::reason(status, why)
    }

    /// Appends the response to `out`. With `head_only` the body is left out but its length is sent
    /// (`HEAD`); without `keep_alive` the connection is announced to close.
    pub fn write(&self, out: &mut BytesMut, head_only: bool, keep_alive: bool, now: Now) {
        let Status(code, reason) = self.status;
        let version = if self.http10 { "1.0" } else { "1.1" };
        // Writing to a BytesMut fails only when memory addresses run out.
        let _ = write!(
            out,
            "HTTP/{version} {code} {reason}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            http_date(now.unix_secs()),
            self.content_type,
            self.body.len(),
        );
        if !self.allow.is_empty() {
            let names: Vec<&str> = self.allow.iter().map(|method| method.name()).collect();
            let _ = write!(out, "Allow: {}\r\n", names.join(", "));
        }
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let _ = write!(
            out,
            "Cache-Control: no-store\r\nConnection: {connection}\r\n\r\n"
        );
        if !head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

/// The interim response to a sender that waits for it before its body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A date as `Date` has it (RFC 9110, 5.6.7), of seconds since the Unix epoch.
fn http_date(unix_secs: u64) -> String {
    // The format has four digits for the year: none after 9999.
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_secs.min(LAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @N`.
        for (secs, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(secs), date);
        }
    }

    #[test]
    fn bytes_are_as_a_strict_client_wants_them() {
        let mut out = BytesMut::new();
        let now = Now {
            mono_us: 0,
            wall_us: 784_111_777_000_000,
        };
        Response::legacy("OK\r\n").write(&mut out, false, true, now);
        assert_eq!(
            str::from_utf8(&out).unwrap(),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: 4\r\n\
             Cache-Control: no-store\r\nConnection: keep-alive\r\n\r\nOK\r\n"
        );
        out.clear();
        let allow = &[Method::Get, Method::Head];
        let refusal = Response {
            allow,
            ..Response::refusal(Refusal(Status::METHOD_NOT_ALLOWED, "not so"))
        };
        refusal.write(&mut out, true, false, now);
        let text = str::from_utf8(&out).unwrap();
        assert!(text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(
            text.contains("\r\nAllow: GET, HEAD\r\n") && text.contains("\r\nContent-Length: 7\r\n")
        );
        assert!(text.ends_with("\r\nConnection: close\r\n\r\n"));
    }
}
