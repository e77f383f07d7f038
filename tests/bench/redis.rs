//! The stores behind the proxies of a run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::args::find;
use crate::child::{Child, free_address};
use crate::proxy::Protocol;

/// A `redis-server` without persistence.
pub struct Redis {
    pub address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts `program` on a free port of the loopback.
    pub fn start(program: &Path, scratch: &Path) -> Result<Redis> {
        let program = find(program)?;
        let address = free_address()?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "1000"]);
        command.arg("--dir").arg(scratch);
        let log = format!("redis-{}.log", address.port());
        let mut child = Child::start(command, scratch.join(log))?;
        child
            .wait_ready(address, Protocol::Redis.probe())
            .map_err(|e| format!("redis-server {e}"))?;
        Ok(Redis { address, child })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// One request; its reply as it came.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        ask(self.address, words)
    }

    /// How often this store has run the command `name` (in lower case).
    pub fn calls(&self, name: &str) -> Result<u64> {
        let statistics = self.ask(&["INFO", "commandstats"])?;
        let start = format!("cmdstat_{name}:calls=");
        let calls = statistics.lines().find_map(|line| {
            let (calls, _) = line.strip_prefix(&start)?.split_once(',')?;
            calls.parse().ok()
        });
        Ok(calls.unwrap_or(0))
    }
}

/// One request to a Redis or a proxy over a connection of its own; its reply as it came.
pub fn ask(address: SocketAddr, words: &[&str]) -> Result<String> {
    let failed = |e: std::io::Error| format!("{} at {address}: {e}", words.join(" "));
    let patience = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, patience).map_err(failed)?;
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut reply = Vec::new();
    let mut room = [0; 4096];
    while !is_whole(&reply) {
        match stream.read(&mut room).map_err(failed)? {
            0 => {
                return Err(format!(
                    "{} at {address}: connection closed",
                    words.join(" ")
                ));
            }
            read => reply.extend_from_slice(&room[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Returns true if a reply of one line, or a bulk string, has arrived.
fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = reply.windows(2).position(|two| two == b"\r\n") else {
        return false;
    };
    let Some(length) = reply[..end].strip_prefix(b"$") else {
        return true;
    };
    let length = std::str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok());
    length.is_none_or(|length: usize| reply.len() >= end + 2 + length + 2)
}
