//! The store all proxies of a run share.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::args::find;
use crate::child::{Child, free_address};

/// A `redis-server` without persistence.
pub struct Redis {
    pub address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts `program` on a free port of the loopback.
    pub fn start(program: &Path, scratch: &Path) -> Result<Redis> {
        let program = find(program)?;
        let address = free_address()?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "1000"]);
        command.arg("--dir").arg(scratch);
        let mut child = Child::start(command, scratch.join("redis.log"))?;
        child
            .wait_ready(address)
            .map_err(|e| format!("redis-server {e}"))?;
        Ok(Redis { address, child })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }
}
