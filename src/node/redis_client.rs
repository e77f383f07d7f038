//! A client of Redis: its requests are planned ([`super::plan`]) and carried out here.

use super::Node;
use super::ask::{Ask, command_of};
use super::client::ClientProtocol;
use super::ids::FrontId;
use super::limits;
use super::many::Several;
use super::msg::Flags;
use super::plan::redis;
use super::plan::{Keys, Plan, StoreReply, Why, Words};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::{Command, Transaction, command};
use crate::proto::redis::lookup::Unresolved;
use crate::proto::redis::request::{self, Kind, Parser, ProtocolError, Request};
use crate::proto::redis::session::{Context, Effect};
use crate::proto::redis::{encode, errors, inline};

impl ClientProtocol for Parser {
    #[inline]
    fn serve(node: &mut Node, key: FrontId, now: Now, request: Request, raw: Raw<'_>) {
        node.serve_redis(key, now, request.kind, raw);
    }

    fn awaits_steps(node: &Node, key: FrontId, request: &Request, raw: Raw<'_>) -> bool {
        match request.kind {
            // It is refused.
            Kind::Array { argc, .. } if argc > limits::ARGUMENTS => false,
            Kind::Array { .. } => raw.with_bytes(|bytes| {
                request::with_arguments(bytes, |args| node.overtakes(key, args))
            }),
            Kind::Inline => true,
            Kind::Empty => false,
        }
    }

    fn awaits_pause(node: &Node, key: FrontId, request: &Request, raw: Raw<'_>) -> bool {
        raw.with_bytes(|bytes| match request.kind {
            // It is refused.
            Kind::Array { argc, .. } if argc > limits::ARGUMENTS => false,
            Kind::Array { .. } => request::with_arguments(bytes, |args| node.is_paused(key, args)),
            Kind::Inline => inline::split(bytes.trim_ascii_end()).is_ok_and(|args| {
                let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
                node.is_paused(key, &args)
            }),
            Kind::Empty => false,
        })
    }

    fn fatal_reply(broken: ProtocolError) -> Vec<u8> {
        broken.reply()
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
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        let plan = redis::at_sight(&self.plan_cx(asker), command_of(raw, name), argc);
        match plan {
            Some(Plan::Keyed(route, Words::AsTheyAre) | Plan::Store(route, StoreReply::AsItIs)) => {
                let token = self.token_of(raw, first);
                self.forward_inline(key, now, &Ask { route, token, raw });
            }
            Some(Plan::Keyed(route, Words::AbsoluteTimes)) => {
                let token = self.token_of(raw, first);
                let ask = Ask { route, token, raw };
                self.with_arguments_of(raw, |node, args| {
                    node.forward_absolute(key, now, &ask, args);
                });
            }
            Some(Plan::Refuse(why)) => self.refuse_redis(key, now, why, &[]),
            _ => self.with_arguments_of(raw, |node, args| node.serve_args(key, now, args, raw)),
        }
    }

    /// Runs `f` on the arguments of a request. In a function of its own, so that the requests that need none do not
    /// pay for their room.
    #[inline(never)]
    fn with_arguments_of(&mut self, raw: Raw<'_>, f: impl FnOnce(&mut Node, &[&[u8]])) {
        raw.with_bytes(|bytes| request::with_arguments(bytes, |args| f(self, args)));
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
        // A line is never forwarded unchanged: it goes on in canonical form.
        let mut canonical = Vec::new();
        encode::command(&mut canonical, &args);
        let mut chain = Chain::new();
        self.pool.copy(&canonical, &mut chain);
        self.serve_args(key, now, &args, Raw::from(&chain));
    }

    /// Serves a request whose arguments have to be looked at. Not the hot path.
    fn serve_args(&mut self, key: FrontId, now: Now, args: &[&[u8]], raw: Raw<'_>) {
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        let mut keys = std::mem::take(&mut self.keys);
        let plan = redis::plan(&self.plan_cx(asker), args, &mut keys);
        self.note_transaction_end(key, args);
        self.carry_out(key, now, plan, args, &keys, raw);
        self.keys = keys;
    }

    /// Carries out the plan of a client's request.
    fn carry_out(
        &mut self,
        key: FrontId,
        now: Now,
        plan: Plan,
        args: &[&[u8]],
        keys: &Keys,
        raw: Raw<'_>,
    ) {
        let Some(route) = plan.route() else {
            return match plan {
                Plan::Session(command) => self.answer_session(key, now, command, args),
                Plan::Refuse(why) => self.refuse_redis(key, now, why, args),
                _ => {}
            };
        };
        let Some(command) = command(route.row) else {
            return;
        };
        self.note_script(command, args);
        self.watch_script(command, now);
        let token = keys.first();
        let ask = Ask { route, token, raw };
        match plan {
            Plan::Keyed(_, Words::AsTheyAre) | Plan::Store(_, StoreReply::AsItIs) => {
                self.forward(key, now, &ask);
            }
            Plan::Keyed(..) => self.forward_absolute(key, now, &ask, args),
            Plan::Store(_, reply) => self.ask_here(key, now, &ask, reply),
            Plan::Split(_) => {
                let several = Several {
                    command,
                    args,
                    keys,
                };
                self.split(key, now, &ask, &several);
            }
            Plan::Fanout(_, fanout) => self.fan_out(key, now, &ask, command, fanout, args),
            Plan::TwoStep(_) => self.step_anywhere(key, now, &ask, command),
            _ => {}
        }
    }

    /// Answers a client's request with an error.
    #[cold]
    fn refuse_redis(&mut self, key: FrontId, now: Now, why: Why, args: &[&[u8]]) {
        let mut closes = false;
        match why {
            Why::Http => {
                // As Redis, close without a word.
                if let Some(front) = self.fronts.get(key) {
                    log_at!(Warn, "{} sent an HTTP request, closing", front.log_name());
                }
                return self.refuse_stream(key, now, b"");
            }
            Why::BehindMulti => {
                let client = self.fronts.client(key);
                closes = client.is_some_and(|client| client.session.is_multi_overdue(now));
            }
            Why::Unresolved(Unresolved::Command) => self.stats.own.unknown_commands += 1,
            Why::Unserved(command, _) if command.transaction == Transaction::Begins => {
                if let Some(client) = self.fronts.client_mut(key) {
                    client.session.multi_refused(now);
                }
            }
            _ => {}
        }
        let mut out = Vec::new();
        why.write(args, &mut out);
        self.answer(key, now, &out, closes);
    }

    /// Takes note of the end of a transaction whose `MULTI` was refused.
    fn note_transaction_end(&mut self, key: FrontId, args: &[&[u8]]) {
        if let Some(client) = self.fronts.client_mut(key)
            && client.session.is_behind_multi()
            && matches!(
                redis::transaction_of(args),
                Transaction::Ends | Transaction::Runs
            )
        {
            client.session.transaction_over();
        }
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
