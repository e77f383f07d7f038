//! Host names to addresses, off the loop.
//!
//! The system's resolver blocks for as long as it likes, so a thread of its own asks it. One thread
//! is enough: it is asked only when a connection has to be made again.

use crate::config::Endpoint;
use crate::node::ConnId;
use mio::Waker;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a look-up found.
pub enum Found {
    /// At least one address, the preferred first.
    Addresses(VecDeque<SocketAddr>),
    /// None, and why.
    Error(io::Error),
}

/// A connection, and what was found for it.
pub type Answer = (ConnId, Found);

/// The thread that asks, and the way to it.
pub struct Resolver {
    questions: Sender<(ConnId, Endpoint)>,
    answers: Receiver<Answer>,
}

impl Resolver {
    /// Starts the thread; `waker` wakes the loop when there is an answer.
    pub fn start(waker: Arc<Waker>) -> io::Result<Resolver> {
        let (questions, asked) = channel::<(ConnId, Endpoint)>();
        let (answer, answers) = channel();
        std::thread::Builder::new()
            .name("resolver".into())
            .spawn(move || {
                for (id, endpoint) in asked {
                    let found = match endpoint.resolve() {
                        Ok(addresses) => Found::Addresses(addresses.into()),
                        Err(error) => Found::Error(error),
                    };
                    if answer.send((id, found)).is_err() || waker.wake().is_err() {
                        return;
                    }
                }
            })?;
        Ok(Resolver { questions, answers })
    }

    /// Asks; the answer comes through [`Resolver::next_answer`].
    pub fn ask(&self, id: ConnId, endpoint: &Endpoint) {
        // The thread ends only when this end is dropped.
        let _ = self.questions.send((id, endpoint.clone()));
    }

    /// The next answer, if there is one.
    pub fn next_answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
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
