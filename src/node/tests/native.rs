use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency;
use crate::node::Options;
use crate::proto::dnode;

const ALONE: [&str; 1] = ["a d r1 0"];
const EVAL: &str = "EVAL s 1 k";
const IN_RESP3: [&str; 3] = ["HELLO 3", EVAL, "HELLO 2"];
const MAP: &str = "%1\r\n+double\r\n,3.5\r\n";
const HELLO3: &str = "%1\r\n$5\r\nproto\r\n:3\r\n";
const HELLO2: &str = "*2\r\n$5\r\nproto\r\n:2\r\n";
const NONE: [&str; 0] = [];

/// A client that speaks RESP3, and whose `HELLO` is answered.
fn modern(rig: &mut Rig) -> super::ConnId {
    let client = rig.client();
    rig.asks(client, &["HELLO 3"]);
    if !rig.kinds(ME).is_empty() {
        assert_eq!(rig.sees(ME), ["INFO server"]);
        rig.says(ME, "$21\r\nredis_version:7.4.1\r\n\r\n");
    }
    let hello = rig.hears(client);
    assert!(
        hello.contains("$7\r\nversion\r\n$5\r\n7.4.1\r\n"),
        "{hello}"
    );
    client
}

/// What a script returned was a flat list of texts for a RESP3 client.
#[test]
fn a_script_of_a_resp3_client_is_answered_as_the_datastore_does_it_in_resp3() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let [client, old] = [modern(&mut rig), rig.client()];
    for (reply, expected) in [
        (MAP, MAP),
        (",inf\r\n", ",inf\r\n"),
        ("#t\r\n", "#t\r\n"),
        ("_\r\n", "_\r\n"),
        (
            "(123456789012345678901234567890\r\n",
            "(123456789012345678901234567890\r\n",
        ),
        ("=5\r\ntxt:a\r\n", "=5\r\ntxt:a\r\n"),
        ("~2\r\n:1\r\n*1\r\n%0\r\n", "~2\r\n:1\r\n*1\r\n%0\r\n"),
        ("-ERR no\r\n", "-ERR no\r\n"),
    ] {
        rig.asks(client, &[EVAL, "GET k"]);
        rig.asks(old, &["GET o", EVAL]);
        // In one piece, and nothing of another's in between.
        let sent = [&IN_RESP3[..], &["GET k", "GET o", EVAL]].concat();
        assert_eq!(rig.sees(ME), sent);
        for reply in [HELLO3, reply, HELLO2, "$-1\r\n", "$-1\r\n", "*1\r\n$-1\r\n"] {
            rig.says(ME, reply);
        }
        assert_eq!(rig.hears(client), format!("{expected}_\r\n"));
        assert_eq!(rig.hears(old), "$-1\r\n*1\r\n$-1\r\n");
    }
    rig.assert_at_rest();
}

#[test]
fn a_datastore_without_resp3_is_understood() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = modern(&mut rig);
    rig.asks(client, &[EVAL, "GET k"]);
    let unknown = "-ERR unknown command `HELLO`\r\n";
    for reply in [unknown, "*2\r\n:1\r\n$-1\r\n", unknown, "$1\r\nv\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(rig.hears(client), "*2\r\n:1\r\n_\r\n$1\r\nv\r\n");
    rig.assert_at_rest();
}

#[test]
fn a_connection_that_goes_on_in_resp3_is_closed() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = modern(&mut rig);
    rig.asks(client, &[EVAL, "GET k"]);
    for reply in [HELLO3, ":1\r\n", "-NOPERM no\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(
        rig.hears(client),
        ":1\r\n-ERR Storage: Datastore refused connection\r\n"
    );
    rig.assert_at_rest();
}

#[test]
fn resp3_that_nobody_asked_for_closes_the_connection() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.says(ME, "#t\r\n");
    assert_eq!(
        rig.hears(client),
        "-ERR Storage: Datastore refused connection\r\n"
    );
}

/// A C node is asked as ever, byte for byte, and what it answers is compared with what ours do.
#[test]
fn peers_of_ours_are_asked_for_resp3_and_c_nodes_are_not() {
    for level in [Consistency::DcOne, Consistency::DcSafeQuorum] {
        let options = Options {
            write_consistency: level,
            ..Options::default()
        };
        let mut rig = Rig::beside(&THREE_RACKS, &[2], options);
        let client = modern(&mut rig);
        rig.asks(client, &[EVAL]);
        assert_eq!(rig.sees(ME), IN_RESP3);
        assert_eq!(rig.sees(1), [format!("in RESP3: {EVAL}")]);
        assert_eq!(rig.sees(2), [EVAL]);
        rig.says_as(
            2,
            dnode::VERSION_ORIGINAL,
            "*2\r\n$6\r\ndouble\r\n$3\r\n3.5\r\n",
        );
        rig.says(1, "%1\r\n$6\r\ndouble\r\n,3.5\r\n");
        for reply in [HELLO3, "%1\r\n$6\r\ndouble\r\n,3.5\r\n", HELLO2] {
            rig.says(ME, reply);
        }
        let heard = rig.hears(client);
        match level {
            Consistency::DcOne => assert_eq!(heard, "%1\r\n$6\r\ndouble\r\n,3.5\r\n"),
            // The earliest of those that agree.
            _ => assert_eq!(heard, "*2\r\n$6\r\ndouble\r\n$3\r\n3.5\r\n"),
        }
        rig.assert_at_rest();
    }
}

/// `EVAL … 0` was refused although every rack is one node.
#[test]
fn a_script_without_keys_runs_where_every_rack_is_one_node() {
    let mut rig = Rig::beside(&THREE_RACKS, &[2], Options::default());
    let client = rig.client();
    for (line, to_c) in [
        ("EVAL s 0", "EVAL s 1 -"),
        ("EVAL s 0 a b", "EVAL s 1 - a b"),
        ("EVALSHA abc 0 a", "EVALSHA abc 1 - a"),
    ] {
        rig.asks(client, &[line]);
        assert_eq!(rig.sees(ME), [line]);
        assert_eq!(rig.sees(1), [line]);
        assert_eq!(rig.sees(2), [to_c]);
        for node in [ME, 1] {
            rig.says(node, "*1\r\n:1\r\n");
        }
        rig.says_as(2, dnode::VERSION_ORIGINAL, "*1\r\n:1\r\n");
        assert_eq!(rig.hears(client), "*1\r\n:1\r\n");
        rig.assert_at_rest();
    }
    let mut rig = Rig::new(&["a d r1 0", "b d r1 2000"], Options::default());
    let client = rig.client();
    for line in ["EVAL s 0", "EVALSHA abc 0", "FCALL f 0", "EVAL_RO s 0"] {
        rig.asks(client, &[line]);
        let heard = rig.hears(client);
        assert!(
            heard.contains("because a rack has several nodes"),
            "{heard}"
        );
    }
    assert_eq!(rig.sees(ME), NONE);
}

/// It was the same for every datastore.
#[test]
fn hello_tells_the_datastores_version() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = rig.client();
    let version = |rig: &mut Rig, info: Option<&str>| {
        rig.asks(client, &["HELLO", "ECHO behind"]);
        if let Some(info) = info {
            assert_eq!(rig.sees(ME), ["INFO server"]);
            assert_eq!(
                rig.hears(client),
                "",
                "it waits, and so does what is behind it"
            );
            rig.says(ME, info);
        }
        assert_eq!(rig.sees(ME), NONE);
        let heard = rig.hears(client);
        assert!(heard.ends_with("$6\r\nbehind\r\n"), "{heard}");
        let (_, rest) = heard.split_once("version\r\n").unwrap();
        rest.split("\r\n").nth(1).unwrap().to_owned()
    };
    assert_eq!(version(&mut rig, Some("-LOADING x\r\n")), "7.0.15");
    assert_eq!(
        version(&mut rig, Some("$21\r\nredis_version:8.0.3\r\n\r\n")),
        "8.0.3"
    );
    assert_eq!(version(&mut rig, None), "8.0.3");
    // Another datastore may stand behind the next connection.
    rig.loses(ME);
    assert_eq!(version(&mut rig, None), "8.0.3", "the last that is known");
    rig.wait(1000);
    assert_eq!(
        version(&mut rig, Some("$21\r\nredis_version:6.2.9\r\n\r\n")),
        "6.2.9"
    );
    rig.asks(client, &["HELLO 9"]);
    assert_eq!(
        rig.hears(client),
        "-NOPROTO unsupported protocol version\r\n"
    );
    rig.assert_at_rest();
}
