//! What arrives on the stats port.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::sync::Arc;

use dynomite::admin::{Admin, Caller, Control, Outcome, Policy};
use dynomite::clock::Now;
use dynomite::cluster::id::NodeId;
use dynomite::cluster::topology::Topology;
use dynomite::node::operator::Check;
use dynomite::node::{Node, Operator, Options};
use dynomite::stats::Identity;

use super::pieces;

/// The marks of HTTP.
pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b" ",
    b": ",
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"OPTIONS ",
    b"/",
    b"/info",
    b"/ping",
    b"/help",
    b"/cluster_describe",
    b"/setloglevel/",
    b"/set_consistency/read/dc_quorum",
    b"/set_timeout_factor/",
    b"/peer/down/all",
    b"/state/standby",
    b"/REST/v1/admin/get_seeds",
    b"/readyz",
    b"Origin: http://x\r\n",
    b"Sec-Fetch-Site: cross-site\r\n",
    b"*",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b" HTTP/2.0",
    b"Host: x\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"%20",
    b"?",
    b"0\r\n\r\n",
];

/// The client's pieces, one for each read, with a moment of silence after each; then the end.
struct Wire<'a>(VecDeque<Option<&'a [u8]>>);

impl Read for Wire<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.0.pop_front() {
            Some(Some(piece)) => {
                let taken = piece.len().min(room.len());
                room[..taken].copy_from_slice(&piece[..taken]);
                if taken < piece.len() {
                    self.0.push_front(Some(&piece[taken..]));
                }
                Ok(taken)
            }
            Some(None) => Err(ErrorKind::WouldBlock.into()),
            None => Ok(0),
        }
    }
}

struct World {
    node: Node,
    identity: Identity,
}

impl Control for World {
    fn operator(&mut self) -> Operator<'_> {
        self.node.operator()
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn policy(&self) -> Policy {
        Policy::default()
    }

    fn info(&mut self, _: Now) -> String {
        "{\"service\":\"dynomite\"}\n".to_string()
    }

    fn metrics(&mut self, _: Now) -> String {
        "up 1\n".to_string()
    }

    fn listener_checks(&self) -> Vec<Check> {
        Vec::new()
    }

    fn reload(&mut self, _: Now) -> Result<Vec<String>, Vec<String>> {
        Ok(Vec::new())
    }

    fn address_of(&mut self, _: NodeId) -> Option<IpAddr> {
        None
    }
}

/// However the bytes arrive, the same well-formed answers come back, and the connection comes to an end
/// once the client has ended. `100 Continue` is left out: it is needless where the body is there already.
pub fn conversation(input: &[u8]) {
    let whole = talk(VecDeque::from([Some(input)]));
    let pieces = pieces::cut(input).into_iter();
    let cut = talk(pieces.flat_map(|piece| [Some(piece), None]).collect());
    let answers =
        |sent: &[u8]| String::from_utf8_lossy(sent).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    assert_eq!(
        answers(&whole),
        answers(&cut),
        "cut up, it is answered otherwise"
    );
}

fn talk(pieces: VecDeque<Option<&[u8]>>) -> Vec<u8> {
    let mut turns = 1_000 + 4 * pieces.len();
    let (mut admin, mut wire, mut sent) = (Admin::new(), Wire(pieces), Vec::new());
    let now = Now::default();
    let mut world = World {
        node: Node::new(Options::default(), Arc::new(Topology::alone()), now),
        identity: Identity::default(),
    };
    let caller = Caller::new(None, None);
    let id = admin.accepted(caller, now).id;
    loop {
        let received = admin.receive(id, now, &mut wire, &mut world);
        if received == Outcome::Close || admin.transmit(id, now, &mut sent) == Outcome::Close {
            break;
        }
        turns -= 1;
        assert!(turns > 0, "the connection does not end");
    }
    assert!(
        sent.is_empty() || sent.starts_with(b"HTTP/1."),
        "not an answer"
    );
    sent
}
