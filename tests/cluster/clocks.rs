//! Machines whose clocks are two minutes off.

use super::expect;
use crate::common::{Cluster, Plan, WrongClock, eventually, shown};
use std::time::Instant;

/// How far each machine's clock is ahead, in seconds, in the order of the nodes: two datacenters of two racks.
const AHEAD: [i64; 4] = [0, 120, -120, 0];
/// How long keys are to live, in milliseconds.
const LIFE: i64 = 60_000;
/// How much earlier a key may end than it should, in milliseconds: memcached counts in seconds.
const EARLY: i64 = 1_000;

/// The clocks last as long as the cluster that runs by them.
fn start(plan: Plan) -> (Cluster, [WrongClock; 4]) {
    let clocks = AHEAD.map(WrongClock::ahead);
    let mut plan = plan.at_level("DC_SAFE_QUORUM");
    for (node, clock) in clocks.iter().enumerate() {
        plan = plan.with_env(node, clock.env());
    }
    (plan.start(), clocks)
}

/// Waits until a key has an end on every datastore, and checks that it is [`LIFE`] after `sent`, when the client asked
/// for it. `left` tells how many milliseconds the datastore of a node still keeps it, by its machine's own clock.
#[track_caller]
fn ends_everywhere(sent: Instant, what: &str, left: impl Fn(usize) -> Option<i64>) {
    for node in 0..AHEAD.len() {
        let mut seen = 0;
        eventually(&format!("{what} has an end on node {node}"), || {
            let found = left(node);
            seen = found.unwrap_or_default();
            found.is_some()
        });
        let least = LIFE - EARLY - sent.elapsed().as_millis() as i64;
        assert!(
            (least..=LIFE).contains(&seen),
            "{what}: {seen} ms left on node {node}"
        );
    }
}

/// With the coordinator two minutes behind, `SETEX k 60` was answered OK and no store had the key; two minutes ahead,
/// stores kept it for three minutes.
#[test]
fn a_key_lives_its_sixty_seconds_whatever_clocks_are_two_minutes_off() {
    let (cluster, _clocks) = start(Plan::of(2, 2, 1));
    let left = |node: usize, key: &str| {
        let reply = cluster.members[node]
            .store
            .client()
            .ask(&format!("pttl {key}"));
        let reply = shown(&reply);
        let number = reply.trim_start_matches(':').trim_end_matches("\\r\\n");
        let left: i64 = number.parse().unwrap_or_else(|_| panic!("{reply}"));
        // Below it: no key yet, or no end.
        (left >= 0).then_some(left)
    };
    for through in 0..AHEAD.len() {
        let mut client = cluster.client(through);
        for (n, (first, line, reply)) in [
            (None, "setex K 60 v", "+OK\r\n"),
            (None, "psetex K 60000 v", "+OK\r\n"),
            (None, "set K v ex 60", "+OK\r\n"),
            (None, "set K v nx px 60000", "+OK\r\n"),
            (Some("set K v"), "expire K 60", ":1\r\n"),
            (Some("set K v"), "pexpire K 60000", ":1\r\n"),
            (Some("set K v"), "getex K ex 60", "$1\r\nv\r\n"),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("k{n}through{through}");
            if let Some(first) = first {
                expect(&mut client, &first.replace('K', &key), "+OK\r\n");
            }
            let line = line.replace('K', &key);
            let sent = Instant::now();
            expect(&mut client, &line, reply);
            ends_everywhere(sent, &line, |node| left(node, &key));
        }
    }
}

#[test]
fn an_item_lives_its_sixty_seconds_whatever_clocks_are_two_minutes_off() {
    let (cluster, _clocks) = start(Plan::of(2, 2, 1).of_memcached());
    let left = |node: usize, key: &str| {
        let mut memcached = cluster.members[node].store.memcached().client();
        let reply = shown(&memcached.ask(&format!("mg {key} t")));
        let seconds = reply.strip_prefix("HD t")?.trim_end_matches("\\r\\n");
        let seconds: i64 = seconds.parse().ok()?;
        // Below it: no end yet.
        (seconds >= 0).then_some(seconds * 1_000)
    };
    for through in 0..AHEAD.len() {
        let mut client = cluster.text_client(through);
        for (n, (first, line, reply)) in [
            (None, "set K 0 60 1\r\nv", "STORED\r\n"),
            (None, "ms K 1 T60\r\nv", "HD\r\n"),
            (Some("set K 0 0 1\r\nv"), "touch K 60", "TOUCHED\r\n"),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("k{n}through{through}");
            if let Some(first) = first {
                client.expect(&first.replace('K', &key), "STORED\r\n");
            }
            let line = line.replace('K', &key);
            let sent = Instant::now();
            client.expect(&line, reply);
            ends_everywhere(sent, &line, |node| left(node, &key));
        }
    }
}

#[test]
fn every_node_shows_how_far_the_clocks_of_its_peers_are_off() {
    let (cluster, _clocks) = start(Plan::of(2, 2, 1));
    for (node, own) in AHEAD.iter().enumerate() {
        let mut wanted: Vec<i64> = AHEAD.iter().map(|ahead| ahead - own).collect();
        wanted.remove(node);
        wanted.sort_unstable();
        eventually("the offsets of all peers are shown", || {
            let metrics = cluster.members[node].node().told("/metrics");
            let lines = metrics.lines();
            let offsets =
                lines.filter(|line| line.starts_with("dynomite_peer_clock_offset_seconds{"));
            let offsets = offsets.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            let mut offsets: Vec<i64> = offsets.map(|offset| offset.round() as i64).collect();
            offsets.sort_unstable();
            offsets == wanted
        });
    }
    cluster.members[0].node().await_log("its clock is 120.0 s");
}
