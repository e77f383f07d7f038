//! What a client asks for.

use crate::clock::Now;
use crate::config::StoreKind;
use crate::hashkit::Token;
use crate::mbuf::{Chain, Raw};
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::client::{Heard, Speech};
use crate::node::collect::Collector;
use crate::node::flight::waiter::Waiter;
use crate::node::ids::{FrontId, ReqId};
use crate::node::join::Join;
use crate::node::memcache::first_line;
use crate::node::msg::{Flags, Msg};
use crate::node::plan;
use crate::proto::Failure;
use crate::proto::memcache::call::{Body, Call, Quiet};
use crate::proto::memcache::command::{Command, DELETE, Serve};
use crate::proto::memcache::line::{self, MAX_SENT, Outcome};
use crate::proto::memcache::naming::Naming;
use crate::proto::memcache::request::{Fatal, Kind, Parser, Request, Status, Versions};
use crate::proto::memcache::{errors, rewrite};

impl Speech for Parser {
    type Request = Request;
    type Broken = Fatal;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Heard<Request, Fatal> {
        heard(self.parse(data, 0))
    }

    fn find(&mut self, data: &Chain) -> Heard<Request, Fatal> {
        heard(self.find(data))
    }

    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    #[inline]
    fn serve(node: &mut Node, key: FrontId, now: Now, request: Request, raw: Raw<'_>) {
        node.serve_memcache(key, now, request, raw);
    }

    fn must_wait(_node: &Node, _key: FrontId, request: &Request, raw: Raw<'_>) -> bool {
        // What is refused reaches nobody; nor may it be parsed twice, as a value may have to be passed over
        // behind it.
        if !matches!(request.kind, Kind::Direct { .. } | Kind::Line) {
            return false;
        }
        let line = first_line(raw);
        match line::read(&line) {
            // One of those in two steps itself, of a value it has been told the version of: to the same owner.
            Outcome::Call(call) => !rewrite::needs_one(&call),
            _ => false,
        }
    }

    fn may_be_held(request: &Request, raw: Raw<'_>) -> bool {
        // A value may have to be passed over behind a line that is refused.
        match request.kind {
            Kind::Direct { .. } => true,
            Kind::Line => matches!(line::read(&first_line(raw)), Outcome::Call(_)),
            Kind::BadChunk { .. } | Kind::TooLarge { .. } | Kind::Skipped => false,
        }
    }

    fn last_words(broken: Fatal) -> Vec<u8> {
        broken.reply()
    }
}

#[inline]
fn heard(status: Status) -> Heard<Request, Fatal> {
    match status {
        Status::Complete(request) => Heard::Request(request.len, request),
        Status::Incomplete => Heard::Incomplete,
        Status::Bad(fatal) => Heard::Broken(fatal),
    }
}

/// What of an answer its client does not want to hear, as facts about a message.
pub(super) fn quiet_flags(quiet: Quiet) -> Flags {
    match quiet {
        Quiet::No => Flags::default(),
        Quiet::All => Flags::SILENT,
        Quiet::Nominal => Flags::QUIET,
    }
}

impl Node {
    /// Serves one request.
    #[inline]
    pub(super) fn serve_memcache(
        &mut self,
        key: FrontId,
        now: Now,
        request: Request,
        raw: Raw<'_>,
    ) {
        match request.kind {
            Kind::Direct {
                command,
                key: span,
                keys,
                versions,
            } if self.goes_as_it_stands(command, keys, versions) => {
                let Some(asker) = self.client_asker(key) else {
                    return;
                };
                let gets_versions = self.facts.marks_versions && versions == Versions::Told;
                let cx = self.plan_cx(asker);
                let route = plan::memcache::route(&cx, command, command.class, gets_versions);
                let token = self.token_of(raw, span);
                self.forward(key, now, &Ask { route, token, raw });
            }
            Kind::Direct { .. } | Kind::Line => {
                raw.with_first(request.line as usize, |line| {
                    self.serve_line(key, now, line, raw);
                });
            }
            Kind::BadChunk { silent } => self.tell(key, now, errors::BAD_CHUNK.as_bytes(), silent),
            Kind::TooLarge { silent } => self.tell(key, now, errors::TOO_LARGE.as_bytes(), silent),
            Kind::Skipped => {}
        }
    }

    /// Whether a canonical request goes on without being looked at.
    #[inline]
    fn goes_as_it_stands(&self, command: &Command, keys: u32, versions: Versions) -> bool {
        let has_several_owners = keys > 1 && self.facts.needs_hash;
        let names_version = self.facts.marks_versions && versions == Versions::Compared;
        let is_purge = self.facts.needs_inspection && self.is_memcache_purge(command);
        !has_several_owners && !names_version && !is_purge
    }

    /// Answers a client's request here, unless it wants no answer.
    fn tell(&mut self, key: FrontId, now: Now, text: &[u8], silent: bool) {
        if let Some(asked) = self.binary_asked(key) {
            self.tell_binary(key, now, asked, text);
        } else if !silent {
            self.answer(key, now, text, false);
        }
    }

    /// Whether a request is one that admin mode keeps from being replicated.
    fn is_memcache_purge(&self, command: &Command) -> bool {
        self.options.admin_operation == 1 && *command == DELETE
    }

    /// Serves a request whose line, which `raw` begins with, has to be looked at.
    fn serve_line(&mut self, key: FrontId, now: Now, line: &[u8], raw: Raw<'_>) {
        match line::read(line) {
            Outcome::Call(call) => self.serve_call(key, now, call, line.len(), raw),
            Outcome::Answer { text, silent } => {
                self.stats.own.unknown_commands += u64::from(*text == *errors::ERROR.as_bytes());
                self.tell(key, now, &text, silent);
            }
            Outcome::Quit => self.answer(key, now, b"", true),
        }
    }

    fn serve_call(&mut self, key: FrontId, now: Now, call: Call<'_>, line: usize, raw: Raw<'_>) {
        let command = call.command;
        if command.serve == Serve::AllNodesGuarded && !self.options.enable_flush {
            let silent = call.quiet == Quiet::All;
            return self.tell(key, now, errors::FLUSH_DISABLED.as_bytes(), silent);
        }
        let class = call.class();
        let tokens: Vec<Token> = call.keys().map(|key| self.token(&key)).collect();
        let token = tokens.first().copied().unwrap_or_default();
        let mut text = Vec::new();
        let call = if self.facts.marks_versions && !self.facts.replicated {
            self.for_owner(&call, token, &mut text)
        } else {
            call
        };
        let (call, naming) = match Naming::apart(&call, self.binary_asked(key).is_some()) {
            Some((call, naming)) => (call, Some(naming)),
            None => (call, None),
        };
        let chain = self.rewritten(&call, line, raw);
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        let cx = self.plan_cx(asker);
        let gets_versions = self.facts.marks_versions && hands_out_versions(&call);
        let mut route = plan::memcache::route(&cx, command, class, gets_versions);
        route.flags = route.flags.with(quiet_flags(call.quiet));
        let has_one_owner = cx.have_one_owner(&route, &tokens);
        let ask = Ask {
            route,
            token,
            raw: Raw::from(&chain),
        };
        if self.is_memcache_purge(command) && !self.topology.is_mine(token) {
            let failure = Failure::AdminMode.line(StoreKind::Memcache);
            return self.tell(key, now, failure.as_bytes(), call.quiet == Quiet::All);
        }
        let Some(entry) = self.enqueue(key, now, &ask) else {
            return;
        };
        if tokens.len() > 1 && (is_too_long(&call, &ask) || !has_one_owner) {
            return self.split_get(entry, key, now, &ask, &call, &tokens);
        }
        let entry = match naming {
            Some(naming) => self.only_part(entry, Join::Named(naming)),
            None => entry,
        };
        self.count_request(&ask);
        if self.is_memcache_purge(command) {
            self.send_to_store(entry, Some(key), now, ask.raw);
        } else if command.serve == Serve::AllNodesGuarded {
            self.ask_all(entry, key, now, &ask, Join::Same, true);
        } else if self.facts.replicated && rewrite::needs_one(&call) {
            self.compare_and_swap(entry, key, now, &ask, &call);
        } else {
            self.place(entry, key, now, &ask);
        }
    }

    /// The one part of a request whose reply becomes the answer in this way.
    fn only_part(&mut self, entry: ReqId, join: Join) -> ReqId {
        let Some(mut part) = self.flight.get(entry).map(Msg::copy) else {
            return entry;
        };
        self.give_collector(entry, Collector::joining(1, join));
        part.waiter = Waiter::Part(entry, 0);
        self.flight.insert(part)
    }

    /// The bytes of a request that is written anew: its line, then its value as it came behind a
    /// line of so many bytes.
    pub(in crate::node) fn rewritten(&self, call: &Call<'_>, line: usize, raw: Raw<'_>) -> Chain {
        let mut text = Vec::new();
        call.encode(&mut text);
        let mut chain = Chain::new();
        self.pool.copy(&text, &mut chain);
        if call.data_len().is_some() {
            raw.append_from(line, &mut chain);
        }
        chain
    }
}

/// Whether memcached may refuse a request by several keys for its length.
pub(super) fn is_too_long(call: &Call<'_>, ask: &Ask<'_>) -> bool {
    let touches = matches!(
        call.body,
        Body::Get {
            exptime: Some(_),
            ..
        }
    );
    touches && ask.raw.len() > MAX_SENT
}

/// Whether the answer tells the client versions of values.
fn hands_out_versions(call: &Call<'_>) -> bool {
    match &call.body {
        Body::Get { .. } => call.command.tells_versions,
        Body::Meta(meta) => meta.flags.iter().any(|flag| flag.first() == Some(&b'c')),
        _ => false,
    }
}
