//! Files that exist: what the generators of the field write, and the samples in `conf/`.

use dynomite::config::{self, Loaded, Overrides};
use dynomite::logging::Level;
use std::path::Path;

fn parse(text: &str) -> Loaded {
    config::parse(text, "test.yml", &Overrides::default())
        .unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

fn warnings(loaded: &Loaded) -> Vec<&str> {
    loaded
        .notes
        .iter()
        .filter(|note| note.level == Level::Warn)
        .map(|note| note.text.as_str())
        .collect()
}

#[test]
fn what_generators_write_loads() {
    // test/dyno_cluster.py, by PyYAML.
    let cluster = "\
dyn_o_mite:
  data_store: 0
  datacenter: dc0
  datastore_connections: 1
  dyn_listen: 127.0.1.1:8101
  dyn_seeds: []
  listen: 127.0.1.1:8102
  local_peer_connections: 0
  pem_key_file: conf/dynomite.pem
  rack: rack0
  read_consistency: DC_ONE
  remote_peer_connections: 0
  secure_server_option: none
  servers:
  - 127.0.1.1:1212:0
  stats_listen: 127.0.1.1:22222
  tokens: 101134286
  write_consistency: DC_ONE
";
    let s = parse(cluster).settings;
    assert_eq!(
        (s.tokens[0].value(), s.local_peer_connections),
        (101134286, 1)
    );

    // scripts/dynomite/generate_yamls.py.
    let generated = "\
dyn_o_mite:
  datacenter: default_dc
  dyn_listen: 0.0.0.0:8101
  dyn_port: 8101
  dyn_seed_provider: simple_provider
  dyn_seeds:
  - 10.0.0.2:8101:default_rack:default_dc:4294967295
  listen: 0.0.0.0:8102
  rack: default_rack
  servers:
  - 127.0.0.1:6379:1
  timeout: 150000
  tokens: 2147483647
";
    let loaded = parse(generated);
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!(loaded.settings.dyn_seeds.len(), 1);

    // Netflix dynomite-manager, by SnakeYAML in block style.
    let manager = "\
dyn_o_mite:
  auto_eject_hosts: true
  rack: us-east-1c
  distribution: vnode
  dyn_listen: 0.0.0.0:8101
  stats_listen: 0.0.0.0:22222
  dyn_seed_provider: florida_provider
  gos_interval: 10000
  hash: murmur
  listen: 0.0.0.0:8102
  preconnect: true
  server_retry_timeout: 30000
  timeout: 5000
  tokens: '1383429731'
  secure_server_option: datacenter
  datacenter: us-east-1
  read_consistency: DC_ONE
  write_consistency: DC_ONE
  mbuf_size: 16384
  max_msgs: 200000
  pem_key_file: /apps/dynomite/conf/dynomite.pem
  hash_tag: '{}'
  servers:
  - 127.0.0.1:22122:1
  data_store: 0
  datastore_connections: 1
  local_peer_connections: 1
  remote_peer_connections: 1
";
    let s = parse(manager).settings;
    assert_eq!(s.hash_tag, Some(*b"{}"));
    let socket = manager.replace("127.0.0.1:22122:1", "/tmp/redis.sock:1");
    assert_eq!(parse(&socket).settings.datastore.name, "/tmp/redis.sock");
}

#[test]
fn the_samples_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut loaded = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        let sample = config::parse(&text, &name, &Overrides::default())
            .unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert_eq!(warnings(&sample), [""; 0], "{name}");
        loaded += 1;
    }
    assert_eq!(loaded, 14);
}
