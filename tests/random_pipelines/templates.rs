//! What a random request may be.
//!
//! Words in braces are drawn anew each time: a key of a family (`{s}` string, `{l}` list, `{h}` hash,
//! `{t}` set, `{z}` sorted set, `{x}` stream, `{g}` geo, `{p}` HyperLogLog, `{b}` bitmap, `{B}` large
//! string, `{H}` hash of large values, `{E}` key that will expire,
//! `{Z}` sorted set of one score, which is what ranges by name are defined for), a value (`{v}`, `{w}` short, `{V}` up to 300 KB), a number
//! (`{i}` index, `{n}` anything number-like, `{c}` score, `{m}` member of a set), a word (`{f}` field,
//! `{M}` member, `{P}` place, `{r}` stream id, `{G}` group, `{lon} {lat}`), a script (`{lua}`, `{sha}`).
//!
//! Left out is what two servers answer differently: random picks, times, and orders that depend on
//! the seed of a server's hash tables. So members of sets are numbers, which Redis keeps sorted, and
//! hashes and sorted sets stay small.

#[rustfmt::skip]
pub const TEMPLATES: &[&str] = &[
    // Strings.
    "set {s} {v}", "set {s} {v}", "set {s} {n}", "set {s} {v} nx", "set {s} {v} xx get", "set {s} {v} keepttl",
    "set {s} {v} pxat 4102444800000", "set {s} {v} bad", "get {s}", "get {s}", "get {s}", "getset {s} {v}",
    "getdel {s}", "getex {s} persist", "getex {s} exat 4102444800", "append {s} {w}", "strlen {s}",
    "setnx {s} {v}", "setrange {s} {i} {w}", "getrange {s} {i} {i}", "substr {s} {i} {i}", "incr {s}", "decr {s}",
    "incrby {s} {n}", "decrby {s} {n}", "incrbyfloat {s} {n}", "lcs {s} {s}", "lcs {s} {s} idx withmatchlen",
    "lcs {s} {s} len", "setex {E} 100000 {v}", "get {E}", "persist {E}", "psetex {E} 100000000 {v}",
    // Large values.
    "set {B} {V}", "get {B}", "append {B} {V}", "strlen {B}", "getrange {B} 0 {i}", "setrange {B} 100000 {w}",
    "mget {B} {s} {B}", "mset {B} {V} {B} {V}", "del {B} {B}", "hset {H} {f} {V}", "hget {H} {f}", "hmget {H} {f} {f}",
    "hlen {H}", "hstrlen {H} {f}", "hdel {H} {f}", "echo {V}", "rpush {l} {V}", "eval return(ARGV[1]) 1 {s} {V}",
    // Several keys.
    "mset {s} {v} {s} {v} {s} {v}", "mset {s} {v}", "mget {s} {s} {l} {s}", "mget {s}", "msetnx {s} {v} {s} {v}",
    "del {s} {l} {h}", "del {z}", "unlink {t} {s}", "exists {s} {s} {z} {x}", "touch {s} {h} {p}",
    // Keys.
    "type {s}", "type {h}", "type {x}", "expireat {s} 4102444800", "expireat {s} 4102444800 nx", "pexpireat {l} 1",
    "expiretime {s}", "pexpiretime {s}", "persist {s}", "rename {s} {s}", "renamenx {s} {s}", "copy {s} {s}",
    "copy {z} {z} replace", "dump {B}", "restore {s} 0 {w}", "object encoding {s}",
    "object encoding {t}", "object refcount {h}", "object freq {s}", "dbsize", "expire {s} {n} bad worse",
    "sort {l}", "sort {l} alpha limit 0 3", "sort {t} desc", "sort {t} by nosort get # get {s}", "sort {t} store {l}",
    "sort_ro {l} alpha desc",
    // Bitmaps.
    "setbit {b} {i} 1", "setbit {b} 70000 {i}", "getbit {b} {i}", "bitcount {b}", "bitcount {b} {i} {i}",
    "bitcount {b} {i} {i} bit", "bitpos {b} 1", "bitpos {b} 0 {i} {i}", "bitop and {b} {b} {b}", "bitop or {b} {b} {s}",
    "bitop not {b} {b}", "bitfield {b} get u8 {i} set i16 #1 {i} incrby u4 3 {i}", "bitfield {b} overflow fail incrby u2 0 {i}",
    "bitfield_ro {b} get u8 0",
    // Hashes.
    "hset {h} {f} {w}", "hset {h} {f} {w} {f} {w}", "hmset {h} {f} {w} {f} {n}", "hget {h} {f}", "hmget {h} {f} {f} {f}",
    "hgetall {h}", "hgetall {h}", "hkeys {h}", "hvals {h}", "hlen {h}", "hstrlen {h} {f}", "hexists {h} {f}",
    "hdel {h} {f} {f}", "hsetnx {h} {f} {w}", "hincrby {h} {f} {n}", "hincrbyfloat {h} {f} {n}", "hscan {h} 0",
    "hscan {h} 0 match f* count 100",
    // Lists.
    "lpush {l} {w} {w}", "rpush {l} {w} {v} {w}", "lpushx {l} {w}", "rpushx {l} {w} {w}", "lpop {l}", "lpop {l} {i}",
    "rpop {l}", "rpop {l} {i}", "llen {l}", "lindex {l} {i}", "lset {l} {i} {w}", "linsert {l} before {w} {w}",
    "lrange {l} {i} {i}", "lrange {l} 0 -1", "lrem {l} {i} {w}", "ltrim {l} {i} 20", "lpos {l} {w}",
    "lpos {l} {w} count 0 maxlen {i}", "lmove {l} {l} left right", "rpoplpush {l} {l}", "lmpop 2 {l} {l} left count 2",
    "lmpop {n} {l} right",
    // Sets.
    "sadd {t} {m} {m} {m}", "sadd {t} {m}", "srem {t} {m} {m}", "smembers {t}", "smembers {t}", "scard {t}",
    "sismember {t} {m}", "smismember {t} {m} {m}", "smove {t} {t} {m}", "sinter {t} {t}", "sunion {t} {t} {t}",
    "sdiff {t} {t}", "sinterstore {t} {t} {t}", "sunionstore {t} {t} {t}", "sdiffstore {t} {t} {t}",
    "sintercard 2 {t} {t} limit {i}", "sintercard {n} {t}", "sscan {t} 0",
    // Sorted sets.
    "zadd {z} {c} {M} {c} {M}", "zadd {z} {c} {M}", "zadd {z} nx {c} {M}", "zadd {z} xx ch {c} {M}",
    "zadd {z} incr {c} {M}", "zadd {z} gt incr {c} {M}", "zincrby {z} {c} {M}", "zscore {z} {M}", "zmscore {z} {M} {M}",
    "zcard {z}", "zcount {z} -inf {c}", "zrank {z} {M}", "zrevrank {z} {M}", "zrem {z} {M} {M}", "zrange {z} {i} {i}",
    "zrange {z} 0 -1 withscores", "zrange {z} 0 -1 rev withscores", "zrange {z} {c} {c} byscore limit 0 5 withscores",
    "zadd {Z} 0 {M} 0 {M} 0 {M}", "zrange {Z} - + bylex", "zrangebyscore {z} -inf +inf withscores", "zrangebyscore {z} {c} {c}",
    "zrevrangebyscore {z} +inf -inf withscores limit 0 3", "zrevrange {z} 0 -1 withscores", "zrevrange {z} 0 {i}",
    "zrangebylex {Z} - +", "zrevrangebylex {Z} + -", "zlexcount {Z} - +", "zpopmin {z}", "zpopmax {z}", "zpopmin {z} {i}",
    "zpopmax {z} 2", "zmpop 2 {z} {z} min count 2", "zmpop 1 {z} max", "zunion 2 {z} {z} withscores",
    "zinter 2 {z} {z} withscores", "zdiff 2 {z} {z} withscores", "zunion 2 {z} {t} weights 2 {i} aggregate max",
    "zunion {n} {z}", "zdiff 1 {z}", "zinter 2 {z} {z}", "zintercard 2 {z} {z}", "zunionstore {z} 2 {z} {z}",
    "zinterstore {z} 2 {z} {t} weights 1 2", "zdiffstore {z} 2 {z} {z}", "zrangestore {z} {z} 0 3",
    "zremrangebyrank {z} {i} {i}", "zremrangebyscore {z} {c} {c}", "zremrangebylex {Z} [a [c", "zscan {z} 0 match nosuch count 1000",
    // Streams.
    "xadd {x} {r} {f} {w}", "xadd {x} {r} {f} {w} {f} {w}", "xadd {x} nomkstream maxlen 5 {r} {f} {w}", "xlen {x}",
    "xrange {x} - +", "xrange {x} {r} + count 2", "xrevrange {x} + -", "xdel {x} {r}", "xtrim {x} maxlen {i}",
    "xread streams {x} 0", "xread count 2 streams {x} {x} 0 {r}", "xread streams {x} {x} 0", "xgroup create {x} {G} 0",
    "xgroup create {x} {G} 0 mkstream", "xgroup destroy {x} {G}", "xgroup createconsumer {x} {G} {f}",
    "xgroup delconsumer {x} {G} {f}", "xreadgroup group {G} {f} count 2 streams {x} >",
    "xreadgroup group {G} {f} streams {x} 0", "xack {x} {G} {r}", "xpending {x} {G}", "xinfo stream {x}",
    "xinfo groups {x}", "xclaim {x} {G} {f} 0 {r} justid", "xautoclaim {x} {G} {f} 0 0 justid", "xsetid {x} {r}",
    // Geo.
    "geoadd {g} {lon} {lat} {P}", "geoadd {g} {lon} {lat} {P} {lon} {lat} {P}", "geopos {g} {P} {P}", "geodist {g} {P} {P} km",
    "geohash {g} {P} {P}", "georadius {g} 15 37 500 km asc withcoord withdist", "georadius {g} 15 37 500 km asc count 2",
    "georadius {g} 15 37 500 km store {z}", "georadiusbymember {g} {P} 500 km asc withdist withhash",
    "geosearch {g} frommember {P} byradius 500 km asc withcoord", "geosearch {g} fromlonlat 15 37 bybox 900 900 km desc withdist",
    "geosearchstore {g} {g} fromlonlat 15 37 byradius 300 km asc", "georadius_ro {g} 15 37 500 km desc withcoord",
    // HyperLogLog.
    "pfadd {p} {w} {w}", "pfadd {p} {m}", "pfcount {p}", "pfcount {p} {p}", "pfmerge {p} {p} {p}",
    // Scripts.
    "eval {lua} 1 {s}", "eval {lua} 2 {s} {l} {w}", "eval {lua} {n} {s} {w}", "eval_ro {lua} 1 {s}", "evalsha {sha} 1 {s}",
    "evalsha {sha} 1 {z}", "script exists {sha} {sha}", "script load return({i})", "script load {lua}", "script nosuch",
    // The connection.
    "ping", "ping {v}", "echo {v}", "select 0", "wait 0 0", "command getkeys mget {s} {s}", "config get maxmemory",
    "script help {i} {w}", "object {w}", "xinfo {w}", "client setname n", "client getname",
    // Nonsense.
    "{f} {w} {v}", "nosuch", "nosuch {v} {v} {v}", "get", "set {s}", "{v}",
];

/// Scripts for `{lua}`.
pub const SCRIPTS: &[&str] = &[
    "return redis.call('get',KEYS[1])",
    "return redis.call('set',KEYS[1],ARGV[1] or 'x')",
    "return {KEYS,ARGV}",
    "return {1,{2,{3,{4}}},'x',{}}",
    "return {}",
    "return false",
    "return {false,true,1.9,-1}",
    "return {err='FOO'}",
    "return {err='FOO bar'}",
    "return {ok='fine'}",
    "return redis.error_reply('MY error')",
    "return {redis.error_reply('ERR a'),redis.status_reply('b'),{redis.error_reply('c')}}",
    "return redis.call('lpush',KEYS[1],1)",
    "return redis.pcall('lpush',KEYS[1],1)",
    "return redis.call('nosuch')",
    "return string.rep('x',tonumber(ARGV[1]) or 20000)",
    "local t={} for i=1,500 do t[i]={i,tostring(i)} end return t",
    "return nosuch",
    "return (",
];
