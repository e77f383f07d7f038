//! One HTTP connection.
//!
//! Requests are answered one after the other in the order they came, pipelined or not. How it ends:
//!
//! | event | response | then |
//! |---|---|---|
//! | the client ends its stream between requests | the outstanding responses | closed |
//! | the client ends its stream inside a request | 400 | closed |
//! | a request asks for it (`Connection: close`, HTTP/1.0) | the answer | closed |
//! | the [`REQUESTS`]th request | the answer, announcing the end | drained, closed |
//! | a malformed or too large request | its status | drained, closed |
//! | reading or writing fails | nothing more | closed |
//! | a timeout | nothing more | closed |
//!
//! Drained: further input is read and discarded, [`DRAIN_BYTES`] and [`DRAIN_US`]
//! at most, because closing a socket with unread bytes resets it and the reset overtakes the
//! answer.
//!
//! Memory: at most [`MAX_HEAD`](super::request::MAX_HEAD) plus one read of input, and
//! [`MAX_OUTPUT`] plus one response of output; a client that does not read its answers is not read
//! from.

use std::io::{self, ErrorKind, Read, Write};

use bytes::{Buf, BytesMut};

use super::request::{HeadScan, Method, Refusal, Request};
use super::response::{CONTINUE, Response, Status};
use super::routes::{ROUTES, answer};
use super::server::Outcome;
use super::{Caller, Control};
use crate::clock::Now;

/// Requests served on one connection.
pub const REQUESTS: u32 = 100;
/// Output beyond which no further request is answered until it is written.
pub const MAX_OUTPUT: usize = 64 * 1024;
/// Bytes read in one go before other connections get their turn.
const READ_BUDGET: usize = 64 * 1024;
/// Bytes of one read.
const READ_SIZE: usize = 8 * 1024;
/// Input buffers that grew beyond this are given back between requests.
const KEPT_INPUT: usize = 16 * 1024;
/// Bytes discarded after the last response.
pub const DRAIN_BYTES: usize = 1 << 20;

const SECOND_US: u64 = 1_000_000;
/// From accepting, or from the first byte of a later request, to its last byte.
pub const REQUEST_US: u64 = 5 * SECOND_US;
/// Between requests.
pub const IDLE_US: u64 = 15 * SECOND_US;
/// From an answer to its last byte written.
pub const WRITE_US: u64 = 10 * SECOND_US;
/// After the last answer.
pub const DRAIN_US: u64 = 2 * SECOND_US;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reading requests and answering them.
    Open,
    /// The last answer is in the output.
    Closing { drain: bool },
    /// At most this many further bytes are discarded.
    Draining { left: usize },
    /// Nothing is left to do.
    Done,
}

/// What the connection waits for; this decides its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Request,
    NextRequest,
    Output,
    End,
}

/// One HTTP connection.
#[derive(Debug)]
pub struct Conn {
    caller: Caller,
    input: BytesMut,
    output: BytesMut,
    scan: HeadScan,
    /// A request whose body is awaited.
    head: Option<Request>,
    phase: Phase,
    /// The client has ended its stream.
    ended: bool,
    /// Input was left alone because there was enough output.
    paused: bool,
    answered: u32,
    waiting: (Waiting, u32),
    deadline_us: u64,
    active_us: u64,
}

impl Conn {
    /// A connection accepted at `now`.
    pub fn new(caller: Caller, now: Now) -> Conn {
        Conn {
            caller,
            input: BytesMut::new(),
            output: BytesMut::new(),
            scan: HeadScan::default(),
            head: None,
            phase: Phase::Open,
            ended: false,
            paused: false,
            answered: 0,
            waiting: (Waiting::Request, 0),
            deadline_us: now.mono_us.saturating_add(REQUEST_US),
            active_us: now.mono_us,
        }
    }

    /// When the connection times out.
    pub fn deadline_us(&self) -> u64 {
        self.deadline_us
    }

    /// The order in which connections are closed when there is no room, lowest first: false if it never sent a
    /// complete request, then the time of the last transfer.
    pub fn merit(&self) -> (bool, u64) {
        (self.answered > 0, self.active_us)
    }

    /// Returns true if there is output.
    pub fn wants_write(&self) -> bool {
        !self.output.is_empty()
    }

    /// Reads until the source would block, and answers what is complete.
    pub fn receive(
        &mut self,
        now: Now,
        source: &mut impl Read,
        control: &mut dyn Control,
    ) -> Outcome {
        let outcome = self.read(now, source, control);
        self.rearm(now);
        outcome
    }

    fn read(&mut self, now: Now, source: &mut impl Read, control: &mut dyn Control) -> Outcome {
        let mut chunk = [0u8; READ_SIZE];
        let mut budget = READ_BUDGET;
        loop {
            self.serve(now, control);
            match self.phase {
                Phase::Open if self.paused => return Outcome::Wait,
                Phase::Open | Phase::Draining { .. } => {}
                Phase::Closing { .. } => return Outcome::Wait,
                Phase::Done => return Outcome::Close,
            }
            if budget == 0 {
                return Outcome::Again;
            }
            let n = match source.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Outcome::Wait,
                Err(_) => return Outcome::Close,
            };
            budget = budget.saturating_sub(n);
            self.active_us = now.mono_us;
            match &mut self.phase {
                Phase::Draining { left } if n == 0 || n >= *left => return Outcome::Close,
                Phase::Draining { left } => *left -= n,
                _ if n == 0 => self.ended = true,
                _ => self
                    .input
                    .extend_from_slice(chunk.get(..n).unwrap_or_default()),
            }
        }
    }

    /// Writes until all is written or the sink would block.
    pub fn transmit(&mut self, now: Now, sink: &mut impl Write) -> Outcome {
        let outcome = match self.write(now, sink) {
            Ok(()) => self.written(),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Outcome::Wait,
            Err(_) => Outcome::Close,
        };
        self.rearm(now);
        outcome
    }

    fn write(&mut self, now: Now, sink: &mut impl Write) -> io::Result<()> {
        while !self.output.is_empty() {
            match sink.write(&self.output) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.output.advance(n.min(self.output.len()));
                    self.active_us = now.mono_us;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// All output is written.
    fn written(&mut self) -> Outcome {
        match self.phase {
            Phase::Closing { drain: true } => {
                self.phase = Phase::Draining { left: DRAIN_BYTES };
                self.input = BytesMut::new();
                Outcome::Again
            }
            Phase::Closing { drain: false } | Phase::Done => Outcome::Close,
            Phase::Open if std::mem::take(&mut self.paused) => Outcome::Again,
            Phase::Open | Phase::Draining { .. } => Outcome::Wait,
        }
    }

    /// Answers the complete requests in the input, as far as the output has room.
    fn serve(&mut self, now: Now, control: &mut dyn Control) {
        while self.phase == Phase::Open {
            if self.output.len() >= MAX_OUTPUT {
                self.paused = true;
                return;
            }
            match self.next() {
                Ok(Some(request)) => self.answer(now, &request, control),
                Ok(None) if self.ended => self.end(now),
                Ok(None) => return,
                Err(refusal) => self.refuse(now, refusal),
            }
        }
    }

    /// Takes the next complete request out of the input. Its body is skipped: no path uses one.
    fn next(&mut self) -> Result<Option<Request>, Refusal> {
        let request = match self.head.take() {
            Some(request) => request,
            None => {
                let Some((start, end)) = self.scan.find(&self.input)? else {
                    return Ok(None);
                };
                self.scan = HeadScan::default();
                let head = self.input.split_to(end);
                let request = Request::parse(head.get(start..).unwrap_or_default())?;
                if request.expects_continue && self.input.len() < request.content_length {
                    self.output.extend_from_slice(CONTINUE);
                }
                request
            }
        };
        if self.input.len() < request.content_length {
            self.head = Some(request);
            return Ok(None);
        }
        self.input.advance(request.content_length);
        Ok(Some(request))
    }

    fn answer(&mut self, now: Now, request: &Request, control: &mut dyn Control) {
        self.answered += 1;
        let response = answer(ROUTES, request, self.caller, now, control);
        let keep_alive = request.keep_alive && self.answered < REQUESTS && !response.http10;
        response.write(
            &mut self.output,
            request.method == Method::Head,
            keep_alive,
            now,
        );
        if !keep_alive {
            // A client that announced its last request sends nothing more that could be unread.
            let drain = request.keep_alive || !self.input.is_empty();
            self.phase = Phase::Closing {
                drain: drain && !self.ended,
            };
        }
        if self.input.is_empty() && self.input.capacity() > KEPT_INPUT {
            self.input = BytesMut::new();
        }
    }

    fn refuse(&mut self, now: Now, refusal: Refusal) {
        Response::refusal(refusal).write(&mut self.output, false, false, now);
        self.phase = Phase::Closing { drain: !self.ended };
    }

    /// The client's stream ended and no complete request is left.
    fn end(&mut self, now: Now) {
        if self.head.is_some() || self.input.iter().any(|b| !b"\r\n".contains(b)) {
            self.refuse(
                now,
                Refusal(Status::BAD_REQUEST, "the request is incomplete"),
            );
        } else if self.output.is_empty() {
            self.phase = Phase::Done;
        } else {
            self.phase = Phase::Closing { drain: false };
        }
    }

    /// Resets the deadline if the connection waits for something else now: a slow trickle of bytes does not extend it.
    fn rearm(&mut self, now: Now) {
        let (waiting, patience) = if !self.output.is_empty() {
            (Waiting::Output, WRITE_US)
        } else if self.phase != Phase::Open {
            (Waiting::End, DRAIN_US)
        } else if self.answered > 0 && self.input.is_empty() && self.head.is_none() {
            (Waiting::NextRequest, IDLE_US)
        } else {
            (Waiting::Request, REQUEST_US)
        };
        if self.waiting != (waiting, self.answered) {
            self.waiting = (waiting, self.answered);
            self.deadline_us = now.mono_us.saturating_add(patience);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
