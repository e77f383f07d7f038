//! redis-cli and redis-benchmark.

use crate::common::{Node, Redis, Setup};
use std::io::Write;
use std::process::{Command, Stdio};

/// A node with a few keys behind it.
fn node() -> (Redis, Node) {
    let redis = Redis::start();
    let mut direct = redis.client();
    for line in [
        "set s hello",
        "hset h f v g w",
        "rpush l a b c",
        "zadd z 1 a",
    ] {
        assert_ne!(direct.ask(line)[0], b'-');
    }
    let node = Setup::before(&redis).start();
    (redis, node)
}

/// Runs a tool and returns what it said, with its exit code.
fn run(tool: &str, node: &Node, args: &[&str], input: &[u8]) -> (String, Option<i32>) {
    let mut child = Command::new(tool)
        .args(["-p", &node.addr.port().to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool} comes with redis-server: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(complaint, "", "{tool} {args:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (said, output.status.code())
}

/// Runs redis-cli, which must succeed.
fn cli(node: &Node, args: &[&str], input: &[u8]) -> String {
    let (said, code) = run("redis-cli", node, args, input);
    assert_eq!(code, Some(0), "{args:?}: {said}");
    said
}

#[test]
fn cli_runs_one_command() {
    let (_redis, node) = node();
    let cli = |args: &[&str]| cli(&node, args, b"");
    assert_eq!(cli(&["get", "s"]), "hello\n");
    assert_eq!(cli(&["ping", "message"]), "message\n");
    assert_eq!(cli(&["-3", "hgetall", "h"]), "f v\ng w\n");
    assert_eq!(cli(&["-n", "0", "get", "s"]), "hello\n");
    assert_eq!(cli(&["-r", "3", "incr", "n"]), "1\n2\n3\n");
    assert!(cli(&["nosuch"]).contains("ERR unknown command"));
    assert_eq!(cli(&["--eval", "/dev/null", "k"]), "\n");
}

#[test]
fn cli_takes_commands_until_its_input_ends() {
    let (_redis, node) = node();
    // It asks for COMMAND DOCS first; an error must not cost it the connection.
    let said = cli(
        &node,
        &[],
        b"get s\nnosuch x\nclient id\nclient id\nsubscribe c\nget s\n",
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        (lines[0], lines[lines.len() - 1]),
        ("hello", "hello"),
        "{said}"
    );
    assert!(said.contains("ERR unknown command 'nosuch'"), "{said}");
    let ids: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.parse::<u64>().is_ok())
        .collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{said}");
}

#[test]
fn cli_inserts_in_bulk() {
    let (redis, node) = node();
    let mut input = Vec::new();
    for i in 0..5_000 {
        input.extend(crate::common::words(&format!("set bulk:{i} {i}")));
    }
    input.extend_from_slice(b"set bulk:inline 1\r\n");
    let said = cli(&node, &["--pipe"], &input);
    assert!(said.contains("errors: 0, replies: 5001"), "{said}");
    let count = redis.client().ask("dbsize");
    assert_eq!(count, b":5005\r\n");
}

#[test]
fn cli_walks_the_keys() {
    let (_redis, node) = node();
    let said = cli(&node, &["--scan"], b"");
    let mut keys: Vec<&str> = said.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["h", "l", "s", "z"]);
    let said = cli(&node, &["--bigkeys"], b"");
    assert!(said.contains("Biggest   list found"), "{said}");
    assert!(said.contains("Sampled 4 keys in the keyspace!"), "{said}");
    let said = cli(&node, &["--memkeys"], b"");
    assert!(said.contains("Sampled 4 keys in the keyspace!"), "{said}");
}

/// Runs redis-benchmark's default tests, all of them.
fn benchmark(args: &[&str]) {
    let (_redis, mut node) = node();
    let (said, code) = run("redis-benchmark", &node, &[&["-q"], args].concat(), b"");
    assert_eq!(code, Some(0), "{said}");
    for test in [
        "PING_INLINE",
        "PING_MBULK",
        "SET",
        "GET",
        "INCR",
        "LPUSH",
        "RPUSH",
        "LPOP",
        "RPOP",
        "SADD",
        "HSET",
        "SPOP",
        "ZADD",
        "ZPOPMIN",
        "LRANGE_100",
        "LRANGE_300",
        "LRANGE_500",
        "LRANGE_600",
        "MSET",
    ] {
        let done = said
            .split(['\r', '\n'])
            .any(|line| line.starts_with(test) && line.contains("requests per second"));
        assert!(done, "{test} did not end: {said}");
    }
    assert!(!said.contains("rror"), "{said}");
    node.expect_alive();
}

#[test]
fn benchmark_runs_to_the_end() {
    benchmark(&["-n", "500"]);
}

#[test]
fn benchmark_runs_to_the_end_with_pipelines() {
    benchmark(&["-n", "5000", "-P", "50"]);
}

#[test]
fn benchmark_runs_to_the_end_with_many_clients() {
    benchmark(&["-n", "1000", "-c", "500"]);
}
