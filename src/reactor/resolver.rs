//! Host names to addresses, off the loop.
//!
//! The system's resolver blocks for as long as it likes, half a minute if the name server is down, so
//! each name is asked for by a thread of its own, [`MOST`] of peers at a time; a name that cannot be
//! resolved holds up no other, and the datastore's waits for none. A name is asked for once, however many connections wait for it, and however often they have
//! been given up and tried again meanwhile: the queue is never longer than the number of names.
//!
//! A name that was resolved before is answered by its [`known`](super::known) addresses when it cannot be
//! resolved now, or not within [`PATIENCE`]; a later result serves the next attempt.

use super::known::Known;
use crate::config::Endpoint;
use crate::log_at;
use crate::node::{ConnId, Kind};
use crate::sys;
use mio::Waker;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Most names asked for at a time.
const MOST: usize = 8;

/// How long a name that was resolved before is waited for. A name server that is well needs far less.
const PATIENCE: Duration = Duration::from_millis(500);

/// At least one address, the preferred first; or why there is none.
pub type Found = io::Result<Vec<SocketAddr>>;

/// The connections that waited for a name, and its addresses.
pub type Answer = (Vec<ConnId>, Found);

/// Message from the thread that resolves a name.
enum Report {
    /// The answer.
    Found(Found),
    /// There is none yet, and it takes long.
    Late,
}

/// Lookups under way, and the connections that wait for them.
pub struct Resolver {
    /// The connections that wait for a name which is queued or asked for.
    waiting: HashMap<Endpoint, Vec<ConnId>>,
    /// Names that take long: they hold up no others.
    late: HashSet<Endpoint>,
    /// Addresses found earlier.
    pub known: Known,
    /// Connections answered from [`Resolver::known`].
    ready: VecDeque<Answer>,
    look_up: fn(&Endpoint) -> Found,
    queue: VecDeque<Endpoint>,
    /// Names that are asked for.
    running: usize,
    answer: Sender<(Endpoint, Report)>,
    answers: Receiver<(Endpoint, Report)>,
    waker: Arc<Waker>,
}

impl Resolver {
    /// Without a question; `waker` wakes the loop when there is an answer.
    pub fn start(waker: Arc<Waker>) -> io::Result<Resolver> {
        let (answer, answers) = channel();
        Ok(Resolver {
            waiting: HashMap::new(),
            late: HashSet::new(),
            known: Known::default(),
            ready: VecDeque::new(),
            look_up: Endpoint::resolve,
            queue: VecDeque::new(),
            running: 0,
            answer,
            answers,
            waker,
        })
    }

    /// Asks; the answer comes through [`Resolver::next_answer`].
    pub fn ask(&mut self, id: ConnId, endpoint: &Endpoint) {
        if self.late.contains(endpoint) {
            let known = self.known.order(endpoint);
            if !known.is_empty() {
                self.ready.push_back((vec![id], Ok(known)));
                let _ = self.waker.wake();
                return;
            }
        }
        if let Some(ids) = self.waiting.get_mut(endpoint) {
            // An attempt that was given up waits no longer.
            ids.retain(|old| (old.kind, old.key) != (id.kind, id.key));
            ids.push(id);
            return;
        }
        self.waiting.insert(endpoint.clone(), vec![id]);
        if id.kind == Kind::Store {
            // All clients wait for it: it must not queue behind names of peers that take long to resolve.
            self.begin(endpoint.clone());
        } else {
            self.queue.push_back(endpoint.clone());
            self.begin_queued();
        }
    }

    /// The next answer, if there is one.
    pub fn next_answer(&mut self) -> Option<Answer> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        loop {
            let (endpoint, report) = self.answers.try_recv().ok()?;
            let answer = self.take(endpoint, report);
            self.begin_queued();
            if answer.is_some() {
                return answer;
            }
        }
    }

    /// Takes a thread's report. Returns the answer for the connections that wait for the name; `None` if they wait on.
    fn take(&mut self, endpoint: Endpoint, report: Report) -> Option<Answer> {
        let found = match report {
            Report::Late => {
                self.running -= 1;
                self.late.insert(endpoint.clone());
                let known = self.known.order(&endpoint);
                if known.is_empty() {
                    return None;
                }
                log_at!(
                    Warn,
                    "'{endpoint}' takes long to resolve, going by its last addresses"
                );
                // From now on the name is answered at once.
                let ids = self.waiting.insert(endpoint, Vec::new());
                return Some((ids.unwrap_or_default(), Ok(known)));
            }
            Report::Found(found) => found,
        };
        if !self.late.remove(&endpoint) {
            self.running -= 1;
        }
        let found = match found {
            Ok(addresses) => {
                self.known.found(&endpoint, &addresses);
                Ok(self.known.order(&endpoint))
            }
            Err(error) => match self.known.order(&endpoint) {
                known if known.is_empty() => Err(error),
                known => {
                    let reason = sys::reason(&error);
                    log_at!(
                        Warn,
                        "'{endpoint}' cannot be resolved ({reason}), going by its last addresses"
                    );
                    Ok(known)
                }
            },
        };
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
        let look_up = self.look_up;
        let work = move || {
            let (found, result) = channel();
            let name = endpoint.clone();
            let thread = std::thread::Builder::new().name("resolver".into());
            let asking = thread.spawn(move || found.send(look_up(&name)));
            let tell = |report| {
                // The loop may have ended.
                if answer.send((endpoint.clone(), report)).is_ok() {
                    let _ = waker.wake();
                }
            };
            let found = match asking {
                Ok(_) => result.recv_timeout(PATIENCE).or_else(|_| {
                    tell(Report::Late);
                    result.recv()
                }),
                Err(error) => Ok(Err(error)),
            };
            let lost = || io::Error::other("the resolver was lost");
            tell(Report::Found(found.unwrap_or_else(|_| Err(lost()))));
        };
        let thread = std::thread::Builder::new().name("resolver".into());
        if let Err(error) = thread.spawn(work) {
            // This end is held here.
            let _ = self.answer.send((asked, Report::Found(Err(error))));
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

    /// Makes look-ups hang, for the one test that needs it.
    static HANGS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

    /// A link that broke while the resolver was out stayed down until that was back.
    #[test]
    fn a_resolver_that_is_out_is_stood_in_for_by_what_it_said_last() {
        let (mut resolver, mut poll) = resolver();
        resolver.ask(id(1, 1), &localhost(1));
        let (_, before) = await_answer(&mut resolver, &mut poll);
        let before = before.unwrap();
        resolver.look_up = |_| Err(io::Error::other("Temporary failure in name resolution"));
        resolver.ask(id(1, 2), &localhost(1));
        let (ids, found) = await_answer(&mut resolver, &mut poll);
        assert_eq!((ids, found.unwrap()), (vec![id(1, 2)], before));
        resolver.ask(id(2, 1), &localhost(2));
        let (ids, found) = await_answer(&mut resolver, &mut poll);
        assert_eq!(ids, [id(2, 1)]);
        assert!(found.is_err(), "it was never known");
    }

    #[test]
    fn a_resolver_that_hangs_is_stood_in_for_and_holds_up_nobody() {
        use std::sync::atomic::Ordering::SeqCst;
        let (mut resolver, mut poll) = resolver();
        resolver.ask(id(1, 1), &localhost(1));
        let (_, before) = await_answer(&mut resolver, &mut poll);
        let before = before.unwrap();
        HANGS.store(true, SeqCst);
        resolver.look_up = |_| {
            while HANGS.load(SeqCst) {
                std::thread::yield_now();
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(vec![SocketAddr::from(([127, 0, 0, 9], 1))])
        };
        for generation in 2..4 {
            resolver.ask(id(1, generation), &localhost(1));
            let (ids, found) = await_answer(&mut resolver, &mut poll);
            assert_eq!(ids, [id(1, generation)]);
            assert_eq!(found.unwrap(), before);
            assert_eq!(resolver.running, 0, "it holds up no other");
        }
        HANGS.store(false, SeqCst);
        let (ids, found) = await_answer(&mut resolver, &mut poll);
        assert!(ids.is_empty() && found.is_ok());
        resolver.ask(id(1, 4), &localhost(1));
        let (_, found) = await_answer(&mut resolver, &mut poll);
        assert_eq!(found.unwrap(), [SocketAddr::from(([127, 0, 0, 9], 1))]);
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
