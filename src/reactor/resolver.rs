//! Host names to addresses, off the loop.
//!
//! The system's resolver blocks for as long as it likes, so threads of their own ask it: one for the
//! datastore, which must not wait for the names of peers while a name server is away, and one for the
//! peers. A name is asked for once at a time, however often connections are tried meanwhile: its answer
//! is for those who want it then.

use crate::config::Endpoint;
use crate::node::{ConnId, Kind};
use mio::Waker;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a look-up found: at least one address, the preferred first; or why there is none.
pub type Found = Result<VecDeque<SocketAddr>, Arc<io::Error>>;

/// A thread that asks, and the way to it and back.
struct Asker {
    questions: Sender<Endpoint>,
    answers: Receiver<(Endpoint, Found)>,
    /// What is being asked, and for which connections.
    open: Vec<(Endpoint, Vec<ConnId>)>,
}

/// The threads that ask.
pub struct Resolver {
    store: Asker,
    peers: Asker,
}

impl Asker {
    fn start(name: &str, waker: Arc<Waker>) -> io::Result<Asker> {
        let (questions, asked) = channel::<Endpoint>();
        let (answer, answers) = channel();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                for endpoint in asked {
                    let found = match endpoint.resolve() {
                        Ok(addresses) => Ok(addresses.into()),
                        Err(error) => Err(Arc::new(error)),
                    };
                    if answer.send((endpoint, found)).is_err() || waker.wake().is_err() {
                        return;
                    }
                }
            })?;
        Ok(Asker {
            questions,
            answers,
            open: Vec::new(),
        })
    }

    fn ask(&mut self, id: ConnId, endpoint: &Endpoint) {
        for (_, ids) in &mut self.open {
            // An earlier attempt, which has been given up.
            ids.retain(|earlier| (earlier.kind, earlier.key) != (id.kind, id.key));
        }
        match self.open.iter_mut().find(|(asked, _)| asked == endpoint) {
            Some((_, ids)) => ids.push(id),
            None => {
                self.open.push((endpoint.clone(), vec![id]));
                // The thread ends only when this end is dropped.
                let _ = self.questions.send(endpoint.clone());
            }
        }
    }

    fn next_answer(&mut self) -> Option<(Vec<ConnId>, Found)> {
        let (endpoint, found) = self.answers.try_recv().ok()?;
        let at = self.open.iter().position(|(asked, _)| *asked == endpoint);
        let ids = at.map(|at| self.open.swap_remove(at).1);
        Some((ids.unwrap_or_default(), found))
    }
}

impl Resolver {
    /// Starts the threads; `waker` wakes the loop when there is an answer.
    pub fn start(waker: Arc<Waker>) -> io::Result<Resolver> {
        Ok(Resolver {
            store: Asker::start("resolver", Arc::clone(&waker))?,
            peers: Asker::start("peer-resolver", waker)?,
        })
    }

    /// Asks; the answer comes through [`Resolver::next_answer`].
    pub fn ask(&mut self, id: ConnId, endpoint: &Endpoint) {
        match id.kind {
            Kind::Store => self.store.ask(id, endpoint),
            _ => self.peers.ask(id, endpoint),
        }
    }

    /// The next answer, if there is one, and the connections it is for.
    pub fn next_answer(&mut self) -> Option<(Vec<ConnId>, Found)> {
        self.store
            .next_answer()
            .or_else(|| self.peers.next_answer())
    }
}

/// The address of an endpoint that needs no look-up.
pub fn literal(endpoint: &Endpoint) -> Option<SocketAddr> {
    match endpoint {
        Endpoint::Tcp { host, port } => host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, *port)),
        Endpoint::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kind: Kind, key: u32, generation: u32) -> ConnId {
        ConnId {
            kind,
            key,
            generation,
        }
    }

    /// An asker whose thread is played by the test.
    fn asker() -> (Asker, Receiver<Endpoint>, Sender<(Endpoint, Found)>) {
        let (questions, asked) = channel();
        let (answer, answers) = channel();
        let asker = Asker {
            questions,
            answers,
            open: Vec::new(),
        };
        (asker, asked, answer)
    }

    fn host(name: &str) -> Endpoint {
        Endpoint::Tcp {
            host: name.into(),
            port: 8101,
        }
    }

    /// With a name server away, every attempt to connect put another question behind the others.
    #[test]
    fn a_name_is_asked_for_once_and_answered_to_who_wants_it_then() {
        let (mut asker, asked, answer) = asker();
        for generation in 1..100 {
            asker.ask(id(Kind::Peer, 7, generation), &host("a"));
            asker.ask(id(Kind::Peer, 8, generation), &host("a"));
            asker.ask(id(Kind::Peer, 9, generation), &host("b"));
        }
        assert_eq!(asked.try_iter().count(), 2);
        // One of them is another node now.
        asker.ask(id(Kind::Peer, 8, 100), &host("b"));
        let addr: SocketAddr = "127.0.0.1:8101".parse().unwrap();
        for name in ["a", "b"] {
            answer
                .send((host(name), Ok(VecDeque::from([addr]))))
                .unwrap();
        }
        let (ids, _) = asker.next_answer().unwrap();
        assert_eq!(ids, [id(Kind::Peer, 7, 99)]);
        let (ids, _) = asker.next_answer().unwrap();
        assert_eq!(ids, [id(Kind::Peer, 9, 99), id(Kind::Peer, 8, 100)]);
        assert!(asker.next_answer().is_none() && asker.open.is_empty());
        asker.ask(id(Kind::Peer, 7, 101), &host("a"));
        assert_eq!(asked.try_iter().count(), 1);
    }
}
