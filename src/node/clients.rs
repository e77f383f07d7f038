//! The commands of Redis about all clients of this node: `CLIENT LIST`, `INFO`, `KILL`,
//! `PAUSE`, `UNPAUSE`, `UNBLOCK`.
//!
//! They are about connections to this node, not to other nodes, nor to a datastore: those that nodes make
//! among themselves are not listed, cannot be closed and do not pause.
//!
//! A client that pauses is not read beyond its next request that has to wait, which is kept as bytes, as
//! behind a write in two steps ([`super::order`]). As in Redis a pause that does not spare reads makes
//! everything wait, `CLIENT UNPAUSE` too.

use super::Node;
use super::client::Client;
use super::front::{Fronts, Reading};
use super::ids::FrontId;
use super::msg::NO_COMMAND;
use super::plan::order::waits_for_pause;
use super::timers::Timer;
use crate::clock::Now;
use crate::log_at;
use crate::proto::redis::command::{self, Command};
use crate::proto::redis::encode::Reply;
use crate::proto::redis::session::Figures;
use crate::proto::redis::session::clients::{AboutClients, Facts, Filter, Pause, unblock};

/// A pause of this node's clients, until [`Timer::ClientPause`] is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paused {
    /// Reads go on.
    writes_only: bool,
}

/// The clients of a node, as they are described.
struct Listing<'a> {
    fronts: &'a Fronts,
    /// The node's end of their connections.
    listen: &'a str,
    now: Now,
}

impl<'a> Listing<'a> {
    /// The lines of all clients that the filter takes, in the order of their ids.
    fn list(&self, filter: &Filter) -> String {
        let mut clients: Vec<&Client> = self.matching(filter).map(|(_, client)| client).collect();
        clients.sort_unstable_by_key(|client| client.session.id);
        let mut text = String::new();
        for client in clients {
            self.describe(client, &mut text);
        }
        text
    }

    /// The clients that the filter takes.
    fn matching<'s>(
        &'s self,
        filter: &'s Filter,
    ) -> impl Iterator<Item = (FrontId, &'a Client)> + 's {
        let clients = self.fronts.clients.iter();
        clients.filter_map(|(at, client)| {
            let addr = self.address_of(client);
            let takes = filter.takes(&self.facts(client, &addr));
            takes.then_some((FrontId::client(at), client))
        })
    }

    /// Its address; of one that came over a Unix socket, as in Redis, the socket's path and no port.
    fn address_of(&self, client: &Client) -> String {
        match client.front.addr {
            Some(addr) => addr.to_string(),
            None => format!("{}:0", self.listen),
        }
    }

    fn facts<'f>(&'f self, client: &Client, addr: &'f str) -> Facts<'f> {
        Facts {
            id: client.session.id,
            addr,
            laddr: match client.front.addr {
                Some(_) => self.listen,
                None => addr,
            },
            age: self.now.mono_us.saturating_sub(client.front.since) / 1_000_000,
        }
    }

    /// Appends the line of a client.
    fn describe(&self, client: &Client, text: &mut String) {
        let addr = self.address_of(client);
        let latest = command::command(client.latest).filter(|_| client.latest != NO_COMMAND);
        let figures = Figures {
            facts: self.facts(client, &addr),
            is_unix: client.front.addr.is_none(),
            command: &latest.map_or_else(|| "NULL".to_owned(), Command::full_name),
            idle: self.now.mono_us.saturating_sub(client.front.heard) / 1_000_000,
            qbuf: client.front.inbound.len(),
            omem: client.front.untaken(),
        };
        client.session.describe(&figures, text);
    }
}

impl Node {
    /// The clients of this node, as they are described.
    fn listing(&self, now: Now) -> Listing<'_> {
        Listing {
            fronts: &self.fronts,
            listen: &self.options.listen,
            now,
        }
    }

    /// Answers a client's command about the clients of this node.
    pub(super) fn answer_about_clients(
        &mut self,
        key: FrontId,
        now: Now,
        command: AboutClients,
        args: &[&[u8]],
    ) {
        let mut out = Vec::new();
        let mut closes = false;
        let options = args.get(2..).unwrap_or_default();
        let resp3 = self
            .fronts
            .client(key)
            .is_some_and(|client| client.session.resp3);
        match command {
            AboutClients::Info => {
                let mut text = String::new();
                if let Some(client) = self.fronts.client(key) {
                    self.listing(now).describe(client, &mut text);
                }
                Reply::new(&mut out, resp3).text(&text);
            }
            AboutClients::List => {
                if let Some(filter) = Filter::of_list(options, &mut out) {
                    Reply::new(&mut out, resp3).text(&self.listing(now).list(&filter));
                }
            }
            AboutClients::Kill => closes = self.kill_clients(key, now, options, &mut out),
            AboutClients::Pause => {
                if let Some(pause) = Pause::of(options, &mut out) {
                    self.pause_clients(pause, now);
                    Reply::new(&mut out, resp3).ok();
                }
            }
            AboutClients::Unpause => {
                self.unpause_clients();
                Reply::new(&mut out, resp3).ok();
            }
            AboutClients::Unblock => unblock(options, &mut out),
        }
        self.answer(key, now, &out, closes);
    }

    /// Closes clients; those that go lose the replies they have not got. Returns true if the one that asks
    /// is among them, which gets its answer first.
    fn kill_clients(
        &mut self,
        key: FrontId,
        now: Now,
        options: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> bool {
        let filter = match options {
            [addr] => Filter::of_address(addr),
            _ => match Filter::of_kill(options, out) {
                Some(filter) => filter,
                None => return false,
            },
        };
        let listing = self.listing(now);
        let meant = listing.matching(&filter).map(|(at, _)| at);
        let meant: Vec<FrontId> = meant
            .filter(|&at| !(filter.skips_me && at == key))
            .collect();
        match options {
            [_] if meant.is_empty() => out.extend_from_slice(b"-ERR No such client\r\n"),
            [_] => Reply::new(out, false).ok(),
            _ => Reply::new(out, false).integer(meant.len() as i64),
        }
        let killer = self.fronts.get(key).map(|front| front.log_name());
        for &other in meant.iter().filter(|other| **other != key) {
            if let (Some(front), Some(killer)) = (self.fronts.get(other), killer) {
                log_at!(
                    Notice,
                    "{killer} closes {} by CLIENT KILL",
                    front.log_name()
                );
            }
            self.close_front(other, true);
        }
        meant.contains(&key)
    }

    /// Begins a pause, or makes one that has begun longer or stricter.
    fn pause_clients(&mut self, pause: Pause, now: Now) {
        let until = now.mono_us.saturating_add(pause.ms.saturating_mul(1000));
        let before = self.client_pause;
        let until = self.timers.at(Timer::ClientPause).unwrap_or(0).max(until);
        let paused = Paused {
            writes_only: pause.writes_only && before.is_none_or(|before| before.writes_only),
        };
        log_at!(
            Notice,
            "a client has paused the {} of this node's clients for {} ms",
            if paused.writes_only {
                "writes"
            } else {
                "requests"
            },
            (until - now.mono_us) / 1000
        );
        self.client_pause = Some(paused);
        self.timers.set(Timer::ClientPause, until);
    }

    /// Ends the pause, if there is one.
    pub(super) fn unpause_clients(&mut self) {
        if self.client_pause.take().is_none() {
            return;
        }
        self.timers.stop(Timer::ClientPause);
        let fronts = self.fronts.clients.iter().map(|(_, client)| &client.front);
        let waiting = fronts.filter(|front| front.reading == Reading::Ordered);
        self.in_order.extend(waiting.map(|front| front.id));
    }

    /// Returns true if a client's request to Redis has to wait for the end of the pause.
    pub(super) fn is_paused(&self, key: FrontId, args: &[&[u8]]) -> bool {
        let Some(paused) = self.client_pause else {
            return false;
        };
        if !paused.writes_only {
            return true;
        }
        let asker = self.client_asker(key);
        asker.is_some_and(|asker| waits_for_pause(&self.plan_cx(asker), args))
    }
}
