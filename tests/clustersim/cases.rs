//! Clusters in which something once went wrong, written by hand, step by step.

use crate::clustersim::link::Link;
use crate::clustersim::network::Far;
use crate::clustersim::plan::Plan;
use crate::clustersim::random::Random;
use crate::clustersim::resp;
use crate::clustersim::tag;
use crate::clustersim::world::World;
use dynomite::config::StoreKind;
use dynomite::consistency::Consistency;
use dynomite::node::Options;

/// A cluster in which nothing happens but what the test says.
struct Rig {
    world: World,
}

impl Rig {
    /// For each datacenter, for each rack, how many nodes.
    fn new(shape: &[&[usize]], options: Options) -> Rig {
        let plan = Plan::of(shape);
        let options = (0..plan.nodes.len())
            .map(|_| Options {
                hash_tag: Some(*b"{}"),
                mbuf_size: 512,
                ..options.clone()
            })
            .collect::<Vec<_>>();
        let mut world = World::of(plan, options, true, &mut Random::new(1), false);
        world.resting = true;
        let mut rig = Rig { world };
        for node in 0..rig.world.machines.len() {
            rig.world.switch_on(node);
        }
        rig.settle();
        // Attempts that came too early are repeated.
        rig.pass(2_000_000);
        rig
    }

    /// Turns until nothing happens by itself any more.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..10_000 {
            self.world.let_stores_act().unwrap();
            self.world.deliver();
            self.world.turns(true).unwrap();
            quiet = if self.world.is_quiet() { quiet + 1 } else { 0 };
            if quiet == 3 {
                return;
            }
        }
        panic!("no end of turns");
    }

    /// Lets time pass, with a turn at every deadline.
    fn pass(&mut self, us: u64) {
        let until = self.world.now.mono_us + us;
        while self.world.now.mono_us < until {
            let next = self.world.deadline().min(until);
            self.world.set_time(next);
            self.settle();
        }
    }

    fn client(&mut self, node: usize) -> usize {
        let link = Link::new(1 << 30, Random::new(3));
        let link = self.world.network.add(link, Far::Client, node);
        let machine = self.world.machines[node].as_mut().unwrap();
        machine.backlog.push(link);
        self.settle();
        link
    }

    /// Puts a request to a memcached on its way.
    fn say(&mut self, link: usize, text: &str) {
        self.world.network.links[link].flight.push(text.as_bytes());
        self.settle();
    }

    /// Puts a request on its way.
    fn post(&mut self, link: usize, words: &str) {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let bytes = resp::command(&args);
        self.world.network.links[link].flight.push(&bytes);
    }

    fn send(&mut self, link: usize, words: &str) {
        self.post(link, words);
        self.settle();
    }

    /// The replies that a client has received since the last time.
    fn received(&mut self, link: usize) -> String {
        let link = &mut self.world.network.links[link];
        let text = String::from_utf8_lossy(link.written.view()).into_owned();
        link.written.clear();
        text
    }

    fn assert_at_rest(&mut self) {
        assert_eq!(self.world.unrest(), []);
    }
}

/// When the reply that decided was also the last one, the request stayed for ever.
#[test]
fn a_client_that_leaves_before_a_quorum_leaves_nothing_behind() {
    for shape in [[1, 1].as_slice(), &[1], &[1, 1, 1]] {
        let mut rig = Rig::new(&[shape], Options::default());
        let client = rig.client(0);
        rig.send(client, "dyno_config:conn_consistency DC_QUORUM");
        for store in &mut rig.world.stores {
            store.server.stall();
        }
        rig.send(client, "SET {k}c0.0 v");
        rig.world.network.links[client].reset();
        rig.settle();
        for store in &mut rig.world.stores {
            store.calm_down();
        }
        rig.settle();
        for store in &rig.world.stores {
            assert!(store.answered((0, 0), "k").is_some());
        }
        rig.pass(2_000_000);
        rig.assert_at_rest();
    }
}

/// Three of four replies were a majority, though in this datacenter they were one of two.
#[test]
fn mget_has_a_majority_in_each_datacenter_or_none() {
    let mut rig = Rig::new(&[&[1, 1], &[1, 1]], Options::default());
    let values = ["old", "new", "new", "new"];
    for (store, value) in rig.world.stores.iter_mut().zip(values) {
        store.put("k", value);
        store.put("l", "same");
    }
    for node in 0..4 {
        let client = rig.client(node);
        rig.send(client, "dyno_config:conn_consistency DC_EACH_SAFE_QUORUM");
        rig.send(client, &format!("MGET {{k}}c{node}.0 {{l}}c{node}.0"));
        assert_eq!(
            rig.received(client),
            "+OK\r\n-ERR Dynomite: Failed to achieve Quorum\r\n"
        );
        rig.send(client, &format!("MGET {{l}}c{node}.1"));
        assert_eq!(rig.received(client), "*1\r\n$4\r\nsame\r\n");
    }
}

/// Both had as much under way as they may, had paused all reading, and waited for each other until time ran
/// out.
#[test]
fn two_nodes_do_not_wait_for_each_other() {
    let options = Options {
        max_msgs: 20,
        ..Options::default()
    };
    let mut rig = Rig::new(&[&[2]], options);
    let clients = [rig.client(0), rig.client(1)];
    let plan = rig.world.plan.clone();
    for (node, client) in clients.into_iter().enumerate() {
        // What the other one owns.
        let names = (0..).map(|n| format!("k{n}"));
        for name in names.filter(|name| !plan.owns(node, name)).take(64) {
            rig.post(client, &format!("GET {{{name}}}c{node}.0"));
        }
    }
    rig.settle();
    for client in clients {
        assert_eq!(rig.received(client), "$-1\r\n".repeat(64));
    }
}

/// A write at the head of the queue, which is granted more than twenty seconds, hid that nothing came at all.
#[test]
fn a_silent_peer_is_given_up_though_a_write_waits_for_it_first() {
    let mut rig = Rig::new(
        &[&[2]],
        Options {
            timeout_us: 400_000,
            ..Options::default()
        },
    );
    let plan = rig.world.plan.clone();
    let mut names = (0..).map(|n| format!("k{n}"));
    let name = names.find(|name| plan.owns(1, name)).unwrap();
    let client = rig.client(0);
    let until = rig.world.now.mono_us + 60_000_000;
    for link in 0..rig.world.network.links.len() {
        rig.world.network.silent.push((link, until));
    }
    rig.post(client, &format!("SET {{{name}}}c0.0 v"));
    rig.post(client, &format!("GET {{{name}}}c0.1"));
    rig.settle();
    rig.pass(2_000_000);
    let refused = "-ERR Peer: Peer Node refused connection\r\n";
    assert_eq!(rig.received(client), refused.repeat(2));
}

/// It was put on the connection to the datastore as if that were a peer, and was never answered.
#[test]
fn versions_lost_on_their_way_are_given_by_this_nodes_own_memcached() {
    let mut rig = Rig::new(
        &[&[1, 1]],
        Options {
            store: StoreKind::Memcache,
            ..Options::default()
        },
    );
    let client = rig.client(1);
    for store in &mut rig.world.stores {
        store.put("k", "v");
    }
    // The first rack's is asked, and is gone before it can answer.
    rig.world.stores[0].server.stall();
    rig.say(client, "gets {k}c0.0\r\n");
    rig.world.switch_off(0);
    rig.settle();
    let text = rig.received(client);
    assert!(
        text.starts_with("VALUE {k}c0.0 0 1 ") && text.ends_with("\r\nv\r\nEND\r\n"),
        "{text}"
    );
    rig.world.network.links[client].reset();
    rig.pass(2_000_000);
    rig.assert_at_rest();
}

/// A request that a quorum had answered was still on its way to this node's datastore, and its client's
/// next one took another connection.
#[test]
fn what_a_quorum_answered_early_is_not_overtaken() {
    let options = Options {
        datastore_connections: 2,
        write_consistency: Consistency::DcQuorum,
        ..Options::default()
    };
    let mut rig = Rig::new(&[&[2, 1, 1]], options);
    let plan = rig.world.plan.clone();
    let name = |owner: usize, from: usize| {
        let mut names = (from..).map(|n| format!("k{n}"));
        names.find(|name| plan.owns(owner, name)).unwrap()
    };
    rig.client(0);
    let client = rig.client(0);
    let theirs = name(1, 0);
    let (mut at, mut seq) = (0, 0);
    for _ in 0..20 {
        let ours = name(0, at);
        at = 1 + ours[1..].parse::<usize>().unwrap();
        // With a request of another owner under way, the connection is kept.
        rig.world.stores[0].server.stall();
        rig.post(client, &format!("SET {} v", tag::key(&theirs, (1, seq))));
        rig.post(client, &format!("SET {} v", tag::key(&ours, (1, seq + 1))));
        rig.settle();
        assert_eq!(rig.received(client), "+OK\r\n+OK\r\n");
        rig.post(client, &format!("SET {} w", tag::key(&ours, (1, seq + 2))));
        rig.settle();
        rig.world.stores[0].calm_down();
        rig.settle();
        rig.received(client);
        let order = |seq| rig.world.stores[0].done((1, seq), &ours).unwrap().order;
        assert!(order(seq + 1) < order(seq + 2));
        seq += 3;
    }
}
