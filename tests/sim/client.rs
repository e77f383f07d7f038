//! A model of a client: sends a script of requests, and judges every byte it is sent.

use crate::link::{Bytes, Link};
use crate::random::Random;
use crate::resp;
use crate::store::{Ledger, Tag};
use dynomite::node::limits;
use std::collections::{HashSet, VecDeque};

const STORAGE_ERROR: &[u8] = b"-ERR Storage: Datastore refused connection\r\n";
/// Errors about the stream, not about a request; the connection closes behind them.
const STREAM_ERRORS: &[&[u8]] = &[
    b"-ERR Dynomite: out of buffers\r\n",
    b"-ERR Protocol error: request not completed in time\r\n",
];

/// What has to be answered.
#[derive(Debug)]
enum Answer {
    /// Nothing at all.
    Silence,
    /// What the datastore answered to this tag, or that it could not be asked.
    OfStore,
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
    /// Is gone at once, whatever is under way.
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
    /// Memory is so tight that the node may close whoever holds the most.
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
    mode: Mode,
    skip: bool,
    resp3: bool,
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
    /// It has been told that its stream is over.
    told_off: bool,
    /// Reply bytes it has not taken, and since when that has been so.
    untaken: (usize, u64),
    pub gone: bool,
}

/// How it ends, for the trace.
pub type EndingKind = String;

impl Client {
    pub fn new(mut random: Random, number: u32, link: usize) -> Client {
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
            mode: Mode::On,
            skip: false,
            resp3: false,
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
            last,
        });
        self.seq += 1;
    }

    /// Makes one more request.
    fn make(&mut self) {
        let random = &mut self.random;
        let tag = format!("c{}.{}", self.number, self.seq);
        let key = format!("{tag}:{}", random.below(5));
        let value = {
            let n = if random.chance(100) { self.longest } else { 5 };
            vec![b'x'; random.below(n)]
        };
        let key = key.as_bytes();
        let args: Vec<&[u8]> = match random.below(20) {
            0..=3 => vec![b"GET", key],
            4..=7 => vec![b"SET", key, &value],
            8 => vec![b"INCR", key],
            9 => vec![b"APPEND", key, &value],
            10 => vec![b"MGET", key, b"other", b"third"],
            11 => vec![b"MSET", key, &value, b"other", &value],
            12 => vec![b"HGETALL", key],
            13 => vec![b"SMEMBERS", key],
            14 => vec![b"LRANGE", key, b"0", b"-1"],
            15 => vec![b"PING", key],
            _ => return self.make_odd(&tag),
        };
        let bytes = resp::command(&args);
        self.queue(&bytes, Answer::OfStore, false);
    }

    /// Makes a request that the node answers itself, or of an unusual form.
    fn make_odd(&mut self, tag: &str) {
        let kind = self.random.below(12);
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len()).into_bytes();
        match kind {
            0 => {
                let line = format!("get {tag}:0\r\n");
                self.queue(line.as_bytes(), Answer::OfStore, false);
            }
            1 => {
                let line = format!("SET \"{tag}:\\x41\" 'a b'\n");
                self.queue(line.as_bytes(), Answer::OfStore, false);
            }
            2 | 3 => {
                let bytes = resp::command(&[b"echo", tag.as_bytes()]);
                self.queue(&bytes, Answer::Exactly(bulk(tag)), false);
            }
            4 => {
                let bytes = resp::command(&[b"nosuch", tag.as_bytes()]);
                self.queue(&bytes, Answer::ErrorWith(tag.into()), false);
            }
            5 => {
                let bytes = resp::command(&[b"get"]);
                self.queue(&bytes, Answer::ErrorWith("'get' command".into()), false);
            }
            6 => {
                // Nothing to answer, and no request: it does not use up a SKIP either.
                let bytes = self
                    .random
                    .pick(&[b"\r\n".as_slice(), b"*0\r\n", b"*-1\r\n"]);
                self.unsent.push(bytes);
                self.made += bytes.len() as u64;
            }
            7 => {
                let bytes = resp::command(&[b"select", b"0"]);
                self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), false);
            }
            8 if self.mode == Mode::On => {
                let bytes = resp::command(&[b"client", b"reply", b"skip"]);
                self.queue(&bytes, Answer::Silence, false);
                self.skip = true;
            }
            9 if self.random.chance(300) => {
                let bytes = resp::command(&[b"client", b"reply", b"off"]);
                self.queue(&bytes, Answer::Silence, false);
                self.mode = Mode::Off;
                self.skip = false;
            }
            9 | 10 if self.mode == Mode::Off => {
                let bytes = resp::command(&[b"client", b"reply", b"on"]);
                self.mode = Mode::On;
                self.skip = false;
                self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), false);
            }
            11 => {
                let version = self.random.pick(&[b"2", b"3"]);
                let bytes = resp::command(&[b"hello", version]);
                // Silent or not, the protocol changes.
                self.resp3 = version == b"3";
                self.queue(&bytes, Answer::Any, false);
            }
            _ => {
                let key = format!("{tag}:9");
                let bytes = resp::command(&[b"del", key.as_bytes()]);
                self.queue(&bytes, Answer::OfStore, false);
            }
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
        let half: &[u8] = b"*2\r\n$3\r\nGET\r\n$100\r\nhalf a ";
        match ending {
            Ending::Polite | Ending::Half => {}
            Ending::Cut | Ending::Stall => {
                self.unsent.push(half);
                self.made += half.len() as u64;
            }
            Ending::Abort => link.reset(),
            Ending::Bad => {
                let (bytes, words) = self.random.pick(&[
                    (b"*1\r\n$x\r\n".as_slice(), "invalid bulk length"),
                    (b"*x\r\n", "invalid multibulk length"),
                    (b"*1\r\n:1\r\n", "expected '$'"),
                    (b"*2\r\n$3\r\nGETxx", "Protocol error"),
                    (b"set \"a\r\n", "unbalanced quotes"),
                    (b"POST / HTTP/1.1\r\n", ""),
                ]);
                self.queue(bytes, Answer::Fatal(words), true);
                self.queue(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", Answer::Silence, true);
            }
            Ending::Quit => {
                let bytes = resp::command(&[b"quit"]);
                self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), true);
                // A datastore would complain that this has no tag.
                self.queue(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", Answer::Silence, true);
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

    /// Whether it does nothing until it is sent something.
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
        for request in &mut self.waiting {
            if request.read_at.is_none() && request.end <= link.read {
                request.read_at = Some(view.now);
            }
        }
        if link.written.len() == 0 {
            return Ok(());
        }
        self.inbox.extend_from_slice(link.written.view());
        link.written.clear();
        let mut at = 0;
        while let Some(length) = resp::delimit(&self.inbox[at..])? {
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
            self.waiting.pop_front();
        }
        let front = self.waiting.front();
        if STREAM_ERRORS.contains(&reply) && front.is_none_or(|front| front.read_at.is_none()) {
            let stalled = reply == STREAM_ERRORS[1];
            if !stalled && !view.tight {
                return wrong("there is memory enough", front);
            }
            self.told_off = true;
            return Ok(());
        }
        let Some(request) = front.filter(|front| front.read_at.is_some()) else {
            return wrong("nothing was asked", front);
        };
        let right = match &request.answer {
            Answer::Any => true,
            Answer::Silence => false,
            Answer::Exactly(bytes) => reply == bytes,
            Answer::ErrorWith(words) => reply[0] == b'-' && shown.contains(words.as_str()),
            Answer::Fatal(words) => !words.is_empty() && reply[0] == b'-' && shown.contains(words),
            Answer::OfStore if reply == STORAGE_ERROR => {
                if view.calm {
                    return wrong("the datastore is well", front);
                }
                true
            }
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
        if matches!(request.answer, Answer::OfStore) && reply != STORAGE_ERROR {
            self.confirmed.insert(request.tag.1);
        }
        self.waiting.pop_front();
        Ok(())
    }

    /// A request that was to be answered by now, if there is one.
    pub fn overdue(&self, now: u64, patience: u64) -> Option<String> {
        self.waiting
            .iter()
            .take_while(|request| !request.last)
            .find(|request| {
                !matches!(request.answer, Answer::Silence)
                    && request.read_at.is_some_and(|at| at + patience < now)
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
            !matches!(request.answer, Answer::Silence | Answer::Fatal("")) && !request.last
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

    /// A stalled client that wants no replies is not told why it is closed.
    fn stalled_in_silence(&self) -> bool {
        self.mode == Mode::Off || self.skip
    }

    /// Two requests that the datastore executed in another order than they were sent, although the client
    /// was told nothing that would explain it.
    pub fn disorder(&self, ledger: &Ledger) -> Option<(Tag, Tag)> {
        let executed = |seq: &u32| {
            let tag = (self.number, *seq);
            ledger.done.get(&tag).map(|done| (done.order, tag))
        };
        // One that nobody heard of may have been executed at any later time.
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
