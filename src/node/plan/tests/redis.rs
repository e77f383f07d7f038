use super::*;
use crate::node::limits::ARGUMENTS;
use crate::node::plan::Keys;
use crate::node::plan::Why;
use crate::node::plan::order::{Overtakes, waits_for_pause};
use crate::node::plan::redis::{at_sight, plan};
use crate::proto::redis::lookup::lookup;
use Consistency::{DcEachSafeQuorum, DcOne, DcQuorum, DcSafeQuorum};

/// The plan of a request in one line; refusals as the error that the client gets.
fn planned(site: &Site, asker: Asker, line: &str) -> String {
    let words = site.words(line);
    let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let cx = site.cx(asker);
    let mut keys = Keys::default();
    let found = plan(&cx, &args, &mut keys);
    let sight = at_sight(&cx, lookup(args[0]), args.len() as u32);
    if let Some(sight) = sight {
        assert_eq!(shown(&sight), shown(&found), "{line}");
    }
    match found {
        Plan::Refuse(why) => {
            let mut out = Vec::new();
            why.write(&args, &mut out);
            format!("refuse: {}", String::from_utf8_lossy(&out).trim_end())
        }
        found => shown(&found),
    }
}

fn assert_plans(members: &[&str], options: &Options, rows: &[(Asker, &str, &str)]) {
    let site = Site::new(members, options.clone());
    for (asker, line, expected) in rows {
        assert_eq!(planned(&site, *asker, line), *expected, "{line} {asker:?}");
    }
}

#[test]
fn alone_everything_is_for_this_nodes_datastore() {
    let rows = [
        (CLIENT, "GET k", "keyed: read Normal"),
        (CLIENT, "SET k v EX 100", "keyed: write Normal"),
        (CLIENT, "MSET k v l w", "keyed: write Normal"),
        (CLIENT, "RENAME k l", "keyed: write Normal"),
        (CLIENT, "SPOP k", "keyed: write Normal"),
        (CLIENT, "SORT k BY w_*", "keyed: read Normal"),
        (CLIENT, "EVAL x 0", "keyed: write Normal"),
        (CLIENT, "DBSIZE", "store: read LocalNode AsItIs"),
        (CLIENT, "SCAN 17", "store: read LocalNode AsItIs"),
        (CLIENT, "SCRIPT LOAD x", "store: write AllNodes AsItIs"),
        (CLIENT, "CONFIG GET save", "store: read LocalNode Settings"),
        (
            CLIENT,
            "COMMAND DOCS get",
            "store: read LocalNode Docs { with_own: false }",
        ),
        (CLIENT, "CLIENT ID", "session: client|id"),
    ];
    assert_plans(ALONE, &Options::default(), &rows);
}

#[test]
fn in_a_sharded_rack_keys_decide() {
    let rows = [
        (CLIENT, "GET @b", "keyed: read Normal"),
        (RESP3, "HGETALL @b", "keyed: read OwnRackOnly"),
        (CLIENT, "SET @b v EX 100", "keyed: write Normal"),
        (CLIENT, "SPOP @b", "keyed: write Normal"),
        (CLIENT, "HSCAN @b 0", "keyed: read OwnRackOnly"),
        (CLIENT, "MGET @a @a2", "keyed: read Normal"),
        (CLIENT, "MGET @a @b", "split: read Normal"),
        (CLIENT, "MSET @a v @b w", "split: write Normal"),
        (CLIENT, "DEL @a @b", "split: write Normal"),
        (CLIENT, "RENAME @a @a2", "keyed: write Normal"),
        (CLIENT, "DBSIZE", "fanout: read AllNodesOwnRack Rack"),
        (CLIENT, "KEYS *", "fanout: read AllNodesOwnRack Rack"),
        (CLIENT, "SCRIPT LOAD x", "fanout: write AllNodes Cluster"),
        (
            CLIENT,
            "SCRIPT EXISTS x",
            "fanout: read AllNodesOwnRack Rack",
        ),
        (
            CLIENT,
            "SCRIPT KILL",
            "fanout: write AllNodes beside scripts Cluster",
        ),
        (
            CLIENT,
            "SCAN 0",
            "fanout: read LocalNode Cursor { node: NodeId(0), place: 0, of: 2, inner: 0 }",
        ),
        (
            CLIENT,
            "SCAN 281474976710663",
            "fanout: read LocalNode Cursor { node: NodeId(1), place: 1, of: 2, inner: 7 }",
        ),
        (
            CLIENT,
            "SCAN 562949953421312",
            "refuse: -ERR invalid cursor",
        ),
        (CLIENT, "SCAN x", "refuse: -ERR invalid cursor"),
        (CLIENT, "CONFIG GET save", "store: read LocalNode Settings"),
    ];
    assert_plans(SHARDED, &Options::default(), &rows);
}

#[test]
fn where_there_are_replicas_they_are_kept_equal() {
    for members in [THREE_RACKS, TWO_DCS, SHARDED_RACKS] {
        let rows = [
            (CLIENT, "GET @a", "keyed: read Normal"),
            (CLIENT, "SET @a v", "keyed: write Normal"),
            (CLIENT, "SET @a v EX 100", "keyed, timed: write Normal"),
            (CLIENT, "EXPIRE @a 100", "keyed, timed: write Normal"),
            (CLIENT, "SPOP @a", "two steps: write Normal"),
            (CLIENT, "XADD @a * f v", "two steps: write Normal"),
            (CLIENT, "XADD @a 1-1 f v", "keyed, timed: write Normal"),
            (CLIENT, "SORT @a STORE @a2", "keyed: write Normal"),
            (CLIENT, "SORT @a", "keyed: read Normal"),
        ];
        assert_plans(members, &Options::default(), &rows);
    }
    let rows = [
        (CLIENT, "EVAL x 0", "keyed: write Normal"),
        (CLIENT, "DBSIZE", "store: read LocalNode AsItIs"),
        (CLIENT, "FUNCTION FLUSH", "fanout: write AllNodes Cluster"),
    ];
    assert_plans(THREE_RACKS, &Options::default(), &rows);
}

#[test]
fn the_level_is_the_clients_or_the_nodes() {
    let options = Options {
        read_consistency: DcQuorum,
        write_consistency: DcSafeQuorum,
        ..Options::default()
    };
    for members in [ALONE, THREE_RACKS, TWO_DCS] {
        let rows = [
            (CLIENT, "GET k", "keyed: read Normal DC_QUORUM"),
            (CLIENT, "SET k v", "keyed: write Normal DC_SAFE_QUORUM"),
            (at(DcOne), "GET k", "keyed: read Normal"),
            (at(DcQuorum), "SET k v", "keyed: write Normal DC_QUORUM"),
            (
                at(DcSafeQuorum),
                "GET k",
                "keyed: read Normal DC_SAFE_QUORUM",
            ),
            (
                at(DcEachSafeQuorum),
                "GET k",
                "keyed: read Normal DC_EACH_SAFE_QUORUM",
            ),
        ];
        assert_plans(members, &options, &rows);
    }
}

#[test]
fn by_its_level_a_request_may_see_racks_that_divide_its_keys() {
    // The other rack divides what this one, of a single node, does not.
    let members = ["a d r 0", "c d s 0", "e d s 2147483648"];
    let options = Options {
        read_failover: false,
        ..Options::default()
    };
    let mut site = Site::new(&members, options);
    let owner = |site: &Site, key: &String| {
        let token = site.cx(CLIENT).token(key.as_bytes());
        let racks = site.topology.racks();
        racks.last().map(|rack| rack.ring.owner(token))
    };
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let first = owner(&site, &keys[0]);
    let other = keys.iter().find(|key| owner(&site, key) != first).unwrap();
    let line = format!("MGET {} {other}", keys[0]);
    assert_eq!(planned(&site, at(DcOne), &line), "keyed: read Normal");
    let at_quorum = planned(&site, at(DcQuorum), &line);
    assert_eq!(at_quorum, "split: read Normal DC_QUORUM");
    // Another rack may be asked in this one's place.
    site.options.read_failover = true;
    assert_eq!(planned(&site, at(DcOne), &line), "split: read Normal");
}

#[test]
fn what_is_not_served_is_refused_with_its_reason() {
    let refused = |line: &str| {
        let site = Site::new(SHARDED, Options::default());
        let text = planned(&site, CLIENT, line);
        text.strip_prefix("refuse: -").map(str::to_owned)
    };
    for (line, expected) in [
        ("NONSENSE x", "ERR unknown command 'NONSENSE'"),
        ("CLIENT NONSENSE", "ERR unknown subcommand 'NONSENSE'"),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("BLPOP @a 0", "ERR unknown command 'blpop': blocking"),
        ("XREAD BLOCK 1 STREAMS @a 0", "ERR unknown option 'block'"),
        ("MULTI", "ERR unknown command 'multi': transactions"),
        ("SUBSCRIBE x", "ERR unknown command 'subscribe': publish"),
        ("FLUSHALL", "ERR unknown command 'flushall': emptying"),
        ("EVAL x 0", "ERR Dynomite: EVAL/EVALSHA requires"),
        ("EVAL x 3 @a", "ERR Number of keys can't be greater"),
        ("COPY @a @a2 DB 1", "ERR DB index is out of range"),
        ("RENAME @a @b", "CROSSSLOT"),
        ("SORT @a BY w_*", "ERR BY option of SORT denied"),
        ("SORT @a GET w_*", "ERR GET option of SORT denied"),
    ] {
        let text = refused(line).unwrap_or_else(|| panic!("{line} is served"));
        assert!(text.starts_with(expected), "{line}: {text}");
    }
}

#[test]
fn http_is_not_answered() {
    let site = Site::new(ALONE, Options::default());
    for line in ["POST / HTTP/1.1", "Host: localhost"] {
        assert_eq!(planned(&site, CLIENT, line), "refuse: ", "{line}");
    }
}

#[test]
fn requests_of_too_many_arguments_pass_whole_or_not_at_all() {
    let many = ARGUMENTS + 1;
    for (members, asker, name, passes) in [
        (ALONE, CLIENT, "rpush", true),
        (ALONE, CLIENT, "eval", false),
        (ALONE, BEHIND_MULTI, "rpush", false),
        (SHARDED, CLIENT, "rpush", false),
        (SHARDED, PEER, "rpush", true),
        (SHARDED, FORWARDING, "mset", false),
    ] {
        let site = Site::new(members, Options::default());
        let plan = at_sight(&site.cx(asker), lookup(name.as_bytes()), many);
        let is_refused = matches!(plan, Some(Plan::Refuse(Why::Line(_))));
        assert!(plan.is_some() && is_refused != passes, "{name} {asker:?}");
    }
}

#[test]
fn behind_a_refused_multi_nothing_is_run() {
    let not_run = "refuse: -ERR Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported";
    let aborted = "refuse: -EXECABORT Transaction discarded because of: transactions are not supported by Dynomite";
    let rows = [
        (BEHIND_MULTI, "GET k", not_run),
        (BEHIND_MULTI, "NONSENSE", not_run),
        (BEHIND_MULTI, "EXEC", aborted),
        (BEHIND_MULTI, "RESET", "session: reset"),
        (BEHIND_MULTI, "QUIT", "session: quit"),
    ];
    assert_plans(ALONE, &Options::default(), &rows);
    assert_plans(SHARDED, &Options::default(), &rows);
}

#[test]
fn options_change_who_answers() {
    let local_scan = Options {
        local_scan: true,
        ..Options::default()
    };
    let rows = [
        (CLIENT, "DBSIZE", "store: read LocalNode AsItIs"),
        (CLIENT, "SCAN 17", "store: read LocalNode AsItIs"),
    ];
    assert_plans(SHARDED, &local_scan, &rows);
    let enable_flush = Options {
        enable_flush: true,
        ..Options::default()
    };
    let rows = [
        (CLIENT, "FLUSHALL", "fanout: write AllNodes Everywhere"),
        (PEER, "FLUSHALL", "store: write AllNodes AsItIs"),
    ];
    assert_plans(SHARDED, &enable_flush, &rows);
    let admin = Options {
        admin_operation: 1,
        ..Options::default()
    };
    let not_owned = "refuse: -ERR Dynomite: Invalid request in Dynomite's admin mode";
    let rows = [
        (CLIENT, "DEL @a", "store: write Normal OfPurge"),
        (CLIENT, "DEL @a @a2", "store: write Normal OfPurge"),
        (CLIENT, "DEL @b", not_owned),
        (CLIENT, "DEL @a @b", not_owned),
        (CLIENT, "UNLINK @b", "keyed: write Normal"),
        (CLIENT, "DBSIZE", "store: read LocalNode AsItIs"),
    ];
    assert_plans(SHARDED, &admin, &rows);
}

#[test]
fn what_a_peer_asks_for_is_run_here_or_by_the_owners_in_this_datacenter() {
    let spans = "refuse: -CROSSSLOT";
    let rows = [
        (PEER, "GET @b", "store: read Normal AsItIs"),
        (PEER, "MSET @a v @b w", "store: write Normal AsItIs"),
        (PEER, "SPOP @b", "store: write Normal AsItIs"),
        (PEER, "SET @b v EX 9", "store: write Normal AsItIs"),
        (PEER, "DBSIZE", "store: read LocalNode AsItIs"),
        (PEER, "SCRIPT LOAD x", "store: write AllNodes AsItIs"),
        (FORWARDING, "GET @b", "keyed: read Normal"),
        (FORWARDING, "SET @b v EX 9", "keyed: write Normal"),
        (FORWARDING, "MSET @a v @a2 w", "keyed: write Normal"),
        (FORWARDING, "MSET @a v @b w", "split: write Normal"),
        (FORWARDING_C, "MSET @a v @b w", "split: write Normal"),
        (FORWARDING_C, "RENAME @a @b", "keyed: write Normal"),
        (FORWARDING, "SCRIPT LOAD x", "store: write AllNodes AsItIs"),
        (FORWARDING, "DBSIZE", "store: read LocalNode AsItIs"),
    ];
    assert_plans(SHARDED_RACKS, &Options::default(), &rows);
    let site = Site::new(SHARDED_RACKS, Options::default());
    assert!(planned(&site, FORWARDING, "RENAME @a @b").starts_with(spans));
    for asker in [PEER, FORWARDING] {
        for line in ["NONSENSE", "GET", "MULTI", "CLIENT ID", "EVAL x 0"] {
            let text = planned(&site, asker, line);
            assert!(text.starts_with("refuse: -"), "{line}: {text}");
        }
    }
    let rows = [(FORWARDING, "GET k", "store: read Normal AsItIs")];
    assert_plans(ALONE, &Options::default(), &rows);
}

#[test]
fn what_could_overtake_a_write_in_two_steps_is_known() {
    use Overtakes::{AllKeys, ItsKeys, Nothing};
    let options = Options {
        enable_flush: true,
        ..Options::default()
    };
    let site = Site::new(THREE_RACKS, options);
    for (asker, line, expected) in [
        (CLIENT, "GET k", Nothing),
        (at(DcQuorum), "GET k", ItsKeys),
        (at(DcQuorum), "HSCAN k 0", Nothing),
        (CLIENT, "SET k v EX 100", ItsKeys),
        (CLIENT, "SPOP k", Nothing),
        (CLIENT, "EVAL x 1 k", ItsKeys),
        (CLIENT, "EVAL x 0", AllKeys),
        (CLIENT, "FLUSHALL", AllKeys),
        (CLIENT, "DBSIZE", Nothing),
        (CLIENT, "CLIENT ID", Nothing),
        (CLIENT, "NONSENSE", Nothing),
        (BEHIND_MULTI, "SET k v", Nothing),
    ] {
        let words = site.words(line);
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let mut keys = Keys::default();
        let plan = plan(&site.cx(asker), &args, &mut keys);
        assert_eq!(plan.overtakes(&keys), expected, "{line}");
    }
}

#[test]
fn a_pause_of_writes_stops_what_may_write() {
    let site = Site::new(THREE_RACKS, Options::default());
    for (line, waits) in [
        ("SET k v", true),
        ("GET k", false),
        ("EVAL x 1 k", true),
        ("SORT k", false),
        ("SORT k STORE l", true),
        ("FLUSHALL", false),
        ("NONSENSE", false),
    ] {
        let words = site.words(line);
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        assert_eq!(waits_for_pause(&site.cx(CLIENT), &args), waits, "{line}");
    }
}
