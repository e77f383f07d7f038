//! A script that runs for long, and what ends it.

use super::{expect, shown};
use crate::common::{Client, Plan, eventually};
use dynomite::proto::redis::encode;

const LOOP: &str = "while true do end";
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const NOTBUSY: &str = "-NOTBUSY No scripts in execution right now.\r\n";

/// Begins a script, by a key, that ends when it is killed.
fn begin(client: &mut Client, key: &str) {
    let mut request = Vec::new();
    encode::command(&mut request, &["eval", LOOP, "1", key]);
    client.send(&request);
}

/// `SCRIPT KILL` stood in the queue behind the script that it was to end, and others that asked this
/// datastore lost his request.
#[test]
fn a_script_is_killed_and_others_are_told_that_redis_is_busy() {
    let cluster = Plan::of(1, 2, 2).with("timeout", 20_000).start();
    for member in &cluster.members {
        member
            .store
            .client()
            .ask("config set busy-reply-threshold 50");
    }
    // One that this node's datastore runs, and one that another node's does.
    for owner in 0..2 {
        let key = cluster.key_of(owner, "k");
        expect(&mut cluster.client(0), &format!("set {key} 1"), "+OK\r\n");
        // The other rack's copy of an earlier script may take a moment longer to end.
        eventually("no script runs", || {
            cluster.client(0).ask("script kill") == NOTBUSY.as_bytes()
        });
        let mut runs = cluster.client(0);
        begin(&mut runs, &key);
        let mut other = cluster.client(0);
        eventually("the node knows that its datastore is busy", || {
            let log = cluster.members[owner].node().log();
            log.contains("the datastore is busy running a script")
        });
        expect(&mut other, &format!("append {key} x"), BUSY);
        // While reads go to the other rack, and so does all else that this datastore need not do.
        let elsewhere = cluster.key_of(1 - owner, "e");
        expect(&mut other, &format!("set {elsewhere} 1"), "+OK\r\n");
        let killed = cluster.client(1 - owner).ask("script kill");
        assert_eq!(shown(&killed), "+OK\\r\\n");
        let reply = shown(&runs.reply());
        assert!(reply.contains("Script killed by user"), "{reply}");
        eventually("it serves again", || {
            other.ask(&format!("set {key} 2")) == b"+OK\r\n"
        });
        runs.expect_open();
    }
}
