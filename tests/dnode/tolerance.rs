//! Hand-made messages that were sent to C nodes: what this implementation makes of them.

use crate::dnode::feed::{Got, MBUF, encrypt, feed, key_pair, security};
use crate::dnode::vectors::{load, unhex};
use dynomite::config::StoreKind;
use dynomite::proto::dnode::{Broken, Decoder, Kind, Security, SessionKey};
use serde_json::Value;

/// What a decoder is expected to deliver: ids in order, and why it stops.
type Verdict = (Vec<u64>, Option<Broken>);

/// A key of consecutive bytes; the hand-made messages use those from 1 and from 101.
fn key_from(first: u8) -> SessionKey {
    SessionKey::new(std::array::from_fn(|at| first + at as u8))
}

/// The same stream with its session keys wrapped for our RSA key.
fn rewrapped(mut bytes: Vec<u8>) -> Vec<u8> {
    let mark = b" *128 ";
    let mut keys = [1, 101].map(key_from).into_iter();
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(mark.len())
        .position(|window| window == mark)
    {
        let from = at + found + mark.len();
        let key = keys.next().unwrap();
        bytes[from..from + key_pair().wrapped_len()]
            .copy_from_slice(&key_pair().wrap(&key).unwrap());
        at = from + key_pair().wrapped_len();
    }
    bytes
}

fn ids(got: &[Got]) -> Vec<u64> {
    got.iter().map(|message| message.id).collect()
}

/// The ids of the headers in canonical replies.
fn reply_ids(reply: &[u8]) -> Vec<u64> {
    String::from_utf8_lossy(reply)
        .split("   $2014$ ")
        .skip(1)
        .map(|message| message.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

/// Where a C node lost, misread or did not survive a message, what happens here. Everything else
/// must be decoded exactly where the C node has replied.
fn requests_better_than_c(name: &str) -> Option<Verdict> {
    Some(match name {
        "type 0 then a good message" => (vec![10], None),
        "payload is not RESP" => (
            vec![],
            Some(Broken::Payload("not an array of bulk strings")),
        ),
        // Decoded, so that it can be answered with an error line.
        "command the C parser does not know" => (vec![9], None),
        "bit field 3 with encrypted payload" => (
            vec![],
            Some(Broken::Payload("not an array of bulk strings")),
        ),
        "encrypted without any key" => (vec![], Some(Broken::NoSessionKey)),
        "bad padding" => (vec![], Some(Broken::Decrypt)),
        name if name.contains("gossip SYN") => (vec![9, 10], None),
        _ => return None,
    })
}

#[test]
fn what_a_replica_makes_of_hand_made_requests() {
    let cases = load("23-receiver-tolerance/cases.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 64);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let sent: Vec<u8> = case["write_segments_hex"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|segment| unhex(segment.as_str().unwrap()))
            .collect();
        let sent = rewrapped(sent);
        let expected = requests_better_than_c(name)
            .unwrap_or_else(|| (reply_ids(&unhex(case["reply_hex"].as_str().unwrap())), None));
        for size in [sent.len(), 1, 2, 13] {
            let (got, broken) = feed(
                Decoder::requests(StoreKind::Redis, security(MBUF)),
                sent.chunks(size),
            );
            assert_eq!((ids(&got), broken), expected, "{name} by {size}");
            for message in &got {
                if message.kind == Kind::Gossip {
                    continue;
                }
                let payload = String::from_utf8_lossy(&message.payload);
                assert!(
                    ["GET", "PING", "MGET", "FOOBAR"]
                        .contains(&payload.split("\r\n").nth(2).unwrap()),
                    "{name}: {payload}"
                );
            }
            // What a reply repeats.
            let reply = case["reply_hex"].as_str().map(unhex).unwrap_or_default();
            for (message, reply) in got
                .iter()
                .zip(String::from_utf8_lossy(&reply).split("   $2014$ ").skip(1))
            {
                if requests_better_than_c(name).is_none() {
                    assert_eq!(
                        reply.split(' ').nth(4).unwrap(),
                        if message.same_dc { "1" } else { "0" },
                        "{name}"
                    );
                }
            }
        }
    }
}

/// What is decoded of each case's replies: one with the request's id, unless it is listed here.
fn replies(name: &str, request: &[u64]) -> Verdict {
    let first = request[0];
    match name {
        "id lower than any outstanding" => (vec![first - 1], None),
        "stale id then the right one" => (vec![1, first], None),
        "duplicate reply" => (vec![first, first], None),
        "id higher than every outstanding id" => (vec![first + 1], None),
        "two requests answered in reverse order" => (vec![first + 1, first], None),
        "middle of three replies missing" => (vec![first, first + 2], None),
        "payload is not RESP" | "empty payload then a real reply" => {
            (vec![], Some(Broken::Payload("unknown reply type")))
        }
        "peer closes without a reply" | "peer closes inside the reply" => (vec![], None),
        "bit field 1 from a requester without keys" => (vec![], Some(Broken::NoKeyFile)),
        name if name.starts_with("type ")
            && !name.contains("type 0")
            && !name.contains("type 5") =>
        {
            (vec![], None)
        }
        _ => (vec![first], None),
    }
}

#[test]
fn what_a_requester_makes_of_hand_made_replies() {
    let cases = load("24-requester-tolerance/cases.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let request: Vec<u64> = case["request_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| Value::as_u64(id).unwrap())
            .collect();
        let sent = unhex(case["peer_writes_hex"].as_str().unwrap());
        let no_keys = Security {
            key_pair: None,
            mbuf_size: MBUF,
            refuse_plaintext: false,
        };
        for size in [sent.len().max(1), 1, 2, 13] {
            let (got, broken) = feed(
                Decoder::replies(StoreKind::Redis, no_keys.clone()),
                sent.chunks(size),
            );
            assert_eq!(
                (ids(&got), broken),
                replies(name, &request),
                "{name} by {size}"
            );
            assert!(
                got.iter().all(|message| message.kind == Kind::Reply),
                "{name}"
            );
        }
    }
}

const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n";

fn request(id: u64) -> Vec<u8> {
    [
        format!("   $2014$ {id} 3 0 1 1 *1 d *22\r\n").as_bytes(),
        GET,
    ]
    .concat()
}

#[test]
fn garbage_is_passed_over_however_long_and_wherever_a_read_ends() {
    let text: Vec<u8> = b"junk $2014 $$2014$x *1\r\n"
        .iter()
        .copied()
        .cycle()
        .take(40_000)
        .collect();
    for cut in (16_300..16_340).chain([1, 39_999]) {
        let stream = [&text[..], &request(7)].concat();
        let (got, broken) = feed(
            Decoder::requests(StoreKind::Redis, security(MBUF)),
            [&stream[..cut], &stream[cut..]],
        );
        assert_eq!((ids(&got), broken), (vec![7], None), "cut at {cut}");
    }
    // A magic that begins inside a false one, and across reads.
    let stream = [b"   $2014$2014$ 5 3 0 1 1 *1 d *22\r\n", GET].concat();
    for cut in 1..stream.len() {
        let (got, _) = feed(
            Decoder::requests(StoreKind::Redis, security(MBUF)),
            [&stream[..cut], &stream[cut..]],
        );
        assert_eq!(ids(&got), [5], "cut at {cut}");
    }
}

#[test]
fn a_header_longer_than_the_limit_is_garbage() {
    for (data, expected) in [(900, vec![1, 2]), (20_000, vec![2])] {
        let long = [
            format!("   $2014$ 1 3 0 1 1 *{data} ").as_bytes(),
            &vec![b'x'; data],
            b" *22\r\n",
            GET,
        ]
        .concat();
        let stream = [long, request(2)].concat();
        let (got, broken) = feed(
            Decoder::requests(StoreKind::Redis, security(MBUF)),
            stream.chunks(700),
        );
        assert_eq!((ids(&got), broken), (expected, None));
    }
    let endless = [
        b"   $2014$ 1 3 0 1 1 *1 d ".to_vec(),
        vec![b'x'; 5000],
        request(2),
    ]
    .concat();
    assert_eq!(
        ids(&feed(
            Decoder::requests(StoreKind::Redis, security(MBUF)),
            [&endless[..]]
        )
        .0),
        [2]
    );
}

#[test]
fn an_unknown_kind_is_skipped_by_its_length_whatever_it_holds() {
    let decoy = request(99);
    let stream = [
        format!("   $2014$ 1 14 0 2 1 *1 d *{}\r\n", decoy.len()).into_bytes(),
        decoy,
        request(2),
    ]
    .concat();
    for size in [stream.len(), 1, 10] {
        assert_eq!(
            ids(&feed(
                Decoder::requests(StoreKind::Redis, security(MBUF)),
                stream.chunks(size)
            )
            .0),
            [2]
        );
    }
    // A length beyond belief is not waited for.
    let stream = [
        b"   $2014$ 1 14 0 2 1 *1 d *4000000000\r\n".to_vec(),
        request(2),
    ]
    .concat();
    assert_eq!(
        ids(&feed(
            Decoder::requests(StoreKind::Redis, security(MBUF)),
            [&stream[..]]
        )
        .0),
        [2]
    );
}

/// The key of a message is in force for it and for all that follow.
#[test]
fn a_key_may_be_repeated_or_replaced() {
    let secured = |id: u64, wrap: Option<&SessionKey>, key: &SessionKey| {
        let body = encrypt(key, MBUF, GET);
        let data = wrap.map_or(b"1 d".to_vec(), |key| {
            [b"128 ", &key_pair().wrap(key).unwrap()[..]].concat()
        });
        let head = [
            format!("   $2014$ {id} 3 1 1 1 *").as_bytes(),
            &data,
            format!(" *{}\r\n", body.len()).as_bytes(),
        ]
        .concat();
        [head, body].concat()
    };
    let (one, two) = (key_from(1), key_from(101));
    let stream = [
        secured(1, Some(&one), &one),
        secured(2, None, &one),
        secured(3, Some(&one), &one),
        secured(4, Some(&two), &two),
        secured(5, None, &two),
        request(6),
        secured(7, None, &two),
    ]
    .concat();
    let (got, broken) = feed(
        Decoder::requests(StoreKind::Redis, security(MBUF)),
        stream.chunks(100),
    );
    assert_eq!((ids(&got), broken), ((1..=7).collect(), None));
    assert!(
        got.iter()
            .all(|message| message.payload == GET && message.encrypted == (message.id != 6))
    );
}

#[test]
fn what_cannot_be_decrypted_breaks_the_connection_and_says_why() {
    let key = key_from(1);
    let wrapped = key_pair().wrap(&key).unwrap();
    let body = encrypt(&key, MBUF, GET);
    let secured = |data: &[u8], plen: usize, body: &[u8]| {
        let head = format!("   $2014$ 1 3 1 1 1 *{} ", data.len());
        [
            head.as_bytes(),
            data,
            format!(" *{plen}\r\n").as_bytes(),
            body,
        ]
        .concat()
    };
    let other = openssl::rsa::Rsa::generate(1024)
        .unwrap()
        .private_key_to_pem()
        .unwrap();
    let other = dynomite::proto::dnode::KeyPair::from_pem(&other)
        .unwrap()
        .wrap(&key)
        .unwrap();
    let half = encrypt(&key, MBUF, &GET[..10]);
    for (stream, expected) in [
        (
            secured(b"hello", 32, &body),
            Broken::KeyLength { len: 5, own: 128 },
        ),
        (secured(&other, 32, &body), Broken::KeyUnwrap),
        (secured(&wrapped, 0, b""), Broken::CipherLength(0)),
        (secured(&wrapped, 31, &body), Broken::CipherLength(31)),
        (secured(&wrapped, 2 << 30, &body), Broken::TooLong),
        (secured(&wrapped, 16, &half), Broken::Decrypt),
        (secured(b"d", 32, &body), Broken::NoSessionKey),
    ] {
        for size in [stream.len(), 1] {
            assert_eq!(
                feed(
                    Decoder::requests(StoreKind::Redis, security(MBUF)),
                    stream.chunks(size)
                ),
                (vec![], Some(expected))
            );
        }
    }
    let strict = Security {
        refuse_plaintext: true,
        ..security(MBUF)
    };
    let stream = [secured(&wrapped, 32, &body), request(2)].concat();
    let (got, broken) = feed(Decoder::requests(StoreKind::Redis, strict), [&stream[..]]);
    assert_eq!((ids(&got), broken), (vec![1], Some(Broken::Plaintext)));
}
