//! What a client of Redis asks for.

use super::Node;
use super::ask::{Ask, command_of};
use super::client::{Heard, Speech};
use super::fanout::edited;
use super::ids::FrontId;
use super::limits;
use super::many::Several;
use super::msg::Flags;
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::{Command, Serve, Transaction};
use crate::proto::redis::keys::KeysError;
use crate::proto::redis::lookup::{lookup, resolve};
use crate::proto::redis::request::{self, Kind, Parser, ProtocolError, Status};
use crate::proto::redis::session::{Context, Effect};
use crate::proto::redis::{encode, errors, inline, resp3};

impl Speech for Parser {
    type Request = Kind;
    type Broken = ProtocolError;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Heard<Kind, ProtocolError> {
        heard(self.parse(data, 0))
    }

    fn find(&mut self, data: &Chain) -> Heard<Kind, ProtocolError> {
        heard(self.find(data))
    }

    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    #[inline]
    fn serve(node: &mut Node, key: FrontId, now: Now, kind: Kind, raw: Raw<'_>) {
        node.serve_redis(key, now, kind, raw);
    }

    fn must_wait(node: &Node, key: FrontId, request: &Kind, raw: Raw<'_>) -> bool {
        match request {
            // It is refused.
            Kind::Array { argc, .. } if *argc > limits::ARGUMENTS => false,
            Kind::Array { .. } => raw.with_bytes(|bytes| {
                let args: Vec<&[u8]> = request::arguments(bytes).collect();
                node.overtakes(key, &args)
            }),
            Kind::Inline => true,
            Kind::Empty => false,
        }
    }

    fn pauses(node: &Node, request: &Kind, raw: Raw<'_>) -> bool {
        raw.with_bytes(|bytes| match request {
            // It is refused.
            Kind::Array { argc, .. } if *argc > limits::ARGUMENTS => false,
            Kind::Array { .. } => {
                let args: Vec<&[u8]> = request::arguments(bytes).collect();
                node.pauses(&args)
            }
            Kind::Inline => inline::split(bytes.trim_ascii_end()).is_ok_and(|args| {
                let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
                node.pauses(&args)
            }),
            Kind::Empty => false,
        })
    }

    fn last_words(broken: ProtocolError) -> Vec<u8> {
        broken.reply()
    }
}

#[inline]
fn heard(status: Status) -> Heard<Kind, ProtocolError> {
    match status {
        Status::Complete(request) => Heard::Request(request.len, request.kind),
        Status::Incomplete => Heard::Incomplete,
        Status::Bad(error) => Heard::Broken(error),
    }
}

impl Node {
    /// Serves one request.
    #[inline]
    fn serve_redis(&mut self, key: FrontId, now: Now, kind: Kind, raw: Raw<'_>) {
        let Kind::Array { argc, name, first } = kind else {
            if kind == Kind::Inline {
                raw.with_bytes(|line| self.serve_inline(key, now, line));
            }
            return;
        };
        if argc > limits::ARGUMENTS && !self.passes_whole(key, argc, command_of(raw, name)) {
            return self.answer(key, now, errors::TOO_MANY_ARGUMENTS.as_bytes(), false);
        }
        if let Some(command) = command_of(raw, name)
            && command.is_direct()
            && command.accepts(argc as usize)
            && let Some(form) = self.form_without_arguments(key, command)
            && self.is_placed_by_first(command)
            && !self.is_behind_multi(key)
        {
            let token = self.token_of(raw, first);
            let ask = Ask::redis(command, command.class, token, raw);
            if !self.looks_closer || self.goes_straight(command, argc as usize) {
                return self.forward(key, now, form, &ask);
            }
            if !self.is_purge(command) {
                return self.with_arguments_of(raw, |node, args| {
                    node.replicate(key, now, form, &ask, command, args);
                });
            }
        }
        self.with_arguments_of(raw, |node, args| node.serve_args(key, now, args, raw));
    }

    /// Runs `f` on the arguments of a request. In a function of its own, so that the requests that need none do not
    /// pay for their room.
    #[inline(never)]
    fn with_arguments_of(&mut self, raw: Raw<'_>, f: impl FnOnce(&mut Node, &[&[u8]])) {
        raw.with_bytes(|bytes| request::with_arguments(bytes, |args| f(self, args)));
    }

    /// The form of the reply to a client's command, if its arguments do not matter: they never do to a client that
    /// speaks RESP2.
    #[inline]
    fn form_without_arguments(&self, key: FrontId, command: &Command) -> Option<resp3::Form> {
        command.fixed_form().or_else(|| {
            let client = self.fronts.client(key)?;
            (!client.session.resp3).then_some(resp3::Form::Plain)
        })
    }

    /// Whether a client's request goes to the local datastore, which is the only one, without a look at
    /// its arguments.
    #[cold]
    fn passes_whole(&self, key: FrontId, argc: u32, command: Option<&Command>) -> bool {
        let passes = command.is_some_and(|command| {
            command.is_direct()
                && command.accepts(argc as usize)
                && command.fixed_form().is_some()
                && (!self.looks_closer || self.goes_straight(command, argc as usize))
        });
        passes && self.alone && !self.is_behind_multi(key)
    }

    /// Serves an inline command.
    fn serve_inline(&mut self, key: FrontId, now: Now, line: &[u8]) {
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
    fn serve_args(&mut self, key: FrontId, now: Now, args: &[&[u8]], raw: Raw<'_>) {
        let mut out = Vec::new();
        if args.first().is_some_and(|name| inline::is_http(name)) {
            // A browser tricked into speaking to us: as Redis, close without a word.
            if let Some(front) = self.fronts.get(key) {
                log_at!(Warn, "{} sent an HTTP request, closing", front.told());
            }
            return self.refuse_stream(key, now, b"");
        }
        if self.is_behind_multi(key)
            && let Some(client) = self.fronts.client_mut(key)
            && let Some(refusal) = client.session.behind_multi(args, now)
        {
            return self.answer(key, now, refusal.line.as_bytes(), refusal.closes);
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
                if let Err(error) = command.keys(args, &mut keys)
                    && !self.serves_keyless(command, error)
                {
                    if let Some(ask) = Ask::for_its_error(command, error, raw) {
                        return self.forward(key, now, resp3::Form::Plain, &ask);
                    }
                    errors::keys(command, error, &mut out);
                    return self.answer(key, now, &out, false);
                }
                self.note_script(command, args);
                self.watch_script(command, now);
                let form = resp3::form(command, args);
                let tokens: Vec<_> = keys
                    .iter()
                    .filter_map(|key| args.get(key.index))
                    .map(|key| self.token(key))
                    .collect();
                let token = tokens.first().copied().unwrap_or_default();
                let ask = Ask::redis(command, refined.class, token, raw);
                if self.is_purge(command) {
                    return self.purge(key, now, form, &ask, &tokens);
                }
                if tokens.len() > 1 && !self.is_one_owner(key, &ask, &tokens) {
                    if refined.serve == Serve::Split {
                        let several = Several {
                            command,
                            args,
                            keys: &keys,
                            tokens: &tokens,
                        };
                        return self.split(key, now, form, &ask, &several);
                    }
                    let text = errors::spans_nodes(command);
                    return self.answer(key, now, text.as_bytes(), false);
                }
                self.refuse_patterns(key, &ask, command, args, &tokens, &mut out);
                if !out.is_empty() {
                    return self.answer(key, now, &out, false);
                }
                if let Some(join) = edited(command, args) {
                    return self.ask_here(key, now, form, &ask, join);
                }
                if self.is_fanned_out(refined.serve) {
                    return self.fan_out(key, now, form, &ask, command, args);
                }
                if self.replicated && !command.replicates_as_is(args.len()) {
                    return self.replicate(key, now, form, &ask, command, args);
                }
                self.forward(key, now, form, &ask);
            }
            Serve::Proxy => self.answer_session(key, now, command, args),
            refused => {
                if command.transaction == Transaction::Begins
                    && let Some(client) = self.fronts.client_mut(key)
                {
                    client.session.multi_refused(now);
                }
                errors::refused(command, refused.why(), &mut out);
                self.answer(key, now, &out, false);
            }
        }
    }

    /// Returns true if a request is a script without keys, and every rack is one node: then it matters to none
    /// of them that nothing says which node of a rack is to run it.
    pub(super) fn serves_keyless(&self, command: &Command, error: KeysError) -> bool {
        error == KeysError::Zero && command.runs_script() && !self.topology.needs_hash()
    }

    /// Whether a client has not ended a transaction yet whose beginning was refused.
    #[inline]
    fn is_behind_multi(&self, key: FrontId) -> bool {
        let client = self.fronts.client(key);
        client.is_some_and(|client| client.session.is_behind_multi())
    }

    /// Lets the session answer.
    fn answer_session(
        &mut self,
        key: FrontId,
        now: Now,
        command: &'static Command,
        args: &[&[u8]],
    ) {
        let mut out = Vec::new();
        let Some(client) = self.fronts.client_mut(key) else {
            return;
        };
        client.latest = command.index();
        if let Some(command) = command.about_clients() {
            return self.answer_about_clients(key, now, command, args);
        }
        let context = Context {
            now,
            store_version: &self.version.text,
        };
        let effect = client.session.answer(command, args, &context, &mut out);
        if effect == Effect::NamesVersion && self.asks_version(key, now, &out) {
            return;
        }
        self.push_answer(key, now, &out, Flags::default(), effect == Effect::Close);
    }
}
