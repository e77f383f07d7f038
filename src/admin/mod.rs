//! The HTTP endpoint on the stats port, without its sockets.
//!
//! [`server`] holds the connections, [`conn`] is one of them, [`request`] and [`response`] are the
//! two halves of HTTP/1.1 (RFC 9110, RFC 9112), [`routes`] is the one table of what can be asked.
//! All of it is state machines: bytes come from any `Read`, go to any `Write`, and the time is an
//! argument. What is asked of the node goes through [`Control`].

pub mod conn;
pub mod request;
pub mod response;
pub mod routes;
pub mod server;

pub use server::{Admin, ConnId, Outcome};

use crate::clock::Now;

/// What the endpoint may ask of the node.
pub trait Control {
    /// The body of `/info` as of `now`, ending in a line feed.
    fn info(&mut self, now: Now) -> String;
}
