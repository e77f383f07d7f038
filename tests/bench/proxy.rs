//! The proxies that are compared: how each is configured, started and stopped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::child::{Child, free_address, write_file};

/// A family of proxies with the same command line and configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This program, or the C original: both read the same file.
    Dynomite,
    /// Twemproxy.
    Nutcracker,
    Predixy,
}

impl Kind {
    /// The kind that a rival's name on the command line stands for.
    pub fn of_name(name: &str) -> Option<Kind> {
        let kinds = [
            ("dynomite", Kind::Dynomite),
            ("nutcracker", Kind::Nutcracker),
            ("twemproxy", Kind::Nutcracker),
            ("predixy", Kind::Predixy),
        ];
        kinds
            .into_iter()
            .find(|(part, _)| name.contains(part))
            .map(|(_, kind)| kind)
    }
}

/// What is spoken with the clients and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Redis,
    Memcached,
}

impl Protocol {
    /// A request whose answer shows that a program is ready, and that answer.
    pub fn probe(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Protocol::Redis => (b"*3\r\n$3\r\nSET\r\n$5\r\nready\r\n$1\r\n1\r\n", b"+OK\r\n"),
            Protocol::Memcached => (b"set ready 0 0 1\r\n1\r\n", b"STORED\r\n"),
        }
    }
}

/// The name of the proxy that the others are compared with.
pub const UNDER_TEST: &str = "dynomite";

/// A proxy that can be started.
pub struct Proxy {
    pub name: String,
    pub kind: Kind,
    path: PathBuf,
    protocol: Protocol,
}

/// A proxy that answers.
pub struct Running {
    pub address: SocketAddr,
    /// Where statistics are.
    pub stats: SocketAddr,
    kind: Kind,
    child: Child,
}

impl Proxy {
    pub fn new(name: &str, kind: Kind, path: PathBuf) -> Proxy {
        Proxy {
            name: name.to_string(),
            kind,
            path,
            protocol: Protocol::Redis,
        }
    }

    /// The same in front of a memcached; `None` if this kind cannot, or not so that it survives a `get`.
    pub fn before_memcached(&self) -> Option<Proxy> {
        let can = self.under_test() || self.kind == Kind::Nutcracker;
        can.then(|| Proxy {
            protocol: Protocol::Memcached,
            ..Proxy::new(&self.name, self.kind, self.path.clone())
        })
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if this is the one the targets are for.
    pub fn under_test(&self) -> bool {
        self.name == UNDER_TEST
    }

    /// Starts the proxy on free ports in front of `store` and waits until it answers.
    pub fn start(&self, store: SocketAddr, scratch: &Path) -> Result<Running> {
        self.start_under(&[], store, scratch)
    }

    /// The same, as an argument of the command `under` (a profiler that replaces itself or runs it inside).
    pub fn start_under(
        &self,
        under: &[&str],
        store: SocketAddr,
        scratch: &Path,
    ) -> Result<Running> {
        // Between finding a free port and listening on it another process may take it.
        let mut last = String::new();
        for _ in 0..3 {
            match self.try_start(under, store, scratch) {
                Ok(running) => return Ok(running),
                Err(reason) => last = reason,
            }
        }
        Err(format!("{} ({}) {last}", self.name, self.path.display()))
    }

    fn try_start(&self, under: &[&str], store: SocketAddr, scratch: &Path) -> Result<Running> {
        let address = free_address()?;
        let stats = free_address()?;
        let words = self.configure(address, stats, store, scratch)?;
        let mut command = match under.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command.args(words).current_dir(scratch);
        let mut child = Child::start(command, scratch.join(format!("{}.out", self.name)))?;
        child.wait_ready(address, self.protocol.probe())?;
        Ok(Running {
            address,
            stats,
            kind: self.kind,
            child,
        })
    }

    /// Writes the configuration file; returns the command line.
    fn configure(
        &self,
        address: SocketAddr,
        stats: SocketAddr,
        store: SocketAddr,
        scratch: &Path,
    ) -> Result<Vec<String>> {
        let log = scratch
            .join(format!("{}.log", self.name))
            .display()
            .to_string();
        let memcached = self.protocol == Protocol::Memcached;
        let text = match self.kind {
            Kind::Dynomite => format!(
                "dyn_o_mite:\n  listen: {address}\n  dyn_listen: {peers}\n  stats_listen: {stats}\n  \
                 tokens: '437425602'\n  servers:\n  - {store}:1\n  timeout: 60000\n  data_store: {kind}\n",
                kind = u8::from(memcached),
                peers = free_address()?,
            ),
            Kind::Nutcracker => format!(
                "bench:\n  listen: {address}\n  hash: murmur\n  distribution: ketama\n  redis: {redis}\n  \
                 preconnect: true\n  timeout: 60000\n  servers:\n  - {store}:1\n",
                redis = !memcached,
            ),
            Kind::Predixy => format!(
                "Name bench\nBind {address}\nWorkerThreads 1\nClientTimeout 0\nLog {log}\nLogInfoSample 0\n\
                 Authority {{\n    Auth {{\n        Mode write\n    }}\n}}\n\
                 StandaloneServerPool {{\n    Databases 1\n    Hash crc16\n    Distribution modula\n    \
                 RefreshMethod fixed\n    ServerTimeout 60\n    Group bench {{\n        + {store}\n    }}\n}}\n"
            ),
        };
        let file = write_file(scratch, &format!("{}.conf", self.name), &text)?
            .display()
            .to_string();
        let words = match self.kind {
            Kind::Dynomite => vec!["-c".to_string(), file, "-o".to_string(), log],
            Kind::Nutcracker => {
                let pid_file = scratch.join("nutcracker.pid").display().to_string();
                let (host, port) = (stats.ip().to_string(), stats.port().to_string());
                [
                    "-c", &file, "-o", &log, "-p", &pid_file, "-a", &host, "-s", &port,
                ]
                .map(String::from)
                .to_vec()
            }
            Kind::Predixy => vec![file],
        };
        Ok(words)
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends the proxy in order; returns what it, or the profiler around it, wrote.
    pub fn stop(self) -> Result<String> {
        // Twemproxy leaves TERM to the default action, which ends it without a word.
        self.child.stop(if self.kind == Kind::Nutcracker {
            "INT"
        } else {
            "TERM"
        })
    }
}
