//! Hash tags: the part of a key that decides where the key lives.

/// The bytes of `key` to hash under the `hash_tag` pair `tag` (open, close).
///
/// From the first open character, the bytes up to the next close character. Without a tag, with
/// either character missing, or with nothing between them, the whole key. (The original hashes the
/// nothing, which sends such a key to whichever node is asked; here it has one owner.)
///
/// ```
/// use dynomite::hashkit::tagged;
/// assert_eq!(tagged(b"{user1}:cart", Some(*b"{}")), b"user1");
/// assert_eq!(tagged(b"{}:cart", Some(*b"{}")), b"{}:cart");
/// assert_eq!(tagged(b"}user1{", Some(*b"{}")), b"}user1{");
/// assert_eq!(tagged(b"||", Some(*b"||")), b"||");
/// assert_eq!(tagged(b"{user1}", None), b"{user1}");
/// ```
#[inline]
pub fn tagged(key: &[u8], tag: Option<[u8; 2]>) -> &[u8] {
    tag_of(key, tag).unwrap_or(key)
}

/// The hash tag of `key`, if it has one: what [`tagged`] returns in place of the whole key.
///
/// ```
/// use dynomite::hashkit::tag_of;
/// assert_eq!(tag_of(b"{user1}:cart", Some(*b"{}")), Some(&b"user1"[..]));
/// assert_eq!(tag_of(b"{}:cart", Some(*b"{}")), None);
/// assert_eq!(tag_of(b"{user1}", None), None);
/// ```
#[inline]
pub fn tag_of(key: &[u8], tag: Option<[u8; 2]>) -> Option<&[u8]> {
    let [open, close] = tag?;
    inside(key, open, close)
}

fn inside(key: &[u8], open: u8, close: u8) -> Option<&[u8]> {
    let rest = key.get(memchr::memchr(open, key)? + 1..)?;
    let tag = rest.get(..memchr::memchr(close, rest)?)?;
    (!tag.is_empty()).then_some(tag)
}
