//! What is asked, and what is answered.

mod cluster;

use super::*;
use crate::admin::Policy;
use crate::admin::conn::tests::{World, at, here, node, world};
use crate::cluster::id::NodeId;
use crate::cluster::member::Member;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::hashkit::parse_list;
use crate::node::operator::Check;
use std::collections::HashSet;

/// A member from `host:port dc rack tokens`.
fn member(text: &str) -> Member {
    let words: Vec<&str> = text.split(' ').collect();
    let (host, port) = words[0].rsplit_once(':').unwrap();
    Member {
        name: host.to_owned(),
        endpoint: Endpoint::Tcp {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        },
        dc: words[1].to_owned(),
        rack: words[2].to_owned(),
        tokens: parse_list(words[3])
            .unwrap()
            .iter()
            .map(|t| t.token)
            .collect(),
    }
}

/// This node first.
fn cluster(members: &[&str]) -> World {
    let mut members: Vec<Member> = members.iter().map(|text| member(text)).collect();
    let me = members.remove(0);
    world(Topology::build(me, members).unwrap().topology)
}

fn request(method: Method, path: &str) -> Request {
    Request {
        method,
        path: path.into(),
        query: None,
        keep_alive: true,
        content_length: 0,
        expects_continue: false,
        host: None,
        origin: None,
        fetch_site: None,
        referer: None,
        is_browser: false,
        authority: None,
        is_plain_path: true,
    }
}

fn ask_as(caller: Caller, method: Method, path: &str, world: &mut World) -> Response {
    answer(ROUTES, &request(method, path), caller, at(7_000_000), world)
}

fn ask(method: Method, path: &str, world: &mut World) -> Response {
    ask_as(here(), method, path, world)
}

/// The status and the body of what is asked for by `GET`.
fn get(path: &str, world: &mut World) -> (u16, String) {
    let response = ask(Method::Get, path, world);
    let body = String::from_utf8(response.body).unwrap();
    (response.status.code(), body)
}

const HELP: &str = "\
/info
/help
/ping
/cluster_describe
/setloglevel/<0-11>
/loglevelup
/logleveldown
/historeset
/get_consistency
/set_consistency/<read|write>/<dc_one|dc_quorum|dc_safe_quorum|dc_each_safe_quorum>
/get_timeout_factor
/set_timeout_factor/<1-10>
/peer/<up|down|reset>/<name|all>
/state/<get_state|standby|writes_only|normal|resuming>
/reload
/read_repairs/<enable|disable>
/metrics
/livez
/readyz
/peers
/get_seeds
/REST/v1/admin/get_seeds
/REST/v1/admin/cluster_describe

";

#[test]
fn help_lists_what_there_is() {
    assert_eq!(get("/help", &mut node()), (200, HELP.to_owned()));
    let listed: HashSet<&str> = HELP.lines().collect();
    for route in ROUTES.iter().filter(|route| !route.usage.is_empty()) {
        assert!(listed.contains(route.usage), "{}", route.usage);
        let fixed = route.pattern.trim_end_matches('*');
        assert!(route.usage.starts_with(fixed), "{}", route.usage);
    }
}

#[test]
fn no_route_is_unreachable_unexplained_or_changes_what_only_looks() {
    for (index, route) in ROUTES.iter().enumerate() {
        assert!(
            route.pattern.starts_with('/') && !route.help.is_empty(),
            "{}",
            route.pattern
        );
        let is_change = matches!(route.handler, Handler::Change(_));
        assert_eq!(route.methods().contains(&Method::Head), !is_change);
        assert_eq!(route.methods().contains(&Method::Post), is_change);
        assert!(
            ROUTES[..index]
                .iter()
                .all(|before| before.pattern != route.pattern)
        );
    }
}

#[test]
fn what_only_tells_answers_head_too_and_changes_nothing() {
    let mut world = node();
    for (path, body) in [
        ("/", "{}\n"),
        ("/info", "{}\n"),
        ("/ping", "OK\r\n"),
        (
            "/get_consistency",
            "Read Consistency: DC_ONE\r\nWrite Consistency: DC_ONE\r\n",
        ),
        ("/get_timeout_factor", "Timeout factor: 1\n"),
        ("/state/get_state", "State: NORMAL\n"),
    ] {
        for method in [Method::Get, Method::Head] {
            assert_eq!(
                ask(method, path, &mut world),
                Response::legacy(body),
                "{path}"
            );
        }
        let refused = ask(Method::Post, path, &mut world);
        assert_eq!(refused.status, Status::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(refused.allow, [Method::Get, Method::Head]);
    }
    let metrics = ask(Method::Get, "/metrics", &mut world);
    assert_eq!(
        metrics.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[test]
fn other_paths_are_not_found_unless_an_operator_wants_the_originals_way() {
    let mut world = node();
    for path in [
        "/info/",
        "/INFO",
        "/inf",
        "/infox",
        "*",
        "/peer",
        "/peer/",
        "/state",
        "/state/",
        "/states/normal",
        "/setloglevel",
        "/set_consistency",
        "",
    ] {
        assert_eq!(get(path, &mut world).0, 404, "{path}");
    }
    world.policy = Policy {
        lenient: true,
        ..Policy::default()
    };
    assert_eq!(get("/infox", &mut world), (200, "OK\r\n".to_owned()));
    assert_eq!(
        ask(Method::Post, "/infox", &mut world).status,
        Status::NOT_FOUND
    );
    assert_eq!(world.asked, 0);
}

#[test]
fn a_change_is_made_by_get_and_post_and_never_by_head() {
    let mut world = node();
    for (method, factor) in [(Method::Get, 3), (Method::Post, 4)] {
        let path = format!("/set_timeout_factor/{factor}");
        assert_eq!(ask(method, &path, &mut world), Response::legacy("OK\r\n"));
        assert_eq!(world.node.operator().timeout_factor(), factor);
    }
    for method in [Method::Head, Method::Other] {
        let refused = ask(method, "/state/standby", &mut world);
        assert_eq!(refused.status, Status::METHOD_NOT_ALLOWED);
        assert_eq!(refused.allow, [Method::Get, Method::Post]);
    }
    assert_eq!(get("/state/get_state", &mut world).1, "State: NORMAL\n");
}

#[test]
fn a_change_from_elsewhere_or_by_a_foreign_page_is_refused_and_counted() {
    let mut world = node();
    let far = Caller::new("10.0.0.6:5".parse().ok(), "10.0.0.5:22222".parse().ok());
    let refused = ask_as(far, Method::Get, "/state/standby", &mut world);
    assert_eq!(refused.status, Status::FORBIDDEN);
    let page = Request {
        origin: Some("https://evil.example".into()),
        host: Some("localhost:22222".into()),
        ..request(Method::Post, "/state/standby")
    };
    let refused = answer(ROUTES, &page, here(), at(0), &mut world);
    assert_eq!(refused.status, Status::FORBIDDEN);
    assert_eq!(get("/state/get_state", &mut world).1, "State: NORMAL\n");
    // Whoever may not change may look.
    assert_eq!(
        ask_as(far, Method::Get, "/info", &mut world).status,
        Status::OK
    );
    world.policy.remote = true;
    assert_eq!(
        ask_as(far, Method::Get, "/state/standby", &mut world).status,
        Status::OK
    );
    let own = world.node.operator().stats(at(0)).own;
    assert_eq!((own.changes, own.changes_refused), (1, 2));
}

#[test]
fn levels_are_words_in_any_case_and_anything_else_changes_nothing() {
    let mut world = node();
    for (path, status) in [
        ("/set_consistency/read/dc_quorum", 200),
        ("/set_consistency/write/DC_EACH_SAFE_QUORUM", 200),
        ("/set_consistency/read/quorum", 400),
        ("/set_consistency/read/dc_one/", 400),
        ("/set_consistency/read", 400),
        ("/set_consistency/both/dc_one", 400),
    ] {
        assert_eq!(get(path, &mut world).0, status, "{path}");
    }
    let text = "Read Consistency: DC_QUORUM\r\nWrite Consistency: DC_EACH_SAFE_QUORUM\r\n";
    assert_eq!(get("/get_consistency", &mut world).1, text);
}

#[test]
fn the_timeout_factor_is_a_number_taken_into_its_bounds() {
    let mut world = node();
    for (text, becomes) in [
        ("5", Some(5)),
        ("0", Some(1)),
        ("300", Some(10)),
        ("99999999999999999999", Some(10)),
        ("-3", None),
        ("abc", None),
        ("3x", None),
        ("+3", None),
    ] {
        let before = world.node.operator().timeout_factor();
        let (status, _) = get(&format!("/set_timeout_factor/{text}"), &mut world);
        assert_eq!(status, if becomes.is_some() { 200 } else { 400 }, "{text}");
        assert_eq!(
            world.node.operator().timeout_factor(),
            becomes.unwrap_or(before),
            "{text}"
        );
    }
}

#[test]
fn states_are_four_words() {
    let mut world = node();
    for word in ["standby", "writes_only", "resuming", "normal"] {
        assert_eq!(
            get(&format!("/state/{word}"), &mut world),
            (200, "OK\r\n".to_owned())
        );
        let told = format!("State: {}\n", word.to_ascii_uppercase());
        assert_eq!(get("/state/get_state", &mut world).1, told);
    }
    for word in ["STANDBY", "joining", "down", "init", "standby/", "Unknown"] {
        assert_eq!(get(&format!("/state/{word}"), &mut world).0, 400, "{word}");
    }
    assert_eq!(get("/state/get_state", &mut world).1, "State: NORMAL\n");
}

#[test]
fn read_repair_is_not_promised() {
    let mut world = node();
    let (status, body) = get("/read_repairs/enable", &mut world);
    assert_eq!(status, 501);
    assert!(body.starts_with("Read Repairs: DISABLED"), "{body}");
    let disabled = (200, "Read Repairs: DISABLED\r\n".to_owned());
    assert_eq!(get("/read_repairs/disable", &mut world), disabled);
    assert_eq!(get("/read_repairs/maybe", &mut world).0, 400);
}

const FIVE: [&str; 5] = [
    "10.0.0.1:8101 d1 r1 0",
    "10.0.0.2:8101 d1 r1 2147483648",
    "10.0.0.3:8101 d1 r2 0",
    "10.0.0.3:8201 d1 r2 7,9",
    "b.example:8101 d2 r1 0",
];

#[test]
fn a_peer_is_named_by_host_address_or_place() {
    let mut world = cluster(&FIVE);
    for (name, status, barred) in [
        ("10.0.0.2", 200, &[1][..]),
        ("10.0.0.2:8101", 200, &[1]),
        ("d1/r1/2147483648", 200, &[1]),
        ("10.0.0.3:8201", 200, &[3]),
        ("d1/r2/7", 200, &[3]),
        ("d1/r2/9", 200, &[3]),
        ("b.example", 200, &[4]),
        ("all", 200, &[1, 2, 3, 4]),
        // Two nodes.
        ("10.0.0.3", 409, &[]),
        // This node, and none.
        ("10.0.0.1", 400, &[]),
        ("d1/r1/0", 400, &[]),
        ("10.0.0.9", 404, &[]),
        ("d1/r3/0", 404, &[]),
        ("", 400, &[]),
    ] {
        let (found, body) = get(&format!("/peer/down/{name}"), &mut world);
        assert_eq!(found, status, "{name}: {body}");
        let is_barred = |n: &u16| world.node.operator().is_barred(NodeId(*n));
        assert_eq!(
            (0..5).filter(is_barred).collect::<Vec<u16>>(),
            barred,
            "{name}"
        );
        assert_eq!(get("/peer/up/all", &mut world).0, 200);
        assert!(!(0..5).any(|n| world.node.operator().is_barred(NodeId(n))));
    }
    assert_eq!(get("/peer/sideways/10.0.0.2", &mut world).0, 400);
}

#[test]
fn readiness_says_what_is_missing() {
    let mut world = cluster(&["a:1 d r1 0", "b:1 d r2 0", "c:1 d r3 0"]);
    let troubles = |world: &mut World| -> (u16, Vec<String>) {
        let (status, text) = get("/readyz", world);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["status"] == "ready", status == 200, "{text}");
        let checks = json["checks"].as_array().unwrap();
        let bad = checks.iter().filter(|check| check["ok"] == false);
        let bad = bad.inspect(|check| assert!(check["reason"].is_string(), "{text}"));
        (
            status,
            bad.map(|check| check["name"].as_str().unwrap().to_owned())
                .collect(),
        )
    };
    // Not begun: the datastore is connected to when it is needed.
    assert_eq!(troubles(&mut world), (200, vec![]));
    get("/state/standby", &mut world);
    assert_eq!(troubles(&mut world), (503, vec!["state".to_owned()]));
    get("/state/normal", &mut world);
    // Two of three racks cannot be reached.
    get("/set_consistency/write/dc_safe_quorum", &mut world);
    assert_eq!(troubles(&mut world), (503, vec!["quorum".to_owned()]));
    get("/set_consistency/write/dc_one", &mut world);
    world.listener_checks.push(Check {
        name: "listening",
        trouble: Some("no".to_owned()),
    });
    assert_eq!(troubles(&mut world), (503, vec!["listening".to_owned()]));
    world.listener_checks.clear();
    world.node.drain(at(1));
    assert_eq!(troubles(&mut world), (503, vec!["draining".to_owned()]));
    assert_eq!(get("/livez", &mut world).0, 200);
}

#[test]
fn the_rest_of_a_path_is_handed_over() {
    let routes = [Route {
        pattern: "/peer/down/*",
        usage: "",
        help: "",
        handler: Handler::Show(|call| Response::legacy(call.rest)),
    }];
    let ask = |path: &str| {
        answer(
            &routes,
            &request(Method::Get, path),
            here(),
            at(0),
            &mut node(),
        )
    };
    assert_eq!(ask("/peer/down/a/b"), Response::legacy("a/b"));
    assert_eq!(ask("/peer/down/").status, Status::NOT_FOUND);
}
