//! The cluster in the forms that other programs read.

use super::*;

#[test]
fn the_cluster_is_described_as_the_original_does() {
    let mut world = cluster(&[
        "127.0.0.1:23011 dc1 rack1 101134286",
        "localhost:23021 dc1 rack2 101134286",
        "127.0.0.1:23031 dc2 rack1 7,9",
    ]);
    world.addresses = vec![(NodeId(1), "127.0.0.1".parse().unwrap())];
    let expected = "{\"dcs\": [{\"name\":\"dc1\",\"racks\": [{\"name\":\"rack1\",\"servers\": [{\"name\":\"127.0.0.1\",\"host\":\"127.0.0.1\",\"port\":23011,\n\"token\":101134286\n}]},{\"name\":\"rack2\",\"servers\": [{\"name\":\"127.0.0.1\",\"host\":\"localhost\",\"port\":23021,\n\"token\":101134286\n}]}]},{\"name\":\"dc2\",\"racks\": [{\"name\":\"rack1\",\"servers\": [{\"name\":\"127.0.0.1\",\"host\":\"127.0.0.1\",\"port\":23031,\n\"token\":9\n}]}]}]}\n";
    assert_eq!(
        get("/cluster_describe", &mut world),
        (200, expected.to_owned())
    );
}

/// Name and host of this node in `/cluster_describe`.
fn own_names(world: &mut World) -> (String, String) {
    let text = get("/cluster_describe", world).1;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let me = &json["dcs"][0]["racks"][0]["servers"][0];
    let text = |name: &str| me[name].as_str().unwrap().to_owned();
    (text("name"), text("host"))
}

#[test]
fn the_environment_names_this_node() {
    for (listen, host, ip, expected) in [
        ("10.0.0.1:1", None, None, ("10.0.0.1", "10.0.0.1")),
        ("10.0.0.1:1", Some("h"), None, ("10.0.0.1", "h")),
        ("10.0.0.1:1", Some("h"), Some("1.2.3.4"), ("1.2.3.4", "h")),
        ("10.0.0.1:1", None, Some("1.2.3.4"), ("1.2.3.4", "10.0.0.1")),
        ("n.example:1", None, None, ("n.example", "n.example")),
        ("n.example:1", Some("h"), None, ("h", "h")),
        ("0.0.0.0:1", None, None, ("10.0.0.7", "10.0.0.7")),
        ("0.0.0.0:1", Some("h"), None, ("10.0.0.7", "h")),
    ] {
        let mut world = cluster(&[&format!("{listen} d r 0"), "10.0.0.2:1 d r2 0"]);
        world.addresses = vec![(NodeId::ME, "10.0.0.7".parse().unwrap())];
        world.identity.public_host = host.map(str::to_owned);
        world.identity.public_ip = ip.map(str::to_owned);
        let (name, host) = own_names(&mut world);
        assert_eq!((name.as_str(), host.as_str()), expected, "{listen}");
    }
    // Nothing better is known without a peer.
    let mut world = cluster(&["0.0.0.0:1 d r 0"]);
    assert_eq!(
        own_names(&mut world),
        ("0.0.0.0".to_owned(), "0.0.0.0".to_owned())
    );
}

#[test]
fn names_with_quotes_are_escaped() {
    let mut world = node();
    let mut me = member("h:1 d r 0");
    me.dc = "d\"c\\\n".to_owned();
    me.rack = "r\"".to_owned();
    world.node = crate::node::Node::new(
        crate::node::Options::default(),
        std::sync::Arc::new(Topology::build(me, vec![]).unwrap().topology),
        at(0),
    );
    for path in [
        "/cluster_describe",
        "/REST/v1/admin/cluster_describe",
        "/readyz",
        "/livez",
    ] {
        let text = get(path, &mut world).1;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        if path == "/cluster_describe" {
            assert_eq!(json["dcs"][0]["name"], "d\"c\\\n");
            assert_eq!(json["dcs"][0]["racks"][0]["name"], "r\"");
        }
    }
}

#[test]
fn seeds_leave_out_whoever_asks() {
    let mut world = cluster(&FIVE);
    let me = "10.0.0.1:8101:r1:d1:0";
    let others = "10.0.0.2:8101:r1:d1:2147483648|10.0.0.3:8101:r2:d1:0|10.0.0.3:8201:r2:d1:7,9|b.example:8101:r1:d2:0";
    for path in ["/get_seeds", "/REST/v1/admin/get_seeds"] {
        let response = ask(Method::Get, path, &mut world);
        assert_eq!(String::from_utf8(response.body).unwrap(), others);
        assert!(
            response.http10,
            "a C node reads to the end of the connection"
        );
    }
    let peer = Caller::new("10.0.0.2:5000".parse().ok(), "10.0.0.1:22222".parse().ok());
    let response = ask_as(peer, Method::Get, "/get_seeds", &mut world);
    let (_, without) = others.split_once('|').unwrap();
    assert_eq!(
        String::from_utf8(response.body).unwrap(),
        format!("{me}|{without}")
    );
    let stranger = Caller::new("10.9.9.9:5000".parse().ok(), "10.0.0.1:22222".parse().ok());
    let response = ask_as(stranger, Method::Get, "/get_seeds", &mut world);
    assert_eq!(String::from_utf8(response.body).unwrap(), others);
}

#[test]
fn the_dyno_client_gets_strings_only() {
    let mut world = cluster(&FIVE[..2]);
    world.identity.client_port = 8102;
    world.identity.hash_tag = Some(*b"{}");
    let text = get("/REST/v1/admin/cluster_describe", &mut world).1;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!([
        {"token": "0", "hostname": "10.0.0.1", "port": "8102", "secure_port": "-1",
         "secure_storage_port": "-1", "peer_port": "8101", "rack": "r1", "ip": "10.0.0.1",
         "zone": "r1", "dc": "d1", "hashtag": "{}"},
        {"token": "2147483648", "hostname": "10.0.0.2", "port": "8102", "secure_port": "-1",
         "secure_storage_port": "-1", "peer_port": "8101", "rack": "r1", "ip": "10.0.0.2",
         "zone": "r1", "dc": "d1", "hashtag": "{}"},
    ]);
    assert_eq!(json, expected);
}

#[test]
fn a_wildcard_is_not_told_to_others() {
    let mut world = cluster(&["0.0.0.0:8101 d r1 0", "10.0.0.2:8101 d r2 0"]);
    let peer = Caller::new("10.0.0.2:5000".parse().ok(), None);
    let told = |world: &mut World| {
        let response = ask_as(peer, Method::Get, "/get_seeds", world);
        String::from_utf8(response.body).unwrap()
    };
    assert_eq!(told(&mut world), "");
    world.addresses = vec![(NodeId::ME, "10.0.0.1".parse().unwrap())];
    assert_eq!(told(&mut world), "10.0.0.1:8101:r1:d:0");
}
