//! What of a client's plan has to keep its place behind writes in two steps ([`crate::node::order`]), or wait for the
//! end of a pause ([`crate::node::clients`]).

use super::redis::is_routed;
use super::{Fanout, Keys, Plan, PlanCx, Route, StoreReply};
use crate::cluster::route::Routing;
use crate::consistency::Consistency;
use crate::proto::Class;
use crate::proto::redis::lookup::find;

/// The keys by which a request could overtake a write in two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Overtakes {
    /// None.
    Nothing,
    /// Its own.
    ItsKeys,
    /// All of them.
    AllKeys,
}

impl Plan {
    /// The keys by which a client's request with this plan could overtake a write in two steps.
    pub(in crate::node) fn overtakes(&self, keys: &Keys) -> Overtakes {
        match self {
            // Another one takes the same way to the owner and back, and so does its second step.
            Plan::TwoStep(_) => Overtakes::Nothing,
            Plan::Answer | Plan::Close | Plan::Session(_) | Plan::Refuse(_) => Overtakes::Nothing,
            Plan::Fanout(_, Fanout::Everywhere) => Overtakes::AllKeys,
            Plan::Keyed(route, _) | Plan::Split(route) if !spreads(route) => Overtakes::Nothing,
            // A script without keys may use any.
            Plan::Keyed(..) | Plan::Split(_) if keys.keys.is_empty() => Overtakes::AllKeys,
            Plan::Keyed(..) | Plan::Split(_) | Plan::Store(_, StoreReply::OfPurge) => {
                Overtakes::ItsKeys
            }
            Plan::Store(..) | Plan::Fanout(..) => Overtakes::Nothing,
        }
    }

    /// Returns true if a client's request with this plan could overtake a write in two steps, for any keys.
    pub(in crate::node) fn could_overtake(&self) -> bool {
        self.route().is_some() && !matches!(self, Plan::TwoStep(_))
    }
}

/// Returns true if a request goes to more replicas than the owner in this rack.
fn spreads(route: &Route) -> bool {
    route.class == Class::Write
        || (route.routing != Routing::OwnRackOnly && route.level != Consistency::DcOne)
}

/// Returns true if a client's request to Redis with these arguments waits for the end of a pause of writes.
pub(in crate::node) fn waits_for_pause(cx: &PlanCx<'_>, args: &[&[u8]]) -> bool {
    find(args).is_ok_and(|command| {
        let refined = command.refine(args);
        let writes = refined.class == Class::Write || command.may_replicate;
        writes && is_routed(cx, refined.serve)
    })
}
