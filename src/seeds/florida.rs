//! `florida_provider`: a list over HTTP.

use super::http;
use crate::cluster::seeds::MAX_LIST;
use crate::config::{Note, digits};
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// How long connecting may take, all addresses of the host together.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the answer may take from then on, to its last byte.
const ANSWER: Duration = Duration::from_secs(5);

const HOST: &str = "127.0.0.1";
const PORT: u16 = 8080;
/// The original's request, byte for byte.
const REQUEST: &[u8] =
    b"GET /REST/v1/admin/get_seeds HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n";

/// What is asked, and where.
#[derive(Debug)]
pub struct Florida {
    host: String,
    port: u16,
    request: Vec<u8>,
}

impl Florida {
    /// As `DYNOMITE_FLORIDA_IP` (an address or a name), `DYNOMITE_FLORIDA_PORT` and
    /// `DYNOMITE_FLORIDA_REQUEST` say: the whole request, sent as it stands, or the path if it begins
    /// with `/` (as the server the original comes with takes the same variable).
    pub fn new(set: &impl Fn(&str) -> Option<OsString>, notes: &mut Vec<Note>) -> Florida {
        let host = set("DYNOMITE_FLORIDA_IP").map(|host| host.to_string_lossy().into_owned());
        let host = host.unwrap_or_else(|| HOST.to_owned());
        let port = match set("DYNOMITE_FLORIDA_PORT") {
            None => PORT,
            Some(text) => {
                let port = text.to_str().and_then(digits);
                let port = port.and_then(|port| u16::try_from(port).ok());
                port.filter(|port| *port != 0).unwrap_or_else(|| {
                    notes.push(Note::warn(format!(
                        "DYNOMITE_FLORIDA_PORT is not a port and has no effect: {}",
                        text.to_string_lossy().escape_debug()
                    )));
                    PORT
                })
            }
        };
        let request = match set("DYNOMITE_FLORIDA_REQUEST") {
            None => REQUEST.to_vec(),
            Some(path) if path.as_bytes().starts_with(b"/") => {
                let path = path.as_bytes().trim_ascii_end();
                let rest = format!(" HTTP/1.0\r\nHost: {host}\r\nUser-Agent: HTMLGET 1.0\r\n\r\n");
                [b"GET ", path, rest.as_bytes()].concat()
            }
            Some(request) => request.as_bytes().to_vec(),
        };
        Florida {
            host,
            port,
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

    /// What is asked, for messages.
    pub fn told(&self) -> String {
        format!("florida_provider at {}:{}", self.host, self.port)
    }
}

/// The system's words without its number; one for a time limit, of which the system has two.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => crate::sys::reason(error),
    }
}

/// A stream of which all reads together have to be done by a time.
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
