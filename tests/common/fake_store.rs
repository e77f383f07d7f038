//! A datastore that the test plays.

use super::{PATIENCE, shown};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Listens as a datastore would. The test accepts the program's connections, reads its requests and
/// answers what it likes.
#[derive(Debug)]
pub struct FakeStore(TcpListener);

impl FakeStore {
    pub fn new() -> FakeStore {
        FakeStore::bind("127.0.0.1:0".parse().expect("an address"))
    }

    /// Listens where an earlier one did.
    pub fn bind(addr: SocketAddr) -> FakeStore {
        let listener = TcpListener::bind(addr).expect("a port");
        // On Linux the timeout holds for accept as well.
        socket2::SockRef::from(&listener)
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket");
        FakeStore(listener)
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket")
    }

    /// The program's next connection.
    #[track_caller]
    pub fn accept(&self) -> StoreConn {
        let (stream, _) = self.0.accept().expect("a connection of the program");
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream");
        stream.set_nodelay(true).expect("a stream");
        StoreConn(BufReader::new(stream))
    }

    /// Returns true if the program has connected once more.
    pub fn was_connected(&self) -> bool {
        self.0.set_nonblocking(true).expect("a socket");
        let found = self.0.accept().is_ok();
        self.0.set_nonblocking(false).expect("a socket");
        found
    }
}

/// One of the program's connections to the datastore.
#[derive(Debug)]
pub struct StoreConn(BufReader<TcpStream>);

impl StoreConn {
    /// The next request, name first.
    #[track_caller]
    pub fn request(&mut self) -> Vec<Vec<u8>> {
        self.try_request().expect("a request")
    }

    /// The next request as words.
    #[track_caller]
    pub fn request_text(&mut self) -> String {
        let request = self.request();
        let words: Vec<String> = request.iter().map(|arg| shown(arg)).collect();
        words.join(" ")
    }

    /// The next request as words, if one comes within this time.
    pub fn request_within(&mut self, time: std::time::Duration) -> Option<String> {
        self.0
            .get_ref()
            .set_read_timeout(Some(time))
            .expect("a stream");
        let found = !self.0.fill_buf().unwrap_or_default().is_empty();
        self.0
            .get_ref()
            .set_read_timeout(Some(PATIENCE))
            .expect("a stream");
        found.then(|| self.request_text())
    }

    /// The next request; `None` if the program has closed.
    pub fn try_request(&mut self) -> Option<Vec<Vec<u8>>> {
        let argc = self.number(b'*')?;
        (0..argc)
            .map(|_| {
                let len = self.number(b'$')?;
                let mut bytes = vec![0; len + 2];
                self.0.read_exact(&mut bytes).ok()?;
                assert!(bytes.ends_with(b"\r\n"), "not canonical: {}", shown(&bytes));
                bytes.truncate(len);
                Some(bytes)
            })
            .collect()
    }

    fn number(&mut self, kind: u8) -> Option<usize> {
        let mut line = Vec::new();
        if self.0.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let text = std::str::from_utf8(&line).unwrap_or_default();
        let canonical = text
            .strip_suffix("\r\n")
            .and_then(|text| text.strip_prefix(char::from(kind)))
            .and_then(|digits| {
                digits
                    .parse::<usize>()
                    .ok()
                    .filter(|n| n.to_string() == digits)
            });
        assert!(canonical.is_some(), "not canonical: {}", shown(&line));
        canonical
    }

    /// Sends bytes of a reply.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the program reads");
    }

    /// Sends bytes to a connection that may be closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// That the program closes this connection without another request.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest);
        assert!(
            rest.is_empty()
                && !matches!(&end, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock),
            "{end:?} {}",
            shown(&rest)
        );
    }
}
