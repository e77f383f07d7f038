//! How a node stops.

use crate::process_life::process::{Client, Conf, Node, request, until};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

/// A datastore in the hands of the test.
struct Store {
    listener: UnixListener,
}

impl Store {
    fn new(dir: &Path) -> Store {
        Store {
            listener: UnixListener::bind(dir.join("redis.sock")).unwrap(),
        }
    }

    fn accept(&self) -> Client {
        Client::Unix(self.listener.accept().unwrap().0)
    }
}

#[test]
fn a_request_in_flight_is_answered() {
    for name in ["TERM", "INT"] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let pid = dir.path().join("pid");
        let mut node = Node::start_with(Conf::new(dir.path()), |command| {
            command.arg("-p").arg(&pid);
        });
        let mut stream = store.accept();
        let mut idle = node.client();
        idle.alive();
        let mut client = node.client();
        client.send(request(&["GET", "a"]));
        client.send(request(&["GET", "b"]));
        stream.expect(request(&["GET", "a"]));
        stream.expect(request(&["GET", "b"]));
        node.signal(name);
        node.logged(&format!("(SIG{name}) received, exiting"));
        // Idle clients are closed, new ones refused, and statistics are still served.
        assert_eq!(idle.rest(), b"");
        assert!(UnixStream::connect(node.conf.get("listen")).is_err());
        node.stats().send("GET /ping HTTP/1.0\r\n\r\n");
        stream.send("$1\r\n1\r\n");
        client.expect("$1\r\n1\r\n");
        stream.send("$1\r\n2\r\n");
        client.expect("$1\r\n2\r\n");
        assert_eq!(client.rest(), b"");
        assert_eq!(node.wait(), Some(0), "SIG{name}");
        assert!(node.log_text().ends_with(" done, rabbit done\n"));
        for path in [
            node.conf.get("listen").as_ref(),
            node.conf.get("stats_listen").as_ref(),
            &*pid,
        ] {
            assert!(!path.exists(), "{} is left behind", path.display());
        }
    }
}

#[test]
fn requests_sent_before_the_signal_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let mut node = Node::start(Conf::new(dir.path()));
    let mut stream = store.accept();
    let mut client = node.client();
    client.alive();
    // The signal and the bytes are found in the same turn.
    node.signal("STOP");
    client.send(request(&["GET", "a"]));
    node.signal("TERM");
    node.signal("CONT");
    stream.expect(request(&["GET", "a"]));
    stream.send("$1\r\n1\r\n");
    client.expect("$1\r\n1\r\n");
    assert_eq!(client.rest(), b"");
    assert_eq!(node.wait(), Some(0));
}

#[test]
fn a_request_that_is_not_answered_fails_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let mut node = Node::start(Conf::new(dir.path()).set("timeout", 300));
    let mut stream = store.accept();
    let mut client = node.client();
    client.send(request(&["GET", "a"]));
    stream.expect(request(&["GET", "a"]));
    node.signal("TERM");
    client.expect("-ERR Storage: ");
    client.rest();
    assert_eq!(node.wait(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let pid = dir.path().join("pid");
        let mut node = Node::start_with(Conf::new(dir.path()), |command| {
            command.arg("-p").arg(&pid);
        });
        let mut stream = store.accept();
        let mut client = node.client();
        client.send(request(&["GET", "a"]));
        stream.expect(request(&["GET", "a"]));
        node.signal("TERM");
        node.logged("(SIGTERM) received, exiting");
        node.signal(second);
        assert_eq!(node.wait(), Some(1));
        assert_eq!(client.rest(), b"");
        assert!(!pid.exists() && !Path::new(node.conf.get("stats_listen")).exists());
    }
}

/// `Type=notify` units of systemd.
#[test]
fn the_service_manager_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(crate::common::PATIENCE))
        .unwrap();
    let hear = || {
        let mut text = [0; 1024];
        let n = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..n]).into_owned()
    };
    let conf = Conf::new(dir.path());
    let mut command = conf.command();
    command.env("NOTIFY_SOCKET", &path);
    let mut node = Node::started(conf, command);
    let ready = hear();
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    assert!(
        ready
            .lines()
            .any(|line| line.starts_with("STATUS=serving ")),
        "{ready}"
    );
    assert!(
        fs::exists(node.conf.get("listen")).unwrap(),
        "ready before the listener was there"
    );
    // What the loop says in between has its own test.
    node.signal("TERM");
    let stopping = std::iter::repeat_with(hear)
        .find(|text| text.lines().any(|line| line == "STOPPING=1"))
        .unwrap();
    assert!(
        stopping.lines().any(|line| line.starts_with("STATUS=")),
        "{stopping}"
    );
    assert_eq!(node.wait(), Some(0));
}

/// `WatchdogSec=` of a unit: the loop says that it turns, and does not while it hangs.
#[test]
fn the_watchdog_is_fed_by_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(crate::common::PATIENCE))
        .unwrap();
    let hear = || {
        let mut text = [0; 1024];
        let n = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..n]).into_owned()
    };
    let conf = Conf::new(dir.path());
    let mut command = conf.command();
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000");
    let mut node = Node::started(conf, command);
    assert!(hear().contains("READY=1"));
    let first = hear();
    assert!(
        first.contains("WATCHDOG=1\nSTATUS=NORMAL; connections: "),
        "{first}"
    );
    for _ in 0..3 {
        let text = hear();
        assert!(text.starts_with("WATCHDOG=1"), "{text}");
    }
    // A client makes another status, not another word.
    let _client = node.client();
    let told = std::iter::repeat_with(hear)
        .find(|text| text.contains("connections: 1 of clients"))
        .unwrap();
    assert!(told.starts_with("WATCHDOG=1"), "{told}");

    node.signal("STOP");
    // What was on its way.
    socket.set_nonblocking(true).unwrap();
    until("a stopped process is silent", || {
        let stopped = node.proc("stat").contains(") T ");
        let silent = socket.recv(&mut [0; 1024]).is_err();
        (stopped && silent).then_some(())
    });
    node.signal("CONT");
    socket.set_nonblocking(false).unwrap();
    assert!(hear().starts_with("WATCHDOG=1"));
    assert_eq!(node.stop(), Some(0));
}

/// The signal's own turn must not lose a client that is only half written to.
#[test]
fn a_reply_that_is_being_written_is_written_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let mut node = Node::start(Conf::new(dir.path()));
    let mut stream = store.accept();
    let mut client = node.client();
    client.send(request(&["GET", "a"]));
    stream.expect(request(&["GET", "a"]));
    let value = vec![b'x'; 8 << 20];
    write!(stream, "${}\r\n", value.len()).unwrap();
    stream.send(&value);
    stream.send("\r\n");
    node.signal("TERM");
    node.logged("(SIGTERM) received, exiting");
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).unwrap();
    assert_eq!(reply.len(), "$8388608\r\n".len() + value.len() + 2);
    assert_eq!(node.wait(), Some(0));
}
