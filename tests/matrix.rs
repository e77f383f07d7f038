//! Every command of Redis 7.0 and every RedisJSON name of the C original: what becomes of it.

use crate::common::*;
use Answer::*;
use std::collections::BTreeSet;

/// What a client gets.
enum Answer {
    /// What the same Redis answers when it is asked directly, byte for byte.
    Served,
    /// The same, but for numbers that change from call to call.
    Changing,
    /// This, made by the proxy.
    Proxy(&'static str),
    /// Something made by the proxy that begins so.
    ProxyBegins(&'static str),
    /// This, and the connection is closed.
    Closes(&'static str),
    /// An error that contains "unknown", and the connection stays open.
    Refused,
}

const DISABLED: &str = "-ERR This instance has cluster support disabled\r\n";

/// Name, requests, answer. In a request `{sha}` stands for the hash of a script that is loaded and
/// `{payload}` for what DUMP says of `s`.
#[rustfmt::skip]
const ROWS: &[(&str, &[&str], Answer)] = &[
    ("acl", &["acl whoami"], Proxy("$7\r\ndefault\r\n")),
    ("acl", &["acl setuser x", "acl list", "acl cat", "acl getuser default", "acl deluser x", "acl save"], Refused),
    ("append", &["append s x", "append new x", "append l x", "append s"], Served),
    ("asking", &["asking"], Proxy(DISABLED)),
    ("auth", &["auth x"], ProxyBegins("-ERR AUTH <password> called without any password configured")),
    ("auth", &["auth default x"], Proxy("+OK\r\n")),
    ("auth", &["auth nobody x"], ProxyBegins("-WRONGPASS ")),
    ("bgrewriteaof", &["bgrewriteaof"], Refused),
    ("bgsave", &["bgsave", "bgsave schedule"], Refused),
    ("bitcount", &["bitcount bm", "bitcount bm 1 1", "bitcount bm 5 30 BIT", "bitcount nope", "bitcount bm 1"], Served),
    ("bitfield", &["bitfield bm get u8 0", "bitfield bm set u8 0 1 incrby i5 100 1", "bitfield bm overflow fail incrby u2 102 3", "bitfield bm"], Served),
    ("bitfield_ro", &["bitfield_ro bm get u8 0 get i4 1", "bitfield_ro bm set u8 0 1"], Served),
    ("bitop", &["bitop and d bm s", "bitop not d bm", "bitop xor d bm nope", "bitop and d l"], Served),
    ("bitpos", &["bitpos bm 1", "bitpos bm 0 1 2", "bitpos bm 1 5 30 BIT"], Served),
    ("blmove", &["blmove l l2 left right 1"], Refused),
    ("blmpop", &["blmpop 1 1 l left"], Refused),
    ("blpop", &["blpop l 1", "blpop l l2 0"], Refused),
    ("brpop", &["brpop l 1"], Refused),
    ("brpoplpush", &["brpoplpush l l2 1"], Refused),
    ("bzmpop", &["bzmpop 1 1 z min"], Refused),
    ("bzpopmax", &["bzpopmax z 1"], Refused),
    ("bzpopmin", &["bzpopmin z 1"], Refused),
    ("client", &["client setname me", "client setinfo lib-name x", "client setinfo lib-ver 1", "client no-evict on", "client no-touch on", "client reply on", "client tracking off"], Proxy("+OK\r\n")),
    ("client", &["client id"], ProxyBegins(":")),
    ("client", &["client getname"], Proxy("$2\r\nme\r\n")),
    ("client", &["client tracking on", "client maint_notifications on moving-endpoint-type none", "client nosuch"], Refused),
    ("client", &["client unpause", "client pause x", "client pause 0 write", "client unblock 1", "client unblock 1 foo", "client kill id 999999", "client kill id x", "client kill 1.2.3.4:5", "client list id 999999", "client list type pubsub", "client list nosuch"], Served),
    ("cluster", &["cluster info", "cluster slots", "cluster nodes", "cluster keyslot a"], Proxy(DISABLED)),
    ("command", &["command count"], ProxyBegins(":")),
    ("command", &["command list", "command"], ProxyBegins("")),
    ("command", &["command docs get", "command docs set zadd xread eval", "command docs nope"], Served),
    ("command", &["command docs subscribe", "command docs multi nope"], Proxy("*0\r\n")),
    ("command", &["command getkeys mset a 1 b 2", "command getkeys get", "command getkeysandflags get a"], Served),
    ("config", &["config get databases"], Proxy("*2\r\n$9\r\ndatabases\r\n$1\r\n1\r\n")),
    ("config", &["config get maxmemory", "config get save maxmemory", "config get nope*", "config get"], Served),
    ("config", &["config set maxmemory 0", "config resetstat", "config rewrite"], Refused),
    ("copy", &["copy s s2", "copy s n", "copy s n replace", "copy nope s2", "copy s s", "copy s s2 db 0", "copy s s2 db x", "copy s s2 db"], Served),
    ("copy", &["copy s s2 db 1", "copy s s db 1 replace"], Proxy("-ERR DB index is out of range: Dynomite serves database 0 only\r\n")),
    ("dbsize", &["dbsize", "dbsize x"], Served),
    ("debug", &["debug sleep 0", "debug jmap"], Refused),
    ("decr", &["decr n", "decr s", "decr"], Served),
    ("decrby", &["decrby n 3", "decrby n x", "decrby n 9223372036854775807"], Served),
    ("del", &["del s n nope", "del", "del s s"], Served),
    ("discard", &["discard"], Refused),
    ("dump", &["dump s", "dump z", "dump nope"], Served),
    ("echo", &["echo hello", "echo"], Served),
    ("eval", &["eval return{KEYS[1],ARGV[1]} 1 s x", "eval return(redis.call('get',KEYS[1])) 1 s", "eval return{{1},{2}} 1 s", "eval return(1 1 s", "eval return{redis.call('hgetall',KEYS[1])} 2 h s", "eval redis.setresp(3)return(redis.call('hgetall',KEYS[1])) 1 h", "eval return{double=3.5} 1 s"], Served),
    ("eval", &["eval return(1) 0"], Served),
    ("eval_ro", &["eval_ro return(redis.call('get',KEYS[1])) 1 s", "eval_ro return(redis.call('set',KEYS[1],1)) 1 s"], Served),
    ("evalsha", &["evalsha {sha} 1 s", "evalsha 0123456789012345678901234567890123456789 1 s"], Served),
    ("evalsha", &["evalsha {sha} 0"], Served),
    ("evalsha_ro", &["evalsha_ro {sha} 1 s"], Served),
    ("exec", &["exec"], Refused),
    ("exists", &["exists s", "exists s n nope s", "exists"], Served),
    ("expire", &["expire s 100", "expire s 100 nx", "expire s 100 gt", "expire nope 1", "expire s x", "expire s 1 bad"], Served),
    ("expireat", &["expireat s 4102444800", "expireat s 4102444800 nx", "expireat s 1"], Served),
    ("expiretime", &["expiretime s", "expiretime e", "expiretime nope"], Served),
    ("failover", &["failover", "failover abort"], Refused),
    ("fcall", &["fcall f1 1 s x", "fcall nosuch 1 s", "fcall nosuch x s", "fcall f1 x s", "fcall f1 -1 s", "fcall nosuch 5 s"], Served),
    ("fcall_ro", &["fcall_ro f1 1 s x"], Served),
    ("flushall", &["flushall", "flushall async"], Refused),
    ("flushdb", &["flushdb"], Refused),
    ("function", &["function list", "function list withcode libraryname lib", "function dump", "function delete lib", "function delete nope", "function flush", "function load nonsense", "function stats", "function kill", "function restore x"], Served),
    ("geoadd", &["geoadd g 2.35 48.85 Paris", "geoadd g xx ch 13 38 Palermo", "geoadd g 200 1 bad"], Served),
    ("geodist", &["geodist g Palermo Catania km", "geodist g Palermo nope", "geodist g Palermo Catania"], Served),
    ("geohash", &["geohash g Palermo Catania nope", "geohash g"], Served),
    ("geopos", &["geopos g Palermo Catania", "geopos g Palermo nope", "geopos nope x"], Served),
    ("georadius", &["georadius g 15 37 200 km", "georadius g 15 37 200 km withcoord withdist withhash", "georadius g 15 37 200 km asc count 1", "georadius g 15 37 200 km store gdst", "georadius g 15 37 200 km storedist gdst", "georadius s 15 37 200 km store"], Served),
    ("georadius_ro", &["georadius_ro g 15 37 200 km withcoord", "georadius_ro g 15 37 200 km store x"], Served),
    ("georadiusbymember", &["georadiusbymember g Palermo 200 km withdist", "georadiusbymember g Palermo 200 km store gdst", "georadiusbymember g nope 200 km"], Served),
    ("georadiusbymember_ro", &["georadiusbymember_ro g Palermo 200 km"], Served),
    ("geosearch", &["geosearch g frommember Palermo byradius 200 km asc withcoord withdist", "geosearch g fromlonlat 15 37 bybox 400 400 km desc"], Served),
    ("geosearchstore", &["geosearchstore gdst g frommember Palermo byradius 200 km"], Served),
    ("get", &["get s", "get nope", "get l", "get", "get a b"], Served),
    ("getbit", &["getbit bm 1", "getbit bm 1000", "getbit bm x"], Served),
    ("getdel", &["getdel s", "getdel nope", "getdel l"], Served),
    ("getex", &["getex s ex 100", "getex s persist", "getex s", "getex s bad"], Served),
    ("getrange", &["getrange s 1 3", "getrange s -2 -1", "getrange nope 0 1"], Served),
    ("getset", &["getset s x", "getset nope x", "getset l x"], Served),
    ("hdel", &["hdel h f1 nope", "hdel nope f"], Served),
    ("hello", &["hello 2"], ProxyBegins("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n")),
    ("hello", &["hello 4"], Proxy("-NOPROTO unsupported protocol version\r\n")),
    ("hello", &["hello x"], Proxy("-ERR Protocol version is not an integer or out of range\r\n")),
    ("hello", &["hello 2 bad"], Proxy("-ERR Syntax error in HELLO option 'bad'\r\n")),
    ("hexists", &["hexists h f1", "hexists h nope"], Served),
    ("hget", &["hget h f1", "hget h nope", "hget s f"], Served),
    ("hgetall", &["hgetall h", "hgetall nope", "hgetall s"], Served),
    ("hincrby", &["hincrby h n 5", "hincrby h f1 1"], Served),
    ("hincrbyfloat", &["hincrbyfloat h n 1.5", "hincrbyfloat h f1 1"], Served),
    ("hkeys", &["hkeys h", "hkeys nope"], Served),
    ("hlen", &["hlen h", "hlen s"], Served),
    ("hmget", &["hmget h f1 nope f2", "hmget nope a"], Served),
    ("hmset", &["hmset h a 1 b 2", "hmset h a"], Served),
    ("hrandfield", &["hrandfield h1", "hrandfield h1 3 withvalues", "hrandfield h1 -2 withvalues", "hrandfield nope 2"], Served),
    ("hscan", &["hscan h 0", "hscan h 0 match f1 count 100", "hscan h x"], Served),
    ("hset", &["hset h a 1", "hset h a 1 b 2 f1 3", "hset h a", "hset s a 1"], Served),
    ("hsetnx", &["hsetnx h f1 x", "hsetnx h new x"], Served),
    ("hstrlen", &["hstrlen h f1", "hstrlen h nope"], Served),
    ("hvals", &["hvals h", "hvals nope"], Served),
    ("incr", &["incr n", "incr nope", "incr s"], Served),
    ("incrby", &["incrby n 5", "incrby n x"], Served),
    ("incrbyfloat", &["incrbyfloat n 1.25", "incrbyfloat s 1"], Served),
    ("info", &["info", "info server", "info server clients", "info everything", "info nosuch"], Changing),
    ("json.arrappend", &["json.arrappend k $ 1"], Served),
    ("json.arrinsert", &["json.arrinsert k $ 0 1"], Served),
    ("json.arrlen", &["json.arrlen k $"], Served),
    ("json.del", &["json.del k $", "json.del k"], Served),
    ("json.get", &["json.get k", "json.get k $"], Served),
    ("json.mget", &["json.mget k j $"], Served),
    ("json.objkeys", &["json.objkeys k"], Served),
    ("json.objlen", &["json.objlen k"], Served),
    ("json.set", &["json.set k $ 1"], Served),
    ("json.type", &["json.type k"], Served),
    ("keys", &["keys s", "keys nope*", "keys"], Served),
    ("lastsave", &["lastsave"], Changing),
    ("latency", &["latency latest", "latency history x", "latency nosuch"], Served),
    ("latency", &["latency reset"], Refused),
    ("lcs", &["lcs s bm", "lcs s bm len", "lcs s bm idx withmatchlen", "lcs s l"], Served),
    ("lindex", &["lindex l 0", "lindex l -1", "lindex l 9"], Served),
    ("linsert", &["linsert l before b x", "linsert l after nope x", "linsert l at b x"], Served),
    ("llen", &["llen l", "llen nope", "llen s"], Served),
    ("lmove", &["lmove l l2 left right", "lmove nope l2 left left", "lmove l l right left"], Served),
    ("lmpop", &["lmpop 2 nope l left count 2", "lmpop 1 nope left", "lmpop 0 l left"], Served),
    ("lolwut", &["lolwut"], ProxyBegins("$")),
    ("lpop", &["lpop l", "lpop l 2", "lpop l 0", "lpop nope 1"], Served),
    ("lpos", &["lpos l b", "lpos l b count 0", "lpos l nope", "lpos l b rank -1"], Served),
    ("lpush", &["lpush l x y", "lpush s x", "lpush l"], Served),
    ("lpushx", &["lpushx l a b", "lpushx nope a"], Served),
    ("lrange", &["lrange l 0 -1", "lrange l 5 9", "lrange l a b"], Served),
    ("lrem", &["lrem l 0 a", "lrem l -1 nope"], Served),
    ("lset", &["lset l 0 x", "lset l 9 x", "lset nope 0 x"], Served),
    ("ltrim", &["ltrim l 1 -1"], Served),
    ("memory", &["memory usage s", "memory usage l samples 0", "memory usage nope", "memory nosuch"], Served),
    ("memory", &["memory stats", "memory doctor"], Changing),
    ("memory", &["memory purge"], Refused),
    ("mget", &["mget s", "mget s nope n l s", "mget"], Served),
    ("migrate", &["migrate 127.0.0.1 1 s 0 1"], Refused),
    ("module", &["module list", "module load x"], Refused),
    ("monitor", &["monitor"], Refused),
    ("move", &["move s 1"], Refused),
    ("mset", &["mset a 1 b 2 a 3", "mset a", "mset a 1 b"], Served),
    ("msetnx", &["msetnx a 1 b 2", "msetnx a 1 s 2", "msetnx a 1 b"], Served),
    ("multi", &["multi"], Refused),
    ("object", &["object encoding s", "object encoding n", "object refcount n", "object freq s", "object encoding nope", "object nosuch s"], Served),
    ("object", &["object idletime s"], Changing),
    ("persist", &["persist e", "persist s"], Served),
    ("pexpire", &["pexpire s 100000", "pexpire s 100000 xx", "pexpire nope 1"], Served),
    ("pexpireat", &["pexpireat s 4102444800000", "pexpireat s 4102444800000 lt"], Served),
    ("pexpiretime", &["pexpiretime e", "pexpiretime s"], Served),
    ("pfadd", &["pfadd p new", "pfadd p a", "pfadd nope", "pfadd s x"], Served),
    ("pfcount", &["pfcount p", "pfcount p p2 nope", "pfcount s"], Served),
    ("pfdebug", &["pfdebug encoding p"], Refused),
    ("pfmerge", &["pfmerge d p p2", "pfmerge d", "pfmerge d s"], Served),
    ("pfselftest", &["pfselftest"], Refused),
    ("ping", &["ping", "ping hello", "ping a b"], Served),
    ("psetex", &["psetex s 100000 v", "psetex s 0 v"], Served),
    ("psubscribe", &["psubscribe *"], Refused),
    ("psync", &["psync ? -1"], Refused),
    ("pttl", &["pttl s", "pttl nope"], Served),
    ("publish", &["publish c m"], Refused),
    ("pubsub", &["pubsub channels", "pubsub numpat"], Refused),
    ("punsubscribe", &["punsubscribe", "punsubscribe a*"], Served),
    ("quit", &["quit", "quit now"], Closes("+OK\r\n")),
    ("randomkey", &["randomkey"], Changing),
    ("readonly", &["readonly"], Proxy(DISABLED)),
    ("readwrite", &["readwrite"], Proxy(DISABLED)),
    ("rename", &["rename s s2", "rename nope s2", "rename s s"], Served),
    ("renamenx", &["renamenx s n", "renamenx s new", "renamenx nope x"], Served),
    ("replconf", &["replconf listening-port 1"], Refused),
    ("replicaof", &["replicaof no one"], Refused),
    ("reset", &["reset"], Proxy("+RESET\r\n")),
    ("restore", &["restore new 0 {payload}", "restore s 0 {payload}", "restore s 0 {payload} replace", "restore new 0 {payload} idletime 5", "restore new 0 junk"], Served),
    ("restore-asking", &["restore-asking new 0 {payload}"], Refused),
    ("role", &["role"], Served),
    ("rpop", &["rpop l", "rpop l 2", "rpop nope"], Served),
    ("rpoplpush", &["rpoplpush l l2", "rpoplpush nope l2", "rpoplpush l s"], Served),
    ("rpush", &["rpush l x y", "rpush s x"], Served),
    ("rpushx", &["rpushx l x y", "rpushx nope x"], Served),
    ("sadd", &["sadd st 9 1", "sadd s x"], Served),
    ("save", &["save"], Refused),
    ("scan", &["scan 0 match s count 1000", "scan 0 type stream count 1000", "scan x", "scan 0 match nope count 1000"], Served),
    ("scard", &["scard st", "scard nope"], Served),
    ("script", &["script load return(2)", "script exists {sha} 0123456789012345678901234567890123456789", "script flush", "script flush async", "script kill", "script load }{", "script nosuch"], Served),
    ("script", &["script debug no"], Refused),
    ("sdiff", &["sdiff st st2", "sdiff nope st", "sdiff st s"], Served),
    ("sdiffstore", &["sdiffstore d st st2"], Served),
    ("select", &["select 0"], Proxy("+OK\r\n")),
    ("select", &["select 1", "select -1", "select 99"], Closes("-ERR DB index is out of range: Dynomite serves database 0 only\r\n")),
    ("set", &["set s x", "set s x nx", "set new x nx get", "set s x get", "set s x xx ex 100", "set s x keepttl", "set s x bad", "set l x", "set l x get", "set s"], Served),
    ("setbit", &["setbit bm 7 1", "setbit bm x 1"], Served),
    ("setex", &["setex s 100 v", "setex s 0 v"], Served),
    ("setnx", &["setnx s v", "setnx new v"], Served),
    ("setrange", &["setrange s 3 XX", "setrange new 3 XX", "setrange s -1 x"], Served),
    ("shutdown", &["shutdown nosave", "shutdown abort"], Refused),
    ("sinter", &["sinter st st2", "sinter st nope", "sinter st s"], Served),
    ("sintercard", &["sintercard 2 st st2", "sintercard 2 st st2 limit 1", "sintercard 0 st"], Served),
    ("sinterstore", &["sinterstore d st st2"], Served),
    ("sismember", &["sismember st 1", "sismember st x"], Served),
    ("slaveof", &["slaveof no one", "slaveof 127.0.0.1 1"], Refused),
    ("slowlog", &["slowlog len", "slowlog get", "slowlog nosuch"], Served),
    ("slowlog", &["slowlog reset"], Refused),
    ("smembers", &["smembers st", "smembers words", "smembers nope"], Served),
    ("smismember", &["smismember st 1 9 2"], Served),
    ("smove", &["smove st st2 1", "smove st st2 9", "smove st s 1"], Served),
    ("sort", &["sort st desc", "sort words alpha limit 0 2", "sort st by w_* get # get w_*", "sort st store d", "sort s", "sort s store"], Served),
    ("sort_ro", &["sort_ro st desc", "sort_ro st store d"], Served),
    ("spop", &["spop one", "spop one 5", "spop nope", "spop nope 2"], Served),
    ("spublish", &["spublish c m"], Refused),
    ("srandmember", &["srandmember one", "srandmember one 3", "srandmember one -3", "srandmember nope"], Served),
    ("srem", &["srem st 1 9", "srem s x"], Served),
    ("sscan", &["sscan st 0", "sscan st 0 match 1"], Served),
    ("ssubscribe", &["ssubscribe c"], Refused),
    ("strlen", &["strlen s", "strlen nope", "strlen l"], Served),
    ("subscribe", &["subscribe c"], Refused),
    ("substr", &["substr s 0 1"], Served),
    ("sunion", &["sunion st st2", "sunion nope", "sunion words st"], Served),
    ("sunionstore", &["sunionstore d st st2"], Served),
    ("sunsubscribe", &["sunsubscribe"], Served),
    ("swapdb", &["swapdb 0 1"], Refused),
    ("sync", &["sync"], Refused),
    ("time", &["time"], Changing),
    ("touch", &["touch s", "touch s n nope"], Served),
    ("ttl", &["ttl s", "ttl nope"], Served),
    ("type", &["type s", "type z", "type x", "type nope"], Served),
    ("unlink", &["unlink s", "unlink s n nope"], Served),
    ("unsubscribe", &["unsubscribe", "unsubscribe a"], Served),
    ("unwatch", &["unwatch"], Served),
    ("wait", &["wait 0 0", "wait 1 0"], Proxy(":0\r\n")),
    ("watch", &["watch s"], Refused),
    ("xack", &["xack x grp 1-1", "xack x nope 1-1"], Served),
    ("xadd", &["xadd x 9-9 f v", "xadd x 1-1 f v", "xadd x maxlen 1 9-9 f v", "xadd nope nomkstream 1-1 f v", "xadd x 9-9 f"], Served),
    ("xautoclaim", &["xautoclaim x grp c2 0 0 justid", "xautoclaim x nope c2 0 0"], Served),
    ("xclaim", &["xclaim x grp c2 0 1-1", "xclaim x grp c2 0 1-1 justid", "xclaim x nope c 0 1-1"], Served),
    ("xdel", &["xdel x 1-1 9-9"], Served),
    ("xgroup", &["xgroup create x new 0", "xgroup create nope new $ mkstream", "xgroup create x grp 0", "xgroup createconsumer x grp me", "xgroup delconsumer x grp c1", "xgroup setid x grp 0", "xgroup destroy x grp", "xgroup nosuch x"], Served),
    ("xinfo", &["xinfo stream x", "xinfo groups x", "xinfo stream nope", "xinfo nosuch x"], Served),
    ("xinfo", &["xinfo consumers x grp"], Changing),
    ("xlen", &["xlen x", "xlen nope"], Served),
    ("xpending", &["xpending x grp", "xpending x nope"], Served),
    ("xpending", &["xpending x grp - + 10"], Changing),
    ("xrange", &["xrange x - +", "xrange x - + count 1", "xrange x (1-1 +"], Served),
    ("xread", &["xread streams x 0", "xread count 1 streams x y 0 0", "xread streams x 99", "xread streams x y 0", "xread count x streams x 0"], Served),
    ("xread", &["xread block 0 streams x $", "xread count 1 block 10 streams x $"], Refused),
    ("xreadgroup", &["xreadgroup group grp c3 streams x >", "xreadgroup group grp c1 streams x 0", "xreadgroup group nope c streams x >"], Served),
    ("xreadgroup", &["xreadgroup group grp c block 10 streams x >"], Refused),
    ("xrevrange", &["xrevrange x + - count 1"], Served),
    ("xsetid", &["xsetid x 50-1", "xsetid x 1-1", "xsetid nope 1-1"], Served),
    ("xtrim", &["xtrim x maxlen 1", "xtrim x minid 2"], Served),
    ("zadd", &["zadd z 1 new", "zadd z nx 5 a", "zadd z incr 2.5 a", "zadd z xx ch 9 a 1 q", "zadd z 1", "zadd s 1 a"], Served),
    ("zcard", &["zcard z"], Served),
    ("zcount", &["zcount z 1 2", "zcount z (1 +inf"], Served),
    ("zdiff", &["zdiff 2 z z2", "zdiff 2 z z2 withscores", "zdiff 0 z", "zdiff 9 z"], Served),
    ("zdiffstore", &["zdiffstore d 2 z z2"], Served),
    ("zincrby", &["zincrby z 1.5 a", "zincrby z x a"], Served),
    ("zinter", &["zinter 2 z z2 withscores", "zinter 2 z z2 weights 2 3 aggregate max"], Served),
    ("zintercard", &["zintercard 2 z z2", "zintercard 2 z z2 limit 1"], Served),
    ("zinterstore", &["zinterstore d 2 z z2"], Served),
    ("zlexcount", &["zlexcount z - +"], Served),
    ("zmpop", &["zmpop 2 nope z min count 2", "zmpop 1 nope max"], Served),
    ("zmscore", &["zmscore z a nope"], Served),
    ("zpopmax", &["zpopmax z", "zpopmax z 2", "zpopmax nope"], Served),
    ("zpopmin", &["zpopmin z", "zpopmin z 2", "zpopmin nope"], Served),
    ("zrandmember", &["zrandmember one_z", "zrandmember one_z 3 withscores", "zrandmember nope"], Served),
    ("zrange", &["zrange z 0 -1", "zrange z 0 -1 withscores", "zrange z 1 3 byscore limit 0 1", "zrange z - + bylex rev", "zrange z a b"], Served),
    ("zrangebylex", &["zrangebylex z - +", "zrangebylex z x y"], Served),
    ("zrangebyscore", &["zrangebyscore z -inf +inf withscores", "zrangebyscore z (1 3 limit 0 1"], Served),
    ("zrangestore", &["zrangestore d z 0 1"], Served),
    ("zrank", &["zrank z b", "zrank z nope"], Served),
    ("zrem", &["zrem z a nope"], Served),
    ("zremrangebylex", &["zremrangebylex z - +"], Served),
    ("zremrangebyrank", &["zremrangebyrank z 0 1"], Served),
    ("zremrangebyscore", &["zremrangebyscore z 1 2"], Served),
    ("zrevrange", &["zrevrange z 0 -1 withscores"], Served),
    ("zrevrangebylex", &["zrevrangebylex z + -"], Served),
    ("zrevrangebyscore", &["zrevrangebyscore z +inf -inf withscores"], Served),
    ("zrevrank", &["zrevrank z a"], Served),
    ("zscan", &["zscan z 0"], Served),
    ("zscore", &["zscore z a", "zscore z nope", "zscore s a"], Served),
    ("zunion", &["zunion 2 z z2 withscores", "zunion 2 z z2"], Served),
    ("zunionstore", &["zunionstore d 2 z z2 weights 1 2"], Served),
];

/// A script's types of RESP3 do not pass the proxy, which speaks RESP2 to Redis: they arrive as
/// Redis gives them to a RESP2 client.
const ONLY_RESP2: &[&str] = &[
    "eval redis.setresp(3)return(redis.call('hgetall',KEYS[1])) 1 h",
    "eval return{double=3.5} 1 s",
];

/// What the requests find.
const DATA: &[&str] = &[
    "flushall",
    "script flush",
    "function flush",
    "config resetstat",
    "slowlog reset",
    "set s hello",
    "set n 10",
    "set bm foobar",
    "set e v pxat 4102444800000",
    "set w_1 c",
    "set w_2 b",
    "rpush l a b c",
    "hset h f1 v1 f2 v2 n 7",
    "hset h1 only one",
    "sadd st 1 2 3",
    "sadd st2 2 3 4",
    "sadd words delta alpha charlie",
    "sadd one m",
    "zadd z 1 a 2 b 3 c",
    "zadd z2 2 b 9.5 x",
    "zadd one_z 1.5 m",
    "geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    "xadd x 1-1 f v",
    "xadd x 2-1 f v g w",
    "xadd y 3-1 f v",
    "xgroup create x grp 0",
    "xreadgroup group grp c1 count 1 streams x >",
    "pfadd p a b",
    "pfadd p2 c",
    "script load return(redis.call('get',KEYS[1]))",
];

const LIBRARY: &[u8] = b"#!lua name=lib\n\
    redis.register_function{function_name='f1',callback=function(k,a) return {k[1],a[1]} end,flags={'no-writes'}}";

struct Bench {
    _node: Node,
    direct: Client,
    ours: Client,
    sha: Vec<u8>,
    payload: Vec<u8>,
    data: Vec<u8>,
}

fn payload_of(bulk: &[u8]) -> Vec<u8> {
    let start = bulk.iter().position(|&b| b == b'\n').expect("a bulk") + 1;
    bulk[start..bulk.len() - 2].to_vec()
}

impl Bench {
    fn new(redis: &Redis, resp3: bool) -> Bench {
        let node = Setup::before(redis).start();
        let (mut direct, mut ours) = (redis.client(), node.client());
        if resp3 {
            direct.ask("hello 3");
            ours.ask("hello 3");
        }
        let sha = payload_of(&direct.ask("script load return(redis.call('get',KEYS[1]))"));
        direct.ask("set s hello");
        let payload = payload_of(&direct.ask("dump s"));
        let mut data: Vec<u8> = DATA.iter().flat_map(|line| words(line)).collect();
        data.extend(command(&[b"function", b"load", LIBRARY]));
        Bench {
            _node: node,
            direct,
            ours,
            sha,
            payload,
            data,
        }
    }

    fn prepare(&mut self) {
        self.direct.send(&self.data);
        for _ in 0..=DATA.len() {
            let reply = self.direct.reply();
            assert_ne!(reply[0], b'-', "{}", shown(&reply));
        }
    }

    fn request(&self, line: &str) -> Vec<u8> {
        let args: Vec<&[u8]> = line
            .split(' ')
            .map(|word| match word {
                "{sha}" => &self.sha,
                "{payload}" => &self.payload,
                word => word.as_bytes(),
            })
            .collect();
        command(&args)
    }

    /// What is wrong with this request's answer, if anything.
    fn check(&mut self, line: &str, answer: &Answer, resp3: bool) -> Option<String> {
        let request = self.request(line);
        self.prepare();
        self.ours.send(&request);
        let ours = self.ours.reply();
        let mut wanted = String::new();
        let right = match answer {
            Served | Changing => {
                self.prepare();
                self.direct.send(&request);
                let theirs = self.direct.reply();
                wanted = shown(&theirs);
                match answer {
                    Served => ours == theirs,
                    _ => without_numbers(&ours) == without_numbers(&theirs),
                }
            }
            // Texts are those of RESP2.
            Proxy(text) if !resp3 || matches!(text.as_bytes()[0], b'+' | b'-' | b':') => {
                wanted = (*text).to_owned();
                ours == text.as_bytes()
            }
            ProxyBegins(text) if !resp3 => ours.starts_with(text.as_bytes()),
            Refused => {
                wanted = "an error with \"unknown\"".to_owned();
                ours.starts_with(b"-") && String::from_utf8_lossy(&ours).contains("unknown")
            }
            _ => true,
        };
        (!right).then(|| format!("{line}: {}, not {wanted}", shown(&ours)))
    }
}

/// The reply's shape: no digits, and of a report only the names in it.
fn without_numbers(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let names: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with("db0:") && !line.starts_with("cmdstat_"))
        .map(|line| {
            let name = line.split(':').next().unwrap_or_default();
            name.chars().filter(|c| !c.is_ascii_digit()).collect()
        })
        .collect();
    match names.len() {
        // The key that was drawn.
        2 => names[0].clone(),
        _ => names.join("\n"),
    }
}

fn run(resp3: bool) {
    let redis = Redis::start();
    let mut bench = Bench::new(&redis, resp3);
    let mut wrong = Vec::new();
    for (name, lines, answer) in ROWS {
        for line in *lines {
            assert!(line.starts_with(name), "{name}: {line}");
            if let Closes(text) = answer {
                let mut client = bench._node.client();
                client.send(&words(line));
                assert_eq!(
                    shown(&client.until_closed()),
                    shown(text.as_bytes()),
                    "{line}"
                );
                continue;
            }
            if resp3 && (matches!(*name, "hello" | "reset") || ONLY_RESP2.contains(line)) {
                continue;
            }
            wrong.extend(bench.check(line, answer, resp3));
            if *line == "multi" {
                // Nothing is run before the transaction ends, though it never began.
                bench.ours.ask("discard");
            }
            bench.ours.expect_open();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_has_its_answer() {
    if !Redis::is_reference() {
        return;
    }
    run(false);
}

#[test]
fn every_command_has_its_answer_in_resp3() {
    if !Redis::is_reference() {
        return;
    }
    run(true);
}

/// Rows for newer commands do no harm before an older Redis: it says itself that it does not know them.
#[test]
fn what_the_datastore_does_not_know_it_says_itself() {
    if !Redis::is_reference() {
        return;
    }
    use dynomite::proto::redis::command::{Serve, commands};
    let redis = Redis::start();
    let bench = Bench::new(&redis, false);
    let (mut direct, mut ours) = (bench.direct, bench.ours);
    let known: BTreeSet<&str> = ROWS.iter().map(|row| row.0).collect();
    let mut asked = 0;
    for command in commands() {
        let by_key = matches!(command.serve, Serve::Keyed | Serve::SameNode);
        if !by_key || known.contains(command.name) {
            continue;
        }
        let argc = usize::from(command.arity.unsigned_abs()).max(3);
        let argc = if command.accepts(argc) { argc } else { 2 };
        // A count, a key or a number.
        let line = command.name.to_owned() + &" 1".repeat(argc - 1);
        let reply = direct.ask(&line);
        assert!(reply.starts_with(b"-ERR unknown command"), "{line}");
        assert_eq!(shown(&ours.ask(&line)), shown(&reply), "{line}");
        asked += 1;
    }
    assert!(asked > 80, "{asked}");
}

#[test]
fn no_command_is_missing() {
    if !Redis::is_reference() {
        return;
    }
    let redis = Redis::start();
    let list = redis.client().ask("command list");
    let text = String::from_utf8(list).expect("names are text");
    let theirs: BTreeSet<&str> = text
        .lines()
        .skip(2)
        .step_by(2)
        .filter(|name| !name.contains('|'))
        .collect();
    assert_eq!(theirs.len(), 240);
    let ours: BTreeSet<&str> = ROWS.iter().map(|row| row.0).collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let json: Vec<_> = ours.difference(&theirs).collect();
    assert!(
        json.iter().all(|name| name.starts_with("json.")),
        "{json:?}"
    );
    assert_eq!(json.len(), 10);
}
