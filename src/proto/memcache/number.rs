//! Numbers in a line.
//!
//! Canonical ones (digits without leading zeros) are forwarded as they stand. The others
//! are read as memcached 1.6.18 reads them (observed; it leaves it to C's `strtol` and relatives): white
//! space and a sign in front are fine, leading zeros too, everything after a tab or the like is ignored, and
//! what does not fit 32 bits is cut to them.

/// A number in a token.
struct Scanned {
    negative: bool,
    /// `None`: beyond 64 bits.
    magnitude: Option<u64>,
}

/// C's `isspace`, of what a token can hold.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b' ')
}

fn scan(token: &[u8]) -> Option<Scanned> {
    let start = token.iter().position(|byte| !is_space(*byte))?;
    let token = token.get(start..)?;
    let (negative, digits) = match token.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, token),
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, behind) = digits.split_at_checked(count)?;
    if count == 0 || behind.first().is_some_and(|byte| !is_space(*byte)) {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |value, digit| {
        value
            .checked_mul(10)?
            .checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    Some(Scanned {
        negative,
        magnitude,
    })
}

/// A signed 32-bit number: an expiration time, a length. 64-bit numbers are cut to their lower half.
pub fn signed(token: &[u8]) -> Option<i32> {
    let scanned = scan(token)?;
    let magnitude = scanned.magnitude?;
    let value = if scanned.negative {
        0i64.checked_sub_unsigned(magnitude)?
    } else {
        i64::try_from(magnitude).ok()?
    };
    Some(value as i32)
}

/// An unsigned 32-bit number: the flags of a value. 64-bit numbers are cut to their lower half.
pub fn unsigned(token: &[u8]) -> Option<u32> {
    unsigned_long(token).map(|value| value as u32)
}

/// An unsigned 64-bit number: a delta, a version.
pub fn unsigned_long(token: &[u8]) -> Option<u64> {
    let scanned = scan(token)?;
    let magnitude = scanned.magnitude?;
    let value = if scanned.negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    };
    // A sign is noticed only where the result is large.
    (value < 1 << 63 || !token.contains(&b'-')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_memcached_reads() {
        let cases: &[(&str, Option<i32>, Option<u64>)] = &[
            ("0", Some(0), Some(0)),
            ("-1", Some(-1), None),
            ("-0", Some(0), Some(0)),
            ("+7", Some(7), Some(7)),
            ("007", Some(7), Some(7)),
            ("\t7", Some(7), Some(7)),
            ("7\tx", Some(7), Some(7)),
            ("7x", None, None),
            ("", None, None),
            ("-", None, None),
            ("0x10", None, None),
            ("2147483648", Some(i32::MIN), Some(1 << 31)),
            ("4294967297", Some(1), Some((1 << 32) + 1)),
            ("9223372036854775808", None, Some(1 << 63)),
            ("18446744073709551615", None, Some(u64::MAX)),
            ("18446744073709551616", None, None),
            ("-18446744073709551615", None, Some(1)),
        ];
        for (token, signed_value, long) in cases {
            assert_eq!(signed(token.as_bytes()), *signed_value, "{token}");
            assert_eq!(unsigned_long(token.as_bytes()), *long, "{token}");
        }
        assert_eq!(unsigned(b"4294967296"), Some(0));
    }
}
