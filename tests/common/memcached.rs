//! A real memcached.

use super::process::is_installed;
use super::{Client, PATIENCE, TextClient};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A memcached of its own for one test, on a Unix socket in a temporary directory; ended when
/// dropped.
#[derive(Debug)]
pub struct Memcached {
    child: Child,
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Memcached {
    /// Returns true if the installed memcached is of the version whose texts the program has. With another one a test
    /// that compares texts says so and compares nothing.
    pub fn is_reference() -> bool {
        is_installed("memcached", "-V", "memcached 1.6.18")
    }

    pub fn start() -> Memcached {
        Memcached::start_with_env(&[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with_env(env: &[(String, String)]) -> Memcached {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let child = start_in(dir.path(), env);
        let env = env.to_vec();
        Memcached { child, dir, env }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }

    /// Starts it again, empty, where it was.
    pub fn restart(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        self.child = start_in(self.dir.path(), &self.env);
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Connects to it directly.
    pub fn client(&self) -> TextClient {
        TextClient::over(Client::unix(&self.socket()).expect("the server listens"))
    }

    /// A number of its `stats`.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let reply = self.client().ask("stats");
        let text = String::from_utf8_lossy(&reply);
        let start = format!("STAT {name} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&start)?.parse().ok())
            .unwrap_or_else(|| panic!("no number {name} in {text}"))
    }
}

fn start_in(dir: &Path, env: &[(String, String)]) -> Child {
    let socket = dir.join("s");
    let mut child = Command::new("memcached")
        // It refuses to run as root without the name of a user.
        .args(["-u", "root", "-t", "1", "-m", "256"])
        // Its housekeeping holds items for moments in which others do not change in place.
        .args(["-o", "no_lru_maintainer,no_lru_crawler", "-s"])
        .arg(&socket)
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached must be in PATH for these tests");
    // It does not say when it is ready.
    let deadline = Instant::now() + PATIENCE;
    while Client::unix(&socket).is_err() {
        let ended = child.try_wait().expect("our child");
        assert_eq!(ended, None, "memcached ended before it was ready");
        assert!(Instant::now() < deadline, "memcached does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

impl Drop for Memcached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
