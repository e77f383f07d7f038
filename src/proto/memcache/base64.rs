//! Base64 keys of the meta commands (RFC 4648, section 4).

/// The six bits a letter stands for; `None` for bytes that are skipped.
fn six(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        b'=' => Some(0),
        _ => None,
    }
}

/// The key as memcached stores it; `None` if memcached cannot decode it.
///
/// As memcached 1.6.18 (observed): bytes outside the alphabet are skipped, the count of the others has to
/// be a multiple of four, at most two `=` may stand in a group of four, and the first such group is the last
/// one read.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let letters = text.iter().filter(|byte| six(**byte).is_some()).count();
    if letters == 0 || letters % 4 != 0 {
        return None;
    }
    let mut out = Vec::with_capacity(letters / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0, 0);
    for byte in text {
        let Some(value) = six(*byte) else { continue };
        padding += usize::from(*byte == b'=');
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            let [_, bytes @ ..] = bits.to_be_bytes();
            out.extend_from_slice(bytes.get(..3usize.checked_sub(padding)?)?);
            if padding > 2 {
                return None;
            }
            if padding > 0 {
                break;
            }
            (bits, count) = (0, 0);
        }
    }
    Some(out)
}

/// The letter that stands for the lowest six bits.
fn letter(bits: u32) -> u8 {
    match (bits & 63) as u8 {
        six @ 0..26 => b'A' + six,
        six @ 26..52 => b'a' + six - 26,
        six @ 52..62 => b'0' + six - 52,
        62 => b'+',
        _ => b'/',
    }
}

/// The text memcached writes for a key in its answer.
pub fn encode(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len().div_ceil(3) * 4);
    for three in key.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | three.get(at).map_or(0, |byte| u32::from(*byte))
        });
        for at in 0..4 {
            out.push(if at <= three.len() {
                letter(bits >> (18 - 6 * at))
            } else {
                b'='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encodes_the_vectors_of_the_rfc() {
        for (key, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(key.as_bytes()), text.as_bytes());
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xbf]), b"+/+/");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key in proptest::collection::vec(any::<u8>(), 1..60)) {
            prop_assert_eq!(decode(&encode(&key)), Some(key));
        }
    }

    #[test]
    fn decodes_as_memcached_does() {
        let cases: &[(&str, Option<&[u8]>)] = &[
            ("YWJj", Some(b"abc")),
            ("YWI=", Some(b"ab")),
            ("YQ==", Some(b"a")),
            ("YW!Jj", Some(b"abc")),
            ("YQ==YQ==", Some(b"a")),
            ("Y===", None),
            ("====", None),
            ("YWJ", None),
            ("!", None),
            ("", None),
            ("//79", Some(b"\xff\xfe\xfd")),
        ];
        for (text, decoded) in cases {
            assert_eq!(decode(text.as_bytes()).as_deref(), *decoded, "{text}");
        }
    }
}
