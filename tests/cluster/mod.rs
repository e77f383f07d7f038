//! Clusters of real processes: nodes that forward, replicate, compare and fail, each before a
//! redis-server of its own.

mod as_receiver;
mod as_requester;
mod bulk;
mod busy;
mod chaos;
mod clocks;
mod encrypted;
mod equal;
mod faults;
mod kinds;
mod many_keys;
mod native;
mod once_crashed;
mod order;
mod owner_gone;
mod raw;
mod reads;
mod remote;
mod scripts;
mod shapes;
mod soak;
mod strangers;
mod whole_rack;

use crate::common::{Client, shown};

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

/// Compares the next reply.
#[track_caller]
fn expect_reply(client: &mut Client, reply: &str) {
    assert_eq!(shown(&client.reply()), shown(reply.as_bytes()));
}

/// A value as a reply, as it is shown.
pub fn bulk(value: &str) -> String {
    format!("${}\\r\\n{value}\\r\\n", value.len())
}
