//! A client that sends and sees bytes.

use super::{PATIENCE, shown, wire};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Either kind of stream.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(out),
            Stream::Unix(stream) => stream.read(out),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection to the program or to a redis-server.
#[derive(Debug)]
pub struct Client(BufReader<Stream>);

/// What a connection said until it was silent or closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Every byte of it.
    pub bytes: Vec<u8>,
    /// Whether the other side closed.
    pub closed: bool,
}

impl Client {
    pub fn tcp(addr: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client(BufReader::with_capacity(
            64 << 10,
            Stream::Tcp(stream),
        )))
    }

    pub fn unix(path: &Path) -> io::Result<Client> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client(BufReader::with_capacity(
            64 << 10,
            Stream::Unix(stream),
        )))
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes)
            .unwrap_or_else(|error| panic!("sending {}: {error}", shown(bytes)));
    }

    /// Sends bytes to a connection that may be closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends from a thread of its own, so that a long stream does not wait for its replies to be
    /// read.
    pub fn send_aside(&self, pieces: Vec<Vec<u8>>) -> std::thread::JoinHandle<()> {
        let mut stream = match self.0.get_ref() {
            Stream::Tcp(stream) => stream.try_clone().map(Stream::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Stream::Unix),
        }
        .expect("a descriptor for the sender");
        std::thread::spawn(move || {
            for piece in pieces {
                // The reader reports a connection that ends early.
                if stream.write_all(&piece).is_err() {
                    return;
                }
            }
        })
    }

    /// Sends a request of words and returns its reply.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Vec<u8> {
        self.send(&wire::words(line));
        self.reply()
    }

    /// Sends a request and returns its reply.
    #[track_caller]
    pub fn ask_args(&mut self, args: &[&[u8]]) -> Vec<u8> {
        self.send(&wire::command(args));
        self.reply()
    }

    /// The bytes of the next reply.
    #[track_caller]
    pub fn reply(&mut self) -> Vec<u8> {
        match self.try_reply() {
            Ok(Some(reply)) => reply,
            Ok(None) => panic!("closed where a reply was expected"),
            Err(error) => panic!("no reply: {error}"),
        }
    }

    /// The bytes of the next reply; `None` if the connection is closed in front of it.
    pub fn try_reply(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut reply = Vec::new();
        match self.read_value(&mut reply) {
            Ok(()) => Ok(Some(reply)),
            Err(error) if is_close(&error) && reply.is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_value(&mut self, reply: &mut Vec<u8>) -> io::Result<()> {
        // However deep arrays are nested.
        let mut left = 1;
        while left > 0 {
            left += self.read_element(reply)? - 1;
        }
        Ok(())
    }

    /// Reads what is no array, or the head of an array; how many elements it says there are behind it.
    fn read_element(&mut self, reply: &mut Vec<u8>) -> io::Result<i64> {
        let start = reply.len();
        self.0.read_until(b'\n', reply)?;
        let line = &reply[start..];
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = std::str::from_utf8(&line[1..line.len() - 2])
            .ok()
            .and_then(|text| text.parse::<i64>().ok());
        match (line[0], count) {
            (b'$' | b'=' | b'!', Some(len)) if len >= 0 => {
                let at = reply.len();
                reply.resize(at + len as usize + 2, 0);
                self.0.read_exact(&mut reply[at..])?;
                Ok(0)
            }
            (b'*' | b'~' | b'>', Some(n)) => Ok(n.max(0)),
            (b'%', Some(n)) => Ok(2 * n),
            _ => Ok(0),
        }
    }

    /// Everything up to the answer to a request of our own sent behind what was sent before, or
    /// until the connection is closed.
    pub fn transcript(&mut self) -> io::Result<Transcript> {
        const MARK: &[u8] = b"is it still open?";
        let end = format!("${}\r\n{}\r\n", MARK.len(), MARK.escape_ascii()).into_bytes();
        self.transcript_up_to(&wire::command(&[b"ECHO", MARK]), &end)
    }

    /// The same with this request, which has this answer.
    pub fn transcript_up_to(&mut self, request: &[u8], end: &[u8]) -> io::Result<Transcript> {
        // If it is closed already, reading says so.
        let _ = self.try_send(request);
        let mut bytes = Vec::new();
        loop {
            match self.0.read_until(b'\n', &mut bytes) {
                Ok(0) => {
                    return Ok(Transcript {
                        bytes,
                        closed: true,
                    });
                }
                Ok(_) if bytes.ends_with(end) => {
                    bytes.truncate(bytes.len() - end.len());
                    return Ok(Transcript {
                        bytes,
                        closed: false,
                    });
                }
                Ok(_) => {}
                Err(error) if is_close(&error) => {
                    return Ok(Transcript {
                        bytes,
                        closed: true,
                    });
                }
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("{error}, after {}", shown(&bytes)),
                    ));
                }
            }
        }
    }

    /// Everything until the other side closes.
    #[track_caller]
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if is_close(&error) => bytes,
            Err(error) => panic!("not closed: {error}, after {}", shown(&bytes)),
        }
    }

    /// Reads exactly `n` bytes.
    #[track_caller]
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.0
            .read_exact(&mut bytes)
            .unwrap_or_else(|error| panic!("{n} bytes expected: {error}"));
        bytes
    }

    /// The same, or why they cannot be had.
    pub fn try_take(&mut self, n: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; n];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Appends a line with its line feed; `false` if the connection is closed in front of it.
    pub fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        match self.0.read_until(b'\n', line) {
            Ok(0) => Ok(false),
            Ok(_) if line.ends_with(b"\n") => Ok(true),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if is_close(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// That nothing has been said, and the connection works.
    #[track_caller]
    pub fn expect_open(&mut self) {
        assert_eq!(shown(&self.ask("ECHO open")), "$4\\r\\nopen\\r\\n");
    }

    /// Ends our half of the stream.
    pub fn half_close(&self) {
        match self.0.get_ref() {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
        .expect("a connected stream");
    }

    /// Breaks the connection: the other side sees a reset, not an end of the stream.
    pub fn abort(self) {
        if let Stream::Tcp(stream) = self.0.get_ref() {
            socket2::SockRef::from(stream)
                .set_linger(Some(std::time::Duration::ZERO))
                .expect("a stream");
        }
    }

    /// Ends both halves, also for a sender on another thread.
    pub fn shutdown(&self) {
        // It may be closed already.
        let _ = match self.0.get_ref() {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// Our own end of the connection.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self.0.get_ref() {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }
}

fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
