use super::*;
use crate::admin::Policy;
use crate::admin::request::{MAX_BODY, MAX_HEAD};
use crate::cluster::id::NodeId;
use crate::cluster::topology::Topology;
use crate::node::operator::Check;
use crate::node::{Node, Operator, Options};
use crate::stats::Identity;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// A node that is not connected to anything, and counts how often it was asked for `/info`.
pub(crate) struct World {
    pub(crate) asked: u32,
    pub(crate) info: String,
    pub(crate) node: Node,
    pub(crate) identity: Identity,
    pub(crate) policy: Policy,
    pub(crate) listener_checks: Vec<Check>,
    pub(crate) addresses: Vec<(NodeId, IpAddr)>,
}

impl Control for World {
    fn operator(&mut self) -> Operator<'_> {
        self.node.operator()
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn policy(&self) -> Policy {
        self.policy
    }

    fn info(&mut self, _: Now) -> String {
        self.asked += 1;
        self.info.clone()
    }

    fn metrics(&mut self, _: Now) -> String {
        String::from("up 1\n")
    }

    fn listener_checks(&self) -> Vec<Check> {
        self.listener_checks.clone()
    }

    fn reload(&mut self, _: Now) -> Result<Vec<String>, Vec<String>> {
        Err(vec!["there is no file to read again".to_owned()])
    }

    fn address_of(&mut self, node: NodeId) -> Option<IpAddr> {
        let found = self.addresses.iter().find(|(of, _)| *of == node);
        found.map(|(_, ip)| *ip)
    }
}

pub(crate) fn world(topology: Topology) -> World {
    World {
        asked: 0,
        info: "{}\n".into(),
        node: Node::new(Options::default(), Arc::new(topology), at(0)),
        identity: Identity::default(),
        policy: Policy::default(),
        listener_checks: Vec::new(),
        addresses: Vec::new(),
    }
}

pub(crate) fn node() -> World {
    world(Topology::alone())
}

/// A process on this machine.
pub(crate) fn here() -> Caller {
    Caller::new(None, None)
}

/// A socket in memory: pieces come one per read; `None` is a moment without data, the end of the
/// list the end of the stream if `ends`. Takes `room` bytes of output.
pub(crate) struct Wire {
    pub(crate) pieces: VecDeque<Option<Vec<u8>>>,
    pub(crate) ends: bool,
    pub(crate) room: usize,
    pub(crate) sent: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(pieces: &[&[u8]], ends: bool) -> Wire {
        Wire {
            pieces: pieces.iter().map(|p| Some(p.to_vec())).collect(),
            ends,
            room: usize::MAX,
            sent: Vec::new(),
        }
    }

    /// The codes and bodies of the answers so far; panics if they are not well-formed.
    pub(crate) fn answers(&self) -> Vec<(u16, String)> {
        let mut rest = str::from_utf8(&self.sent).unwrap();
        let mut answers = Vec::new();
        while !rest.is_empty() {
            let (head, after) = rest.split_once("\r\n\r\n").unwrap();
            let code = head.strip_prefix("HTTP/1.1 ").unwrap()[..3]
                .parse()
                .unwrap();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("Content-Length: "));
            let (body, next) = after.split_at(length.map_or(0, |n| n.parse().unwrap()));
            answers.push((code, body.to_owned()));
            rest = next;
        }
        answers
    }

    fn codes(&self) -> Vec<u16> {
        self.answers().into_iter().map(|(code, _)| code).collect()
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.pieces.pop_front() {
            Some(Some(mut piece)) => {
                let n = piece.len().min(buf.len());
                buf[..n].copy_from_slice(&piece[..n]);
                if n < piece.len() {
                    self.pieces.push_front(Some(piece.split_off(n)));
                }
                Ok(n)
            }
            None if self.ends => Ok(0),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = buf.len().min(self.room);
        if n == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= n;
        self.sent.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn at(mono_us: u64) -> Now {
    Now {
        mono_us,
        wall_us: 0,
    }
}

/// Reads and writes until the connection waits for an event or is closed.
fn drive(conn: &mut Conn, now: Now, wire: &mut Wire, node: &mut World) -> Outcome {
    loop {
        let received = conn.receive(now, wire, node);
        if received == Outcome::Close {
            return received;
        }
        match if conn.wants_write() {
            conn.transmit(now, wire)
        } else {
            Outcome::Wait
        } {
            Outcome::Wait if received == Outcome::Wait => return Outcome::Wait,
            Outcome::Close => return Outcome::Close,
            _ => {}
        }
    }
}

/// What becomes of a stream of bytes that ends: the answers.
fn exchange(pieces: &[&[u8]]) -> Wire {
    let mut wire = Wire::new(pieces, true);
    assert_eq!(
        drive(&mut Conn::new(here(), at(0)), at(0), &mut wire, &mut node()),
        Outcome::Close
    );
    wire
}

#[test]
fn a_stream_gives_the_same_answers_however_it_is_cut() {
    let body = "x".repeat(300);
    let stream = format!(
        "GET /ping HTTP/1.1\r\nHost: a\r\n\r\nHEAD /info HTTP/1.1\r\n\r\n\
         POST /ping HTTP/1.1\r\nContent-Length: 300\r\n\r\n{body}GET /nowhere HTTP/1.1\n\n\r\n\
         GET http://a/%70ing?x HTTP/1.1\r\nConnection: close\r\n\r\n"
    );
    // HEAD's answer has a length but no body, which the reader above cannot know.
    let whole = exchange(&[stream.as_bytes()]).sent;
    let text = str::from_utf8(&whole).unwrap();
    for (code, times) in [("200 OK", 3), ("405 Method", 1), ("404 Not Found", 1)] {
        assert_eq!(
            text.matches(&format!("HTTP/1.1 {code}")).count(),
            times,
            "{text}"
        );
    }
    assert_eq!(text.matches("OK\r\n\r\n").count(), 0);
    assert!(text.ends_with("Connection: close\r\n\r\nOK\r\n"));

    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(exchange(&bytes).sent, whole);
    for cut in 1..stream.len() {
        let (a, b) = stream.as_bytes().split_at(cut);
        assert_eq!(exchange(&[a, b]).sent, whole, "cut at {cut}");
    }
}

#[test]
fn the_body_of_a_head_request_is_left_out_but_its_length_told() {
    let wire = exchange(&[b"HEAD /ping HTTP/1.1\r\n\r\n"]);
    let text = str::from_utf8(&wire.sent).unwrap();
    assert!(text.contains("\r\nContent-Length: 4\r\n") && text.ends_with("\r\n\r\n"));
    assert_eq!(text.matches("\r\n\r\n").count(), 1);
}

#[test]
fn streams_that_end_early() {
    for (stream, codes) in [
        ("", &[][..]),
        ("\r\n", &[]),
        ("GET /ping HTTP/1.1", &[400]),
        ("GET /ping HTTP/1.1\r\nA: b\r\n", &[400]),
        ("GET /ping HTTP/1.1\r\n\r\n", &[200]),
        ("GET /ping HTTP/1.1\r\n\r\nGET /pi", &[200, 400]),
        (
            "POST /ping HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
            &[400],
        ),
        (
            "GET /ping HTTP/1.0\r\n\r\nGET /ping HTTP/1.0\r\n\r\n",
            &[200],
        ),
        ("rubbish\r\nGET /ping HTTP/1.1\r\n\r\n", &[400]),
        ("\u{16}\u{3}\u{1}\n", &[400]),
    ] {
        assert_eq!(exchange(&[stream.as_bytes()]).codes(), codes, "{stream:?}");
    }
}

#[test]
fn a_connection_closed_without_a_request_asks_nothing_of_the_node() {
    let mut node = node();
    let mut wire = Wire::new(&[], true);
    assert_eq!(
        drive(&mut Conn::new(here(), at(0)), at(0), &mut wire, &mut node),
        Outcome::Close
    );
    assert_eq!((node.asked, wire.sent.len()), (0, 0));
}

#[test]
fn a_connection_serves_its_share_of_requests_and_says_when_it_ends() {
    let stream = "GET /ping HTTP/1.1\r\n\r\n".repeat(REQUESTS as usize + 5);
    let wire = exchange(&[stream.as_bytes()]);
    assert_eq!(wire.codes(), vec![200; REQUESTS as usize]);
    let text = str::from_utf8(&wire.sent).unwrap();
    assert_eq!(text.matches("Connection: close").count(), 1);
    assert_eq!(
        text.matches("Connection: keep-alive").count(),
        REQUESTS as usize - 1
    );
}

#[test]
fn the_answer_to_a_refused_request_is_followed_by_draining() {
    let mut conn = Conn::new(here(), at(0));
    let mut wire = Wire::new(
        &[b"POST /ping HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"],
        false,
    );
    assert_eq!(
        drive(&mut conn, at(0), &mut wire, &mut node()),
        Outcome::Wait
    );
    assert_eq!(wire.codes(), [413]);
    assert_eq!(conn.deadline_us(), DRAIN_US);
    wire.pieces.push_back(Some(vec![b'x'; DRAIN_BYTES - 1]));
    assert_eq!(
        drive(&mut conn, at(1), &mut wire, &mut node()),
        Outcome::Wait
    );
    wire.pieces.push_back(Some(vec![b'x'; 1]));
    assert_eq!(
        drive(&mut conn, at(1), &mut wire, &mut node()),
        Outcome::Close
    );
    assert_eq!(wire.codes(), [413]);
}

#[test]
fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let mut conn = Conn::new(here(), at(0));
    let head = b"POST /ping HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut wire = Wire::new(&[head], false);
    assert_eq!(
        drive(&mut conn, at(0), &mut wire, &mut node()),
        Outcome::Wait
    );
    assert_eq!(wire.sent, CONTINUE);
    wire.pieces.push_back(Some(b"abc".to_vec()));
    drive(&mut conn, at(0), &mut wire, &mut node());
    assert_eq!(wire.codes(), [100, 405]);
}

#[test]
fn a_client_that_never_reads_is_not_read_from() {
    let mut conn = Conn::new(here(), at(0));
    let mut node = World {
        info: "x".repeat(20_000),
        ..node()
    };
    let stream = "GET /info HTTP/1.1\r\n\r\n".repeat(50);
    let mut wire = Wire::new(&[stream.as_bytes()], false);
    wire.room = 0;
    assert_eq!(drive(&mut conn, at(0), &mut wire, &mut node), Outcome::Wait);
    assert!(
        conn.output.len() < MAX_OUTPUT + 21_000,
        "{}",
        conn.output.len()
    );
    let asked = node.asked;
    wire.pieces.push_back(Some(stream.clone().into_bytes()));
    assert_eq!(drive(&mut conn, at(1), &mut wire, &mut node), Outcome::Wait);
    assert_eq!(node.asked, asked, "more was answered");
    assert_eq!(conn.deadline_us(), WRITE_US, "trying again bought time");

    // It reads after all, and loses nothing.
    wire.room = usize::MAX;
    assert_eq!(drive(&mut conn, at(2), &mut wire, &mut node), Outcome::Wait);
    assert_eq!(wire.codes(), vec![200; 100]);
}

#[test]
fn the_largest_request_fits_and_memory_is_given_back() {
    let mut conn = Conn::new(here(), at(0));
    let head = format!("POST /ping HTTP/1.1\r\nContent-Length: {MAX_BODY}\r\nA: ");
    let head = format!("{head}{}\r\n\r\n", "x".repeat(MAX_HEAD - head.len() - 4));
    let mut wire = Wire::new(&[head.as_bytes(), &[b'x'; MAX_BODY]], false);
    assert_eq!(
        drive(&mut conn, at(0), &mut wire, &mut node()),
        Outcome::Wait
    );
    assert_eq!(wire.codes(), [405]);
    assert!(conn.input.capacity() <= KEPT_INPUT);
}

#[test]
fn time_runs_from_the_first_byte_and_a_byte_now_and_then_buys_none() {
    let mut conn = Conn::new(here(), at(0));
    let mut wire = Wire::new(&[b"GET /ping"], false);
    drive(&mut conn, at(1_000), &mut wire, &mut node());
    assert_eq!(
        conn.deadline_us(),
        REQUEST_US,
        "the time for the first request runs from accepting"
    );

    wire.pieces.push_back(Some(b" HTTP/1.1\r\n\r\n".to_vec()));
    drive(&mut conn, at(2_000), &mut wire, &mut node());
    assert_eq!(conn.deadline_us(), 2_000 + IDLE_US);

    for (time, byte) in [(3_000, b"G"), (4_000, b"E")] {
        wire.pieces.push_back(Some(byte.to_vec()));
        drive(&mut conn, at(time), &mut wire, &mut node());
        assert_eq!(conn.deadline_us(), 3_000 + REQUEST_US);
    }
    wire.pieces
        .push_back(Some(b"T /ping HTTP/1.1\r\n\r\n".to_vec()));
    drive(&mut conn, at(5_000), &mut wire, &mut node());
    assert_eq!(conn.deadline_us(), 5_000 + IDLE_US);
    assert_eq!(wire.codes(), [200, 200]);
}

#[test]
fn a_broken_socket_closes_the_connection() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::ConnectionReset.into())
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert_eq!(
        Conn::new(here(), at(0)).receive(at(0), &mut Broken, &mut node()),
        Outcome::Close
    );
    let mut conn = Conn::new(here(), at(0));
    conn.receive(
        at(0),
        &mut Wire::new(&[b"GET / HTTP/1.1\r\n\r\n"], false),
        &mut node(),
    );
    assert_eq!(conn.transmit(at(0), &mut Broken), Outcome::Close);
}
