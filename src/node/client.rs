//! A client connection: from received bytes to requests.

use super::msg::{Flags, Msg, OfClient, Queue};
use super::{ConnId, Next, Node, Told, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Inbound, Slice};
use crate::proto::redis::command::{Class, Command, Serve};
use crate::proto::redis::lookup::{lookup, resolve};
use crate::proto::redis::request::{self, Kind, Parser, Status};
use crate::proto::redis::session::{Context, Effect, Session};
use crate::proto::redis::{encode, errors, inline, resp3};
use crate::sys;
use std::io::{self, Read};
use std::net::SocketAddr;

/// A client connection.
pub(super) struct Client {
    pub id: ConnId,
    pub inbound: Inbound,
    parser: Parser,
    /// Replies on their way out.
    pub out: Chain,
    /// Requests without an answer yet, in the order of their arrival.
    pub queue: Queue<OfClient>,
    pub session: Session,
    pub reading: Reading,
    /// It stands in the list of connections to be flushed.
    pub dirty: bool,
    /// Close once the queue and the output are empty.
    pub closing: bool,
    /// The datastore connection its latest request went to.
    pub store: u16,
    /// It broke the protocol: its end counts as an error.
    pub broken: bool,
    /// Where it connected from.
    pub addr: Option<SocketAddr>,
    /// When it connected, in µs.
    since: u64,
    /// When the last byte arrived, in µs.
    pub heard: u64,
}

/// Whether a client is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes are taken as they come.
    On,
    /// Too much of its own is under way; goes on when that has shrunk.
    Full,
    /// The node as a whole is under pressure; goes on with all others.
    Waiting,
    /// Nothing more is wanted: it ended its stream, or it is being closed.
    Off,
}

/// Where the bytes of one request or reply are.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    /// In one piece: a slice, from and to.
    Whole(&'a Slice, usize, usize),
    /// In several.
    Spread(&'a Chain),
}

impl Raw<'_> {
    pub fn len(&self) -> usize {
        match self {
            Raw::Whole(_, from, to) => to - from,
            Raw::Spread(chain) => chain.len(),
        }
    }

    /// Whether a reply of this form reads the same in RESP3.
    pub fn is_identity(&self, form: resp3::Form) -> bool {
        let mut start = [0; 2];
        match self {
            Raw::Whole(slice, from, to) => {
                resp3::is_identity(form, slice.get(*from..*to).unwrap_or(&[]))
            }
            Raw::Spread(chain) => {
                let n = chain.gather(0, &mut start);
                resp3::is_identity(form, start.get(..n).unwrap_or(&[]))
            }
        }
    }

    /// Appends the bytes to `out`, copying nothing.
    pub fn append_to(&self, out: &mut Chain) {
        match self {
            Raw::Whole(slice, from, to) => out.push_range(slice, *from, *to),
            Raw::Spread(chain) => out.append_shared(chain),
        }
    }

    /// The first byte.
    pub fn first_byte(&self) -> Option<u8> {
        match self {
            Raw::Whole(slice, from, _) => slice.get(*from).copied(),
            Raw::Spread(chain) => chain.first_byte(),
        }
    }

    /// Runs `f` on the bytes in one piece; copies them if they are in several.
    pub fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Raw::Whole(slice, from, to) => f(slice.get(*from..*to).unwrap_or(&[])),
            Raw::Spread(chain) => f(&chain.to_vec()),
        }
    }
}

/// Longest command name there is, for looking one up in a spread request.
const NAME_ROOM: usize = 64;

impl Client {
    pub fn new(id: ConnId, addr: Option<SocketAddr>, now: Now) -> Client {
        Client {
            id,
            inbound: Inbound::default(),
            parser: Parser::default(),
            out: Chain::new(),
            queue: Queue::default(),
            session: Session::new(u64::from(id.generation)),
            reading: Reading::On,
            dirty: false,
            closing: false,
            store: 0,
            broken: false,
            addr,
            since: now.mono_us,
            heard: now.mono_us,
        }
    }

    /// Its name in the log.
    pub fn told(&self) -> Told {
        self.id.told(self.addr)
    }

    /// Whether everything it asked for has been answered and taken.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.out.is_empty()
    }

    /// Whether so much of its own is under way that it should not be read.
    fn is_full(&self) -> bool {
        self.queue.len() >= limits::CLIENT_MSGS || self.out.len() >= limits::CLIENT_OUT
    }

    /// Whether enough has drained for a full client to be read again.
    pub fn has_drained(&self) -> bool {
        self.queue.len() <= limits::CLIENT_MSGS / 2 && self.out.len() <= limits::CLIENT_OUT / 2
    }
}

impl Node {
    /// Reads from a client once and serves what is complete.
    pub(super) fn receive_client(&mut self, key: u32, now: Now, reader: &mut impl Read) -> Next {
        if let Some(next) = self.hold_back(key) {
            return next;
        }
        let Some(client) = self.clients.get_mut(key as usize) else {
            return Next::Wait;
        };
        let fill = match client.inbound.fill(
            &self.pool,
            &mut self.shared,
            client.parser.expected(),
            reader,
        ) {
            Ok(fill) => fill,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Next::Again,
            Err(error) => {
                log_at!(
                    Notice,
                    "{} recv failed: {}",
                    client.told(),
                    sys::reason(&error)
                );
                self.close_client(key, false);
                return Next::Wait;
            }
        };
        if fill.bytes == 0 {
            self.client_ended(key);
            return Next::Paused;
        }
        client.heard = now.mono_us;
        let mut parser = std::mem::take(&mut client.parser);
        let rest = self.serve_all(key, now, &mut parser, fill.data);
        let Some(client) = self.clients.get_mut(key as usize) else {
            return Next::Wait;
        };
        client.parser = parser;
        if client.reading == Reading::Off {
            client.inbound.clear();
            self.close_if_settled(key);
            return Next::Paused;
        }
        client.inbound.keep(rest, &self.pool);
        self.stats
            .hist
            .client_out_queue
            .record(u64::from(client.queue.len()));
        if fill.full { Next::Again } else { Next::Wait }
    }

    /// Whether the client must not be read now, and what its reader should do.
    fn hold_back(&mut self, key: u32) -> Option<Next> {
        let strained = self.is_strained(key);
        let client = self.clients.get_mut(key as usize)?;
        match client.reading {
            Reading::On if client.is_full() => {
                client.reading = Reading::Full;
                self.stats.own.reads_paused += 1;
            }
            Reading::On if strained => {
                client.reading = Reading::Waiting;
                self.waiting.push(client.id);
                self.stats.own.reads_paused += 1;
            }
            Reading::On => return None,
            _ => {}
        }
        Some(Next::Paused)
    }

    /// Serves every complete request in `data`, and returns what is left.
    fn serve_all(&mut self, key: u32, now: Now, parser: &mut Parser, mut data: Chain) -> Chain {
        while let Some(slice) = data.pop() {
            let mut at = 0;
            let status = loop {
                match parser.parse(&slice[at..], 0) {
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
            let mut rest = Chain::new();
            rest.push_range(&slice, at, slice.len());
            if let Status::Bad(error) = status {
                self.refuse_stream(key, now, &error.reply());
                return Chain::new();
            }
            rest.append(&mut data);
            data = rest;
            if data.as_contiguous().is_some() || data.is_empty() {
                break;
            }
            // The request goes on in the next slice.
            match parser.find(&data) {
                Status::Complete(request) => {
                    let raw = data.split_to(request.len);
                    self.serve(key, now, request.kind, Raw::Spread(&raw));
                    if self.is_deaf(key) {
                        return Chain::new();
                    }
                }
                Status::Incomplete => break,
                Status::Bad(error) => {
                    self.refuse_stream(key, now, &error.reply());
                    return Chain::new();
                }
            }
        }
        data
    }

    /// Whether nothing more is wanted from the client.
    fn is_deaf(&self, key: u32) -> bool {
        self.clients
            .get(key as usize)
            .is_none_or(|client| client.reading == Reading::Off)
    }

    /// Serves one request.
    #[inline]
    fn serve(&mut self, key: u32, now: Now, kind: Kind, raw: Raw<'_>) {
        let Kind::Array { argc, name, .. } = kind else {
            if kind == Kind::Inline {
                raw.with_bytes(|line| self.serve_inline(key, now, line));
            }
            return;
        };
        let command = match raw {
            Raw::Whole(slice, from, to) => lookup(name.of(slice.get(from..to).unwrap_or(&[]))),
            Raw::Spread(chain) => {
                let mut room = [0; NAME_ROOM];
                let wanted = (name.len as usize).min(NAME_ROOM);
                let n = chain.gather(name.at as usize, room.get_mut(..wanted).unwrap_or(&mut []));
                if name.len as usize > NAME_ROOM {
                    None
                } else {
                    lookup(room.get(..n).unwrap_or(&[]))
                }
            }
        };
        if let Some(command) = command
            && command.is_direct()
            && command.accepts(argc as usize)
            && let Some(form) = command.fixed_form()
        {
            self.forward(key, now, command, command.class, form, raw);
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
        self.serve_args(key, now, &args, Raw::Spread(&chain));
    }

    /// Serves a request whose arguments have to be looked at. Not the hot path.
    fn serve_args(&mut self, key: u32, now: Now, args: &[&[u8]], raw: Raw<'_>) {
        let mut out = Vec::new();
        if args.first().is_some_and(|name| inline::is_http(name)) {
            // A browser tricked into speaking to us: as Redis, close without a word.
            if let Some(client) = self.clients.get(key as usize) {
                log_at!(Warn, "{} sent an HTTP request, closing", client.told());
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
            Serve::Keyed | Serve::Split | Serve::SameNode | Serve::LocalNode | Serve::AllNodes => {
                if let Err(error) = command.keys(args, &mut Vec::new()) {
                    errors::keys(command, error, &mut out);
                    return self.answer(key, now, &out, false);
                }
                self.forward(
                    key,
                    now,
                    command,
                    refined.class,
                    resp3::form(command, args),
                    raw,
                );
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
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        let peer = client.addr.map(|addr| addr.to_string()).unwrap_or_default();
        let context = Context {
            now,
            connected_us: client.since,
            peer: &peer,
            local: &self.options.listen,
            store_version: &self.store_version,
        };
        let effect = client.session.answer(command, args, &context, &mut out);
        self.push_answer(key, now, &out, Flags::default(), effect == Effect::Close);
    }

    /// Sends a request to the datastore.
    #[inline]
    fn forward(
        &mut self,
        key: u32,
        now: Now,
        command: &'static Command,
        class: Class,
        form: resp3::Form,
        raw: Raw<'_>,
    ) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        let len = raw.len();
        let mut msg = Msg::new(key, len, now.mono_us);
        msg.form = form;
        msg.flags = reply_flags(&mut client.session);
        if class == Class::Write {
            msg.flags = msg.flags.with(Flags::WRITE);
            self.stats.hist.payload_size.record(len as u64);
        }
        let entry = self.msgs.insert(msg) as u32;
        client.queue.push(&mut self.msgs, entry);
        self.count_request(command, class);
        self.send_to_store(entry, key, now, class, raw);
    }

    /// Counts a request that enters routing, as the original does: all but `PING`.
    #[inline]
    fn count_request(&mut self, command: &'static Command, class: Class) {
        if let Some(count) = self.per_command.get_mut(usize::from(command.index())) {
            *count += 1;
        }
        match class {
            Class::Read if command.name == "ping" => {}
            Class::Read => self.stats.pool.client_read_requests += 1,
            Class::Write => self.stats.pool.client_write_requests += 1,
        }
    }

    /// The client broke the protocol: answers what came before, then this, then closes.
    pub(super) fn refuse_stream(&mut self, key: u32, now: Now, reply: &[u8]) {
        self.stats.own.protocol_errors += 1;
        if let Some(client) = self.clients.get_mut(key as usize) {
            client.broken = true;
        }
        self.answer(key, now, reply, true);
    }

    /// The client ended its stream: what it asked for is still answered.
    fn client_ended(&mut self, key: u32) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        log_at!(Notice, "{} recv eof", client.told());
        client.inbound.clear();
        client.reading = Reading::Off;
        client.closing = true;
        self.close_if_settled(key);
    }

    /// Closes a client that waits for nothing more, if it is to be closed.
    pub(super) fn close_if_settled(&mut self, key: u32) {
        if let Some(client) = self.clients.get(key as usize)
            && client.closing
            && client.is_settled()
        {
            self.close_client(key, !client.broken);
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
