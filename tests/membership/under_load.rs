//! Changes of the members while clients are served.

use crate::common::Client;
use crate::membership::world::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

const HALF: u32 = 1 << 31;

/// Clients that write and read until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// At `DC_ONE` writes and reads; at another level writes only, since a node that has just come
    /// lacks what was written before.
    fn start(clients: Vec<(Client, &'static str)>) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let clients = clients
            .into_iter()
            .enumerate()
            .map(|(n, (mut client, level))| {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                std::thread::spawn(move || {
                    let set = client.ask(&format!("dyno_config:conn_consistency {level}"));
                    assert_eq!(set, b"+OK\r\n");
                    let mut wrong = Vec::new();
                    for turn in 0.. {
                        if stop.load(Ordering::Relaxed) || wrong.len() > 10 {
                            break;
                        }
                        let mut lines = vec![format!("set load:{n}:{turn} {turn}")];
                        if level == "DC_ONE" {
                            lines.push(format!("get load:{n}:{turn}"));
                        }
                        for line in lines {
                            let reply = client.ask(&line);
                            if reply.starts_with(b"-") {
                                let reply = String::from_utf8_lossy(&reply);
                                wrong.push(format!("{level} {line}: {reply}"));
                            }
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    wrong
                })
            })
            .collect();
        Load {
            stop,
            done,
            clients,
        }
    }

    /// Waits until some more has been served.
    #[track_caller]
    fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        crate::common::eventually("requests are served", || {
            self.done.load(Ordering::Relaxed) >= before + 50
        });
    }

    /// Stops it: what went wrong.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let clients = self.clients.into_iter();
        clients
            .flat_map(|client| client.join().expect("a client's connection lives"))
            .collect()
    }
}

#[test]
fn item_13_no_change_of_the_members_fails_a_request() {
    let mut world = World::new().with_cluster(&[("dc1", "r1", 0), ("dc1", "r2", 0)]);
    let load = Load::start(vec![
        (world.client(0), "DC_ONE"),
        (world.client(1), "DC_ONE"),
        (world.client(0), "DC_QUORUM"),
    ]);
    load.goes_on();

    // A node joins, moves, and leaves; then a rack; then a datacenter.
    let node = world.spot("dc1", "r1", HALF);
    world.start(node);
    world.list(&[0, 1, node]);
    world.await_nodes(&[0, 1], 3);
    load.goes_on();

    let old = world.start_elsewhere(node).expect("it ran");
    world.list(&[0, 1, node]);
    for n in [0, 1] {
        let address = world.spots[node].at.peers;
        world.logged(n, &format!("is now at {address}"));
        world
            .node(n)
            .await_stat("peer_connections", |peers| peers == 2);
    }
    load.goes_on();
    assert!(old.stop().success());
    load.goes_on();

    let rack = world.spot("dc1", "r3", 0);
    world.start(rack);
    world.list(&[0, 1, node, rack]);
    world.await_nodes(&[0, 1], 4);
    load.goes_on();

    let far = world.spot("dc2", "r1", 0);
    world.start(far);
    world.list(&[0, 1, node, rack, far]);
    world.await_nodes(&[0, 1], 5);
    load.goes_on();

    let mut left = vec![0, 1, node, rack, far];
    for gone in [node, rack, far] {
        left.retain(|n| *n != gone);
        world.list(&left);
        world.await_nodes(&[0, 1], left.len());
        load.goes_on();
        let process = world.spots[gone].node.take().expect("it runs");
        assert!(process.stop().success());
        load.goes_on();
    }
    let wrong = load.stop();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn item_13_a_new_node_that_cannot_be_reached_fails_no_read() {
    let mut world = World::new().with_cluster(&[("dc1", "r1", 0), ("dc1", "r2", 0)]);
    let load = Load::start(vec![(world.client(1), "DC_ONE")]);
    load.goes_on();
    // It takes over half of rack r1 in the list, and never comes.
    let node = world.spot("dc1", "r1", HALF);
    world.list(&[0, 1, node]);
    world.await_nodes(&[1], 3);
    load.goes_on();
    load.goes_on();
    let wrong = load.stop();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
