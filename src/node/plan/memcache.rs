//! The plan of a request to memcached.

use super::{PlanCx, Route};
use crate::cluster::route::Routing;
use crate::consistency::Consistency;
use crate::node::msg::Flags;
use crate::proto::Class;
use crate::proto::memcache::command::{Command, Serve};
use crate::proto::redis::resp3::Form;

/// How a request is placed and counted. `gets_versions`: its reply tells a client versions of values.
#[inline]
pub(in crate::node) fn route(
    cx: &PlanCx<'_>,
    command: &Command,
    class: Class,
    gets_versions: bool,
) -> Route {
    let level = cx.level(class);
    let routing = match command.serve {
        // All nodes of a datacenter ask the same replica.
        _ if gets_versions
            && class == Class::Read
            && cx.facts.replicated
            && level == Consistency::DcOne =>
        {
            Routing::FirstRack
        }
        Serve::LocalNode => Routing::LocalNode,
        Serve::AllNodesGuarded => Routing::AllNodes,
        Serve::Keyed | Serve::Split | Serve::Proxy => Routing::Normal,
    };
    Route {
        row: command.index(),
        routing,
        counted: true,
        class,
        level,
        flags: match gets_versions {
            true => Flags::UNIQUE,
            false => Flags::default(),
        },
        form: Form::default(),
    }
}
