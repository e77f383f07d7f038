//! Rewritten requests have the replies and the effect of the original ones.

use super::{Server, shown, words};
use crate::proto::redis::lookup::resolve;
use crate::proto::redis::rewrite::absolute;
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn an_absolute_time_is_answered_like_the_relative_one() {
    let server = Server::start();
    let mut client = server.connect();
    client.ask(&words("set k v"));
    let dumped = client.ask(&words("dump k"));
    let start = dumped
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("a bulk")
        + 1;
    let payload = &dumped[start..dumped.len() - 2];
    let mut rewritten = 0;
    for before in ["ping", "set k old", "setex k 5000 old", "rpush k old"] {
        for line in [
            "expire k 1000",
            "expire k 10 gt",
            "expire k 10 lt",
            "expire k 10 nx",
            "expire k 10 xx",
            "expire k 10 nx xx",
            "expire k 10 bogus",
            "expire k -1",
            "expire k x",
            "expire k 9223372036854775807",
            "pexpire k 100000",
            "pexpire k -9223372036854775808",
            "setex k 1000 v",
            "setex k 0 v",
            "setex k x v",
            "psetex k 1000000 v",
            "psetex k -1 v",
            "set k v ex 1000",
            "set k v px 1000000 nx",
            "set k v xx get ex 1000",
            "set k v ex 1000 keepttl",
            "set k v ex 9223372036854775",
            "set k v ex",
            "getex k ex 1000",
            "getex k px 0",
            "getex k ex 1000 persist",
            "restore k 100000 {payload}",
            "restore k 100000 {payload} replace",
            "restore k 100000 {payload} replace absttl",
            "restore k 100000 {payload} replace idletime 5",
            "restore k 100000 {payload} replace idletime",
            "restore k 100000 {payload} bogus",
            "restore k 0 {payload} replace",
            "restore k -1 {payload} replace",
            "restore k x {payload} replace",
            "restore k 9223372036854775807 {payload} replace",
        ] {
            let mut args = words(line);
            for arg in args.iter_mut().filter(|arg| *arg == b"{payload}") {
                *arg = payload;
            }
            let command = resolve(&args, &mut Vec::new()).expect("a command");
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("a clock");
            let other = absolute(command, &args, now.as_millis() as u64);
            rewritten += usize::from(other.is_some());
            let words_of_other = other.map(|other| other.words()).unwrap_or_default();
            let other: Vec<&[u8]> = match words_of_other.is_empty() {
                true => args.clone(),
                false => words_of_other.iter().map(|word| &**word).collect(),
            };
            let [plain, moved] = [&args, &other].map(|request| {
                client.ask(&words("flushall"));
                client.ask(&words(before));
                let reply = client.ask(request);
                let has_time = client.ask(&words("pttl k")).len() > ":-1\r\n".len();
                (shown(&reply), client.ask(&words("exists k")), has_time)
            });
            assert_eq!(plain, moved, "{before}; {line}");
        }
    }
    assert!(rewritten >= 4 * 15, "{rewritten}");
}
