//! A client connection: from received bytes to requests.

use super::ask::Ask;
use super::flight::waiter::Waiter;
use super::front::Front;
use super::ids::{FrontId, ReqId};
use super::load::is_too_large;
use super::memcache::response as memcache_response;
use super::msg::{Flags, Msg, NO_COMMAND};
use super::plan::{Asker, PlanCx};
use super::{ConnId, Next, Node};
use crate::clock::Now;
use crate::config::StoreKind;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::framer::{Sink, Taken, drain};
use crate::proto::redis::resp3;
use crate::proto::redis::session::Session;
use crate::proto::redis::session::refused_multi::SILENCE_US;
use crate::proto::{Class, Failure, Framer};
use crate::proto::{memcache, redis};
use std::io::Read;
use std::marker::PhantomData;
use std::net::SocketAddr;

/// A client connection.
pub(super) struct Client {
    pub front: Front,
    parser: Parser,
    /// The row of its latest command.
    pub latest: u16,
    /// Of Redis; a client of memcached has none, and so one that is never changed.
    pub session: Session,
    /// While a request of memcached's binary protocol is served: what its response needs of it. 0 otherwise.
    pub asking: u64,
}

/// The parser of the protocol that a client speaks.
enum Parser {
    Redis(redis::request::Parser),
    /// Either protocol of memcached: the first byte decides.
    Undecided,
    Memcache(memcache::request::Parser),
    MemcacheBinary(memcache::binary::request::Parser),
}

/// A protocol of clients: a parser of their requests, and the way in which the node serves them.
pub(super) trait ClientProtocol: Framer + Default {
    /// Serves a request, whose bytes are these.
    fn serve(node: &mut Node, key: FrontId, now: Now, request: Self::Message, raw: Raw<'_>);
    /// Returns true if a request has to wait for the client's writes in two steps ([`super::order`]).
    fn awaits_steps(node: &Node, key: FrontId, request: &Self::Message, raw: Raw<'_>) -> bool;
    /// Returns true if a request may be parsed a second time. One that changed what the parser does with the
    /// bytes behind it may not, and so never waits.
    fn may_wait(_request: &Self::Message, _raw: Raw<'_>) -> bool {
        true
    }
    /// Returns true if a request has to wait for the end of a pause ([`super::clients`]).
    fn awaits_pause(_node: &Node, _key: FrontId, _request: &Self::Message, _raw: Raw<'_>) -> bool {
        false
    }
    /// The reply before the connection closes; may be nothing.
    fn fatal_reply(broken: Self::Broken) -> Vec<u8>;
}

impl Client {
    pub fn new(id: ConnId, addr: Option<SocketAddr>, now: Now, store: StoreKind) -> Client {
        Client {
            front: Front::new(id, addr, now),
            parser: match store {
                StoreKind::Redis => Parser::Redis(Default::default()),
                StoreKind::Memcache => Parser::Undecided,
            },
            latest: NO_COMMAND,
            session: Session::new(u64::from(id.generation)),
            asking: 0,
        }
    }
}

impl Parser {
    /// For a client of memcached that begins so.
    fn of_memcache(first: Option<u8>) -> Parser {
        match first {
            None => Parser::Undecided,
            Some(memcache::binary::MAGIC) => Parser::MemcacheBinary(Default::default()),
            Some(_) => Parser::Memcache(Default::default()),
        }
    }

    /// Bytes known to be missing from the request under way.
    fn expected(&self) -> usize {
        match self {
            Parser::Redis(parser) => parser.expected(),
            Parser::Undecided => 0,
            Parser::Memcache(parser) => parser.expected(),
            Parser::MemcacheBinary(parser) => parser.expected(),
        }
    }
}

/// The node as the receiver of a client's requests.
struct Requests<'a, P> {
    node: &'a mut Node,
    key: FrontId,
    now: Now,
    protocol: PhantomData<P>,
}

impl<P: ClientProtocol> Sink<P::Message> for Requests<'_, P> {
    #[inline(always)]
    fn take(&mut self, request: P::Message, raw: Raw<'_>) -> Taken {
        let Requests { node, key, now, .. } = self;
        if node.awaits_order::<P>(*key, &request, raw) {
            return Taken::Refused;
        }
        P::serve(node, *key, *now, request, raw);
        match node.reads_off(*key) {
            true => Taken::Stop,
            false => Taken::Next,
        }
    }
}

impl Node {
    /// Reads from a client once and serves what is complete.
    pub(super) fn receive_client(
        &mut self,
        key: FrontId,
        now: Now,
        reader: &mut impl Read,
    ) -> Next {
        if let Some(next) = self.read_paused(key, now) {
            return next;
        }
        let Some(client) = self.fronts.client_mut(key) else {
            return Next::Wait;
        };
        let expected = client.parser.expected();
        let fill = match client
            .front
            .inbound
            .fill(&self.pool, &mut self.shared, expected, reader)
        {
            Ok(fill) => fill,
            Err(error) => return self.read_failed(key, &error),
        };
        if fill.bytes == 0 {
            self.front_ended(key);
            return Next::Paused;
        }
        let silence = now.mono_us.saturating_sub(client.front.heard);
        if !std::mem::take(&mut client.front.was_paused)
            && silence >= SILENCE_US
            && fill.data.len() == fill.bytes
            && client.front.is_settled()
        {
            // It may have got its latest reply long after it asked.
            let since_reply = now.mono_us.saturating_sub(client.front.taken);
            client.session.was_silent(silence.min(since_reply));
        }
        client.front.heard = now.mono_us;
        self.serve_data(key, now, fill.data, fill.full)
    }

    /// Serves what is complete of the bytes of a client, and keeps the rest. `full`: more may have come.
    #[inline]
    pub(super) fn serve_data(
        &mut self,
        key: FrontId,
        now: Now,
        mut data: Chain,
        full: bool,
    ) -> Next {
        let Some(client) = self.fronts.client_mut(key) else {
            return Next::Wait;
        };
        let given = data.len();
        if matches!(client.parser, Parser::Undecided) {
            client.parser = Parser::of_memcache(data.first_byte());
        }
        let mut parser = std::mem::replace(&mut client.parser, Parser::Undecided);
        match &mut parser {
            Parser::Redis(parser) => self.serve_all(key, now, parser, &mut data),
            Parser::Memcache(parser) => self.serve_all(key, now, parser, &mut data),
            Parser::MemcacheBinary(parser) => self.serve_all(key, now, parser, &mut data),
            Parser::Undecided => {}
        }
        if let Some(client) = self.fronts.client_mut(key) {
            client.parser = parser;
            client.front.has_asked |= data.len() < given;
            let expected = client.parser.expected();
            if expected > 0
                && is_too_large(&self.pool, data.len(), expected)
                && !self.reads_off(key)
            {
                log_at!(
                    Warn,
                    "a request that needs {} bytes is refused: it is more than three quarters of max_msgs x mbuf_size",
                    data.len().saturating_add(expected)
                );
                self.refuse_unfinished(key, now, Failure::OutOfBuffers);
                return self.keep_rest(key, Chain::new(), full);
            }
        }
        self.keep_rest(key, data, full)
    }

    /// Serves the complete requests in `data` that need not wait, and takes them out of it.
    #[inline]
    fn serve_all<P: ClientProtocol>(
        &mut self,
        key: FrontId,
        now: Now,
        parser: &mut P,
        data: &mut Chain,
    ) {
        let mut sink = Requests {
            node: self,
            key,
            now,
            protocol: PhantomData::<P>,
        };
        if let Some(broken) = drain(parser, data, &mut sink) {
            self.refuse_stream(key, now, &P::fatal_reply(broken));
        }
    }

    /// Takes a client's request into its queue and sends it where it belongs.
    pub(super) fn forward(&mut self, key: FrontId, now: Now, ask: &Ask<'_>) {
        self.forward_inline(key, now, ask);
    }

    /// The same for the requests that need no closer look.
    #[inline(always)]
    pub(super) fn forward_inline(&mut self, key: FrontId, now: Now, ask: &Ask<'_>) {
        let Some(entry) = self.enqueue(key, now, ask) else {
            return;
        };
        self.count_request(ask);
        self.place(entry, key, now, ask);
    }

    /// What decides about a client's requests; `None` if the client is gone.
    #[inline]
    pub(super) fn client_asker(&self, key: FrontId) -> Option<Asker> {
        let session = &self.fronts.client(key)?.session;
        Some(Asker::Client {
            resp3: session.resp3,
            behind_multi: session.is_behind_multi(),
            level: session.consistency,
        })
    }

    /// What the plan of a request depends on.
    #[inline]
    pub(super) fn plan_cx(&self, asker: Asker) -> PlanCx<'_> {
        PlanCx {
            topology: &self.topology,
            facts: self.facts,
            sights: &self.sights,
            options: &self.options,
            asker,
        }
    }

    /// A message for a client's request, in the client's queue.
    #[inline]
    pub(super) fn enqueue(&mut self, key: FrontId, now: Now, ask: &Ask<'_>) -> Option<ReqId> {
        let (route, len) = (&ask.route, ask.raw.len());
        let client = self.fronts.client_mut(key)?;
        client.latest = route.row;
        let waiter = Waiter::Front(key, route.form);
        let mut msg = Msg::new(waiter, route.row, len, now.mono_us);
        msg.set_token(ask.token);
        msg.front_id = client.asking;
        msg.flags = reply_flags(&mut client.session).with(route.flags);
        if route.form == resp3::Form::Native && msg.flags.has(Flags::RESP3) {
            msg.flags = msg.flags.with(Flags::IN_RESP3);
        }
        if route.class == Class::Write {
            msg.flags = msg.flags.with(Flags::WRITE);
            self.stats.hist.payload_size.record(len as u64);
        }
        let entry = self.flight.insert(msg);
        client.front.queue.push(&mut self.flight.msgs, entry);
        Some(entry)
    }

    /// Counts a request that enters routing, as the original does: all but `PING`.
    #[inline]
    pub(super) fn count_request(&mut self, ask: &Ask<'_>) {
        match ask.route.class {
            _ if !ask.route.counted => {}
            Class::Read => self.stats.pool.client_read_requests += 1,
            Class::Write => self.stats.pool.client_write_requests += 1,
        }
    }

    /// A client's request fails before all of it has come: answers what came before, then this, then closes.
    pub(super) fn refuse_unfinished(&mut self, key: FrontId, now: Now, failure: Failure) {
        let line = failure.line(self.options.store).as_bytes();
        let client = self.fronts.client(key);
        match client.map(|client| &client.parser) {
            Some(Parser::MemcacheBinary(parser)) => {
                let asked = parser.asked();
                let response = asked.map(|asked| memcache_response(asked, line, &self.pool));
                self.refuse_stream(key, now, &response.unwrap_or_default());
            }
            _ => self.refuse_stream(key, now, line),
        }
    }

    /// The client broke the protocol: answers what came before, then this, then closes.
    pub(super) fn refuse_stream(&mut self, key: FrontId, now: Now, reply: &[u8]) {
        self.stats.own.protocol_errors += 1;
        if let Some(front) = self.fronts.get_mut(key) {
            front.broken = true;
        }
        self.answer(key, now, reply, true);
    }
}

/// How the reply to the next request is to be delivered.
pub(super) fn reply_flags(session: &mut Session) -> Flags {
    let mut flags = Flags::default();
    if session.resp3 {
        flags = flags.with(Flags::RESP3);
    }
    if !session.wants_reply() {
        flags = flags.with(Flags::SILENT);
    }
    flags
}
