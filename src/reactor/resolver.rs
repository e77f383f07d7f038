//! Host names to addresses, off the loop.
//!
//! The system's resolver blocks for as long as it likes, half a minute for a name server that is away, so
//! each name is asked for by a thread of its own, [`MOST`] of peers at a time; a name that cannot be
//! resolved holds up no other, and the datastore's waits for none. A name is asked for once, however many connections wait for it, and however often they have
//! been given up and tried again meanwhile: what waits here is never more than there are names.

use crate::config::Endpoint;
use crate::node::{ConnId, Kind};
use mio::Waker;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Most names asked for at a time.
const MOST: usize = 8;

/// At least one address, the preferred first; or why there is none.
pub type Found = io::Result<Vec<SocketAddr>>;

/// The connections that have waited for a name, and what was found for it.
pub type Answer = (Vec<ConnId>, Found);

/// What is asked for, and who waits for it.
pub struct Resolver {
    /// The connections that wait for a name which is queued or asked for.
    waiting: HashMap<Endpoint, Vec<ConnId>>,
    queue: VecDeque<Endpoint>,
    /// Names that are asked for.
    running: usize,
    answer: Sender<(Endpoint, Found)>,
    answers: Receiver<(Endpoint, Found)>,
    waker: Arc<Waker>,
}

impl Resolver {
    /// Without a question; `waker` wakes the loop when there is an answer.
    pub fn start(waker: Arc<Waker>) -> io::Result<Resolver> {
        let (answer, answers) = channel();
        Ok(Resolver {
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            running: 0,
            answer,
            answers,
            waker,
        })
    }

    /// Asks; the answer comes through [`Resolver::next_answer`].
    pub fn ask(&mut self, id: ConnId, endpoint: &Endpoint) {
        if let Some(ids) = self.waiting.get_mut(endpoint) {
            // An attempt that was given up waits no longer.
            ids.retain(|old| (old.kind, old.key) != (id.kind, id.key));
            ids.push(id);
            return;
        }
        self.waiting.insert(endpoint.clone(), vec![id]);
        if id.kind == Kind::Store {
            // All clients wait for it: names of peers that nobody answers must not hold it up.
            self.begin(endpoint.clone());
        } else {
            self.queue.push_back(endpoint.clone());
            self.begin_queued();
        }
    }

    /// The next answer, if there is one.
    pub fn next_answer(&mut self) -> Option<Answer> {
        let (endpoint, found) = self.answers.try_recv().ok()?;
        self.running -= 1;
        self.begin_queued();
        Some((self.waiting.remove(&endpoint).unwrap_or_default(), found))
    }

    /// Asks for as many queued names as may be asked for.
    fn begin_queued(&mut self) {
        while self.running < MOST
            && let Some(endpoint) = self.queue.pop_front()
        {
            self.begin(endpoint);
        }
    }

    /// Asks for a name.
    fn begin(&mut self, endpoint: Endpoint) {
        self.running += 1;
        let (answer, waker) = (self.answer.clone(), Arc::clone(&self.waker));
        let asked = endpoint.clone();
        let work = move || {
            let found = endpoint.resolve();
            // The loop may have ended.
            if answer.send((endpoint, found)).is_ok() {
                let _ = waker.wake();
            }
        };
        let thread = std::thread::Builder::new().name("resolver".into());
        if let Err(error) = thread.spawn(work) {
            // This end is held here.
            let _ = self.answer.send((asked, Err(error)));
            let _ = self.waker.wake();
        }
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

    fn id(key: u32, generation: u32) -> ConnId {
        ConnId {
            kind: Kind::Peer,
            key,
            generation,
        }
    }

    /// An address that every resolver knows without asking anybody.
    fn localhost(port: u16) -> Endpoint {
        Endpoint::Tcp {
            host: "127.0.0.1".into(),
            port,
        }
    }

    fn resolver() -> (Resolver, mio::Poll) {
        let poll = mio::Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), mio::Token(0)).unwrap();
        (Resolver::start(Arc::new(waker)).unwrap(), poll)
    }

    /// The next answer, waited for.
    fn await_answer(resolver: &mut Resolver, poll: &mut mio::Poll) -> Answer {
        let mut events = mio::Events::with_capacity(4);
        loop {
            if let Some(answer) = resolver.next_answer() {
                return answer;
            }
            let _ = poll.poll(&mut events, None);
        }
    }

    #[test]
    fn names_of_peers_that_hang_do_not_hold_up_the_datastore() {
        let (mut resolver, mut poll) = resolver();
        resolver.running = MOST;
        let store = ConnId {
            kind: Kind::Store,
            key: 0,
            generation: 1,
        };
        resolver.ask(id(1, 1), &localhost(1));
        resolver.ask(store, &localhost(2));
        assert_eq!(await_answer(&mut resolver, &mut poll).0, [store]);
    }

    /// Attempts that were given up and made again used to ask again each time, before those that waited
    /// for names which can be resolved.
    #[test]
    fn a_name_is_asked_for_once_whoever_waits() {
        let (mut resolver, mut poll) = resolver();
        resolver.running = MOST;
        for generation in 1..=100 {
            resolver.ask(id(1, generation), &localhost(1));
        }
        resolver.ask(id(2, 1), &localhost(1));
        resolver.ask(id(3, 1), &localhost(2));
        assert_eq!(resolver.queue, [localhost(1), localhost(2)]);
        resolver.running = 0;
        resolver.begin_queued();
        let mut answers = [(); 2].map(|()| {
            let (ids, found) = await_answer(&mut resolver, &mut poll);
            (ids, found.unwrap().first().unwrap().port())
        });
        answers.sort_by_key(|(_, port)| *port);
        assert_eq!(
            answers,
            [(vec![id(1, 100), id(2, 1)], 1), (vec![id(3, 1)], 2)]
        );
        assert!(resolver.waiting.is_empty() && resolver.running == 0);
    }

    #[test]
    fn no_more_names_are_asked_for_at_a_time_than_may_be() {
        let (mut resolver, mut poll) = resolver();
        for port in 1..=40 {
            resolver.ask(id(u32::from(port), 1), &localhost(port));
            assert!(resolver.running <= MOST);
        }
        for _ in 0..40 {
            let (_, found) = await_answer(&mut resolver, &mut poll);
            assert!(found.is_ok());
            assert!(resolver.running <= MOST);
        }
        assert!(resolver.waiting.is_empty() && resolver.queue.is_empty());
    }
}
