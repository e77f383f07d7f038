//! Against servers played by a thread.

use super::*;
use crate::seeds::tests::settings;
use std::io::Read;
use std::net::TcpListener;
use std::thread::JoinHandle;

fn florida(lines: &str) -> Florida {
    Florida::new(&settings(lines))
}

/// Answers one connection with a text, and returns what it was asked.
fn serve(answer: &'static str) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut byte = [0];
        while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            asked.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        asked
    });
    (port, thread)
}

#[test]
fn item_4_the_default_request_is_the_originals_byte_for_byte() {
    let (port, server) = serve("HTTP/1.0 200 OK\r\n\r\na|b");
    let florida = florida(&format!("  florida_port: {port}\n"));
    assert_eq!(florida.ask().as_deref(), Ok("a|b"));
    assert_eq!(
        String::from_utf8(server.join().unwrap()).unwrap(),
        "GET /REST/v1/admin/get_seeds HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n"
    );
}

#[test]
fn item_4_the_three_keys_are_honoured() {
    let asked = |request: &str| {
        let (port, server) = serve("HTTP/1.0 200 OK\r\n\r\nx");
        // The host is a name to us, and an address to every resolver.
        let florida = florida(&format!(
            "  florida_ip: '127.1'\n  florida_port: {port}\n  florida_request: {request:?}\n"
        ));
        assert_eq!(florida.ask().as_deref(), Ok("x"));
        String::from_utf8(server.join().unwrap()).unwrap()
    };
    assert_eq!(
        asked("/seeds?dc=1"),
        "GET /seeds?dc=1 HTTP/1.0\r\nHost: 127.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n"
    );
    let whole = "POST /x HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n";
    assert_eq!(asked(whole), whole);

    assert_eq!(florida("").source(), "florida_provider at 127.0.0.1:8080");
}

#[test]
fn item_6_ten_thousand_failures_leave_no_descriptor_behind() {
    let (host, port) = ("127.0.0.1", {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    });
    let florida = florida(&format!("  florida_ip: {host}\n  florida_port: {port}\n"));
    // Sockets to this port, of which other tests have none.
    let open = || {
        let text = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let mine = format!(":{port:04X} ");
        text.lines().filter(|line| line.contains(&mine)).count()
    };
    for _ in 0..10_000 {
        assert_eq!(florida.ask(), Err("Connection refused".to_owned()));
    }
    assert_eq!(open(), 0);
}

#[test]
fn a_name_that_does_not_resolve_is_a_failure() {
    let florida = florida("  florida_ip: no.such.host.invalid\n");
    assert!(florida.ask().is_err());
}
