//! What a node starts with, and what it starts without.

use crate::common::{Addresses, Client, Redis, Setup, next_net};
use crate::membership::served::Florida;
use crate::membership::world::World;
use dynomite::config::{self, Overrides, Seed};
use dynomite::startup;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

#[test]
fn item_1_entries_of_dyn_seeds() {
    let values = |text: &str| {
        let (seed, folded) = Seed::parse(text).expect(text);
        let tokens: Vec<u32> = seed
            .tokens
            .iter()
            .rev()
            .map(|token| token.value())
            .collect();
        (seed.name, tokens, folded)
    };
    // A name, several tokens, names and addresses, tokens that do not fit.
    assert_eq!(values("h:1:r:d:5 other"), ("other".into(), vec![5], false));
    assert_eq!(values("h:1:r:d:11,12"), ("h".into(), vec![11, 12], false));
    assert_eq!(values("::1:1:r:d:1"), ("::1".into(), vec![1], false));
    assert_eq!(values("h:1:r:d:4294967297"), ("h".into(), vec![1], true));
    for bad in [
        "h:1:r:d:abc",
        "h:xx:r:d:1",
        "h:0:r:d:1",
        "h:r:d:1",
        "h:1::d:1",
        "h:1:r::1",
        "h:1:r:d:",
    ] {
        assert!(Seed::parse(bad).is_err(), "{bad}");
        let setup = Setup::before_address("127.0.0.1:1:1").with("dyn_seeds", format!("'{bad}'"));
        assert!(setup.refuses().contains("directive \"dyn_seeds\""), "{bad}");
    }
}

#[test]
fn item_2_known_providers_start_and_others_are_named() {
    let store = Redis::start();
    for provider in [
        "simple_provider",
        "florida_provider",
        "dns_provider",
        "file_provider",
    ] {
        // None of them is answered.
        let mut node = Setup::before(&store)
            .with("dyn_seed_provider", provider)
            .with_env("DYNOMITE_FLORIDA_PORT", 1)
            .with_env("DYNOMITE_DNS_SERVER", "127.0.0.1:1")
            .with_env("DYNOMITE_SEEDS_FILE", "/nonexistent/seeds")
            .start();
        node.expect_alive();
    }
    for other in ["florida", "florida_provider2", "Simple_Provider", "bogus"] {
        let said = Setup::before(&store)
            .with("dyn_seed_provider", other)
            .refuses();
        for name in ["'simple_provider'", "'florida_provider'", "'dns_provider'"] {
            assert!(said.contains(name), "{said}");
        }
    }
}

#[test]
fn item_17_the_option_for_gossip_is_the_key() {
    let text = "d:\n  listen: h:1\n  dyn_listen: h:2\n  tokens: '1'\n  servers: h:3:1\n";
    let gossips = |text: &str, gossip| {
        let overrides = Overrides {
            gossip,
            ..Overrides::default()
        };
        let loaded = config::parse(text, "f", &overrides).expect("a configuration");
        loaded.settings.enable_gossip
    };
    assert!(!gossips(text, false));
    assert!(gossips(text, true));
    assert!(gossips(&format!("{text}  enable_gossip: true\n"), false));
    assert!(gossips(&format!("{text}  enable_gossip: false\n"), true));
}

#[test]
fn the_samples_that_ask_for_seeds_can_be_started_with() {
    for sample in ["dynomite_florida_single.yml", "dynomite_dns_single.yml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("conf")
            .join(sample);
        let (lines, code) = startup::test(&path, &Overrides::default(), &[]);
        assert_eq!(code, 0, "{lines:?}");
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn item_18_seeds_that_cannot_be_resolved_or_reached_keep_nobody_from_starting() {
    let mut world = World::new();
    let (a, b) = (world.spot("d", "r1", 0), world.spot("d", "r2", 0));
    let seeds = format!(
        "\n  - no.such.host.invalid:8101:r3:d:0\n  - {}",
        world.entry(b)
    );
    let node = world
        .setup(a)
        .with("dyn_seed_provider", "simple_provider")
        .with("dyn_seeds", seeds)
        .start();
    let mut client = node.client();
    assert_eq!(client.ask("set k v"), b"+OK\r\n");
    assert_eq!(client.ask("get k"), b"$1\r\nv\r\n");
    world.start(b);
    node.await_stat("peer_connections", |n| n == 1);
    assert_eq!(client.ask("set k w"), b"+OK\r\n");
    world.await_held(b, "k", "w");
}

#[test]
fn item_19_a_peer_that_restarts_on_another_address_of_its_name_is_followed() {
    let localhost: Vec<SocketAddr> = ("localhost", 1)
        .to_socket_addrs()
        .map(Iterator::collect)
        .unwrap_or_default();
    if !localhost.iter().any(SocketAddr::is_ipv6) || !localhost.iter().any(SocketAddr::is_ipv4) {
        eprintln!("skipped: localhost has one address only");
        return;
    }
    let mut world = World::new();
    let (a, b) = (world.spot("d", "r1", 0), world.spot("d", "r2", 0));
    // A port that is free on both of its addresses.
    let port = (0..100)
        .find_map(|_| {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let port = first.local_addr().ok()?.port();
            TcpListener::bind((Ipv6Addr::LOCALHOST, port))
                .ok()
                .map(|_| port)
        })
        .expect("a free port");
    let node = world
        .setup(a)
        .with("dyn_seed_provider", "simple_provider")
        .with("dyn_seeds", format!("localhost:{port}:r2:d:0"))
        .start();
    for ip in [
        Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::from(Ipv6Addr::LOCALHOST),
    ] {
        world.spots[b].at.peers = SocketAddr::new(ip, port);
        world.start(b);
        node.await_stat("peer_connections", |n| n == 1);
        let value = if ip.is_ipv4() { "four" } else { "six" };
        assert_eq!(node.client().ask(&format!("set k {value}")), b"+OK\r\n");
        world.await_held(b, "k", value);
        world.spots[b].node.take().expect("it runs").kill();
        node.await_stat("peer_connections", |n| n == 0);
    }
}

#[test]
fn item_22_what_the_sidecar_writes_starts_and_answers_ping() {
    let [a, b, c] = next_net();
    let other = Addresses::free(Ipv4Addr::new(a, b, c, 200)).peers;
    let florida = Florida::new(&format!("{other}:us-east-1d:us-east-1:1383429731"));
    let store = Redis::start();
    let key = crate::common::new_key(
        store.socket().parent().expect("a directory"),
        "dynomite.pem",
    );
    let mut setup = Setup::before(&store).with_token(1383429731);
    for (name, value) in [
        ("auto_eject_hosts", "true"),
        ("rack", "us-east-1c"),
        ("distribution", "vnode"),
        ("dyn_seed_provider", "florida_provider"),
        ("gos_interval", "10000"),
        ("hash", "murmur"),
        ("preconnect", "true"),
        ("server_retry_timeout", "30000"),
        ("timeout", "5000"),
        ("secure_server_option", "datacenter"),
        ("datacenter", "us-east-1"),
        ("read_consistency", "DC_ONE"),
        ("write_consistency", "DC_ONE"),
        ("mbuf_size", "16384"),
        ("max_msgs", "200000"),
        ("pem_key_file", key.to_str().expect("a path")),
        ("hash_tag", "'{}'"),
        ("datastore_connections", "1"),
        ("local_peer_connections", "1"),
        ("remote_peer_connections", "1"),
    ] {
        setup = setup.with(name, value);
    }
    let node = setup
        .with_env("DYNOMITE_FLORIDA_PORT", florida.addr.port())
        .start();
    let mut client: Client = node.client();
    assert_eq!(client.ask("ping"), b"+PONG\r\n");
    assert_eq!(node.stat("members_added"), 1);
}
