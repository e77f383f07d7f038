//! Scripts of RESP3 clients, and scripts without keys, over nodes of the other program.

use super::{at_level, expect, mixed, other, shown};
use crate::common::{Plan, eventually};

#[test]
fn scripts_in_resp3_and_without_keys_run_on_both_programs() {
    let Some(program) = other() else { return };
    let cluster = mixed(Plan::of(2, 3, 1), &[1, 3, 4], &program).start();
    let script: &[u8] =
        b"redis.setresp(3) redis.call('hset',KEYS[1],'f','1') return redis.call('hgetall',KEYS[1])";
    let count: &[u8] = b"return redis.call('incrby','counter',ARGV[1])";
    let mut sum = 0;
    for through in [0, 2, 5] {
        for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
            let mut client = at_level(cluster.client(through), level);
            assert_eq!(client.ask("hello 3")[0], b'%');
            for _ in 0..5 {
                let reply = shown(&client.ask_args(&[b"eval", script, b"1", b"h"]));
                let flat = "*2\\r\\n$1\\r\\nf\\r\\n$1\\r\\n1\\r\\n";
                let map = "%1\\r\\n$1\\r\\nf\\r\\n$1\\r\\n1\\r\\n";
                // A C node's reply may be the one that is given where several agree.
                assert!(
                    reply == map || level != "dc_one" && reply == flat,
                    "{reply} {level}"
                );
                expect(&mut client, "hget h none", "_\r\n");
            }
            sum += 7;
            let reply = shown(&client.ask_args(&[b"eval", count, b"0", b"7"]));
            assert_eq!(reply, format!(":{sum}\\r\\n"), "{level} through {through}");
            let held = format!("${}\\r\\n{sum}\\r\\n", sum.to_string().len());
            cluster.await_held("counter", &[&held[..]; 6]);
        }
    }
    // No C node has lost a connection over it.
    for member in cluster.members.iter().filter(|member| !member.is_other()) {
        eventually("all are connected", || {
            member.node().stat("peer_connections") == 5
        });
        assert_eq!(member.node().stat("peer_eof"), 0);
    }
}
