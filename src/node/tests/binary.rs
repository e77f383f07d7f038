//! Clients of memcached's binary protocol, whose requests go out as lines.

use super::memcache::{STORED, all, at};
use super::{ME, Rig, THREE_RACKS, key_of};
use crate::consistency::Consistency::{DcOne, DcQuorum};
use crate::node::{ConnId, Options};

/// A request; the opaque is `opaq`.
fn request(opcode: u8, extras: &[u8], key: &str, value: &str, unique: u64) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    [
        &[0x80, opcode][..],
        &(key.len() as u16).to_be_bytes(),
        &[extras.len() as u8, 0, 0, 0],
        &body.to_be_bytes(),
        b"opaq",
        &unique.to_be_bytes(),
        extras,
        key.as_bytes(),
        value.as_bytes(),
    ]
    .concat()
}

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const GETQ: u8 = 0x09;
const NOOP: u8 = 0x0a;
const GETK: u8 = 0x0c;
const APPEND: u8 = 0x0e;
const SETQ: u8 = 0x11;

fn get(key: &str) -> Vec<u8> {
    request(GET, b"", key, "", 0)
}

fn noop() -> Vec<u8> {
    request(NOOP, b"", "", "", 0)
}

fn set(opcode: u8, key: &str, value: &str, unique: u64) -> Vec<u8> {
    request(opcode, &[0; 8], key, value, unique)
}

/// What a client sees of a response: opcode, status, version, extras, key and value.
type Seen = (u8, u16, u64, String);

impl Rig {
    fn asks_binary(&mut self, client: ConnId, requests: &[Vec<u8>]) {
        self.unread
            .entry(client)
            .or_default()
            .0
            .extend(requests.concat());
        self.hear_out(client);
        self.turn();
    }

    fn hears_binary(&mut self, client: ConnId) -> Vec<Seen> {
        let bytes = self.out.remove(&client).unwrap_or_default();
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let (head, behind) = rest.split_at(24);
            assert_eq!((head[0], &head[12..16]), (0x81, &b"opaq"[..]));
            let body = u32::from_be_bytes(head[8..12].try_into().unwrap()) as usize;
            let (body, behind) = behind.split_at(body);
            seen.push((
                head[1],
                u16::from_be_bytes(head[6..8].try_into().unwrap()),
                u64::from_be_bytes(head[16..24].try_into().unwrap()),
                body.escape_ascii().to_string(),
            ));
            rest = behind;
        }
        seen
    }
}

fn seen(opcode: u8, status: u16, unique: u64, body: &str) -> Seen {
    (opcode, status, unique, body.to_owned())
}

/// As any other, however many are under way.
#[test]
fn responses_leave_in_the_order_of_the_requests() {
    let mut rig = Rig::new(&THREE_RACKS[..1], at(DcOne));
    let client = rig.client();
    let requests = [
        request(GETQ, b"", "a", "", 0),
        request(GETQ, b"", "b", "", 0),
        noop(),
        set(SETQ, "c", "x", 0),
        get("c"),
        request(0x20, b"", "", "", 0),
    ];
    // However they arrive.
    for byte in requests.concat() {
        rig.asks_binary(client, &[vec![byte]]);
    }
    assert_eq!(
        rig.sees(ME),
        ["gets a", "gets b", "ms c 1 F0 T0|x", "gets c"]
    );
    assert_eq!(rig.hears_binary(client), []);
    rig.says(ME, "END\r\n");
    rig.says(ME, "VALUE b 1 1 7\r\ny\r\nEND\r\n");
    rig.says(ME, "HD\r\n");
    rig.says(ME, "VALUE c 0 1 8\r\nx\r\nEND\r\n");
    let zeros = "\\x00\\x00\\x00\\x00";
    assert_eq!(
        rig.hears_binary(client),
        [
            seen(GETQ, 0, 7, "\\x00\\x00\\x00\\x01y"),
            seen(NOOP, 0, 0, ""),
            seen(GET, 0, 8, &format!("{zeros}x")),
            seen(0x20, 0x81, 0, "Unknown command"),
        ]
    );
    rig.assert_at_rest();
}

#[test]
fn a_write_goes_to_every_rack_and_its_version_is_marked() {
    for level in [DcOne, DcQuorum] {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.asks_binary(client, &[set(SET, "k", "x", 0)]);
        all(&mut rig, &[1, 2, ME], "ms k 1 F0 T0 c|x", "HD c5\r\n");
        let heard = rig.hears_binary(client);
        let (opcode, status, version, _) = heard[0].clone();
        assert_eq!((opcode, status, version & 0xffff), (SET, 0, 5));
        assert_ne!(version >> 48, 0);
        // It is good for a comparison: on the replica that gave it, first. What stands behind waits.
        let append = request(APPEND, b"", "k", "z", 0);
        rig.asks_binary(client, &[set(SETQ, "k", "y", version), append]);
        assert_eq!(rig.sees(ME), ["ms k 1 F0 T0 C5|y"]);
        assert_eq!(rig.sees(1), [""; 0]);
        rig.says(ME, "HD\r\n");
        for node in [1, 2] {
            assert_eq!(rig.sees(node), ["ms k 1 F0 T0|y", "ms k 1 MA c|z"]);
            rig.says(node, "HD\r\n");
            rig.says(node, "HD c9\r\n");
        }
        rig.says(ME, "HD c9\r\n");
        let heard = rig.hears_binary(client);
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!((heard[0].0, heard[0].1), (APPEND, 0));
        rig.assert_at_rest();
    }
}

#[test]
fn a_key_that_no_line_can_hold_is_told_by_the_node() {
    let mut rig = Rig::new(&THREE_RACKS[..1], at(DcOne));
    let client = rig.client();
    let ask = |key: &str| request(GETK, b"", key, "", 0);
    rig.asks_binary(client, &[ask("a b"), ask("\r\nflush_all"), ask("plain")]);
    let sent = [
        "mg YSBi b f c v",
        "mg DQpmbHVzaF9hbGw= b f c v",
        "mg plain k f c v",
    ];
    assert_eq!(rig.sees(ME), sent);
    rig.says(ME, "VA 1 f0 c7\r\nx\r\n");
    rig.says(ME, "EN\r\n");
    rig.says(ME, "EN kplain\r\n");
    assert_eq!(
        rig.hears_binary(client),
        [
            seen(GETK, 0, 7, "\\x00\\x00\\x00\\x00a bx"),
            seen(GETK, 1, 0, "\\r\\nflush_all"),
            seen(GETK, 1, 0, "plain"),
        ]
    );
    rig.assert_at_rest();
}

/// It was told so in the words of the text protocol.
#[test]
fn an_unfinished_request_is_refused_in_the_protocols_own_words() {
    let options = Options {
        max_msgs: 1000,
        ..at(DcOne)
    };
    let mut rig = Rig::new(&THREE_RACKS[..1], options);
    let client = rig.client();
    let mut large = set(SET, "k", "", 0);
    large[8..12].copy_from_slice(&(1u32 << 30).to_be_bytes());
    rig.asks_binary(client, &[noop(), large]);
    let told = rig.hears_binary(client);
    assert_eq!(
        told,
        [
            seen(NOOP, 0, 0, ""),
            seen(SET, 0x86, 0, "Dynomite: out of buffers"),
        ]
    );
    // One that falls silent, in a body and in a header.
    for (request, wanted) in [(&set(SET, "k", "abc", 0)[..33], 1), (&noop()[..20], 0)] {
        let client = rig.client();
        rig.asks_binary(client, &[request.to_vec()]);
        for _ in 0..40 {
            rig.wait(1000);
        }
        let told = rig.hears_binary(client);
        assert_eq!(told.len(), wanted, "{told:?}");
        assert!(told.iter().all(|told| told.0 == SET && told.1 != 0));
    }
    rig.assert_at_rest();
}

#[test]
fn a_failure_is_one_of_the_binary_protocol() {
    let mut rig = Rig::new(&["a d r 0", "b d r 2147483648"], at(DcOne));
    let key = key_of(&rig, 1);
    let client = rig.client();
    rig.asks_binary(client, &[get(&key)]);
    rig.loses(1);
    rig.asks_binary(client, &[get(&key), set(SETQ, &key, "x", 0)]);
    let told = rig.hears_binary(client);
    assert_eq!(
        told,
        [
            seen(GET, 0x86, 0, "Peer: Peer Node refused connection"),
            seen(GET, 0x86, 0, "Peer: Peer Node is not connected"),
            seen(SETQ, 0x86, 0, "Peer: Peer Node is not connected"),
        ]
    );
    // A client of the text protocol beside it.
    let text = rig.client();
    rig.asks(text, &["set k 0 0 1\r\nx"]);
    if rig.sees(ME).len() == 1 {
        rig.says(ME, STORED);
    }
    rig.assert_at_rest();
}
