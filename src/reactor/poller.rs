//! The thread that asks a provider of seeds, again and again.
//!
//! However long an answer takes, only this thread waits for it: neither the loop nor the end of
//! the process. One answer may lie ready; the thread waits until it is taken.

use crate::cluster::member::Member;
use crate::cluster::seeds::read;
use crate::seeds::{Asked, Provider};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::time::Duration;

/// The wait after the first failure, as long as there has never been a list; each is twice the one
/// before, up to the usual pause.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A list without this node, or why there is none.
pub type List = Result<Vec<Member>, String>;

/// The thread, and the way from it.
pub struct Poller {
    lists: Receiver<List>,
    /// The thread ends when this is dropped.
    _alive: Sender<()>,
}

impl Poller {
    /// Starts the thread, which asks at once; `waker` wakes the loop when there is an answer.
    pub fn start(mut provider: Provider, me: Member, waker: Arc<Waker>) -> io::Result<Poller> {
        let (list, lists) = sync_channel(1);
        let (alive, ended) = channel::<()>();
        let mut wait = FIRST_WAIT;
        let mut heard = false;
        let work = move || {
            loop {
                let answer = match provider.ask() {
                    Asked::List(text) => Some(read(&text, &me).map_err(|why| why.to_string())),
                    Asked::Failed(why) => Some(Err(why)),
                    Asked::Same => None,
                };
                if let Some(answer) = answer {
                    heard |= answer.is_ok();
                    if list.send(answer).is_err() || waker.wake().is_err() {
                        return;
                    }
                }
                let mut pause = provider.pause();
                if !heard {
                    pause = pause.min(wait);
                    wait = (wait * 2).min(provider.pause());
                }
                if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("seeds".into())
            .spawn(work)?;
        Ok(Poller {
            lists,
            _alive: alive,
        })
    }

    /// The next answer, if there is one.
    pub fn next(&self) -> Option<List> {
        self.lists.try_recv().ok()
    }

    /// The next answer, waited for.
    pub fn wait(&self, time: Duration) -> Option<List> {
        self.lists.recv_timeout(time).ok()
    }
}
