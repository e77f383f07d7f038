//! Requests and responses beside what they are in the text protocol.

use super::header::Header;
use super::opcode::TABLE;
use super::request::{Fatal, Found, Kind, Parser};
use super::response::{self, Asked};
use super::status::Status;
use super::{MAGIC, line};
use crate::mbuf::{Chain, Pool};
use proptest::prelude::*;

fn request(opcode: u8, extras: &[u8], key: &[u8], value: &[u8], unique: u64) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    [
        &[MAGIC, opcode][..],
        &(key.len() as u16).to_be_bytes(),
        &[extras.len() as u8, 0, 0, 0],
        &body.to_be_bytes(),
        b"opaq",
        &unique.to_be_bytes(),
        extras,
        key,
        value,
    ]
    .concat()
}

/// The line that a request is.
fn asked(bytes: &[u8]) -> Result<String, line::NoLine> {
    let Found::Complete(request) = Parser::default().parse(bytes) else {
        panic!("{}", bytes.escape_ascii());
    };
    let Kind::Served(row) = request.kind else {
        panic!("{request:?}");
    };
    let line = line::of(row, &request.header, bytes)?;
    let line = line.expect("a command for a datastore");
    Ok(line.bytes().escape_ascii().to_string())
}

#[test]
fn requests_become_lines() {
    let store = [7u32.to_be_bytes(), 100u32.to_be_bytes()].concat();
    let late = [7u32.to_be_bytes(), u32::MAX.to_be_bytes()].concat();
    let time = &1000u32.to_be_bytes()[..];
    let count = |initial: u64, time: u32| {
        [
            &5u64.to_be_bytes()[..],
            &initial.to_be_bytes(),
            &time.to_be_bytes(),
        ]
        .concat()
    };
    for (opcode, extras, key, value, unique, line) in [
        (0x00, &b""[..], &b"k"[..], &b""[..], 0, "gets k"),
        (0x0d, b"", b"k", b"", 0, "mg k k f c v"),
        (0x0c, b"", b"a b", b"", 0, "mg YSBi b k f c v"),
        (0x09, b"", b"\r\n", b"", 0, "mg DQo= b f c v"),
        (0x1d, time, b"k", b"", 0, "gats 1000 k"),
        (0x23, time, b"k", b"", 0, "mg k k f c v T1000"),
        (0x1c, time, b"k", b"", 0, "mg k f c T1000"),
        (0x01, &store, b"k", b"abc", 0, "ms k 3 F7 T100 c"),
        (0x11, &store, b"k", b"", 0, "ms k 0 F7 T100"),
        (0x01, &late, b"k", b"", 9, "ms k 0 F7 T0 c C9"),
        (0x02, &store, b"k", b"", 0, "ms k 0 F7 T100 ME c"),
        (0x02, &store, b"k", b"", 9, "ms k 0 F7 T100 c C9"),
        (0x03, &store, b"\0", b"x", 0, "ms AA== 1 b F7 T100 MR c"),
        (0x0e, b"", b"k", b"x", 0, "ms k 1 MA c"),
        (0x1a, b"", b"k", b"x", 8, "ms k 1 MP C8"),
        (0x04, b"", b"k", b"", 0, "md k"),
        (0x14, b"", b"k", b"", 3, "md k C3"),
        (0x05, &count(3, 60), b"k", b"", 0, "ma k MI D5 J3 N60 v c"),
        (0x16, &count(3, u32::MAX), b"k", b"", 0, "ma k MD D5 v"),
        (0x08, b"", b"", b"", 0, "flush_all"),
        (0x18, time, b"", b"", 0, "flush_all 1000"),
        (0x0b, b"", b"", b"", 0, "version"),
        (0x10, b"", b"", b"", 0, "stats"),
        (0x10, b"", b"items", b"", 0, "stats items"),
        (0x10, b"", b"\r\nflush_all", b"", 0, "stats ?"),
    ] {
        let bytes = request(opcode, extras, key, value, unique);
        assert_eq!(asked(&bytes).as_deref(), Ok(&*format!("{line}\\r\\n")));
    }
    let longest = request(0, b"", &[b' '; line::MAX_ODD_KEY], b"", 0);
    assert!(asked(&longest).unwrap().len() > 250);
    let longer = request(0, b"", &[b' '; line::MAX_ODD_KEY + 1], b"", 0);
    assert_eq!(asked(&longer), Err(line::NoLine::OddKey));
    let huge = vec![b'x'; 1 << 20];
    let adds = request(0x02, &store, b"k", &huge, 0);
    assert_eq!(asked(&adds).unwrap(), "add k 7 100 1048576\\r\\n");
}

fn told(opcode: u8, reply: &str, cut: usize) -> String {
    let pool = Pool::new(64, 1 << 20);
    let mut chain = Chain::new();
    for piece in reply.as_bytes().chunks(cut) {
        let mut writer = pool.writer();
        writer.spare()[..piece.len()].copy_from_slice(piece);
        chain.push(writer.commit(piece.len()));
    }
    let header = Header {
        opcode,
        opaque: 0x6f70_6171,
        ..Header::default()
    };
    let mut out = Chain::new();
    response::append(Asked::of(&header), &chain, &pool, &mut out);
    out.to_vec().escape_ascii().to_string()
}

#[test]
fn replies_become_responses() {
    // opcode, reply, status and lengths, version, body
    for (opcode, reply, head, unique, body) in [
        (
            0,
            "VALUE k 258 2 7\r\nxy\r\nEND\r\n",
            [0, 4, 0, 6],
            7,
            "\\x00\\x00\\x01\\x02xy",
        ),
        (0, "END\r\n", [0, 0, 1, 9], 0, "Not found"),
        (
            0x0c,
            "VA 2 kk f1 c7\r\nxy\r\n",
            [1, 4, 0, 7],
            7,
            "\\x00\\x00\\x00\\x01kxy",
        ),
        (
            0x0c,
            "VA 0 kYSBi f0 c7 b X W\r\n\r\n",
            [3, 4, 0, 7],
            7,
            "\\x00\\x00\\x00\\x00a b",
        ),
        (0x0c, "EN kYSBi b\r\n", [3, 0, 1, 3], 0, "a b"),
        (
            0x1c,
            "HD f1 c7\r\n",
            [0, 4, 0, 4],
            7,
            "\\x00\\x00\\x00\\x01",
        ),
        (1, "HD c7\r\n", [0, 0, 0, 0], 7, ""),
        (2, "NS c0\r\n", [0, 0, 2, 20], 0, "Data exists for key."),
        (3, "NS c0\r\n", [0, 0, 1, 9], 0, "Not found"),
        (0x0e, "NS c0\r\n", [0, 0, 5, 11], 0, "Not stored."),
        (0x0e, "STORED\r\n", [0, 0, 0, 0], u64::MAX, ""),
        (4, "HD\r\n", [0, 0, 0, 0], 0, ""),
        (4, "EX\r\n", [0, 0, 2, 20], 0, "Data exists for key."),
        (
            5,
            "VA 2 c7\r\n10\r\n",
            [0, 0, 0, 8],
            7,
            "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\n",
        ),
        (5, "NF\r\n", [0, 0, 1, 9], 0, "Not found"),
        (0x0b, "VERSION 1.6\r\n", [0, 0, 0, 3], 0, "1.6"),
        (8, "OK\r\n", [0, 0, 0, 0], 0, ""),
        (
            1,
            "SERVER_ERROR object too large for cache\r\n",
            [0, 0, 3, 10],
            0,
            "Too large.",
        ),
        (
            1,
            "SERVER_ERROR out of memory storing object\r\n",
            [0, 0, 0x82, 13],
            0,
            "Out of memory",
        ),
        (
            1,
            "SERVER_ERROR Peer: no\r\n",
            [0, 0, 0x86, 8],
            0,
            "Peer: no",
        ),
        (
            8,
            "CLIENT_ERROR flush_all is disabled\r\n",
            [0, 0, 0x83, 21],
            0,
            "flush_all is disabled",
        ),
        (0, "ERROR\r\n", [0, 0, 0x81, 15], 0, "Unknown command"),
        (0, "STORED\r\n", [0, 0, 0x84, 14], 0, "Internal error"),
    ] {
        let [key, extras, status, body_len] = head;
        let wanted = [
            &[
                0x81, opcode, 0, key, extras, 0, 0, status, 0, 0, 0, body_len,
            ][..],
            b"opaq",
            &unique.to_be_bytes(),
        ]
        .concat();
        let wanted = format!("{}{body}", wanted.escape_ascii());
        for cut in [1, 3, 64] {
            assert_eq!(told(opcode, reply, cut), wanted, "{opcode} {reply}");
        }
    }
    let stats = told(0x10, "STAT pid 12\r\nSTAT libevent 2.1 x\r\nEND\r\n", 7);
    assert_eq!(stats.matches("opaq").count(), 3);
    assert!(stats.contains("pid12") && stats.contains("libevent2.1 x"));
    // What a quiet one does not tell.
    for (opcode, reply) in [
        (0x09, "END\r\n"),
        (0x0d, "EN kk\r\n"),
        (0x11, "HD\r\n"),
        (0x14, "HD\r\n"),
        (0x15, "VA 1\r\n5\r\n"),
        (0x18, "OK\r\n"),
    ] {
        assert_eq!(told(opcode, reply, 64), "", "{opcode} {reply}");
    }
}

#[test]
fn what_is_no_request_closes_the_connection() {
    let bad = |bytes: &[u8]| match Parser::default().parse(bytes) {
        Found::Bad(fatal) => fatal.reply().len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bad(&[b'g'; 24]), 0);
    let mut short = request(0, b"", b"key", b"", 0);
    short[11] = 1;
    let status = |status: Status| response::plain(&Header::default(), status).len();
    assert_eq!(bad(&short), status(Status::UnknownCommand));
    assert_eq!(
        bad(&request(0, b"", &[b'k'; 251], b"", 0)),
        status(Status::Invalid)
    );
    assert_eq!(Fatal::NoRequest.reply(), b"");
    // A value that nobody could take is skipped.
    let mut large = request(1, &[0; 8], b"k", b"", 0);
    large[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    let Found::Complete(found) = Parser::default().parse(&large) else {
        panic!("it is waited for");
    };
    assert_eq!(found.kind, Kind::Answer(Status::TooLarge));
}

proptest! {
    /// However the bytes arrive.
    #[test]
    fn cuts_do_not_matter(
        frames in proptest::collection::vec((0u8..0x30, 0usize..5, 0usize..30, 0usize..200), 1..12),
        cut in 1usize..64,
    ) {
        let mut stream = Vec::new();
        for (opcode, extras, key, value) in frames {
            let extras = [0, 4, 8, 20, 3][extras];
            stream.extend(request(opcode, &[0; 20][..extras], &vec![b'k'; key], &vec![b'v'; value], 0));
        }
        let whole = {
            let (mut parser, mut at, mut found) = (Parser::default(), 0, Vec::new());
            loop {
                match parser.parse(&stream[at..]) {
                    Found::Complete(request) => {
                        at += request.len;
                        push(&mut found, Found::Complete(request));
                    }
                    other => break { push(&mut found, other); found },
                }
            }
        };
        let pool = Pool::new(64, usize::MAX);
        let (mut chain, mut parser, mut found) = (Chain::new(), Parser::default(), Vec::new());
        'all: for piece in stream.chunks(cut) {
            let mut writer = pool.writer();
            writer.spare()[..piece.len()].copy_from_slice(piece);
            chain.push(writer.commit(piece.len()));
            loop {
                match parser.find(&chain) {
                    Found::Complete(request) => {
                        chain.advance(request.len);
                        push(&mut found, Found::Complete(request));
                    }
                    Found::Incomplete => break,
                    bad => { push(&mut found, bad); break 'all; }
                }
            }
        }
        if whole.last() == Some(&Found::Incomplete) {
            push(&mut found, Found::Incomplete);
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn a_response_is_made_of_any_reply(
        opcode in 0u8..0x30,
        reply in "(VA|VALUE|HD|EN|NF|END|STAT|ERROR|SERVER_ERROR|VERSION|[A-Z]{1,4})( [a-zA-Z0-9=]{0,9}){0,5}(\r\n|\r|)[a-z\r\n]{0,20}",
        cut in 1usize..64,
    ) {
        let _ = told(opcode, &reply, cut);
    }
}

/// Bytes that are skipped come as they arrived.
fn push(found: &mut Vec<Found>, next: Found) {
    if let (Some(Found::Complete(last)), Found::Complete(next)) = (found.last_mut(), next)
        && (last.kind, next.kind) == (Kind::Skipped, Kind::Skipped)
    {
        last.len += next.len;
        return;
    }
    found.push(next);
}

#[test]
fn an_opcode_keeps_what_a_response_needs() {
    for row in &TABLE {
        let header = Header {
            opcode: row.code,
            opaque: u32::MAX,
            ..Header::default()
        };
        let asked = Asked::of(&header);
        assert_eq!(Asked::from_number(asked.number()), Some(asked));
    }
    assert_eq!(Asked::from_number(0), None);
}
