//! The program under test.

use super::{Client, FakeStore, Memcached, PATIENCE, Redis, TextClient, eventually};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a start is tried with other ports: between our asking for free ones and the program's
/// binding them, another process may take one.
const TRIES: usize = 10;

/// How long to wait before statistics are looked at again.
const POLL: Duration = Duration::from_millis(5);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    store: String,
    memcached: bool,
    keys: Vec<(String, String)>,
    env: Vec<(String, String)>,
    files: Option<u32>,
    verbose: bool,
    on_unix_socket: bool,
    token: String,
    fixed: Option<Addresses>,
    other: Option<PathBuf>,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// For clients.
    pub listen: SocketAddr,
    /// For statistics.
    pub stats: SocketAddr,
    /// For peers.
    pub peers: SocketAddr,
}

impl Addresses {
    /// Ports of this address that are free now.
    pub fn free(ip: Ipv4Addr) -> Addresses {
        let probes: [TcpListener; 3] =
            std::array::from_fn(|_| TcpListener::bind((ip, 0)).expect("a free port"));
        let [listen, stats, peers] = probes
            .each_ref()
            .map(|probe| probe.local_addr().expect("a bound socket"));
        Addresses {
            listen,
            stats,
            peers,
        }
    }
}

/// The running program; killed when dropped.
#[derive(Debug)]
pub struct Node {
    child: Child,
    pub addr: SocketAddr,
    pub stats_addr: SocketAddr,
    socket: Option<PathBuf>,
    memcached: bool,
    dir: tempfile::TempDir,
}

impl Setup {
    /// One node in front of this server.
    pub fn before(redis: &Redis) -> Setup {
        Setup::before_address(&format!("{}:1", redis.socket().display()))
    }

    /// One node in front of this server, speaking its protocol.
    pub fn before_memcached(memcached: &Memcached) -> Setup {
        Setup::before_address(&format!("{}:1", memcached.socket().display())).of_memcached()
    }

    /// Lets it speak memcached's protocol, not Redis's.
    pub fn of_memcached(mut self) -> Setup {
        self.memcached = true;
        self
    }

    /// One node in front of a datastore that the test plays.
    pub fn before_fake(store: &FakeStore) -> Setup {
        Setup::before_address(&format!("{}:1", store.addr()))
    }

    /// One node in front of the datastore written so in the configuration.
    pub fn before_address(store: &str) -> Setup {
        Setup {
            store: store.to_owned(),
            memcached: false,
            keys: Vec::new(),
            env: Vec::new(),
            files: None,
            verbose: false,
            on_unix_socket: false,
            token: "0".to_owned(),
            fixed: None,
            other: None,
        }
    }

    /// Gives it these tokens.
    pub fn with_token(mut self, token: impl ToString) -> Setup {
        self.token = token.to_string();
        self
    }

    /// Lets it listen here, whenever it is started.
    pub fn at(mut self, addresses: Addresses) -> Setup {
        self.fixed = Some(addresses);
        self
    }

    /// Starts this program instead of the one under test.
    pub fn with_program(mut self, program: Option<&Path>) -> Setup {
        self.other = program.map(Path::to_owned);
        self
    }

    /// Returns true if another program is started.
    pub fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// Lets it log everything.
    pub fn verbose(mut self) -> Setup {
        self.verbose = true;
        self
    }

    /// That it does not start. Returns what it says.
    #[track_caller]
    pub fn refuses(&self) -> String {
        match self.try_start() {
            Ok(_) => panic!("it starts"),
            Err(said) => said,
        }
    }

    /// Lets it open so many files only.
    pub fn with_files(mut self, files: u32) -> Setup {
        self.files = Some(files);
        self
    }

    /// Lets it listen for clients on a Unix socket.
    pub fn on_unix_socket(mut self) -> Setup {
        self.on_unix_socket = true;
        self
    }

    /// Sets a key of the configuration.
    pub fn with(mut self, key: &str, value: impl ToString) -> Setup {
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), value.to_string()));
        self
    }

    /// Sets a variable of its environment.
    pub fn with_env(mut self, name: &str, value: impl ToString) -> Setup {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// Starts it, and returns when it serves.
    #[track_caller]
    pub fn start(&self) -> Node {
        let mut log = String::new();
        for _ in 0..TRIES {
            match self.try_start() {
                Ok(node) => return node,
                Err(said) => log = said,
            }
        }
        panic!("the program does not start:\n{log}");
    }

    fn try_start(&self) -> Result<Node, String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = self
            .fixed
            .unwrap_or_else(|| Addresses::free(Ipv4Addr::LOCALHOST));
        let socket = dir.path().join("clients");
        let listen = match self.on_unix_socket {
            true => socket.display().to_string(),
            false => at.listen.to_string(),
        };
        let mut text = format!(
            "dyn_o_mite:\n  listen: {listen}\n  stats_listen: {}\n  dyn_listen: {}\n  \
             tokens: '{}'\n  data_store: {}\n  servers:\n  - {}\n",
            at.stats,
            at.peers,
            self.token,
            u8::from(self.memcached),
            self.store
        );
        for (key, value) in &self.keys {
            let _ = writeln!(text, "  {key}: {value}");
        }
        let conf = dir.path().join("dynomite.yml");
        std::fs::write(&conf, text).expect("a file in a fresh directory");
        let notify_path = dir.path().join("notify");
        let notify = UnixDatagram::bind(&notify_path).expect("a socket in a fresh directory");
        notify
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a socket");
        let own = Path::new(env!("CARGO_BIN_EXE_dynomite"));
        let program = self.other.as_deref().unwrap_or(own);
        let mut starter = match self.files {
            None => Command::new(program),
            Some(files) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
                shell.arg("-c").arg(script).arg(program);
                shell
            }
        };
        if self.verbose {
            starter.arg("-v11");
        }
        let child = starter
            .arg("-c")
            .arg(&conf)
            .arg("-o")
            .arg(dir.path().join("log"))
            .env("NOTIFY_SOCKET", &notify_path)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was built");
        let mut node = Node {
            child,
            addr: at.listen,
            stats_addr: at.stats,
            socket: self.on_unix_socket.then_some(socket),
            memcached: self.memcached,
            dir,
        };
        let deadline = Instant::now() + PATIENCE;
        let mut message = [0; 256];
        loop {
            match notify.recv(&mut message) {
                Ok(n) if message[..n].starts_with(b"READY=1") => return Ok(node),
                // Another program does not say when it is ready.
                _ if self.other.is_some() && TcpStream::connect(at.listen).is_ok() => {
                    return Ok(node);
                }
                _ => {}
            }
            let ended = node.child.try_wait().expect("our child");
            if ended.is_some() || Instant::now() > deadline {
                return Err(node.log());
            }
        }
    }
}

impl Node {
    /// Connects to it.
    #[track_caller]
    pub fn client(&self) -> Client {
        match &self.socket {
            Some(path) => Client::unix(path),
            None => Client::tcp(self.addr),
        }
        .expect("the program listens")
    }

    /// Connects to it, to speak memcached's text protocol.
    #[track_caller]
    pub fn text_client(&self) -> TextClient {
        TextClient::over(self.client())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has logged this: a thread of its own writes the log, which may be behind.
    #[track_caller]
    pub fn await_log(&self, text: &str) {
        eventually(text, || self.log().contains(text));
    }

    /// What it has logged so far. What was logged just now may still be missing.
    pub fn log(&self) -> String {
        std::fs::read(self.dir.path().join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Where its files are.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// That it runs and serves a new client.
    #[track_caller]
    pub fn expect_alive(&mut self) {
        let ended = self.child.try_wait().expect("our child");
        assert_eq!(ended, None, "the program ended:\n{}", self.log());
        match self.memcached {
            true => self.text_client().expect_open(),
            false => self.client().expect_open(),
        }
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().expect("our child");
    }

    /// Asks its statistics port by `GET`: the status and the body.
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.stats_addr).expect("the statistics port");
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// Asks its statistics port for something that must be granted.
    #[track_caller]
    pub fn told(&self, path: &str) -> String {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Its statistics.
    #[track_caller]
    pub fn info(&self) -> serde_json::Value {
        let mut stream = TcpStream::connect(self.stats_addr).expect("the statistics port");
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream");
        stream
            .write_all(b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// Waits until a number of its statistics satisfies `wanted`. `name` is looked for at every
    /// depth.
    #[track_caller]
    pub fn await_stat(&self, name: &str, wanted: impl Fn(i64) -> bool) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = self.info();
            let value = find(&info, name).unwrap_or_else(|| panic!("no {name} in {info}"));
            if wanted(value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{name} stays at {value}");
            std::thread::sleep(POLL);
        }
    }

    /// A number of its statistics.
    #[track_caller]
    pub fn stat(&self, name: &str) -> i64 {
        self.await_stat(name, |_| true)
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("a running process");
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.trim().parse::<usize>().ok())
            .expect("VmRSS in kB")
            * 1024
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        let told = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()));
        self.child.wait().expect("our child")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            for line in lines.into_iter().rev() {
                eprintln!("dynomite: {line}");
            }
        }
    }
}

fn find(value: &serde_json::Value, name: &str) -> Option<i64> {
    match value {
        serde_json::Value::Object(map) => map
            .get(name)
            .and_then(serde_json::Value::as_i64)
            .or_else(|| map.values().find_map(|inner| find(inner, name))),
        _ => None,
    }
}
