//! The committed seeds.

use std::path::{Path, PathBuf};

/// Where the seeds of a target are.
pub fn directory(target: &str) -> PathBuf {
    let name = match target {
        // What a parser has to cope with, a node has to.
        "node_memcache_client" => "memcache_request",
        "node_memcache_binary_client" => "memcache_binary",
        other => other,
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(name)
}

/// The seeds of a target in the order of their names; none when there is no such directory.
pub fn load(target: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}
