use super::*;

/// What becomes of a text, given in one piece.
fn read(text: &[u8]) -> Result<Option<Request>, u16> {
    match HeadScan::default().find(text) {
        Ok(Some((start, end))) => Request::parse(&text[start..end])
            .map(Some)
            .map_err(|refusal| refusal.0.code()),
        Ok(None) => Ok(None),
        Err(refusal) => Err(refusal.0.code()),
    }
}

/// The same, one byte more each time.
fn read_by_bytes(text: &[u8]) -> Result<Option<Request>, u16> {
    let mut scan = HeadScan::default();
    for end in 1..=text.len() {
        match scan.find(&text[..end]) {
            Ok(None) => {}
            Ok(Some((from, to))) => {
                return Request::parse(&text[from..to])
                    .map(Some)
                    .map_err(|refusal| refusal.0.code());
            }
            Err(refusal) => return Err(refusal.0.code()),
        }
    }
    Ok(None)
}

#[test]
fn targets_of_all_forms_are_understood() {
    for (target, path, query) in [
        ("/info", "/info", None),
        ("/info?x=1?y", "/info", Some("x=1?y")),
        ("/%69nfo%2F%C3%A9", "/info/é", None),
        ("http://host:22222/info?x", "/info", Some("x")),
        ("HTTPS://host", "/", None),
        ("http://host?x", "/", Some("x")),
        ("*", "*", None),
        ("//info", "//info", None),
    ] {
        let request = read(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!(
            (request.path.as_str(), request.query.as_deref()),
            (path, query),
            "{target}"
        );
    }
}

#[test]
fn odd_heads_and_what_becomes_of_them() {
    let long = "x".repeat(MAX_HEAD);
    let many = "A: b\r\n".repeat(MAX_FIELDS + 1);
    for (text, status) in [
        // What the original's users may send.
        ("GET /info HTTP/1.0\n\n", 0),
        ("\r\n\nGET /info HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        ("GET /info HTTP/1.9\r\nX:\r\nY:\té \r\n\r\n", 0),
        ("PURGE /info HTTP/1.1\r\n\r\n", 0),
        (
            "GET /info HTTP/1.1\r\nContent-Length: 65536\r\nContent-Length: 65536\r\n\r\n",
            0,
        ),
        ("GET /info HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", 0),
        // No request line.
        ("PING\r\n", 400),
        ("*1\r\n$4\r\nPING\r\n", 400),
        ("GET /info\r\n\r\n", 400),
        ("GET  /info HTTP/1.1\r\n\r\n", 400),
        ("GET /info HTTP/1.1 \r\n\r\n", 400),
        ("GET\t/info\tHTTP/1.1\r\n\r\n", 400),
        ("GET /info HTTP/1.1xyz\r\n\r\n", 400),
        ("GET /info http/1.1\r\n\r\n", 400),
        ("G(T /info HTTP/1.1\r\n\r\n", 400),
        ("GET info HTTP/1.1\r\n\r\n", 400),
        ("GET /in\u{7f}fo HTTP/1.1\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\n\r\n", 400),
        ("GET /%4 HTTP/1.1\r\n\r\n", 400),
        ("GET /%ff HTTP/1.1\r\n\r\n", 400),
        ("GET /info HTTP/2.0\r\n\r\n", 505),
        // Fields.
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
        (
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            413,
        ),
        ("GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n", 417),
        // Sizes.
        (&format!("GET /{long}"), 414),
        (&format!("GET /{long} HTTP/1.1\r\n\r\n"), 414),
        (&format!("GET / HTTP/1.1\r\nA: {long}"), 431),
        (&format!("GET / HTTP/1.1\r\nA: {long}\r\n\r\n"), 431),
        (&format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
    ] {
        let got = read(text.as_bytes());
        assert_eq!(
            got.as_ref().map_or_else(|&s| s, |_| 0),
            status,
            "{text:.80}"
        );
        assert!(
            got.is_err() || got.as_ref().unwrap().is_some(),
            "{text:.80} is incomplete"
        );
        assert_eq!(
            read_by_bytes(text.as_bytes()),
            got,
            "{text:.80} byte by byte"
        );
    }
}

#[test]
fn a_large_head_within_the_limit_is_read() {
    let filler = "x".repeat(60_000);
    let text = format!("GET /ping HTTP/1.1\r\nA: {filler}\r\n\r\n");
    assert_eq!(read(text.as_bytes()).unwrap().unwrap().path, "/ping");
}

#[test]
fn an_incomplete_head_waits() {
    for text in [
        "",
        "GET /info HTTP/1.1",
        "GET /info HTTP/1.1\r\n",
        "GET /info HTTP/1.1\r\nA: b\r\n\r",
        "\r\n\r\n",
    ] {
        assert_eq!(read(text.as_bytes()), Ok(None), "{text:?}");
    }
}

#[test]
fn connections_persist_as_the_versions_say() {
    for (version, field, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "connection: Upgrade , CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", false),
    ] {
        let text = format!("GET / HTTP/{version}\r\n{field}\r\n");
        assert_eq!(
            read(text.as_bytes()).unwrap().unwrap().keep_alive,
            keep_alive,
            "{text}"
        );
    }
}
