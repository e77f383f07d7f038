//! The replies that a client may get.

pub mod memcache;

use crate::clustersim::plan::Plan;
use crate::clustersim::store::Store;
use crate::clustersim::tag::Tag;
use dynomite::config::StoreKind;
use dynomite::consistency::Consistency;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Get,
    Set,
    Incr,
    Del,
    Exists,
    Mget,
    Mset,
    Sadd,
    Smembers,
    /// With a time that counts from now.
    SetEx,
    Spop,
    Dbsize,
    Echo,
    /// Another level from now on.
    Level(Consistency),
    /// Of memcached: values and their versions, by any command that changes nothing.
    Gets,
    /// Values, and another time of their end.
    Gat,
    /// One value, if the version is still this one.
    Cas,
    /// A value put, added to or counted in some other way.
    Store,
    Touch,
    Version,
    /// Always answered, and by the node itself.
    Barrier,
}

impl What {
    pub fn word(self) -> &'static str {
        match self {
            What::Get => "GET",
            What::Set => "SET",
            What::Incr => "INCR",
            What::Del => "DEL",
            What::Exists => "EXISTS",
            What::Mget => "MGET",
            What::Mset => "MSET",
            What::Sadd => "SADD",
            What::Smembers => "SMEMBERS",
            What::SetEx => "SET",
            What::Spop => "SPOP",
            What::Dbsize => "DBSIZE",
            What::Echo => "ECHO",
            What::Level(_) => "dyno_config:conn_consistency",
            // Told by `Asked::verb`.
            _ => "",
        }
    }

    pub fn is_write(self) -> bool {
        use What::*;
        matches!(
            self,
            Set | Incr | Del | Mset | Sadd | SetEx | Spop | Gat | Cas | Store | Touch
        )
    }
}

/// What a client wants to hear of what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    Plain,
    /// Surprises only.
    Quiet,
    /// Nothing.
    Silent,
}

/// A request, as far as its answer is concerned.
#[derive(Clone, Debug)]
pub struct Asked {
    pub tag: Tag,
    pub what: What,
    pub names: Vec<String>,
    pub level: Consistency,
    /// The command of memcached.
    pub verb: &'static str,
    /// The version it compares with, or 0.
    pub unique: u64,
    pub hearing: Hearing,
}

impl Asked {
    /// Returns true if replicas get its effect, not the request.
    pub fn is_in_two_steps(&self) -> bool {
        matches!(self.what, What::Spop | What::Cas)
    }
}

/// What is known when an answer is judged.
pub struct World<'a> {
    pub kind: StoreKind,
    pub now: u64,
    /// Something has gone wrong at some time.
    pub disturbed: bool,
    /// Memory is so tight that the node may close the client that holds the most.
    pub tight: bool,
    /// The only rack in which anything goes wrong, if it is not all of them.
    pub victim: Option<(usize, usize)>,
    /// Members change, and with them the owners of keys.
    pub shifting: bool,
    pub plan: &'a Plan,
    pub stores: &'a [Store],
    pub timeout_us: u64,
    pub lateness: u64,
    /// Whether reads may be served by other racks.
    pub failover: &'a [bool],
}

const UNREACHED: [&str; 4] = [
    // The error of a peer that has not identified itself.
    "Dynomite: command is unknown to a peer that runs the original Dynomite",
    "Storage: Datastore refused connection",
    "Peer: Peer Node is not connected",
    "Peer: Peer Node refused connection",
];
const NO_QUORUM: &str = "Dynomite: Failed to achieve Quorum";
const OUT_OF_BUFFERS: &str = "Dynomite: out of buffers";

/// The words of an error of the cluster's.
fn words(kind: StoreKind, reply: &[u8]) -> Option<&str> {
    let start: &[u8] = match kind {
        StoreKind::Redis => b"-ERR ",
        StoreKind::Memcache => b"SERVER_ERROR ",
    };
    std::str::from_utf8(reply.strip_prefix(start)?.strip_suffix(b"\r\n")?).ok()
}

fn is_unreached(kind: StoreKind, reply: &[u8]) -> bool {
    words(kind, reply).is_some_and(|words| UNREACHED.contains(&words))
}

fn is_no_quorum(kind: StoreKind, reply: &[u8]) -> bool {
    words(kind, reply) == Some(NO_QUORUM)
}

/// Returns true if it says that memory is out.
pub fn is_out_of_buffers(kind: StoreKind, reply: &[u8]) -> bool {
    words(kind, reply) == Some(OUT_OF_BUFFERS)
}

/// Returns true if it is an error of the cluster's.
pub fn is_error(kind: StoreKind, reply: &[u8]) -> bool {
    is_unreached(kind, reply) || is_no_quorum(kind, reply)
}

/// How long an answer may take, in µs.
pub fn granted(asked: &Asked, world: &World<'_>) -> u64 {
    let each = asked.level == Consistency::DcEachSafeQuorum;
    let allowance = match (asked.what.is_write(), each) {
        (false, false) => 200_000,
        (false, true) => 5_000_000,
        (true, false) => 20_200_000,
        (true, true) => 25_000_000,
    };
    let steps = 1 + u64::from(asked.what == What::Cas);
    steps * (world.timeout_us + allowance) + world.lateness
}

/// The reply with its order made canonical, if it has none of its own.
fn canonical(what: What, reply: &[u8]) -> Vec<u8> {
    if what != What::Smembers || reply.first() != Some(&b'*') {
        return reply.to_vec();
    }
    let (head, mut values) = array(reply);
    values.sort_unstable();
    [head.to_vec(), values.concat()].concat()
}

/// The head of an array of bulks, and its values.
fn array(reply: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let line = |at: usize| {
        let rest = &reply[at..];
        at + rest
            .iter()
            .position(|b| *b == b'\n')
            .map_or(rest.len(), |end| end + 1)
    };
    let first = line(0);
    let (mut at, mut values) = (first, Vec::new());
    while at < reply.len() {
        let end = line(at);
        let length: i64 = String::from_utf8_lossy(&reply[at + 1..end])
            .trim()
            .parse()
            .unwrap_or(-1);
        let end = match reply[at] == b'$' && length >= 0 {
            true => (end + length as usize + 2).min(reply.len()),
            false => end,
        };
        values.push(&reply[at..end]);
        at = end;
    }
    (&reply[..first], values)
}

fn number(reply: &[u8]) -> Option<i64> {
    let text = reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns true if something that is needed for the answer may be broken.
fn may_fail(asked: &Asked, node: usize, world: &World<'_>) -> bool {
    let (Some((dc, rack)), true) = (world.victim, world.disturbed) else {
        return world.disturbed;
    };
    let home = &world.plan.nodes[node];
    let is_read = !asked.what.is_write() && asked.level == Consistency::DcOne;
    if world.shifting && is_read && world.failover[node] && world.plan.racks[home.dc] > 1 {
        // Another replica can serve it.
        return matches!(asked.what, What::Version | What::Dbsize);
    }
    if (home.dc, home.rack) == (dc, rack) {
        return true;
    }
    // One of the datacenter's racks has to be asked, whichever rack is home.
    match asked.what {
        What::Cas if home.dc == dc => return true,
        What::Gets if asked.level == Consistency::DcOne && (home.dc, 0) == (dc, rack) => {
            return true;
        }
        _ => {}
    }
    let racks = world.plan.racks[dc];
    let quorum_without_it = racks > racks / 2 + 1;
    match asked.level {
        Consistency::DcOne => false,
        Consistency::DcEachSafeQuorum => !quorum_without_it,
        _ => home.dc == dc && !quorum_without_it,
    }
}

/// Judges one answer that a client got at a node.
pub fn answer(asked: &Asked, reply: &[u8], node: usize, world: &World<'_>) -> Result<(), String> {
    match asked.what {
        What::Level(_) => {
            return (reply == b"+OK\r\n")
                .then_some(())
                .ok_or("that is no OK".into());
        }
        What::Echo => {
            let tag = format!("c{}.{}", asked.tag.0, asked.tag.1);
            let text = String::from_utf8_lossy(reply);
            let told = text.lines().nth(1).unwrap_or_default();
            let same = told.trim_end_matches('x') == tag;
            return same.then_some(()).ok_or("somebody else's echo".into());
        }
        What::Dbsize if !is_unreached(world.kind, reply) => {
            let n = number(reply).ok_or("no number")?;
            let most: usize = world.stores.iter().map(Store::names).sum();
            return match (0..=most as i64).contains(&n) {
                true => Ok(()),
                false => Err(format!("there are at most {most}")),
            };
        }
        _ => {}
    }
    if let Some(judged) = of_the_cluster(asked, reply, node, world) {
        return judged;
    }
    let of = |name: &str, part: &[u8]| {
        one(asked, name, part, node, world).map_err(|why| format!("{name}: {why}"))
    };
    match asked.what {
        What::Mget if reply.first() == Some(&b'*') => {
            let (_, values) = array(reply);
            if values.len() != asked.names.len() {
                return Err("another number of values".into());
            }
            for (name, value) in asked.names.iter().zip(values) {
                of(name, value)?;
            }
            Ok(())
        }
        What::Mset => {
            for name in &asked.names {
                of(name, reply)?;
            }
            Ok(())
        }
        What::Del | What::Exists => {
            let n = number(reply).ok_or("no number")?;
            let (mut least, mut most) = (0, 0);
            // Racks agree on sums, not on each key.
            let alone = Asked {
                level: match asked.level {
                    Consistency::DcOne => Consistency::DcOne,
                    _ => Consistency::DcQuorum,
                },
                ..asked.clone()
            };
            for name in &asked.names {
                let one = |part: &[u8]| one(&alone, name, part, node, world);
                let any = [one(b":0\r\n"), one(b":1\r\n")];
                match &any {
                    [Err(why), Err(_)] => return Err(format!("{name}: {why}")),
                    [zero, one] => {
                        least += i64::from(zero.is_err());
                        most += i64::from(one.is_ok());
                    }
                }
            }
            match (least..=most).contains(&n) {
                true => Ok(()),
                false => Err(format!("between {least} and {most} is right")),
            }
        }
        _ => of(&asked.names[0], reply),
    }
}

/// Judges an answer that is an error of the cluster's.
fn of_the_cluster(
    asked: &Asked,
    reply: &[u8],
    node: usize,
    world: &World<'_>,
) -> Option<Result<(), String>> {
    if is_unreached(world.kind, reply) {
        return Some(match may_fail(asked, node, world) {
            true => Ok(()),
            false => Err("nothing is broken that it needs".into()),
        });
    }
    let home = world.plan.nodes[node].dc;
    let differs = |name: &String| differs(asked, name, home, world);
    is_no_quorum(world.kind, reply).then(|| match asked.level {
        Consistency::DcOne | Consistency::DcQuorum => Err("that is not its level".into()),
        _ if world.shifting => Ok(()),
        _ if asked.names.iter().any(differs) => Ok(()),
        _ => Err("all replies are equal".into()),
    })
}

/// What the owners of a key in a datacenter answered.
fn replies<'a>(
    asked: &'a Asked,
    name: &'a str,
    dc: usize,
    world: &'a World<'_>,
) -> impl Iterator<Item = Option<Vec<u8>>> + 'a {
    let owners = world.plan.owners(dc, name).into_iter();
    owners.map(move |owner| {
        let reply = world.stores[owner].answered(asked.tag, name)?;
        Some(canonical(asked.what, reply))
    })
}

/// Returns true if replicas gave different answers for a key where that counts.
fn differs(asked: &Asked, name: &str, home: usize, world: &World<'_>) -> bool {
    let each = asked.level == Consistency::DcEachSafeQuorum;
    (0..world.plan.racks.len())
        .filter(|&dc| each || dc == home)
        .any(|dc| {
            let mut given: Vec<_> = replies(asked, name, dc, world).flatten().collect();
            given.sort_unstable();
            given.dedup();
            given.len() > 1
        })
}

/// Judges the part of an answer that belongs to one key.
fn one(
    asked: &Asked,
    name: &str,
    part: &[u8],
    node: usize,
    world: &World<'_>,
) -> Result<(), String> {
    let home = &world.plan.nodes[node];
    let part = canonical(asked.what, part);
    if world.shifting {
        // Which nodes had to be asked depends on when each node got its list.
        let owners = (0..world.plan.racks.len()).flat_map(|dc| world.plan.owners_ever(dc, name));
        let mut given = owners.filter_map(|at| world.stores[at].answered(asked.tag, name));
        let equal = given.any(|reply| canonical(asked.what, reply) == part);
        return equal.then_some(()).ok_or("no store answered that".into());
    }
    let given: Vec<_> = replies(asked, name, home.dc, world).collect();
    let equal = given
        .iter()
        .flatten()
        .filter(|reply| **reply == part)
        .count();
    let shown = || {
        let text = |reply: &Option<Vec<u8>>| match reply {
            None => "-".into(),
            Some(reply) => String::from_utf8_lossy(&reply[..reply.len().min(30)]).into_owned(),
        };
        format!("{:?}", given.iter().map(text).collect::<Vec<_>>())
    };
    let each = asked.level == Consistency::DcEachSafeQuorum;
    if part.first() == Some(&b'-') {
        // A datastore's own error.
        let mut concerned = (0..world.plan.racks.len()).filter(|&dc| each || dc == home.dc);
        let given = concerned
            .any(|dc| replies(asked, name, dc, world).any(|reply| reply.as_ref() == Some(&part)));
        return given.then_some(()).ok_or("no store gave this error".into());
    }
    if equal == 0 {
        return Err(format!("no store here answered that, but {}", shown()));
    }
    let quorum = given.len() / 2 + 1;
    if asked.what == What::Spop && part != b"$-1\r\n" && asked.level != Consistency::DcOne {
        // The other replicas got the members that were taken.
        return match given.iter().flatten().count() >= quorum {
            true => Ok(()),
            false => Err(format!("too few racks have it: {}", shown())),
        };
    }
    match asked.level {
        _ if asked.what == What::Spop => Ok(()),
        // The replica that gave the version decides, and others hear of it only if it has swapped.
        _ if asked.what == What::Cas && part != b"Stored" => Ok(()),
        Consistency::DcOne if asked.what == What::Cas => Ok(()),
        Consistency::DcOne => {
            // All nodes of a datacenter ask one replica for versions.
            let rack = match asked.what {
                What::Gets => 0,
                _ => home.rack,
            };
            let own = given[rack].as_ref() == Some(&part);
            let elsewhere = !asked.what.is_write() && world.failover[node] && world.disturbed;
            match own || elsewhere {
                true => Ok(()),
                false => Err(format!("another rack answered that: {}", shown())),
            }
        }
        Consistency::DcQuorum => match given.iter().flatten().count() >= quorum {
            true => Ok(()),
            false => Err(format!("too few racks have it: {}", shown())),
        },
        _ if equal < quorum => Err(format!("too few racks agree: {}", shown())),
        Consistency::DcSafeQuorum => Ok(()),
        Consistency::DcEachSafeQuorum => {
            for dc in 0..world.plan.racks.len() {
                let given: Vec<_> = replies(asked, name, dc, world).collect();
                let most = given
                    .iter()
                    .flatten()
                    .map(|one| given.iter().flatten().filter(|other| *other == one).count())
                    .max();
                if most.unwrap_or(0) < given.len() / 2 + 1 {
                    return Err(format!("no majority in datacenter {dc}: {given:?}"));
                }
            }
            Ok(())
        }
    }
}
