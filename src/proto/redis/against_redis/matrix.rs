//! The command table against `COMMAND INFO`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Server, shown};
use crate::clock::Now;
use crate::proto::redis::command::{Command, Serve, commands};
use crate::proto::redis::keys::legacy_range;
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::refusal::Why;
use crate::proto::redis::session::{Context, DEFAULT_VERSION, Session};

/// A reply taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    Number(i64),
    List(Vec<Value>),
}

impl Value {
    fn list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            other => panic!("a list was expected, not {other:?}"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => panic!("a text was expected, not {other:?}"),
        }
    }
}

fn decode(bytes: &mut &[u8]) -> Value {
    let end = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
    let (line, rest) = bytes.split_at(end);
    *bytes = rest;
    let text = std::str::from_utf8(&line[1..end - 2]).unwrap();
    match line[0] {
        b'+' => Value::Text(text.to_owned()),
        b':' => Value::Number(text.parse().unwrap()),
        b'$' => {
            let len: usize = text.parse().unwrap();
            let value = Value::Text(String::from_utf8(bytes[..len].to_vec()).unwrap());
            *bytes = &bytes[len + 2..];
            value
        }
        b'*' => {
            let len: usize = text.parse().unwrap();
            Value::List((0..len).map(|_| decode(bytes)).collect())
        }
        _ => panic!("unexpected {}", shown(line)),
    }
}

/// What Redis says of each command, by name.
fn redis_says() -> BTreeMap<String, Vec<Value>> {
    let server = Server::start();
    let reply = server.connect().ask(&[b"command"]);
    decode(&mut &reply[..])
        .list()
        .iter()
        .map(|row| (row.list()[0].text().to_owned(), row.list().to_vec()))
        .collect()
}

#[test]
fn all_of_redis_is_in_the_table_with_its_arity_and_keys() {
    if !super::is_reference() {
        return;
    }
    let redis = redis_says();
    assert_eq!(redis.len(), 240, "this table is of Redis 7.0");
    for (name, says) in &redis {
        let row = lookup(name.as_bytes()).unwrap_or_else(|| panic!("{name} is missing"));
        let (first, last, step) = legacy_range(row.specs);
        let arity = match name.as_str() {
            // With `WITHSCORE` since 7.2.
            "zrank" | "zrevrank" => 3,
            _ => row.arity,
        };
        let ours = [arity, first as i8, last, step as i8].map(|n| Value::Number(n.into()));
        let theirs = [&says[1], &says[3], &says[4], &says[5]];
        assert_eq!(ours.each_ref(), theirs, "{name}: arity, first, last, step");
        let theirs: BTreeMap<_, _> = says[9]
            .list()
            .iter()
            .map(|sub| (sub.list()[0].text(), &sub.list()[1]))
            .collect();
        for child in row.children() {
            let full = format!("{name}|{}", child.name);
            if is_newer(child) {
                continue;
            }
            let arity = Value::Number(child.arity.into());
            assert_eq!(theirs.get(full.as_str()), Some(&&arity), "{full}");
        }
    }
    for command in commands() {
        let known = redis.contains_key(command.name);
        assert_eq!(known, !is_newer(command), "{}", command.name);
    }
    for (_, names) in NEWER {
        for name in names.split_whitespace() {
            assert!(lookup(name.as_bytes()).is_some(), "{name} is missing");
        }
    }
}

/// What Redis 7.0 does not know, by the version that brought it.
const NEWER: &[(&str, &str)] = &[
    ("Dynomite", "dyno_config:conn_consistency"),
    ("7.2", "waitaof"),
    (
        "7.4",
        "hexpire hexpireat hexpiretime hpersist hpexpire hpexpireat hpexpiretime hpttl httl",
    ),
    ("8.0", "hgetdel hgetex hsetex"),
    (
        "8.0, vector sets",
        "vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim",
    ),
    ("8.2", "xackdel xdelex"),
    ("8.4", "delex digest msetex trimslots"),
    ("8.6", "hotkeys xcfgset xidmprecord"),
    ("8.8", "increx xnack"),
    (
        "8.8, arrays",
        "arcount ardel ardelrange arget argetrange argrep arinfo arinsert arlastitems arlen armget armset arnext arop arring arscan arseek arset",
    ),
    ("8.10", "backup blmovem himport lmovem sdiffcard sunioncard"),
    (
        "8, JSON",
        "json.arrappend json.arrindex json.arrinsert json.arrlen json.arrpop json.arrtrim json.clear json.del json.forget json.get json.merge json.mget json.mset json.numincrby json.nummultby json.objkeys json.objlen json.resp json.set json.strappend json.strlen json.toggle json.type",
    ),
    (
        "8, Bloom filters",
        "bf.add bf.card bf.exists bf.info bf.insert bf.loadchunk bf.madd bf.mexists bf.reserve bf.scandump",
    ),
    (
        "8, count-min sketches",
        "cms.incrby cms.info cms.initbydim cms.initbyprob cms.merge cms.query",
    ),
    (
        "8, t-digests",
        "tdigest.add tdigest.byrank tdigest.byrevrank tdigest.cdf tdigest.create tdigest.info tdigest.max tdigest.merge tdigest.min tdigest.quantile tdigest.rank tdigest.reset tdigest.revrank tdigest.trimmed_mean",
    ),
];

fn is_newer(command: &Command) -> bool {
    if command.parent().is_some() {
        return matches!(
            command.full_name().as_str(),
            "client|setinfo" | "client|no-touch"
        );
    }
    let mut names = NEWER.iter().flat_map(|(_, names)| names.split_whitespace());
    names.any(|name| name == command.name)
}

#[test]
fn newer_commands_have_their_keys() {
    for (line, expected) in [
        ("hexpire k 10 fields 1 f", "k"),
        ("msetex 2 a 1 b 2 ex 10", "a b"),
        ("lmovem a b left right count 2 obo", "a b"),
        ("sunioncard 2 a b limit 3", "a b"),
        ("json.mset a $ 1 b $ 2", "a b"),
        ("json.mget a b $", "a b"),
        ("cms.merge d 2 a b weights 1 2", "d a b"),
        ("vadd k values 1 0.5 e", "k"),
        ("xdelex k ids 1 0-1", "k"),
        (
            "xreadgroup group g c count 1 claim 100 streams a b > >",
            "a b",
        ),
        ("xread maxcount 5 maxsize 9 streams a 0", "a"),
        ("set k v ifeq x ex 10", "k"),
        ("bitop diff1 d a b", "d a b"),
    ] {
        let args = super::words(line);
        let row = crate::proto::redis::lookup::resolve(&args, &mut Vec::new()).unwrap();
        let mut keys = Vec::new();
        row.keys(&args, &mut keys).unwrap();
        let keys: Vec<_> = keys.iter().map(|key| shown(args[key.index])).collect();
        assert_eq!(keys.join(" "), expected, "{line}");
    }
    for line in ["msetex 3 a 1 b 2", "msetex 0 a 1", "msetex x a 1"] {
        let args = super::words(line);
        assert!(
            lookup(args[0])
                .unwrap()
                .keys(&args, &mut Vec::new())
                .is_err()
        );
    }
}

/// Leaves out what is Redis' alone: how its own cluster clients should split and join, remarks on
/// specifications, and subcommands that are not served.
fn reduced(row: &[Value], served: Option<&Command>) -> Vec<Value> {
    let mut row = row.to_vec();
    let hints = row[7].list().iter();
    let hints = hints.filter(|hint| !hint.text().contains("_policy:"));
    row[7] = Value::List(hints.cloned().collect());
    if matches!(row[0].text(), "zrank" | "zrevrank") {
        row[1] = Value::Number(-3);
    }
    row[8] = Value::List(
        row[8]
            .list()
            .iter()
            .map(|spec| match spec.list() {
                [Value::Text(notes), _, rest @ ..] if notes == "notes" => {
                    Value::List(rest.to_vec())
                }
                all => Value::List(all.to_vec()),
            })
            .collect(),
    );
    let mut children: Vec<_> = row[9]
        .list()
        .iter()
        .filter(|child| {
            let name = child.list()[0].text().split('|').nth(1).unwrap();
            let child = served.and_then(|served| served.child(name.as_bytes()));
            child.is_some_and(|child| !is_newer(child))
        })
        .map(|child| Value::List(reduced(child.list(), None)))
        .collect();
    children.sort();
    row[9] = Value::List(children);
    row
}

/// What the proxy answers.
fn said(row: &'static Command, args: &[&[u8]], resp3: bool) -> Vec<u8> {
    let mut session = Session::new(1);
    session.resp3 = resp3;
    let context = Context {
        now: Now::default(),
        store_version: DEFAULT_VERSION,
    };
    let mut out = Vec::new();
    session.answer(row, args, &context, &mut out);
    out
}

#[test]
fn command_info_says_what_redis_says() {
    if !super::is_reference() {
        return;
    }
    let redis = redis_says();
    let bytes = said(lookup(b"command").unwrap(), &[b"command"], false);
    let ours = decode(&mut &bytes[..]);
    let mut compared = 0;
    for row in ours.list() {
        let name = row.list()[0].text();
        let command = lookup(name.as_bytes()).unwrap();
        assert!(command.is_served(), "{name}");
        let Some(theirs) = redis.get(name) else {
            continue;
        };
        assert_eq!(
            reduced(row.list(), Some(command)),
            reduced(theirs, Some(command)),
            "{name}"
        );
        compared += 1;
    }
    let of_redis_7 = || commands().iter().filter(|c| !is_newer(c));
    let served = of_redis_7().filter(|c| c.is_served()).count();
    assert_eq!(compared, served);
    let refused = of_redis_7().filter(|c| c.serve == Serve::Refused(Why::Unsupported));
    assert_eq!(refused.count(), 19);
}

/// The names in a list of commands, of those that are served here.
fn names(list: &[u8]) -> BTreeSet<String> {
    let list = decode(&mut &list[..]);
    let names = list.list().iter().map(|name| name.text().to_owned());
    let is_served = |name: &String| {
        let mut words = name.splitn(2, '|');
        let row = words.next().and_then(|word| lookup(word.as_bytes()));
        let row = match words.next() {
            Some(word) => row.and_then(|row| row.child(word.as_bytes())),
            None => row,
        };
        row.is_some_and(|row| row.is_served() && !is_newer(row))
    };
    names.filter(is_served).collect()
}

#[test]
fn command_list_has_the_names_that_redis_lists() {
    let server = Server::start();
    let mut client = server.connect();
    let row = lookup(b"command").and_then(|c| c.child(b"list")).unwrap();
    for (line, least) in [
        ("command list", 200),
        ("command list filterby aclcat connection", 20),
        ("command list filterby aclcat HASH", 10),
        ("command list filterby pattern *", 200),
        ("command list filterby pattern config|*", 2),
        ("command list filterby pattern *[|]get", 2),
        ("command list filterby pattern XINFO*", 4),
        ("command list filterby pattern [^a-y]*[e-s]", 10),
        ("command list filterby pattern ?et", 2),
    ] {
        let args = super::words(line);
        let ours = said(row, &args, false);
        let (ours, theirs) = (names(&ours), names(&client.ask(&args)));
        assert_eq!(ours, theirs, "{line}");
        assert!(ours.len() >= least, "{line}: {}", ours.len());
    }
}

/// Requests whose keys both sides are asked for.
const REQUESTS: &[&str] = &[
    "get k",
    "set k v",
    "set k v get",
    "set k get",
    "mget a b c",
    "mset a 1 b 2",
    "msetnx a 1 b 2",
    "del a b",
    "bitop and d a b",
    "bitfield k get u8 0 get u8 8",
    "bitfield k get u8 0 set u8 8 1",
    "bitfield k overflow fail incrby u2 0 1",
    "object encoding k",
    "memory usage k samples 5",
    "xgroup create k g $ mkstream",
    "xinfo stream k full",
    "eval s 2 a b c",
    "eval_ro s 1 a",
    "evalsha s 0 x",
    "fcall f 1 a b",
    "zunionstore d 2 a b weights 1 2",
    "zinterstore d 5 a b",
    "zdiff 2 a b",
    "zdiff 3 a b",
    "sintercard 2 a b limit 5",
    "lmpop 2 a b left",
    "zmpop 1 a min",
    "sort k",
    "sort k by x get y store d",
    "sort k by store get store limit 1 2",
    "sort k store d store e",
    "sort_ro k by x",
    "georadius g 15 37 200 km",
    "georadius g 15 37 200 km store d",
    "georadius g 15 37 200 km asc storedist d count 3",
    "georadiusbymember g m 200 km store d storedist e",
    "georadiusbymember g store 200 km",
    "geosearchstore d s fromlonlat 1 2 byradius 3 km",
    "xread streams a 0",
    "xread count 1 streams a b 0 0",
    "xreadgroup group g c noack streams a b > >",
    "pfcount a b",
    "pfmerge d a b",
    "smove a b m",
    "rename a b",
    "copy a b db 0",
    "lcs a b idx",
    "sunionstore d a b",
    "zrangestore d s 0 1",
    "ping",
    "get",
    "get a b",
    "nosuch a",
    "config get x",
    "xgroup nosuch a",
];

#[test]
fn command_getkeys_finds_what_redis_finds() {
    if !super::is_reference() {
        return;
    }
    let server = Server::start();
    for sub in ["getkeys", "getkeysandflags"] {
        for (mut client, resp3) in [(server.connect(), false), (server.connect3(), true)] {
            for request in REQUESTS {
                let line = format!("command {sub} {request}");
                let args = super::words(&line);
                let row = lookup(b"command")
                    .and_then(|c| c.child(sub.as_bytes()))
                    .unwrap();
                if !row.accepts(args.len()) {
                    continue;
                }
                let ours = said(row, &args, resp3);
                assert_eq!(shown(&ours), shown(&client.ask(&args)), "{line}");
            }
        }
    }
}
