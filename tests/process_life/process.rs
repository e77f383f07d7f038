//! The `dynomite` program as an operator meets it: a configuration file, a process, its log.
//!
//! Nothing here has a fixed port. Sockets are Unix sockets in a directory of the test's own, or
//! ports of a loopback address of the test's own (`127.x.y.z` from the process id), so that tests
//! running at the same time never meet.

use crate::common::{PATIENCE, Redis};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The program under test.
pub const DYNOMITE: &str = env!("CARGO_BIN_EXE_dynomite");
/// Looks again and again until there is an answer.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An address on which nothing listens: a loopback address that only this test process uses, and a
/// port the kernel found free there.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = std::process::id()
        .wrapping_mul(61)
        .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    // Never 127.0.0.x, which belongs to everybody.
    let ip = Ipv4Addr::new(127, 1 + (n >> 16) as u8 % 254, (n >> 8) as u8, n as u8 | 1);
    let listener = TcpListener::bind((ip, 0)).expect("a loopback address");
    listener.local_addr().expect("the address just bound")
}

/// A configuration file in a directory: one node with Unix sockets beside it.
#[derive(Clone)]
pub struct Conf {
    pub dir: PathBuf,
    entries: Vec<(String, String)>,
}

impl Conf {
    pub fn new(dir: &Path) -> Conf {
        let conf = Conf {
            dir: dir.to_owned(),
            entries: Vec::new(),
        };
        let at = |name: &str| dir.join(name).display().to_string();
        conf.set("listen", at("listen.sock"))
            .set("dyn_listen", free_address())
            .set("stats_listen", at("stats.sock"))
            .set("tokens", "'1'")
            .set("servers", format!("{}:1", at("redis.sock")))
    }

    /// Sets a key, to be written after those before it.
    pub fn set(mut self, key: &str, value: impl ToString) -> Conf {
        self.entries.retain(|(known, _)| known != key);
        self.entries.push((key.to_owned(), value.to_string()));
        self
    }

    pub fn without(mut self, key: &str) -> Conf {
        self.entries.retain(|(known, _)| known != key);
        self
    }

    /// Where something listens, or where the datastore is.
    pub fn get(&self, key: &str) -> &str {
        let entry = self.entries.iter().find(|(known, _)| known == key);
        &entry.unwrap_or_else(|| panic!("no {key}")).1
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join("dynomite.yml")
    }

    pub fn write(&self) -> PathBuf {
        let mut text = String::from("dyn_o_mite:\n");
        for (key, value) in &self.entries {
            text.push_str(&format!("  {key}: {value}\n"));
        }
        std::fs::write(self.path(), text).expect("the configuration file");
        self.path()
    }

    /// A command that starts a node with this configuration.
    pub fn command(&self) -> Command {
        let mut command = Command::new(DYNOMITE);
        command.arg("-c").arg(self.write());
        command
    }
}

/// What a process left behind.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The exit code; a death by signal is none.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Runs a command to its end. Its outputs go to files, so that a daemon that keeps them open is
/// not waited for.
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&err).expect("a file"))
        .spawn()
        .expect("the program starts");
    let status = Process(child).wait();
    let text = |path| String::from_utf8_lossy(&std::fs::read(path).expect("output")).into_owned();
    Outcome {
        status,
        stdout: text(&out),
        stderr: text(&err),
    }
}

/// Sends a signal by name.
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "kill -s {name} {pid}"
    );
}

/// A child that is killed, by its id, when dropped.
pub struct Process(pub Child);

impl Process {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        until("the end of a process", || {
            self.0.try_wait().expect("a child")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// A running node.
pub struct Node {
    pub process: Process,
    pub conf: Conf,
    pub log: PathBuf,
}

impl Node {
    /// Starts a node that logs to a file, and waits until it serves.
    #[track_caller]
    pub fn start(conf: Conf) -> Node {
        Node::start_with(conf, |_| {})
    }

    /// The same with more arguments or surroundings.
    #[track_caller]
    pub fn start_with(conf: Conf, adapt: impl FnOnce(&mut Command)) -> Node {
        let mut command = conf.command();
        adapt(&mut command);
        Node::started(conf, command)
    }

    /// The same with a command of the caller's own, to which `-o` is added.
    #[track_caller]
    pub fn started(conf: Conf, mut command: Command) -> Node {
        let log = conf.dir.join("dynomite.log");
        command.arg("-o").arg(&log).stdin(Stdio::null());
        let process = Process(command.spawn().expect("the program starts"));
        let mut node = Node { process, conf, log };
        until("the node serves", || {
            if let Ok(Some(status)) = node.process.0.try_wait() {
                panic!("the node ended: {status}\n{}", node.log_text());
            }
            Client::connect(node.conf.get("listen")).ok()
        });
        node
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log has a line with these words, and returns the first.
    #[track_caller]
    pub fn logged(&self, words: &str) -> String {
        until(&format!("\"{words}\" in the log"), || {
            let text = self.log_text();
            text.lines()
                .find(|line| line.contains(words))
                .map(String::from)
        })
    }

    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.conf.get("listen")).expect("a client connection")
    }

    #[track_caller]
    pub fn stats(&self) -> Client {
        Client::connect(self.conf.get("stats_listen")).expect("a stats connection")
    }

    /// Sends SIGTERM and returns the exit code.
    #[track_caller]
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        let status = self.process.wait();
        assert_eq!(status.signal(), None, "{}", self.log_text());
        status.code()
    }

    /// A field of `/proc/PID/status` or the like, as lines.
    pub fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap_or_default()
    }
}

/// A connection over TCP (`host:port`) or a Unix socket (`/path`).
pub enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    pub fn connect(address: &str) -> io::Result<Client> {
        if address.starts_with('/') {
            let unix = UnixStream::connect(address)?;
            unix.set_read_timeout(Some(PATIENCE))?;
            return Ok(Client::Unix(unix));
        }
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Client::Tcp(tcp))
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write_all(bytes.as_ref()).expect("sending");
    }

    /// Reads as many bytes as are expected, and compares.
    #[track_caller]
    pub fn expect(&mut self, reply: impl AsRef<[u8]>) {
        let reply = reply.as_ref();
        let mut got = vec![0; reply.len()];
        let mut at = 0;
        while at < got.len() {
            match self.read(&mut got[at..]) {
                Ok(n) if n > 0 => at += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                end => panic!(
                    "{end:?} after {:?}, expected {:?}",
                    String::from_utf8_lossy(&got[..at]),
                    String::from_utf8_lossy(reply)
                ),
            }
        }
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(reply)
        );
    }

    /// Sends a request and compares its reply.
    #[track_caller]
    pub fn ask(&mut self, words: &[&str], reply: impl AsRef<[u8]>) {
        self.send(request(words));
        self.expect(reply);
    }

    /// A request that the node answers without its datastore.
    #[track_caller]
    pub fn alive(&mut self) {
        self.ask(&["ECHO", "alive"], "$5\r\nalive\r\n");
    }

    /// Everything until the other side ends; a reset counts as its end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = self.read_to_end(&mut all);
        all
    }
}

impl Read for Client {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Client::Tcp(tcp) => tcp.read(out),
            Client::Unix(unix) => unix.read(out),
        }
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Client::Tcp(tcp) => tcp.write(bytes),
            Client::Unix(unix) => unix.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request as clients send it.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// Starts a `redis-server` where the nodes of this configuration look for it.
#[track_caller]
pub fn redis_behind(conf: &Conf) -> Redis {
    let redis = Redis::start();
    let (path, _) = conf.get("servers").rsplit_once(':').expect("a weight");
    std::os::unix::fs::symlink(redis.socket(), path).expect("a path of the test's own");
    redis
}
