//! A client connection: from received bytes to requests.

use super::front::{Front, Raw};
use super::msg::{Flags, Msg};
use super::route::Ask;
use super::{ConnId, Next, Node};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::Chain;
use crate::proto::redis::command::{Class, Command, Serve};
use crate::proto::redis::lookup::{lookup, resolve};
use crate::proto::redis::request::{self, Kind, Parser, Span, Status};
use crate::proto::redis::session::{Context, Effect, Session};
use crate::proto::redis::{encode, errors, inline, resp3};
use std::io::Read;
use std::net::SocketAddr;

/// A client connection.
pub(super) struct Client {
    pub front: Front,
    parser: Parser,
    pub session: Session,
}

/// Longest command name there is, for looking one up in a spread request.
const NAME_ROOM: usize = 64;

impl Client {
    pub fn new(id: ConnId, addr: Option<SocketAddr>, now: Now) -> Client {
        Client {
            front: Front::new(id, addr, now),
            parser: Parser::default(),
            session: Session::new(u64::from(id.generation)),
        }
    }
}

impl Node {
    /// Reads from a client once and serves what is complete.
    pub(super) fn receive_client(&mut self, key: u32, now: Now, reader: &mut impl Read) -> Next {
        if let Some(next) = self.hold_back(key, now) {
            return next;
        }
        let Some(client) = self.fronts.clients.get_mut(key as usize) else {
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
        client.front.heard = now.mono_us;
        let mut parser = std::mem::take(&mut client.parser);
        let rest = self.serve_all(key, now, &mut parser, fill.data);
        if let Some(client) = self.fronts.clients.get_mut(key as usize) {
            client.parser = parser;
        }
        self.keep_rest(key, rest, fill.full)
    }

    /// Serves every complete request in `data`, and returns what is left.
    fn serve_all(&mut self, key: u32, now: Now, parser: &mut Parser, mut data: Chain) -> Chain {
        // Whether the request under way begins in the first slice and goes on in the next.
        let mut spread = !parser.is_idle();
        loop {
            if spread && data.as_contiguous().is_none() {
                match parser.find(&data) {
                    Status::Complete(request) => {
                        let raw = data.split_to(request.len);
                        self.serve(key, now, request.kind, Raw::Spread(&raw));
                        if self.is_deaf(key) {
                            return Chain::new();
                        }
                    }
                    Status::Incomplete => return data,
                    Status::Bad(error) => {
                        self.refuse_stream(key, now, &error.reply());
                        return Chain::new();
                    }
                }
            }
            let Some(slice) = data.pop() else {
                return data;
            };
            let mut at = 0;
            let status = loop {
                match parser.parse(slice.get(at..).unwrap_or(&[]), 0) {
                    Status::Complete(request) => {
                        let end = at + request.len;
                        self.serve(key, now, request.kind, Raw::Whole(&slice, at, end));
                        at = end;
                        if self.is_deaf(key) {
                            return Chain::new();
                        }
                    }
                    other => break other,
                }
            };
            if let Status::Bad(error) = status {
                self.refuse_stream(key, now, &error.reply());
                return Chain::new();
            }
            spread = at < slice.len();
            let mut rest = Chain::new();
            rest.push_range(&slice, at, slice.len());
            rest.append(&mut data);
            data = rest;
            if spread && data.as_contiguous().is_some() {
                return data;
            }
        }
    }

    /// Serves one request.
    #[inline]
    fn serve(&mut self, key: u32, now: Now, kind: Kind, raw: Raw<'_>) {
        let Kind::Array { argc, name, first } = kind else {
            if kind == Kind::Inline {
                raw.with_bytes(|line| self.serve_inline(key, now, line));
            }
            return;
        };
        if let Some(command) = command_of(raw, name)
            && command.is_direct()
            && command.accepts(argc as usize)
            && let Some(form) = command.fixed_form()
            && (!self.looks_closer || self.goes_straight(command, argc as usize))
            && self.is_placed_by_first(command)
        {
            let token = self.token_of(raw, first);
            let ask = Ask {
                command,
                class: command.class,
                token,
                raw,
            };
            self.forward(key, now, form, &ask);
            return;
        }
        raw.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            self.serve_args(key, now, &args, raw);
        });
    }

    /// Serves an inline command.
    fn serve_inline(&mut self, key: u32, now: Now, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let args = match inline::split(line) {
            Ok(args) => args,
            Err(inline::Unbalanced) => {
                return self.refuse_stream(key, now, errors::UNBALANCED_QUOTES.as_bytes());
            }
        };
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        if args.is_empty() {
            return;
        }
        // A line is never forwarded as it stands: it goes on in canonical form.
        let mut canonical = Vec::new();
        encode::command(&mut canonical, &args);
        let mut chain = Chain::new();
        self.pool.copy(&canonical, &mut chain);
        self.serve_args(key, now, &args, Raw::from(&chain));
    }

    /// Serves a request whose arguments have to be looked at. Not the hot path.
    fn serve_args(&mut self, key: u32, now: Now, args: &[&[u8]], raw: Raw<'_>) {
        let mut out = Vec::new();
        if args.first().is_some_and(|name| inline::is_http(name)) {
            // A browser tricked into speaking to us: as Redis, close without a word.
            if let Some(front) = self.fronts.get(key) {
                log_at!(Warn, "{} sent an HTTP request, closing", front.told());
            }
            return self.refuse_stream(key, now, b"");
        }
        let Some(command) = resolve(args, &mut out) else {
            let known = args.first().and_then(|name| lookup(name));
            self.stats.own.unknown_commands += u64::from(known.is_none());
            return self.answer(key, now, &out, false);
        };
        let refined = command.refine(args);
        match refined.serve {
            serve if self.is_routed(serve) => {
                let mut keys = Vec::new();
                if let Err(error) = command.keys(args, &mut keys) {
                    errors::keys(command, error, &mut out);
                    return self.answer(key, now, &out, false);
                }
                let form = resp3::form(command, args);
                let tokens: Vec<_> = keys
                    .iter()
                    .filter_map(|key| args.get(key.index))
                    .map(|key| self.token(key))
                    .collect();
                let ask = Ask {
                    command,
                    class: refined.class,
                    token: tokens.first().copied().unwrap_or_default(),
                    raw,
                };
                if self.is_purge(command) {
                    return self.purge(key, now, form, &ask, &tokens);
                }
                if tokens.len() > 1 && !self.is_one_owner(key, command, refined.class, &tokens) {
                    if refined.serve == Serve::Split {
                        return self.split(key, now, form, &ask, args, &keys, &tokens);
                    }
                    let text = errors::spans_nodes(command);
                    return self.answer(key, now, text.as_bytes(), false);
                }
                if self.is_fanned_out(refined.serve) {
                    return self.fan_out(key, now, form, &ask, args);
                }
                if self.replicated && !command.replicates_as_is(args.len()) {
                    return self.replicate(key, now, form, &ask, args);
                }
                self.forward(key, now, form, &ask);
            }
            Serve::Proxy | Serve::ConnConsistency => self.answer_session(key, now, command, args),
            refused => {
                errors::refused(command, refused, &mut out);
                self.answer(key, now, &out, false);
            }
        }
    }

    /// Lets the session answer.
    fn answer_session(&mut self, key: u32, now: Now, command: &'static Command, args: &[&[u8]]) {
        let mut out = Vec::new();
        let Some(client) = self.fronts.clients.get_mut(key as usize) else {
            return;
        };
        let peer = client
            .front
            .addr
            .map(|addr| addr.to_string())
            .unwrap_or_default();
        let context = Context {
            now,
            connected_us: client.front.since,
            peer: &peer,
            local: &self.options.listen,
            store_version: &self.store_version,
        };
        let effect = client.session.answer(command, args, &context, &mut out);
        self.push_answer(key, now, &out, Flags::default(), effect == Effect::Close);
    }

    /// Takes a client's request into its queue and sends it where it belongs.
    #[inline]
    pub(super) fn forward(&mut self, key: u32, now: Now, form: resp3::Form, ask: &Ask<'_>) {
        let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) else {
            return;
        };
        self.count_request(ask);
        let level = self.level_of(key, ask.class);
        self.place(entry, key, now, level, ask);
    }

    /// A message for a client's request of `len` bytes, in the client's queue.
    #[inline]
    pub(super) fn enqueue(
        &mut self,
        key: u32,
        now: Now,
        form: resp3::Form,
        ask: &Ask<'_>,
        len: usize,
    ) -> Option<u32> {
        let client = self.fronts.clients.get_mut(key as usize)?;
        let mut msg = Msg::new(key, ask.command.index(), len, now.mono_us);
        msg.form = form;
        msg.flags = reply_flags(&mut client.session);
        if ask.class == Class::Write {
            msg.flags = msg.flags.with(Flags::WRITE);
            self.stats.hist.payload_size.record(len as u64);
        }
        let entry = self.msgs.insert(msg) as u32;
        client.front.queue.push(&mut self.msgs, entry);
        Some(entry)
    }

    /// Counts a request that enters routing, as the original does: all but `PING`.
    #[inline]
    pub(super) fn count_request(&mut self, ask: &Ask<'_>) {
        match ask.class {
            Class::Read if ask.command.name == "ping" => {}
            Class::Read => self.stats.pool.client_read_requests += 1,
            Class::Write => self.stats.pool.client_write_requests += 1,
        }
    }

    /// The client broke the protocol: answers what came before, then this, then closes.
    pub(super) fn refuse_stream(&mut self, key: u32, now: Now, reply: &[u8]) {
        self.stats.own.protocol_errors += 1;
        if let Some(front) = self.fronts.get_mut(key) {
            front.broken = true;
        }
        self.answer(key, now, reply, true);
    }
}

/// The command a request names.
#[inline]
pub(super) fn command_of(raw: Raw<'_>, name: Span) -> Option<&'static Command> {
    match raw {
        Raw::Whole(slice, from, to) => lookup(name.of(slice.get(from..to).unwrap_or(&[]))),
        Raw::Spread(chain) => {
            let mut room = [0; NAME_ROOM];
            let room = room.get_mut(..name.len as usize)?;
            let n = chain.gather(name.at as usize, room);
            lookup(room.get(..n).unwrap_or(&[]))
        }
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
