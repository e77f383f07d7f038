//! The target of a request: what follows the method.

use super::{Refusal, bad};

/// A parsed target; see [`Request`](super::Request).
pub(super) struct Target {
    pub path: String,
    pub query: Option<String>,
    pub authority: Option<String>,
    pub is_plain_path: bool,
}

/// Takes apart a target in origin form, absolute form (`http://host/path`) or `*`.
pub(super) fn split(target: &str) -> Result<Target, Refusal> {
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

/// `%41` becomes `A`; malformed escapes and results that are not UTF-8 are refused.
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
