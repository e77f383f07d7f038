//! `florida_provider`: a list over HTTP.

use super::http;
use crate::cluster::seeds::MAX_LIST;
use crate::config::Settings;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long connecting may take, all addresses of the host together.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the answer may take from then on, to its last byte.
const ANSWER: Duration = Duration::from_secs(5);

/// The path of the original's request.
const PATH: &str = "/REST/v1/admin/get_seeds";
/// The original's request, byte for byte.
const REQUEST: &[u8] =
    b"GET /REST/v1/admin/get_seeds HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n";

/// The request and the server.
#[derive(Debug)]
pub struct Florida {
    host: String,
    port: u16,
    request: Vec<u8>,
}

impl Florida {
    /// Takes `florida_ip` (an address or a name), `florida_port` and `florida_request`: the whole request, sent
    /// unchanged, or the path if it begins with `/`.
    pub fn new(settings: &Settings) -> Florida {
        let host = settings.florida_ip.clone();
        let request = match settings.florida_request.as_str() {
            PATH => REQUEST.to_vec(),
            path if path.starts_with('/') => {
                let path = path.trim_ascii_end();
                let rest = format!(" HTTP/1.0\r\nHost: {host}\r\nUser-Agent: HTMLGET 1.0\r\n\r\n");
                ["GET ", path, &rest].concat().into_bytes()
            }
            request => request.as_bytes().to_vec(),
        };
        Florida {
            host,
            port: settings.florida_port,
            request,
        }
    }

    /// Asks once: at most [`CONNECT`] and [`ANSWER`], and as long as the system's resolver takes for
    /// a name.
    pub fn ask(&self) -> Result<String, String> {
        let mut stream = self.connect().map_err(|error| reason(&error))?;
        let deadline = Instant::now() + ANSWER;
        let body = stream
            .set_write_timeout(Some(ANSWER))
            .and_then(|()| stream.write_all(&self.request))
            .map_err(|error| reason(&error))
            .and_then(|()| http::body(&mut Timed { stream, deadline }, MAX_LIST))?;
        String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let deadline = Instant::now() + CONNECT;
        let mut failure = io::ErrorKind::NotFound.into();
        for address in (host, self.port).to_socket_addrs()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The source of the list, for messages.
    pub fn source(&self) -> String {
        format!("florida_provider at {}:{}", self.host, self.port)
    }
}

/// The system's words without its number; one text for time limits, for which the system has two.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => crate::sys::reason(error),
    }
}

/// A stream with a deadline for all reads together.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl io::Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(out)
    }
}

#[cfg(test)]
mod tests;
