//! Hostile and malformed input from clients: what one client sends must never end the program, harm
//! another client, or reach Redis unvalidated.
//!
//! Most rows say "as Redis": a redis-server gets the same bytes and the answers are compared. The
//! exceptions are decisions of ours: a payload must be followed by CR LF, at most 1,048,576
//! arguments, no scripts without keys, and what Dynomite refuses.

use crate::common::*;
use Expected::*;
use Input::*;

/// What a client sends. `x×100` stands for a hundred `x`.
enum Input {
    /// At once.
    Whole(&'static str),
    /// Piece by piece: each has been read before the next is sent.
    Pieces(&'static [&'static str]),
    /// Byte by byte.
    EachByte(&'static str),
}

/// What comes of it.
enum Expected {
    /// What Redis answers, and the connection open or closed as Redis leaves it.
    Same,
    /// The same but for numbers and texts that differ from one server to the next.
    Like,
    /// No answer yet. With these bytes behind it, the same as Redis with all of them.
    Waits(&'static str),
    /// This, and the connection stays open.
    Answers(&'static str),
    /// This, and the connection is closed.
    Closes(&'static str),
    /// Something that begins so, and the connection stays open.
    Begins(&'static str),
    /// So many errors that contain "unknown" among the replies, and the connection stays open.
    Refuses(usize),
}

const PAYLOAD_END: &str = "-ERR Protocol error: expected CRLF after bulk payload\r\n";
const BAD_MULTIBULK: &str = "-ERR Protocol error: invalid multibulk length\r\n";
const BAD_CONSISTENCY: &str = "-ERR Dynomite: invalid consistency: the levels are DC_ONE, DC_QUORUM, DC_SAFE_QUORUM and DC_EACH_SAFE_QUORUM\r\n";

#[rustfmt::skip]
const ROWS: &[(u32, Input, Expected)] = &[
    (1, Whole("\r\n"), Same),
    (2, Whole("*0\r\n"), Same),
    (3, Whole("*0\r\n*1\r\n$4\r\nping\r\n"), Same),
    (4, Whole("*-1\r\n"), Same),
    (5, Whole("*1\r\n*-1\r\n"), Same),
    (6, Whole("*1\n$4\nPING\n"), Waits("\r\n")),
    (7, Whole("*A\r\n"), Same),
    (8, Whole("*1\r\n$-1\r\n"), Same),
    (9, Whole("*1\r\n$0\r\n\r\n"), Same),
    (10, Whole("+OK\r\n"), Same),
    (11, Whole(":1\r\n"), Same),
    (12, Whole("$3\r\nfoo\r\n"), Same),
    (13, Whole("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Closes("-ERR wrong number of arguments for 'get' command\r\n")),
    (14, Whole("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), Same),
    (15, Whole("PUT / HTTP/1.1\r\nHost: x\r\n\r\n"), Closes("-ERR unknown command 'PUT', with args beginning with: '/' 'HTTP/1.1' \r\n")),
    (19, Whole("GET s\r\n"), Same),
    (20, Whole("SET a b\r\n"), Same),
    (21, Whole("PING\r\n"), Same),
    (22, Whole("ping\r\n"), Same),
    (23, Whole("PING\n"), Same),
    (24, Whole("PING\nPING\nPING\n"), Same),
    (25, Whole("PING"), Waits("\r\n")),
    (26, Whole("PINGxx"), Waits("\r\n")),
    (27, Whole("PING hello\r\n"), Same),
    (28, Whole("PINGxxyy\r\n"), Same),
    (29, Pieces(&["P", "ING\r\n"]), Same),
    (30, Pieces(&["PIN", "G\r\n"]), Same),
    (31, Pieces(&["PING", "\r\n"]), Same),
    (32, Pieces(&["*1\r\n$4\r\nPING\r", "\n"]), Same),
    (33, Pieces(&["*1\r\n$4\r\nPI", "NG\r\n"]), Same),
    (34, EachByte("*1\r\n$4\r\nPING\r\n"), Same),
    (35, EachByte("*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Same),
    (36, EachByte("*3\r\n$3\r\nset\r\n$1\r\ns\r\n$3\r\nvvv\r\n"), Same),
    (37, Whole("*2\r\n$4\r\nping\r\n$5\r\nhello\r\n"), Same),
    (38, Whole("*2\r\n$4\r\nPING\r\n"), Waits("$2\r\nhi\r\n")),
    (39, Whole("*3\r\n$4\r\nPING\r\n"), Waits("$1\r\na\r\n$1\r\nb\r\n")),
    (40, Whole("*1\r\n$4\r\nPING\rX"), Closes(PAYLOAD_END)),
    (41, Whole("*1\r\n$3\r\nGET\r\n"), Same),
    (42, Whole("*3\r\n$3\r\nget\r\n$1\r\na\r\n$1\r\nb\r\n"), Same),
    (43, Whole("*1\r\n$3\r\nSET\r\n"), Same),
    (44, Whole("*2\r\n$3\r\nset\r\n$1\r\nk\r\n"), Same),
    (45, Whole("*4\r\n$4\r\nmset\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n"), Same),
    (46, Whole("*2\r\n$4\r\nmset\r\n$1\r\na\r\n"), Same),
    (47, Whole("*1\r\n$4\r\nmget\r\n"), Same),
    (48, Whole("*1\r\n$3\r\ndel\r\n"), Same),
    (49, Whole("*2\r\n$3\r\nget\r\n$0\r\n\r\n"), Same),
    (50, Whole("*3\r\n$3\r\nset\r\n$0\r\n\r\n$1\r\nv\r\n"), Same),
    (51, Whole("*3\r\n$3\r\nset\r\n$2\r\nev\r\n$0\r\n\r\n"), Same),
    (52, Whole("*5\r\n$4\r\nmset\r\n$1\r\na\r\n$0\r\n\r\n$1\r\nb\r\n$0\r\n\r\n"), Same),
    (53, Whole("*3\r\n$3\r\nset\r\n$6\r\na\r\nb\0c\r\n$1\r\nv\r\n"), Same),
    (54, Whole("*2\r\n$3\r\nGET\r\n$-1\r\n"), Same),
    (55, Whole("*2\r\n$3\r\nGET\r\n$4294967297\r\ns\r\n"), Same),
    (56, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967297\r\nv\r\n"), Same),
    (57, Whole("*4294967298\r\n$3\r\nGET\r\n$1\r\ns\r\n"), Same),
    (58, Whole("*2\r\n$03\r\nGET\r\n$1\r\ns\r\n"), Same),
    (59, Whole("*02\r\n$3\r\nGET\r\n$1\r\ns\r\n"), Same),
    (60, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$01\r\nv\r\n"), Same),
    (61, Whole("*2200000000\r\n$3\r\nGET\r\n$1\r\ns\r\n"), Closes(BAD_MULTIBULK)),
    (62, Whole("*2147483648\r\n$4\r\nMGET\r\n$1\r\na\r\n"), Closes(BAD_MULTIBULK)),
    (63, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$629145600\r\nabc"), Same),
    (64, Whole("*2\r\n$3\r\nGET\r\n$10\r\ns\r\n*1\r\n$4\r\nping\r\n"), Closes(PAYLOAD_END)),
    (65, Whole("*2\r\n$3\r\nGET\r\n$1\r\nstuv\r\n"), Closes(PAYLOAD_END)),
    (66, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nvXX"), Closes(PAYLOAD_END)),
    (67, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\rX"), Closes(PAYLOAD_END)),
    (68, Whole("*1\r\n$3\r\nfoo\r\n"), Same),
    (69, Whole("*1\r\n$100\r\nx×100\r\n"), Same),
    (70, Whole("*1\r\n$5000\r\nx×5000\r\n"), Same),
    (71, Whole("*1\r\n$20000\r\nx×20000\r\n"), Same),
    (72, Whole("*1\r\n$40000\r\nx×40000\r\n"), Same),
    (73, Whole("*1\r\n$4294967295\r\nabc\r\n"), Same),
    (74, Whole("*1\r\n$6\r\nscript\r\n"), Same),
    (75, Whole("*2\r\n$6\r\nscript\r\n$6\r\nscript\r\n"), Same),
    (76, Whole("*4\r\n$6\r\nscript\r\n$6\r\nscript\r\n$4\r\nload\r\n$8\r\nreturn 1\r\n"), Same),
    (77, Whole("*2\r\n$6\r\nscript\r\n$4\r\nhelp\r\n"), Begins("*11\r\n+SCRIPT <subcommand> [")),
    (78, Pieces(&["*2\r\n$6\r\nscript\r\n$4\r\nhelp\r\n", "*1\r\n$4\r\nping\r\n"]), Begins("*11\r\n+SCRIPT <subcommand> [")),
    (79, Whole("*2\r\n$6\r\nscript\r\n$4\r\nping\r\n"), Same),
    (80, Whole("*2\r\n$6\r\nscript\r\n$4\r\nquit\r\n"), Same),
    (81, Whole("*3\r\n$6\r\nscript\r\n$3\r\nget\r\n$1\r\ns\r\n"), Same),
    (82, Whole("*4\r\n$6\r\nscript\r\n$4\r\nmget\r\n$1\r\na\r\n$1\r\nb\r\n"), Same),
    (83, Whole("*6\r\n$6\r\nscript\r\n$4\r\nmset\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"), Same),
    (84, Whole("*4\r\n$6\r\nscript\r\n$3\r\ndel\r\n$1\r\na\r\n$1\r\nb\r\n"), Same),
    (85, Whole("*2\r\n$6\r\nscript\r\n$4\r\nload\r\n"), Same),
    (86, Whole("*2\r\n$6\r\nscript\r\n$6\r\nexists\r\n"), Same),
    (87, Whole("*3\r\n$6\r\nscript\r\n$4\r\nload\r\n$2\r\n}{\r\n"), Same),
    (88, Whole("*2\r\n$4\r\nload\r\n$1\r\nx\r\n"), Same),
    (89, Whole("*3\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n"), Answers(":1\r\n")),
    (90, Whole("*4\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$2\r\n-1\r\n$1\r\nk\r\n"), Same),
    (91, Whole("*4\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$3\r\nabc\r\n$1\r\nk\r\n"), Same),
    (92, Whole("*4\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$0\r\n\r\n$1\r\nk\r\n"), Same),
    (93, Whole("*4\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$1\r\n5\r\n$1\r\nk\r\n"), Same),
    (94, Whole("*4\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n$10\r\n4294967297\r\n$1\r\nk\r\n"), Same),
    (95, Whole("*1\r\n$4\r\neval\r\n"), Same),
    (96, Whole("*2\r\n$4\r\neval\r\n$8\r\nreturn 1\r\n"), Same),
    (97, Whole("*4\r\n$4\r\neval\r\n$18\r\nreturn {{1,2},{3}}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (98, Whole("*4\r\n$4\r\neval\r\n$15\r\nreturn {{},{1}}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (99, Whole("*4\r\n$4\r\neval\r\n$15\r\nreturn {1,{},3}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (100, Whole("*4\r\n$4\r\neval\r\n$37\r\nreturn {redis.error_reply('ERR a'),1}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (101, Whole("*4\r\n$4\r\neval\r\n$34\r\nreturn {redis.status_reply('a'),1}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (102, Whole("*4\r\n$4\r\neval\r\n$16\r\nreturn {{{{1}}}}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (103, Whole("*4\r\n$4\r\neval\r\n$37\r\nredis.setresp(3); return {double=3.5}\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (104, Whole("*4\r\n$4\r\neval\r\n$35\r\nreturn redis.error_reply('FOO bar')\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (105, Whole("*4\r\n$4\r\neval\r\n$12\r\nreturn false\r\n$1\r\n1\r\n$1\r\nk\r\n"), Same),
    (106, Whole("*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$4\r\nsave\r\n"), Same),
    (107, Whole("*3\r\n$6\r\nconfig\r\n$4\r\ngetx\r\n$3\r\nfoo\r\n"), Same),
    (108, Whole("*4\r\n$6\r\nconfig\r\n$3\r\nset\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"), Refuses(1)),
    (109, Whole("*3\r\n$6\r\nconfig\r\n$3\r\nset\r\n$9\r\nmaxmemory\r\n"), Refuses(1)),
    (110, Pieces(&["*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n", "$4\r\nsave\r\n"]), Same),
    (111, Pieces(&["*3\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n", "$4\r\nsave\r\n"]), Refuses(1)),
    (112, Whole("*1\r\n$6\r\nconfig\r\n"), Same),
    (113, Whole("*3\r\n$4\r\ninfo\r\n$6\r\nserver\r\n$7\r\nclients\r\n"), Like),
    (114, Whole("*1\r\n$4\r\nkeys\r\n"), Same),
    (115, Whole("*1\r\n$4\r\nscan\r\n"), Same),
    (116, Whole("*2\r\n$4\r\nscan\r\n$3\r\nabc\r\n"), Same),
    (117, Whole("*2\r\n$7\r\nslaveof\r\n$2\r\nno\r\n"), Same),
    (118, Whole("*1\r\n$4\r\nquit\r\n*1\r\n$4\r\nping\r\n*1\r\n$4\r\nping\r\n"), Same),
    (119, Whole("*1\r\n$4\r\nping\r\n*1\r\n$4\r\nping\r\n*1\r\n$4\r\nping\r\n*1\r\n$4\r\nquit\r\n"), Same),
    (120, Whole("*2\r\n$3\r\nget\r\n$1\r\ns\r\n*1\r\n$4\r\nquit\r\n"), Same),
    (121, Whole("*2\r\n$28\r\ndyno_config:conn_consistency\r\n$6\r\nDC_ONE\r\n"), Answers("+OK\r\n")),
    (122, Whole("*2\r\n$28\r\ndyno_config:conn_consistency\r\n$9\r\ndc_quorum\r\n"), Answers("+OK\r\n")),
    (123, Whole("*2\r\n$28\r\ndyno_config:conn_consistency\r\n$9\r\nDC_ONEXYZ\r\n"), Closes(BAD_CONSISTENCY)),
    (124, Whole("*2\r\n$28\r\ndyno_config:conn_consistency\r\n$5\r\nBOGUS\r\n"), Closes(BAD_CONSISTENCY)),
    (125, Whole("*2\r\n$28\r\ndyno_config:conn_consistency\r\n$6\r\nDC_ONE\r\n*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Answers("+OK\r\n$5\r\nhello\r\n")),
    (126, Pieces(&["*2\r\n$28\r\ndyno_config:conn_consistency\r\n$6\r\nDC_", "ONE\r\n"]), Answers("+OK\r\n")),
    (127, Pieces(&["*2\r\n$28\r\ndyno_config:conn_consistency\r\n", "$6\r\nDC_ONE\r\n"]), Answers("+OK\r\n")),
    (128, Whole("*1\r\n$28\r\ndyno_config:conn_consistency\r\n"), Like),
    (129, Pieces(&["*2\r\n$28\r\ndyno_config:conn_consistency\r\n$6\r\nDC_ONE\r\n", "*2\r\n$3\r\nget\r\n$1\r\ns\r\n"]), Answers("+OK\r\n$5\r\nhello\r\n")),
    (130, Pieces(&["*2\r\n$28\r\ndyno_config:conn_consistency\r\n$5\r\nBOGUS\r\n", "*2\r\n$3\r\nget\r\n$1\r\ns\r\n"]), Closes(BAD_CONSISTENCY)),
    (131, Whole("*3\r\n$3\r\nset\r\n$16319\r\nk×16319\r\n$1\r\nv\r\n"), Same),
    (132, Whole("*3\r\n$3\r\nset\r\n$16320\r\nk×16320\r\n$1\r\nv\r\n"), Same),
    (133, Whole("*3\r\n$3\r\nset\r\n$16330\r\nk×16330\r\n$1\r\nv\r\n"), Same),
    (134, Whole("*3\r\n$3\r\nset\r\n$16335\r\nk×16335\r\n$1\r\nv\r\n"), Same),
    (135, Whole("*3\r\n$3\r\nset\r\n$16336\r\nk×16336\r\n$1\r\nv\r\n"), Same),
    (136, Whole("*3\r\n$4\r\nmget\r\n$16000\r\nk×16000\r\n$1\r\nb\r\n"), Same),
    (137, Whole("*3\r\n$4\r\nmget\r\n$16319\r\nk×16319\r\n$1\r\nb\r\n"), Same),
    (138, Whole("*5\r\n$4\r\nmset\r\n$16250\r\nk×16250\r\n$1\r\nv\r\n$1\r\nb\r\n$1\r\nw\r\n"), Same),
    (139, Whole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc"), Waits("v×97\r\n")),
    (140, Whole("*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$20000\r\ns×20000\r\n"), Same),
    (141, Whole("*2\r\n$3\r\nGeT\r\n$1\r\ns\r\n"), Same),
    (142, Whole("*2\r\n$3\r\nGet\r\n$1\r\ns\r\n"), Same),
    (143, Whole("*2\r\n$8\r\njson\x0eget\r\n$1\r\ns\r\n"), Same),
    (144, Whole("*2\r\n$3\r\nget\r\n$1\r\ns\r\ngarbage"), Waits("\r\n")),
    (145, Whole("*2\r\n$3\r\nget\r\n$1\r\ns\r\n\r\n*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Same),
    (146, Whole("*2\r\n$3\r\nget\r\n$1\r\ns\r\n*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Same),
    (147, Whole("*2\r\n$3\r\nget\r\n$1\r\ns\r\n*1\r\n$4\r\ntime\r\n*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Like),
    (148, Whole("*2\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n*2\r\n$3\r\nget\r\n$1\r\ns\r\n"), Refuses(1)),
    (149, Whole("*1\r\n$5\r\nmulti\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r\nexec\r\n"), Answers("-ERR unknown command 'multi': transactions are not supported by Dynomite\r\n-ERR Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported\r\n-EXECABORT Transaction discarded because of: transactions are not supported by Dynomite\r\n")),
];

/// A node with its Redis, and a Redis of the same version beside it that gets the same bytes.
struct Pair {
    node: Node,
    behind: Redis,
    beside: Redis,
}

impl Pair {
    fn start(mbuf_size: usize) -> Pair {
        let (behind, beside) = (Redis::start(), Redis::start());
        Pair {
            node: Setup::before(&behind).with("mbuf_size", mbuf_size).start(),
            behind,
            beside,
        }
    }

    /// Puts both servers into the state the rows assume.
    fn reset(&self) {
        for redis in [&self.behind, &self.beside] {
            let mut direct = redis.client();
            for line in ["flushall", "script flush", "set s hello"] {
                assert_ne!(direct.ask(line)[0], b'-', "{line}");
            }
        }
    }

    /// Sends the input to the node. Another client's request between two pieces shows that the
    /// first has been dealt with.
    fn send(&self, client: &mut Client, input: &Input) {
        for (i, piece) in pieces(input).into_iter().enumerate() {
            if i > 0 {
                self.node.client().expect_open();
            }
            // A connection closed in front of the last piece shows in the transcript.
            let _ = client.try_send(&piece);
        }
    }

    /// What the Redis beside says to these bytes.
    fn redis_says(&self, bytes: &[u8]) -> Transcript {
        let mut client = self.beside.client();
        let _ = client.try_send(bytes);
        client.transcript().expect("Redis answers or closes")
    }
}

fn pieces(input: &Input) -> Vec<Vec<u8>> {
    match input {
        Whole(text) => vec![bytes(text)],
        Pieces(texts) => texts.iter().map(|text| bytes(text)).collect(),
        EachByte(text) => bytes(text).iter().map(|&byte| vec![byte]).collect(),
    }
}

/// How each line begins that does not come from a table of the server's own numbers. One digit is as good as
/// another: in a time it is another a moment later.
fn shape(bytes: &[u8]) -> String {
    let mut text = String::new();
    // All of them: where a long reply is cut depends on how many digits the numbers have.
    for line in String::from_utf8_lossy(bytes).split("\r\n") {
        let kind: String = line.chars().take(1).collect();
        let kind = kind.replace(|first: char| first.is_ascii_digit(), "0");
        if kind != "#" && !line.contains(':') {
            text.push_str(&kind);
        }
    }
    text
}

/// What is wrong with this row, if anything.
fn check(pair: &Pair, other: &mut Client, input: &Input, expected: &Expected) -> Option<String> {
    let all = pieces(input).concat();
    let mut client = pair.node.client();
    pair.send(&mut client, input);
    let plain = |text: &str, closed: bool| Transcript {
        bytes: text.as_bytes().to_vec(),
        closed,
    };
    let (ours, theirs) = match expected {
        Same | Like => (client.transcript(), pair.redis_says(&all)),
        Waits(rest) => {
            let first = other.ask("get s");
            assert_eq!(shown(&first), "$5\\r\\nhello\\r\\n");
            client.send(&bytes(rest));
            let all = [all, bytes(rest)].concat();
            (client.transcript(), pair.redis_says(&all))
        }
        Answers(reply) => (client.transcript(), plain(reply, false)),
        Closes(reply) => {
            let bytes = client.until_closed();
            (
                Ok(Transcript {
                    bytes,
                    closed: true,
                }),
                plain(reply, true),
            )
        }
        Begins(_) | Refuses(_) => (client.transcript(), plain("", false)),
    };
    let ours = match ours {
        Ok(ours) => ours,
        Err(error) => return Some(error.to_string()),
    };
    let right = ours.closed == theirs.closed
        && match expected {
            Like => shape(&ours.bytes) == shape(&theirs.bytes),
            Begins(start) => ours.bytes.starts_with(start.as_bytes()),
            Refuses(count) => refusals(&ours.bytes) == *count,
            _ => ours.bytes == theirs.bytes,
        };
    (!right).then(|| {
        format!(
            "{} closed {}, not {} closed {}",
            shown(&ours.bytes),
            ours.closed,
            shown(&theirs.bytes),
            theirs.closed
        )
    })
}

/// How many lines are errors that say "unknown".
fn refusals(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter(|line| line.starts_with('-') && line.contains("unknown"))
        .count()
}

/// Runs the table.
fn run_rows(mut pair: Pair) {
    let mut other = pair.node.client();
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        pair.reset();
        if let Some(what) = check(&pair, &mut other, input, expected) {
            wrong.push(format!(
                "row {number}: {}: {what}",
                shown(&pieces(input).concat())
            ));
        }
        assert_eq!(
            shown(&other.ask("set other v")),
            "+OK\\r\\n",
            "row {number}"
        );
        assert_eq!(
            shown(&other.ask("get other")),
            "$1\\r\\nv\\r\\n",
            "row {number}"
        );
    }
    pair.node.expect_alive();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_has_its_outcome_and_harms_nobody() {
    run_rows(Pair::start(16384));
}

#[test]
fn every_row_has_its_outcome_with_the_smallest_buffers() {
    run_rows(Pair::start(512));
}

/// Redis waits for ever behind a NUL; here it ends the line, and the next line end begins another.
#[test]
fn binary_noise_is_taken_line_by_line() {
    let pair = Pair::start(16384);
    let hello = b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03".to_vec();
    for (noise, errors) in [([hello, vec![0; 200]].concat(), 1), (vec![0; 256], 0)] {
        let mut client = pair.node.client();
        client.send(&noise);
        pair.node.client().expect_open();
        client.send(b"\r\n");
        let said = client.transcript().expect("an answer");
        assert_eq!(
            (refusals(&said.bytes), said.closed),
            (errors, false),
            "{}",
            shown(&said.bytes)
        );
    }
    let noise: Vec<u8> = (0..512u32).map(|i| (11 + 73 * i) as u8).collect();
    let mut client = pair.node.client();
    client.send(&noise);
    let mut direct = pair.beside.client();
    direct.send(&noise);
    assert_eq!(shown(&client.reply()), shown(&direct.reply()));
    pair.node.client().expect_open();
}

/// Values that cross buffers, one by one and several in one request.
#[test]
fn large_values_of_several_keys_arrive_as_they_were_sent() {
    for mbuf_size in [512, 16384] {
        let pair = Pair::start(mbuf_size);
        let (mut ours, mut direct) = (pair.node.client(), pair.behind.client());
        for len in [
            447, 448, 500, 9_000, 15_000, 16_319, 16_320, 16_330, 20_000, 300_000,
        ] {
            let values: Vec<Vec<u8>> = (0..3u8)
                .map(|n| (0..len).map(|i| (i % 251) as u8 ^ n).collect())
                .collect();
            let [a, b, c] = [&values[0], &values[1], &values[2]];
            let set = ours.ask_args(&[b"MSET", b"a", a, b"b", b, b"c", c]);
            assert_eq!(shown(&set), "+OK\\r\\n");
            let expected = [
                format!("*4\r\n${len}\r\n").as_bytes(),
                a,
                format!("\r\n$-1\r\n${len}\r\n").as_bytes(),
                b,
                format!("\r\n${len}\r\n").as_bytes(),
                c,
                b"\r\n",
            ]
            .concat();
            for client in [&mut direct, &mut ours] {
                let got = client.ask("MGET a missing b c");
                assert!(got == expected, "{len} with buffers of {mbuf_size}");
            }
        }
    }
}

#[test]
fn requests_of_very_many_keys_are_one_request() {
    let pair = Pair::start(16384);
    let mut client = pair.node.client();
    let keys: Vec<Vec<u8>> = (0..100_000)
        .map(|i| format!("key:{i}").into_bytes())
        .collect();
    let keyed = |name: &'static [u8]| {
        let mut args: Vec<&[u8]> = vec![name];
        args.extend(keys.iter().map(Vec::as_slice));
        command(&args)
    };
    let mut pairs: Vec<&[u8]> = vec![b"mset"];
    for key in keys.iter().take(5_000) {
        pairs.extend([key.as_slice(), b"v"]);
    }
    assert_eq!(shown(&client.ask_args(&pairs)), "+OK\\r\\n");
    for (name, reply) in [
        (&b"exists"[..], ":5000\\r\\n"),
        (b"touch", ":5000\\r\\n"),
        (b"unlink", ":5000\\r\\n"),
        (b"del", ":0\\r\\n"),
    ] {
        client.send(&keyed(name));
        assert_eq!(shown(&client.reply()), reply);
    }
    client.send(&keyed(b"mget"));
    let reply = client.reply();
    assert_eq!(reply.len(), b"*100000\r\n".len() + 100_000 * 5);
    assert!(
        pair.node.log().len() < 64 << 10,
        "one line per key in the log"
    );
}

#[test]
fn what_a_client_leaves_unfinished_is_given_back() {
    const SENT: usize = 48 << 20;
    let pair = Pair::start(16384);
    let before = pair.node.resident();
    let mut client = pair.node.client();
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\n");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..SENT / piece.len() {
        client.send(&piece);
    }
    pair.node.client().expect_open();
    drop(client);
    pair.node.await_stat("client_connections", |n| n == 0);
    pair.node.await_stat("mbufs_in_use", |n| n < 100);
    // The pool is looked after once a second.
    let deadline = std::time::Instant::now() + PATIENCE;
    while pair.node.resident() > before + SENT / 4 {
        assert!(
            std::time::Instant::now() < deadline,
            "{} bytes",
            pair.node.resident()
        );
        pair.node.client().expect_open();
    }
}

/// Replies that the C original cut, so that their rest went to the next client.
#[test]
fn nested_and_odd_replies_stay_with_their_request() {
    let pair = Pair::start(16384);
    let (mut a, mut b) = (pair.node.client(), pair.node.client());
    let mut direct = pair.behind.client();
    direct.ask("geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    direct.ask("set secret value");
    direct.ask_args(&[b"sadd", b"a\0b", b"m"]);
    let script = |text: &str| command(&[b"eval", text.as_bytes(), b"1", b"k"]);
    for request in [
        words("geopos g Palermo Catania"),
        words("geopos g nope Palermo"),
        words("georadius g 15 37 200 km withcoord withdist"),
        script("return {err='FOO'}"),
        script("return {{1,2},{3}}"),
        script("return {{},{1}}"),
        script("return {{{{1}}},{},'x'}"),
        script("return {redis.error_reply('ERR a'),redis.status_reply('b')}"),
        command(&[b"smembers", b"a\0b"]),
    ] {
        direct.send(&request);
        let expected = shown(&direct.reply());
        // Twenty of one, and a request of another client between them.
        a.send(&request.repeat(20));
        for _ in 0..20 {
            assert_eq!(shown(&b.ask("get secret")), "$5\\r\\nvalue\\r\\n");
            assert_eq!(shown(&a.reply()), expected);
        }
    }
}

/// The node closed the connection that all clients share when a script returned arrays more than 32 deep, or a
/// line of more than a megabyte.
#[test]
fn whatever_a_script_returns_the_datastore_stays_connected() {
    let pair = Pair::start(16384);
    let (mut a, mut b) = (pair.node.client(), pair.node.client());
    let mut direct = pair.behind.client();
    direct.ask("set secret value");
    let script = |text: &str| command(&[b"eval", text.as_bytes(), b"1", b"k"]);
    let nested = |depth: u32| {
        script(&format!(
            "local t={{}} for i=1,{depth} do t={{t,i}} end return t"
        ))
    };
    for request in [
        nested(31),
        nested(32),
        nested(33),
        nested(1_000),
        nested(20_000),
        script("return redis.status_reply(string.rep('x',3000000))"),
        script("return redis.error_reply('ERR '..string.rep('x',3000000))"),
    ] {
        direct.send(&request);
        let expected = direct.reply();
        a.send(&request);
        assert_eq!(shown(&b.ask("get secret")), "$5\\r\\nvalue\\r\\n");
        assert!(a.reply() == expected);
        a.ask("hello 3");
        a.send(&request);
        assert!(a.reply().len() == expected.len());
        a.ask("hello 2");
    }
    assert_eq!(pair.node.stat("server_ejects"), 0);
}

/// An empty tag stopped the C original.
#[test]
fn keys_with_odd_hash_tags_are_served() {
    let redis = Redis::start();
    let mut node = Setup::before(&redis).with("hash_tag", "'{}'").start();
    let mut client = node.client();
    for key in ["a{}b", "{}", "{", "}", "}{", "{a", "{{a}}", "x{a}y{b}", ""] {
        assert_eq!(
            shown(&client.ask(&format!("set {key} v"))),
            "+OK\\r\\n",
            "{key}"
        );
        assert_eq!(
            shown(&client.ask(&format!("mget {key} {key}"))),
            "*2\\r\\n$1\\r\\nv\\r\\n$1\\r\\nv\\r\\n",
            "{key}"
        );
    }
    node.expect_alive();
}
