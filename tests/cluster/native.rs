//! Scripts and functions as a RESP3 client gets them.

use super::{at_level, shown};
use crate::common::{Client, Plan};

const SCRIPTS: [&str; 14] = [
    "redis.setresp(3) return redis.call('hgetall','{k}h')",
    "redis.setresp(3) return redis.call('smembers','{k}s')",
    "redis.setresp(3) return redis.call('zscore','{k}z','m')",
    "redis.setresp(3) return redis.call('zrange','{k}z',0,-1,'withscores')",
    "redis.setresp(3) return redis.call('get','{k}nothing')",
    "redis.setresp(3) return {true,false,{double=3.5}}",
    "return {double=0.1}",
    "return {map={a=1}}",
    "return {set={a=true}}",
    "return {big_number='1234567890123456789012345678901234567890'}",
    "return {verbatim_string={string='text',format='txt'}}",
    "return {1,{2,{3,{map={x={double=1e300}}}}},false}",
    "return redis.error_reply('MY error')",
    "return redis.status_reply('fine')",
];

fn speak_resp3(client: &mut Client) {
    let hello = client.ask("hello 3");
    assert_eq!(hello[0], b'%', "{}", shown(&hello));
}

/// Lists of texts and numbers were all that arrived.
#[test]
fn scripts_are_answered_in_resp3_as_redis_does_whatever_their_way() {
    if !crate::common::Redis::is_reference() {
        return;
    }
    // Through a peer, through another datacenter's forwarder, compared with other racks.
    let cluster = Plan::of(2, 2, 2).start();
    for member in &cluster.members {
        let mut store = member.store.client();
        for line in ["hset {k}h f v g w", "sadd {k}s one", "zadd {k}z 1.5 m 2 n"] {
            store.ask(line);
        }
    }
    let mut redis = cluster.members[0].store.client();
    let version = shown(&redis.ask("info server"));
    let version = version.split("redis_version:").nth(1).expect("a version");
    let version = version
        .split("\\r\\n")
        .next()
        .expect("a version")
        .to_owned();
    speak_resp3(&mut redis);
    for node in [0, 1, 6] {
        for level in [
            "DC_ONE",
            "DC_QUORUM",
            "DC_SAFE_QUORUM",
            "DC_EACH_SAFE_QUORUM",
        ] {
            let mut client = at_level(cluster.client(node), level);
            speak_resp3(&mut client);
            let hello = shown(&client.ask("hello"));
            assert!(hello.contains(&version), "{hello} {version}");
            for script in SCRIPTS {
                for command in [&b"eval"[..], b"eval_ro"] {
                    let args = [command, script.as_bytes(), b"1", b"{k}"];
                    let wanted = shown(&redis.ask_args(&args));
                    let got = shown(&client.ask_args(&args));
                    assert_eq!(got, wanted, "{script} at {level} through {node}");
                }
            }
            // Others on the same connections go on in RESP2.
            let mut old = cluster.client(node);
            let got = old.ask_args(&[b"eval", SCRIPTS[6].as_bytes(), b"1", b"{k}"]);
            assert_eq!(shown(&got), "$19\\r\\n0.10000000000000001\\r\\n");
            assert_eq!(shown(&old.ask("get {k}none")), "$-1\\r\\n");
            assert_eq!(shown(&client.ask("get {k}none")), "_\\r\\n");
        }
    }
}

#[test]
fn a_function_is_too_and_a_script_without_keys_runs_in_every_rack() {
    let cluster = Plan::of(1, 3, 1).start();
    let mut client = at_level(cluster.client(0), "DC_SAFE_QUORUM");
    speak_resp3(&mut client);
    let library =
        "#!lua name=lib\nredis.register_function('f', function() return {map={a={double=2}}} end)";
    let loaded = client.ask_args(&[b"function", b"load", library.as_bytes()]);
    assert_eq!(shown(&loaded), "$3\\r\\nlib\\r\\n");
    for line in ["fcall f 1 k", "fcall f 0"] {
        assert_eq!(
            shown(&client.ask(line)),
            "%1\\r\\n$1\\r\\na\\r\\n,2\\r\\n",
            "{line}"
        );
    }
    let set = client.ask_args(&[b"eval", b"return redis.call('incr','counter')", b"0"]);
    assert_eq!(shown(&set), ":1\\r\\n");
    cluster.await_held("counter", &["$1\\r\\n1\\r\\n"; 3]);
}
