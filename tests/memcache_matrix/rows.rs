//! The inputs, and what comes of each.

use crate::common::bytes;
use Expected::*;
use Input::*;

/// What a client sends. `x×100` stands for a hundred `x`.
pub enum Input {
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
pub enum Expected {
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
    /// A response of the binary protocol; what comes behind is none of its requests, and the connection is closed.
    Binary,
    /// Any reply; no other client is disturbed.
    Anything,
}

const REFUSED: &str = "ERROR\r\n";
pub const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";

/// The numbers are those of a list of what the C original does with each.
#[rustfmt::skip]
pub const ROWS: &[(u32, Input, Expected)] = &[
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
    (78, Bytes(b"\x80\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0a"), Binary),
    (79, Bytes(b"\x80\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), Binary),
    (94, Bytes(b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n"), Anything),
    (95, Bytes(b"\0\0\0\0\0\0\0\0\0\0\0\0\r\n"), Anything),
];

impl Input {
    /// The pieces it is sent in.
    pub fn pieces(&self) -> Vec<Vec<u8>> {
        match self {
            Whole(text) => vec![bytes(text)],
            Pieces(texts) => texts.iter().map(|text| bytes(text)).collect(),
            EachByte(text) => bytes(text).iter().map(|&byte| vec![byte]).collect(),
            Bytes(bytes) => vec![bytes.to_vec()],
        }
    }
}
