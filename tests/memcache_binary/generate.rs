//! Random requests of the binary protocol.

use crate::common::frames::Request;
use crate::common::random::Random;

const GET: &[u8] = &[0x00, 0x00, 0x09, 0x0c, 0x0d];
const STORE: &[u8] = &[0x01, 0x01, 0x01, 0x02, 0x03, 0x11, 0x11, 0x12, 0x13];
const JOIN: &[u8] = &[0x0e, 0x0f, 0x19, 0x1a];
const TOUCH: &[u8] = &[0x1c, 0x1d, 0x1e, 0x23, 0x24];
const COUNT: &[u8] = &[0x05, 0x06, 0x15, 0x16];
const OTHER: &[u8] = &[0x0a, 0x0a, 0x0b, 0x20, 0x40, 0x1f];
/// Never what depends on the second.
const TIMES: &[u32] = &[0, 0, 0, 1000, 2_592_000, 2_592_001, 4_102_444_800, u32::MAX];
/// Keys that no line can hold.
const ODD: &[&[u8]] = &[
    b"a b",
    b" ",
    b"tab\there",
    b"\r\nflush_all\r\n",
    b"\0nul",
    b"\x80\xff\xfe\n",
    b"del\x7f",
];

/// How many counters there are; streams count them, and nothing else reads them.
pub const COUNTERS: u64 = 4;

pub fn counter(number: u64) -> Vec<u8> {
    format!("n{number}").into_bytes()
}

fn key(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 | 1 => random.pick(ODD).to_vec(),
        2 => vec![b'k'; 250],
        3 => [&b" "[..], &[b'o'; 185]].concat(),
        4 => "schl\u{fc}ssel".into(),
        _ => format!("k{}", random.below(12)).into_bytes(),
    }
}

/// Never a number.
fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(60) {
        0 => random.magnitude(1_100_000),
        1..10 => 0,
        _ => random.magnitude(4000),
    };
    let mut value = random.bytes(len as usize);
    if let Some(first) = value.first_mut() {
        *first = b'v';
    }
    value
}

fn word(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// A version that no item ever has.
fn unique(random: &mut Random) -> u64 {
    if random.once_in(12) { 1 << 40 } else { 0 }
}

/// One request.
pub fn request(random: &mut Random) -> Request {
    let mut request = Request {
        opaque: random.next() as u32 >> 1,
        ..Request::default()
    };
    match random.below(24) {
        0..8 => {
            request.opcode = *random.pick(GET);
            request.key = key(random);
        }
        8..14 => {
            request.opcode = *random.pick(STORE);
            request.key = key(random);
            request.value = value(random);
            request.extras = [word(random.next() as u32), word(*random.pick(TIMES))].concat();
            request.unique = unique(random);
            // One that is too large deletes such an item.
            if request.key.iter().any(|byte| *byte <= b' ') {
                request.value.truncate(4000);
            }
        }
        14..16 => {
            request.opcode = *random.pick(JOIN);
            request.key = key(random);
            request.value = value(random);
            request.value.truncate(400);
            request.unique = unique(random);
        }
        16 | 17 => {
            request.opcode = *random.pick(&[0x04, 0x14]);
            request.key = key(random);
            request.unique = unique(random);
        }
        18 | 19 => {
            request.opcode = *random.pick(TOUCH);
            request.key = key(random);
            request.extras = word(*random.pick(TIMES));
        }
        20..23 => {
            request.opcode = *random.pick(COUNT);
            request.key = match random.below(4) {
                0 => key(random),
                _ => counter(random.below(COUNTERS)),
            };
            let is_counter = request.key.first() == Some(&b'n');
            // What is read must not become a number.
            let time = match is_counter {
                true => *random.pick(&[0, 1000, u32::MAX, 4_102_444_800]),
                false => u32::MAX,
            };
            let delta = random.magnitude(1 << 40);
            let initial = random.magnitude(1 << 50);
            request.extras = [
                &delta.to_be_bytes()[..],
                &initial.to_be_bytes(),
                &time.to_be_bytes(),
            ]
            .concat();
            request.unique = unique(random);
        }
        _ => request.opcode = *random.pick(OTHER),
    }
    request
}
