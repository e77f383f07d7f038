//! What the parser finds, however the bytes arrive, and a naive reader of its own to compare with.

use super::super::call::{Body, Call};
use super::super::line::read;
use super::super::{command, errors};
use super::*;
use crate::mbuf::Pool;
use proptest::prelude::*;

/// Everything a stream yields, each with its bytes; skipped bytes are joined.
fn whole(stream: &[u8]) -> Vec<Status> {
    let (mut out, mut at, mut parser) = (Vec::new(), 0, Parser::default());
    loop {
        let status = parser.parse(&stream[at..], 0);
        push(&mut out, status);
        match status {
            Status::Complete(request) => at += request.len,
            _ => return out,
        }
    }
}

fn push(out: &mut Vec<Status>, status: Status) {
    if let (Some(Status::Complete(last)), Status::Complete(next)) = (out.last_mut(), status)
        && last.kind == Kind::Skipped
        && next.kind == Kind::Skipped
    {
        last.len += next.len;
        return;
    }
    out.push(status);
}

fn kinds(stream: &[u8]) -> Vec<(usize, Kind)> {
    whole(stream)
        .iter()
        .map_while(|status| match status {
            Status::Complete(request) => Some((request.len, request.kind)),
            _ => None,
        })
        .collect()
}

fn direct(command: &'static Command, key: (u32, u32), keys: u32, versions: Versions) -> Kind {
    let key = Span {
        at: key.0,
        len: key.1,
    };
    Kind::Direct {
        command,
        key,
        keys,
        versions,
    }
}

#[test]
fn canonical_requests_go_straight() {
    let cases: &[(&str, Kind)] = &[
        (
            "get a\r\n",
            direct(&command::GET, (4, 1), 1, Versions::None),
        ),
        (
            "get a bc d\r\n",
            direct(&command::GET, (4, 1), 3, Versions::None),
        ),
        (
            "gets ab\r\n",
            direct(&command::GETS, (5, 2), 1, Versions::Returned),
        ),
        (
            "set a 0 0 1\r\nx\r\n",
            direct(&command::SET, (4, 1), 1, Versions::None),
        ),
        (
            "set a 0 0 0\r\n\r\n",
            direct(&command::SET, (4, 1), 1, Versions::None),
        ),
        (
            "set a 7 60 1\r\nx\r\n",
            direct(&command::SET, (4, 1), 1, Versions::None),
        ),
        (
            "add a 0 -1 1\r\nx\r\n",
            direct(&command::ADD, (4, 1), 1, Versions::None),
        ),
        (
            "replace a 0 0 1\r\nx\r\n",
            direct(&command::REPLACE, (8, 1), 1, Versions::None),
        ),
        (
            "append a 0 0 1\r\nx\r\n",
            direct(&command::APPEND, (7, 1), 1, Versions::None),
        ),
        (
            "prepend a 0 0 1\r\nx\r\n",
            direct(&command::PREPEND, (8, 1), 1, Versions::None),
        ),
        (
            "cas a 0 0 1 9\r\nx\r\n",
            direct(&command::CAS, (4, 1), 1, Versions::Compared),
        ),
        (
            "delete a\r\n",
            direct(&command::DELETE, (7, 1), 1, Versions::None),
        ),
        (
            "incr a 18446744073709551615\r\n",
            direct(&command::INCR, (5, 1), 1, Versions::None),
        ),
        (
            "decr a 0\r\n",
            direct(&command::DECR, (5, 1), 1, Versions::None),
        ),
        (
            "touch a 0\r\n",
            direct(&command::TOUCH, (6, 1), 1, Versions::None),
        ),
        (
            "touch a 9\r\n",
            direct(&command::TOUCH, (6, 1), 1, Versions::None),
        ),
        (
            "mg a\r\n",
            direct(&command::META_GET, (3, 1), 1, Versions::None),
        ),
        (
            "mg a v f k s u O1\r\n",
            direct(&command::META_GET, (3, 1), 1, Versions::None),
        ),
        (
            "mg a v c\r\n",
            direct(&command::META_GET, (3, 1), 1, Versions::Returned),
        ),
        (
            "mg a t\r\n",
            direct(&command::META_GET, (3, 1), 1, Versions::None),
        ),
        (
            "ms a 1 T0 F5 MS\r\nx\r\n",
            direct(&command::META_SET, (3, 1), 1, Versions::None),
        ),
        (
            "ms a 1 T5\r\nx\r\n",
            direct(&command::META_SET, (3, 1), 1, Versions::None),
        ),
        (
            "md a k O7\r\n",
            direct(&command::META_DELETE, (3, 1), 1, Versions::None),
        ),
        (
            "ma a D5 MD v\r\n",
            direct(&command::META_ARITHMETIC, (3, 1), 1, Versions::None),
        ),
        (
            "ma a N60\r\n",
            direct(&command::META_ARITHMETIC, (3, 1), 1, Versions::None),
        ),
    ];
    for (bytes, kind) in cases {
        assert_eq!(kinds(bytes.as_bytes()), [(bytes.len(), *kind)], "{bytes}");
        let odd = bytes.replacen("\r\n", "\n", 1);
        assert_eq!(kinds(odd.as_bytes()), [(odd.len(), Kind::Line)], "{odd}");
        let odd = format!(" {bytes}");
        assert_eq!(kinds(odd.as_bytes()), [(odd.len(), Kind::Line)], "{odd}");
    }
}

#[test]
fn what_is_not_canonical_is_read_first() {
    for line in [
        "get  a\r\n",
        "get a \r\n",
        "get a\tb\r\n",
        "get a\0b\r\n",
        "get a\rb\r\n",
        "get\r\n",
        "GET a\r\n",
        "delete a 0\r\n",
        "delete a noreply\r\n",
        "incr a 01\r\n",
        "incr a 18446744073709551616\r\n",
        "incr a 1 2\r\n",
        "touch a -0\r\n",
        "touch a 2147483648\r\n",
        "mg a v v\r\n",
        "mg a q\r\n",
        "mg YWJj b\r\n",
        "mg a vx\r\n",
        "mg a T5\r\n",
        "mg a E5\r\n",
        "gat 5 a\r\n",
        "\r\n",
        "version\r\n",
        "get / HTTP/1.1\r\n\n",
    ] {
        let kind = match kinds(line.as_bytes())[0] {
            (_, kind @ Kind::Direct { .. }) if line.starts_with("get /") => kind,
            (_, Kind::Line) => continue,
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(kind, direct(&command::GET, (4, 1), 2, Versions::None));
    }
}

#[test]
fn values_end_where_memcached_ends_them() {
    let key251 = "k".repeat(251);
    let set = direct(&command::SET, (4, 1), 1, Versions::None);
    let cases: &[(&str, &[(usize, Kind)])] = &[
        ("set a 0 0 3\r\n\r\n\n\r\n", &[(18, set)]),
        ("set a 0 0 1 noreply\r\nx\r\n", &[(24, Kind::Line)]),
        (
            "set a 0 0 1\r\nxyz\r\n",
            &[(16, Kind::BadChunk { silent: false }), (2, Kind::Line)],
        ),
        (
            "set a 0 0 1 noreply\r\nxyz\r\n",
            &[(24, Kind::BadChunk { silent: true }), (2, Kind::Line)],
        ),
        (
            "ms a 1 q\r\nxyz\r\n",
            &[(13, Kind::BadChunk { silent: false }), (2, Kind::Line)],
        ),
        // Refused: the value is taken for a command, or skipped.
        ("set a 0 0\r\nx\r\n", &[(11, Kind::Line), (3, Kind::Line)]),
        ("set a 0 0 -1\r\n\r\n", &[(14, Kind::Line), (2, Kind::Line)]),
        (
            &format!("set {key251} 0 0 1\r\nx\r\n"),
            &[(263, Kind::Line), (3, Kind::Line)],
        ),
        ("ms a 1 z\r\nx\r\n", &[(10, Kind::Line), (3, Kind::Skipped)]),
        ("ms a x\r\nx\r\n", &[(8, Kind::Line), (3, Kind::Line)]),
        // Ours: what memcached would have stored does not become a command.
        (
            "set a\rb 0 0 1\r\nx\r\n",
            &[(15, Kind::Line), (3, Kind::Skipped)],
        ),
        (
            "set a 0 0 1073741825\r\nabc",
            &[(22, Kind::TooLarge { silent: false }), (3, Kind::Skipped)],
        ),
        (
            "set a 0 0 1073741825 noreply\r\nabc",
            &[(30, Kind::TooLarge { silent: true }), (3, Kind::Skipped)],
        ),
        (
            "set a 0 0 2147483646\r\nabc\r\n",
            &[(22, Kind::Line), (5, Kind::Line)],
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(kinds(bytes.as_bytes()), *expected, "{bytes:?}");
    }
}

#[test]
fn a_value_that_is_passed_over_is_never_awaited() {
    let mut parser = Parser::default();
    let line = b"set a 0 0 2000000000\r\n";
    assert!(matches!(
        parser.parse(line, 0),
        Status::Complete(Request {
            kind: Kind::TooLarge { .. },
            ..
        })
    ));
    let block = vec![b'x'; 1 << 20];
    let mut left = 2_000_000_002usize;
    while left > 0 {
        assert!(!parser.is_idle());
        assert_eq!(parser.expected(), 0);
        let Status::Complete(request) = parser.parse(&block, 0) else {
            panic!("{left} bytes before the end");
        };
        assert_eq!(
            (request.kind, request.len),
            (Kind::Skipped, left.min(1 << 20))
        );
        left -= request.len;
    }
    assert!(parser.is_idle());
    assert_eq!(parser.parse(b"", 0), Status::Incomplete);
    assert!(matches!(parser.parse(b"get a\r\n", 0), Status::Complete(_)));
}

#[test]
fn lines_have_limits() {
    let bad = Status::Bad(Fatal::LineTooLong);
    let of = |name: &str, len: usize| {
        let mut line = name.as_bytes().to_vec();
        line.resize(len - 1, b'x');
        line.push(b'\n');
        line
    };
    for (name, most) in [
        ("x", MAX_LINE),
        ("delete ", MAX_LINE),
        ("gat 0 ", MAX_RETRIEVAL),
        ("get", MAX_LINE),
        ("get ", MAX_RETRIEVAL),
        ("   gets ", MAX_RETRIEVAL),
    ] {
        let line = of(name, most);
        assert_eq!(kinds(&line), [(most, Kind::Line)], "{name}");
        assert_eq!(
            Parser::default().parse(&line[..most - 1], 0),
            Status::Incomplete
        );
        let line = of(name, most + 1);
        assert_eq!(Parser::default().parse(&line, 0), bad, "{name}");
        assert_eq!(Parser::default().parse(&line[..most], 0), bad, "{name}");
    }
    let blanks = " ".repeat(101);
    assert_eq!(whole(&of(&format!("{blanks}get "), MAX_LINE + 1)), [bad]);
    assert_eq!(Fatal::LineTooLong.reply(), b"");
}

#[test]
fn a_piece_before_the_parsers_position_is_passed_over() {
    let bytes = b"set abc 0 0 9\r\n123456789\r\n";
    for cut in 0..bytes.len() {
        let mut parser = Parser::default();
        assert_eq!(parser.parse(&bytes[..cut], 0), Status::Incomplete);
        for earlier in 0..cut {
            assert_eq!(parser.parse(&bytes[..earlier], 0), Status::Incomplete);
        }
        let expected = if cut < 15 { 0 } else { bytes.len() - cut };
        assert_eq!(parser.expected(), expected);
        assert!(matches!(
            parser.parse(bytes, 0),
            Status::Complete(Request { len, .. }) if len == bytes.len()
        ));
    }
}

fn chain(pool: &Pool, pieces: &[&[u8]]) -> Chain {
    let mut chain = Chain::new();
    for piece in pieces {
        let mut writer = pool.writer();
        writer.spare()[..piece.len()].copy_from_slice(piece);
        chain.push(writer.commit(piece.len()));
    }
    chain
}

fn text(pattern: &'static str) -> impl Strategy<Value = Vec<u8>> {
    proptest::string::string_regex(pattern)
        .unwrap()
        .prop_map(String::into_bytes)
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let store = (
        text("(set|add|append|cas|ms) [a-z]{1,4}( 0 0)?"),
        proptest::collection::vec(any::<u8>(), 0..30),
        text("( 7)?( noreply| q| k| z)?\r?\n"),
        -1i32..2,
    )
        .prop_map(|(head, value, tail, off)| {
            let len = value.len() as i32 + off;
            let mut out = head;
            out.extend(format!(" {len}").bytes());
            out.extend(tail);
            out.extend(value);
            out.extend(b"\r\n");
            out
        });
    prop_oneof![
        4 => store,
        3 => text("(get|gets|mg|delete|gat 0|incr|touch|md|ma)( [a-z\t]{1,3}| 7| v){0,4} ?\r?\n"),
        1 => text("(version|stats|mn|set|ms|\r| )? ?\r?\n"),
        1 => proptest::collection::vec(any::<u8>(), 1..30),
        1 => (1usize..40).prop_map(|n| [b"delete ".to_vec(), vec![b'k'; n * 9], b"\r\n".to_vec()].concat()),
    ]
}

proptest! {
    #[test]
    fn cuts_change_nothing(requests in proptest::collection::vec(any_request(), 1..8), cuts in proptest::collection::vec(1usize..50, 1..40)) {
        let stream = requests.concat();
        let expected = whole(&stream);
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut end = 0;
        for cut in cuts.iter().cycle() {
            let next = (end + cut).min(stream.len());
            pieces.push(&stream[end..next]);
            end = next;
            if end == stream.len() { break; }
        }
        // Contiguous growing prefixes, and slices of separate blocks.
        let pool = Pool::new(64, 1 << 20);
        for spread in [false, true] {
            let (mut got, mut at, mut end, mut parser) = (Vec::new(), 0, 0, Parser::default());
            let mut data = Chain::new();
            'all: for piece in &pieces {
                end += piece.len();
                data.append(&mut chain(&pool, &[piece]));
                loop {
                    let status = if spread { parser.find(&data) } else { parser.parse(&stream[at..end], 0) };
                    match status {
                        Status::Complete(request) => {
                            data.advance(request.len);
                            at += request.len;
                            push(&mut got, status);
                        }
                        Status::Bad(_) => { got.push(status); break 'all; }
                        Status::Incomplete => break,
                    }
                }
            }
            if !matches!(got.last(), Some(Status::Bad(_))) { got.push(Status::Incomplete); }
            prop_assert_eq!(&got, &expected);
        }
    }

    /// What goes straight is what the reader of any line says, and is its canonical form already.
    #[test]
    fn both_readers_agree(requests in proptest::collection::vec(any_request(), 1..8)) {
        let stream = requests.concat();
        let mut at = 0;
        for status in whole(&stream) {
            let Status::Complete(request) = status else { break };
            let bytes = &stream[at..at + request.len];
            at += request.len;
            agree(bytes, &request);
        }
    }
}

/// Asserts what holds for any request.
fn agree(bytes: &[u8], request: &Request) {
    let line = &bytes[..request.line as usize];
    match (request.kind, read(line)) {
        (
            Kind::Direct {
                command,
                key,
                keys,
                versions,
            },
            Outcome::Call(call),
        ) => {
            let mut canonical = Vec::new();
            call.encode(&mut canonical);
            assert_eq!(
                canonical.escape_ascii().to_string(),
                line.escape_ascii().to_string()
            );
            assert_eq!((call.command, call.quiet), (command, Quiet::No));
            let first = call.keys().next().expect("a key");
            assert_eq!(
                (&*first, call.keys().count()),
                (key.of(bytes), keys as usize)
            );
            assert_eq!(versions, versions_of(&call), "{}", line.escape_ascii());
            let behind = call.data_len().map_or(0, |len| len as usize + 2);
            assert_eq!(bytes.len(), line.len() + behind);
        }
        (Kind::Line, Outcome::Call(call)) => {
            let mut canonical = Vec::new();
            call.encode(&mut canonical);
            assert_ne!(
                canonical,
                line.strip_suffix(b"\r\n").map_or(vec![], <[u8]>::to_vec)
            );
            let behind = call.data_len().map_or(0, |len| len as usize + 2);
            assert_eq!(bytes.len(), line.len() + behind);
            let again = read(&canonical);
            let unquiet = Call {
                quiet: Quiet::No,
                ..call
            };
            assert_eq!(again, Outcome::Call(unquiet), "{}", line.escape_ascii());
        }
        (Kind::Line, Outcome::Answer { text, .. }) => {
            assert!(text.ends_with(b"\r\n"));
            assert_eq!(bytes.len(), line.len());
        }
        (Kind::Line, Outcome::Quit) | (Kind::BadChunk { .. }, Outcome::Call(_)) => {}
        (Kind::TooLarge { silent }, outcome) => {
            let text = errors::TOO_LARGE.as_bytes().into();
            assert_eq!(outcome, Outcome::Answer { text, silent });
        }
        (Kind::Skipped, _) => assert_eq!(line, b""),
        (kind, outcome) => panic!("{}: {kind:?}, {outcome:?}", bytes.escape_ascii()),
    }
}

/// The rule for [`Kind::Direct`]'s `versions`, told by what the call is.
fn versions_of(call: &Call<'_>) -> Versions {
    match &call.body {
        Body::Get { .. } if call.command.name == "gets" => Versions::Returned,
        Body::Store { unique, .. } if unique.is_some() => Versions::Compared,
        Body::Meta(meta) if meta.token(b'c').is_some() => Versions::Returned,
        _ => Versions::None,
    }
}
