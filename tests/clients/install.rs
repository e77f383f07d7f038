//! Client libraries in `target/clients`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PYTHON: &str = "redis==8.1.0";
const NODE: &[&str] = &["ioredis@6.0.0", "redis@6.3.1"];

/// The directory for one language, with nobody else installing at the same time.
fn place(language: &str) -> Result<(PathBuf, File), String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .ok_or("no target directory")?;
    let dir = target.join("clients").join(language);
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    let lock = File::create(dir.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    Ok((dir, lock))
}

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

/// Does the steps unless the same were done before.
fn once(dir: &Path, what: &str, steps: &mut [Command]) -> Result<(), String> {
    let mark = dir.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|text| text == what) {
        return Ok(());
    }
    for step in steps {
        succeed(step)?;
    }
    fs::write(mark, what).map_err(|error| error.to_string())
}

/// A Python with redis-py.
pub fn python() -> Result<Command, String> {
    static READY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let (dir, _lock) = place("python")?;
        let python = dir.join("bin/python");
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&dir);
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--timeout", "10", "--retries", "1", PYTHON]);
        once(&dir, PYTHON, &mut [venv, pip])?;
        Ok(python)
    });
    ready.clone().map(Command::new)
}

/// A Node.js that finds ioredis and node-redis.
pub fn node() -> Result<Command, String> {
    static READY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let (dir, _lock) = place("node")?;
        let mut npm = Command::new("npm");
        npm.arg("--prefix")
            .arg(&dir)
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ])
            .args(["--fetch-timeout=10000", "--fetch-retries=1"])
            .args(NODE);
        once(&dir, &NODE.join(" "), &mut [npm])?;
        Ok(dir.join("node_modules"))
    });
    ready.clone().map(|modules| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules);
        command
    })
}
