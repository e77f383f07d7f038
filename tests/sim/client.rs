//! A model of a client: sends a script of requests, and judges every byte it is sent.

mod memcache;
mod redis;

use crate::sim::link::{Bytes, Link};
use crate::sim::memcached;
use crate::sim::random::Random;
use crate::sim::resp;
use crate::sim::store::Ledger;
use crate::sim::tag::Tag;
use dynomite::config::StoreKind;
use dynomite::node::limits;
use std::collections::{HashMap, HashSet, VecDeque};

/// What is said when the datastore cannot be asked.
fn storage_error(kind: StoreKind) -> &'static [u8] {
    match kind {
        StoreKind::Redis => b"-ERR Storage: Datastore refused connection\r\n",
        StoreKind::Memcache => b"SERVER_ERROR Storage: Datastore refused connection\r\n",
    }
}

/// Errors about the stream, not about a request, behind which the connection closes: that memory is
/// out, and that a request was not completed in time.
fn stream_errors(kind: StoreKind) -> [&'static [u8]; 2] {
    match kind {
        StoreKind::Redis => [
            b"-ERR Dynomite: out of buffers\r\n",
            b"-ERR Protocol error: request not completed in time\r\n",
        ],
        StoreKind::Memcache => [
            b"SERVER_ERROR Dynomite: out of buffers\r\n",
            b"CLIENT_ERROR request not completed in time\r\n",
        ],
    }
}

/// Requests of one client that a node sends without waiting for replies, of any size that occurs here.
const SENT_AT_ONCE: usize = 16;

/// What has to be answered.
#[derive(Debug)]
enum Answer {
    /// Nothing at all.
    Silence,
    /// What the datastore answered to this tag, or that it could not be asked.
    OfStore,
    /// The same, or nothing if the datastore had nothing to say that its client wants to hear. Others
    /// like it may follow; what stands behind the last of them is always answered here.
    Quiet,
    /// This, from the datastore, or that it could not be asked.
    Told(&'static [u8]),
    /// Exactly this.
    Exactly(Vec<u8>),
    /// An error with these words in it.
    ErrorWith(String),
    /// Anything that is well formed.
    Any,
    /// An error with these words in it (nothing if there are none), then the end.
    Fatal(&'static str),
}

#[derive(Debug)]
struct Request {
    tag: Tag,
    answer: Answer,
    resp3: bool,
    /// Where it ends in the client's stream.
    end: u64,
    /// When the node had read all of it.
    read_at: Option<u64>,
    /// From when on it has to be answered in time: it has been read, and few enough stand before it that the
    /// node does not let it wait for their replies ([`limits::CLIENT_SHARE`]).
    due_from: Option<u64>,
    /// Nothing is read behind it.
    last: bool,
}

/// How a client's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Closes when everything has been answered.
    Polite,
    /// Ends its stream behind the last request, and reads on.
    Half,
    /// Ends its stream in the middle of a request, and reads on.
    Cut,
    /// Falls silent in the middle of a request.
    Stall,
    /// Vanishes at once, even with requests under way.
    Abort,
    /// Breaks the protocol.
    Bad,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    On,
    Off,
}

/// What a client can see of the world.
pub struct View<'a> {
    pub now: u64,
    /// The datastore never misbehaves, so no request may fail.
    pub calm: bool,
    pub draining: bool,
    /// Memory is so tight that the node may close the client that holds the most.
    pub tight: bool,
    pub ledger: &'a Ledger,
}

pub struct Client {
    pub number: u32,
    random: Random,
    pub link: usize,
    pub ending: EndingKind,
    depth: usize,
    left: u32,
    seq: u32,
    piece: usize,
    never_reads: bool,
    longest: usize,
    kind: StoreKind,
    mode: Mode,
    skip: bool,
    resp3: bool,
    /// The latest versions of items it received.
    versions: HashMap<String, u64>,
    /// An error may have been that of any of some quiet requests.
    unclear: bool,
    /// Running numbers of requests that the node has read and that have no answer.
    pub unheard: Vec<u32>,
    /// Made and not sent.
    unsent: Bytes,
    made: u64,
    /// Sent or about to be, and not answered.
    waiting: VecDeque<Request>,
    /// Received and not judged.
    inbox: Vec<u8>,
    /// Running numbers of the requests that got the datastore's own answer.
    confirmed: HashSet<u32>,
    /// The last thing it sends has been made.
    finished: bool,
    /// Its stream has ended.
    told_off: bool,
    /// Reply bytes it has not taken, and since when that has been so.
    untaken: (usize, u64),
    pub gone: bool,
}

/// How it ends, for the trace.
pub type EndingKind = String;

impl Client {
    pub fn new(mut random: Random, number: u32, link: usize, kind: StoreKind) -> Client {
        let random = &mut random;
        let depth = random.pick(&[1, 2, 16, 64]);
        Client {
            number,
            link,
            ending: String::new(),
            depth,
            left: random.between(1, if depth > 2 { 120 } else { 20 }) as u32,
            seq: 0,
            piece: random.pick(&[1, 7, 100, 5000, 100_000]),
            never_reads: random.chance(80),
            longest: random.pick(&[5, 5, 100, 2000, 50_000]),
            kind,
            mode: Mode::On,
            skip: false,
            resp3: false,
            versions: HashMap::new(),
            unclear: false,
            unheard: Vec::new(),
            unsent: Bytes::default(),
            made: 0,
            waiting: VecDeque::new(),
            inbox: Vec::new(),
            confirmed: HashSet::new(),
            finished: false,
            told_off: false,
            untaken: (0, 0),
            gone: false,
            random: random.fork(),
        }
    }

    pub fn describe(&self) -> String {
        format!(
            "client {}: {} requests left, {} unanswered ({:?}), {} bytes unsent, {}",
            self.number,
            self.left,
            self.waiting.len(),
            self.waiting
                .front()
                .map(|request| (request.tag, &request.answer, request.read_at)),
            self.unsent.len(),
            self.ending
        )
    }

    /// The node has no room for it.
    pub fn refused(&mut self) {
        self.gone = true;
    }

    /// Hurries to its end: no new requests, and it reads.
    pub fn calm_down(&mut self) {
        self.left = 0;
        self.never_reads = false;
        self.piece = 1_000_000;
    }

    fn queue(&mut self, bytes: &[u8], answer: Answer, last: bool) {
        self.unsent.push(bytes);
        self.made += bytes.len() as u64;
        let quiet = self.mode == Mode::Off || std::mem::take(&mut self.skip);
        let end = match answer {
            // What is wrong may show from its first byte on.
            Answer::Fatal(_) => self.made - bytes.len() as u64 + 1,
            _ => self.made,
        };
        let answer = match answer {
            Answer::Fatal(_) if quiet => Answer::Fatal(""),
            Answer::Fatal(words) => Answer::Fatal(words),
            _ if quiet => Answer::Silence,
            other => other,
        };
        self.waiting.push_back(Request {
            tag: (self.number, self.seq),
            answer,
            resp3: self.resp3,
            end,
            read_at: None,
            due_from: None,
            last,
        });
        self.seq += 1;
    }

    /// Makes one more request.
    fn make(&mut self) {
        match self.kind {
            StoreKind::Redis => self.make_redis(),
            StoreKind::Memcache => self.make_memcache(),
        }
    }

    /// Makes the last thing it sends.
    fn finish(&mut self, link: &mut Link) {
        self.finished = true;
        let ending = match self.random.below(10) {
            0 => Ending::Half,
            1 => Ending::Cut,
            2 => Ending::Stall,
            3 => Ending::Abort,
            4 => Ending::Bad,
            5 => Ending::Quit,
            _ => Ending::Polite,
        };
        self.ending = format!("{ending:?}");
        let (half, behind, bad) = match self.kind {
            StoreKind::Redis => (redis::HALF, redis::BEHIND_THE_END, redis::BAD),
            StoreKind::Memcache => (memcache::HALF, memcache::BEHIND_THE_END, memcache::BAD),
        };
        match ending {
            Ending::Polite | Ending::Half => {}
            Ending::Cut | Ending::Stall => {
                self.unsent.push(half);
                self.made += half.len() as u64;
            }
            Ending::Abort => link.reset(),
            Ending::Bad => {
                let (bytes, words) = self.random.pick(bad);
                self.queue(bytes, Answer::Fatal(words), true);
                self.queue(behind, Answer::Silence, true);
            }
            Ending::Quit => {
                match self.kind {
                    StoreKind::Redis => {
                        let bytes = resp::command(&[b"quit"]);
                        self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), true);
                    }
                    StoreKind::Memcache => self.queue(b"quit\r\n", Answer::Fatal(""), true),
                }
                self.queue(behind, Answer::Silence, true);
            }
        }
        if matches!(ending, Ending::Half | Ending::Cut) {
            self.ending += " (stream ends)";
        }
    }

    fn ends_stream(&self) -> bool {
        self.ending.ends_with("(stream ends)")
    }

    /// Does a little. Returns what to trace.
    pub fn act(&mut self, link: &mut Link) -> Option<String> {
        if self.gone || link.closed {
            return None;
        }
        if link.is_reset() {
            self.gone = true;
            return Some(format!("client {} is gone", self.number));
        }
        if !self.never_reads && link.waiting > 0 && self.random.chance(600) {
            let n = if self.random.chance(300) {
                1 + self.random.below(link.waiting)
            } else {
                link.waiting
            };
            link.take(n);
        }
        let unanswered = self
            .waiting
            .iter()
            .filter(|request| !matches!(request.answer, Answer::Silence))
            .count();
        while self.left > 0 && unanswered + self.waiting.len() < 2 * self.depth {
            self.left -= 1;
            self.make();
            if self.random.chance(200) {
                break;
            }
        }
        if self.left == 0 && !self.finished && self.random.chance(300) {
            self.finish(link);
            return Some(format!("client {} ends: {}", self.number, self.ending));
        }
        if self.random.chance(1) {
            link.reset();
            return Some(format!("client {} resets", self.number));
        }
        let n = self.unsent.len().min(1 + self.random.below(self.piece));
        if n > 0 && link.flight.len() < 65_536 {
            self.unsent.move_to(&mut link.flight, n);
            return Some(format!("client {} sends {n}", self.number));
        }
        if self.finished && self.unsent.len() == 0 && !link.fin_sent {
            let answered = self
                .waiting
                .iter()
                .all(|request| matches!(request.answer, Answer::Silence));
            if self.ends_stream() || self.ending == "Polite" && answered {
                link.fin_sent = true;
                return Some(format!("client {} ends its stream", self.number));
            }
        }
        None
    }

    /// Returns true if it does nothing until it is sent something.
    pub fn is_quiet(&self) -> bool {
        self.finished && self.unsent.len() == 0
    }

    /// Blocks that answers of the datastore it has not seen yet may take up.
    pub fn answered_blocks(&self, ledger: &Ledger, block: usize) -> usize {
        self.waiting
            .iter()
            .filter_map(|request| ledger.done.get(&request.tag))
            .map(|done| done.length / block + 2)
            .sum()
    }

    /// Judges what the node has written since the last time.
    pub fn judge(&mut self, link: &mut Link, view: &View<'_>) -> Result<(), String> {
        if self.untaken.0 != link.waiting {
            self.untaken = (link.waiting, view.now);
        }
        for (before, request) in self.waiting.iter_mut().enumerate() {
            if request.read_at.is_none() && request.end <= link.taken() {
                request.read_at = Some(view.now);
            }
            if request.due_from.is_none() && request.read_at.is_some() && before < SENT_AT_ONCE {
                request.due_from = Some(view.now);
            }
        }
        if link.written.len() == 0 {
            return Ok(());
        }
        self.inbox.extend_from_slice(link.written.view());
        link.written.clear();
        let mut at = 0;
        let delimit = match self.kind {
            StoreKind::Redis => resp::delimit,
            StoreKind::Memcache => memcached::delimit,
        };
        while let Some(length) = delimit(&self.inbox[at..])? {
            let reply = self.inbox[at..at + length].to_vec();
            self.judge_one(&reply, view)?;
            at += length;
        }
        self.inbox.drain(..at);
        Ok(())
    }

    fn judge_one(&mut self, reply: &[u8], view: &View<'_>) -> Result<(), String> {
        let shown = String::from_utf8_lossy(&reply[..reply.len().min(80)]).into_owned();
        let wrong = |why: &str, request: Option<&Request>| {
            Err(format!("{why}: got {shown:?}, waiting for {request:?}"))
        };
        if self.told_off {
            return wrong("an answer behind the end", None);
        }
        while self.waiting.front().is_some_and(|request| {
            matches!(request.answer, Answer::Silence) && request.read_at.is_some() && !request.last
        }) {
            self.unheard
                .extend(self.waiting.pop_front().map(|request| request.tag.1));
        }
        if self.is_of_the_quiet(reply, view)? {
            return Ok(());
        }
        let front = self.waiting.front();
        let stream_errors = stream_errors(self.kind);
        // What breaks the protocol may be given up before it is known to. A whole request that waits, with others in
        // front of it or for memory, may be thrown away with the rest; it counts as read from then on.
        let is_given_up = |front: &Request| {
            front.read_at.is_none_or(|at| at == view.now)
                && !view.ledger.done.contains_key(&front.tag)
                || matches!(front.answer, Answer::Fatal(""))
        };
        if stream_errors.contains(&reply) && front.is_none_or(is_given_up) {
            let stalled = reply == stream_errors[1];
            if !stalled && !view.tight {
                return wrong("there is memory enough", front);
            }
            self.told_off = true;
            return Ok(());
        }
        let Some(request) = front.filter(|front| front.read_at.is_some()) else {
            return wrong("nothing was asked", front);
        };
        let unserved = reply == storage_error(self.kind);
        if unserved && view.calm {
            return wrong("the datastore is well", front);
        }
        let right = match &request.answer {
            Answer::Any => true,
            Answer::Silence | Answer::Quiet => false,
            Answer::Exactly(bytes) => reply == bytes,
            Answer::ErrorWith(words) => reply[0] == b'-' && shown.contains(words.as_str()),
            Answer::Fatal(words) => !words.is_empty() && reply[0] == b'-' && shown.contains(words),
            Answer::OfStore | Answer::Told(_) if unserved => true,
            Answer::Told(bytes) => reply == *bytes,
            Answer::OfStore => view
                .ledger
                .done
                .get(&request.tag)
                .is_some_and(|done| done.reply.encode(request.resp3) == reply),
        };
        if !right {
            return wrong("not the answer to this request", front);
        }
        self.told_off = request.last;
        if matches!(request.answer, Answer::OfStore) && !unserved {
            let tag = request.tag;
            self.confirm(tag, view);
        }
        self.waiting.pop_front();
        Ok(())
    }

    /// It has got the datastore's answer to a request.
    fn confirm(&mut self, tag: Tag, view: &View<'_>) {
        self.confirmed.insert(tag.1);
        if let Some(done) = view.ledger.done.get(&tag) {
            self.versions.extend(done.versions.iter().cloned());
        }
    }

    /// Whether a reply is that of one of the quiet requests that come next; those it passes over must
    /// have had nothing to say.
    fn is_of_the_quiet(&mut self, reply: &[u8], view: &View<'_>) -> Result<bool, String> {
        let quiet = |request: &&Request| {
            matches!(request.answer, Answer::Quiet) && request.read_at.is_some()
        };
        let count = self.waiting.iter().take_while(quiet).count();
        if count == 0 {
            return Ok(false);
        }
        if reply == storage_error(self.kind) && !view.calm {
            self.unclear = true;
            self.waiting.pop_front();
            return Ok(true);
        }
        let done = |request: &Request| view.ledger.done.get(&request.tag);
        let mut some = self.waiting.iter().take(count);
        let heard = some.position(|request| {
            done(request).is_some_and(|done| done.reply.encode(false) == reply)
        });
        for _ in 0..heard.unwrap_or(count) {
            let Some(request) = self.waiting.pop_front() else {
                break;
            };
            if !self.unclear && !done(&request).is_some_and(|done| done.nominal) {
                let came = String::from_utf8_lossy(reply);
                return Err(format!(
                    "{request:?} had something to say, but {came:?} came"
                ));
            }
            self.unheard.push(request.tag.1);
        }
        if heard.is_none() {
            self.unclear = false;
            return Ok(false);
        }
        if let Some(request) = self.waiting.pop_front() {
            if done(&request).is_some_and(|done| done.nominal) {
                return Err(format!("{request:?} had nothing to say"));
            }
            self.confirm(request.tag, view);
        }
        Ok(true)
    }

    /// A request that was to be answered by now, if there is one.
    pub fn overdue(&self, now: u64, patience: u64) -> Option<String> {
        self.waiting
            .iter()
            .take_while(|request| !request.last)
            .find(|request| {
                !matches!(request.answer, Answer::Silence | Answer::Quiet)
                    && request.due_from.is_some_and(|at| at + patience < now)
            })
            .map(|request| format!("not answered in time: {request:?}"))
    }

    /// The node has closed the connection: was that right?
    pub fn closed(&mut self, link: &Link, view: &View<'_>) -> Result<(), String> {
        self.gone = true;
        if link.is_reset() || view.draining || view.tight {
            return Ok(());
        }
        if link.blocked && self.untaken.1 + limits::UNREAD_US <= view.now {
            return Ok(()); // It takes nothing.
        }
        let owed = self.waiting.iter().find(|request| {
            !matches!(
                request.answer,
                Answer::Silence | Answer::Quiet | Answer::Fatal("")
            ) && !request.last
        });
        let silent_end = self
            .waiting
            .iter()
            .any(|request| request.last && request.read_at.is_some());
        if self.told_off {
            return Ok(());
        }
        match owed {
            Some(request) => Err(format!("closed although an answer is owed: {request:?}")),
            None if link.fin_sent || silent_end => Ok(()),
            None if self.stalled_in_silence() => Ok(()),
            None => Err("closed for no reason".into()),
        }
    }

    /// A stalled client that wants no replies gets no reason why it is closed.
    fn stalled_in_silence(&self) -> bool {
        self.mode == Mode::Off || self.skip
    }

    /// Requests that the node has read and that want no answer are executed all the same, if nothing
    /// can fail.
    pub fn check_unheard(&self, ledger: &Ledger, all: bool) -> Result<(), String> {
        if self.kind == StoreKind::Redis || !all {
            return Ok(());
        }
        let lost = |seq: &&u32| !ledger.done.contains_key(&(self.number, **seq));
        match self.unheard.iter().find(lost) {
            Some(seq) => Err(format!("({}, {seq}) was never executed", self.number)),
            None => Ok(()),
        }
    }

    /// Two requests that the datastore executed in another order than they were sent, although the client
    /// received nothing that would explain it.
    pub fn disorder(&self, ledger: &Ledger) -> Option<(Tag, Tag)> {
        let executed = |seq: &u32| {
            let tag = (self.number, *seq);
            ledger.done.get(&tag).map(|done| (done.order, tag))
        };
        // One without a reply may have been executed at any later time.
        let confirmed: Vec<_> = (0..self.seq)
            .filter(|seq| self.confirmed.contains(seq))
            .filter_map(|seq| executed(&seq))
            .collect();
        confirmed
            .windows(2)
            .find(|pair| pair[0].0 > pair[1].0)
            .map(|pair| (pair[0].1, pair[1].1))
    }
}
