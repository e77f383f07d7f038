//! RESP3 conversion against Redis' own RESP3.

use super::{Client, Server, shown, words};
use crate::proto::redis::command::Command;
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::resp3::{Form, convert, form, is_identity};

/// What the comparison works on.
const DATA: &[&str] = &[
    "set s value",
    "set m1 ohmytext",
    "set m2 mynewtext",
    "set n 5",
    "rpush l a b c a",
    "hset h a 1 b 2 c 3",
    "sadd st 1 2 3",
    "sadd st2 2 3 4",
    "zadd z 1.5 a 3 b inf c -inf d 1e20 e 0.1 f 1e-9 g -0 h 123456789012345678 i",
    "zadd z2 2 a 7 x",
    "zadd withscores 1 a",
    "geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 2.35 48.85 withcoord",
    "xadd x 1-1 f v",
    "xadd x 2-1 f v g w",
    "xadd y 3-1 f v",
    "xgroup create x grp 0",
    "xgroup create x empty 0",
    "xreadgroup group grp c1 count 1 streams x >",
    "xgroup createconsumer x grp c2",
    "config set slowlog-log-slower-than -1",
];

/// Commands that change nothing, so both connections see the same.
const READS: &[&str] = &[
    "hgetall h",
    "hgetall nope",
    "hgetall s",
    "config get maxmemory*",
    "config get nope",
    "config get save appendonly",
    "xread streams x 0",
    "xread streams x y 0 0",
    "xread streams x 9",
    "xread count 1 streams y x 0 0",
    "xreadgroup group grp c1 streams x 0",
    "xinfo stream x",
    "xinfo stream x full",
    "xinfo stream y full count 1",
    "xinfo stream nope",
    "xinfo groups x",
    "xinfo groups y",
    "xinfo groups nope",
    "xpending x grp",
    "xpending x empty",
    "xrange x - +",
    "xrevrange x + - count 1",
    "xlen x",
    "command docs",
    "command docs get client set zrange nope xadd",
    "lcs m1 m2",
    "lcs m1 m2 idx",
    "lcs m1 m2 idx withmatchlen minmatchlen 3",
    "lcs m1 m2 len",
    "function list",
    "function list withcode",
    "function list libraryname nope",
    "function stats",
    "function dump",
    "smembers st",
    "smembers nope",
    "sdiff st st2",
    "sinter st st2",
    "sunion st st2",
    "sunion nope",
    "sintercard 2 st st2",
    "smismember st 1 9",
    "sismember st 1",
    "scard st",
    "sscan st 0",
    "zscore z a",
    "zscore z c",
    "zscore z d",
    "zscore z e",
    "zscore z f",
    "zscore z h",
    "zscore z nope",
    "zscore s a",
    "zmscore z a nope c d",
    "zmscore nope a b",
    "zrange z 0 -1",
    "zrange z 0 -1 withscores",
    "zrange z 0 -1 rev WITHSCORES",
    "zrange nope 0 -1 withscores",
    "zrange s 0 -1 withscores",
    "zrange z -inf +inf byscore limit 1 2 withscores",
    "zrevrange z 0 -1 withscores",
    "zrangebyscore z -inf +inf withscores",
    "zrangebyscore z 1 3 withscores limit 0 1",
    "zrevrangebyscore z +inf -inf withscores",
    "zrangebylex z - +",
    "zrange withscores 0 -1",
    "zrange withscores 0 -1 withscores",
    "zunion 2 z z2",
    "zunion 2 z z2 withscores",
    "zunion 2 z z2 weights 1 2 aggregate max withscores",
    "zunion 1 withscores",
    "zunion 1 withscores withscores",
    "zinter 2 z z2 withscores",
    "zdiff 2 z z2 withscores",
    "zdiff 2 z z2",
    "zdiff x z withscores",
    "zintercard 2 z z2",
    "zrank z a",
    "zrank z nope",
    "zrandmember nope",
    "zrandmember nope 2 withscores",
    "zrandmember withscores 1 withscores",
    "zscan z 0",
    "zcount z -inf inf",
    "geopos g Palermo nope Catania",
    "geopos nope a",
    "geopos g",
    "geodist g Palermo Catania",
    "geodist g Palermo nope",
    "geohash g Palermo nope",
    "geosearch g frommember Palermo byradius 200 km asc",
    "geosearch g frommember Palermo byradius 200 km asc withcoord",
    "geosearch g frommember Palermo byradius 200 km asc withcoord withdist withhash",
    "geosearch g frommember withcoord byradius 200 km asc withdist",
    "geosearch g frommember nope byradius 200 km asc",
    "georadius g 15 37 200 km asc",
    "georadius g 15 37 200 km asc withdist withcoord",
    "georadius g 15 37 200 km asc withhash",
    "georadius_ro g 15 37 200 km asc withcoord",
    "georadiusbymember g Palermo 200 km asc withcoord withdist",
    "georadiusbymember_ro g Palermo 200 km asc withcoord",
    "hrandfield nope",
    "hrandfield nope 2 withvalues",
    "hscan h 0",
    "hmget h a nope",
    "hget h nope",
    "hvals h",
    "hkeys h",
    "get s",
    "get nope",
    "get l",
    "mget s nope l",
    "getrange s 0 2",
    "strlen s",
    "exists s nope",
    "type s",
    "ttl s",
    "lrange l 0 -1",
    "lindex l 9",
    "lpos l a",
    "lpos l nope",
    "lpos l a count 2",
    "lpos l a rank -1 maxlen 2",
    "llen l",
    "srandmember nope",
    "srandmember nope 2",
    "object encoding s",
    "object encoding nope",
    "object refcount n",
    "memory usage nope",
    "dump nope",
    "dump s",
    "randomkey_ s",
    "sort l alpha",
    "sort nope",
    "sort l by nosort get #",
    "sort l alpha get nope_*",
    "bitfield_ro s get u8 0",
    "bitcount s",
    "bitpos s 1",
    "getbit s 1",
    "script exists 0 1",
    "scan 0 type stream",
    "dbsize",
    "lastsave",
    "role",
    "keys nope*",
    "latency latest",
    "latency history x",
    "latency graph x",
    "latency histogram nope",
    "slowlog len",
    "pfcount nope",
    "expiretime s",
    "pexpiretime nope",
    "eval return{false,true,1.5,{1,{false}},'x'} 1 k",
    "eval return(false) 1 k",
    "eval_ro return{} 1 k",
    "eval return{redis.call('get','nope'),redis.call('hgetall','h')} 1 k",
    "eval return{err='FOO'} 1 k",
    "eval return{{err='FOO'},{ok='fine'}} 1 k",
    "set s value nx",
    "set s value get",
    "lpop nope",
    "lpop nope 3",
    "rpop nope",
    "spop nope",
    "spop nope 2",
    "zpopmin nope",
    "zpopmin nope 2",
    "zpopmax nope",
    "zmpop 1 nope min",
    "lmpop 1 nope left",
    "getdel nope",
    "getex nope",
    "xautoclaim x grp c9 99999999 0",
    "xclaim x grp c9 99999999 1-1",
    "bitfield n overflow fail incrby u2 0 9",
    "zadd z nx incr 1 a",
    "zadd z nx 1 a",
    "zincrby s 1 a",
    "echo x",
    "nosuch",
    "memory doctor",
];

/// Commands that change something: run on both connections, each time from the same state.
const WRITES: &[&str] = &[
    "zincrby w 1.25 a",
    "zincrby w inf b",
    "zadd w incr 1 a",
    "zadd w incr 0.1 new",
    "zadd w xx incr 1 nope",
    "zadd w ch 9 a 9 b",
    "zadd w 1 incr",
    "zpopmin w",
    "zpopmin w 2",
    "zpopmin w 0",
    "zpopmax w",
    "zpopmax w 10",
    "zmpop 1 w min",
    "zmpop 2 nope w max count 2",
    "lmpop 1 wl left count 2",
    "lpop wl 2",
    "rpop wl",
    "spop one",
    "spop one 1",
    "spop one 5",
    "incrbyfloat wf 1.5",
    "hincrbyfloat wh f 2.5",
    "set wf new get",
    "getset wf x",
    "getdel wf",
    "getex wf ex 10",
    "hrandfield one_h 2 withvalues",
    "hrandfield one_h -2 withvalues",
    "hrandfield one_h 1",
    "zrandmember one_z 2 withscores",
    "zrandmember one_z -3 withscores",
    "zrandmember one_z 1",
    "zrandmember one_z",
    "srandmember one 2",
    "srandmember one",
    "xreadgroup group wg c streams wx >",
    "xreadgroup group wg c count 1 streams wx >",
    "xadd wx nomkstream 9-9 f v",
    "xadd nope nomkstream * f v",
    "copy w w9",
    "rename w w8",
    "sort wl alpha store ws",
];

const WRITE_STATE: &[&str] = &[
    "flushdb",
    "zadd w 1.5 a 3 b inf c",
    "rpush wl a b c",
    "sadd one m",
    "hset one_h f 1.5",
    "zadd one_z 2.5 m",
    "set wf 1",
    "xadd wx 1-1 f v",
    "xadd wx 2-1 f v",
    "xgroup create wx wg 0",
];

const LIBRARY: &[u8] = b"#!lua name=lib\n\
    redis.register_function{function_name='f1',callback=function(k,a) return 1 end,flags={'no-writes'},description='d'}\n\
    redis.register_function('f2',function(k,a) return 1 end)";

fn row(args: &[&[u8]]) -> Option<&'static Command> {
    let found = lookup(args[0])?;
    if found.is_container() {
        return found.child(args[1]);
    }
    Some(found)
}

fn check(line: &str, resp2: &[u8], resp3: &[u8]) {
    let args = words(line);
    let form = row(&args).map_or(Form::Plain, |row| form(row, &args));
    let mut ours = Vec::new();
    convert(form, resp2, &mut ours);
    assert_eq!(shown(&ours), shown(resp3), "{line} ({form:?})");
    if is_identity(form, resp2) {
        assert_eq!(
            shown(resp2),
            shown(resp3),
            "{line} ({form:?}) was called unchanged"
        );
    }
}

#[test]
fn conversion_gives_what_redis_gives() {
    let server = Server::start();
    let (mut two, mut three) = (server.connect(), server.connect3());
    let loaded = two.ask(&[b"function", b"load", LIBRARY]);
    assert_eq!(shown(&loaded), "$3\\r\\nlib\\r\\n");
    for line in DATA {
        let reply = two.ask(&words(line));
        assert_ne!(reply[0], b'-', "{line}: {}", shown(&reply));
    }
    for line in READS {
        let (resp2, resp3) = same_state(line, &mut two, &mut three);
        check(line, &resp2, &resp3);
    }
}

/// The replies of one state of the server. Between two commands it may move a table on to its next size,
/// which puts `COMMAND DOCS` and the like in another order: the first reply is asked for again, and both
/// are, until it did not change meanwhile.
fn same_state(line: &str, two: &mut Client, three: &mut Client) -> (Vec<u8>, Vec<u8>) {
    let args = words(line);
    for _ in 0..100 {
        let (before, resp3, after) = (two.ask(&args), three.ask(&args), two.ask(&args));
        if before == after {
            return (before, resp3);
        }
    }
    panic!("{line} has another reply each time");
}

#[test]
fn conversion_of_replies_to_writes() {
    let server = Server::start();
    let (mut two, mut three) = (server.connect(), server.connect3());
    for line in WRITES {
        let mut replies = [&mut two, &mut three].map(|client| {
            for step in WRITE_STATE {
                let reply = client.ask(&words(step));
                assert_ne!(reply[0], b'-', "{step}: {}", shown(&reply));
            }
            client.ask(&words(line))
        });
        let resp3 = std::mem::take(&mut replies[1]);
        check(line, &replies[0], &resp3);
    }
}

/// Replies that differ from call to call: only their shape is compared.
#[test]
fn conversion_of_reports() {
    let server = Server::start();
    let (mut two, mut three) = (server.connect(), server.connect3());
    for line in [
        "set a b",
        "xadd x 1-1 f v",
        "xgroup create x g 0",
        "xreadgroup group g c1 count 1 streams x >",
    ] {
        two.ask(&words(line));
    }
    let digits = |bytes: &[u8]| -> String {
        let mut last = ' ';
        let only = shown(bytes)
            .chars()
            .map(|c| {
                if c.is_ascii_digit() || matches!(c, '.' | '-') {
                    '9'
                } else {
                    c
                }
            })
            .filter(|&c| {
                let keep = !(c == '9' && last == '9');
                last = c;
                keep
            })
            .collect::<String>();
        // A server that has just begun has ratios that are not numbers yet.
        let only = only.replace("9nan", "9").replace("nan", "9");
        only.replace("9e9", "9")
    };
    for line in [
        "memory stats",
        "xinfo consumers x g",
        "latency histogram set",
    ] {
        let args = words(line);
        let form = form(row(&args).unwrap(), &args);
        let (resp2, resp3) = (two.ask(&args), three.ask(&args));
        let mut ours = Vec::new();
        convert(form, &resp2, &mut ours);
        assert_eq!(digits(&ours), digits(&resp3), "{line}");
    }
    for line in [
        "info server",
        "info",
        "memory malloc-stats",
        "latency doctor",
    ] {
        let args = words(line);
        let form = form(row(&args).unwrap(), &args);
        let resp2 = two.ask(&args);
        let mut ours = Vec::new();
        convert(form, &resp2, &mut ours);
        let theirs = three.ask(&args);
        for reply in [&ours, &theirs] {
            let text = reply.splitn(2, |&b| b == b'\n').nth(1).unwrap();
            assert!(
                reply.starts_with(b"=") && text.starts_with(b"txt:"),
                "{line}: {}",
                shown(reply)
            );
        }
        let body = &resp2[resp2.iter().position(|&b| b == b'\n').unwrap() + 1..];
        assert!(ours.ends_with(body), "{line}");
    }
}

#[test]
fn what_is_no_reply_passes_unchanged() {
    for bytes in [
        &b""[..],
        b"*",
        b"*2\r\n:1\r\n",
        b"$5\r\nabc\r\n",
        b"$-2x\r\n",
        b":1\r\n:2\r\n",
        b"*9223372036854775807\r\n",
        b"%1\r\n+a\r\n+b\r\n",
        b"*1\r\n*1\r\n*1\r\n",
        b"$9223372036854775807\r\n",
        b"\n",
        b"*\n",
        b"*2\r\n$1\r\na\r\n$1",
        b"hello\r\n",
    ] {
        for form in [
            Form::Plain,
            Form::Map,
            Form::ScorePairs,
            Form::Streams,
            Form::StreamInfo,
            Form::Verbatim,
            Form::MemoryStats,
        ] {
            let mut out = b"before".to_vec();
            convert(form, bytes, &mut out);
            assert_eq!(shown(&out), format!("before{}", shown(bytes)), "{form:?}");
        }
    }
}
