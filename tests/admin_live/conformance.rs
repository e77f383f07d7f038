//! What the C original's users rely on, item by item; the list is in the head of this test program.

use crate::admin_live::numbers;
use crate::common::{Cluster, Plan, Redis, Setup, eventually};
use dynomite::admin::routes::{Handler, ROUTES};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn item_03_the_pool_and_the_datastore_have_their_names() {
    let redis = Redis::start();
    for (server, name) in [
        (
            format!("{}:1", redis.socket().display()),
            redis.socket().display().to_string(),
        ),
        (
            format!("'{}:1 my store'", redis.socket().display()),
            "my store".rsplit(' ').next().unwrap().to_owned(),
        ),
        ("127.0.0.1:11211:1".to_owned(), "127.0.0.1".to_owned()),
        ("127.0.0.1:1:1".to_owned(), "127.0.0.1:1".to_owned()),
    ] {
        let server = server.replace(" my store", " store");
        let node = Setup::before_address(&server).start();
        let pool = &node.info()["dyn_o_mite"];
        assert!(pool[&name].is_object(), "{server}: {pool}");
    }
}

/// A path for each route.
fn paths() -> Vec<(String, bool)> {
    let argument = |pattern: &str| match pattern {
        "/setloglevel/*" => "5",
        "/set_consistency/*" => "read/dc_one",
        "/set_timeout_factor/*" => "1",
        "/peer/*" => "up/all",
        "/state/*" => "normal",
        "/read_repairs/*" => "disable",
        _ => "",
    };
    ROUTES
        .iter()
        .map(|route| {
            let path = route.pattern.trim_end_matches('*');
            let is_change = matches!(route.handler, Handler::Change(_));
            (format!("{path}{}", argument(route.pattern)), is_change)
        })
        .collect()
}

#[test]
fn item_06_every_route_frames_its_answer_and_other_programs_read_it() {
    let cluster = Plan::of(1, 2, 1).start();
    let node = cluster.members[0].node();
    let url = format!("http://{}", node.stats_addr);
    let mut readers = 0;
    for (path, _) in paths() {
        let url = format!("{url}{path}");
        let (status, body) = node.get(&path);
        assert_eq!(status, 200, "{path}: {body}");
        let urllib = "import sys, urllib.request\nr = urllib.request.urlopen(sys.argv[1])\nb = r.read()\nassert int(r.headers['Content-Length']) == len(b)\nprint(r.status)";
        // The strictest of them: it refused the C original's answers.
        let node_js = "require('http').get(process.argv[1], r => { let n = 0; r.on('data', d => n += d.length); r.on('end', () => { if (n != r.headers['content-length']) process.exit(1); console.log(r.statusCode); }); });";
        for (program, arguments) in [
            (
                "curl",
                vec!["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", &url],
            ),
            ("python3", vec!["-c", urllib, &url]),
            ("node", vec!["-e", node_js, &url]),
        ] {
            let Ok(output) = Command::new(program).args(&arguments).output() else {
                continue;
            };
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {path}: {error}");
            assert_eq!(output.stdout, b"200\n", "{program} {path}");
            readers += 1;
        }
    }
    println!("{readers} answers were read by other programs");
}

#[test]
fn item_07_each_route_has_its_body() {
    let cluster = Plan::of(1, 2, 1).start();
    let node = cluster.members[0].node();
    for (path, body) in [
        ("/ping", "OK\r\n"),
        ("/setloglevel/7", "OK\r\n"),
        ("/loglevelup", "OK\r\n"),
        ("/logleveldown", "OK\r\n"),
        ("/historeset", "OK\r\n"),
        (
            "/get_consistency",
            "Read Consistency: DC_ONE\r\nWrite Consistency: DC_ONE\r\n",
        ),
        ("/set_consistency/read/dc_quorum", "OK\r\n"),
        ("/get_timeout_factor", "Timeout factor: 1\n"),
        ("/set_timeout_factor/2", "OK\r\n"),
        ("/peer/down/all", "OK\r\n"),
        ("/peer/up/all", "OK\r\n"),
        ("/peer/reset/all", "OK\r\n"),
        ("/read_repairs/disable", "Read Repairs: DISABLED\r\n"),
        ("/state/get_state", "State: NORMAL\n"),
        ("/state/standby", "OK\r\n"),
        ("/state/get_state", "State: STANDBY\n"),
        ("/state/writes_only", "OK\r\n"),
        ("/state/get_state", "State: WRITES_ONLY\n"),
        ("/state/resuming", "OK\r\n"),
        ("/state/get_state", "State: RESUMING\n"),
        ("/state/normal", "OK\r\n"),
    ] {
        assert_eq!(node.told(path), body, "{path}");
    }
    assert!(
        node.told("/help")
            .starts_with("/info\n/help\n/ping\n/cluster_describe\n")
    );
    // Each change is a line in the log: the client, the setting, the old and the new value.
    for line in [
        "log level 5 -> 7, asked for by 127.",
        "log level 7 -> 8, asked for by 127.",
        "read consistency DC_ONE -> DC_QUORUM, asked for by",
        "timeout factor 1 -> 2, asked for by",
        "free -> barred, asked for by",
        "barred -> free, asked for by",
        "state NORMAL -> STANDBY, asked for by",
        "state RESUMING -> NORMAL, asked for by",
    ] {
        // The log is written beside the event loop.
        eventually(line, || node.log().contains(line));
    }
}

#[test]
fn item_08_levels_are_set_in_any_case_and_read_in_upper_case() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    for (level, shown) in [
        ("dc_one", "DC_ONE"),
        ("DC_QUORUM", "DC_QUORUM"),
        ("Dc_Safe_Quorum", "DC_SAFE_QUORUM"),
        ("dc_each_safe_quorum", "DC_EACH_SAFE_QUORUM"),
    ] {
        node.told(&format!("/set_consistency/read/{level}"));
        node.told(&format!("/set_consistency/write/{level}"));
        let expected = format!("Read Consistency: {shown}\r\nWrite Consistency: {shown}\r\n");
        assert_eq!(node.told("/get_consistency"), expected);
    }
    let (status, reason) = node.get("/set_consistency/read/dc_two");
    assert_eq!((status, reason.lines().count()), (400, 1), "{reason}");
}

#[test]
fn item_09_the_timeout_factor_is_clamped_and_counts() {
    let redis = Redis::start();
    let node = Setup::before(&redis).with("timeout", 200).start();
    for (text, status, factor) in [
        ("0", 200, 1),
        ("11", 200, 10),
        ("-3", 400, 10),
        ("abc", 400, 10),
        ("5", 200, 5),
    ] {
        assert_eq!(
            node.get(&format!("/set_timeout_factor/{text}")).0,
            status,
            "{text}"
        );
        assert_eq!(
            node.told("/get_timeout_factor"),
            format!("Timeout factor: {factor}\n")
        );
    }
    // A request that would have taken too long.
    let mut client = node.client();
    crate::common::pause(redis.pid());
    client.send(b"*1\r\n$4\r\nPING\r\n");
    node.await_stat("out_queue", |n| n == 1);
    let before = numbers(&node)["server_timedout_requests"];
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(400) {
        node.told("/ping");
    }
    assert_eq!(numbers(&node)["server_timedout_requests"], before);
    crate::common::resume(redis.pid());
    assert_eq!(client.reply(), b"+PONG\r\n");
}

#[test]
fn item_10_the_log_level_is_clamped_and_stops_at_its_ends() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let level = || numbers(&node)["log_level"];
    for (path, becomes) in [
        ("/setloglevel/300", 11),
        ("/loglevelup", 11),
        ("/setloglevel/0", 0),
        ("/logleveldown", 0),
        ("/loglevelup", 1),
    ] {
        node.told(path);
        assert_eq!(level(), becomes, "{path}");
    }
    for (text, status) in [("abc", 400), ("11x", 400), ("-1", 400), ("%20", 403)] {
        assert_eq!(
            node.get(&format!("/setloglevel/{text}")).0,
            status,
            "{text}"
        );
        assert_eq!(level(), 1);
    }
}

#[test]
fn item_11_nothing_is_changed_by_head_or_another_method() {
    use std::io::{Read, Write};
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    for (path, _) in paths().iter().filter(|(_, is_change)| *is_change) {
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
            let mut stream = std::net::TcpStream::connect(node.stats_addr).unwrap();
            let path = path.replace("normal", "standby");
            let request = format!("{method} {path} HTTP/1.0\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 405 "),
                "{method} {path}: {answer}"
            );
            assert!(answer.contains("\r\nAllow: GET, POST\r\n"), "{answer}");
        }
    }
    assert_eq!(numbers(&node)["changes"], 0);
    assert_eq!(node.told("/state/get_state"), "State: NORMAL\n");
    let paths =
        |of: &serde_json::Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let root: serde_json::Value = serde_json::from_str(&node.told("/")).unwrap();
    assert_eq!(paths(&root), paths(&node.info()));
}

const FORBIDDEN: &[u8] = b"-ERR Dynomite: Dynomite's current state does not allow this request\r\n";

#[test]
fn item_15_states_decide_about_requests_of_clients_and_of_peers() {
    // The second node's datastore is reached through its peer as well.
    let cluster = Plan::of(1, 1, 2).start();
    let (near, far) = (cluster.members[0].node(), cluster.members[1].node());
    let key = cluster.key_of(1, "k");
    let (mut own, mut other) = (far.client(), near.client());
    far.told("/state/standby");
    for client in [&mut own, &mut other] {
        assert_eq!(client.ask(&format!("get {key}")), FORBIDDEN);
        assert_eq!(client.ask(&format!("set {key} v")), FORBIDDEN);
    }
    assert_eq!(own.ask("ping"), FORBIDDEN);
    assert_eq!(other.ask("ping"), b"+PONG\r\n");
    far.told("/state/writes_only");
    for client in [&mut own, &mut other] {
        assert_eq!(client.ask(&format!("get {key}")), FORBIDDEN);
        client.send(&crate::common::words(&format!("incr {key}")));
    }
    far.await_stat("writes_held", |n| n == 2);
    assert_eq!(
        cluster.members[1].held(&key),
        r"$-1\r\n",
        "nothing has been sent"
    );
    far.told("/state/resuming");
    let mut replies = [own.reply(), other.reply()];
    replies.sort();
    assert_eq!(replies, [b":1\r\n", b":2\r\n"]);
    assert_eq!(own.ask(&format!("get {key}")), FORBIDDEN);
    assert_eq!(other.ask(&format!("incr {key}")), b":3\r\n");
    far.told("/state/normal");
    for client in [&mut own, &mut other] {
        assert_eq!(client.ask(&format!("get {key}")), b"$1\r\n3\r\n");
    }
    assert_eq!(numbers(far)["writes_held"], 0);
}

/// The gauges of queues and connections that must be 0 at rest.
const AT_REST: [&str; 13] = [
    "client_connections",
    "dnode_client_out_queue",
    "peer_in_queue",
    "peer_out_queue",
    "peer_in_queue_bytes",
    "peer_out_queue_bytes",
    "remote_peer_in_queue",
    "remote_peer_out_queue",
    "remote_peer_in_queue_bytes",
    "remote_peer_out_queue_bytes",
    "in_queue",
    "out_queue",
    "out_queue_bytes",
];

fn await_rest(cluster: &Cluster, node: usize) {
    for gauge in AT_REST {
        cluster.members[node].node().await_stat(gauge, |n| n == 0);
    }
}

#[test]
fn item_16_gauges_return_after_peers_die_and_stores_restart() {
    let mut cluster = Plan::of(2, 2, 1).start();
    let load = |cluster: &Cluster| {
        let mut client = cluster.client(0);
        for n in 0..200 {
            client.ask(&format!("set key{n} value"));
        }
    };
    load(&cluster);
    await_rest(&cluster, 0);
    let peers = numbers(cluster.members[0].node());
    assert_eq!(
        (peers["peer_connections"], peers["dnode_client_connections"]),
        (3, 3)
    );
    cluster.kill(1);
    load(&cluster);
    await_rest(&cluster, 0);
    cluster.members[0]
        .node()
        .await_stat("dnode_client_connections", |n| n == 2);
    cluster.restart(1);
    cluster.members[0]
        .node()
        .await_stat("dnode_client_connections", |n| n == 3);
    cluster.kill_store(0);
    load(&cluster);
    await_rest(&cluster, 0);
    cluster.restart_store(0);
    load(&cluster);
    await_rest(&cluster, 0);
    let store = |name: &str| cluster.members[0].node().stat(name);
    assert_eq!(store("datastore_connections"), 1);
}

#[test]
fn item_17_headers_of_the_peers_protocol_are_not_counted() {
    let cluster = Plan::of(1, 2, 1).start();
    let before = numbers(cluster.members[0].node());
    let request = crate::common::words("set key value");
    let mut client = cluster.client(0);
    client.send(&request);
    assert_eq!(client.reply(), b"+OK\r\n");
    let after = numbers(cluster.members[0].node());
    for (name, by) in [
        ("peer_requests", 1),
        ("peer_request_bytes", request.len() as i64),
        ("write_request_bytes", request.len() as i64),
    ] {
        assert_eq!(after[name] - before[name], by, "{name}");
    }
    let url = cluster.members[1].node();
    assert_eq!(url.stat("write_request_bytes"), request.len() as i64);
    // Of each peer by itself, too, with the question by which it was found out what the peer is.
    let question = b"*1\r\n$4\r\nPING\r\n".len();
    let text = cluster.members[0].node().told("/metrics");
    let line = format!(
        "dynomite_peer_request_bytes_total{{peer=\"{}\",dc=\"dc0\",rack=\"rack1\"}} {}\n",
        cluster.members[1].addresses.peers,
        question + request.len()
    );
    assert!(text.contains(&line), "{text}");
}

#[test]
fn item_20_historeset_clears_all_at_once_and_no_counter() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    client.ask("set k v");
    let before = numbers(&node);
    assert!(before["latency_max"] > 0 && before["payload_size_max"] > 0);
    let total = |text: &str| {
        let name = "dynomite_client_request_duration_seconds_count{class=\"write\"} ";
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let counted = total(&node.told("/metrics"));
    node.told("/historeset");
    let after = numbers(&node);
    for (name, value) in &after {
        let measured = ["latency", "payload_size", "rtt", "queue_wait", "queue_99"];
        if measured.iter().any(|part| name.contains(part)) {
            assert_eq!(*value, 0, "{name}");
        }
    }
    assert_eq!(
        after["client_write_requests"],
        before["client_write_requests"]
    );
    assert_eq!(
        total(&node.told("/metrics")),
        counted,
        "what Prometheus sees never falls"
    );
}

#[test]
fn item_21_the_loss_of_a_peer_is_dated_in_milliseconds() {
    let mut cluster = Plan::of(1, 2, 1).start();
    cluster.kill(1);
    let at = numbers(cluster.members[0].node())["peer_ejected_at"];
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    assert!(now.abs_diff(at as u128) < 60_000, "{at}");
}

#[test]
fn item_22_the_cluster_is_described_and_the_environment_names_the_node() {
    let cluster = Plan::of(2, 2, 1).start();
    let text = cluster.members[3].node().told("/cluster_describe");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut seen = Vec::new();
    for dc in json["dcs"].as_array().unwrap() {
        for rack in dc["racks"].as_array().unwrap() {
            for server in rack["servers"].as_array().unwrap() {
                let port = server["port"].as_u64().unwrap() as u16;
                let ip: std::net::IpAddr = server["name"].as_str().unwrap().parse().unwrap();
                seen.push((
                    dc["name"].clone(),
                    rack["name"].clone(),
                    std::net::SocketAddr::new(ip, port),
                ));
            }
        }
    }
    // This node's datacenter first, racks by name.
    let expected = [(1, 0), (1, 1), (0, 0), (0, 1)].map(|(dc, rack)| {
        let member = &cluster.members[cluster.at(dc, rack)];
        (
            format!("dc{dc}").into(),
            format!("rack{rack}").into(),
            member.addresses.peers,
        )
    });
    assert_eq!(seen, expected);
    let redis = Redis::start();
    let named = Setup::before(&redis)
        .with_env("EC2_PUBLIC_HOSTNAME", "ec2-1.example")
        .with_env("EC2_PUBLIC_IPV4", "203.0.113.7")
        .with_env("PUBLIC_IPV4", "203.0.113.8")
        .start();
    let text = named.told("/cluster_describe");
    assert!(
        text.contains("{\"name\":\"203.0.113.7\",\"host\":\"ec2-1.example\","),
        "{text}"
    );
}

/// With the request a C node sends, byte for byte, read as it reads: up to the end of the connection.
#[test]
fn seeds_are_told_as_a_c_node_reads_them() {
    use std::io::{Read, Write};
    let cluster = Plan::of(2, 2, 1).start();
    let mut stream = std::net::TcpStream::connect(cluster.members[0].node().stats_addr).unwrap();
    let request = b"GET /REST/v1/admin/get_seeds HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    let (_, list) = answer.split_once("\r\n\r\n").unwrap();
    let expected: Vec<String> = cluster.members[1..]
        .iter()
        .map(|member| {
            let (rack, dc) = (member.rack, member.dc);
            format!("{}:rack{rack}:dc{dc}:0", member.addresses.peers)
        })
        .collect();
    assert_eq!(list, expected.join("|"));
}

#[test]
fn item_24_the_endpoint_tells_the_truth_while_others_are_away() {
    let mut cluster = Plan::of(1, 3, 1)
        .with("write_consistency", "DC_QUORUM")
        .start();
    let troubles = |cluster: &Cluster| -> Vec<String> {
        let (status, text) = cluster.members[0].node().get("/readyz");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let checks = json["checks"].as_array().unwrap();
        let bad = checks.iter().filter(|check| check["ok"] == false);
        let bad: Vec<String> = bad
            .map(|check| check["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(status, if bad.is_empty() { 200 } else { 503 }, "{text}");
        bad
    };
    assert!(troubles(&cluster).is_empty());
    cluster.kill(1);
    assert!(
        troubles(&cluster).is_empty(),
        "two of three racks are a quorum"
    );
    let dead = cluster.members[1].addresses.peers;
    let text = cluster.members[0].node().told("/metrics");
    assert!(text.contains(&format!(
        "dynomite_peer_up{{peer=\"{dead}\",dc=\"dc0\",rack=\"rack1\"}} 0\n"
    )));
    cluster.kill(2);
    assert_eq!(troubles(&cluster), ["quorum"]);
    cluster.kill_store(0);
    assert_eq!(troubles(&cluster), ["datastore", "quorum"]);
    let node = cluster.members[0].node();
    assert_eq!(node.told("/ping"), "OK\r\n");
    assert!(node.told("/livez").contains("\"live\""));
    assert_eq!(node.stat("datastore_connections"), 0);
    cluster.restart_store(0);
    cluster.restart(1);
    eventually("the node is ready", || troubles(&cluster).is_empty());
}
