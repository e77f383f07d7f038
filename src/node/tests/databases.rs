use super::{ME, Rig};
use crate::node::Options;

const OTHER: &str = "-ERR DB index is out of range: Dynomite serves database 0 only\r\n";

/// Client libraries select a database when they connect, and many do not look at the reply: they wrote
/// into database 0, where the keys of others are.
#[test]
fn what_follows_a_refused_select_is_not_run() {
    let not_an_integer = "-ERR value is not an integer or out of range\r\n";
    for (database, refusal) in [
        ("1", OTHER),
        ("-1", OTHER),
        ("16", OTHER),
        ("x", not_an_integer),
    ] {
        let mut rig = Rig::new(&["a d r 0"], Options::default());
        let client = rig.client();
        let select = format!("SELECT {database}");
        rig.asks(client, &["SELECT 0", &select, "SET k v", "GET k"]);
        assert_eq!(rig.hears(client), format!("+OK\r\n{refusal}"), "{select}");
        assert!(!rig.node.knows(client), "{select}");
        assert_eq!(rig.sees(ME), [""; 0]);
        rig.assert_at_rest();
    }
}

/// Whoever overlooked the refusal read at a weaker level than it had asked for.
#[test]
fn what_follows_a_refused_level_is_not_run() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(
        client,
        &["DYNO_CONFIG:CONN_CONSISTENCY DC_QUORUMX", "GET k"],
    );
    let heard = rig.hears(client);
    assert!(
        heard.starts_with("-ERR Dynomite: invalid consistency: the levels are DC_ONE"),
        "{heard}"
    );
    assert!(!rig.node.knows(client));
    assert_eq!(rig.sees(ME), [""; 0]);
    rig.assert_at_rest();
}

/// The datastore would have put the copy into a database that nobody can read through Dynomite.
#[test]
fn nothing_is_copied_into_another_database() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    for line in [
        "COPY a b DB 1",
        "copy a a replace db 15",
        "COPY a b DB -1 REPLACE",
    ] {
        rig.asks(client, &[line]);
        assert_eq!(rig.hears(client), OTHER, "{line}");
    }
    assert_eq!(rig.sees(ME), [""; 0]);
    for line in [
        "COPY a b DB 0",
        "COPY a b",
        "COPY a DB DB x",
        "COPY a b REPLACE DB",
    ] {
        rig.asks(client, &[line]);
        assert_eq!(rig.sees(ME), [line]);
        rig.says(ME, ":1\r\n");
        assert_eq!(rig.hears(client), ":1\r\n", "{line}");
    }
    rig.assert_at_rest();
}

/// Clients ask how many databases there are, and tell their users.
#[test]
fn config_get_tells_of_one_database() {
    for members in [&["a d r 0"][..], &["a d r 1000", "b d r 3000"]] {
        let mut rig = Rig::new(members, Options::default());
        let client = rig.client();
        for (reply, expected) in [
            (
                "*4\r\n$4\r\nsave\r\n$0\r\n\r\n$9\r\ndatabases\r\n$2\r\n16\r\n",
                "*4\r\n$4\r\nsave\r\n$0\r\n\r\n$9\r\ndatabases\r\n$1\r\n1\r\n",
            ),
            (
                "*2\r\n$4\r\nname\r\n$9\r\ndatabases\r\n",
                "*2\r\n$4\r\nname\r\n$9\r\ndatabases\r\n",
            ),
            ("*0\r\n", "*0\r\n"),
            ("-ERR x\r\n", "-ERR x\r\n"),
        ] {
            rig.asks(client, &["CONFIG GET *"]);
            assert_eq!(rig.sees(ME), ["CONFIG GET *"]);
            rig.says(ME, reply);
            assert_eq!(rig.hears(client), expected);
        }
        rig.asks(client, &["HELLO 3"]);
        if rig.sees(ME) == ["INFO server"] {
            rig.says(ME, "$22\r\nredis_version:7.0.15\r\n\r\n");
        }
        rig.hears(client);
        rig.asks(client, &["CONFIG GET databases"]);
        rig.says(ME, "*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
        assert_eq!(rig.hears(client), "%1\r\n$9\r\ndatabases\r\n$1\r\n1\r\n");
        rig.assert_at_rest();
    }
}
