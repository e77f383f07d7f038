//! Processor time per request in front of a `memcached`, in its text protocol.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::args::{Args, find};
use crate::child::{Child, free_address};
use crate::cost::{Task, compare};
use crate::proxy::{Protocol, Proxy};
use crate::redis::Redis;
use crate::report::Report;
use crate::workload::{Verb, Workload, row};

/// The workloads, with the targets of the project. At 16 outstanding each request is a command of its own.
const WORKLOADS: &[Workload] = &[
    row("get", Verb::TextGet(1), 1, 100, (0.85, None)),
    row("set", Verb::TextSet, 1, 100, (0.85, None)),
    row("get x16", Verb::TextGet(1), 16, 100, (0.35, None)),
    row("set x16", Verb::TextSet, 16, 100, (0.35, None)),
    row("get of 10 keys", Verb::TextGet(10), 1, 100, (0.50, None)),
];

/// A `memcached` with one thread, as the proxies have.
struct Memcached {
    address: SocketAddr,
    child: Child,
}

impl Memcached {
    fn start(program: &Path, scratch: &Path) -> Result<Memcached> {
        let program = find(program)?;
        let address = free_address()?;
        let mut command = Command::new(program);
        // As root it needs the name of a user.
        command.args(["-u", "root", "-t", "1", "-m", "256", "-U", "0"]);
        command.args(["-l", "127.0.0.1", "-p", &address.port().to_string()]);
        let mut child = Child::start(command, scratch.join("memcached.log"))?;
        child
            .wait_ready(address, Protocol::Memcached.probe())
            .map_err(|e| format!("memcached {e}"))?;
        Ok(Memcached { address, child })
    }
}

/// Measures and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    _: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let store = Memcached::start(&args.memcached, scratch)?;
    let proxies: Vec<Proxy> = proxies.iter().filter_map(Proxy::before_memcached).collect();
    let task = Task {
        name: "memcache",
        place: " before memcached",
        workloads: WORKLOADS,
        store: (store.address, store.child.pid()),
    };
    compare(args, &task, &proxies, scratch, report)
}
