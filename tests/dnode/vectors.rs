//! Every recorded stream is put together again from its messages, byte for byte, and decoded.

use crate::dnode::feed::{self, Got, MBUF, feed, key_pair, security};
use dynomite::config::StoreKind;
use dynomite::proto::dnode::{Data, Decoder, Header, Kind, MAX_ENCODED, SessionKey};
use openssl::sha::sha256;
use openssl::symm;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

const RECORDINGS: usize = 23;

pub fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/dnode")
        .join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The long values of the recordings.
fn generated(len: usize) -> String {
    (0..len)
        .map(|at| char::from(b'a' + ((7 * at + at / 26) % 26) as u8))
        .collect()
}

/// The long payloads of the recordings, by their SHA-256.
static LONG_PAYLOADS: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let request = |args: &[&str]| {
        let mut out = Vec::new();
        dynomite::proto::redis::encode::command(&mut out, args);
        out
    };
    let mut list = vec!["RPUSH".to_string(), "k0".to_string()];
    list.extend((0..2000).map(|at| format!("{at:014}")));
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let mut all = vec![request(&list)];
    for (words, len) in [
        ("SET k0", 40_000),
        ("SET k3", 40_000),
        ("SET k0", 1 << 20),
        ("SET s16300", 16_300),
        ("SET s40000", 40_000),
        ("APPEND k0", 20_000),
        ("APPEND k3", 20_000),
    ] {
        let (name, key) = words.split_once(' ').unwrap();
        let value = generated(len);
        all.push(request(&[name, key, &value]));
        all.push(format!("${len}\r\n{value}\r\n").into_bytes());
    }
    all.into_iter()
        .map(|payload| (hex(&sha256(&payload)), payload))
        .collect()
});

/// One stream of a recording.
struct Stream {
    name: String,
    replies: bool,
    memcached: bool,
    /// The session key, if any message is encrypted.
    key: Option<[u8; 32]>,
    /// As recorded.
    bytes: Vec<u8>,
    /// The same, but the session key wrapped for our RSA key.
    readable: Vec<u8>,
    expected: Vec<Got>,
}

fn field(message: &Value, name: &str) -> u64 {
    message[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} of {message}"))
}

fn header(message: &Value) -> Header {
    Header {
        id: field(message, "id"),
        kind: Kind::from_number(field(message, "type")),
        encrypted: field(message, "flags") == 1,
        version: field(message, "version") as u32,
        same_dc: field(message, "same_dc") == 1,
        payload_len: field(message, "plen"),
    }
}

/// The plaintext, short or long.
fn plaintext(message: &Value) -> Vec<u8> {
    let (text, sha) = if field(message, "flags") == 1 {
        ("plaintext", "plaintext_sha256")
    } else {
        ("payload", "payload_sha256")
    };
    let sha = message[sha].as_str().unwrap();
    let plain = match LONG_PAYLOADS.get(sha) {
        Some(plain) => plain.clone(),
        None => unhex(
            message[text]
                .as_str()
                .unwrap_or_else(|| panic!("no payload of {message}")),
        ),
    };
    assert_eq!(hex(&sha256(&plain)), sha);
    plain
}

/// Encrypts by the recorded cuts, with another program than the one under test.
fn cut_and_encrypt(plain: &[u8], key: &[u8], chunks: &Value) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for chunk in chunks.as_array().unwrap() {
        let len = field(chunk, "plain_len") as usize;
        let cipher = symm::Cipher::aes_128_cbc();
        out.extend(
            symm::encrypt(cipher, &key[..16], Some(&key[..16]), &plain[at..at + len]).unwrap(),
        );
        at += len;
    }
    assert_eq!(at, plain.len());
    out
}

fn streams(dir: &str) -> Vec<Stream> {
    let recording = load(&format!("{dir}/vector.json"));
    let messages = recording["messages"].as_array().unwrap();
    let mut keys: HashMap<String, [u8; 32]> = HashMap::new();
    for message in messages {
        if let Some(key) = message["unwrapped_key"].as_str() {
            let connection = message["stream"]
                .as_str()
                .unwrap()
                .rsplit_once('.')
                .unwrap()
                .0;
            keys.insert(connection.to_string(), unhex(key).try_into().unwrap());
        }
    }
    let mut names: Vec<&str> = messages
        .iter()
        .map(|message| message["stream"].as_str().unwrap())
        .collect();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let key = keys.get(name.rsplit_once('.').unwrap().0).copied();
            let (mut bytes, mut readable, mut expected) = (Vec::new(), Vec::new(), Vec::new());
            for message in messages.iter().filter(|message| message["stream"] == name) {
                let header = header(message);
                let plain = plaintext(message);
                let data = unhex(message["data"].as_str().unwrap());
                let wrapped = (data.len() > 1).then_some(&data[..]);
                let rewrapped =
                    wrapped.map(|_| key_pair().wrap(&SessionKey::new(key.unwrap())).unwrap());
                let body = match &key {
                    Some(key) if header.encrypted => {
                        cut_and_encrypt(&plain, key, &message["chunks"])
                    }
                    _ => plain.clone(),
                };
                assert_eq!(
                    hex(&sha256(&body)),
                    message["payload_sha256"],
                    "payload of {} in {dir} {name}",
                    header.id
                );
                let (mut one, mut other) = ([0; MAX_ENCODED], [0; MAX_ENCODED]);
                let data = |key| match key {
                    Some(key) => Data::Key(key),
                    None if data == b"a" => Data::Gossip,
                    None => Data::None,
                };
                assert_eq!(bytes.len() as u64, field(message, "offset"));
                bytes.extend_from_slice(header.encode(data(wrapped), &mut one));
                readable.extend_from_slice(header.encode(data(rewrapped.as_deref()), &mut other));
                bytes.extend_from_slice(&body);
                readable.extend_from_slice(&body);
                expected.push(Got {
                    id: header.id,
                    kind: header.kind,
                    version: header.version,
                    same_dc: header.same_dc,
                    encrypted: header.encrypted,
                    payload: plain,
                });
            }
            let memcached = recording["topology"][0]["data_store"] == "memcache";
            Stream {
                name: format!("{dir} {name}"),
                replies: name.ends_with(".rsp"),
                memcached,
                key,
                bytes,
                readable,
                expected,
            }
        })
        .collect()
}

fn recordings() -> Vec<String> {
    let mut dirs: Vec<String> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dnode"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("vector.json").exists())
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
    dirs.sort();
    assert_eq!(dirs.len(), RECORDINGS);
    dirs
}

/// What the pieces of a stream decode to.
fn decode<'a>(stream: &Stream, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Got> {
    fn ready<P: dynomite::proto::dnode::payload::Payload>(
        mut decoder: Decoder<P>,
        stream: &Stream,
    ) -> Decoder<P> {
        if let (true, Some(key)) = (stream.replies, stream.key) {
            decoder.set_session(&SessionKey::new(key)).unwrap();
        }
        decoder
    }
    let store = if stream.memcached {
        StoreKind::Memcache
    } else {
        StoreKind::Redis
    };
    let (got, broken) = if stream.replies {
        feed(
            ready(Decoder::replies(store, security(MBUF)), stream),
            pieces,
        )
    } else {
        feed(
            ready(Decoder::requests(store, security(MBUF)), stream),
            pieces,
        )
    };
    assert_eq!(broken, None, "{}", stream.name);
    got
}

#[test]
fn headers_and_ciphers_are_the_originals_byte_for_byte() {
    let mut compared = 0;
    for dir in recordings() {
        let recording = load(&format!("{dir}/vector.json"));
        for stream in streams(&dir) {
            let name = stream.name.rsplit_once(' ').unwrap().1;
            let (from_to, direction) = name.rsplit_once('.').unwrap();
            let recorded = recording["streams"]
                .as_array()
                .unwrap()
                .iter()
                .find(|recorded| {
                    let (from, to) = from_to.split_once('-').unwrap();
                    let to = to.split_once('.').unwrap().0;
                    let forth = recorded["from"] == from
                        && recorded["to"] == to
                        && recorded["direction"] == "requester to replica";
                    let back = recorded["from"] == to
                        && recorded["to"] == from
                        && recorded["direction"] != "requester to replica";
                    if direction == "req" { forth } else { back }
                });
            let recorded = recorded.unwrap_or_else(|| panic!("{} is not listed", stream.name));
            assert_eq!(
                stream.bytes.len() as u64,
                field(recorded, "bytes"),
                "{}",
                stream.name
            );
            assert_eq!(
                hex(&sha256(&stream.bytes)),
                recorded["sha256"],
                "{}",
                stream.name
            );
            compared += 1;
        }
    }
    assert!(compared > 90, "{compared} streams");
}

#[test]
fn every_recorded_message_is_decoded() {
    for dir in recordings() {
        for stream in streams(&dir) {
            assert_eq!(
                decode(&stream, [&stream.readable[..]]),
                stream.expected,
                "{}",
                stream.name
            );
        }
    }
}

#[test]
fn streams_may_be_cut_anywhere() {
    for dir in recordings() {
        for stream in streams(&dir) {
            let bytes = &stream.readable;
            // Two pieces, cut at every byte of short streams and here and there in long ones; then
            // many pieces.
            let step = bytes.len() / (1_000_000 / bytes.len()).clamp(5, 200) + 1;
            for at in (1..bytes.len()).step_by(step) {
                assert_eq!(
                    decode(&stream, [&bytes[..at], &bytes[at..]]),
                    stream.expected,
                    "{} at {at}",
                    stream.name
                );
            }
            for size in [1, 2, 7, 60, 1448] {
                let size = if bytes.len() > 2000 {
                    size.max(1000)
                } else {
                    size
                };
                assert_eq!(
                    decode(&stream, bytes.chunks(size)),
                    stream.expected,
                    "{} by {size}",
                    stream.name
                );
            }
        }
    }
}

#[test]
fn our_cipher_writes_what_the_originals_did() {
    let mut compared = 0;
    for dir in recordings() {
        let recording = load(&format!("{dir}/vector.json"));
        let messages = recording["messages"].as_array().unwrap();
        for stream in streams(&dir) {
            let name = stream.name.rsplit_once(' ').unwrap().1;
            let of_stream = messages.iter().filter(|message| message["stream"] == name);
            for (message, expected) in of_stream.zip(&stream.expected) {
                let regular = |chunks: &Vec<Value>| {
                    let full = chunks
                        .iter()
                        .rev()
                        .skip(1)
                        .all(|chunk| field(chunk, "plain_len") == 16_320);
                    full && chunks
                        .last()
                        .is_some_and(|chunk| field(chunk, "plain_len") > 0)
                };
                if message["chunks"].as_array().is_some_and(regular) {
                    let cipher = feed::encrypt(
                        &SessionKey::new(stream.key.unwrap()),
                        MBUF,
                        &expected.payload,
                    );
                    assert_eq!(
                        hex(&sha256(&cipher)),
                        message["payload_sha256"],
                        "{}",
                        stream.name
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 40, "{compared} payloads");
}
