//! Everyday, malformed and hostile input from clients of memcached's text protocol: what comes of it, what
//! follows on the same connection, and that it disturbs no other client of the datastore.
//!
//! Most rows say "as memcached": a memcached gets the same bytes and the answers are compared, but for
//! `cas` ids. The exceptions are decisions of ours: NUL and a lone CR are refused in keys, commands of
//! administration are refused, `flush_all` is off, and what is no text is refused at once.

mod rows;
mod sharing;

use crate::common::*;
use rows::Expected::*;
use rows::{BAD_LINE, Expected, Input, ROWS};

/// A node before a memcached, beside another memcached that answers for itself.
struct Bench {
    node: Node,
    behind: Memcached,
    beside: Memcached,
}

impl Bench {
    fn new() -> Bench {
        let behind = Memcached::start();
        let node = Setup::before_memcached(&behind).start();
        Bench {
            node,
            behind,
            beside: Memcached::start(),
        }
    }

    /// The same state before each row.
    fn prepare(store: &Memcached) {
        let mut client = store.client();
        client.expect("flush_all", "OK\r\n");
        client.expect("set a 5 0 3\r\nabc", "STORED\r\n");
        client.expect("set n 0 0 2\r\n10", "STORED\r\n");
    }

    /// What one of them says to these bytes, without `cas` ids.
    fn transcript(mut client: TextClient, pieces: &[Vec<u8>]) -> std::io::Result<Transcript> {
        for piece in pieces {
            // A read shows that the connection is closed.
            let _ = client.raw().try_send(piece);
        }
        let said = client.transcript()?;
        Ok(Transcript {
            bytes: without_ids(&said.bytes),
            closed: said.closed,
        })
    }

    /// What is wrong with a row, if anything.
    fn check(&self, input: &Input, expected: &Expected) -> Option<String> {
        Bench::prepare(&self.behind);
        let mut pieces = input.pieces();
        let mut client = self.node.text_client();
        if let Waits(rest) = expected {
            for piece in &pieces {
                client.send(piece);
            }
            // Meanwhile others are served, over the same connection to the memcached.
            let mut other = self.node.text_client();
            other.expect("get n", &value("n", "10"));
            client.send(rest.as_bytes());
            pieces.push(rest.as_bytes().to_vec());
            let ours = client.transcript();
            return self.as_memcached(ours, &pieces);
        }
        if let Length = expected {
            client.send(&pieces.concat());
            let reply = shown(&client.reply());
            let known = [
                "STORED",
                "SERVER_ERROR object too large for cache",
                BAD_LINE.trim_end(),
            ];
            let right = known.iter().any(|line| reply == format!("{line}\\r\\n"));
            return (!right).then_some(reply);
        }
        let ours = match Bench::transcript(client, &pieces) {
            Err(error) => return Some(error.to_string()),
            Ok(ours) => ours,
        };
        let is = |text: &str, closed| ours.bytes == text.as_bytes() && ours.closed == closed;
        let error =
            ours.bytes.starts_with(b"ERROR\r\n") || ours.bytes.starts_with(b"CLIENT_ERROR ");
        let right = match expected {
            Same => return self.as_memcached(Ok(ours), &pieces),
            Answers(text) => is(text, false),
            Closes(text) => is(text, true),
            Begins(text) => !ours.closed && ours.bytes.starts_with(text.as_bytes()),
            Refuses => error && !ours.closed,
            TooLong => error || is("", true),
            // Magic of a response; "found", or "not found".
            Binary => {
                ours.closed
                    && ours.bytes.first() == Some(&0x81)
                    && matches!(ours.bytes.get(6..8), Some([0, 0 | 1]))
            }
            Anything => true,
            Waits(_) | Length => unreachable!("see above"),
        };
        (!right).then(|| told(&ours))
    }

    fn as_memcached(
        &self,
        ours: std::io::Result<Transcript>,
        pieces: &[Vec<u8>],
    ) -> Option<String> {
        as_memcached(&self.beside, ours, pieces)
    }
}

/// How something said differs from what a memcached says to the same bytes, if it does.
fn as_memcached(
    beside: &Memcached,
    ours: std::io::Result<Transcript>,
    pieces: &[Vec<u8>],
) -> Option<String> {
    Bench::prepare(beside);
    let theirs = Bench::transcript(beside.client(), pieces).expect("a memcached answers");
    match ours {
        Err(error) => Some(error.to_string()),
        Ok(mut ours) => {
            ours.bytes = without_ids(&ours.bytes);
            (ours != theirs).then(|| format!("{}, not {}", told(&ours), told(&theirs)))
        }
    }
}

fn told(said: &Transcript) -> String {
    let closed = if said.closed { ", closed" } else { "" };
    format!("{}{closed}", shown(&said.bytes))
}

#[test]
fn every_input_has_its_answer_and_disturbs_nobody() {
    let mut bench = Bench::new();
    let mut other = bench.node.text_client();
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        if let Some(said) = bench.check(input, expected) {
            wrong.push(format!("{number}: {said}"));
        }
        // A client that was there before, over the same connection to the memcached.
        let mine = format!("of-row-{number}");
        other.set("mine", &mine);
        other.expect("get mine absent", &value("mine", &mine));
        other.expect_open();
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    bench.node.expect_alive();
}

/// The same byte by byte, as far as the rows are short; a memcached gets them at once.
#[test]
fn every_input_may_come_byte_by_byte() {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        let whole = input.pieces().concat();
        if !matches!(expected, Same) || whole.len() > 600 {
            continue;
        }
        Bench::prepare(&bench.behind);
        let bytes: Vec<Vec<u8>> = whole.iter().map(|&byte| vec![byte]).collect();
        let said = Bench::transcript(bench.node.text_client(), &bytes);
        let said = bench.as_memcached(said, &[whole]);
        wrong.extend(said.map(|said| format!("{number}: {said}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Rows that are as memcached, asked of a memcached: the comparison itself is sound.
#[test]
fn two_memcacheds_answer_alike() {
    let (one, other) = (Memcached::start(), Memcached::start());
    let mut wrong = Vec::new();
    for (number, input, expected) in ROWS {
        if matches!(expected, Same) {
            Bench::prepare(&one);
            let pieces = input.pieces();
            let said = Bench::transcript(one.client(), &pieces);
            let said = as_memcached(&other, said, &pieces);
            wrong.extend(said.map(|said| format!("{number}: {said}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
