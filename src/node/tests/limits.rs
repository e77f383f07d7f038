//! What is bounded, and that one who goes to the bound stops nobody else.

use super::{ME, Rig, THREE_RACKS, encoded, key_of};
use crate::config::StoreKind;
use crate::node::{ConnId, Kind, Next, Options, limits};
use crate::proto::dnode::{self, VERSION_ORIGINAL};

/// Two nodes of one rack, which is all there is.
const ONE_RACK: [&str; 2] = ["a d r 0", "b d r 2147483648"];
const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";
const REFUSED: &str = "-ERR Peer: Peer Node refused connection\r\n";

impl Rig {
    /// Bytes arrive from anybody. Whether they were taken.
    pub fn offers(&mut self, conn: ConnId, bytes: &[u8]) -> bool {
        let mut reader = bytes;
        while !reader.is_empty() && self.node.knows(conn) {
            if self.node.receive(conn, self.now, &mut reader) == Next::Paused {
                self.turn();
                return false;
            }
        }
        self.turn();
        true
    }

    /// These bytes come from a node this one has connected to.
    pub fn babbles(&mut self, node: u16, bytes: &[u8]) {
        let conn = self.asked(node).conn;
        self.offers(conn, bytes);
    }

    /// The connection to a node.
    fn conn_of(&mut self, node: u16) -> ConnId {
        self.asked(node).conn
    }

    /// A node loses its oldest request.
    fn skips(&mut self, node: u16) {
        self.asked(node).waiting.pop_front().unwrap();
    }

    /// A peer connects to this node.
    pub fn peer(&mut self) -> ConnId {
        let accepted = self.node.accepted(Kind::DnodeClient, None, self.now);
        accepted.unwrap()
    }

    pub fn is_there(&self, conn: ConnId) -> bool {
        self.node.knows(conn)
    }

    /// Time passes with a look at the clock each second.
    pub fn wait_secs(&mut self, secs: u64) {
        for _ in 0..secs {
            self.wait(1000);
        }
    }
}

/// The same from another datacenter, to be passed on in this one, by a C node.
pub fn message_to_all(id: u64, payload: &[u8]) -> Vec<u8> {
    message_to_all_by(VERSION_ORIGINAL, id, payload)
}

/// The same by a node that writes this version.
pub fn message_to_all_by(version: u32, id: u64, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = format!("   $2014$ {id} 4 0 {version} 0 *1 d *{length}\r\n");
    [head.as_bytes(), payload].concat()
}

/// A message as a peer sends it.
pub fn message(id: u64, payload: &[u8]) -> Vec<u8> {
    message_as(dnode::VERSION_ORIGINAL, id, payload)
}

/// The same of this version.
fn message_as(version: u32, id: u64, payload: &[u8]) -> Vec<u8> {
    let head = format!("   $2014$ {id} 3 0 {version} 1 *1 d *{}\r\n", payload.len());
    [head.as_bytes(), payload].concat()
}

/// It went on to the datastore as a `get`, and spoilt the hit rate by a miss for each connection.
#[test]
fn who_asks_a_peer_who_it_is_troubles_no_memcached() {
    let options = Options {
        store: StoreKind::Memcache,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let old = &b"get dynomite-peer\r\n"[..];
    let refusal = "CLIENT_ERROR invalid numeric delta argument\r\n";
    for (question, answer) in [
        (&b"incr dynomite-peer -1\r\n"[..], refusal),
        (old, "END\r\n"),
    ] {
        let peer = rig.peer();
        rig.offers(peer, &message_as(dnode::VERSION, 1, question));
        rig.turn();
        assert!(rig.hears(peer).ends_with(answer));
        assert_eq!(rig.sees(ME), [""; 0]);
    }
    // Behind another message, or from a C node, it is a client's.
    let peer = rig.peer();
    rig.offers(peer, &message_as(dnode::VERSION, 1, b"get k\r\n"));
    rig.offers(peer, &message_as(dnode::VERSION, 2, old));
    let original = rig.peer();
    rig.offers(original, &message(1, old));
    rig.turn();
    let asked = ["get k", "get dynomite-peer", "get dynomite-peer"];
    assert_eq!(rig.sees(ME), asked);
    for _ in asked {
        rig.says(ME, "END\r\n");
    }
    rig.assert_at_rest();
}

/// Copies for peers that were stopped filled `max_msgs`, and all clients waited until they were given up.
#[test]
fn stopped_peers_do_not_use_up_the_requests_of_others() {
    let options = Options {
        max_msgs: 300,
        ..Options::default()
    };
    for (level, answering) in [("DC_ONE", &[ME][..]), ("DC_QUORUM", &[ME, 1])] {
        let mut rig = Rig::new(&THREE_RACKS, options.clone());
        let client = rig.client();
        rig.asks(client, &[&format!("dyno_config:conn_consistency {level}")]);
        rig.hears(client);
        let (set, start) = (encoded("SET k v"), rig.now);
        for n in 0..1000 {
            while !rig.offers(client, &set) {
                rig.wait(100);
                let waited = rig.now.mono_us - start.mono_us;
                assert!(waited < 2_000_000, "request {n} at {level}");
            }
            for node in answering {
                rig.says(*node, "+OK\r\n");
            }
            assert_eq!(rig.hears(client), "+OK\r\n");
        }
        rig.wait(60_000);
        assert!(
            rig.node.flight.msgs.len() < 10,
            "{level}: {}",
            rig.node.flight.msgs.len()
        );
    }
}

/// A peer that takes a little now and then would hold up clients that can do without it.
#[test]
fn only_a_peer_that_takes_its_long_queue_in_good_time_is_waited_for() {
    let options = Options {
        timeout_us: 60_000_000,
        ..Options::default()
    };
    for (bytes, is_waited_for) in [
        (0, false),
        (limits::FLOW / 40, false),
        (limits::FLOW / 5, true),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, options.clone());
        let (feeder, client) = (rig.client(), rig.client());
        let slow = rig.conn_of(1);
        rig.deaf.push(slow);
        let set = encoded(&format!(
            "SET k {}",
            "v".repeat(limits::UPSTREAM_QUEUE * 3 / 4)
        ));
        for _ in 0..2 {
            rig.offers(feeder, &set);
            rig.says(ME, "+OK\r\n");
            rig.says(2, "+OK\r\n");
        }
        // Whatever it took at first.
        rig.takes(1, limits::FLOW);
        let get = encoded("GET k");
        assert!(!rig.offers(client, &get), "the queue is long");
        for _ in 0..limits::STALLED_US / 50_000 {
            rig.wait(100);
            rig.takes(1, bytes);
        }
        let other = rig.client();
        assert_eq!(!rig.offers(other, &get), is_waited_for, "{bytes}");
    }
}

/// A peer that answers nothing and never falls silent was kept for ever with everything it was asked, until
/// all clients waited.
#[test]
fn a_peer_that_says_much_and_answers_nothing_is_given_up() {
    let options = Options {
        max_msgs: 300,
        timeout_us: 100_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let client = rig.client();
    let get = encoded(&format!("GET {}", key_of(&rig, 1)));
    for unasked in [
        &b"    "[..],
        b"   $2014$ 18446744073709551615 5 0 2 1 *1 d *5\r\n+OK\r\n",
    ] {
        let before = rig.node.operator().peers(rig.now)[0].stats.lost_timeout;
        let mut refused = 0;
        for _ in 0..400 {
            rig.babbles(1, unasked);
            assert!(rig.offers(client, &get), "nobody waits");
            rig.wait(10);
            refused += rig.hears(client).matches(REFUSED).count();
            if rig.node.operator().peers(rig.now)[0].stats.lost_timeout > before {
                break;
            }
        }
        assert!(refused > 0);
        assert_eq!(
            rig.node.operator().peers(rig.now)[0].stats.lost_timeout,
            before + 1
        );
        rig.hears(client);
        rig.wait(3000);
        rig.says(1, "+PONG\r\n");
    }
    rig.wait(3000);
    rig.assert_at_rest();
}

/// A stranger could send garbage for ever, as fast as this node reads.
#[test]
fn a_connection_with_too_much_garbage_is_closed() {
    for garbage in [
        vec![b'x'; 1 << 20],
        format!(
            "   $2014$ 1 9 0 1 1 *1 d *{}\r\n{}",
            1 << 20,
            "x".repeat(1 << 20)
        )
        .into_bytes(),
    ] {
        let mut rig = Rig::new(&ONE_RACK, Options::default());
        let peer = rig.peer();
        let most = dnode::MAX_GARBAGE >> 20;
        for _ in 0..3 {
            for _ in 0..most - 1 {
                rig.offers(peer, &garbage);
            }
            // A message shows that it was worth the while.
            rig.offers(peer, &message(1, &encoded("PING")));
            assert!(rig.is_there(peer));
        }
        for _ in 0..=most {
            if rig.is_there(peer) {
                rig.offers(peer, &garbage);
            }
        }
        assert!(!rig.is_there(peer));
    }
}

/// Each such reply was looked for among all requests that wait.
#[test]
fn a_peer_that_answers_what_nobody_asked_is_closed() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let reply = b"   $2014$ 1 5 0 2 1 *1 d *5\r\n+OK\r\n";
    for _ in 0..limits::UNASKED {
        rig.babbles(1, reply);
    }
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.up, 1);
    rig.babbles(1, reply);
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.up, 0);
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.lost_error, 1);
}

/// What a C node had left out stayed for ever, as replies to later requests went on coming.
#[test]
fn what_a_c_node_leaves_out_is_forgotten() {
    let options = Options {
        timeout_us: 100_000,
        ..Options::default()
    };
    let mut rig = Rig::beside(&ONE_RACK, &[1], options);
    let client = rig.client();
    let get = format!("GET {}", key_of(&rig, 1));
    for _ in 0..3 {
        rig.asks(client, &[&get, &get, &get]);
        rig.skips(1);
        rig.says_as(1, dnode::VERSION_ORIGINAL, "$1\r\na\r\n");
        rig.wait(299);
        assert_eq!(rig.hears(client), "", "the first may still be answered");
        rig.wait(1);
        assert_eq!(rig.hears(client), format!("{REFUSED}$1\r\na\r\n{REFUSED}"));
        // Late, and in its turn.
        rig.says_as(1, dnode::VERSION_ORIGINAL, "$1\r\nb\r\n");
        rig.assert_at_rest();
    }
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.lost_timeout, 0);
}

/// A peer that was stopped counted as there whenever the kernel had taken another connection for it: every
/// other time requests waited for it in vain.
#[test]
fn a_peer_that_never_says_a_word_is_not_used() {
    let options = Options {
        timeout_us: 1_000_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let client = rig.client();
    let get = encoded(&format!("GET {}", key_of(&rig, 1)));
    rig.loses(1);
    let start = rig.now.mono_us;
    let mut attempts = Vec::new();
    let mut generation = 0;
    while rig.now.mono_us < start + 60_000_000 {
        rig.wait(100);
        let conn = rig.asked(1).conn;
        if std::mem::replace(&mut generation, conn.generation) != conn.generation {
            attempts.push((rig.now.mono_us - start) / 1_000_000);
        }
        assert!(rig.offers(client, &get));
        assert_eq!(rig.hears(client), NOT_CONNECTED);
    }
    // The one that was lost, and seven more: each is given up after 1.2 s, the waits are those after a
    // refusal.
    assert_eq!(attempts.len(), 8, "{attempts:?}");
    rig.skips(1);
    rig.wait(12_000);
    rig.says(1, "+PONG\r\n");
    rig.offers(client, &get);
    rig.says(1, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "$1\r\nv\r\n");
}

/// Replies that waited for a slow one were not counted: a client could have four thousand of any size.
#[test]
fn replies_that_wait_for_an_earlier_one_count_as_untaken() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let client = rig.client();
    let (slow, quick) = (key_of(&rig, 1), key_of(&rig, ME));
    rig.asks(client, &[&format!("GET {slow}")]);
    let get = encoded(&format!("GET {quick}"));
    let value = format!("${}\r\n{}\r\n", 1 << 20, "v".repeat(1 << 20));
    let mut count = 0;
    while rig.offers(client, &get) {
        rig.says(ME, &value);
        count += 1;
        assert!(count <= limits::CLIENT_OUT >> 20, "{count}");
    }
    assert!(count >= (limits::CLIENT_OUT >> 20) - 1, "{count}");
    rig.says(1, "$-1\r\n");
    assert_eq!(rig.hears(client), format!("$-1\r\n{}", value.repeat(count)));
    assert!(rig.offers(client, &get), "all is taken");
    rig.says(ME, "$-1\r\n");
    rig.assert_at_rest();
}

/// Who had asked for all of it in one write was never found not to read: nothing more came to be refused.
#[test]
fn a_client_that_asks_once_for_much_and_reads_nothing_is_closed() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let (client, modest) = (rig.client(), rig.client());
    rig.deaf = vec![client, modest];
    let get = format!("GET {}", key_of(&rig, ME));
    let value = format!("${}\r\n{}\r\n", 1 << 20, "v".repeat(1 << 20));
    rig.asks(client, &[get.as_str(); 20]);
    rig.asks(modest, &[&get]);
    for _ in 0..21 {
        rig.says(ME, &value);
    }
    rig.wait_secs(limits::UNREAD_US / 1_000_000 - 1);
    assert!(rig.is_there(client));
    rig.wait_secs(2);
    assert!(!rig.is_there(client) && rig.is_there(modest));
}

/// Nobody looked after them: they held their replies for as long as they liked.
#[test]
fn a_peer_that_does_not_read_its_replies_is_closed() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let peer = rig.peer();
    rig.deaf.push(peer);
    let value = format!("${}\r\n{}\r\n", 1 << 20, "v".repeat(1 << 20));
    let mut id = 0;
    while rig.offers(peer, &message(id, &encoded("GET k"))) {
        rig.says(ME, &value);
        id += 1;
    }
    assert_eq!(id as usize, limits::CLIENT_OUT >> 20);
    let quiet = limits::PEER_QUIET_US / 1_000_000;
    rig.wait_secs(quiet - 1);
    assert!(rig.is_there(peer));
    rig.wait_secs(2);
    assert!(!rig.is_there(peer));
    rig.assert_at_rest();
    assert!(rig.node.pool.in_use() < 8, "{}", rig.node.pool.in_use());
}

#[test]
fn a_peer_that_falls_silent_in_the_middle_of_a_message_is_closed() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let (quiet, slow, idle) = (rig.peer(), rig.peer(), rig.peer());
    let set = message(1, &encoded(&format!("SET k {}", "v".repeat(100_000))));
    for peer in [quiet, slow] {
        rig.offers(peer, &set[..50_000]);
    }
    // Half a header holds no memory.
    rig.offers(idle, b"   $2014$ 1 3 ");
    for second in 0..2 * limits::PEER_QUIET_US / 1_000_000 {
        rig.wait(1000);
        if second % 30 == 29 {
            let at = 50_000 + second as usize;
            rig.offers(slow, &set[at - 29..=at]);
        }
    }
    assert!(!rig.is_there(quiet) && rig.is_there(slow) && rig.is_there(idle));
}

/// With requests under way at each look, nobody made room: those who read nothing kept all memory, and
/// those who had waited for some went on waiting.
#[test]
fn memory_at_its_limit_is_freed_though_requests_are_under_way() {
    let options = Options {
        max_msgs: 40,
        mbuf_size: 512,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let (deaf, client, peer) = (rig.client(), rig.client(), rig.peer());
    rig.deaf.push(deaf);
    let echo = encoded(&format!("ECHO {}", "e".repeat(12_000)));
    rig.offers(deaf, &echo);
    rig.offers(deaf, &echo);
    assert!(rig.node.pool.is_strained() && !rig.node.pool.is_overfull());
    let get = encoded("ECHO a");
    assert!(!rig.offers(client, &get));
    let mut id = 0;
    let mut waited = 0;
    while !rig.offers(client, &get) {
        // A peer always has something under way.
        rig.offers(peer, &message(id, &encoded("GET k")));
        rig.wait(1000);
        rig.says(ME, "$-1\r\n");
        id += 1;
        waited += 1;
        assert!(waited < 30);
    }
    assert!(!rig.is_there(deaf));
    assert_eq!(rig.hears(client), "$1\r\na\r\n");
}

/// Requests let in before the limit bring their replies all the same.
#[test]
fn at_twice_the_memory_whoever_holds_the_most_loses_it() {
    let options = Options {
        max_msgs: 2000,
        mbuf_size: 512,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let fronts = [rig.client(), rig.client(), rig.client()];
    let key = key_of(&rig, ME);
    for client in fronts {
        rig.deaf.push(client);
        rig.asks(client, &vec![format!("GET {key}").as_str(); 30]);
    }
    let value = format!("${}\r\n{}\r\n", 50_000, "v".repeat(50_000));
    for _ in 0..90 {
        rig.says(ME, &value);
        let most = 2 * 2000 + 300;
        assert!(rig.node.pool.in_use() < most, "{}", rig.node.pool.in_use());
    }
    assert_eq!(
        fronts.map(|client| rig.is_there(client)),
        [false, false, true]
    );
}

/// It has to ask that C node, and a peer that only wants this node's datastore does not.
#[test]
fn a_peer_waits_for_a_c_node_only_if_it_is_of_another_datacenter() {
    let members = ["a d r1 0", "b d r2 0", "c e r1 0"];
    let mut rig = Rig::beside(&members, &[1], Options::default());
    let (near, far) = (rig.peer(), rig.peer());
    let request = encoded("set k v");
    let mut id = 0;
    while rig.offers(far, &message_to_all(id, &request)) {
        id += 1;
        assert!(id < 10_000, "it never waits");
        rig.says(ME, "+OK\r\n");
        assert!(rig.offers(near, &message(id, &request)));
        rig.says(ME, "+OK\r\n");
    }
    assert!(rig.offers(near, &message(id, &request)));
    // It is read again when the C node has answered.
    for _ in 0..rig.kinds(1).len() {
        rig.says_as(1, dnode::VERSION_ORIGINAL, "+OK\r\n");
    }
    assert!(rig.offers(far, &message_to_all(id, &request)));
}
