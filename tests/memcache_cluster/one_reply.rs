//! One request, one reply, also when something takes too long.

use crate::common::{Plan, eventually, shown};

/// A read of versions goes on to the next rack at half of its time. When all of it was over it was given up
/// once more: its error went to the client besides its reply, and every later reply was off by one.
#[test]
fn a_request_that_took_too_long_gets_one_reply() {
    let cluster = Plan::of(1, 2, 1)
        .of_memcached()
        .with("timeout", 1000)
        .start();
    let mut client = cluster.text_client(0);
    client.set("k", "value");
    client.set("other", "another");
    client.set("counter", "5");
    super::await_everywhere(&cluster, "counter", "VALUE counter 0 1\r\n5\r\nEND\r\n");
    cluster.pause_store(0);
    client.send(b"get k\r\ngets k\r\nget other\r\nincr counter 1\r\nget k\r\nmn\r\n");
    client.expect_reply("VALUE k 0 5\r\nvalue\r\nEND\r\n");
    let versioned = shown(&client.reply());
    assert!(versioned.starts_with("VALUE k 0 5 "), "{versioned}");
    client.expect_reply("VALUE other 0 7\r\nanother\r\nEND\r\n");
    client.expect_reply("SERVER_ERROR Storage: Datastore refused connection\r\n");
    client.expect_reply("VALUE k 0 5\r\nvalue\r\nEND\r\n");
    client.expect_reply("MN\r\n");
    cluster.resume_store(0);
    eventually("it is served again", || {
        client.ask("set back 0 0 1\r\nx") == b"STORED\r\n"
    });
    client.expect("mn", "MN\r\n");
    // Not because a second expiry was noticed and left undone.
    assert_eq!(cluster.members[0].node().stat("contradictions"), 0);
}
