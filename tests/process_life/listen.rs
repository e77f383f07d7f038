//! What a node listens on and connects to.

use crate::process_life::process::{
    Client, Conf, DYNOMITE, Node, Process, free_address, redis_behind, request, run, until,
};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

#[test]
fn unix_sockets_all_around() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let _redis = redis_behind(&conf);
    let mut node = Node::start(conf);
    let mut client = node.client();
    client.ask(&["SET", "k", "v"], "+OK\r\n");
    client.ask(&["GET", "k"], "$1\r\nv\r\n");
    let mut stats = node.stats();
    stats.send("GET /ping HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(stats.rest()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nOK\r\n"),
        "{answer}"
    );
    assert_eq!(node.stop(), Some(0));
}

/// An unused port of `::1`, or nothing on a machine without IPv6. Others may take it before the
/// node does.
fn free_ipv6() -> Option<SocketAddr> {
    TcpListener::bind("[::1]:0").ok()?.local_addr().ok()
}

#[test]
fn ipv6_where_there_is_any() {
    let dir = tempfile::tempdir().unwrap();
    // Again, if another process takes the port between the look and the use.
    let served = (0..5).find_map(|_| {
        let Some((listen, stats)) = free_ipv6().zip(free_ipv6()) else {
            return Some(None);
        };
        let conf = Conf::new(dir.path())
            .set("listen", format!("'{listen}'"))
            .set("stats_listen", format!("'{stats}'"));
        let mut process = Process(conf.command().stderr(Stdio::null()).spawn().unwrap());
        let client = until("it serves or ends", || match process.0.try_wait() {
            Ok(None) => Client::connect(&listen.to_string()).ok().map(Some),
            _ => Some(None),
        })?;
        Some(Some((process, client, stats)))
    });
    let Some((process, mut client, stats)) = served.expect("five ports in a row were taken") else {
        return; // No IPv6 here.
    };
    client.alive();
    let mut stats = Client::connect(&stats.to_string()).unwrap();
    stats.send("GET /ping HTTP/1.0\r\n\r\n");
    assert!(stats.rest().ends_with(b"OK\r\n"));
    drop(process);
}

/// The C original deleted it.
#[test]
fn a_regular_file_in_the_place_of_a_socket_is_refused() {
    for key in ["listen", "stats_listen"] {
        let dir = tempfile::tempdir().unwrap();
        let conf = Conf::new(dir.path());
        let path = conf.get(key).to_owned();
        fs::write(&path, "precious").unwrap();
        let outcome = run(&mut conf.command());
        assert_eq!(outcome.code(), Some(1));
        let words = format!(
            "directive \"{key}\" has an invalid value: '{path}' exists and is not a socket (line "
        );
        assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}

#[test]
fn a_socket_left_behind_is_taken_over_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    for key in ["listen", "stats_listen"] {
        drop(UnixListener::bind(conf.get(key)).unwrap());
        assert!(fs::exists(conf.get(key)).unwrap());
    }
    // A node killed hard leaves its sockets as well.
    let mut node = Node::start(conf.clone());
    node.signal("KILL");
    node.process.wait();
    let mut node = Node::start(conf.clone());
    node.client().alive();
    let outcome = run(&mut conf.command());
    assert_eq!(outcome.code(), Some(1));
    assert!(
        outcome.stderr.contains("failed: Address already in use"),
        "{}",
        outcome.stderr
    );
    node.client().alive();
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn the_smallest_and_the_largest_buffers_work() {
    for (size, option) in [(512, true), (512, false), (512_000, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut conf = Conf::new(dir.path());
        if !option {
            conf = conf.set("mbuf_size", size);
        }
        let _redis = redis_behind(&conf);
        let mut node = Node::start_with(conf, |command| {
            if option {
                command.args(["-m", "512", "-M", "100000"]);
            }
        });
        if option {
            node.logged("-m or --mbuf-size command line arguments has been deprecated. Use configuration file.");
            node.logged("mbuf_size not in YAML: using deprecated way  512");
            node.logged("max_msgs not in YAML: using deprecated way 100000");
        } else {
            node.logged(&format!("YAML provided mbuf_size: {size}"));
        }
        let mut client = node.client();
        let value = "v".repeat(1_000_000);
        client.ask(&["SET", "big", &value], "+OK\r\n");
        client.ask(&["GET", "big"], format!("$1000000\r\n{value}\r\n"));
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for n in 0..1000 {
            requests.extend(request(&["SET", &format!("key:{n}"), &"x".repeat(n)]));
            requests.extend(request(&["GET", &format!("key:{n}")]));
            replies.extend(format!("+OK\r\n${n}\r\n{}\r\n", "x".repeat(n)).into_bytes());
        }
        let mut reader = match &client {
            Client::Unix(unix) => Client::Unix(unix.try_clone().unwrap()),
            Client::Tcp(_) => unreachable!(),
        };
        let sender = std::thread::spawn(move || client.send(requests));
        reader.expect(replies);
        sender.join().unwrap();
        assert_eq!(node.stop(), Some(0), "mbuf_size {size}");
    }
}

/// A child of the node, should it ever have one, inherits nothing.
#[test]
fn every_descriptor_closes_on_exec() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path()).set("listen", free_address());
    let _redis = redis_behind(&conf);
    let pid = dir.path().join("pid");
    let mut node = Node::start_with(conf, |command| {
        command
            .arg("-p")
            .arg(&pid)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
    });
    let mut client = node.client();
    client.ask(&["SET", "k", "v"], "+OK\r\n");
    let mut stats = node.stats();
    stats.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    stats.expect("HTTP/1.1 200 OK\r\n");
    let mut seen = 0;
    for entry in fs::read_dir(format!("/proc/{}/fdinfo", node.pid())).unwrap() {
        let fd: i32 = entry
            .unwrap()
            .file_name()
            .into_string()
            .unwrap()
            .parse()
            .unwrap();
        let Ok(info) = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", node.pid())) else {
            continue;
        };
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        let target = fs::read_link(format!("/proc/{}/fd/{fd}", node.pid()));
        let ours = fs::read_link(format!("/proc/self/fd/{fd}"));
        if ours.is_ok_and(|ours| target.as_ref().is_ok_and(|target| *target == ours)) {
            continue; // Inherited through this test from its parent.
        }
        // O_CLOEXEC of Linux.
        assert!(
            fd <= 2 || flags & 0o2000000 != 0,
            "descriptor {fd}, {target:?}: {flags:o}"
        );
        seen += i32::from(fd > 2);
    }
    // Log, pid file, two listeners, datastore, client, stats connection, at the least.
    assert!(seen >= 7, "{seen}");
    assert_eq!(node.stop(), Some(0));
}

/// More connections than are accepted in one turn arrive at once; none waits for the next event.
#[test]
fn a_burst_of_clients_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(Conf::new(dir.path()).set("backlog", 1024));
    node.signal("STOP");
    let mut clients: Vec<Client> = (0..400).map(|_| node.client()).collect();
    node.signal("CONT");
    for client in &mut clients {
        client.alive();
    }
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_node_serves_while_its_datastore_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let mut node = Node::start(conf.clone());
    let mut client = node.client();
    client.alive();
    until("the datastore's absence", || {
        client.send(request(&["GET", "k"]));
        let mut byte = [0];
        std::io::Read::read_exact(&mut client, &mut byte).unwrap();
        let mut rest = String::new();
        while !rest.ends_with("\r\n") {
            std::io::Read::read_exact(&mut client, &mut byte).unwrap();
            rest.push(char::from(byte[0]));
        }
        rest.contains("Datastore refused connection").then_some(())
    });
    // It comes, and the node finds it by itself.
    let _redis = redis_behind(&conf);
    until("the datastore is found", || {
        client.send(request(&["EXISTS", "k"]));
        let mut reply = [0; 4];
        std::io::Read::read_exact(&mut client, &mut reply).unwrap();
        if &reply == b":0\r\n" {
            return Some(());
        }
        let mut byte = [0];
        while byte[0] != b'\n' {
            std::io::Read::read_exact(&mut client, &mut byte).unwrap();
        }
        None
    });
    assert_eq!(node.stop(), Some(0));
}

/// The dynomite binary alone, in an empty directory: `conf/dynomite.yml` is its default.
#[test]
fn the_default_configuration_is_that_of_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    fs::create_dir(dir.path().join("conf")).unwrap();
    fs::rename(conf.write(), dir.path().join("conf/dynomite.yml")).unwrap();
    let mut command = Command::new(DYNOMITE);
    command.current_dir(dir.path());
    let mut node = Node::started(conf, command);
    node.client().alive();
    assert_eq!(node.stop(), Some(0));
}
