//! Random pipelines of all command families, cut into random pieces: a client of the node must get,
//! byte for byte, what a client of a plain redis-server gets for the same stream.
//!
//! The stream depends on its seed only. `DYNOMITE_SEED=7 cargo test --test integration random_pipelines::` runs
//! that one instead of the usual ones; `DYNOMITE_REQUESTS` makes it longer.

mod generate;
mod templates;

use crate::common::random::Random;
use crate::common::stream::{cut, number_from, run_seeds};
use crate::common::*;
use generate::Generator;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Seeds that are run when none is given.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;
/// Requests of one stream.
const REQUESTS: usize = 6_000;

/// Another client of the node, which must receive only the answers to its own requests.
fn bystander(mut client: Client, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for i in 0u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let word = format!("bystander {i}").into_bytes();
            let reply = client.ask_args(&[b"PING", &word]);
            let expected = [format!("${}\r\n", word.len()).as_bytes(), &word, b"\r\n"].concat();
            assert_eq!(shown(&reply), shown(&expected));
        }
    })
}

/// Runs the stream of one seed; returns how many replies were compared.
fn run(seed: u64, resp3: bool) -> usize {
    let (behind, beside) = (Redis::start(), Redis::start());
    let mut random = Random::new(seed);
    let mbuf_size = [512, 1024, 16384, 16384][random.below(4) as usize];
    let node = Setup::before(&behind).with("mbuf_size", mbuf_size).start();
    let (mut ours, mut theirs) = (node.client(), beside.client());
    if resp3 {
        for client in [&mut ours, &mut theirs] {
            assert_eq!(client.ask("HELLO 3")[..4], *b"%7\r\n");
        }
    }
    let requests = number_from("DYNOMITE_REQUESTS").map_or(REQUESTS, |n| n as usize);
    let mut generator = Generator::new(random);
    let mut stream = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..requests {
        let from = stream.len();
        generator.request(&mut stream);
        sent.push((from, stream.len()));
    }
    stream.extend_from_slice(&words("ECHO the-end"));
    let stop = Arc::new(AtomicBool::new(false));
    let other = bystander(node.client(), stop.clone());
    let senders = [
        ours.send_aside(cut(&stream, &mut generator.random)),
        theirs.send_aside(vec![stream.clone()]),
    ];
    let mut replies = 0;
    loop {
        let (got, wanted) = (ours.try_reply(), theirs.try_reply());
        let (Ok(Some(got)), Ok(Some(wanted))) = (&got, &wanted) else {
            panic!(
                "DYNOMITE_SEED={seed}, reply {replies}: {:?}, {:?}",
                got.map(|r| shown(&r.unwrap_or_default())),
                wanted.map(|r| shown(&r.unwrap_or_default()))
            );
        };
        if got != wanted {
            // Every request has one reply.
            let request = sent
                .get(replies)
                .map(|&(from, to)| shown(&stream[from..to]));
            panic!(
                "DYNOMITE_SEED={seed}, reply {replies} to {}: {}, not {}",
                request.unwrap_or_default(),
                shown(got),
                shown(wanted)
            );
        }
        if got.ends_with(b"the-end\r\n") {
            break;
        }
        replies += 1;
    }
    assert_eq!(replies, requests);
    for sender in senders {
        sender.join().expect("the sender");
    }
    stop.store(true, Ordering::Relaxed);
    other
        .join()
        .expect("the bystander hears its own answers only");
    replies
}

#[test]
fn replies_are_those_of_a_plain_redis() {
    if !Redis::is_reference() {
        return;
    }
    run_seeds(SEEDS, |seed| run(seed, false));
}

#[test]
fn replies_in_resp3_are_those_of_a_plain_redis() {
    if !Redis::is_reference() {
        return;
    }
    run_seeds(SEEDS, |seed| run(seed, true));
}
