//! Client libraries in `target/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For Redis.
pub const REDIS_PY: &[&str] = &["redis==8.1.0"];
pub const PROMETHEUS_CLIENT: &[&str] = &["prometheus-client==0.22.1"];
const NODE: &[&str] = &["ioredis@6.0.0", "redis@6.3.1"];
/// For memcached.
const PYTHON_TEXT: &[&str] = &["pymemcache==4.0.0", "python-memcached==1.62"];
pub const PYTHON_BINARY: &[&str] = &["python-binary-memcached==0.33.0"];
const NODE_BINARY: &[&str] = &["memjs@1.3.2"];

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{:?} failed: {last}", command.get_program()))
}

/// The directory of this name, made by `install` unless it is there. It is made beside its place and
/// moved there complete, so that tests that do so at the same time do not disturb each other.
fn installed(
    name: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .ok_or("no target directory")?;
    let place = target.join("clients").join(name);
    if place.exists() {
        return Ok(place);
    }
    let fresh = place.with_extension(format!(
        "{}.{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let made = fs::create_dir_all(&fresh)
        .map_err(|error| error.to_string())
        .and_then(|()| install(&fresh));
    if made.is_ok() && fs::rename(&fresh, &place).is_ok() {
        return Ok(place);
    }
    // Another process was faster, or it failed; nothing depends on what is left.
    let _ = fs::remove_dir_all(&fresh);
    made.map(|()| place)
}

/// A Python with pymemcache and python-memcached.
pub fn python_text() -> Result<Command, String> {
    python(PYTHON_TEXT)
}

/// A Python with these packages.
pub fn python(packages: &[&str]) -> Result<Command, String> {
    let dir = installed(&packages.join("+"), |dir| {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
        succeed(
            Command::new(dir.join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(["--timeout", "10", "--retries", "1"])
                .args(packages),
        )
    })?;
    Ok(Command::new(dir.join("bin/python")))
}

/// A Node.js that finds ioredis and node-redis.
pub fn node() -> Result<Command, String> {
    node_with(NODE)
}

/// A Node.js that finds memjs.
pub fn node_binary() -> Result<Command, String> {
    node_with(NODE_BINARY)
}

fn node_with(packages: &[&str]) -> Result<Command, String> {
    let dir = installed(&packages.join("+"), |dir| {
        succeed(
            Command::new("npm")
                .arg("--prefix")
                .arg(dir)
                .args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--silent",
                ])
                .args(["--fetch-timeout=10000", "--fetch-retries=1"])
                .args(packages),
        )
    })?;
    let mut command = Command::new("node");
    command.env("NODE_PATH", dir.join("node_modules"));
    Ok(command)
}
