//! Ring tokens and how their text is read.
//!
//! A token is a sign and a 32-bit magnitude, ordered by the sign first. Peers compare tokens that
//! each of them read from text, so digits are converted exactly as the original converts them, which
//! beyond ten digits is not arithmetic. What the original turned silently into 0 (letters, blanks,
//! empty elements) and signs are refused here.

use std::fmt;

/// Most tokens one node may have; more are refused at configuration time.
pub const MAX_TOKENS: usize = 1024;

/// The sign of a token, in the original's order: zero, positive, and negative *last*, because the
/// original compares its -1 as an unsigned number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Signum {
    /// The text `0`, or a hash of 0. Below every other token, `00` included.
    #[default]
    Zero,
    /// Any other digits.
    Positive,
    /// Text with a leading `-`. Above every other token.
    Negative,
}

/// A position on the ring. The order is the original's: [`Signum`] first, then the magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token {
    signum: Signum,
    value: u32,
}

/// What a token's text became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenText {
    /// The token.
    pub token: Token,
    /// The number written does not fit 32 bits: the token is what the original makes of it, which
    /// is another number. Worth a warning.
    pub folded: bool,
}

/// Why a token's text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// An empty text, or an empty element of a list.
    Empty,
    /// Something that is not a decimal digit, a sign included.
    NotDigits,
    /// More than [`MAX_TOKENS`] elements.
    TooMany,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Empty => f.write_str("has an empty token"),
            TokenError::NotDigits => {
                f.write_str("has a token that is not a decimal number between 0 and 4294967295")
            }
            TokenError::TooMany => write!(f, "has more than {MAX_TOKENS} tokens"),
        }
    }
}

impl std::error::Error for TokenError {}

impl Token {
    /// The number of it, whatever its sign: of a key's token the key's hash.
    pub const fn magnitude(self) -> u32 {
        self.value
    }

    /// The token a key's hash is looked up with: signum zero only for a hash of 0.
    pub const fn of_hash(hash: u32) -> Token {
        let signum = if hash == 0 {
            Signum::Zero
        } else {
            Signum::Positive
        };
        Token {
            signum,
            value: hash,
        }
    }

    /// The magnitude, 0 to 4294967295.
    pub const fn value(self) -> u32 {
        self.value
    }

    /// The sign.
    pub const fn signum(self) -> Signum {
        self.signum
    }

    /// Reads one token strictly: one or more decimal digits and nothing else.
    ///
    /// ```
    /// use dynomite::hashkit::{Token, TokenError};
    /// assert_eq!(Token::parse("437425602").unwrap().token.value(), 437425602);
    /// assert!(Token::parse("12345678901").unwrap().folded);
    /// assert_eq!(Token::parse("-5"), Err(TokenError::NotDigits));
    /// ```
    pub fn parse(text: &str) -> Result<TokenText, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TokenError::NotDigits);
        }
        Ok(TokenText {
            token: Token::parse_original(text),
            folded: text.parse::<u32>().is_err(),
        })
    }

    /// Reads one token the way the original reads any text, never failing: for tokens that come
    /// from its nodes. A leading `-` is a sign; groups of ten digits counted from the right are
    /// folded with the factor 9^9 modulo 2^32; a group with anything but digits counts as 0.
    pub fn parse_original(text: &str) -> Token {
        let (signum, digits) = match text.strip_prefix('-') {
            Some(rest) => (Signum::Negative, rest),
            None if text == "0" => (Signum::Zero, text),
            None => (Signum::Positive, text),
        };
        const FOLD: u32 = 387_420_489;
        // From the right, so that a short group can only be the first.
        let value = digits
            .as_bytes()
            .rchunks(10)
            .rev()
            .fold(0u32, |value, group| {
                value.wrapping_mul(FOLD).wrapping_add(group_value(group))
            });
        Token { signum, value }
    }
}

fn group_value(group: &[u8]) -> u32 {
    group
        .iter()
        .try_fold(0u32, |value, byte| {
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            Some(value.wrapping_mul(10).wrapping_add(digit))
        })
        .unwrap_or(0)
}

impl fmt::Display for Token {
    /// The decimal text peers exchange: the magnitude, with a `-` before a negative one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signum == Signum::Negative {
            f.write_str("-")?;
        }
        write!(f, "{}", self.value)
    }
}

/// Reads a comma-separated list; blanks around commas are dropped.
///
/// The result is in **reverse** order of the text, as the original keeps it: the first element is
/// the one announced to peers. At most [`MAX_TOKENS`]; the first thing wrong ends it.
pub fn parse_list(text: &str) -> Result<Vec<TokenText>, TokenError> {
    let mut tokens = Vec::new();
    for element in text.rsplit(',') {
        if tokens.len() == MAX_TOKENS {
            return Err(TokenError::TooMany);
        }
        tokens.push(Token::parse(element.trim_matches([' ', '\t']))?);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_the_originals_tokens() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/hash-vectors.json")).unwrap();
        for case in file["token_parsing"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let ours: Vec<Token> = text.rsplit(',').map(Token::parse_original).collect();
            let theirs: Vec<Token> = case["tokens"]
                .as_array()
                .unwrap()
                .iter()
                .map(|token| Token {
                    signum: match token["signum"].as_i64().unwrap() {
                        0 => Signum::Zero,
                        1 => Signum::Positive,
                        _ => Signum::Negative,
                    },
                    value: token["value"].as_u64().unwrap() as u32,
                })
                .collect();
            assert_eq!(ours, theirs, "{text:?}");
        }
    }

    #[test]
    fn configured_tokens_are_read_strictly() {
        let value = |text: &str| Token::parse(text).map(|t| (t.token.value(), t.folded));
        for (text, expected) in [
            ("0", Ok((0, false))),
            ("4294967295", Ok((4294967295, false))),
            ("4294967296", Ok((0, true))),
            ("12345678901", Ok((2733099390, true))),
            (
                "340282366920938463463374607431768211455",
                Ok((3437834150, true)),
            ),
            ("0000000000000000007", Ok((7, false))),
            ("", Err(TokenError::Empty)),
            ("-5", Err(TokenError::NotDigits)),
            ("+5", Err(TokenError::NotDigits)),
            ("1.5", Err(TokenError::NotDigits)),
            ("0x10", Err(TokenError::NotDigits)),
            ("1_000", Err(TokenError::NotDigits)),
            ("abc", Err(TokenError::NotDigits)),
            ("\u{663}", Err(TokenError::NotDigits)),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lists_are_reversed_trimmed_and_bounded() {
        let values = |text: &str| {
            parse_list(text).map(|list| list.iter().map(|t| t.token.value()).collect::<Vec<_>>())
        };
        assert_eq!(values("1,2, 3"), Ok(vec![3, 2, 1]));
        assert_eq!(values(" 7 "), Ok(vec![7]));
        assert_eq!(values("1,,2"), Err(TokenError::Empty));
        assert_eq!(values("1,2,"), Err(TokenError::Empty));
        let full = vec!["9"; MAX_TOKENS].join(",");
        assert_eq!(values(&full).map(|list| list.len()), Ok(MAX_TOKENS));
        assert_eq!(values(&format!("{full},9")), Err(TokenError::TooMany));
    }

    #[test]
    fn order_is_zero_then_positive_then_negative() {
        let texts = ["0", "00", "1", "4294967295", "-0", "-1"];
        let tokens = texts.map(Token::parse_original);
        assert!(tokens.is_sorted(), "{tokens:?}");
        assert_eq!(Token::of_hash(0), Token::parse_original("0"));
        assert_eq!(Token::of_hash(7), Token::parse_original("7"));
    }
}
