//! The front of a model datastore: answers in order on each connection, fails and breaks on demand.

use super::link::Link;
use super::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Reads and answers nothing until then.
    Stalled(u64),
    /// Refuses connections until then.
    Dead(u64),
}

/// How it breaks on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCanary {
    SwapsReplies,
    ExecutesTwice,
    SkipsReply,
    /// It answers quiet requests.
    AnswersTwice,
}

impl ServerCanary {
    pub const ALL: [ServerCanary; 4] = [
        ServerCanary::SwapsReplies,
        ServerCanary::ExecutesTwice,
        ServerCanary::SkipsReply,
        ServerCanary::AnswersTwice,
    ];
}

struct Conn {
    link: usize,
    input: Vec<u8>,
    output: Vec<u8>,
    /// End the stream once the output is on its way.
    ending: bool,
    /// A reply held back, to be sent behind the next one.
    swapped: Option<Vec<u8>>,
}

/// A request that was run.
pub struct Served {
    /// Bytes it took up.
    pub length: usize,
    pub reply: Vec<u8>,
}

/// Runs the first request in some bytes; `None` if it is not complete.
pub type Serve<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Option<Served>, String>;

pub struct Server {
    random: Random,
    conns: Vec<Conn>,
    mood: Mood,
    /// Never misbehaves.
    pub calm: bool,
    pub canary: Option<ServerCanary>,
    /// What it says when it goes mad, which it does if there is something.
    pub madness: &'static [&'static [u8]],
}

impl Server {
    pub fn new(random: Random, calm: bool) -> Server {
        Server {
            random,
            conns: Vec::new(),
            mood: Mood::Well,
            calm,
            canary: None,
            madness: &[],
        }
    }

    /// Whether a connection can be made now; `None` if the attempt is left hanging.
    pub fn accepts(&self) -> Option<bool> {
        match self.mood {
            Mood::Well => Some(true),
            Mood::Stalled(_) => None,
            Mood::Dead(_) => Some(false),
        }
    }

    pub fn connected(&mut self, link: usize) {
        self.conns.push(Conn {
            link,
            input: Vec::new(),
            output: Vec::new(),
            ending: false,
            swapped: None,
        });
    }

    /// From now on it behaves.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.mood = Mood::Well;
    }

    /// Answers nothing until it is resumed.
    pub fn stall(&mut self) {
        self.mood = Mood::Stalled(u64::MAX);
    }

    pub fn is_well(&self) -> bool {
        self.mood == Mood::Well
    }

    /// Gets well if it is time. Returns whether it did.
    pub fn recover(&mut self, now: u64) -> bool {
        match self.mood {
            Mood::Stalled(until) | Mood::Dead(until) if until <= now => {
                self.mood = Mood::Well;
                true
            }
            _ => false,
        }
    }

    /// Falls ill for some time. Returns what to trace.
    pub fn fall_ill(&mut self, now: u64, length: u64, links: &mut [Link]) -> String {
        if self.random.chance(250) {
            // As Redis does with `timeout`: a new connection is served.
            for conn in self.conns.drain(..) {
                links[conn.link].fin_sent = true;
            }
            return "closes all connections".into();
        }
        if self.random.chance(600) {
            self.mood = Mood::Stalled(now + length);
            return format!("stalls for {length} µs");
        }
        self.mood = Mood::Dead(now + length);
        for conn in self.conns.drain(..) {
            if self.random.chance(500) {
                links[conn.link].reset();
            } else {
                links[conn.link].fin_sent = true;
            }
        }
        format!("dies for {length} µs")
    }

    /// Does a little on one of its connections. Returns how many requests it answered.
    pub fn act(&mut self, links: &mut [Link], serve: Serve<'_>) -> Result<usize, String> {
        if self.conns.is_empty() || matches!(self.mood, Mood::Stalled(_)) {
            return Ok(0);
        }
        let at = self.random.below(self.conns.len());
        let link = &mut links[self.conns[at].link];
        if link.closed || link.is_reset() {
            // Requests that had arrived before may still be executed, without a reply.
            let mut conn = self.conns.swap_remove(at);
            if self.random.chance(500) {
                conn.input.extend_from_slice(link.written.view());
                while let Some(served) = serve(&conn.input)? {
                    conn.input.drain(..served.length);
                }
            }
            return Ok(0);
        }
        let unread = link.written.len();
        if unread > 0 {
            let n = some_of(&mut self.random, unread);
            self.conns[at]
                .input
                .extend_from_slice(&link.written.view()[..n]);
            link.written.drop_front(n);
            link.take(n);
        }
        let answered = self.answer(at, serve)?;
        let conn = &mut self.conns[at];
        let link = &mut links[conn.link];
        let ready = conn.output.len();
        if ready > 0 {
            let n = some_of(&mut self.random, ready);
            link.flight.push(&conn.output[..n]);
            conn.output.drain(..n);
        }
        if conn.ending && conn.output.is_empty() {
            link.fin_sent = true;
            self.conns.swap_remove(at);
        }
        Ok(answered)
    }

    /// Answers some of what has arrived on a connection.
    fn answer(&mut self, at: usize, serve: Serve<'_>) -> Result<usize, String> {
        let most = self.random.pick(&[0, 1, 3, 1000]);
        let random = &mut self.random;
        let conn = &mut self.conns[at];
        let mut answered = 0;
        while answered < most && !conn.ending {
            let Some(Served { length, mut reply }) = serve(&conn.input)? else {
                break;
            };
            answered += 1;
            match self.canary {
                Some(ServerCanary::ExecutesTwice) if random.chance(20) => {
                    serve(&conn.input)?;
                }
                Some(ServerCanary::AnswersTwice) if random.chance(20) => {
                    reply.extend_from_slice(&reply.clone());
                }
                Some(ServerCanary::SkipsReply) if random.chance(20) => reply.clear(),
                Some(ServerCanary::SwapsReplies)
                    if conn.swapped.is_none() && random.chance(100) =>
                {
                    conn.input.drain(..length);
                    conn.swapped = Some(reply);
                    continue;
                }
                _ => {}
            }
            conn.input.drain(..length);
            if !self.calm && !self.madness.is_empty() && random.chance(3) {
                // Dies in the middle of a reply, or goes mad.
                if random.chance(500) && !reply.is_empty() {
                    reply.truncate(random.below(reply.len()));
                } else {
                    reply = random.pick(self.madness).to_vec();
                }
                conn.ending = true;
            }
            conn.output.extend_from_slice(&reply);
            if let Some(held) = conn.swapped.take() {
                conn.output.extend_from_slice(&held);
            }
        }
        Ok(answered)
    }

    /// Returns true if it has nothing left to do.
    pub fn is_idle(&self, links: &[Link]) -> bool {
        let stalled = matches!(self.mood, Mood::Stalled(_));
        stalled
            || self.conns.iter().all(|conn| {
                let link = &links[conn.link];
                link.closed
                    || conn.input.is_empty() && conn.output.is_empty() && link.written.len() == 0
            })
    }
}

/// How many of so many bytes are moved at once.
fn some_of(random: &mut Random, all: usize) -> usize {
    match random.below(4) {
        0 if random.chance(500) => 1 + random.below(all.min(20)),
        0 => 1 + random.below(all),
        _ => all,
    }
}
