//! Connections to a node's peer port that do not come from peers.

use super::{at_level, expect};
use crate::common::{PATIENCE, Plan};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// More than there are places.
const CROWD: usize = 4200;

fn open(addr: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn is_closed(mut stream: &TcpStream) -> bool {
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// A member that was restarted could not come back: strangers held every place, and took it again when
/// one was closed. Writes through it got no quorum.
#[test]
fn a_restarted_member_comes_back_among_silent_strangers() {
    let files = dynomite::process::limits::raise_nofile();
    if files < 2 * CROWD as u64 {
        eprintln!("skipped: only {files} open files are allowed");
        return;
    }
    let mut cluster = Plan::of(1, 2, 1).start();
    let port = cluster.members[0].addresses.peers;
    cluster.kill(1);
    let over = AtomicBool::new(false);
    let mut crowd: Vec<TcpStream> = (0..CROWD).filter_map(|_| open(port)).collect();
    std::thread::scope(|scope| {
        let reopening = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for stream in crowd.iter_mut().filter(|stream| is_closed(stream)) {
                    if let Some(again) = open(port) {
                        *stream = again;
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        cluster.start_node(1);
        let mut client = at_level(cluster.client(1), "DC_QUORUM");
        let deadline = Instant::now() + PATIENCE;
        while client.ask("set k v") != b"+OK\r\n" {
            assert!(Instant::now() < deadline, "no write gets its quorum");
        }
        for n in 0..100 {
            expect(&mut client, &format!("set k{n} v"), "+OK\r\n");
        }
        over.store(true, Ordering::Relaxed);
        reopening.join().expect("the crowd");
    });
    let node = cluster.members[0].node();
    assert!(node.stat("peers_evicted") > 0);
}
