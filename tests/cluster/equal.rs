//! Replicas whose data are equal and whose replies are not.

use super::{at_level, shown};
use crate::common::{Cluster, Plan};

const QUORUM: &str = "-ERR Dynomite: Failed to achieve Quorum\\r\\n";

/// What is asked, and whether no two of the replicas give the same bytes.
const ROWS: [(&[&str], bool); 25] = [
    (&["smembers", "s"], true),
    (&["sunion", "s", "t"], true),
    (&["sort", "s", "by", "nosort"], true),
    (
        &[
            "sort_ro", "s", "by", "nosort", "get", "#", "get", "weight:*",
        ],
        true,
    ),
    (&["sort", "s", "by", "nosort", "limit", "0", "3"], true),
    (&["dump", "s"], true),
    (
        &["eval", "return redis.call('smembers',KEYS[1])", "1", "s"],
        true,
    ),
    (
        &[
            "eval_ro",
            "return {1,{redis.call('smembers',KEYS[1])}}",
            "1",
            "s",
        ],
        true,
    ),
    (
        &[
            "eval_ro",
            "return redis.call('hgetall',KEYS[1])",
            "1",
            "big",
        ],
        true,
    ),
    (
        &[
            "eval_ro",
            "return redis.call('lrange',KEYS[1],0,-1)",
            "1",
            "l",
        ],
        false,
    ),
    (&["xpending", "x", "g", "-", "+", "10"], true),
    (&["xpending", "x", "g"], false),
    (&["xinfo", "consumers", "x", "g"], false),
    (&["xinfo", "stream", "x", "full"], true),
    (&["xinfo", "stream", "x"], false),
    (&["xinfo", "groups", "x"], false),
    (&["object", "encoding", "h"], false),
    (&["object", "refcount", "n"], false),
    (&["object", "idletime", "n"], false),
    (&["memory", "usage", "h"], false),
    (&["srandmember", "s", "5"], false),
    (&["hrandfield", "h", "1"], false),
    (&["pttl", "n"], false),
    (&["mget", "n", "nothing"], false),
    (&["lrange", "l", "0", "-1"], false),
];

/// Fills the datastores by themselves with the same data.
fn fill(cluster: &Cluster) {
    for (n, member) in cluster.members.iter().enumerate() {
        let mut store = member.store.client();
        store.ask(&format!("config set hash-max-listpack-entries {}", 100 * n));
        for at in 0..50 {
            // Each in an order of its own.
            let at = (at * (2 * n + 1)) % 50;
            store.ask(&format!("sadd s m{at}"));
            store.ask(&format!("hset big f{at} {}{at}", "x".repeat(100)));
        }
        for line in [
            "sadd t only",
            "hset h f v g w",
            "rpush l a b c",
            "set n 5",
            "pexpireat n 9999999999999",
            "xadd x 1-1 f v",
            "xadd x 2-1 f v",
            "xgroup create x g 0",
            "xreadgroup group g c count 2 streams x >",
        ] {
            store.ask(line);
        }
        // Idle for a time of its own.
        let idle = 1000 * (n + 1);
        store.ask(&format!(
            "xclaim x g c 0 1-1 idle {idle} retrycount 1 justid"
        ));
        store.ask(&format!(
            "xclaim x g c 0 2-1 idle {idle} retrycount 1 justid"
        ));
    }
}

fn ask(client: &mut super::Client, words: &[&str]) -> String {
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    shown(&client.ask_args(&args))
}

/// Many a read of data that were equal everywhere was refused for want of a quorum.
#[test]
fn equal_data_agree_however_differently_they_are_told() {
    let cluster = Plan::of(1, 3, 1).start();
    fill(&cluster);
    let mut stores: Vec<_> = cluster.members.iter().map(|m| m.store.client()).collect();
    for protocol in ["hello 2", "hello 3"] {
        let mut client = at_level(cluster.client(0), "DC_SAFE_QUORUM");
        client.ask(protocol);
        for (words, all_differ) in ROWS {
            if all_differ {
                let replies: Vec<String> = stores.iter_mut().map(|s| ask(s, words)).collect();
                let [a, b, c] = &replies[..] else {
                    unreachable!("three racks")
                };
                assert!(a != b && b != c && c != a, "{words:?}: {replies:?}");
            }
            let reply = ask(&mut client, words);
            assert!(!reply.starts_with('-'), "{words:?}: {reply}");
        }
    }
    let disagreed = cluster.members[0]
        .node()
        .stat("client_non_quorum_r_responses");
    assert_eq!(disagreed, 0);
}

#[test]
fn data_that_are_not_equal_do_not_agree() {
    let cluster = Plan::of(1, 3, 1).start();
    fill(&cluster);
    for (n, member) in cluster.members.iter().enumerate() {
        let mut store = member.store.client();
        for line in [
            format!("srem s m{n}"),
            format!("hset big f1 other{n}"),
            format!("hset h f{n} v"),
            format!("xclaim x g c 0 1-1 retrycount {} justid", 5 + n),
            format!("xgroup createconsumer x g only{n}"),
        ] {
            store.ask(&line);
        }
    }
    let mut client = at_level(cluster.client(0), "DC_SAFE_QUORUM");
    for words in [
        &["smembers", "s"][..],
        &["sort", "s", "by", "nosort"],
        &["eval_ro", "return redis.call('smembers',KEYS[1])", "1", "s"],
        &[
            "eval_ro",
            "return redis.call('hgetall',KEYS[1])",
            "1",
            "big",
        ],
        &["xpending", "x", "g", "-", "+", "10"],
        &["xinfo", "consumers", "x", "g"],
        &["xinfo", "stream", "x", "full"],
    ] {
        assert_eq!(ask(&mut client, words), QUORUM, "{words:?}");
    }
}
