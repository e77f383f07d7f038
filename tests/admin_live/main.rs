//! Statistics over HTTP from a running node: what is counted, and who may ask how.

#[path = "../common/mod.rs"]
mod common;

mod counted;
mod http;
mod in_trouble;

use common::Node;
use std::collections::BTreeMap;

/// All numbers of `/info`: the top level's, the pool's and the datastore's by name.
fn numbers(node: &Node) -> BTreeMap<String, i64> {
    fn collect(value: &serde_json::Value, all: &mut BTreeMap<String, i64>) {
        for (name, value) in value.as_object().expect("an object") {
            match value.as_i64() {
                Some(number) => drop(all.insert(name.clone(), number)),
                None if value.is_object() => collect(value, all),
                None => {}
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(&node.info(), &mut all);
    all
}

/// What moves by itself: time, memory, and the count of polls.
const RESTLESS: &[&str] = &["uptime", "timestamp", "stats_count", "dyn_memory"];

/// The counters and gauges that differ, without latencies and the like, and by how much.
fn moved(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let measured = [
        "_max", "th", "_mean", "_99", "_latency", "_rtt", "_wait", "_msgs", "_mbufs", "_in_use",
        "_peak",
    ];
    after
        .iter()
        .filter(|(name, _)| !RESTLESS.contains(&name.as_str()))
        .filter(|(name, _)| !measured.iter().any(|end| name.ends_with(end)))
        .map(|(name, value)| (name.clone(), value - before[name]))
        .filter(|(_, change)| *change != 0)
        .collect()
}

/// `name` by name what is expected to have moved.
fn changes(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
    of.iter()
        .map(|(name, by)| ((*name).to_owned(), *by))
        .collect()
}
