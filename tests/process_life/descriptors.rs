//! A node that has no file descriptors left.

use crate::process_life::process::{Client, Conf, DYNOMITE, Node, redis_behind, request, until};
use std::io::Read;
use std::process::Command;

/// Ticks of processor time the node has used.
fn ticks(node: &Node) -> u64 {
    let stat = node.proc("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The C original answered nobody any more and wrote 24 MB of log a second.
#[test]
fn running_out_of_descriptors_costs_existing_clients_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let _redis = redis_behind(&conf);
    conf.write();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\"", DYNOMITE, "-c"])
        .arg(conf.path());
    let mut node = Node::started(conf, shell);
    let mut first = node.client();
    first.ask(&["SET", "k", "v"], "+OK\r\n");

    let mut scraper = node.stats();
    let mut resident = || {
        scraper.send("GET /metrics HTTP/1.1\r\n\r\n");
        let (mut text, mut part) = (String::new(), [0; 4096]);
        while !text.contains("\nprocess_start_time_seconds ") {
            let n = scraper.read(&mut part).unwrap();
            text.push_str(str::from_utf8(&part[..n]).unwrap());
        }
        let mut lines = text.lines();
        let size = lines.find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        size.unwrap().parse::<u64>().unwrap()
    };
    assert!(resident() > 1 << 20);

    // More clients than descriptors: the kernel takes them in, the node cannot.
    let mut clients: Vec<Client> = (0..60).map(|_| node.client()).collect();
    node.logged("Too many open files");
    // It was 0 then: the figure comes from a file.
    assert!(resident() > 1 << 20);
    for client in &mut clients {
        client.send(request(&["GET", "k"]));
    }
    let before = ticks(&node);
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(1) {
        first.ask(&["GET", "k"], "$1\r\nv\r\n");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // A loop that spins uses about 100 of these in a second.
    let used = ticks(&node) - before;
    assert!(
        used < 50,
        "{used} ticks of processor time in a second without descriptors"
    );
    let lines = node.log_text().matches("Too many open files").count();
    assert!(lines <= 40, "{lines} lines about it");

    // Every one that leaves makes room for one that waits.
    let mut answered = 0;
    for mut client in clients {
        client.expect("$1\r\nv\r\n");
        answered += 1;
    }
    assert_eq!(answered, 60);
    first.ask(&["GET", "k"], "$1\r\nv\r\n");
    let info = until("room for statistics", || {
        let mut stats = node.stats();
        stats.send("GET /info HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        stats.read_to_string(&mut answer).ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    });
    // About ten a second, and one for each that left; a loop that spins makes thousands.
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let paused = info["dynomite_rs"]["accepts_paused"].as_u64().unwrap();
    assert!(
        (1..1000).contains(&paused),
        "accepting paused {paused} times"
    );
    assert_eq!(node.stop(), Some(0));
}
