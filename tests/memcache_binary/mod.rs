//! memcached's binary protocol: a client of the node gets, byte for byte, what a client of a plain memcached gets, but for
//! versions in a cluster, which are marked.
//!
//! The streams depend on their seed only: `DYNOMITE_SEED=7 cargo test --test integration memcache_binary::` runs that one;
//! `DYNOMITE_REQUESTS` makes it longer.

mod generate;

use crate::common::frames::{HEADER, Request, Response, ask, get, response, set};
use crate::common::random::Random;
use crate::common::stream::{cut, number_from, run_seeds};
use crate::common::*;
use generate::{COUNTERS, counter, request};

const REQUESTS: usize = 4_000;
const CHAPTER: usize = 250;
/// The opaque of a chapter's last request.
const LAST: u32 = u32::MAX;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const NOOP: u8 = 0x0a;
const STAT: u8 = 0x10;

fn plain(memcached: &Memcached) -> Client {
    Client::unix(&memcached.socket()).expect("the server listens")
}

fn noop(opaque: u32) -> Request {
    Request {
        opcode: NOOP,
        opaque,
        ..Request::default()
    }
}

/// Whether versions are those of the memcached.
fn assert_alike(ours: &Response, theirs: &Response, alone: bool, what: &str) {
    let short = |response: &Response| shown(&response.bytes[..response.bytes.len().min(300)]);
    assert_eq!(
        ours.bytes,
        theirs.bytes,
        "{what}: {}, not {}",
        short(ours),
        short(theirs)
    );
    match alone {
        true => assert_eq!(ours.unique, theirs.unique, "{what}: {}", short(ours)),
        false => assert_eq!(
            ours.unique == 0,
            theirs.unique == 0,
            "{what}: {}",
            short(ours)
        ),
    }
}

/// Sends a chapter to both, in pieces of its own to each, and compares the responses.
fn compare(random: &mut Random, ours: &mut Client, theirs: &mut Client, alone: bool) -> usize {
    let mut requests: Vec<Request> = (0..CHAPTER).map(|_| request(random)).collect();
    // So that a response names its request.
    requests
        .iter_mut()
        .zip(0..)
        .for_each(|(request, n)| request.opaque = n);
    requests.push(noop(LAST));
    let stream: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
    let senders = [&mut *ours, &mut *theirs].map(|client| client.send_aside(cut(&stream, random)));
    let mut count = 0;
    loop {
        let (got, wanted) = (response(ours), response(theirs));
        let (Some(got), Some(wanted)) = (&got, &wanted) else {
            panic!("response {count}: {got:?}, {wanted:?}");
        };
        let about = requests.get(wanted.opaque() as usize);
        // The latest requests for its key.
        let what = about.map_or(String::new(), |request| {
            let until = requests.iter().take(request.opaque as usize + 1);
            let same = until.filter(|other| other.key == request.key).rev();
            let told = same.take(6).map(|other| {
                let bytes = other.bytes();
                shown(&bytes[..bytes.len().min(80)])
            });
            told.collect::<Vec<_>>().join(", behind ")
        });
        assert_alike(got, wanted, alone, &what);
        count += 1;
        if wanted.opaque() == LAST {
            break;
        }
    }
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("the sender"));
    count
}

/// Versions that each side has given, used there.
fn use_versions(ours: &mut Client, theirs: &mut Client, alone: bool) -> usize {
    let mut count = 0;
    for key in [&b"versioned"[..], b"odd key\r\n", b"\0"] {
        for opcode in [0x01, 0x02, 0x03, 0x0e, 0x05, 0x06, 0x04, 0x14, 0x11] {
            for stale in [true, false, false] {
                let [got, wanted] = [&mut *ours, &mut *theirs].map(|client| {
                    let mut steps = vec![ask(client, &set(key, b"1"))];
                    if stale {
                        ask(client, &set(key, b"2"));
                    } else {
                        steps.push(ask(client, &get(key)));
                    }
                    let version = steps.last().unwrap().unique;
                    assert_ne!(version, 0);
                    let extras = match opcode {
                        0x01..=0x03 | 0x11 => vec![0; 8],
                        0x05 | 0x06 => [&1u64.to_be_bytes()[..], &[0; 12]].concat(),
                        _ => vec![],
                    };
                    let value = match opcode {
                        0x01..=0x03 | 0x11 | 0x0e => b"7".to_vec(),
                        _ => vec![],
                    };
                    let request = Request {
                        opcode,
                        extras,
                        key: key.to_vec(),
                        value,
                        opaque: 77,
                        unique: version,
                    };
                    client.send(&[request.bytes(), noop(LAST).bytes()].concat());
                    while steps.last().is_none_or(|last| last.opaque() != LAST) {
                        steps.push(response(client).expect("an answer"));
                    }
                    steps.push(ask(client, &get(key)));
                    steps
                });
                assert_eq!(got.len(), wanted.len(), "{opcode}");
                for (got, wanted) in got.iter().zip(&wanted) {
                    assert_alike(got, wanted, alone, &format!("{opcode:#x} {stale}"));
                    count += 1;
                }
            }
        }
    }
    count
}

fn run(
    seed: u64,
    random: &mut Random,
    ours: &mut Client,
    theirs: &mut Client,
    alone: bool,
) -> usize {
    let requests = number_from("DYNOMITE_REQUESTS").map_or(REQUESTS, |n| n as usize);
    let mut count = 0;
    for _ in 0..requests.div_ceil(CHAPTER) {
        count += compare(random, ours, theirs, alone);
        count += use_versions(ours, theirs, alone);
        for number in 0..COUNTERS {
            let request = get(&counter(number));
            let (got, wanted) = (ask(ours, &request), ask(theirs, &request));
            assert_alike(
                &got,
                &wanted,
                alone,
                &format!("DYNOMITE_SEED={seed}, counter {number}"),
            );
            count += 1;
        }
    }
    count
}

#[test]
fn responses_are_those_of_a_plain_memcached() {
    run_seeds(1..=4, |seed| {
        let (behind, beside) = (Memcached::start(), Memcached::start());
        let mut random = Random::new(seed);
        let mbuf_size = [512, 1024, 16384, 16384][random.below(4) as usize];
        let node = Setup::before_memcached(&behind)
            .with("mbuf_size", mbuf_size)
            .start();
        let (mut ours, mut theirs) = (node.client(), plain(&beside));
        run(seed, &mut random, &mut ours, &mut theirs, true)
    });
}

#[test]
fn responses_of_a_cluster_are_those_of_a_plain_memcached() {
    for (seed, plan, level) in [
        (11, Plan::of(1, 1, 3), "dc_one"),
        (12, Plan::of(1, 3, 1), "dc_one"),
        (13, Plan::of(1, 3, 1), "dc_safe_quorum"),
        (14, Plan::of(2, 2, 2), "dc_quorum"),
    ] {
        run_seeds(seed..=seed, |seed| {
            let beside = Memcached::start();
            let cluster = plan.clone().of_memcached().at_level(level).start();
            let through = seed as usize % cluster.members.len();
            let (mut ours, mut theirs) = (cluster.client(through), plain(&beside));
            run(seed, &mut Random::new(seed), &mut ours, &mut theirs, false)
        });
    }
}

/// What ends a connection, and how.
#[test]
fn broken_requests_end_a_connection_as_with_memcached() {
    let (behind, beside) = (Memcached::start(), Memcached::start());
    let mut node = Setup::before_memcached(&behind).start();
    let header = |opcode: u8, key: u16, extras: u8, body: u32| {
        let mut bytes = vec![0x80, opcode];
        bytes.extend(key.to_be_bytes());
        bytes.extend([extras, 0, 0, 0]);
        bytes.extend(body.to_be_bytes());
        bytes.extend(*b"opaq\0\0\0\0\0\0\0\0");
        bytes
    };
    let body = |header: Vec<u8>, len: usize| [header, vec![b'x'; len]].concat();
    let mut cases = Vec::new();
    for opcode in 0..=0x24 {
        // memcached passes over too much behind a command that it does not know; flushing and statistics are
        // served otherwise.
        if matches!(opcode, 0x08 | 0x10 | 0x18 | 0x1b | 0x1f) {
            continue;
        }
        // No extras, no key; each of them; both.
        for (key, extras) in [(0u16, 0u8), (1, 0), (0, 4), (0, 8), (1, 4), (1, 20)] {
            let len = u32::from(key) + u32::from(extras);
            cases.push(body(header(opcode, key, extras, len), len as usize));
        }
    }
    cases.push(body(header(GET, 1, 0, 2), 2));
    cases.push(body(header(GET, 251, 0, 251), 251));
    cases.push(body(header(SET, 251, 8, 260), 260));
    cases.push(body(header(GET, 5, 0, 1), 5));
    cases.push(body(header(0x40, 0, 0, 0), 0));
    cases.push([noop(1).bytes(), b"get k\r\n".to_vec(), vec![0; 24]].concat());
    for case in cases {
        let [ours, theirs] = [node.client(), plain(&beside)].map(|mut client| {
            client.send(&case);
            // It may be closed by now.
            let _ = client.try_send(&noop(LAST).bytes());
            let mut all = Vec::new();
            loop {
                match response(&mut client) {
                    None => break (all, true),
                    Some(last) if last.opaque() == LAST => break (all, false),
                    Some(response) => all.push(response),
                }
            }
        });
        assert_eq!(ours, theirs, "{}", shown(&case));
    }
    node.expect_alive();
}

/// What is not memcached's.
#[test]
fn what_is_not_served_is_told_in_the_protocols_own_words() {
    let store = Memcached::start();
    let node = Setup::before_memcached(&store).start();
    let mut client = node.client();
    for (request, status, text) in [
        (
            Request {
                opcode: 0x08,
                ..Request::default()
            },
            0x83,
            "flush_all is disabled; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it",
        ),
        (
            Request {
                opcode: STAT,
                key: b"reset".to_vec(),
                ..Request::default()
            },
            0x83,
            "stats reset is not served by Dynomite",
        ),
        (
            get(&[&b" "[..], &[b'o'; 186]].concat()),
            0x83,
            "Not supported: a key with spaces or control bytes is longer than 186 bytes",
        ),
    ] {
        let told = ask(&mut client, &request);
        assert_eq!(
            (told.status(), &told.bytes[HEADER..]),
            (status, text.as_bytes())
        );
    }
    // A body of a command that is not known is passed over.
    let unknown = Request {
        opcode: 0x40,
        ..set(b"k", b"get k\r\n")
    };
    client.send(&[unknown.bytes(), noop(LAST).bytes()].concat());
    assert_eq!(response(&mut client).unwrap().status(), 0x81);
    assert_eq!(response(&mut client).unwrap().opaque(), LAST);
    // Statistics come one by one.
    client.send(
        &Request {
            opcode: STAT,
            opaque: 5,
            ..Request::default()
        }
        .bytes(),
    );
    let mut names = Vec::new();
    loop {
        let told = response(&mut client).expect("an answer");
        assert_eq!((told.status(), told.opaque()), (0, 5));
        let key = u16::from_be_bytes(told.bytes[2..4].try_into().unwrap());
        if key == 0 {
            break;
        }
        names.push(told.bytes[HEADER..HEADER + usize::from(key)].to_vec());
    }
    assert!(names.contains(&b"pid".to_vec()) && names.len() > 40);
    // Both protocols see the same items, also those with odd keys.
    ask(&mut client, &set(b"odd key", b"x"));
    let mut text = node.text_client();
    text.expect("mg b2RkIGtleQ== b v k", "VA 1 kb2RkIGtleQ== b\r\nx\r\n");
    text.set("plain", "y");
    assert!(ask(&mut client, &get(b"plain")).bytes.ends_with(b"y"));
}

/// A failure of the cluster's own.
#[test]
fn a_datastore_that_is_gone_is_a_temporary_failure() {
    let mut store = Memcached::start();
    let node = Setup::before_memcached(&store).start();
    let mut client = node.client();
    ask(&mut client, &set(b"k", b"x"));
    store.kill();
    for request in [get(b"k"), set(b"k", b"y")] {
        let told = ask(&mut client, &request);
        assert_eq!(told.status(), 0x86);
        assert!(
            told.bytes
                .ends_with(b"Storage: Datastore refused connection")
        );
    }
    // A quiet one gets it as well.
    let quiet = Request {
        opcode: 0x09,
        ..get(b"k")
    };
    assert_eq!(ask(&mut client, &quiet).status(), 0x86);
}
