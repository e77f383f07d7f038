use super::*;
use crate::proto::redis::lookup::lookup;

fn ask(session: &mut Session, line: &str) -> (Effect, String) {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let row = lookup(args[0]).unwrap();
    let row = args.get(1).and_then(|word| row.child(word)).unwrap_or(row);
    assert!(row.accepts(args.len()), "{line}");
    let context = Context {
        now: Now {
            mono_us: 12_000_000,
            wall_us: 1_700_000_000_000_042,
        },
        store_version: "7.2.4",
    };
    let mut out = Vec::new();
    let effect = session.answer(row, &args, &context, &mut out);
    (effect, String::from_utf8(out).unwrap())
}

fn says(session: &mut Session, line: &str) -> String {
    ask(session, line).1
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Session>() <= 40, "{}", size_of::<Session>());
}

#[test]
fn client_libraries_connect() {
    let handshakes: &[(&str, &[(&str, bool)])] = &[
        (
            "redis-py 5",
            &[
                ("client setinfo LIB-NAME redis-py", true),
                ("client setinfo LIB-VER 5.0.8", true),
            ],
        ),
        (
            "redis-py 8, Lettuce",
            &[("hello 3", true), ("client setinfo lib-name x(y_v1)", true)],
        ),
        (
            "Jedis",
            &[
                ("select 0", true),
                ("client setname app", true),
                ("client setinfo lib-name jedis", true),
            ],
        ),
        (
            "go-redis",
            &[
                ("hello 3 setname app", true),
                ("client setinfo LIB-VER 9.5.1", true),
            ],
        ),
        (
            "StackExchange.Redis",
            &[
                ("client setname app", true),
                ("echo 0123", true),
                ("cluster nodes", false),
            ],
        ),
    ];
    for (library, requests) in handshakes {
        let mut session = Session::new(1);
        for (request, fine) in *requests {
            let reply = says(&mut session, request);
            assert_eq!(
                !reply.starts_with('-'),
                *fine,
                "{library}: {request}: {reply}"
            );
        }
    }
}

#[test]
fn maintenance_notifications_are_an_unknown_subcommand() {
    // redis-py and Lettuce ask for them and carry on when told so.
    assert!(
        lookup(b"client")
            .unwrap()
            .child(b"MAINT_NOTIFICATIONS")
            .is_none()
    );
}

#[test]
fn hello_reports_the_datastores_version_and_changes_all_or_nothing() {
    let mut session = Session::new(7);
    assert!(says(&mut session, "hello 3").contains("$7\r\nversion\r\n$5\r\n7.2.4\r\n"));
    assert!(session.resp3);
    assert!(says(&mut session, "hello 2 setname a\u{1}").starts_with("-ERR Client names"));
    assert!(session.resp3, "a refused HELLO leaves the protocol");
    assert!(says(&mut session, "hello 2 auth nobody x setname b").starts_with("-WRONGPASS"));
    assert_eq!(says(&mut session, "client getname"), "_\r\n");
}

#[test]
fn setinfo_and_info() {
    let mut session = Session::new(7);
    for (line, want) in [
        ("client setinfo lib-name lib", "+OK\r\n"),
        ("client setinfo LIB-VER 1.2", "+OK\r\n"),
        (
            "client setinfo nosuch x",
            "-ERR Unrecognized option 'nosuch'\r\n",
        ),
        (
            "client setinfo lib-ver a\tb",
            "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("client setname me", "+OK\r\n"),
        ("client no-evict on", "+OK\r\n"),
        ("client no-touch on", "+OK\r\n"),
        ("client id", ":7\r\n"),
        ("time", "*2\r\n$10\r\n1700000000\r\n$2\r\n42\r\n"),
    ] {
        assert_eq!(says(&mut session, line), want, "{line}");
    }
    let mut line = String::new();
    let facts = clients::Facts {
        id: 7,
        addr: "10.0.0.9:4242",
        laddr: "10.0.0.1:8102",
        age: 7,
    };
    let figures = Figures {
        facts,
        is_unix: false,
        command: "client|info",
        idle: 3,
        qbuf: 5,
        omem: 11,
    };
    session.describe(&figures, &mut line);
    for field in [
        "id=7 addr=10.0.0.9:4242 laddr=10.0.0.1:8102 ",
        " name=me age=7 idle=3 ",
        " flags=eT db=0 ",
        " qbuf=5 ",
        " omem=11 ",
        " cmd=client|info user=default ",
        " resp=2 lib-name=lib lib-ver=1.2\n",
    ] {
        assert!(line.contains(field), "{field} in {line}");
    }
}

#[test]
fn tracking_is_refused() {
    let refused = says(&mut Session::new(1), "client tracking on bcast");
    assert_eq!(
        refused,
        "-ERR unknown subcommand 'tracking'. Try CLIENT HELP.\r\n"
    );
}

#[test]
fn names_are_bounded() {
    let mut session = Session::new(1);
    let long = "n".repeat(MAX_NAME + 1);
    assert!(says(&mut session, &format!("client setname {long}")).starts_with("-ERR"));
    assert!(says(&mut session, &format!("client setinfo lib-name {long}")).starts_with("-ERR"));
    assert!(says(&mut session, &format!("hello 3 setname {long}")).starts_with("-ERR"));
    assert!(says(&mut session, &format!("client setname {}", &long[1..])).starts_with("+OK"));
}

#[test]
fn reply_off_silences_until_on() {
    let mut session = Session::new(1);
    assert_eq!(
        ask(&mut session, "client reply off"),
        (Effect::Reply, String::new())
    );
    assert!(!session.wants_reply());
    assert_eq!(ask(&mut session, "echo a"), (Effect::Reply, String::new()));
    assert_eq!(
        ask(&mut session, "client reply nosuch"),
        (Effect::Reply, String::new())
    );
    assert_eq!(
        ask(&mut session, "client reply skip"),
        (Effect::Reply, String::new())
    );
    assert!(!session.wants_reply());
    assert!(!session.wants_reply());
    assert_eq!(
        ask(&mut session, "client reply on"),
        (Effect::Always, "+OK\r\n".into())
    );
    assert!(session.wants_reply());
    assert_eq!(ask(&mut session, "client reply off").0, Effect::Reply);
    assert_eq!(ask(&mut session, "quit"), (Effect::Close, String::new()));
}

#[test]
fn reset_ends_the_silence_and_says_so() {
    let mut session = Session::new(1);
    assert_eq!(ask(&mut session, "client reply off").0, Effect::Reply);
    assert_eq!(
        ask(&mut session, "reset"),
        (Effect::Always, "+RESET\r\n".into())
    );
    assert!(session.wants_reply());
}

#[test]
fn reply_skip_silences_one() {
    let mut session = Session::new(1);
    assert_eq!(
        ask(&mut session, "client reply skip"),
        (Effect::Reply, String::new())
    );
    assert_eq!(ask(&mut session, "echo a"), (Effect::Reply, String::new()));
    assert_eq!(says(&mut session, "echo a"), "$1\r\na\r\n");
    ask(&mut session, "client reply skip");
    assert!(!session.wants_reply());
    assert!(session.wants_reply());
}

#[test]
fn consistency_of_the_connection() {
    let mut session = Session::new(1);
    let name = "dyno_config:conn_consistency";
    for level in Consistency::ALL {
        let asked = format!("{} {}", name.to_uppercase(), level.name().to_lowercase());
        assert_eq!(ask(&mut session, &asked), (Effect::Reply, "+OK\r\n".into()));
        assert_eq!(session.consistency, Some(level));
    }
    for bad in ["DC_ONEXYZ", "BOGUS", "", "DC_"] {
        let (effect, reply) = ask(&mut session, &format!("{name} {bad}"));
        assert_eq!(effect, Effect::Close, "{bad}");
        assert_eq!(reply, errors::BAD_CONSISTENCY, "{bad}");
    }
    assert_eq!(session.consistency, Some(Consistency::DcEachSafeQuorum));
    assert_eq!(ask(&mut session, "reset").1, "+RESET\r\n");
    assert_eq!(session.consistency, None);
}

#[test]
fn help_is_an_array_of_lines_in_both_protocols() {
    for line in [
        "client help",
        "config help",
        "script help",
        "object help",
        "xinfo help",
        "acl help",
    ] {
        let help = says(&mut Session::new(1), line);
        let (count, rest) = help.split_once("\r\n").unwrap();
        let lines: usize = count[1..].parse().unwrap();
        assert_eq!(rest.matches("\r\n").count(), lines, "{line}");
        assert!(rest.lines().all(|line| line.starts_with('+')), "{line}");
    }
}
