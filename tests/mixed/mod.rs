//! A cluster of this program and another one that speaks the same protocol, in every role.
//!
//! `DYNOMITE_PEER=/path/to/dynomite cargo test --test integration mixed::` runs it with that program, which is meant
//! to be the C original; without the variable each test says that it was not run. What is known to
//! crash or mislead the original is left out: more than one token, `DC_EACH_SAFE_QUORUM` through it, racks
//! that differ; with `secure_server_option: rack` and `all`, quorums through it and what it hands on.

mod agreed;
mod encrypted;
mod failing;
mod inside;
mod memcached;
mod overrun;
mod placed;
mod rolling;
mod scripts;
mod seeds;

use crate::common::{Client, Plan, shown};
use std::path::PathBuf;

/// The other program; without one, a word and nothing.
fn other() -> Option<PathBuf> {
    let path = std::env::var_os("DYNOMITE_PEER").map(PathBuf::from);
    if path.is_none() {
        eprintln!("not run: DYNOMITE_PEER names no program to be mixed with");
    }
    path
}

/// A cluster of which the nodes in this list are the other program.
fn mixed(plan: Plan, others: &[usize], program: &std::path::Path) -> Plan {
    // The original's statistics are up to this old.
    let plan = plan.with("stats_interval", 100);
    others
        .iter()
        .fold(plan, |plan, &node| plan.with_program(node, program))
}

/// A connection whose requests are judged at this level.
#[track_caller]
fn at_level(mut client: Client, level: &str) -> Client {
    let reply = client.ask(&format!("dyno_config:conn_consistency {level}"));
    assert_eq!(shown(&reply), "+OK\\r\\n");
    client
}

/// Asks, and compares the reply.
#[track_caller]
fn expect(client: &mut Client, line: &str, reply: &str) {
    assert_eq!(shown(&client.ask(line)), shown(reply.as_bytes()), "{line}");
}

/// A value as a reply, as it is shown.
fn bulk(value: &str) -> String {
    format!("${}\\r\\n{value}\\r\\n", value.len())
}
