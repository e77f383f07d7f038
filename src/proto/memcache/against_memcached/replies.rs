//! What a memcached says is understood.

use super::{Client, Server};
use crate::mbuf::{Chain, Pool};
use crate::proto::memcache::reply::{Parser, Status};
use std::io::{Read, Write};

/// Requests with one reply each.
const REQUESTS: [&str; 41] = [
    "get a n nothing",
    "gets a n",
    "gat 0 a n",
    "gats 0 big",
    "get big",
    "get nothing",
    "set a 5 0 3\r\nabc",
    "set n 0 0 2\r\n10",
    "set e 4294967295 0 0\r\n",
    "set c 0 0 12\r\nEND\r\nVALUE x",
    "add a 0 0 1\r\nx",
    "replace nothing 0 0 1\r\nx",
    "append nothing 0 0 1\r\nx",
    "cas a 0 0 1 99999\r\nx",
    "cas nothing 0 0 1 99999\r\nx",
    "incr n 5",
    "decr n 500",
    "incr a 1",
    "incr n x",
    "delete nothing",
    "delete a 10",
    "touch n 0",
    "touch nothing 0",
    "foo",
    "get",
    "version",
    "verbosity 0",
    "stats",
    "stats items",
    "stats slabs",
    "stats settings",
    "stats reset",
    "mn",
    "mg a s v f c k t l h Oopaque",
    "mg nothing k O1",
    "mg c v",
    "ms m 2 c k F5 T100\r\nab",
    "ms bQ== 2 b k ME\r\nab",
    "md nothing k",
    "ma n v t c k O9",
    "mg a zz",
];

#[test]
fn every_reply_is_found_in_a_pipeline_cut_anywhere() {
    let server = Server::start();
    let mut client = Client::of(&server);
    let big = "VALUE a 0 1\r\n".repeat(300);
    client.ask(&format!("set big 1 0 {}\r\n{big}", big.len()));
    let pool = Pool::new(512, 1 << 30);
    for round in 0..6 {
        // Each round in another order.
        let order = (0..REQUESTS.len()).map(|place| (place * 7 + round * 3) % REQUESTS.len());
        let requests: String = order
            .map(|place| format!("{}\r\n", REQUESTS[place]))
            .collect();
        client.0.write_all(requests.as_bytes()).unwrap();
        let (mut data, mut parser, mut found) = (Chain::new(), Parser::default(), 0);
        while found < REQUESTS.len() {
            let mut writer = pool.writer();
            let room = [512, 1, 100][round % 3];
            let n = client.0.read(&mut writer.spare()[..room]).unwrap();
            assert_ne!(n, 0, "the server closed the connection");
            data.push(writer.commit(n));
            loop {
                match parser.find(&data) {
                    Status::Complete(len) => data.advance(len),
                    Status::Incomplete => break,
                    Status::Bad(why) => panic!("{why}: {}", data.to_vec().escape_ascii()),
                }
                found += 1;
            }
        }
        assert!(data.is_empty() && parser.is_idle());
    }
}
