//! A node of the original that learns of the others from one of ours (`florida_provider`).

use super::other;
use crate::common::{Addresses, Redis, Setup, eventually};
use std::net::Ipv4Addr;

#[test]
fn item_24_the_original_takes_the_list_that_a_node_of_ours_tells() {
    let Some(program) = other() else { return };
    let (our_redis, its_redis) = (Redis::start(), Redis::start());
    // It asks from 127.0.0.1, and the list leaves out the asking node.
    let ours = Addresses::free(Ipv4Addr::new(127, 0, 0, 2));
    let its = Addresses::free(Ipv4Addr::LOCALHOST);
    let place = |setup: Setup, rack: &str| {
        let setup = setup.with("datacenter", "dc").with("rack", rack);
        setup.with("gos_interval", 1000).with("stats_interval", 100)
    };
    let our_node = place(Setup::before(&our_redis), "rack1")
        .at(ours)
        .with("dyn_seeds", format!("[ '{}:rack2:dc:0' ]", its.peers))
        .start();
    let _its_node = place(Setup::before(&its_redis), "rack2")
        .at(its)
        .with("dyn_seed_provider", "florida_provider")
        .with_env("DYNOMITE_FLORIDA_IP", "127.0.0.2")
        .with_env("DYNOMITE_FLORIDA_PORT", ours.stats.port())
        .with_program(Some(&program))
        .start();
    let mut client = crate::common::Client::tcp(its.listen).expect("it listens");
    let mut store = our_redis.client();
    eventually("a write through the original reaches our rack", || {
        client.ask("set k learned") == b"+OK\r\n" && store.ask("get k") == b"$7\r\nlearned\r\n"
    });
    let mut ours = our_node.client();
    eventually("and the other way round", || {
        ours.ask("set back learned") == b"+OK\r\n"
            && its_redis.client().ask("get back") == b"$7\r\nlearned\r\n"
    });
}
