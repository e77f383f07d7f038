//! Error lines, inline commands and the proxy's own answers against Redis'.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Server, shown, words};
use crate::clock::Now;
use crate::mbuf::{Chain, Pool};
use crate::proto::redis::command::Serve;
use crate::proto::redis::lookup::{lookup, resolve};
use crate::proto::redis::refusal::Why;
use crate::proto::redis::request::{Kind, Parser, Status};
use crate::proto::redis::session::clients::{self, AboutClients};
use crate::proto::redis::session::{Context, DEFAULT_VERSION, Session};
use crate::proto::redis::{errors, inline};

/// The line the proxy refuses a request with before it is routed, if it does.
fn refusal(args: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let Some(row) = resolve(args, &mut out) else {
        return Some(out);
    };
    match row.keys(args, &mut Vec::new()) {
        Ok(()) => None,
        Err(error) => {
            errors::keys(row, error, &mut out);
            Some(out)
        }
    }
}

#[test]
fn refusals_read_like_redis() {
    if !super::is_reference() {
        return;
    }
    let server = Server::start();
    let mut client = server.connect();
    let long = "x".repeat(300);
    let lines = [
        "nosuch",
        "nosuch a b",
        "NoSuch A",
        "",
        " ",
        "nosuch \r\n",
        "no\rsuch\n a\r\nb",
        "nosuch  x",
        &format!("nosuch {long}"),
        &format!("nosuch a {long} b"),
        &format!("{long} a"),
        &format!("nosuch {} {} c", "y".repeat(60), "z".repeat(70)),
        "nosuch a\0b c",
        "no\0such a",
        "nosuch \u{1}\u{e9}",
        "get",
        "GET",
        "get a b",
        "set k",
        "mset a",
        "mset a b c",
        "msetnx a b c",
        "del",
        "echo",
        "config",
        "config nosuch",
        "config get",
        "CONFIG NoSuch\r\nx",
        "script",
        "script nosuch",
        "script load",
        "script exists",
        "script get s",
        "object",
        "object freq",
        "object freq a b",
        "xgroup create a b",
        "xinfo stream",
        "memory usage",
        "client",
        "client nosuch",
        "client setname",
        "acl whoami x",
        "command nosuch",
        "command getkeys",
        "slowlog nosuch",
        "latency nosuch",
        "function nosuch",
        "function load",
        &format!("config {long}"),
        "select",
        "auth",
        "time x",
        "wait 1",
        "hgetall",
        "zadd z 1",
        "zunion 0 a",
        "zunion x a",
        "zunion 5 a",
        "zunion -1 a",
        "zunion 01 a",
        "zunion +1 a",
        "zunion 99999999999999999999 a",
        "zunion 4294967297 a",
        "zunionstore d 0 a",
        "zunionstore d 5 a",
        "zinter 0 a",
        "zdiff 0 a",
        "zdiffstore d 0 a",
        "zintercard 0 a",
        "zintercard 5 a",
        "sintercard 0 a",
        "sintercard 5 a",
        "sintercard x a",
        "lmpop 0 a left",
        "lmpop 5 a left",
        "lmpop x a left",
        "lmpop -1 a left",
        "zmpop 0 a min",
        "zmpop 5 a min",
        "zmpop x a min",
        "eval s x a",
        "eval s -1 a",
        "eval s 5 a",
        "eval s 99999999999 a",
        "eval s",
        "eval_ro s 5 a",
        "fcall lib x a",
        "fcall lib -1 a",
        "fcall lib 5 a",
        "fcall_ro lib x a",
        "evalsha 0000000000000000000000000000000000000000 5 a",
        "evalsha_ro 0000000000000000000000000000000000000000 -1 a",
        "xread foo bar baz",
        "xread count 1 streams a b c",
        "xreadgroup foo g c streams a b c",
        "xread count 1 foo",
        "xread streams a b c",
        "xread count x streams a 0",
        "xread count x streams",
        "xread count 1 count x streams a b 0",
        "xreadgroup group g c count x streams a >",
        "xread streams a",
    ];
    client.ask(&[
        b"function",
        b"load",
        b"#!lua name=l\nredis.register_function('lib',function(k,a) return 1 end)",
    ]);
    for line in lines {
        let args = words(line);
        let ours = refusal(&args).unwrap_or_else(|| panic!("{line:?} is not refused"));
        assert_eq!(shown(&ours), shown(&client.ask(&args)), "{line:?}");
    }
}

#[test]
fn scripts_without_keys_are_refused_in_our_words() {
    for line in [
        "eval s 0",
        "eval s 0 a",
        "evalsha s 0",
        "eval_ro s 0",
        "fcall f 0",
        "fcall_ro f 0",
    ] {
        let refused = refusal(&words(line)).unwrap();
        assert_eq!(
            shown(&refused),
            shown(errors::SCRIPT_WITHOUT_KEYS.as_bytes()),
            "{line}"
        );
    }
}

#[test]
fn unknown_commands_of_any_bytes() {
    let server = Server::start();
    let client = RefCell::new(server.connect());
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let mut runner = TestRunner::new(Config::with_cases(200));
    runner
        .run(&proptest::collection::vec(bytes(), 1..6), |mut args| {
            // A name of its own, so that nothing is executed.
            args[0].splice(0..0, *b"nosuch_");
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let mut ours = Vec::new();
            errors::unknown_command(&args, &mut ours);
            prop_assert_eq!(shown(&ours), shown(&client.borrow_mut().ask(&args)));
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_refusal_says_unknown_and_what() {
    for command in crate::proto::redis::command::commands() {
        if command.is_served() {
            continue;
        }
        let mut line = Vec::new();
        errors::refused(command, command.serve.why(), &mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(
            line.starts_with(&format!("-ERR unknown command '{}': ", command.name)),
            "{line}"
        );
        assert_eq!(line.matches("\r\n").count(), 1, "{line}");
        assert!(line.ends_with("\r\n"), "{line}");
    }
    let xread = lookup(b"xread").unwrap();
    let args = words("xread block 0 streams a 0");
    assert_eq!(xread.refine(&args).serve, Serve::Refused(Why::Blocking));
    let mut line = Vec::new();
    errors::refused(xread, Why::Blocking, &mut line);
    assert!(line.starts_with(b"-ERR unknown option 'block' for 'xread': "));
}

#[test]
fn inline_commands_split_as_redis_splits_them() {
    let server = Server::start();
    // Redis puts the arguments of an unknown command into its error line.
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("\\".to_owned()),
        Just(" ".to_owned()),
        Just("\t".to_owned()),
        Just("\\x4a".to_owned()),
        Just("\\xZ1".to_owned()),
        Just("\\n".to_owned()),
        Just("\\\"".to_owned()),
        Just("\\'".to_owned()),
        Just("\u{b}".to_owned()),
        Just("\r".to_owned()),
        Just("\\x00".to_owned()),
        "[a-z]{1,3}",
        Just("\" ".to_owned()),
        Just(" \"".to_owned()),
    ];
    let mut runner = TestRunner::new(Config::with_cases(600));
    runner
        .run(&proptest::collection::vec(piece, 0..12), |pieces| {
            let line = format!("nosuch {}", pieces.concat());
            let mut ours = Vec::new();
            match inline::split(line.strip_suffix('\r').unwrap_or(&line).as_bytes()) {
                Ok(args) => {
                    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
                    errors::unknown_command(&args, &mut ours);
                }
                Err(inline::Unbalanced) => {
                    ours.extend_from_slice(errors::UNBALANCED_QUOTES.as_bytes())
                }
            }
            // A fresh connection each time: a protocol error closes it.
            let theirs = server.connect().raw(format!("{line}\n").as_bytes());
            prop_assert_eq!(shown(&ours), shown(&theirs), "{:?}", line);
            Ok(())
        })
        .unwrap();
}

#[test]
fn protocol_errors_read_like_redis() {
    let server = Server::start();
    let mut expected = Vec::new();
    errors::expected_bulk(b'*', &mut expected);
    for (bytes, ours) in [
        (&b"*A\r\n"[..], errors::BAD_MULTIBULK.as_bytes()),
        (b"*02\r\n", errors::BAD_MULTIBULK.as_bytes()),
        (b"*2147483648\r\n", errors::BAD_MULTIBULK.as_bytes()),
        (b"*1\r\n$-1\r\n", errors::BAD_BULK.as_bytes()),
        (b"*1\r\n$629145600\r\n", errors::BAD_BULK.as_bytes()),
        (b"*1\r\n*-1\r\n", &expected),
        (b"get \"a\r\n", errors::UNBALANCED_QUOTES.as_bytes()),
        (
            &[b"*".as_slice(), &[b'1'; 70_000]].concat(),
            errors::LONG_MULTIBULK.as_bytes(),
        ),
        (
            &[b"*1\r\n$".as_slice(), &[b'1'; 70_000]].concat(),
            errors::LONG_BULK.as_bytes(),
        ),
        (&[b'a'; 70_000], errors::LONG_INLINE.as_bytes()),
    ] {
        assert_eq!(shown(&server.connect().raw(bytes)), shown(ours));
        assert_eq!(shown(&said_of(bytes, bytes.len())), shown(ours));
        assert_eq!(shown(&said_of(bytes, 16 << 10)), shown(ours));
    }
}

/// What our parser says of bytes that come in pieces of at most this many; an inline command is split.
fn said_of(bytes: &[u8], piece: usize) -> Vec<u8> {
    let pool = Pool::new(16 << 10, 1 << 20);
    let (mut data, mut parser) = (Chain::new(), Parser::default());
    for piece in bytes.chunks(piece) {
        pool.copy(piece, &mut data);
        let status = match data.as_contiguous() {
            Some(slice) => parser.parse(slice, 0),
            None => parser.find(&data),
        };
        match status {
            Status::Bad(error) => return error.reply(),
            Status::Complete(request) => {
                assert_eq!(request.kind, Kind::Inline);
                let line = data.to_vec();
                let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
                assert_eq!(inline::split(line), Err(inline::Unbalanced));
                return errors::UNBALANCED_QUOTES.into();
            }
            Status::Incomplete => {}
        }
    }
    Vec::new()
}

/// Redis and the session are told to be silent, and both end the silence at the same request.
#[test]
fn silence_ends_where_it_ends_in_redis() {
    let server = Server::start();
    for (first, second) in [
        ("client reply skip", "reset"),
        ("client reply off", "reset"),
        ("client reply skip", "unwatch"),
        ("client reply skip", "unsubscribe"),
        ("client reply off", "unsubscribe a"),
        ("client reply skip", "client reply on"),
        ("client reply off", "client reply on"),
        ("client reply skip", "client reply skip"),
    ] {
        let mut client = server.connect();
        let mut bytes = Vec::new();
        let mut ours = Vec::new();
        let mut session = Session::new(1);
        for line in [first, second, "client reply on", "echo end"] {
            let args = words(line);
            crate::proto::redis::encode::command(&mut bytes, &args);
            let row = resolve(&args, &mut Vec::new()).unwrap();
            session.answer(row, &args, &CONTEXT, &mut ours);
        }
        let mut theirs = client.raw(&bytes);
        while !theirs.ends_with(b"end\r\n") {
            theirs.extend(client.raw(b""));
        }
        assert_eq!(shown(&ours), shown(&theirs), "{first}, {second}");
    }
}

const CONTEXT: Context<'_> = Context {
    now: Now {
        mono_us: 0,
        wall_us: 0,
    },
    store_version: DEFAULT_VERSION,
};

/// Commands about all clients, as far as their words decide.
#[test]
fn commands_about_clients_are_refused_as_redis_refuses_them() {
    let server = Server::start();
    let mut client = server.connect();
    for line in [
        "client list nosuch",
        "client list type nosuch",
        "client list type NoSuch",
        "client list type",
        "client list id",
        "client list id x",
        "client list id 1 x",
        "client list type normal id 1",
        "client kill id x",
        "client kill id 0",
        "client kill id -1",
        "client kill id 1 type",
        "client kill nosuch x",
        "client kill type nosuch",
        "client kill user nosuch",
        "client kill skipme maybe",
        "client kill type normal skipme x",
        "client pause x",
        "client pause -1",
        "client pause 1 foo",
        "client pause x foo",
        "client pause 1 write x",
        "client unblock x",
        "client unblock 1",
        "client unblock 1 timeout",
        "client unblock 1 Error",
        "client unblock 1 foo",
        "client unblock x foo",
        "client unblock 1 error x",
    ] {
        let args = words(line);
        let row = resolve(&args, &mut Vec::new()).unwrap();
        let mut ours = Vec::new();
        match row.about_clients().unwrap() {
            AboutClients::List => assert_eq!(clients::Filter::of_list(&args[2..], &mut ours), None),
            AboutClients::Kill => assert_eq!(clients::Filter::of_kill(&args[2..], &mut ours), None),
            AboutClients::Pause => assert_eq!(clients::Pause::of(&args[2..], &mut ours), None),
            _ => clients::unblock(&args[2..], &mut ours),
        }
        assert_eq!(shown(&ours), shown(&client.ask(&args)), "{line}");
    }
}

/// Requests that Redis and the proxy answer alike, from a fresh connection on, in this order.
const CONVERSATION: &[&str] = &[
    "echo hello",
    "echo ",
    "select 0",
    "select x",
    "select 99999999999",
    "client getname",
    "client setname foo",
    "client getname",
    "client setname foo\nbar",
    "client setname ",
    "client getname",
    "client setname bar",
    "client reply on",
    "client reply nosuch",
    "client no-evict on",
    "client no-evict off",
    "client no-evict x",
    "client tracking off",
    "client tracking x",
    "client trackinginfo",
    "client getredir",
    "client caching yes",
    "auth a",
    "auth default a",
    "auth nosuch a",
    "auth a b c",
    "unwatch",
    "unsubscribe",
    "unsubscribe a",
    "punsubscribe",
    "punsubscribe a*",
    "sunsubscribe",
    "sunsubscribe a",
    "wait 0 0",
    "wait x 0",
    "wait 0 x",
    "wait 0 -1",
    "acl whoami",
    "asking",
    "readonly",
    "readwrite",
    "cluster info",
    "cluster slots",
    "lolwut",
    "lolwut version 1",
    "command getkeys get a",
    "command list filterby module x",
    "command list filterby aclcat nosuch",
    "command list nosuch x",
    "command list filterby",
    "command list filterby nosuch x",
    "command info nosuch",
    "command info get xread zunionstore",
    "command info config|get",
    "command info config|nosuch",
    "hello 4",
    "hello x",
    "hello auth",
    "hello 99999999999999999999",
    "hello 3 auth",
    "hello 3 auth nosuch x",
    "hello 3 setname",
    "hello 3 setname a\nb",
    "hello 3 nosuch",
    "hello 2 setname quux",
    "client getname",
    "hello 3 auth default x setname z",
    "client getname",
    "client trackinginfo",
    "unwatch",
    "unsubscribe",
    "punsubscribe a",
    "hello",
    "client setname a b",
    "hello 2",
    "hello 3",
    "lolwut",
    "command info nosuch get",
    "reset",
    "client getname",
    "hello",
    "quit",
];

#[test]
fn the_proxy_answers_as_redis_does() {
    if !super::is_reference() {
        return;
    }
    let server = Server::start();
    let mut client = server.connect();
    let id = shown(&client.ask(&[b"client", b"id"]));
    let id = id
        .trim_start_matches(':')
        .trim_end_matches("\\r\\n")
        .parse()
        .unwrap();
    let mut session = Session::new(id);
    let version = shown(&client.ask(&[b"info", b"server"]));
    assert!(
        version.contains(DEFAULT_VERSION),
        "the texts are those of this version"
    );
    for line in CONVERSATION {
        let args = words(line);
        let mut ours = refusal(&args).unwrap_or_default();
        if ours.is_empty() {
            let row = lookup(args[0]).unwrap();
            let row = args.get(1).and_then(|word| row.child(word)).unwrap_or(row);
            session.answer(row, &args, &CONTEXT, &mut ours);
        }
        let theirs = shown(&client.ask(&args));
        assert_eq!(shown(&ours), theirs, "{line:?}");
    }
}
