//! Connections that are closed while nothing is under way on them: no client notices.

use crate::common::{Kind, Plan, Setup, Store, eventually};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};

/// After one `CLIENT KILL` at rack 2's Redis, 16 of 60 writes through rack 1 arrived there: for a second every
/// copy was refused.
#[test]
fn no_copy_is_lost_when_a_redis_closes_its_connections() {
    let cluster = Plan::of(1, 3, 1).start();
    let mut client = cluster.client(0);
    assert_eq!(client.ask("set first v"), b"+OK\r\n");
    cluster.await_held("first", &["$1\\r\\nv\\r\\n"; 3]);
    let mut killer = cluster.members[1].store.client();
    for n in 0..60_u32 {
        if n % 20 == 0 {
            let last = n.checked_sub(1).map_or("first".into(), |n| format!("k{n}"));
            cluster.await_held(&last, &["$1\\r\\nv\\r\\n"; 3]);
            let killed = killer.ask("client kill type normal");
            assert!(killed.starts_with(b":") && killed != b":0\r\n");
        }
        assert_eq!(client.ask(&format!("set k{n} v")), b"+OK\r\n");
    }
    for n in 0..60 {
        cluster.await_held(&format!("k{n}"), &["$1\\r\\nv\\r\\n"; 3]);
    }
}

/// Redis closes what has been idle for `timeout` seconds, again and again.
#[test]
fn a_redis_with_a_timeout_refuses_nobody() {
    let store = Store::start_with_env(Kind::Redis, &[]);
    let node = store.setup().start();
    let mut client = node.client();
    assert_eq!(client.ask("set k v"), b"+OK\r\n");
    let mut operator = store.client();
    assert_eq!(operator.ask("config set timeout 1"), b"+OK\r\n");
    for closed in 1..=2 {
        node.await_stat("server_eof", |n| n >= closed);
        assert_eq!(client.ask("get k"), b"$1\r\nv\r\n");
        assert_eq!(client.ask("incr n"), format!(":{closed}\r\n").as_bytes());
    }
}

/// A process that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same before a memcached, which closes idle connections by TCP only.
#[test]
fn a_memcached_with_an_idle_timeout_refuses_nobody() {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = probe.local_addr().expect("a bound socket");
    drop(probe);
    let _memcached = Ended(
        Command::new("memcached")
            .args(["-u", "root", "-l", "127.0.0.1", "-o", "idle_timeout=1"])
            .args(["-p", &addr.port().to_string()])
            .spawn()
            .expect("memcached must be in PATH"),
    );
    eventually("memcached listens", || TcpStream::connect(addr).is_ok());
    let node = Setup::before_address(&format!("{addr}:1"))
        .of_memcached()
        .start();
    let mut client = node.text_client();
    client.set("k", "v");
    for closed in 1..=2 {
        node.await_stat("server_eof", |n| n >= closed);
        client.expect("get k", "VALUE k 0 1\r\nv\r\nEND\r\n");
        client.set("l", "v");
    }
}

#[test]
fn a_peer_that_restarts_is_back_at_once_and_gets_later_copies() {
    let mut cluster = Plan::of(1, 3, 1).start();
    let mut client = cluster.client(0);
    assert_eq!(client.ask("set before v"), b"+OK\r\n");
    cluster.await_held("before", &["$1\\r\\nv\\r\\n"; 3]);
    cluster.kill_quietly(1);
    cluster.restart(1);
    for n in 0..20 {
        assert_eq!(client.ask(&format!("set k{n} v")), b"+OK\r\n");
    }
    for n in 0..20 {
        cluster.await_held(&format!("k{n}"), &["$1\\r\\nv\\r\\n"; 3]);
    }
    assert_eq!(cluster.members[0].node().stat("contradictions"), 0);
}

/// The name of a container may come later: until then everything else is served.
#[test]
fn a_node_starts_before_its_datastore_has_a_name() {
    let node = Setup::before_address("no.such.host.invalid:6379:1").start();
    let mut client = node.client();
    assert_eq!(client.ask("echo here"), b"$4\r\nhere\r\n");
    eventually("the client is told", || {
        client.ask("get k") == b"-ERR Storage: Datastore refused connection\r\n"
    });
    // It is tried again.
    node.await_stat("server_err", |n| n >= 2);
}
