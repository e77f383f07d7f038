//! Statistics and administration over HTTP of a running node: the counters, the access rules, and the
//! changes when an operator says so.
//!
//! What the C original's users rely on, item by item, and the tests that show it:
//!
//! | item | what | test |
//! |---|---|---|
//! | 1 | the text of `-D` | `stats::describe`, `process_life`: `what_is_asked_for_is_told_on_stderr` |
//! | 2, 4 | the keys of `/info`, integers below the pool | `stats::info`: `the_layout_is_the_originals`, `below_the_pool_object…` |
//! | 3 | names of the pool and of the datastore | `config::server`, `conformance::item_03` |
//! | 5 | `/info` escapes | `stats::info`, `counted::who_it_is…` |
//! | 6 | every route frames its answer, other programs read it | `conformance::item_06`, `http::other_peoples…` |
//! | 7 | the body of each route | `conformance::item_07` |
//! | 8, 9, 10 | levels, factor, log level | `conformance::item_08`, `_09`, `_10`; `admin::routes` |
//! | 11 | nothing runs by accident | `http::connecting_and_leaving…`, `conformance::item_11` |
//! | 12 | silent connections | `http::silent_and_slow…`, `load` |
//! | 13 | 50,000 `/ping` | `load`, `http::health_checks…` |
//! | 14 | a poll sees the request before it | `counted` (all) |
//! | 15 | states | `conformance::item_15`, `states`, `node::tests::control` |
//! | 16 | gauges return | `conformance::item_16`, `counted::queues…` |
//! | 17 | dnode headers are not counted | `conformance::item_17` |
//! | 18, 19 | `PING`, classes of commands | `counted::ping…`, `counted::every_command…` |
//! | 20 | the window of histograms | `stats::histogram`, `conformance::item_20` |
//! | 21 | `…_ejected_at` in ms | `in_trouble::a_datastore_that_closes`, `conformance::item_21` |
//! | 22 | `/cluster_describe` | `admin::routes`, `conformance::item_22` |
//! | 23 | `stats_listen` | `process_life`: `listen`, `start::an_address_that_cannot_be_bound…` |
//! | 24 | it answers while others are away | `in_trouble`, `conformance::item_24` |
//! | 25 | `/peer/reset` | `peers`, `node::tests::control` |

mod conformance;
mod counted;
mod http;
mod in_trouble;
mod load;
mod metrics;
mod peers;
mod refusals;
mod states;

use crate::common::Node;
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
