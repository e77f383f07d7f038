//! Everyday, malformed and hostile input from clients of memcached's text protocol: what comes of it, what
//! follows on the same connection, and that it disturbs nobody who shares the datastore.
//!
//! Most rows say "as memcached": a memcached gets the same bytes and the answers are compared, but for
//! `cas` ids. The exceptions are decisions of ours: NUL and a lone CR are refused in keys, commands of
//! administration are refused, `flush_all` is off, and what is no text is refused at once.

mod common;

use Expected::*;
use Input::*;
use common::*;

/// What a client sends. `x×100` stands for a hundred `x`.
enum Input {
    /// At once.
    Whole(&'static str),
    /// Piece by piece.
    Pieces(&'static [&'static str]),
    /// Byte by byte.
    EachByte(&'static str),
    /// Bytes that are no text.
    Bytes(&'static [u8]),
}

/// What comes of it.
enum Expected {
    /// What a memcached answers, and the connection open or closed as it leaves it.
    Same,
    /// No answer yet. With these bytes behind it, the same as a memcached with all of them.
    Waits(&'static str),
    /// This, and the connection stays open.
    Answers(&'static str),
    /// Something that begins so, and the connection stays open.
    Begins(&'static str),
    /// This, and the connection is closed.
    Closes(&'static str),
    /// An error, and the connection stays open.
    Refuses,
    /// An error, or nothing and the connection is closed: the line is longer than a memcached reads.
    TooLong,
    /// The length is taken as a memcached takes it, or refused; what follows may be taken for the value.
    Length,
    /// The binary protocol's own "not supported", and the connection is closed.
    NoBinary,
    /// Anything; nobody is disturbed.
    Anything,
}

const REFUSED: &str = "ERROR\r\n";
const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";

/// The numbers are those of a list of what the C original does with each.
#[rustfmt::skip]
const ROWS: &[(u32, Input, Expected)] = &[
    (1, Whole("set a 0 0 1\r\nx\r\n"), Same),
    (2, Whole("set a 0 -1 1\r\nx\r\n"), Same),
    (3, Whole("set a 4294967295 0 1\r\nx\r\n"), Same),
    (4, Whole("set a 4294967296 0 1\r\nx\r\n"), Same),
    (5, Whole("set a 0 0 0\r\n\r\n"), Same),
    (6, Whole("set a 0 0 1 noreply\r\nx\r\n"), Same),
    (7, Whole("set a 0 0 1 noreply\r\nx\r\ndelete a\r\n"), Same),
    (8, Whole("set a 0 0 1 noreply\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nset c 0 0 1 noreply\r\nx\r\ndelete c\r\n"), Same),
    (9, Whole("delete a noreply\r\nincr nope 1\r\n"), Same),
    (10, Whole("incr n 1 noreply\r\n"), Same),
    (11, Whole("touch a 100 noreply\r\n"), Same),
    (12, Whole("set a 0 0 1 noreply  \r\nx\r\n"), Same),
    (13, Whole("set a 0 0 1 NOREPLY\r\nx\r\n"), Same),
    (14, Whole("set a 0 0 1 norepli\r\nx\r\n"), Same),
    (15, Whole("set a 0 0 1 noreplyy\r\nx\r\n"), Same),
    (16, Whole("set a 0 0 2000000 noreply\r\nx×2000000\r\ndelete a\r\n"), Same),
    (17, Whole("add a 0 0 1\r\nx\r\n"), Same),
    (18, Whole("add new1 0 0 1\r\nx\r\n"), Same),
    (19, Whole("replace nope 0 0 1\r\nx\r\n"), Same),
    (20, Whole("append nope 0 0 1\r\nx\r\n"), Same),
    (21, Whole("append a 0 0 1\r\nx\r\n"), Same),
    (22, Whole("prepend a 0 0 1\r\nx\r\n"), Same),
    (23, Whole("cas a 0 0 1 999999999\r\nx\r\n"), Same),
    (24, Whole("cas nope 0 0 1 999\r\nx\r\n"), Same),
    (25, Whole("cas a 0 0 1\r\nx\r\n"), Same),
    (26, Whole("cas a 0 0 1 999999999 noreply\r\nx\r\n"), Same),
    (27, Whole("incr n 5\r\n"), Same),
    (28, Whole("decr n 5\r\n"), Same),
    (29, Whole("incr nope 5\r\n"), Same),
    (30, Whole("incr a 5\r\n"), Same),
    (31, Whole("incr n -5\r\n"), Same),
    (32, Whole("incr n\r\n"), Same),
    (33, Whole("incr n abc\r\n"), Same),
    (34, Whole("decr n 1000\r\n"), Same),
    (35, Whole("incr n 18446744073709551616\r\n"), Same),
    (36, Whole("delete a\r\n"), Same),
    (37, Whole("delete nope\r\n"), Same),
    (38, Whole("delete a 0\r\n"), Same),
    (39, Whole("delete a 10\r\n"), Same),
    (40, Whole("touch a 100\r\n"), Same),
    (41, Whole("touch nope 100\r\n"), Same),
    (42, Whole("touch a\r\n"), Same),
    (43, Whole("touch a -1\r\n"), Same),
    (44, Whole("get a\r\n"), Same),
    (45, Whole("get nope\r\n"), Same),
    (46, Whole("gets a\r\n"), Same),
    (47, Whole("get a n nope\r\n"), Same),
    (48, Whole("get\r\n"), Same),
    (49, Whole("get \r\n"), Same),
    (50, Whole("gat 10 a\r\n"), Same),
    (51, Whole("gats 10 a\r\n"), Same),
    (52, Whole("quit\r\n"), Closes("")),
    (53, Whole("quit  \r\n"), Closes("")),
    (54, Whole("quit x\r\n"), Closes("")),
    (55, Whole("QUIT\r\n"), Same),
    (56, Whole("set a 0 0 1\r\nx\r\nquit\r\n"), Closes("STORED\r\n")),
    (57, Whole("version\r\n"), Same),
    (58, Whole("verbosity 1\r\n"), Answers("OK\r\n")),
    (59, Whole("stats\r\n"), Begins("STAT pid ")),
    (60, Whole("stats items\r\n"), Begins("STAT items:")),
    (61, Whole("stats reset\r\n"), Refuses),
    (62, Whole("flush_all\r\n"), Begins("CLIENT_ERROR flush_all is disabled")),
    (63, Whole("flush_all 10\r\n"), Begins("CLIENT_ERROR flush_all is disabled")),
    (64, Whole("flush_all noreply\r\n"), Answers("")),
    (65, Whole("slabs automove 1\r\n"), Answers(REFUSED)),
    (66, Whole("lru tune 10 25 0.1 2.0\r\n"), Answers(REFUSED)),
    (67, Whole("lru_crawler status\r\n"), Answers(REFUSED)),
    (68, Whole("watch fetchers\r\n"), Answers(REFUSED)),
    (69, Whole("cache_memlimit 64\r\n"), Answers(REFUSED)),
    (70, Whole("shutdown\r\n"), Answers(REFUSED)),
    (71, Whole("debugtime 1\r\n"), Answers(REFUSED)),
    (72, Whole("mn\r\n"), Same),
    (73, Whole("mg a v\r\n"), Same),
    (74, Whole("ms a 1\r\nx\r\n"), Same),
    (75, Whole("md a\r\n"), Same),
    (76, Whole("ma n\r\n"), Same),
    (77, Whole("me a\r\n"), Answers(REFUSED)),
    (80, Whole("\r\n"), Same),
    (81, Whole("set a 0 0 1\nx\n"), Waits("y\r\n")),
    (82, Whole("   set a 0 0 1\r\nx\r\n"), Same),
    (83, Whole("set\ta\t0\t0\t1\r\nx\r\n"), Same),
    (84, Whole("set   a   0   0   1   \r\nx\r\n"), Same),
    (85, Whole("SET a 0 0 1\r\nx\r\n"), Same),
    (86, Whole("foo\r\n"), Same),
    (87, Whole("x×5000\r\n"), Same),
    (88, Whole("x×20000\r\n"), TooLong),
    (89, Whole("123\r\n"), Same),
    (90, Whole("g3t a\r\n"), Same),
    (92, Whole("GET / HTTP/1.1\r\n\r\n"), Closes("")),
    (93, Whole("*1\r\n$4\r\nPING\r\n"), Same),
    (96, Whole("set k×250 0 0 1\r\nx\r\n"), Same),
    (97, Whole("set k×251 0 0 1\r\nx\r\n"), Same),
    (98, Whole("delete k×251\r\n"), Same),
    (99, Whole("delete k×100000\r\n"), TooLong),
    (100, Whole("delete k×20000\r\n"), TooLong),
    (101, Pieces(&["delete k×20000", "\r\n"]), TooLong),
    (102, Whole("set a\x01b 0 0 1\r\nx\r\n"), Same),
    (103, Whole("set a\0b 0 0 1\r\nx\r\n"), Begins(BAD_LINE)),
    (104, Whole("set a\nb 0 0 1\r\nx\r\n"), Same),
    (105, Whole("delete a\tb\r\n"), Same),
    (106, Whole("delete é\r\n"), Same),
    (107, Whole("delete a\rb\r\n"), Answers(BAD_LINE)),
    (108, Whole("set a 0 0 -1\r\n\r\n"), Same),
    (109, Whole("set a 0 0 abc\r\nx\r\n"), Same),
    (110, Whole("set a 0 0\r\nx\r\n"), Same),
    (111, Whole("set a 0 0 4294967297\r\nx\r\n"), Length),
    (112, Whole("set a 0 0 4294967300\r\nabcd\r\n"), Length),
    (113, Whole("set a 0 0 4294967295\r\nx\r\n"), Length),
    (114, Whole("set a 0 0 1\r\nxyz\r\n"), Same),
    (115, Whole("set a 0 0 10\r\nx\r\n"), Waits("1234567\r\n")),
    (116, Whole("set a 0 0 4\r\nx\r\ny\r\n"), Same),
    (117, Whole("set a 0 0 1\r\nxab"), Same),
    (118, Whole("set a 0 0 1\r\nx\rX"), Same),
    (119, Whole("set a 0 0 1048400\r\nx×1048400\r\n"), Same),
    (120, Whole("set a 0 0 2000000\r\nx×2000000\r\n"), Same),
    (121, EachByte("set a 0 0 1\r\nx\r\n"), Same),
    (122, EachByte("delete a\r\n"), Same),
    (123, Pieces(&["set a 0 0 4\r\nxx", "yy\r\n"]), Same),
    (124, Pieces(&["set a 0 0 1\r\nx\r", "\n"]), Same),
    (125, Pieces(&["delete aa", "a\r\n"]), Same),
    (126, Whole("set a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\ndelete a\r\n"), Same),
    (127, Whole("set a 0 0 1\r\nx\r\nversion\r\nset b 0 0 1\r\ny\r\n"), Same),
    (128, Whole("set a 0 0 1 5 6\r\nx\r\n"), Same),
    (129, Whole("set a -1 0 1\r\nx\r\n"), Same),
    (130, Whole("set a x 0 1\r\nx\r\n"), Same),
    (131, Whole("set a 0 x 1\r\nx\r\n"), Same),
    (132, Whole("incr n 1 2\r\n"), Same),
    (133, Whole("touch a 1000 2\r\n"), Same),
    (134, Whole("touch a x\r\n"), Same),
    (135, Whole("incr n -\r\n"), Same),
    (136, Whole("set\r\n"), Same),
    (137, Whole("set a\r\n"), Same),
    (138, Whole("s"), Waits("et a 0 0 1\r\nx\r\n")),
    (139, Whole("delete \r\n"), Same),
    (140, Whole("delete\r\n"), Same),
    (141, Whole("get k×251\r\n"), Same),
    // Not in that list.
    (201, EachByte("get a n nope a\r\n"), Same),
    (202, EachByte("set a 0 0 1\r\nxyz\r\nget a\r\n"), Same),
    (203, EachByte("mg a v k Oq s f\r\nms a 2 Oq\r\nxx\r\nma n v\r\nmd a q\r\nmn\r\n"), Same),
    (204, Whole("get a a a n n nope a\r\n"), Same),
    (205, Whole("mg nope\r\nmg nope q\r\nmg a q\r\nmn\r\n"), Same),
    (206, Whole("ms a 1 q\r\nx\r\nms a 1 q MA\r\ny\r\nmg a v q\r\nmd nope q\r\nmd a q\r\nmn\r\n"), Same),
    (207, Whole("mg YQ== b v k\r\nms YQ== 1 b\r\nz\r\nget a\r\n"), Same),
    (208, Whole("mg k×251 v\r\nms k×251 1\r\nx\r\nmn\r\n"), Same),
    (209, Whole("mg\r\nms\r\nms a\r\nmd\r\nma\r\n"), Same),
    (210, Whole("ms a 2\r\nxyz\r\nmg a v v\r\nmg a !\r\nmn\r\n"), Same),
    (211, Whole("ma nope N0 J13 v\r\nma nope v\r\nma a v\r\nma n MD D3 v\r\n"), Same),
    (212, Whole("mg a R30 T1000 v\r\nmg nope N100 v\r\nmg nope N100 v\r\n"), Same),
    (213, Whole("verbosity 1 noreply\r\n"), Same),
    (214, Whole("get a\nget n\nset b 0 0 1\ny\r\nget b\n"), Same),
    (215, Whole("set a 0 0 11 noreply\r\nVALUE END\r\n\r\nget a\r\n"), Same),
    (216, Whole("gat -1 a\r\nget a\r\n"), Same),
    (217, Whole("gat x a\r\ngat\r\n"), Same),
    (218, Whole("add a 0 0 1 noreply\r\nx\r\nreplace nope 0 0 1 noreply\r\nx\r\nget a nope\r\n"), Same),
    (219, Whole("set k×251 0 0 5 noreply\r\nhello\r\nget a\r\n"), Same),
    (220, Whole("set a 0 0 2 noreply\r\nxyz\r\nget a\r\n"), Same),
    (221, Whole("incr a 1 noreply\r\nincr n x noreply\r\nincr nope 1 noreply\r\nget n\r\n"), Same),
    // A binary request, with extras; the TLS greeting; nothing but zeros.
    (78, Bytes(b"\x80\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0a"), NoBinary),
    (79, Bytes(b"\x80\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NoBinary),
    (94, Bytes(b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n"), Anything),
    (95, Bytes(b"\0\0\0\0\0\0\0\0\0\0\0\0\r\n"), Anything),
];

impl Input {
    fn pieces(&self) -> Vec<Vec<u8>> {
        match self {
            Whole(text) => vec![bytes(text)],
            Pieces(texts) => texts.iter().map(|text| bytes(text)).collect(),
            EachByte(text) => bytes(text).iter().map(|&byte| vec![byte]).collect(),
            Bytes(bytes) => vec![bytes.to_vec()],
        }
    }
}

/// A node before a memcached, beside another memcached that answers for itself.
struct Bench {
    node: Node,
    behind: Memcached,
    beside: Memcached,
}

impl Bench {
    fn new() -> Bench {
        let behind = Memcached::start();
        let node = Setup::before_memcached(&behind).start();
        Bench {
            node,
            behind,
            beside: Memcached::start(),
        }
    }

    /// The same state before each row.
    fn prepare(store: &Memcached) {
        let mut client = store.client();
        client.expect("flush_all", "OK\r\n");
        client.expect("set a 5 0 3\r\nabc", "STORED\r\n");
        client.expect("set n 0 0 2\r\n10", "STORED\r\n");
    }

    /// What one of them says to these bytes, without `cas` ids.
    fn transcript(mut client: TextClient, pieces: &[Vec<u8>]) -> std::io::Result<Transcript> {
        for piece in pieces {
            // A closed connection is told by what is read.
            let _ = client.raw().try_send(piece);
        }
        let said = client.transcript()?;
        Ok(Transcript {
            bytes: without_ids(&said.bytes),
            closed: said.closed,
        })
    }

    /// What is wrong with a row, if anything.
    fn check(&self, input: &Input, expected: &Expected) -> Option<String> {
        Bench::prepare(&self.behind);
        let mut pieces = input.pieces();
        let mut client = self.node.text_client();
        if let Waits(rest) = expected {
            for piece in &pieces {
                client.send(piece);
            }
            // Meanwhile others are served, over the same connection to the memcached.
            let mut other = self.node.text_client();
            other.expect("get n", &value("n", "10"));
            client.send(rest.as_bytes());
            pieces.push(rest.as_bytes().to_vec());
            let ours = client.transcript();
            return self.as_memcached(ours, &pieces);
        }
        if let Length = expected {
            client.send(&pieces.concat());
            let reply = shown(&client.reply());
            let known = [
                "STORED",
                "SERVER_ERROR object too large for cache",
                BAD_LINE.trim_end(),
            ];
            let right = known.iter().any(|line| reply == format!("{line}\\r\\n"));
            return (!right).then_some(reply);
        }
        let ours = match Bench::transcript(client, &pieces) {
            Err(error) => return Some(error.to_string()),
            Ok(ours) => ours,
        };
        let is = |text: &str, closed| ours.bytes == text.as_bytes() && ours.closed == closed;
        let error =
            ours.bytes.starts_with(b"ERROR\r\n") || ours.bytes.starts_with(b"CLIENT_ERROR ");
        let right = match expected {
            Same => return self.as_memcached(Ok(ours), &pieces),
            Answers(text) => is(text, false),
            Closes(text) => is(text, true),
            Begins(text) => !ours.closed && ours.bytes.starts_with(text.as_bytes()),
            Refuses => error && !ours.closed,
            TooLong => error || is("", true),
            // Magic of a response; "unknown command" or "not supported".
            NoBinary => {
                ours.closed
                    && ours.bytes.first() == Some(&0x81)
                    && matches!(ours.bytes.get(6..8), Some([0, 0x81 | 0x83]))
            }
            Anything => true,
            Waits(_) | Length => unreachable!("see above"),
        };
        (!right).then(|| told(&ours))
    }

    fn as_memcached(
        &self,
        ours: std::io::Result<Transcript>,
        pieces: &[Vec<u8>],
    ) -> Option<String> {
        as_memcached(&self.beside, ours, pieces)
    }
}

/// How something said differs from what a memcached says to the same bytes, if it does.
fn as_memcached(
    beside: &Memcached,
    ours: std::io::Result<Transcript>,
    pieces: &[Vec<u8>],
) -> Option<String> {
    Bench::prepare(beside);
    let theirs = Bench::transcript(beside.client(), pieces).expect("a memcached answers");
    match ours {
        Err(error) => Some(error.to_string()),
        Ok(mut ours) => {
            ours.bytes = without_ids(&ours.bytes);
            (ours != theirs).then(|| format!("{}, not {}", told(&ours), told(&theirs)))
        }
    }
}

fn told(said: &Transcript) -> String {
    let closed = if said.closed { ", closed" } else { "" };
    format!("{}{closed}", shown(&said.bytes))
}

#[test]
fn every_input_has_its_answer_and_disturbs_nobody() {
    let mut bench = Bench::new();
    let mut other = bench.node.text_client();
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        if let Some(said) = bench.check(input, expected) {
            wrong.push(format!("{number}: {said}"));
        }
        // A client that was there before, over the same connection to the memcached.
        let mine = format!("of-row-{number}");
        other.set("mine", &mine);
        other.expect("get mine nope", &value("mine", &mine));
        other.expect_open();
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    bench.node.expect_alive();
}

/// Rows that are as memcached, asked of a memcached: the comparison itself is sound.
#[test]
fn two_memcacheds_answer_alike() {
    let (one, other) = (Memcached::start(), Memcached::start());
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        if matches!(expected, Same) {
            Bench::prepare(&one);
            let pieces = input.pieces();
            let said = Bench::transcript(one.client(), &pieces);
            let said = as_memcached(&other, said, &pieces);
            wrong.extend(said.map(|said| format!("{number}: {said}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Each is one line for a node, and several for a memcached, if it got them.
#[test]
fn no_command_reaches_the_memcached_inside_a_key() {
    let bench = Bench::new();
    for hostile in [
        "delete zb\nflush_all\r\n",
        "get zb\nflush_all\r\n",
        "delete zb\rflush_all\r\n",
        "delete zb\r\rflush_all\r\n",
        "delete zb\0flush_all\r\n",
        "mg zb\nflush_all\r\n",
        "set zb\nflush_all 0 0 1\r\nx\r\n",
        "set zb\0 0 0 9\r\nflush_all\r\n",
        "set zb 0 0 1\0\r\nflush_all\r\n",
        "get a\0flush_all\r\n",
        "touch zb 0\nflush_all\r\n",
        "incr zb 1\nflush_all\r\n",
        "gat 0 zb\nflush_all\r\n",
        "ms zb S1\nflush_all\r\n",
        "mg zb O\nflush_all\r\n",
        "mg zb O\rflush_all\r\n",
        "mg zb O\0flush_all\r\n",
        "delete zb\nversion\r\n",
        "mg Cg== b v\r\n",
        "ms YQpmbHVzaF9hbGwK 1 b\r\nx\r\n",
        "mg DQpmbHVzaF9hbGwNCg== b v k\r\n",
    ] {
        Bench::prepare(&bench.behind);
        let flushed = bench.behind.stat("cmd_flush");
        let mut other = bench.node.text_client();
        let said = Bench::transcript(bench.node.text_client(), &[hostile.as_bytes().to_vec()])
            .unwrap_or_else(|error| panic!("{hostile:?}: {error}"));
        let now = bench.behind.stat("cmd_flush");
        assert_eq!(now, flushed, "{hostile:?}: {}", shown(&said.bytes));
        other.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        other.expect("incr n 1", "11\r\n");
    }
    // None of them cost the node its connection.
    assert_eq!(bench.node.stat("server_eof"), 0);
    assert_eq!(bench.node.stat("server_err"), 0);
}

/// What `noreply` suppresses, its client and nobody else must hear.
#[test]
fn noreply_shifts_no_reply() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut clients: Vec<TextClient> = (0..4).map(|_| bench.node.text_client()).collect();
    let silent = [
        "set zz 0 0 1 noreply\r\nx",
        "add zz 0 0 1 noreply\r\nx",
        "replace nope 0 0 1 noreply\r\nx",
        "append zz 0 0 1 noreply\r\nx",
        "cas zz 0 0 1 999999999 noreply\r\nx",
        "delete nope noreply",
        "delete zz noreply",
        "incr nope 1 noreply",
        "incr n 1 noreply",
        "decr n 1 noreply",
        "touch a 100 noreply",
        "ms zz 1 q\r\nx",
        "mg nope q",
        "md zz q",
        "ma n q",
        "verbosity 1 noreply",
        "flush_all noreply",
    ];
    for (round, line) in silent.iter().enumerate().cycle().take(200) {
        // Nothing is awaited between what the one sends and the others ask.
        clients[round % 4].send(format!("{line}\r\n").as_bytes());
        for (n, client) in clients.iter_mut().enumerate() {
            client.expect(
                &format!("md nope O{n}x{round} k"),
                &format!("NF O{n}x{round} knope\r\n"),
            );
            client.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        }
    }
}

/// Errors that a memcached tells in spite of `noreply` come from the line, not from the datastore.
#[test]
fn pipelines_of_noreply_and_errors_keep_their_order() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut client = bench.node.text_client();
    let mut requests = Vec::new();
    for n in 0..500 {
        requests.extend(format!("set k{n} 0 0 4 noreply\r\n{n:04}\r\n").bytes());
        requests.extend(b"foo\r\n");
        requests.extend(format!("get k{n}\r\n").bytes());
        requests.extend(b"incr n 0 noreply\r\nincr n x\r\n");
    }
    let sender = client.raw().send_aside(vec![requests]);
    for n in 0..500 {
        client.expect_reply("ERROR\r\n");
        client.expect_reply(&value(&format!("k{n}"), &format!("{n:04}")));
        client.expect_reply("CLIENT_ERROR invalid numeric delta argument\r\n");
    }
    sender.join().expect("the sender");
    client.expect_open();
}

/// A client that goes away in the middle of a value, or before its reply.
#[test]
fn a_client_that_goes_away_costs_nobody_anything() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut other = bench.node.text_client();
    for n in 0..50 {
        for said in [
            &b"set a 0 0 1000\r\nonly this"[..],
            b"get a",
            b"get a n a n\r\nset a 9 9 9",
            b"set big 0 0 900000\r\n",
            b"mg a v k\r\nma n\r\nms q 5\r\nab",
        ] {
            let mut client = bench.node.text_client();
            client.send(said);
            match n % 2 {
                0 => drop(client),
                _ => client.abort(),
            }
            other.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        }
    }
    // The incomplete ones have left nothing.
    other.expect("get big q", "END\r\n");
}

/// With its memcached gone each request is refused, and none later answered.
#[test]
fn a_memcached_that_is_gone_or_stands_is_an_error_line() {
    const GONE: &str = "SERVER_ERROR Storage: Datastore refused connection\r\n";
    let mut behind = Memcached::start();
    let node = Setup::before_memcached(&behind)
        .with("timeout", 500)
        .start();
    let mut client = node.text_client();
    client.set("a", "x");
    pause(behind.pid());
    client.expect("get a", GONE);
    client.expect("set a 0 0 1\r\ny", GONE);
    client.send(b"set a 0 0 1 noreply\r\nz\r\n");
    client.expect("get a b c", GONE);
    client.expect("mn", "MN\r\n");
    resume(behind.pid());
    eventually("it is served again", || {
        client.ask("touch a 0") == b"TOUCHED\r\n"
    });
    client.expect_open();
    behind.kill();
    eventually("its end is noticed", || {
        client.ask("get a") == GONE.as_bytes()
    });
    client.expect("incr a 1", GONE);
    client.expect("foo", "ERROR\r\n");
    behind.restart();
    eventually("it is served again", || client.ask("get a") == b"END\r\n");
    client.set("a", "back");
    client.expect("get a", &value("a", "back"));
}
