//! Every row of what was observed of memcached 1.6.18 beside the original, asked again; and what is answered
//! otherwise, with the reason.

use super::super::errors;
use super::super::request::MAX_RETRIEVAL;
use super::*;

/// A row's bytes: `×n` repeats the byte before it.
fn bytes(row: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut rest = row;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if let Some(tail) = rest.strip_prefix("×".as_bytes()) {
            let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            let count: usize = String::from_utf8_lossy(&tail[..digits]).parse().unwrap();
            out.resize(out.len() + count, *byte);
            rest = &tail[digits..];
        } else {
            out.push(*byte);
        }
    }
    out
}

/// Rows that memcached and the proxy answer alike. What asks for a value that does not come is gone on with
/// until it is there.
const ALIKE: &[&str] = &[
    "set a 0 0 1\r\nx\r\n",
    "set a 0 -1 1\r\nx\r\n",
    "set a 4294967295 0 1\r\nx\r\nget a\r\n",
    "set a 4294967296 0 1\r\nx\r\nget a\r\n",
    "set a 0 0 0\r\n\r\n",
    "set a 0 0 1 noreply\r\nx\r\n",
    "set a 0 0 1 noreply\r\nx\r\ndelete a\r\n",
    "set a 0 0 1 noreply\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nset c 0 0 1 noreply\r\nx\r\ndelete c\r\n",
    "delete a noreply\r\nincr nope 1\r\n",
    "incr n 1 noreply\r\n",
    "touch a 100 noreply\r\n",
    "set a 0 0 1 noreply  \r\nx\r\n",
    "set a 0 0 1 NOREPLY\r\nx\r\n",
    "set a 0 0 1 norepli\r\nx\r\n",
    "set a 0 0 1 noreplyy\r\nx\r\n",
    "set a 0 0 2000000 noreply\r\nx×2000000\r\ndelete a\r\n",
    "add a 0 0 1\r\nx\r\n",
    "add new1 0 0 1\r\nx\r\n",
    "replace nope 0 0 1\r\nx\r\n",
    "append nope 0 0 1\r\nx\r\n",
    "append a 0 0 1\r\nx\r\n",
    "prepend a 0 0 1\r\nx\r\n",
    "cas a 0 0 1 999\r\nx\r\n",
    "cas nope 0 0 1 999\r\nx\r\n",
    "cas a 0 0 1\r\nx\r\n",
    "cas a 0 0 1 999 noreply\r\nx\r\n",
    "incr n 5\r\n",
    "decr n 5\r\n",
    "incr nope 5\r\n",
    "incr a 5\r\n",
    "incr n -5\r\n",
    "incr n\r\n",
    "incr n abc\r\n",
    "decr n 1000\r\n",
    "incr n 18446744073709551616\r\n",
    "delete a\r\n",
    "delete nope\r\n",
    "delete a 0\r\n",
    "delete a 10\r\n",
    "touch a 100\r\n",
    "touch nope 100\r\n",
    "touch a\r\n",
    "touch a -1\r\n",
    "get a\r\n",
    "get nope\r\n",
    "gets a\r\n",
    "get a n nope\r\n",
    "get\r\n",
    "get \r\n",
    "gat 10 a\r\n",
    "gats 10 a\r\n",
    "quit\r\n",
    "quit  \r\n",
    "quit x\r\n",
    "QUIT\r\n",
    "set a 0 0 1\r\nx\r\nquit\r\n",
    "version\r\n",
    "verbosity 1\r\n",
    "flush_all\r\n",
    "flush_all 10\r\n",
    "flush_all noreply\r\n",
    "lru_crawler status\r\n",
    "debugtime 1\r\n",
    "mn\r\n",
    "mg a v\r\n",
    "ms a 1\r\nx\r\n",
    "md a\r\n",
    "ma n\r\n",
    "\r\n",
    "set a 0 0 1\nx\n",
    "   set a 0 0 1\r\nx\r\n",
    "set\x09a\x090\x090\x091\r\nx\r\n",
    "set   a   0   0   1   \r\nx\r\n",
    "SET a 0 0 1\r\nx\r\n",
    "foo\r\n",
    "x×5000\r\n",
    "x×20000\r\n",
    "123\r\n",
    "g3t a\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "\x16\x03\x01",
    "\0×256",
    "set k×250 0 0 1\r\nx\r\n",
    "set k×251 0 0 1\r\nx\r\n",
    "delete k×251\r\n",
    "delete k×100000\r\n",
    "delete k×20000\r\n",
    "delete k×20000",
    "set a\x01b 0 0 1\r\nx\r\n",
    "set a\nb 0 0 1\r\nx\r\n",
    "delete a\x09b\r\n",
    "delete \u{e9}\r\n",
    "set a 0 0 -1\r\n\r\n",
    "set a 0 0 abc\r\nx\r\n",
    "set a 0 0\r\nx\r\n",
    "set a 0 0 4294967297\r\nx\r\n",
    "set a 0 0 4294967300\r\nabcd\r\n",
    "set a 0 0 4294967295\r\nx\r\n",
    "set a 0 0 1\r\nxyz\r\n",
    "set a 0 0 10\r\nx\r\n",
    "set a 0 0 4\r\nx\r\ny\r\n",
    "set a 0 0 1\r\nxab",
    "set a 0 0 1\r\nx\rX",
    "set a 0 0 1048400\r\nx×1048400\r\n",
    "set a 0 0 2000000\r\nx×2000000\r\n",
    "set a 0 0 4\r\nxxyy\r\n",
    "set a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\ndelete a\r\n",
    "set a 0 0 1\r\nx\r\nversion\r\nset b 0 0 1\r\ny\r\n",
    "set a 0 0 1 5 6\r\nx\r\n",
    "set a -1 0 1\r\nx\r\n",
    "set a x 0 1\r\nx\r\n",
    "set a 0 x 1\r\nx\r\n",
    "incr n 1 2\r\n",
    "touch a 1 2\r\n",
    "touch a x\r\n",
    "incr n -\r\n",
    "set\r\n",
    "set a\r\n",
    "s",
    "delete \r\n",
    "delete\r\n",
    "get k×251\r\n",
    // Further ones.
    "delete zb\nflush_all\r\nget a\r\n",
    "gat 10\r\n",
    "gat x\r\n",
    "gat x a\r\n",
    "get a a a a a a a a a a a a a a a a a a a a a n\r\n",
    "get a a a a a a a a a a a a a a a a a a a a a a n nope a  \r\n",
    "get a  a  a a a a a a a a a a a a a a a a a a a a k×251\r\n",
    "get nope×2000 a\r\n",
    "delete noreply\r\n",
    "delete a 0 noreply\r\n",
    "delete a 10 noreply\r\nmn\r\n",
    "delete a b c d\r\n",
    "set a noreply\r\n",
    "set a 0 0 noreply\r\nmn\r\n",
    "verbosity\r\n",
    "verbosity x\r\n",
    "verbosity noreply\r\nmn\r\n",
    "verbosity 0 0 0\r\n",
    "flush_all x\r\n",
    "flush_all 0 noreply\r\nmn\r\n",
    "flush_all noreply 0\r\n",
    "flush_all 0 0 0\r\n",
    "foo HTTP/\r\n",
    "foo HTTP\r\n",
    "connect x HTTP/1.1\r\n",
    "GET / HTTP/1.1 x x x x x x x x x x x x x x x x x x x x x x x HTTP/1.1\r\n",
    "lru x HTTP/1.1\r\n",
    "mn x y\r\n",
    "mg\r\n",
    "mg a q\r\nmg nope q\r\nmg nope k O7\r\nmn\r\n",
    "mg YWJj b k v\r\nmg YWJk b k\r\n",
    "mg a O1234567890123456789012345678901\r\n",
    "mg nope q O12345678901234567890123456789012\r\n",
    "ms a\r\n",
    "ms a 2 MX O12345678901234567890123456789012\r\nxx\r\nmn\r\n",
    "ms a 2 b\r\nxx\r\nmn\r\n",
    "ms a 2000000 q\r\nx×2000000\r\nmn\r\n",
    "ms b 1 q k O1\r\nx\r\nms b 1 q ME\r\nx\r\nmg b v\r\n",
    "md a q\r\nmd a q\r\nmn\r\n",
    "ma n q\r\nma n q v\r\nma nope q\r\nma a q\r\nmn\r\n",
    "ma n N0 J7 MX\r\n",
    "ma nope N0 J7 v\r\nma nope MD D5 v\r\n",
    "mg a b c d e f g h i j k l m n o p q\r\n",
    "mg a v f s t c k l h u I O1 T30 N0 R0 F1 C1 MM J1\r\n",
    "ms a 1 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7\r\nx\r\n",
];

#[test]
fn every_row_is_answered_as_by_memcached() {
    let pair = Pair::start();
    for row in ALIKE {
        let bytes = completed(&bytes(row.as_bytes())).expect("a row that can be completed");
        let (expected, got) = pair.hear(&bytes);
        assert_eq!(comparable(&got), comparable(&expected), "{row:?}");
    }
}

#[test]
fn what_is_answered_otherwise() {
    let server = Server::start();
    let refused = [
        // An operator's commands would reach one node of many, or all clients of one.
        "slabs automove 1",
        "lru tune 10 25 0.1 2.0",
        "watch fetchers",
        "cache_memlimit 64",
        "shutdown",
        "misbehave",
        "refresh_certs",
        "extstore x y",
        // They tell about one item of one node, and about no owner.
        "me a",
        "bget a",
    ];
    let mut cases: Vec<(Vec<u8>, Vec<u8>)> = refused
        .iter()
        .map(|line| (format!("{line}\r\n").into(), errors::ERROR.into()))
        .collect();
    for word in [
        "reset",
        "detail on",
        "cachedump 1 1",
        "sizes",
        "conns",
        "noreply",
    ] {
        let name = word.split(' ').next().unwrap_or_default();
        let text = format!("CLIENT_ERROR stats {name} is not served by Dynomite\r\n");
        cases.push((format!("stats {word}\r\n").into(), text.into()));
    }
    for line in [
        "delete a\rb\r\n",
        "delete a\0b\r\n",
        "get a\r\r\n",
        "version\0\r\n",
    ] {
        // memcached would take CR for a part of the key and end the line at NUL: nobody means that.
        cases.push((line.into(), errors::BAD_LINE.into()));
    }
    let text = [errors::BAD_LINE, "MN\r\n"].concat();
    for line in [
        "set a\rb 0 0 4",
        "set a\0b 0 0 4",
        "set a 0 0 4\0",
        "ms a\rb 4 q",
    ] {
        // The value that memcached would have stored is none of a stranger's commands.
        let bytes = format!("{line}\r\nmn\r\n\r\nmn\r\n");
        cases.push((bytes.into(), text.clone().into()));
    }
    let noreply = "set a\rb 0 0 4 noreply\r\nmn\r\n\r\nmn\r\n";
    cases.push((noreply.into(), b"MN\r\n".into()));
    // memcached closes it.
    let long = format!("gat 10{}\r\n", " key".repeat(10_000));
    cases.push((long.into(), b"END\r\n".into()));
    // memcached executes it before it sees this.
    let long = b"ma n O12345678901234567890123456789012\r\n";
    cases.push((long.into(), errors::OPAQUE_TOO_LONG.into()));
    for (bytes, reply) in cases {
        let got = proxied(&server, &bytes);
        let expected = Heard {
            reply,
            closed: false,
        };
        assert_eq!(got, expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_forms_of_stats_are_asked_of_the_datastore() {
    let server = Server::start();
    for (line, start) in [
        ("stats\r\n", "STAT pid "),
        ("stats items x\r\n", "END\r\n"),
        ("stats slabs\r\n", "STAT active_slabs "),
        (" stats  settings\r\n", "STAT maxbytes "),
    ] {
        let got = proxied(&server, line.as_bytes());
        assert!(got.reply.starts_with(start.as_bytes()), "{line}: {got:?}");
    }
}

/// What is longer than memcached takes in pieces, but for these two commands.
#[test]
fn a_get_of_a_megabyte_is_served() {
    let pair = Pair::start();
    for name in ["get a", " gets nope"] {
        let keys = " nope".repeat((MAX_RETRIEVAL - 20) / 5);
        let bytes = format!("{name}{keys} a\r\nmn\r\n");
        let (expected, got) = pair.hear(bytes.as_bytes());
        assert_eq!(comparable(&got), comparable(&expected));
        assert!(got.reply.starts_with(b"VALUE a 5 3") && got.reply.ends_with(b"END\r\nMN\r\n"));
    }
}
