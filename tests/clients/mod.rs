//! Real clients with their default settings.
//!
//! Libraries are installed once into `target/clients`, from the package registries. Where those
//! cannot be reached the test says that it is skipped, and why.

mod redis_tools;

use crate::common::*;
use std::path::Path;
use std::process::Command;

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Runs a client program against a fresh node; if something is wrong it says so and exits with an error.
fn run(installed: Result<Command, String>, name: &str) {
    run_before(Kind::Redis, installed, name);
}

/// The same in front of a memcached.
fn run_text(installed: Result<Command, String>, name: &str) {
    run_before(Kind::Memcached, installed, name);
}

fn run_before(kind: Kind, installed: Result<Command, String>, name: &str) {
    let mut program = match installed {
        Ok(program) => program,
        Err(why) => return eprintln!("skipped {name}: {why}"),
    };
    let store = Store::start_with_env(kind, &[]);
    let mut node = store.setup().start();
    let output = program
        .arg(script(name))
        .arg(node.addr.port().to_string())
        .output()
        .expect("an interpreter that was just used to install");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.ends_with("all is well\n"),
        "{name}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    node.expect_alive();
}

#[test]
fn redis_py() {
    run(install::python(install::REDIS_PY), "redis_py.py");
}

#[test]
fn ioredis() {
    run(install::node(), "ioredis.js");
}

#[test]
fn node_redis() {
    run(install::node(), "node_redis.js");
}

#[test]
fn pymemcache() {
    run_text(install::python_text(), "pymemcache_py.py");
}

#[test]
fn python_memcached() {
    run_text(install::python_text(), "python_memcached.py");
}

#[test]
fn memjs() {
    run_text(install::node_binary(), "memjs.js");
}

#[test]
fn python_binary_memcached() {
    run_text(install::python(install::PYTHON_BINARY), "bmemcached_py.py");
}
