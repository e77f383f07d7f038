//! A real redis-server.

use super::Client;
use super::process::is_installed;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A redis-server of its own for one test, on a Unix socket in a temporary directory, without
/// persistence; ended when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Redis {
    /// Returns true if the installed redis-server is of the version whose texts the program has. With another one a
    /// test that compares texts says so and compares nothing.
    pub fn is_reference() -> bool {
        is_installed("redis-server", "--version", "v=7.0.")
    }

    pub fn start() -> Redis {
        Redis::start_with_env(&[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with_env(env: &[(String, String)]) -> Redis {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let child = start_in(dir.path(), env);
        let env = env.to_vec();
        Redis { child, dir, env }
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
    pub fn client(&self) -> Client {
        Client::unix(&self.socket()).expect("the server listens")
    }
}

fn start_in(dir: &Path, env: &[(String, String)]) -> Child {
    let mut child = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(dir.join("s"))
        .arg("--dir")
        .arg(dir)
        .envs(env.iter().cloned())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server must be in PATH for these tests");
    let mut log = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
    let mut line = String::new();
    // "The server is now ready to accept connections" up to Redis 7.0, then "Ready to accept connections".
    while !line
        .to_ascii_lowercase()
        .contains("ready to accept connections")
    {
        line.clear();
        let read = log.read_line(&mut line).expect("its log is text");
        assert_ne!(read, 0, "redis-server ended before it was ready");
    }
    // Its later lines are few; the pipe holds them until it ends.
    child.stdout = Some(log.into_inner());
    child
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
