//! `CLIENT LIST`, `KILL`, `PAUSE` and what belongs to them.

use super::{ConnId, Kind, ME, Rig};
use crate::node::Options;

fn client_from(rig: &mut Rig, addr: &str) -> ConnId {
    let addr = Some(addr.parse().unwrap());
    rig.node.accepted(Kind::Client, addr, rig.now).unwrap()
}

fn options() -> Options {
    Options {
        listen: "127.0.0.1:8102".into(),
        ..Options::default()
    }
}

fn ask(rig: &mut Rig, client: ConnId, line: &str) -> String {
    rig.asks(client, &[line]);
    rig.hears(client)
}

/// A field of the only line of a list.
fn field(list: &str, name: &str) -> String {
    let fields = list.split([' ', '\n']);
    let mut values = fields.filter_map(|field| field.strip_prefix(&format!("{name}=")));
    values
        .next()
        .unwrap_or_else(|| panic!("{name} in {list}"))
        .to_owned()
}

/// A client saw itself only, and most figures were zero.
#[test]
fn client_list_describes_all_clients_of_the_node() {
    let mut rig = Rig::new(&["a d r 0"], options());
    let first = client_from(&mut rig, "10.0.0.1:1111");
    let second = client_from(&mut rig, "10.0.0.2:2222");
    let unix = rig.client();
    let id_of = |rig: &mut Rig, client| {
        let id = ask(rig, client, "CLIENT ID");
        id.trim_start_matches(':').trim_end().to_owned()
    };
    let ids = [first, second, unix].map(|client| id_of(&mut rig, client));
    ask(&mut rig, first, "HELLO 3 SETNAME one");
    assert_eq!(rig.sees(ME), ["INFO server"]);
    rig.says(ME, "$22\r\nredis_version:7.0.15\r\n\r\n");
    rig.hears(first);
    rig.wait(5_000);
    rig.asks(second, &["GET k"]);
    rig.wait(2_000);
    let list = ask(&mut rig, unix, "CLIENT LIST");
    let lines: Vec<&str> = list.lines().filter(|line| line.contains("id=")).collect();
    assert_eq!(lines.len(), 3, "{list}");
    for (at, wanted) in [
        (
            0,
            [
                ("addr", "10.0.0.1:1111"),
                ("name", "one"),
                ("resp", "3"),
                ("cmd", "hello"),
                ("idle", "7"),
                ("age", "7"),
            ],
        ),
        (
            1,
            [
                ("addr", "10.0.0.2:2222"),
                ("laddr", "127.0.0.1:8102"),
                ("resp", "2"),
                ("cmd", "get"),
                ("idle", "2"),
                ("db", "0"),
            ],
        ),
        (
            2,
            [
                ("addr", "127.0.0.1:8102:0"),
                ("flags", "U"),
                ("name", ""),
                ("cmd", "client|list"),
                ("idle", "0"),
                ("user", "default"),
            ],
        ),
    ] {
        assert_eq!(field(lines[at], "id"), ids[at]);
        for (name, value) in wanted {
            assert_eq!(field(lines[at], name), value, "{name} in {}", lines[at]);
        }
    }
    // Replies that have not been taken, and bytes that are no request yet.
    rig.deaf.push(second);
    rig.says(ME, "$5\r\nvalue\r\n");
    rig.asks(second, &["ECHO 0123456789"]);
    rig.unread
        .entry(first)
        .or_default()
        .0
        .extend(b"*2\r\n$4\r\n");
    rig.hear_out(first);
    let list = ask(
        &mut rig,
        unix,
        &format!("CLIENT LIST ID {} {}", ids[0], ids[1]),
    );
    let lines: Vec<&str> = list.lines().filter(|line| line.contains("id=")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(field(lines[0], "qbuf"), "8");
    assert_eq!(
        field(lines[1], "omem"),
        ("$5\r\nvalue\r\n".len() + "$10\r\n0123456789\r\n".len()).to_string()
    );
    assert_eq!(field(&ask(&mut rig, unix, "CLIENT INFO"), "id"), ids[2]);
    assert_eq!(ask(&mut rig, unix, "CLIENT LIST TYPE pubsub"), "$0\r\n\r\n");
    assert_eq!(ask(&mut rig, unix, "CLIENT LIST ID 999"), "$0\r\n\r\n");
}

#[test]
fn client_kill_closes_the_clients_that_all_filters_match() {
    let mut rig = Rig::new(&["a d r 0"], options());
    let me = client_from(&mut rig, "10.0.0.9:9");
    let others: Vec<ConnId> = (1..=5)
        .map(|n| client_from(&mut rig, &format!("10.0.0.{n}:1")))
        .collect();
    let alive = |rig: &Rig| -> Vec<usize> {
        let alive = others
            .iter()
            .enumerate()
            .filter(|(_, id)| rig.node.knows(**id));
        alive.map(|(at, _)| at + 1).collect()
    };
    let id = ask(&mut rig, others[0], "CLIENT ID");
    let id = id.trim_start_matches(':').trim_end();
    for (line, answer, left) in [
        (
            "CLIENT KILL 10.0.0.7:1",
            "-ERR No such client\r\n",
            vec![1, 2, 3, 4, 5],
        ),
        ("CLIENT KILL ID 999999", ":0\r\n", vec![1, 2, 3, 4, 5]),
        ("CLIENT KILL TYPE pubsub", ":0\r\n", vec![1, 2, 3, 4, 5]),
        ("CLIENT KILL MAXAGE 60", ":0\r\n", vec![1, 2, 3, 4, 5]),
        (
            &format!("CLIENT KILL ID {id} ADDR 10.0.0.2:1"),
            ":0\r\n",
            vec![1, 2, 3, 4, 5],
        ),
        (
            &format!("CLIENT KILL ID {id} USER default LADDR 127.0.0.1:8102"),
            ":1\r\n",
            vec![2, 3, 4, 5],
        ),
        ("CLIENT KILL 10.0.0.2:1", "+OK\r\n", vec![3, 4, 5]),
        (
            "CLIENT KILL ADDR 10.0.0.3:1 SKIPME no",
            ":1\r\n",
            vec![4, 5],
        ),
    ] {
        assert_eq!(ask(&mut rig, me, line), answer, "{line}");
        assert_eq!(alive(&rig), left, "{line}");
        assert!(rig.node.knows(me));
    }
    // What a client that goes has asked for is run, and nobody gets the answer.
    rig.asks(others[3], &["SET k v"]);
    assert_eq!(rig.sees(ME), ["SET k v"]);
    assert_eq!(ask(&mut rig, me, "CLIENT KILL TYPE normal"), ":2\r\n");
    assert_eq!(alive(&rig), [0; 0]);
    rig.says(ME, "+OK\r\n");
    // Whoever closes itself gets its answer first.
    assert_eq!(
        ask(&mut rig, me, "CLIENT KILL TYPE normal SKIPME no"),
        ":1\r\n"
    );
    assert!(!rig.node.knows(me));
    rig.assert_at_rest();
}

#[test]
fn clients_wait_while_they_are_paused() {
    let mut rig = Rig::new(&["a d r 0"], options());
    let (operator, client) = (rig.client(), rig.client());
    // Reads go on while only writes pause.
    assert_eq!(
        ask(&mut rig, operator, "CLIENT PAUSE 10000 WRITE"),
        "+OK\r\n"
    );
    rig.asks(client, &["GET k", "SET k 1", "GET l"]);
    assert_eq!(rig.sees(ME), ["GET k"]);
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.hears(client), "$-1\r\n");
    rig.wait(9_000);
    assert_eq!(rig.sees(ME), [""; 0]);
    assert_eq!(ask(&mut rig, operator, "CLIENT UNPAUSE"), "+OK\r\n");
    assert_eq!(rig.sees(ME), ["SET k 1", "GET l"]);
    rig.says(ME, "+OK\r\n");
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n$-1\r\n");
    // Everything pauses, and goes on by itself; a shorter pause does not end a longer one.
    assert_eq!(ask(&mut rig, operator, "CLIENT PAUSE 60000"), "+OK\r\n");
    assert_eq!(
        rig.node.next_deadline().min(rig.now.mono_us + 60_000_000),
        rig.node.next_deadline()
    );
    rig.asks(client, &["PING", "ECHO x"]);
    rig.asks(operator, &["CLIENT PAUSE 1 WRITE"]);
    rig.wait(59_000);
    assert_eq!((rig.sees(ME), rig.hears(client)), (vec![], String::new()));
    assert_eq!(rig.hears(operator), "");
    rig.wait(1_000);
    assert_eq!(rig.sees(ME), ["PING"]);
    rig.says(ME, "+PONG\r\n");
    assert_eq!(rig.hears(client), "+PONG\r\n$1\r\nx\r\n");
    assert_eq!(rig.hears(operator), "+OK\r\n");
    assert!(rig.node.knows(client) && rig.node.knows(operator));
    rig.assert_at_rest();
}
