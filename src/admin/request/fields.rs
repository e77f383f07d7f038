//! The header fields of a request.

use super::{Refusal, bad};

/// The header fields with a meaning here.
#[derive(Default)]
pub(super) struct Fields {
    pub content_length: Option<u64>,
    pub transfer_encoding: bool,
    pub close: bool,
    pub expects_continue: bool,
    pub unknown_expectation: bool,
    pub host: Option<String>,
    pub origin: Option<String>,
    pub fetch_site: Option<String>,
    pub referer: Option<String>,
    pub is_browser: bool,
}

impl Fields {
    /// Adds a field.
    ///
    /// # Errors
    /// It contradicts an earlier one, or its value is malformed.
    pub fn take(&mut self, field: &httparse::Header<'_>) -> Result<(), Refusal> {
        let (name, value) = (field.name.as_bytes(), field.value.trim_ascii());
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

/// Returns true if `text` begins with `start`, in letters of either case.
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

/// Decimal digits only; larger numbers count as the largest.
fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = value.iter().fold(0u64, |n, &b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    Some(length)
}
