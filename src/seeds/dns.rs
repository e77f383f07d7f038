//! `dns_provider`: a list in TXT records.
//!
//! The system's name servers are asked (`/etc/resolv.conf`, resolver(5)), by a few lines of our own: the
//! C library's `res_query` would be foreign code for it and knows no port but 53, and the libraries for
//! DNS bring a whole resolver where one question of one type is enough.

pub mod packet;
mod resolv_conf;

use crate::config::{Note, Settings};
use packet::{Answer, Question};
use resolv_conf::Servers;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

const PORT: u16 = 53;
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The name to ask for, and the server.
#[derive(Debug)]
pub struct Dns {
    name: String,
    /// Asked instead of the system's servers.
    server: Option<SocketAddr>,
}

impl Dns {
    /// Takes `dns_name` and `dns_server`. `dns_type: A` only gets a note: an address names no rack.
    pub fn new(settings: &Settings, notes: &mut Vec<Note>) -> Dns {
        if settings.dns_type == "A" {
            notes.push(Note::new(
                crate::logging::Level::Notice,
                "conf: directive \"dns_type\" is A, which has no effect: seeds are asked for in TXT records",
            ));
        }
        Dns {
            name: settings.dns_name.clone(),
            server: settings.dns_server,
        }
    }

    /// Asks once: each server in turn, for as long and as often as the system's configuration says.
    /// The records in sorted order, with `|` between them.
    pub fn ask(&self) -> Result<String, String> {
        let system = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
        let mut servers = Servers::parse(&system);
        if let Some(server) = self.server {
            servers.addresses = vec![server];
        }
        self.ask_these(&servers)
    }

    fn ask_these(&self, servers: &Servers) -> Result<String, String> {
        let mut id = [0; 2];
        openssl::rand::rand_bytes(&mut id).map_err(|error| error.to_string())?;
        let question = Question::txt(&self.name, u16::from_ne_bytes(id))?;
        let mut why = String::from("there is no name server");
        for _ in 0..servers.attempts {
            for &server in &servers.addresses {
                match ask(server, &question, servers.timeout) {
                    Ok(Answer::Records(records)) if records.is_empty() => {
                        return Err("there is no TXT record".to_owned());
                    }
                    Ok(Answer::Records(records)) => return joined(records),
                    Ok(Answer::NoSuchName) => return Err("there is no such name".to_owned()),
                    Ok(Answer::Failed(code)) => why = format!("{server} answers with error {code}"),
                    Ok(Answer::Truncated) => why = format!("{server} cuts its answers short"),
                    Err(error) => why = format!("{server}: {}", reason(&error)),
                }
            }
        }
        Err(why)
    }

    /// The source of the list, for messages.
    pub fn source(&self) -> String {
        format!("dns_provider for {}", self.name.escape_debug())
    }
}

fn joined(mut records: Vec<Vec<u8>>) -> Result<String, String> {
    records.sort_unstable();
    String::from_utf8(records.join(&b'|')).map_err(|_| "the records are not UTF-8".to_owned())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => crate::sys::reason(error),
    }
}

/// Asks one server once; over TCP if its answer is too long for a datagram.
fn ask(server: SocketAddr, question: &Question, timeout: Duration) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => IpAddr::from([0; 4]),
        SocketAddr::V6(_) => IpAddr::from([0; 16]),
    };
    // The kernel chooses the port at random, and passes on what this server sends only.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(question.bytes())?;
    let deadline = Instant::now() + timeout;
    let mut packet = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let n = match socket.recv(&mut packet) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        // The answer to another question may be late, or forged.
        match question.answered(packet.get(..n).unwrap_or_default()) {
            Some(Answer::Truncated) => return ask_over_tcp(server, question, timeout),
            Some(answer) => return Ok(answer),
            None => {}
        }
    }
}

/// RFC 1035 4.2.2: two bytes of length in front of each message.
fn ask_over_tcp(server: SocketAddr, question: &Question, timeout: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    let deadline = Instant::now() + timeout;
    stream.set_write_timeout(Some(timeout))?;
    let bytes = question.bytes();
    let length = (bytes.len() as u16).to_be_bytes();
    stream.write_all(&[&length, bytes].concat())?;
    let mut take = |out: &mut [u8]| {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    let mut length = [0; 2];
    take(&mut length)?;
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    take(&mut packet)?;
    let answer = question.answered(&packet);
    answer.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer cannot be read"))
}

#[cfg(test)]
mod tests;
