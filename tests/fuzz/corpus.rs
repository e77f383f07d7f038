//! The committed seeds.

use std::path::{Path, PathBuf};

/// Most bytes of seeds in one directory: every clone has them, and every run of the tests goes through them.
pub const MOST_BYTES: u64 = 128 << 10;

/// Where the seeds of a target are: first its own.
pub fn directories(target: &str) -> Vec<PathBuf> {
    let shared = match target {
        // What a parser has to cope with, a node has to.
        "node_memcache_client" => Some("memcache_request"),
        "node_memcache_binary_client" => Some("memcache_binary"),
        "node_memcache_life" => Some("node_life"),
        _ => None,
    };
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let names = std::iter::once(target).chain(shared);
    names.map(|name| seeds.join(name)).collect()
}

/// The seeds of a target in the order of their names.
pub fn load(target: &str) -> Vec<Vec<u8>> {
    let paths = directories(target).into_iter().flat_map(files);
    paths
        .map(|path| std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}

/// The files of a directory in the order of their names; none when it is not there.
pub fn files(directory: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
