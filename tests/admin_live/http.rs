//! The endpoint as HTTP clients see it.

use crate::admin_live::{changes, moved, numbers};
use crate::common::{Node, PATIENCE, Redis, Setup};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

fn node() -> (Redis, Node) {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    (redis, node)
}

fn connect(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.stats_addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One request on a connection of its own; the head's lines and the body.
fn ask(node: &Node, request: &str) -> (Vec<String>, String) {
    let mut stream = connect(node);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    (
        head.split("\r\n").map(String::from).collect(),
        body.to_owned(),
    )
}

/// Reads one response off a connection that stays open.
fn response(reader: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let (mut status, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        assert_ne!(
            reader.read_line(&mut line).unwrap(),
            0,
            "the connection ended"
        );
        if status.is_empty() {
            status = line.trim_end().to_owned();
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (status, body)
}

#[test]
fn routes_answer_and_everything_else_is_refused() {
    let (_redis, node) = node();
    let head = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (request, status, begins) in [
        (format!("GET /ping {head}"), "200 OK", "OK\r\n"),
        (format!("GET /ping?x=1 {head}"), "200 OK", "OK\r\n"),
        (
            format!("GET /help {head}"),
            "200 OK",
            "/info\n/help\n/ping\n",
        ),
        (
            format!("GET /info {head}"),
            "200 OK",
            "{\"service\":\"dynomite\",",
        ),
        (
            format!("GET / {head}"),
            "200 OK",
            "{\"service\":\"dynomite\",",
        ),
        ("GET /ping HTTP/1.0\r\n\r\n".into(), "200 OK", "OK\r\n"),
        (format!("HEAD /info {head}"), "200 OK", ""),
        (format!("GET /nothing {head}"), "404 Not Found", ""),
        (
            format!("HEAD /state/standby {head}"),
            "405 Method Not Allowed",
            "",
        ),
        (format!("POST /info {head}"), "405 Method Not Allowed", ""),
        (format!("DELETE / {head}"), "405 Method Not Allowed", ""),
        ("GET /ping\r\n\r\n".into(), "400 Bad Request", ""),
        ("rubbish\r\n\r\n".into(), "400 Bad Request", ""),
        ("GET /ping HTTP/1.1\r\n".into(), "400 Bad Request", ""),
    ] {
        let (lines, body) = ask(&node, &request);
        assert_eq!(lines[0], format!("HTTP/1.1 {status}"), "{request:?}");
        assert!(body.starts_with(begins), "{request:?}: {body:?}");
        let field = |name: &str| {
            lines
                .iter()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let length: usize = field("Content-Length:").unwrap().parse().unwrap();
        if request.starts_with("HEAD") {
            assert!(body.is_empty() && length > 0);
        } else {
            assert_eq!(length, body.len(), "{request:?}");
        }
        if status.starts_with("405") {
            let looks = !request.contains("/state/");
            let other = if looks { "HEAD" } else { "POST" };
            assert_eq!(field("Allow:"), Some(format!("GET, {other}").as_str()));
        }
        assert!(
            lines.iter().all(|line| line.trim_end() == line),
            "{lines:?}"
        );
    }
}

#[test]
fn a_connection_serves_several_requests() {
    let (_redis, node) = node();
    let mut reader = BufReader::new(connect(&node));
    for _ in 0..3 {
        let request =
            b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\nHEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n";
        reader.get_mut().write_all(&request[..31]).unwrap();
        assert_eq!(
            response(&mut reader),
            ("HTTP/1.1 200 OK".into(), b"OK\r\n".into())
        );
        reader.get_mut().write_all(&request[31..]).unwrap();
        // HEAD gives the length and sends no body.
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
    }
}

/// The C original repeated the previous request.
#[test]
fn connecting_and_leaving_changes_nothing() {
    let (_redis, node) = node();
    let before = numbers(&node);
    for _ in 0..50 {
        drop(connect(&node));
    }
    // One that ends its stream and waits gets an end as well, and no answer.
    let mut polite = connect(&node);
    polite.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    polite.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"");
    let after = numbers(&node);
    assert_eq!(moved(&before, &after), changes(&[]));
    assert_eq!(after["stats_count"], before["stats_count"] + 1);
}

/// One silent client held up the C original for ever.
#[test]
fn silent_and_slow_clients_hold_up_nobody() {
    let (_redis, node) = node();
    let silent: Vec<_> = (0..200).map(|_| connect(&node)).collect();
    let mut slow = BufReader::new(connect(&node));
    let mut client = node.client();
    for byte in b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" {
        slow.get_mut().write_all(&[*byte]).unwrap();
        let (lines, body) = ask(&node, "GET /ping HTTP/1.0\r\n\r\n");
        assert_eq!(
            (lines[0].as_str(), body.as_str()),
            ("HTTP/1.1 200 OK", "OK\r\n")
        );
        let before = numbers(&node);
        client.ask("set k v");
        assert_eq!(moved(&before, &numbers(&node))["write_requests"], 1);
    }
    assert_eq!(
        response(&mut slow),
        ("HTTP/1.1 200 OK".into(), b"OK\r\n".into())
    );
    drop(silent);
}

/// The C original closed descriptors twice: a client of Redis could get an HTTP answer.
#[test]
fn health_checks_do_not_disturb_clients() {
    let (_redis, node) = node();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let (_, body) = ask(
                        &node,
                        "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                    );
                    assert_eq!(body, "OK\r\n");
                }
            });
        }
        for thread in 0..2 {
            let node = &node;
            scope.spawn(move || {
                for n in 0..300 {
                    let mut client = node.client();
                    let (key, value) = (format!("k:{thread}:{n}"), format!("v:{thread}:{n}"));
                    assert_eq!(client.ask(&format!("set {key} {value}")), b"+OK\r\n");
                    let expected = format!("${}\r\n{value}\r\n", value.len());
                    assert_eq!(client.ask(&format!("get {key}")), expected.into_bytes());
                }
            });
        }
    });
}

/// Runs another project's program; `None` if it is not installed.
fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn other_peoples_http_clients_understand_it() {
    let (_redis, node) = node();
    let url = format!("http://{}", node.stats_addr);
    let python = "\
import json, sys, urllib.request, http.client
url = sys.argv[1]
info = json.load(urllib.request.urlopen(url + '/info'))
pool = info['dyn_o_mite']
def walk(value):
    for v in value.values():
        if isinstance(v, dict): walk(v)
        else: assert type(v) is int, v
walk(pool)
c = http.client.HTTPConnection(url[7:])
for path in ['/ping', '/help', '/', '/ping']:
    c.request('GET', path); r = c.getresponse(); assert r.status == 200, r.status; body = r.read()
print(info['service'], body.decode().strip())
";
    // Node.js refused the C original's answers: HPE_CR_EXPECTED.
    let node_js = "\
const http = require('http');
http.get(process.argv[1] + '/info', r => { let t = ''; r.on('data', d => t += d); r.on('end', () =>
  http.get(process.argv[1] + '/ping', p => { p.resume(); p.on('end', () => console.log(JSON.parse(t).service, p.statusCode)); })); });
";
    let mut asked = 0;
    for (said, expected) in [
        (
            tool("python3", &["-c", python, &url]),
            "dynomite OK\n".to_owned(),
        ),
        (
            tool("node", &["-e", node_js, &url]),
            "dynomite 200\n".to_owned(),
        ),
        (
            tool(
                "curl",
                &[
                    "-sS",
                    "--fail",
                    "-w",
                    "%{http_code} %{num_connects}",
                    &format!("{url}/ping"),
                    &format!("{url}/ping"),
                ],
            ),
            // Both over one connection.
            "OK\r\n200 1OK\r\n200 0".to_owned(),
        ),
        (
            tool(
                "curl",
                &[
                    "-sSI",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    &format!("{url}/info"),
                ],
            ),
            "200".to_owned(),
        ),
    ] {
        if let Some(said) = said {
            assert_eq!(said, expected);
            asked += 1;
        }
    }
    println!("{asked} of 4 tools are installed");
}
