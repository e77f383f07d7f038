//! Tests that ask a real redis-server and compare.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command as Process, Stdio};

mod forms;
mod matrix;
mod rewritten;
mod texts;

/// Redis whose texts and table of commands are this program's.
const REFERENCE: &str = "v=7.0.";

/// Returns true if the installed redis-server is of the version whose texts this program has. With another one a test
/// that compares texts says so and compares nothing.
pub(super) fn is_reference() -> bool {
    let version = Process::new("redis-server").arg("--version").output();
    let version = version.expect("redis-server must be in PATH for these tests");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let is_reference = version.contains(REFERENCE);
    if !is_reference {
        eprintln!("not compared with Redis {REFERENCE}: installed is {version}");
    }
    is_reference
}

/// A redis-server of its own for one test, on a socket in a temporary directory; ended when
/// dropped.
pub(super) struct Server {
    child: Child,
    dir: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut child = Process::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(dir.path().join("s"))
            .arg("--dir")
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server must be in PATH for these tests");
        let mut log = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut line = String::new();
        // "The server is now ready to accept connections" up to Redis 7.0, then "Ready to accept connections".
        while !line
            .to_ascii_lowercase()
            .contains("ready to accept connections")
        {
            line.clear();
            let read = log
                .read_line(&mut line)
                .expect("redis-server's log is text");
            assert_ne!(read, 0, "redis-server ended before it was ready");
        }
        // Its later lines are few; the pipe holds them until it ends.
        child.stdout = Some(log.into_inner());
        Server { child, dir }
    }

    pub(super) fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.dir.path().join("s")).expect("the server listens");
        Client(BufReader::new(stream))
    }

    /// A connection that speaks RESP3.
    pub(super) fn connect3(&self) -> Client {
        let mut client = self.connect();
        client.ask(&[b"hello", b"3"]);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) struct Client(BufReader<UnixStream>);

impl Client {
    /// Sends bytes and returns the bytes of one reply.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.get_mut().write_all(bytes).expect("the server reads");
        let mut reply = Vec::new();
        self.read(&mut reply);
        reply
    }

    pub(super) fn ask(&mut self, args: &[&[u8]]) -> Vec<u8> {
        let mut request = Vec::new();
        super::encode::command(&mut request, args);
        self.raw(&request)
    }

    fn read(&mut self, reply: &mut Vec<u8>) {
        let start = reply.len();
        let read = self.0.read_until(b'\n', reply).expect("the server answers");
        assert_ne!(read, 0, "the server closed the connection");
        let line = std::str::from_utf8(&reply[start..]).unwrap_or_default();
        let count = || line[1..].trim_end().parse::<i64>().expect("a length");
        match line.as_bytes().first() {
            Some(b'$' | b'=') if count() >= 0 => {
                let at = reply.len();
                let len = count() as usize + 2;
                reply.resize(at + len, 0);
                self.0.read_exact(&mut reply[at..]).expect("the whole bulk");
            }
            Some(b'*' | b'~' | b'>') => (0..count()).for_each(|_| self.read(reply)),
            Some(b'%') => (0..count() * 2).for_each(|_| self.read(reply)),
            _ => {}
        }
    }
}

/// Splits a line of words at single blanks.
pub(super) fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

pub(super) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
