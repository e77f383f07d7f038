//! One question of DNS and its answer, as bytes (RFC 1035 section 4).

const HEADER: usize = 12;
const TXT: u16 = 16;
const IN: u16 = 1;
/// A response; the answer is cut short.
const QR: u16 = 0x8000;
const TC: u16 = 0x0200;
/// Recursion desired.
const RD: u16 = 0x0100;
const RCODE: u16 = 0x000f;
const NXDOMAIN: u16 = 3;

/// A question for TXT records.
#[derive(Debug)]
pub struct Question {
    bytes: Vec<u8>,
}

/// The answer of a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The TXT records, each with its strings joined (as RFC 7208 3.3 has it).
    Records(Vec<Vec<u8>>),
    /// The name does not exist.
    NoSuchName,
    /// Any other error, by its number (RCODE).
    Failed(u16),
    /// The records do not fit a datagram.
    Truncated,
}

impl Question {
    /// The question for a name, as it is (no search list), under this number.
    pub fn txt(name: &str, id: u16) -> Result<Question, String> {
        let no_name = || format!("'{}' is no domain name", name.escape_debug());
        let mut bytes = Vec::new();
        for word in [id, RD, 1, 0, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
        for label in name.strip_suffix('.').unwrap_or(name).split('.') {
            let length = u8::try_from(label.len()).map_err(|_| no_name())?;
            if !(1..64).contains(&length) {
                return Err(no_name());
            }
            bytes.push(length);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        if bytes.len() - HEADER > 255 {
            return Err(no_name());
        }
        bytes.extend(TXT.to_be_bytes());
        bytes.extend(IN.to_be_bytes());
        Ok(Question { bytes })
    }

    /// The bytes of the packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the answer to this question; `None` if the packet is no answer to it or malformed.
    pub fn answered(&self, packet: &[u8]) -> Option<Answer> {
        let flags = word(packet, 2)?;
        if packet.get(..2) != self.bytes.get(..2) || flags & QR == 0 {
            return None;
        }
        let mut at = HEADER;
        // Some servers leave the question out of an answer that is an error.
        match (word(packet, 4)?, flags & RCODE) {
            (1, _) => {
                let asked = self.bytes.get(HEADER..)?;
                let repeated = packet.get(at..at + asked.len())?;
                if !repeated.eq_ignore_ascii_case(asked) {
                    return None;
                }
                at += asked.len();
            }
            (0, code) if code != 0 => {}
            _ => return None,
        }
        match flags & RCODE {
            0 if flags & TC != 0 => return Some(Answer::Truncated),
            0 => {}
            NXDOMAIN => return Some(Answer::NoSuchName),
            code => return Some(Answer::Failed(code)),
        }
        let mut records = Vec::new();
        for _ in 0..word(packet, 6)? {
            at = after_name(packet, at)?;
            let (kind, class) = (word(packet, at)?, word(packet, at + 2)?);
            let length = usize::from(word(packet, at + 8)?);
            let data = packet.get(at + 10..at + 10 + length)?;
            // An alias may precede what it stands for.
            if (kind, class) == (TXT, IN) {
                records.push(strings(data)?);
            }
            at += 10 + length;
        }
        Some(Answer::Records(records))
    }
}

fn word(packet: &[u8], at: usize) -> Option<u16> {
    let bytes = packet.get(at..at + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

/// The place behind a name. Pointers are not followed, so it cannot loop.
fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *packet.get(at)?;
        match length {
            0 => return Some(at + 1),
            1..64 => at += 1 + usize::from(length),
            192.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// The strings of a record, joined.
fn strings(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        text.extend(string);
        data = rest;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question() {
        let question = Question::txt("_dynomite.ec2-internal", 0x1234).unwrap();
        assert_eq!(
            question.bytes(),
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09_dynomite\x0cec2-internal\0\0\x10\0\x01"
        );
        let dotted = Question::txt("_dynomite.ec2-internal.", 0x1234).unwrap();
        assert_eq!(dotted.bytes(), question.bytes());
        for bad in ["", ".", "a..b", &"x".repeat(64), &"abcdefg.".repeat(40)] {
            assert!(Question::txt(bad, 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_cut_anywhere_or_changed_anywhere_are_harmless() {
        let question = Question::txt("a.b", 7).unwrap();
        let mut packet = question.bytes().to_vec();
        packet[2] = 0x81;
        packet[7] = 2;
        packet.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c");
        packet.extend(b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x06\x02xy\x02zw");
        let records = Answer::Records(vec![b"xyzw".to_vec()]);
        assert_eq!(question.answered(&packet), Some(records));
        for end in 0..packet.len() {
            assert_eq!(question.answered(&packet[..end]), None, "{end}");
        }
        for at in 0..packet.len() {
            for byte in 0..=255 {
                let mut changed = packet.clone();
                changed[at] = byte;
                let _ = question.answered(&changed);
            }
        }
    }
}
