//! A process started by the benchmark: it is ended, by its id, when its owner is dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How long a program may take to answer its first request, and to end when asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program with its output in a file.
pub struct Child {
    process: Process,
    output: PathBuf,
}

impl Child {
    /// Starts `command` with both outputs going to the file `output`.
    pub fn start(mut command: Command, output: PathBuf) -> Result<Child> {
        let file = File::create(&output).map_err(|e| format!("{}: {e}", output.display()))?;
        let twin = file.try_clone().map_err(|e| e.to_string())?;
        let process = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(twin)
            .spawn()
            .map_err(|e| format!("cannot start {:?}: {e}", command.get_program()))?;
        Ok(Child { process, output })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until a request at `address` has its answer; `probe` is both.
    pub fn wait_ready(&mut self, address: SocketAddr, probe: (&[u8], &[u8])) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().map_err(|e| e.to_string())? {
                return Err(format!("ended at once ({status}): {}", self.said()));
            }
            match ask_once(address, probe) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(_) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20))
                }
                Ok(false) => return Err(format!("does not answer rightly: {}", self.said())),
                Err(e) => return Err(format!("does not answer ({e}): {}", self.said())),
            }
        }
    }

    /// The end of what the program wrote, on one line.
    pub fn said(&self) -> String {
        let text = std::fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let tail: Vec<&str> = text.trim_end().lines().rev().take(6).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// Asks the program to end with `signal` (`TERM`, `INT`), then insists. Returns all its output.
    pub fn stop(mut self, signal: &str) -> Result<String> {
        send_signal(signal, self.pid());
        self.wait_end()?;
        std::fs::read_to_string(&self.output).map_err(|e| e.to_string())
    }

    fn wait_end(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.process.try_wait().map_err(|e| e.to_string())? {
                Some(status) => return Ok(status),
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                None => {
                    self.process.kill().map_err(|e| e.to_string())?;
                    return self.process.wait().map_err(|e| e.to_string());
                }
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The pid is ours until it is waited for, so this can hit no other process.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn send_signal(signal: &str, pid: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", signal, &pid.to_string()])
        .status();
}

/// One request over a connection of its own; whether the reply is the right one.
fn ask_once(address: SocketAddr, (request, right): (&[u8], &[u8])) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request)?;
    let mut reply = vec![0; right.len()];
    stream.read_exact(&mut reply)?;
    Ok(reply == right)
}

/// An address on the loopback that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    free_address_on(Ipv4Addr::LOCALHOST)
}

/// The same on a loopback address of one's choice.
pub fn free_address_on(host: Ipv4Addr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((host, 0)).map_err(|e| format!("no free port: {e}"))?;
    listener.local_addr().map_err(|e| e.to_string())
}

/// Writes a file of the run into its scratch directory.
pub fn write_file(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}
