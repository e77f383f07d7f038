//! A client of the text protocol: its requests are planned ([`crate::node::plan`]) and carried out here.

use crate::clock::Now;
use crate::mbuf::{Chain, Raw};
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::client::ClientProtocol;
use crate::node::flight::judge::Judge;
use crate::node::flight::judge::join::Join;
use crate::node::flight::waiter::Waiter;
use crate::node::ids::{FrontId, ReqId};
use crate::node::memcache::first_line;
use crate::node::msg::Msg;
use crate::node::plan::{self, Keys, Plan, StoreReply, Why, Words};
use crate::proto::memcache::call::{Call, Quiet};
use crate::proto::memcache::errors;
use crate::proto::memcache::line::{self, Outcome};
use crate::proto::memcache::naming::Naming;
use crate::proto::memcache::request::{Fatal, Kind, Parser, Request};

impl ClientProtocol for Parser {
    #[inline]
    fn serve(node: &mut Node, key: FrontId, now: Now, request: Request, raw: Raw<'_>) {
        node.serve_memcache(key, now, request, raw);
    }

    fn awaits_steps(node: &Node, key: FrontId, request: &Request, raw: Raw<'_>) -> bool {
        let (Some(asker), Kind::Direct { .. } | Kind::Line) =
            (node.client_asker(key), request.kind)
        else {
            return false;
        };
        let cx = node.plan_cx(asker);
        let plan = plan::memcache::at_sight(&cx, &request.kind).unwrap_or_else(|| {
            let line = first_line(raw);
            plan::memcache::plan(&cx, &line::read(&line), &mut Keys::default())
        });
        plan.could_overtake()
    }

    fn may_wait(request: &Request, raw: Raw<'_>) -> bool {
        // A value may have to be passed over behind a line that is refused.
        match request.kind {
            Kind::Direct { .. } => true,
            Kind::Line => matches!(line::read(&first_line(raw)), Outcome::Call(_)),
            Kind::BadChunk { .. } | Kind::TooLarge { .. } | Kind::Skipped => false,
        }
    }

    fn fatal_reply(broken: Fatal) -> Vec<u8> {
        broken.reply()
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
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        let plan = plan::memcache::at_sight(&self.plan_cx(asker), &request.kind);
        match (plan, request.kind) {
            (Some(Plan::Keyed(route, _)), Kind::Direct { key: span, .. }) => {
                let token = self.token_of(raw, span);
                self.forward_inline(key, now, &Ask { route, token, raw });
            }
            (
                Some(Plan::Refuse(Why::Line(line))),
                Kind::BadChunk { silent } | Kind::TooLarge { silent },
            ) => {
                self.reply(key, now, line.as_bytes(), silent);
            }
            (_, Kind::Skipped) => {}
            _ => raw.with_first(request.line as usize, |line| {
                self.serve_line(key, now, line, raw);
            }),
        }
    }

    /// Answers a client's request here, unless it wants no answer.
    fn reply(&mut self, key: FrontId, now: Now, text: &[u8], silent: bool) {
        if let Some(asked) = self.binary_asked(key) {
            self.reply_binary(key, now, asked, text);
        } else if !silent {
            self.answer(key, now, text, false);
        }
    }

    /// Serves a request whose line, which `raw` begins with, has to be looked at.
    fn serve_line(&mut self, key: FrontId, now: Now, line: &[u8], raw: Raw<'_>) {
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        let outcome = line::read(line);
        let mut keys = std::mem::take(&mut self.keys);
        let plan = plan::memcache::plan(&self.plan_cx(asker), &outcome, &mut keys);
        match (plan, outcome) {
            (Plan::Answer, Outcome::Answer { text, silent }) => {
                self.stats.own.unknown_commands += u64::from(*text == *errors::ERROR.as_bytes());
                self.reply(key, now, &text, silent);
            }
            (Plan::Close, _) => self.answer(key, now, b"", true),
            (Plan::Refuse(Why::Line(line)), Outcome::Call(call)) => {
                self.reply(key, now, line.as_bytes(), call.quiet == Quiet::All);
            }
            (plan, Outcome::Call(call)) => {
                self.carry_out_call(key, now, plan, call, &keys, line.len(), raw);
            }
            _ => {}
        }
        self.keys = keys;
    }

    /// Carries out the plan of a client's request, whose line has so many bytes.
    #[expect(
        clippy::too_many_arguments,
        reason = "a request as it is after planning, for this call only"
    )]
    fn carry_out_call(
        &mut self,
        key: FrontId,
        now: Now,
        plan: Plan,
        call: Call<'_>,
        keys: &Keys,
        line: usize,
        raw: Raw<'_>,
    ) {
        let Some(route) = plan.route() else {
            return;
        };
        let token = keys.first();
        let mut text = Vec::new();
        let call = match plan {
            Plan::Keyed(_, Words::OwnersVersion) => self.for_owner(&call, token, &mut text),
            _ => call,
        };
        let (call, naming) = match Naming::apart(&call, self.binary_asked(key).is_some()) {
            Some((call, naming)) => (call, Some(naming)),
            None => (call, None),
        };
        let chain = self.rewritten(&call, line, raw);
        let ask = Ask {
            route,
            token,
            raw: Raw::from(&chain),
        };
        let Some(entry) = self.enqueue(key, now, &ask) else {
            return;
        };
        if let Plan::Split(_) = plan {
            return self.split_get(entry, key, now, &ask, &call, &keys.tokens);
        }
        let entry = match naming {
            Some(naming) => self.only_part(entry, Join::Named(naming)),
            None => entry,
        };
        self.count_request(&ask);
        match plan {
            Plan::Store(_, StoreReply::OfPurge) => {
                self.send_to_store(entry, Some(key), now, ask.raw);
            }
            Plan::Fanout(..) => self.ask_all(entry, key, now, &ask, Join::Same, true),
            Plan::TwoStep(_) => self.compare_and_swap(entry, key, now, &ask, &call),
            _ => self.place(entry, key, now, &ask),
        }
    }

    /// The one part of a request whose reply becomes the answer in this way.
    fn only_part(&mut self, entry: ReqId, join: Join) -> ReqId {
        let Some(mut part) = self.flight.get(entry).map(Msg::copy) else {
            return entry;
        };
        self.flight.give_judge(entry, Judge::joining(1, join));
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
