//! Tests that ask a real memcached and compare.

use super::call::{Body, Call, Meta, Quiet};
use super::command::lookup;
use super::reply::{Parser, Status};
use super::varying::counted;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod replies;
mod rewritten;
mod translated;

/// A memcached of its own for one test, on a socket in a temporary directory; ended when dropped.
pub(super) struct Server {
    child: Child,
    dir: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let child = Process::new("memcached")
            // Of use to root only, whom it refuses without.
            .args(["-u", "root", "-t", "1", "-s"])
            .arg(dir.path().join("s"))
            .stdout(Stdio::null())
            .spawn()
            .expect("memcached must be in PATH for these tests");
        Server { child, dir }
    }

    /// A connection, as soon as there can be one.
    pub(super) fn connect(&self) -> Client {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match UnixStream::connect(self.dir.path().join("s")) {
                Ok(stream) => return Client(stream),
                Err(e) => assert!(Instant::now() < deadline, "memcached does not listen: {e}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a [`Server`].
pub(super) struct Client(UnixStream);

impl Client {
    /// Sends bytes and returns the bytes of one reply, as the parser finds it.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.write_all(bytes).expect("the server reads");
        let (mut reply, mut parser) = (Vec::new(), Parser::default());
        let mut piece = [0; 4096];
        loop {
            let n = self.0.read(&mut piece).expect("the server answers");
            assert_ne!(n, 0, "the server closed the connection");
            reply.extend_from_slice(&piece[..n]);
            match parser.parse(&reply, 0) {
                Status::Complete(len) => {
                    assert_eq!(len, reply.len(), "{}", reply.escape_ascii());
                    return reply;
                }
                Status::Incomplete => {}
                Status::Garbage(why) => panic!("{why}: {}", reply.escape_ascii()),
            }
        }
    }

    /// The reply to a line, with a data block if it is not empty, as text.
    pub(super) fn ask(&mut self, line: &str) -> String {
        let reply = self.raw(format!("{line}\r\n").as_bytes());
        reply.escape_ascii().to_string()
    }

    /// The reply to a request with its data, as text.
    pub(super) fn send(&mut self, call: &Call<'_>, data: &[u8]) -> Vec<u8> {
        self.raw(&encoded(call, data))
    }
}

/// What of a reply counts, as text.
fn fixed(reply: &[u8]) -> String {
    let counts: Vec<&[u8]> = counted(std::iter::once(reply)).collect();
    counts.concat().escape_ascii().to_string()
}

/// The reply to an `mg`, with the time that is left (flag `t`) so coarse that a few seconds between
/// two questions do not show.
fn state(client: &mut Client, question: &str) -> String {
    let state = client.ask(question);
    let Some((head, rest)) = state.split_once(" t") else {
        return state;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '-');
    let (digits, rest) = rest.split_at(digits.unwrap_or(rest.len()));
    let left: i64 = digits.parse().expect("a number of seconds");
    let left = if left > 0 { (left + 50) / 100 } else { left };
    format!("{head} t{left}{rest}")
}

/// Seconds since the Unix epoch.
pub(super) fn now_secs() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock").as_secs()
}

/// The request that a line of a valid request is.
pub(in crate::proto) fn call(line: &str) -> Call<'_> {
    let mut words = line.split(' ').map(str::as_bytes);
    let name = words.next().unwrap();
    let command = lookup(name).unwrap_or_else(|| panic!("{line}"));
    let words: Vec<&[u8]> = words.collect();
    fn number<N: std::str::FromStr>(word: &[u8]) -> N {
        let text = std::str::from_utf8(word).unwrap();
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }
    let body = match command.name {
        "get" | "gets" => Body::Get {
            exptime: None,
            keys: words,
        },
        "gat" | "gats" => Body::Get {
            exptime: Some(number(words[0])),
            keys: words[1..].to_vec(),
        },
        "set" | "add" | "replace" | "append" | "prepend" | "cas" => Body::Store {
            key: words[0],
            flags: number(words[1]),
            exptime: number(words[2]),
            len: number(words[3]),
            unique: words.get(4).map(|word| number(word)),
        },
        "delete" => Body::Delete { key: words[0] },
        "incr" | "decr" => Body::Arithmetic {
            key: words[0],
            delta: number(words[1]),
        },
        "touch" => Body::Touch {
            key: words[0],
            exptime: number(words[1]),
        },
        "mg" | "ms" | "md" | "ma" => {
            let stores = command.name == "ms";
            Body::Meta(Meta {
                key: words[0],
                len: stores.then(|| number(words[1])),
                flags: words[1 + usize::from(stores)..].to_vec(),
            })
        }
        "flush_all" => Body::Flush {
            delay: words.first().map(|word| number(word)),
        },
        _ => Body::Words(words),
    };
    Call {
        command,
        body,
        quiet: Quiet::No,
    }
}

/// The line of a request, without its end.
pub(in crate::proto) fn line(call: &Call<'_>) -> String {
    let mut words = vec![call.command.name.to_owned()];
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match &call.body {
        Body::Get { exptime, keys } => {
            words.extend(exptime.map(|exptime| exptime.to_string()));
            words.extend(keys.iter().map(|key| text(key)));
        }
        Body::Store {
            key,
            flags,
            exptime,
            len,
            unique,
        } => {
            words.push(format!("{} {flags} {exptime} {len}", text(key)));
            words.extend(unique.map(|unique| unique.to_string()));
        }
        Body::Delete { key } => words.push(text(key)),
        Body::Arithmetic { key, delta } => words.push(format!("{} {delta}", text(key))),
        Body::Touch { key, exptime } => words.push(format!("{} {exptime}", text(key))),
        Body::Meta(meta) => {
            words.push(text(meta.key));
            words.extend(meta.len.map(|len| len.to_string()));
            words.extend(meta.flags.iter().map(|flag| text(flag)));
        }
        Body::Words(rest) => words.extend(rest.iter().map(|word| text(word))),
        Body::Flush { delay } => words.extend(delay.map(|delay| delay.to_string())),
    }
    words.join(" ")
}

fn encoded(call: &Call<'_>, data: &[u8]) -> Vec<u8> {
    let mut bytes = line(call).into_bytes();
    bytes.extend_from_slice(b"\r\n");
    let has_data = match &call.body {
        Body::Store { .. } => true,
        Body::Meta(meta) => meta.len.is_some(),
        _ => false,
    };
    if has_data {
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
