//! The members of a cluster that is measured: one node per rack, each in front of a store of its own.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Result;
use crate::child::{Child, free_address_on, write_file};
use crate::proxy::{Protocol, Proxy};
use crate::redis::Redis;

/// How long the members may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shape of a cluster.
pub struct Layout {
    /// Two words for a table.
    pub name: &'static str,
    /// Racks in each datacenter, one node in each rack.
    pub racks: &'static [usize],
    /// Of reads and of writes.
    pub consistency: &'static str,
    /// Whether what goes to another datacenter is encrypted.
    pub encrypted: bool,
}

impl Layout {
    /// Number of nodes, and of stores.
    pub fn nodes(&self) -> usize {
        self.racks.iter().sum()
    }
}

/// Where a member is and listens.
struct Place {
    dc: String,
    rack: String,
    client: SocketAddr,
    peer: SocketAddr,
    stats: SocketAddr,
}

/// A cluster of one kind of proxy, up and connected.
pub struct Members {
    /// The clients' address of the first node, through which everything goes.
    pub coordinator: SocketAddr,
    nodes: Vec<Child>,
}

impl Members {
    /// Starts the nodes on free ports of 127.0.0.1, 127.0.0.2, ... and waits until a write at the first is
    /// answered and in every store. `key` is the file that peers share.
    pub fn start(
        proxy: &Proxy,
        layout: &Layout,
        stores: &[Redis],
        key: &Path,
        scratch: &Path,
    ) -> Result<Members> {
        // Between finding a free port and listening on it another process may take it.
        let mut last = String::new();
        for _ in 0..3 {
            match Members::try_start(proxy, layout, stores, key, scratch) {
                Ok(members) => return Ok(members),
                Err(reason) => last = reason,
            }
        }
        Err(format!("{}: {last}", proxy.name))
    }

    fn try_start(
        proxy: &Proxy,
        layout: &Layout,
        stores: &[Redis],
        key: &Path,
        scratch: &Path,
    ) -> Result<Members> {
        let places = places(layout)?;
        let coordinator = places.first().ok_or("a layout without nodes")?.client;
        let mut nodes = Vec::new();
        for (number, (place, store)) in places.iter().zip(stores).enumerate() {
            let name = format!("{}-{number}", proxy.name);
            let text = configuration(layout, &places, place, store.address, key);
            let file = write_file(scratch, &format!("{name}.yml"), &text)?;
            let mut command = Command::new(proxy.path());
            command.arg("-c").arg(file);
            command.arg("-o").arg(scratch.join(format!("{name}.log")));
            command.current_dir(scratch);
            nodes.push(Child::start(command, scratch.join(format!("{name}.out")))?);
        }
        for (node, place) in nodes.iter_mut().zip(&places) {
            node.wait_ready(place.client, Protocol::Redis.probe())?;
        }
        let mut members = Members { coordinator, nodes };
        members.wait_connected(stores)?;
        Ok(members)
    }

    /// Waits until a write through the coordinator is in every store.
    fn wait_connected(&mut self, stores: &[Redis]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let key = format!("connected:{}", self.coordinator.port());
        for store in stores {
            store.ask(&["DEL", &key])?;
        }
        loop {
            if let Some(first) = self.nodes.first_mut() {
                first.wait_ready(self.coordinator, Protocol::Redis.probe())?;
            }
            crate::redis::ask(self.coordinator, &["SET", &key, "1"])?;
            let mut everywhere = true;
            for store in stores {
                everywhere &= store.ask(&["EXISTS", &key])? == ":1\r\n";
            }
            if everywhere {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("no write reached all stores in {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process of the coordinator, then those of the others.
    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().map(Child::pid).collect()
    }
}

fn places(layout: &Layout) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for (dc, racks) in layout.racks.iter().enumerate() {
        for rack in 1..=*racks {
            let host = u8::try_from(places.len() + 1).map_err(|_| "too many nodes")?;
            let free = || free_address_on(Ipv4Addr::new(127, 0, 0, host));
            places.push(Place {
                dc: format!("dc{}", dc + 1),
                rack: format!("rack{rack}"),
                client: free()?,
                peer: free()?,
                stats: free()?,
            });
        }
    }
    Ok(places)
}

fn configuration(
    layout: &Layout,
    places: &[Place],
    me: &Place,
    store: SocketAddr,
    key: &Path,
) -> String {
    let (client, peer, stats) = (me.client, me.peer, me.stats);
    let (dc, rack, consistency) = (&me.dc, &me.rack, layout.consistency);
    let secure = if layout.encrypted {
        "datacenter"
    } else {
        "none"
    };
    let mut text = format!(
        "dyn_o_mite:\n  datacenter: {dc}\n  rack: {rack}\n  listen: {client}\n  dyn_listen: {peer}\n  \
         stats_listen: {stats}\n  tokens: '437425602'\n  servers:\n  - {store}:1\n  timeout: 60000\n  \
         data_store: 0\n  enable_gossip: false\n  read_consistency: {consistency}\n  \
         write_consistency: {consistency}\n  secure_server_option: {secure}\n  pem_key_file: {}\n",
        key.display()
    );
    text += "  dyn_seeds:\n";
    for place in places.iter().filter(|place| place.peer != me.peer) {
        let _ = writeln!(
            text,
            "  - {}:{}:{}:437425602",
            place.peer, place.rack, place.dc
        );
    }
    text
}

/// Makes the key that encrypting peers share: 1024 bits, as the C original takes no other.
pub fn make_key(scratch: &Path) -> Result<PathBuf> {
    let key = scratch.join("peers.pem");
    // Before version 3, openssl writes the traditional form without being told, and does not know the word.
    for form in [&["-traditional"][..], &[]] {
        let mut command = Command::new("openssl");
        command
            .arg("genrsa")
            .args(form)
            .arg("-out")
            .arg(&key)
            .arg("1024");
        let output = command
            .output()
            .map_err(|e| format!("cannot start openssl: {e}"))?;
        if output.status.success() {
            return Ok(key);
        }
    }
    Err("openssl genrsa makes no key".to_string())
}
