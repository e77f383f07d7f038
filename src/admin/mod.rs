//! The HTTP endpoint on the stats port, without its sockets.
//!
//! [`server`] holds the connections, [`conn`] is one of them, [`request`] and [`response`] are the
//! two halves of HTTP/1.1 (RFC 9110, RFC 9112), [`routes`] is the one table of routes.
//! Behind the routes are [`changes`], which [`guard`] lets through or not, [`cluster`], [`health`] and
//! [`peers`]. All of it is state machines: bytes come from any `Read`, go to any `Write`, and the
//! time is an argument. The node and its process are reached through [`Control`].

pub mod changes;
pub mod cluster;
pub mod conn;
pub mod guard;
pub mod health;
pub mod peers;
pub mod request;
pub mod response;
pub mod routes;
pub mod server;

pub use guard::{Caller, Policy};
pub use server::{Admin, ConnId, Outcome};

use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::node::Operator;
use crate::node::operator::Check;
use crate::stats::Identity;
use std::net::IpAddr;

/// The endpoint's access to the node and its process.
pub trait Control {
    /// The node's port for its operator.
    fn operator(&mut self) -> Operator<'_>;
    /// Its identity.
    fn identity(&self) -> &Identity;
    /// The policy for changes.
    fn policy(&self) -> Policy;
    /// The body of `/info` as of `now`, ending in a line feed.
    fn info(&mut self, now: Now) -> String;
    /// The body of `/metrics` as of `now`.
    fn metrics(&mut self, now: Now) -> String;
    /// The checks of the listeners, for `/readyz`.
    fn listener_checks(&self) -> Vec<Check>;
    /// Reads the configuration again. Returns a line for each difference, with a note if it waits for the
    /// next start; or a line for each problem, and nothing has been changed.
    fn reload(&mut self, now: Now) -> Result<Vec<String>, Vec<String>>;
    /// A node's address on the connection to it; for this node, its own end of one to a peer. Nothing
    /// without a connection over TCP.
    fn address_of(&mut self, node: NodeId) -> Option<IpAddr>;
}
