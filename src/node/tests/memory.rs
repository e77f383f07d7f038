//! Connections that hold much memory do not keep others waiting.

use super::limits::message;
use super::{ME, Rig, encoded, key_of};
use crate::node::{ConnId, Options, limits};

const ONE_RACK: [&str; 2] = ["a d r 0", "b d r 2147483648"];
const OUT_OF_BUFFERS: &str = "-ERR Dynomite: out of buffers\r\n";

/// 102 MB of memory.
fn rig() -> Rig {
    let options = Options {
        max_msgs: 6250,
        mbuf_size: 16_384,
        timeout_us: 60_000_000,
        ..Options::default()
    };
    Rig::new(&ONE_RACK, options)
}

fn rig_of_megabytes(megabytes: usize) -> Rig {
    let options = Options {
        max_msgs: megabytes << 20 >> 14,
        ..Options::default()
    };
    Rig::new(&ONE_RACK, options)
}

/// The beginning of a write of which so many bytes are announced.
fn begun(announced: usize, sent: usize) -> Vec<u8> {
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${announced}\r\n");
    [head.as_bytes(), &vec![b'v'; sent]].concat()
}

impl Rig {
    /// Asks for something small and gets it at once.
    #[track_caller]
    fn expect_served(&mut self, client: ConnId) {
        assert!(self.offers(client, &encoded(&format!("GET {}", key_of(self, ME)))));
        self.says(ME, "$1\r\nv\r\n");
        assert_eq!(self.hears(client), "$1\r\nv\r\n");
    }
}

/// Twenty clients with 5 MB each of a large request used up the memory: others got ten replies in a
/// minute.
#[test]
fn unfinished_requests_do_not_starve_small_ones() {
    let mut rig = rig();
    let small = rig.client();
    let large: Vec<ConnId> = (0..20).map(|_| rig.client()).collect();
    for client in &large {
        rig.offers(*client, &begun(50 << 20, 5 << 20));
    }
    // Those that wait for memory are known to be woken.
    rig.node.check().unwrap();
    for _ in 0..60 {
        rig.expect_served(small);
        rig.wait(100);
    }
    let later = rig.client();
    rig.expect_served(later);
    assert!(!rig.node.pool.is_strained());
    // One at a time has lost what it held, so that the others could go on.
    let refused = large.iter().filter(|of| rig.hears(**of) == OUT_OF_BUFFERS);
    let refused = refused.count();
    assert!((1..20).contains(&refused), "{refused}");
}

/// What can never be held was taken in until the memory was full.
#[test]
fn a_request_larger_than_the_memory_is_refused_when_it_is_announced() {
    let mut rig = rig();
    let client = rig.client();
    rig.offers(client, &begun(500 << 20, 1000));
    assert_eq!(rig.hears(client), OUT_OF_BUFFERS);
    assert!(!rig.is_there(client));
    let client = rig.client();
    rig.offers(client, &begun(70 << 20, 1000));
    assert_eq!(rig.hears(client), "");
    assert!(rig.is_there(client));
}

/// Alone, a connection may have most of the memory.
#[test]
fn a_large_request_is_served_when_there_is_room() {
    let options = Options {
        max_msgs: 625,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let client = rig.client();
    let value = "v".repeat(7 << 20);
    let set = encoded(&format!("SET {} {value}", key_of(&rig, ME)));
    assert!(rig.offers(client, &set));
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
}

/// Thirty connections of peers with 5 MB each of an unfinished message kept clients waiting for 16 s.
#[test]
fn unfinished_messages_of_peers_do_not_starve_clients() {
    let mut rig = rig();
    let small = rig.client();
    for id in 0..30 {
        let peer = rig.peer();
        let head = format!("   $2014$ {id} 3 0 1 1 *1 d *{}\r\n", 50 << 20);
        rig.offers(
            peer,
            &[head.as_bytes(), &begun((50 << 20) - 40, 5 << 20)].concat(),
        );
    }
    assert!(rig.node.pool.is_strained());
    for _ in 0..60 {
        rig.expect_served(small);
        rig.wait(100);
    }
    let peer = rig.peer();
    assert!(rig.offers(peer, &message(99, &encoded("GET k"))));
    assert_eq!(rig.sees(ME), ["GET k"]);
}

/// A few bytes kept a whole block in use: twenty-four clients that did not read used up all there are,
/// and somebody else was told so.
#[test]
fn small_replies_that_nobody_takes_do_not_use_up_the_blocks() {
    let options = Options {
        max_msgs: 10_000,
        mbuf_size: 512,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let get = encoded(&format!("GET {}", key_of(&rig, ME)));
    let deaf: Vec<ConnId> = (0..24).map(|_| rig.client()).collect();
    rig.deaf.clone_from(&deaf);
    let busy = rig.client();
    let filler = format!("$400\r\n{}\r\n", "f".repeat(400));
    for _ in 0..400 {
        for client in &deaf {
            // The rest of the block that its reply comes in is somebody else's.
            rig.offers(*client, &get);
            rig.offers(busy, &get);
            rig.says_both("$1\r\nv\r\n", &filler);
            rig.hears(busy);
        }
    }
    let used = rig.node.pool.in_use();
    assert!(used < 24 * 300, "{used}");
    rig.wait(1000);
    let used = rig.node.pool.in_use();
    assert!(used < 400, "{used}");
    assert!(deaf.iter().all(|of| rig.is_there(*of)));
}

/// The same replies behind one that does not come.
#[test]
fn small_replies_that_wait_for_an_earlier_one_do_not_use_up_the_blocks() {
    let options = Options {
        max_msgs: 10_000,
        mbuf_size: 512,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let (slow, quick) = (key_of(&rig, 1), key_of(&rig, ME));
    let (waiting, busy) = (rig.client(), rig.client());
    rig.asks(waiting, &[&format!("GET {slow}")]);
    let get = encoded(&format!("GET {quick}"));
    let filler = format!("$400\r\n{}\r\n", "f".repeat(400));
    for _ in 0..1000 {
        rig.offers(waiting, &get);
        rig.offers(busy, &get);
        rig.says_both("$1\r\nv\r\n", &filler);
        rig.hears(busy);
    }
    let used = rig.node.pool.in_use();
    assert!(used < 100, "{used}");
    rig.says(1, "$-1\r\n");
    assert_eq!(
        rig.hears(waiting),
        format!("$-1\r\n{}", "$1\r\nv\r\n".repeat(1000))
    );
}

/// Whoever holds the most blocks has to go, however few bytes are in them.
#[test]
fn the_victim_is_who_keeps_the_most_blocks_in_use() {
    let options = Options {
        max_msgs: 400,
        mbuf_size: 16_384,
        ..Options::default()
    };
    let mut rig = Rig::new(&ONE_RACK, options);
    let key = key_of(&rig, ME);
    let (guilty, innocent, another) = (rig.client(), rig.client(), rig.client());
    rig.deaf = vec![guilty, innocent, another];
    let get = encoded(&format!("GET {key}"));
    // Too large to be packed, and little of a block all the same.
    let value = format!("$4200\r\n{}\r\n", "v".repeat(4200));
    let large = format!("$1800000\r\n{}\r\n", "v".repeat(1_800_000));
    let busy = rig.client();
    let filler = format!("$11000\r\n{}\r\n", "f".repeat(11_000));
    for client in [guilty, busy] {
        // Small replies, and so many may be awaited.
        rig.offers(client, &get.repeat(32));
        (0..32).for_each(|_| rig.says(ME, "$-1\r\n"));
    }
    rig.hears(busy);
    for _ in 0..190 {
        assert!(rig.offers(guilty, &get) && rig.offers(busy, &get));
    }
    for _ in 0..190 {
        rig.says_both(&value, &filler);
        rig.hears(busy);
    }
    for client in [innocent, another] {
        rig.offers(client, &get);
        rig.says(ME, &large);
    }
    assert!(rig.node.pool.is_strained());
    for _ in 0..10 {
        rig.offers(busy, &encoded("ECHO a"));
        rig.wait(1000);
    }
    assert!(!rig.is_there(guilty) && rig.is_there(busy));
    assert!(rig.is_there(innocent) && rig.is_there(another));
    assert!(rig.hears(busy).contains("$1\r\na\r\n"));
}

/// A client that had not asked for much was never closed, however long it took nothing.
#[test]
fn a_client_that_takes_nothing_is_closed_though_it_is_not_full() {
    let mut rig = rig();
    let client = rig.client();
    rig.deaf.push(client);
    let get = encoded(&format!("GET {}", key_of(&rig, ME)));
    rig.offers(client, &get);
    rig.says(ME, "$1\r\nv\r\n");
    for second in 0..limits::UNREAD_FEW_US / 1_000_000 - 1 {
        if second % 10 == 0 {
            // What it sends does not help.
            rig.offers(client, &get);
            rig.says(ME, "$1\r\nv\r\n");
        }
        rig.wait(1000);
        assert!(rig.is_there(client), "{second}");
    }
    rig.wait_secs(2);
    assert!(!rig.is_there(client));
}

/// A line, an array or a value that never ended was taken in until the process had no memory left.
#[test]
fn a_reply_that_does_not_end_closes_the_datastores_connection() {
    let line = ("+", "v".repeat(1 << 20));
    let array = (
        "*4294967295\r\n",
        format!("$1000000\r\n{}\r\n", "v".repeat(1_000_000)),
    );
    for (begin, rest) in [line, array] {
        let mut rig = rig_of_megabytes(1);
        let client = rig.client();
        rig.asks(client, &[&format!("GET {}", key_of(&rig, ME))]);
        rig.babbles(ME, begin.as_bytes());
        let mut sent = 0;
        while rig.hears(client).is_empty() {
            rig.babbles(ME, rest.as_bytes());
            sent += rest.len();
            assert!(sent <= limits::REPLY_LEAST + (2 << 20), "{sent}");
        }
        assert!(rig.node.pool.in_use() < 100);
    }
}

/// Nobody waits for it, and it would be taken for the answer to the next request.
#[test]
fn the_beginning_of_a_reply_that_nobody_asked_for_closes_the_connection() {
    let mut rig = rig();
    rig.babbles(ME, b"$5\r\nhe");
    let client = rig.client();
    rig.asks(client, &[&format!("GET {}", key_of(&rig, ME))]);
    assert_eq!(rig.sees(ME), [""; 0]);
    assert!(rig.hears(client).starts_with("-ERR Storage"));
}

/// A thousand reads of 1 MB each in one write held up everybody else on the datastore's connection for
/// seconds, and made reads fail over.
#[test]
fn many_large_replies_to_one_client_do_not_hold_up_the_others() {
    let mut rig = rig();
    let (greedy, other) = (rig.client(), rig.client());
    let get = encoded(&format!("GET {}", key_of(&rig, ME)));
    let value = format!("${}\r\n{}\r\n", 1 << 20, "v".repeat(1 << 20));
    rig.asks(
        greedy,
        &vec![format!("GET {}", key_of(&rig, ME)).as_str(); 1000],
    );
    let first = rig.sees(ME).len();
    assert!(first <= 65, "{first}");
    let mut heard = 0;
    let mut hear = |rig: &mut Rig| heard += rig.hears(greedy).len();
    for _ in 0..first {
        rig.says(ME, &value);
        hear(&mut rig);
    }
    for _ in 0..50 {
        rig.offers(other, &get);
        let before = rig.kinds(ME).len();
        assert!(before <= 6, "{before}");
        for _ in 0..before - 1 {
            rig.says(ME, &value);
            hear(&mut rig);
        }
        rig.says(ME, "$1\r\nv\r\n");
        assert_eq!(rig.hears(other), "$1\r\nv\r\n");
    }
    while !rig.kinds(ME).is_empty() {
        rig.says(ME, &value);
        hear(&mut rig);
    }
    assert_eq!(heard, 1000 * value.len());
    rig.assert_at_rest();
}

#[test]
fn many_small_replies_are_awaited_at_a_time() {
    let mut rig = rig();
    let client = rig.client();
    let get = format!("GET {}", key_of(&rig, ME));
    rig.asks(client, &vec![get.as_str(); 3000]);
    for _ in 0..64 {
        rig.says(ME, "$1\r\nv\r\n");
    }
    assert_eq!(rig.kinds(ME).len(), 3000 - 64);
    for _ in 0..3000 - 64 {
        rig.says(ME, "$1\r\nv\r\n");
    }
    assert_eq!(rig.hears(client), "$1\r\nv\r\n".repeat(3000));
    rig.assert_at_rest();
}
