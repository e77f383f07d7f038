//! Load at a fixed rate (open loop): requests leave when their time has come, whether or not earlier ones
//! were answered, and latency counts from that time. So a proxy that stalls cannot hide it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::Result;
use crate::client::{Connection, SILENCE, check};
use crate::workload::Batch;

struct Client {
    connection: Connection,
    /// When each request under way ought to have left, in nanoseconds since the start.
    due: VecDeque<u64>,
    /// Bytes of the replies received.
    arrived: usize,
}

/// Connections that send at a given rate.
pub struct Paced {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    room: Vec<u8>,
}

impl Paced {
    pub fn connect(address: SocketAddr, count: usize) -> Result<Paced> {
        // Sleeps are rounded up by the timer slack, 50 µs by default: ask for less, do without otherwise.
        let _ = std::fs::write("/proc/self/timerslack_ns", "1000");
        let poll = Poll::new().map_err(|e| format!("epoll: {e}"))?;
        let mut clients = Vec::new();
        for token in 0..count {
            let connection = Connection::open(address, &poll, token)?;
            clients.push(Client {
                connection,
                due: VecDeque::new(),
                arrived: 0,
            });
        }
        Ok(Paced {
            poll,
            events: Events::with_capacity(1024),
            clients,
            room: vec![0; 64 * 1024],
        })
    }

    /// Sends `rate` requests a second for `time`, round the connections; `batches` hold one request each,
    /// all with the same reply. Returns the latencies in nanoseconds, sorted.
    pub fn run(&mut self, batches: &[Batch], rate: f64, time: Duration) -> Result<Vec<u64>> {
        let total = (rate * time.as_secs_f64()) as usize;
        let due_at = |number: usize| (number as f64 * 1e9 / rate) as u64;
        let expected = &batches[0].replies;
        let mut latencies = Vec::with_capacity(total);
        let mut sent = 0;
        let start = Instant::now();
        let mut last_reply = start;
        while latencies.len() < total {
            let mut now = start.elapsed().as_nanos() as u64;
            // At most one round of the connections between two looks at the replies.
            for _ in 0..self.clients.len() {
                if sent == total || due_at(sent) > now {
                    break;
                }
                let place = sent % self.clients.len();
                let client = &mut self.clients[place];
                client.due.push_back(due_at(sent));
                client
                    .connection
                    .send(&batches[sent % batches.len()].requests)?;
                sent += 1;
                now = start.elapsed().as_nanos() as u64;
            }
            self.poll
                .poll(&mut self.events, Some(Duration::ZERO))
                .map_err(|e| format!("epoll: {e}"))?;
            for event in &self.events {
                let Client {
                    connection,
                    due,
                    arrived,
                } = &mut self.clients[event.token().0];
                if event.is_writable() {
                    connection.flush()?;
                }
                if !event.is_readable() {
                    continue;
                }
                connection.receive(&mut self.room, |piece| {
                    check(expected, *arrived, piece)?;
                    let before = *arrived / expected.len();
                    *arrived += piece.len();
                    let now = start.elapsed().as_nanos() as u64;
                    for _ in before..*arrived / expected.len() {
                        let due = due.pop_front().ok_or("a reply that nobody asked for")?;
                        latencies.push(now - due);
                    }
                    Ok(())
                })?;
                last_reply = Instant::now();
            }
            if last_reply.elapsed() > SILENCE {
                return Err(format!(
                    "no reply for {SILENCE:?}, {} of {total} answered",
                    latencies.len()
                ));
            }
            if self.events.is_empty() {
                // A poll with a time-out rounds up to a millisecond; this is good to some ten microseconds.
                let now = start.elapsed().as_nanos() as u64;
                let next = if sent < total {
                    due_at(sent).saturating_sub(now)
                } else {
                    u64::MAX
                };
                std::thread::sleep(Duration::from_nanos(next.min(20_000)));
            }
        }
        latencies.sort_unstable();
        Ok(latencies)
    }
}
