//! Random pipelines of memcached's text protocol, cut into random pieces: a client of the node must
//! get, byte for byte, what a client of a plain memcached gets for the same stream, but for `cas` ids
//! and the seconds in replies of meta commands.
//!
//! The stream depends on its seed only. `DYNOMITE_SEED=7 cargo test --test integration memcache_pipelines::` runs
//! that one instead of the usual ones; `DYNOMITE_REQUESTS` makes it longer. A stream consists of
//! chapters; between them the `cas` ids of each side are read and used on that side.

mod generate;
mod words;

use crate::common::random::Random;
use crate::common::stream::{cut, number_from, run_seeds};
use crate::common::*;
use generate::Generator;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use words::{COUNTERS, base64};

/// Seeds that are run when none is given.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;
/// Requests of one stream.
const REQUESTS: usize = 6_000;
/// Requests of one chapter.
const CHAPTER: usize = 300;
/// Longest value that a line may announce while another one follows, and more than that.
const SWALLOWED: usize = 300;

/// Another client, which must receive only the answers to its own requests.
fn bystander(mut client: TextClient, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for i in 0u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let word = format!("bystander-{i}");
            client.set("bystander", &word);
            client.expect("get bystander", &value("bystander", &word));
            client
                .send(format!("set bystander 0 0 {} noreply\r\n{word}\r\n", word.len()).as_bytes());
            client.expect(
                &format!("mg nobody O{i} k"),
                &format!("EN O{i} knobody\r\n"),
            );
        }
    })
}

/// A chapter: its bytes, and where each request ends.
struct Chapter {
    stream: Vec<u8>,
    ends: Vec<usize>,
}

/// Marks the progress of the replies; the last one of a chapter is known by its number.
fn mark(number: usize) -> (String, String) {
    (
        format!("md mark O{number}\r\n"),
        format!("NF O{number}\r\n"),
    )
}

impl Chapter {
    fn new(generator: &mut Generator, requests: usize) -> Chapter {
        let (mut stream, mut ends) = (Vec::new(), Vec::new());
        for number in 0..requests {
            generator.request(&mut stream);
            ends.push(stream.len());
            if generator.random.once_in(10) {
                stream.extend_from_slice(mark(number).0.as_bytes());
            }
        }
        // Some of them may be taken for the rest of a value.
        let last = mark(requests).0;
        for _ in 0..SWALLOWED.div_ceil(last.len()) + 2 {
            stream.extend_from_slice(last.as_bytes());
        }
        Chapter { stream, ends }
    }

    /// The requests from one mark to the next.
    fn shown_from(&self, number: usize) -> String {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[(number + 12).min(self.ends.len() - 1)];
        shown(&self.stream[start..end])
    }
}

/// Sends a chapter to both, in pieces of its own to each, and compares the replies. Returns how many.
fn compare(
    seed: u64,
    chapter: &Chapter,
    random: &mut Random,
    ours: &mut TextClient,
    theirs: &mut TextClient,
) -> usize {
    let senders = [&mut *ours, &mut *theirs]
        .map(|client| client.raw().send_aside(cut(&chapter.stream, random)));

    let last = mark(chapter.ends.len()).1;
    let (mut replies, mut reached) = (0, 0);
    loop {
        let (got, wanted) = (ours.try_reply(), theirs.try_reply());
        let told = || {
            format!(
                "DYNOMITE_SEED={seed}, reply {replies}, about {}",
                chapter.shown_from(reached)
            )
        };
        let (Ok(Some(got)), Ok(Some(wanted))) = (&got, &wanted) else {
            panic!("{}: {got:?}, {wanted:?}", told());
        };
        let (got, wanted) = (without_ids(got), without_ids(wanted));
        assert!(
            got == wanted,
            "{}: {}, not {}",
            told(),
            shown(&got),
            shown(&wanted)
        );
        if got == last.as_bytes() {
            break;
        }
        if let Some(number) = got.strip_prefix(b"NF O") {
            let number = String::from_utf8_lossy(number);
            // Opaque tokens of the requests look alike, and are longer.
            let number = number.trim().parse().unwrap_or(usize::MAX);
            reached = if number < chapter.ends.len() {
                number
            } else {
                reached
            };
        }
        replies += 1;
    }
    for sender in senders {
        sender.join().expect("the sender");
    }
    // The rest of the marks.
    for client in [ours, theirs] {
        client.send(b"mn\r\n");
        loop {
            match client.reply() {
                reply if reply == last.as_bytes() => {}
                reply => break assert_eq!(shown(&reply), "MN\\r\\n"),
            }
        }
    }
    replies
}

/// Reads the `cas` ids of each side and uses them there: fresh ones, and one that has been replaced.
/// Returns how many replies were compared.
fn use_ids(seed: u64, ours: &mut TextClient, theirs: &mut TextClient) -> usize {
    const LINES: &[&str] = &[
        "cas versioned 7 0 1 {id}\r\ny",
        "cas versioned 7 0 1 {old}\r\nn",
        "gets versioned",
        "cas versioned 0 0 5 {id} noreply\r\nquiet",
        "cas versioned 0 0 4 {old} noreply\r\nlate",
        "get versioned",
        "ms versioned 2 C{id} k O1\r\nms",
        "ms versioned 2 C{old} k O1\r\nno",
        "mg versioned v c f",
        "ma versioned C{id} v",
        "ms versioned 2\r\n10",
        "ma versioned C{id} v",
        "ma versioned C{old} v",
        "md versioned C{old} q",
        "md versioned C{id} q I T100",
        "mg versioned v c",
        "mg versioned v c",
        "md {key} b C{old} O2 k",
        "md {key} b C{id} O2 k",
    ];
    let key = String::from_utf8(base64(b"versioned")).expect("base64 is ASCII");
    let mut replaced = [None, None];
    for line in LINES {
        let [got, wanted] = [&mut *ours, &mut *theirs]
            .into_iter()
            .zip(&mut replaced)
            .map(|(client, replaced)| {
                client.ask("add versioned 0 0 1\r\nx");
                let id = client.cas_id("versioned");
                let old: u64 = *replaced.get_or_insert(id);
                let line = line
                    .replace("{id}", &id.to_string())
                    .replace("{old}", &old.to_string())
                    .replace("{key}", &key);
                client.send(format!("{line}\r\nmn\r\n").as_bytes());
                let mut reply = Vec::new();
                while !reply.ends_with(b"MN\r\n") {
                    reply.extend(client.reply());
                }
                shown(&without_ids(&reply))
            })
            .collect::<Vec<String>>()
            .try_into()
            .expect("two sides");
        assert_eq!(got, wanted, "DYNOMITE_SEED={seed}: {line}");
    }
    LINES.len()
}

/// Reads what streams do not read.
fn read_counters(seed: u64, ours: &mut TextClient, theirs: &mut TextClient) -> usize {
    for counter in 0..COUNTERS {
        for line in ["mg n{} v f t s h k", "get n{}"] {
            let line = line.replace("{}", &counter.to_string());
            let [got, wanted] =
                [&mut *ours, &mut *theirs].map(|client| shown(&without_ids(&client.ask(&line))));
            assert_eq!(got, wanted, "DYNOMITE_SEED={seed}: {line}");
        }
    }
    2 * COUNTERS as usize
}

/// Runs the stream of one seed against two clients; returns how many replies were compared.
fn run(
    seed: u64,
    mut random: Random,
    other: TextClient,
    ours: &mut TextClient,
    theirs: &mut TextClient,
) -> usize {
    let requests = number_from("DYNOMITE_REQUESTS").map_or(REQUESTS, |n| n as usize);
    let mut generator = Generator::new(random.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let other = bystander(other, stop.clone());
    let mut replies = 0;
    for _ in 0..requests.div_ceil(CHAPTER) {
        let chapter = Chapter::new(&mut generator, CHAPTER);
        replies += compare(seed, &chapter, &mut random, ours, theirs);
        replies += read_counters(seed, ours, theirs);
        replies += use_ids(seed, ours, theirs);
    }
    stop.store(true, Ordering::Relaxed);
    other
        .join()
        .expect("the bystander hears its own answers only");
    replies
}

#[test]
fn replies_are_those_of_a_plain_memcached() {
    if !Memcached::is_reference() {
        return;
    }
    let run = |seed| {
        let (behind, beside) = (Memcached::start(), Memcached::start());
        let mut random = Random::new(seed);
        let mbuf_size = [512, 1024, 16384, 16384][random.below(4) as usize];
        let node = Setup::before_memcached(&behind)
            .with("mbuf_size", mbuf_size)
            .start();
        let (mut ours, mut theirs) = (node.text_client(), beside.client());
        run(seed, random, node.text_client(), &mut ours, &mut theirs)
    };
    run_seeds(SEEDS, run);
}

/// However many memcacheds there are: keys of several owners, several replicas of each, both.
#[test]
fn replies_of_a_cluster_are_those_of_a_plain_memcached() {
    if !Memcached::is_reference() {
        return;
    }
    for (seed, plan, level) in [
        (11, Plan::of(1, 1, 3), "dc_one"),
        (12, Plan::of(1, 3, 1), "dc_one"),
        (13, Plan::of(1, 3, 1), "dc_safe_quorum"),
        (14, Plan::of(2, 2, 2), "dc_quorum"),
    ] {
        let run = |seed| {
            let beside = Memcached::start();
            let cluster = plan.clone().of_memcached().at_level(level).start();
            // Through another node with each seed.
            let through = seed as usize % cluster.members.len();
            let (mut ours, mut theirs) = (cluster.text_client(through), beside.client());
            let other = cluster.text_client(cluster.members.len() - 1);
            run(seed, Random::new(seed), other, &mut ours, &mut theirs)
        };
        run_seeds(seed..=seed, run);
    }
}

/// The streams hold nothing that depends on the server that happens to be asked.
#[test]
fn two_memcacheds_give_the_same_replies() {
    let run = |seed| {
        let (one, other) = (Memcached::start(), Memcached::start());
        let (mut ours, mut theirs) = (one.client(), other.client());
        let random = Random::new(seed);
        run(seed, random, one.client(), &mut ours, &mut theirs)
    };
    run_seeds(1..=2, run);
}
