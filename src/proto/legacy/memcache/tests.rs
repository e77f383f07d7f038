use super::*;
use crate::proto::memcache::against_memcached::{self, call};

const NOW: u64 = 1_700_000_000;

#[derive(Debug, PartialEq)]
enum Shown {
    Plain,
    As(String),
    No(Refusal),
}

fn shown(text: &str) -> Shown {
    let mut words = Vec::new();
    match form(&call(text), NOW, &mut words) {
        Form::Plain => Shown::Plain,
        Form::Translated { calls, answer } => {
            let lines = calls.iter().enumerate().map(|(place, call)| {
                let mark = if place == answer { "" } else { "# " };
                format!("{mark}{}", against_memcached::shown(call))
            });
            Shown::As(lines.collect::<Vec<_>>().join("; "))
        }
        Form::Refused(why) => Shown::No(why),
    }
}

#[test]
fn classic_commands_pass_as_they_stand() {
    let longest = format!("get {}", "k".repeat(250));
    for text in [
        "get a",
        "get a b c",
        "gets a",
        &longest,
        "set a 1 0 5",
        "add a 1 2592001 5",
        "replace a 1 100 5",
        "append a 0 0 5",
        "prepend a 0 0 5",
        "cas a 0 0 5 77",
        "delete a",
        "incr a 5",
        "decr a 5",
        "touch a 0",
        "get a\u{e9}b",
    ] {
        assert_eq!(shown(text), Shown::Plain, "{text}");
    }
}

#[test]
fn what_classic_commands_can_say_is_translated() {
    for (text, expected) in [
        ("gat 100 a", "# touch a 100; get a"),
        ("gats 0 a b", "# touch a 0; # touch b 0; gets a b"),
        (
            "gat -1 a b",
            "get a b; # touch a 2592001; # touch b 2592001",
        ),
        ("gat 1600000000 a", "get a; # touch a 1600000000"),
        ("gat 1800000000 a", "# touch a 1800000000; get a"),
        ("set a 1 -1 5", "set a 1 2592001 5"),
        ("append a 1 -1 5", "append a 1 0 5"),
        ("touch a -1", "touch a 2592001"),
        ("mg a", "get a"),
        ("mg a v c", "gets a"),
        ("mg YQ== b v k", "get a"),
        ("mg a T100", "# touch a 100; get a"),
        ("mg a T-5 v", "get a; # touch a 2592001"),
        ("ms a 5", "set a 0 0 5"),
        ("ms a 5 F7 T100 ME k", "add a 7 100 5"),
        ("ms a 5 T-1 MS", "set a 0 2592001 5"),
        ("ms a 5 MA", "append a 0 0 5"),
        ("ms YQ== 5 MP b", "prepend a 0 0 5"),
        ("ms a 5 MR", "replace a 0 0 5"),
        ("ms a 5 C9", "cas a 0 0 5 9"),
        ("ms a 5 C9 MR", "cas a 0 0 5 9"),
        ("ms a 5 C9 ME", "add a 0 0 5"),
        ("ms a 5 I", "set a 0 0 5"),
        ("md a O5 k", "delete a"),
        ("ma a", "incr a 1"),
        ("ma a M+ D5 v", "incr a 5"),
        ("ma a MD D5", "decr a 5"),
        // No version is told that could ever match.
        ("ms a 5 c", "set a 0 0 5"),
        ("ma a c v", "incr a 1"),
        // A stale item.
        ("ms a 5 C1 I T7", "delete a"),
    ] {
        assert_eq!(shown(text), Shown::As(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_they_cannot_say_is_refused() {
    for text in [
        "mg a t",
        "mg a h",
        "mg a l",
        "mg a N5",
        "mg a R5",
        "ms a 5 C9 I",
        "ms a 5 C9 MA",
        "md a C5",
        "md a I",
        "md a I T5",
        "ma a C5",
        "ma a N5",
        "ma a t",
        "ma a T5",
        "version",
        "stats",
        "flush_all",
        "flush_all 5",
    ] {
        assert_eq!(shown(text), Shown::No(Refusal::Command), "{text}");
    }
    for text in [
        "get a\u{1}b",
        "set a\u{1} 0 0 1",
        "delete a\u{7f}",
        "gat 0 a a\tb",
        "mg a\u{3} v",
        "mg YWEg b",
    ] {
        assert_eq!(shown(text), Shown::No(Refusal::Key), "{text}");
    }
    for refusal in [Refusal::Command, Refusal::Key] {
        let line = refusal.line();
        assert!(line.starts_with("SERVER_ERROR Dynomite: ") && line.ends_with("\r\n"));
    }
}

fn answered(text: &str, classic: &str) -> Result<String, &'static str> {
    let pool = Pool::new(64, 1 << 20);
    let mut chain = Chain::new();
    pool.copy(classic.as_bytes(), &mut chain);
    let reply = reply(&call(text), &chain, &pool)?;
    Ok(String::from_utf8(reply.to_vec()).unwrap())
}

#[test]
fn replies_are_turned_back() {
    let value = "VALUE a 7 3 99\r\nabc\r\nEND\r\n";
    for (text, classic, expected) in [
        ("mg a", value, "HD\r\n"),
        ("mg a v", value, "VA 3\r\nabc\r\n"),
        (
            "mg a s v Ox f k c",
            value,
            "VA 3 s3 Ox f7 ka c99\r\nabc\r\n",
        ),
        ("mg YQ== b f k", value, "HD f7 kYQ== b\r\n"),
        ("mg a s v Ox f k c", "END\r\n", "EN Ox ka\r\n"),
        ("ms a 5 k O1", "STORED\r\n", "HD ka O1\r\n"),
        ("ms a 5", "NOT_STORED\r\n", "NS\r\n"),
        ("ms a 5 C1 O2", "EXISTS\r\n", "EX O2\r\n"),
        ("ms a 5 C1 k", "NOT_FOUND\r\n", "NF ka\r\n"),
        ("md a", "DELETED\r\n", "HD\r\n"),
        ("md a k", "NOT_FOUND\r\n", "NF ka\r\n"),
        ("ma a", "12\r\n", "HD\r\n"),
        ("ma a v k", "12\r\n", "VA 2 ka\r\n12\r\n"),
        ("ma a v O1", "NOT_FOUND\r\n", "NF O1\r\n"),
        ("ms a 5 c", "STORED\r\n", "HD c18446744073709551615\r\n"),
        ("ms a 5 c MR", "NOT_STORED\r\n", "NS c0\r\n"),
        ("ma a v c", "12\r\n", "VA 2 c18446744073709551615\r\n12\r\n"),
        ("ma a v c", "NOT_FOUND\r\n", "NF\r\n"),
        ("ms a 5 C1 I O2", "DELETED\r\n", "HD O2\r\n"),
        ("ms a 5 C1 I", "NOT_FOUND\r\n", "NF\r\n"),
        ("ma a v", "CLIENT_ERROR no\r\n", "CLIENT_ERROR no\r\n"),
        (
            "mg a v",
            "SERVER_ERROR Peer: x\r\n",
            "SERVER_ERROR Peer: x\r\n",
        ),
        ("gat 5 a", value, value),
    ] {
        assert_eq!(answered(text, classic).as_deref(), Ok(expected), "{text}");
    }
    for (text, classic) in [
        ("mg a", "STORED\r\n"),
        ("mg a v", "VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n"),
        ("ms a 5", "DELETED\r\n"),
        ("ms a 5", "END\r\n"),
        ("md a", "STORED\r\n"),
        ("ma a v", "STORED\r\n"),
        ("ma a", "\r\n"),
    ] {
        assert!(answered(text, classic).is_err(), "{text}: {classic}");
    }
}

#[test]
fn a_time_without_a_sign_is_of_the_same_meaning() {
    for (text, expected) in [
        ("set k 1 -1 5", Some("set k 1 2592001 5")),
        ("cas k 1 -9 5 77", Some("cas k 1 2592001 5 77")),
        ("append k 1 -1 5", Some("append k 1 0 5")),
        ("touch k -1", Some("touch k 2592001")),
        ("set k 1 10 5", None),
        ("append k 1 10 5", None),
        ("touch k 2592001", None),
        ("get k", None),
    ] {
        let found = unsigned(&call(text)).map(|call| against_memcached::shown(&call));
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}
