//! The plans that follow from a command alone, without its arguments: worked out once for each topology, not for each
//! request.

use super::redis::{is_by_key, is_placed_by_first, of_peer, route};
use super::{Asker, Facts, Plan, PlanCx, Route, StoreReply, Words};
use crate::cluster::topology::Topology;
use crate::consistency::Consistency;
use crate::node::Options;
use crate::proto::redis::command::{COUNT, Command, Replicate, command};
use crate::proto::redis::resp3::Form;

/// The plan of a command's requests as far as their arguments do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// None: their arguments have to be looked at.
    Look,
    /// They are for this node's datastore.
    Store,
    /// They go by their first argument.
    Keyed,
}

/// The sight of one row.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// At [`Consistency::DcOne`].
    route: Route,
    /// Of a client's request; those of so many arguments or more may hold a time to be made absolute.
    client: Sight,
    timed_from: u8,
    /// The form of the reply in RESP3 depends on the arguments.
    is_formless: bool,
    /// Of a peer's request to this node's datastore, and of one to be forwarded.
    peer: Sight,
    forward: Sight,
}

/// No number of arguments.
const NEVER: u8 = u8::MAX;

/// The sights of all commands of Redis. They depend on the topology, on `local_scan` and on admin mode.
#[derive(Debug, Default)]
pub(in crate::node) struct Sights(Vec<Row>);

impl Sights {
    /// The sights in this topology.
    pub fn new(topology: &Topology, options: &Options) -> Sights {
        let none = Sights::default();
        let cx = PlanCx {
            topology,
            facts: Facts::new(topology, options),
            sights: &none,
            options,
            asker: Asker::Client {
                resp3: false,
                behind_multi: false,
                level: Some(Consistency::DcOne),
            },
        };
        let commands = (0..COUNT).filter_map(|row| command(row as u16));
        Sights(commands.map(|command| row(&cx, command)).collect())
    }

    /// The plan of a request of `argc` arguments if its command alone decides it.
    #[inline]
    pub fn plan(&self, cx: &PlanCx<'_>, command: &Command, argc: u32) -> Option<Plan> {
        let row = self.0.get(usize::from(command.index()))?;
        let sight = match cx.asker {
            Asker::Client {
                resp3,
                behind_multi,
                ..
            } => match behind_multi || (resp3 && row.is_formless) {
                false => row.client,
                true => Sight::Look,
            },
            Asker::Peer { forward: true, .. } => row.forward,
            Asker::Peer { forward: false, .. } => row.peer,
        };
        if sight == Sight::Look || !command.accepts(argc as usize) {
            return None;
        }
        let route = Route {
            level: cx.level(row.route.class),
            ..row.route
        };
        if sight == Sight::Store {
            return Some(Plan::Store(route, StoreReply::AsItIs));
        }
        let is_timed = argc >= u32::from(row.timed_from) && row.timed_from != NEVER;
        Some(match is_timed && matches!(cx.asker, Asker::Client { .. }) {
            true => Plan::Keyed(route, Words::AbsoluteTimes),
            false => Plan::Keyed(route, Words::AsTheyAre),
        })
    }
}

fn row(cx: &PlanCx<'_>, command: &Command) -> Row {
    let form = command.fixed_form();
    // The arguments of a request never matter for a reply in RESP2.
    let route = route(cx, command, command.class, form.unwrap_or(Form::Plain));
    let if_direct = |sight| match command.is_direct() {
        true => sight,
        false => Sight::Look,
    };
    let if_placed = |sight| match is_placed_by_first(cx, command) {
        true => if_direct(sight),
        false => Sight::Look,
    };
    let (client, timed_from) = match command.replicate {
        _ if !is_by_key(command.serve) => (Sight::Store, NEVER),
        _ if !cx.facts.needs_inspection => (Sight::Keyed, NEVER),
        _ if cx.is_purge(command.purges) => (Sight::Look, NEVER),
        Replicate::AsIs => (Sight::Keyed, NEVER),
        _ if !cx.facts.replicated => (Sight::Keyed, NEVER),
        Replicate::Absolute(least) => (Sight::Keyed, least),
        Replicate::Effect(_) => (Sight::Look, NEVER),
    };
    Row {
        route,
        client: if_placed(client),
        timed_from,
        is_formless: form.is_none(),
        peer: if_direct(Sight::Store),
        forward: match of_peer(cx, route, true) {
            Plan::Keyed(..) => if_placed(Sight::Keyed),
            _ => if_placed(Sight::Store),
        },
    }
}
