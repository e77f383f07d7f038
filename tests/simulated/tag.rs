//! Keys that say which request they belong to.

/// Which request: client and running number.
pub type Tag = (u32, u32);

/// `c<client>.<seq>`, with which a value begins, too.
pub fn text(tag: Tag) -> String {
    format!("c{}.{}", tag.0, tag.1)
}

/// What [`text`] wrote.
pub fn parse(text: &str) -> Option<Tag> {
    let (client, seq) = text.strip_prefix('c')?.split_once('.')?;
    Some((client.parse().ok()?, seq.parse().ok()?))
}

/// A key of a request: `{name}c<client>.<seq>`. A datastore keeps its values by the name.
pub fn key(name: &str, tag: Tag) -> String {
    format!("{{{name}}}{}", text(tag))
}

/// The name and the tag in a key as it was sent.
pub fn parse_key(bytes: &[u8]) -> Option<(String, Tag)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix('{')?;
    let (name, tag) = text.split_once('}')?;
    Some((name.into(), parse(tag)?))
}
