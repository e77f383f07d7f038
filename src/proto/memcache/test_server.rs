//! A real memcached, for tests that ask one and compare.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A memcached of its own for one test, on a socket in a temporary directory; ended when dropped.
pub(super) struct Server {
    child: Child,
    dir: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let child = Command::new("memcached")
            // Of use to root only, whom it refuses without.
            .args(["-u", "root", "-t", "1", "-s"])
            .arg(dir.path().join("s"))
            .stdout(Stdio::null())
            // A test may ask it to log every command.
            .stderr(Stdio::null())
            .spawn()
            .expect("memcached must be in PATH for these tests");
        Server { child, dir }
    }

    /// A connection, as soon as there can be one.
    pub(super) fn connect(&self) -> UnixStream {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(self.dir.path().join("s")) {
                Ok(stream) => {
                    let set = stream.set_read_timeout(Some(PATIENCE));
                    set.expect("a socket");
                    return stream;
                }
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
