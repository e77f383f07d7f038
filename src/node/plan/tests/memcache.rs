use super::*;
use crate::config::StoreKind;
use crate::node::plan::memcache::{at_sight, plan};
use crate::node::plan::{Keys, Why};
use crate::proto::memcache::line;
use crate::proto::memcache::request::{Kind, Parser, Status};
use Consistency::{DcEachSafeQuorum, DcOne, DcQuorum, DcSafeQuorum};

fn options() -> Options {
    Options {
        store: StoreKind::Memcache,
        ..Options::default()
    }
}

/// A line's request as a parser finds it; values are one byte.
fn kind(line: &[u8]) -> Kind {
    let bytes = [line, b"\r\nv\r\n"].concat();
    match Parser::default().parse(&bytes, 0) {
        Status::Complete(request) => request.kind,
        other => panic!("{other:?}"),
    }
}

/// The plan of a request in one line.
fn planned(site: &Site, asker: Asker, line: &str) -> String {
    let line = site.words(line).join(&b' ');
    let cx = site.cx(asker);
    let mut keys = Keys::default();
    let ended = [&line[..], b"\r\n"].concat();
    let found = plan(&cx, &line::read(&ended), &mut keys);
    if let Some(sight) = at_sight(&cx, &kind(&line)) {
        let line = String::from_utf8_lossy(&line).into_owned();
        assert_eq!(shown(&sight), shown(&found), "{line}");
    }
    match found {
        Plan::Refuse(Why::Line(line)) => format!("refuse: {}", line.trim_end()),
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
fn alone_requests_go_on_as_they_stand() {
    let rows = [
        (CLIENT, "get k", "keyed: read Normal"),
        (CLIENT, "get k l", "keyed: read Normal"),
        (CLIENT, "gets k", "keyed: read Normal"),
        (CLIENT, "gat 9 k l", "keyed: write Normal"),
        (CLIENT, "set k 0 0 1", "keyed: write Normal"),
        (CLIENT, "set k 0 0 1 noreply", "keyed: write Normal silent"),
        (CLIENT, "cas k 0 0 1 7", "keyed: write Normal"),
        (CLIENT, "mg k v", "keyed: read Normal"),
        (CLIENT, "mg k v T9", "keyed: write Normal"),
        (CLIENT, "mg k v q", "keyed: read Normal quiet"),
        (CLIENT, "version", "store: read LocalNode AsItIs"),
        (CLIENT, "stats", "store: read LocalNode AsItIs"),
        (CLIENT, "verbosity 1", "answer"),
        (CLIENT, "nonsense", "answer"),
        (CLIENT, "quit", "close"),
        (
            CLIENT,
            "flush_all",
            "refuse: CLIENT_ERROR flush_all is disabled; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it",
        ),
    ];
    assert_plans(ALONE, &options(), &rows);
}

#[test]
fn in_a_sharded_rack_keys_decide() {
    let rows = [
        (CLIENT, "get @a @a2", "keyed: read Normal"),
        (CLIENT, "get @a @b", "split: read Normal"),
        (CLIENT, "gets @a", "keyed: read Normal unique"),
        (CLIENT, "gets @a @b", "split: read Normal unique"),
        (CLIENT, "cas @a 0 0 1 7", "keyed, versioned: write Normal"),
        (CLIENT, "md @a C7", "keyed, versioned: write Normal"),
        (CLIENT, "mg @a c", "keyed: read Normal unique"),
    ];
    assert_plans(SHARDED, &options(), &rows);
    let site = Site::new(SHARDED, options());
    let long = ["gat 9", &"@a ".repeat(3000)].join(" ");
    let split = planned(&site, CLIENT, long.trim_end());
    assert_eq!(split, "split: write Normal", "too long a line");
}

#[test]
fn a_version_is_one_replicas() {
    for members in [THREE_RACKS, TWO_DCS] {
        let rows = [
            (CLIENT, "get k", "keyed: read Normal"),
            (CLIENT, "gets k", "keyed: read FirstRack unique"),
            (
                at(DcQuorum),
                "gets k",
                "keyed: read Normal DC_QUORUM unique",
            ),
            (CLIENT, "gats 9 k", "keyed: write Normal unique"),
            (CLIENT, "cas k 0 0 1 7", "two steps: write Normal"),
            (
                at(DcSafeQuorum),
                "ms k 1 C7",
                "two steps: write Normal DC_SAFE_QUORUM",
            ),
            (CLIENT, "set k 0 9 1", "keyed: write Normal"),
        ];
        assert_plans(members, &options(), &rows);
    }
}

#[test]
fn the_level_is_the_nodes() {
    for level in [DcOne, DcQuorum, DcSafeQuorum, DcEachSafeQuorum] {
        let options = Options {
            read_consistency: level,
            write_consistency: DcQuorum,
            ..options()
        };
        let expected = match level {
            DcOne => "keyed: read Normal".to_owned(),
            level => format!("keyed: read Normal {level}"),
        };
        for members in [ALONE, SHARDED, THREE_RACKS, TWO_DCS] {
            let site = Site::new(members, options.clone());
            assert_eq!(planned(&site, CLIENT, "get @a"), expected);
            let write = planned(&site, CLIENT, "set @a 0 0 1");
            assert_eq!(write, "keyed: write Normal DC_QUORUM");
        }
    }
}

#[test]
fn options_change_who_answers() {
    let enable_flush = Options {
        enable_flush: true,
        ..options()
    };
    let rows = [
        (CLIENT, "flush_all", "fanout: write AllNodes Everywhere"),
        (PEER, "flush_all", "store: write AllNodes AsItIs"),
    ];
    assert_plans(SHARDED, &enable_flush, &rows);
    let admin = Options {
        admin_operation: 1,
        ..options()
    };
    let rows = [
        (CLIENT, "delete @a", "store: write Normal OfPurge"),
        (
            CLIENT,
            "delete @b",
            "refuse: SERVER_ERROR Dynomite: Invalid request in Dynomite's admin mode",
        ),
        (CLIENT, "md @b", "keyed: write Normal"),
    ];
    assert_plans(SHARDED, &admin, &rows);
}

#[test]
fn what_a_peer_asks_for_is_run_here_or_by_the_owners_in_this_datacenter() {
    let rows = [
        (PEER, "get @b", "store: read Normal AsItIs"),
        (PEER, "get @a @b", "store: read Normal AsItIs"),
        (PEER, "cas @b 0 0 1 7", "store: write Normal AsItIs"),
        (
            PEER,
            "set @b 0 0 1 noreply",
            "store: write Normal silent AsItIs",
        ),
        (FORWARDING, "set @b 0 0 1", "keyed: write Normal"),
        (FORWARDING, "cas @b 0 0 1 7", "keyed: write Normal"),
        (FORWARDING, "gat 9 @a @b", "split: write Normal"),
        (FORWARDING_C, "get @a @b", "split: read Normal"),
        (FORWARDING, "gat 9 @a @a2", "keyed: write Normal"),
        (FORWARDING, "version", "store: read LocalNode AsItIs"),
        (PEER, "nonsense", "answer"),
        (PEER, "quit", "refuse: ERROR"),
    ];
    assert_plans(SHARDED_RACKS, &options(), &rows);
    let rows = [(FORWARDING, "get k", "store: read Normal AsItIs")];
    assert_plans(ALONE, &options(), &rows);
    let site = Site::new(SHARDED_RACKS, options());
    let long = ["gat 9", &"@a ".repeat(3000)].join(" ");
    let refused = planned(&site, FORWARDING, long.trim_end());
    assert_eq!(refused, "refuse: CLIENT_ERROR line too long");
    let refused = planned(&site, PEER, "flush_all");
    assert!(refused.starts_with("refuse: CLIENT_ERROR flush_all"));
}

#[test]
fn a_value_that_cannot_be_taken_is_refused_at_sight() {
    let site = Site::new(ALONE, options());
    for asker in [CLIENT, PEER] {
        for (kind, expected) in [
            (Kind::BadChunk { silent: false }, "CLIENT_ERROR bad data"),
            (Kind::TooLarge { silent: false }, "SERVER_ERROR object too"),
        ] {
            let plan = at_sight(&site.cx(asker), &kind);
            let refused = match plan {
                Some(Plan::Refuse(Why::Line(line))) => line,
                other => panic!("{other:?}"),
            };
            assert!(refused.starts_with(expected), "{refused}");
        }
        assert!(at_sight(&site.cx(asker), &Kind::Skipped).is_none());
    }
}
