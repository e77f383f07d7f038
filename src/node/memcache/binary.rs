//! A client of the binary protocol: its requests in words of the text protocol, and the way back.
//!
//! A request becomes the line that asks for the same, and is served like a client's line from there on. Its message
//! keeps opcode and opaque, as [`Asked`], and any answer, a reply of a datastore or a failure
//! of the cluster's own, it is turned into a response when it is the client's turn.

use crate::clock::Now;
use crate::mbuf::{Chain, Pool, Raw};
use crate::node::Node;
use crate::node::client::ClientProtocol;
use crate::node::ids::FrontId;
use crate::node::msg::Flags;
use crate::proto::memcache::binary::header::{self, Header, Response};
use crate::proto::memcache::binary::line::{self, MAX_COPIED};
use crate::proto::memcache::binary::opcode::{Op, Opcode};
use crate::proto::memcache::binary::request::{Fatal, Kind, Parser, Request};
use crate::proto::memcache::binary::response::{self, Asked};
use crate::proto::memcache::binary::status::Status;
use crate::proto::memcache::line::MAX_KEY;
use crate::proto::memcache::request as text;

/// Room for a header, the longest extras and the longest key.
const START_ROOM: usize = header::LEN + 20 + MAX_KEY;

impl ClientProtocol for Parser {
    #[inline]
    fn serve(node: &mut Node, key: FrontId, now: Now, request: Request, raw: Raw<'_>) {
        node.serve_binary(key, now, request, raw);
    }

    fn awaits_steps(_node: &Node, _key: FrontId, request: &Request, _raw: Raw<'_>) -> bool {
        // As for a line: what is refused reaches no datastore, and one that names a version takes two steps itself.
        match request.kind {
            Kind::Served(row) => {
                !matches!(row.op, Op::Noop | Op::Quit) && request.header.unique == 0
            }
            Kind::Answer(_) | Kind::Skipped => false,
        }
    }

    fn may_wait(request: &Request, _raw: Raw<'_>) -> bool {
        // A body may have to be passed over behind what is refused.
        matches!(request.kind, Kind::Served(_))
    }

    fn fatal_reply(broken: Fatal) -> Vec<u8> {
        broken.reply()
    }
}

/// Appends the response to a request with this [`Asked::number`] that a text reply is.
pub(in crate::node) fn respond(asked: u64, raw: Raw<'_>, pool: &Pool, out: &mut Chain) {
    let Some(asked) = Asked::from_number(asked) else {
        return;
    };
    let mut reply = Chain::new();
    raw.append_to(&mut reply);
    response::append(asked, &reply, pool, out);
}

/// The bytes of the response that a text reply is.
pub(in crate::node) fn response(asked: Asked, text: &[u8], pool: &Pool) -> Vec<u8> {
    let (mut reply, mut out) = (Chain::new(), Chain::new());
    pool.copy(text, &mut reply);
    response::append(asked, &reply, pool, &mut out);
    out.to_vec()
}

impl Node {
    /// The request of the binary protocol that a client is being served.
    pub(super) fn binary_asked(&self, key: FrontId) -> Option<Asked> {
        let client = self.fronts.client(key)?;
        Asked::from_number(client.asking)
    }

    /// Answers it here with the response that this text reply is.
    pub(super) fn reply_binary(&mut self, key: FrontId, now: Now, asked: Asked, text: &[u8]) {
        let response = response(asked, text, &self.pool);
        self.push_answer(key, now, &response, Flags::default(), false);
    }

    fn serve_binary(&mut self, key: FrontId, now: Now, request: Request, raw: Raw<'_>) {
        let header = request.header;
        match request.kind {
            Kind::Skipped => {}
            Kind::Answer(status) => {
                let unknown = u64::from(status == Status::UnknownCommand);
                self.stats.own.unknown_commands += unknown;
                self.say(key, now, &header, status, false);
            }
            Kind::Served(row) => match row.op {
                Op::Quit if row.quiet => self.push_answer(key, now, b"", Flags::default(), true),
                Op::Quit => self.say(key, now, &header, Status::Success, true),
                Op::Noop => self.say(key, now, &header, Status::Success, false),
                _ => self.serve_as_line(key, now, row, &header, raw),
            },
        }
    }

    /// A response without a value but the status's own.
    fn say(&mut self, key: FrontId, now: Now, header: &Header, status: Status, last: bool) {
        if status == Status::Success {
            let response = Response::new(header.opcode, header.opaque, status);
            return self.push_answer(key, now, &response.bytes(), Flags::default(), last);
        }
        let response = response::plain(header, status);
        self.push_answer(key, now, &response, Flags::default(), last);
    }

    fn serve_as_line(
        &mut self,
        key: FrontId,
        now: Now,
        row: &Opcode,
        header: &Header,
        raw: Raw<'_>,
    ) {
        let start = header::LEN + usize::from(header.extras) + usize::from(header.key);
        let mut room = [0; START_ROOM];
        let Some(room) = room.get_mut(..start) else {
            return self.say(key, now, header, Status::Invalid, false);
        };
        let mut line = match line::of(row, header, raw.start(room)) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(refusal) => {
                let response = response::failure(header, Status::NotSupported, refusal.text());
                return self.push_answer(key, now, &response, Flags::default(), false);
            }
        };
        let mut chain = Chain::new();
        let has_value = matches!(row.op, Op::Store(_) | Op::Join(_));
        let value = raw.len() - start;
        if has_value && value <= MAX_COPIED {
            raw.with_from(start, |value| line.push(value));
            line.push(b"\r\n");
            self.pool.copy(line.bytes(), &mut chain);
        } else {
            self.pool.copy(line.bytes(), &mut chain);
            if has_value {
                raw.append_from(start, &mut chain);
                self.pool.copy(b"\r\n", &mut chain);
            }
        }
        // In the chain the line may be in two pieces; here it is not.
        let mut parser = text::Parser::default();
        let status = match parser.parse(line.bytes(), 0) {
            text::Status::Incomplete => parser.find(&chain),
            status => status,
        };
        let text::Status::Complete(request) = status else {
            return self.say(key, now, header, Status::Internal, false);
        };
        let asking = |node: &mut Node, number: u64| {
            if let Some(client) = node.fronts.client_mut(key) {
                client.asking = number;
            }
        };
        asking(self, Asked::of(header).number());
        self.serve_memcache(key, now, request, Raw::from(&chain));
        asking(self, 0);
    }
}
