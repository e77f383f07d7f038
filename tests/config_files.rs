//! Files that exist: what the generators of the field write, the samples in `conf/`, and what stands beside a
//! file and in the environment.

use dynomite::config::keys::Status;
use dynomite::config::{self, KEYS, Loaded, Overrides};
use dynomite::logging::Level;
use dynomite::startup;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    assert_eq!(parse(&socket).settings.servers.name, "/tmp/redis.sock");
}

#[test]
fn the_samples_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut loaded = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".yml") || name.ends_with(".local.yml") {
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

/// A folder with a configuration, and perhaps one that overrides it.
struct Pair(tempfile::TempDir);

const MAIN: &str = "\
dyn_o_mite:
  listen: 127.0.0.1:8102
  dyn_listen: 127.0.0.1:8101
  stats_listen: 127.0.0.1:22222
  tokens: '1'
  timeout: 7000
  rack: r1
  dyn_seeds:
  - 127.0.0.2:8101:r2:localdc:1
  - 127.0.0.3:8101:r3:localdc:1
  servers:
  - 127.0.0.1:22122:1
";

impl Pair {
    fn new(local: Option<&str>) -> Pair {
        let pair = Pair(tempfile::tempdir().unwrap());
        std::fs::write(pair.main(), MAIN).unwrap();
        if let Some(local) = local {
            std::fs::write(pair.local(), local).unwrap();
        }
        pair
    }

    fn main(&self) -> PathBuf {
        self.0.path().join("node.yml")
    }

    fn local(&self) -> PathBuf {
        self.0.path().join("node.local.yml")
    }

    /// What a start takes of the files, and of these variables.
    fn load_with(&self, variables: &[(&str, &str)]) -> Loaded {
        let variables = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        config::load(&self.main(), &Overrides::default(), &variables).unwrap()
    }

    fn load(&self) -> Loaded {
        self.load_with(&[])
    }

    fn test(&self) -> (Vec<String>, i32) {
        startup::test(&self.main(), &Overrides::default(), &[])
    }
}

#[test]
fn a_key_of_the_local_file_takes_the_place_of_that_of_the_main_file() {
    let pair = Pair::new(Some(
        "anything:\n  timeout: 9\n  dyn_seeds:\n  - 127.0.0.4:8101:r4:localdc:1\n  enable_flush: true\n",
    ));
    let loaded = pair.load();
    let s = &loaded.settings;
    assert_eq!((s.timeout.as_millis(), &*s.rack), (9, "r1"));
    assert_eq!((s.enable_flush, &*s.pool_name), (true, "dyn_o_mite"));
    let seeds: Vec<_> = s.dyn_seeds.iter().map(|seed| &*seed.text).collect();
    assert_eq!(seeds, ["127.0.0.4:8101:r4:localdc:1"]);
    let (main, local) = (pair.main(), pair.local());
    let (main, local) = (main.display(), local.display());
    assert_eq!(
        loaded.files_line(),
        format!("conf: read '{main}' and '{local}'")
    );
    let notice = format!("conf: '{local}' overrides timeout, dyn_seeds");
    assert!(loaded.notes.iter().any(|note| note.text == notice));
    // An empty list brings the default back, and an older name stands for the key itself.
    let pair = Pair::new(Some(
        "d:\n  dyn_seeds: []\n  timeout: []\n  stats_port: 22\n",
    ));
    let s = pair.load().settings;
    assert_eq!((s.dyn_seeds.len(), s.timeout.as_millis()), (0, 5000));
    assert_eq!(s.stats_listen.target.to_string(), "0.0.0.0:22");
}

#[test]
fn a_local_file_without_keys_changes_nothing() {
    let alone = Pair::new(None).load();
    for local in ["", "# all of it\n", "---\n", "d:\n", "d:\n#  timeout: 5\n"] {
        let loaded = Pair::new(Some(local)).load();
        assert_eq!(loaded.settings, alone.settings, "{local:?}");
        assert_eq!((alone.files.len(), loaded.files.len()), (1, 2), "{local:?}");
    }
}

#[test]
fn the_test_names_the_files_and_the_verdict_is_of_the_main_one() {
    let pair = Pair::new(Some("d:\n  remote_admin: true\n"));
    let (main, local) = (pair.main(), pair.local());
    let valid = format!(
        "dynomite: configuration file '{}' syntax is valid",
        main.display()
    );
    let read = format!("conf: read '{}' and '{}'", main.display(), local.display());
    assert_eq!(pair.test(), (vec![read, valid.clone()], 0));
    // In the main file the same key keeps the original from starting.
    std::fs::remove_file(&local).unwrap();
    std::fs::write(&main, format!("{MAIN}  remote_admin: true\n")).unwrap();
    let warning = format!(
        "warning: conf: the C original refuses a file with directive \"remote_admin\", which can stand in '{}' (line 13, column 17)",
        local.display()
    );
    assert_eq!(pair.test(), (vec![warning, valid], 0));
}

#[test]
fn what_is_wrong_names_its_file() {
    let pair = Pair::new(Some(
        "d:\n  bogus: 1\n  seeds_interval_ms: 0\n  florida_port: x\n  enable_flush: 1\n  dns_server: h\n",
    ));
    std::fs::write(pair.main(), format!("{MAIN}  backlog: x\n")).unwrap();
    let (main, local) = (pair.main(), pair.local());
    let (main, local) = (main.display(), local.display());
    let (lines, code) = pair.test();
    assert_eq!(code, 1);
    assert_eq!(
        lines[..lines.len() - 1],
        [
            format!(
                "conf: directive \"backlog\" is not a number; the value is 'x' ({main}, line 13, column 12)"
            ),
            format!("conf: directive \"bogus\" is unknown ({local}, line 2, column 3)"),
            format!(
                "conf: directive \"seeds_interval_ms\" is not a number of milliseconds from 1 to 2147483647; the value is '0' ({local}, line 3, column 22)"
            ),
            format!(
                "conf: directive \"florida_port\" is not a port; the value is 'x' ({local}, line 4, column 17)"
            ),
            format!(
                "conf: directive \"enable_flush\" is not \"true\" or \"false\"; the value is '1' ({local}, line 5, column 17)"
            ),
            format!(
                "conf: directive \"dns_server\" is not an address; the value is 'h' ({local}, line 6, column 15)"
            ),
        ]
    );
    // Both, if neither is YAML.
    std::fs::write(pair.main(), "a: b: c\n").unwrap();
    std::fs::write(pair.local(), b"d:\n  rack: \xe9\n").unwrap();
    let (lines, _) = pair.test();
    assert!(
        lines[0].ends_with(&format!("({local}, line 2, column 9)")),
        "{lines:?}"
    );
    std::fs::write(pair.local(), "d: {}\n").unwrap();
    let (lines, _) = pair.test();
    assert!(
        lines[0].ends_with(&format!("({main}, line 1, column 5)")),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with(&format!("({local}, line 1, column 4)")),
        "{lines:?}"
    );
}

/// A start without it would look like one with it.
#[test]
fn a_local_file_that_is_there_and_cannot_be_read_is_refused() {
    let pair = Pair::new(None);
    let refused = |reason: &str| {
        let (lines, code) = pair.test();
        let expected = format!(
            "conf: failed to open configuration '{}': {reason}",
            pair.local().display()
        );
        assert_eq!((&lines[0], code), (&expected, 1));
    };
    std::os::unix::fs::symlink("nothing", pair.local()).unwrap();
    refused("No such file or directory");
    std::fs::remove_file(pair.local()).unwrap();
    std::fs::create_dir(pair.local()).unwrap();
    refused("Is a directory");
}

#[test]
fn a_variable_wins_over_both_files() {
    let pair = Pair::new(Some("d:\n  enable_flush: false\n  dns_name: local\n"));
    let loaded = pair.load_with(&[("DYNOMITE_ENABLE_FLUSH", "1"), ("DYNOMITE_DNS_NAME", "")]);
    let s = &loaded.settings;
    assert_eq!((s.enable_flush, &*s.dns_name), (true, "local"));
    let told = loaded.notes.iter().filter(|note| {
        note.text.starts_with("conf: directive \"enable_flush\" has no effect, because DYNOMITE_ENABLE_FLUSH is set (")
    });
    assert_eq!(told.count(), 1, "{:?}", loaded.notes);
    // One that is wrong is as if it were not set.
    let loaded = pair.load_with(&[
        ("DYNOMITE_ENABLE_FLUSH", "yes\n"),
        ("DYNOMITE_SEEDS_INTERVAL_MS", "soon"),
        ("DYNOMITE_FLORIDA_PORT", "0"),
        ("DYNOMITE_DNS_SERVER", "here"),
        // The original's keys have none.
        ("DYNOMITE_TIMEOUT", "1"),
    ]);
    assert_eq!(loaded.settings, pair.load().settings);
    assert_eq!(
        warnings(&loaded),
        [
            "DYNOMITE_ENABLE_FLUSH is neither 0 nor 1 and has no effect: yes\\n",
            "DYNOMITE_SEEDS_INTERVAL_MS is not a number of milliseconds from 1 to 2147483647 and has no effect: soon",
            "DYNOMITE_DNS_SERVER is not an address and has no effect: here",
            "DYNOMITE_FLORIDA_PORT is not a port and has no effect: 0",
        ]
    );
}

/// What a key says in a file, its variable says in the environment.
#[test]
fn every_key_that_the_original_does_not_know_has_a_variable_of_the_same_effect() {
    let default = Pair::new(None).load().settings;
    let mut tried = 0;
    for key in KEYS.iter().filter(|key| key.status == Status::New) {
        let (file, variable) = match key.default {
            "true" => ("false", "0"),
            "false" => ("true", "1"),
            _ => match key.name {
                "dns_server" => ("127.0.0.1:8600", "127.0.0.1:8600"),
                _ => ("12", "12"),
            },
        };
        let text = format!("d:\n  {}: {file}\n", key.name);
        let by_file = Pair::new(Some(&text)).load().settings;
        let name = format!("DYNOMITE_{}", key.name.to_uppercase());
        let by_variable = Pair::new(None).load_with(&[(&name, variable)]).settings;
        assert_eq!(by_file, by_variable, "{name}");
        assert_ne!(by_file, default, "{name}");
        let changed = config::differences(&default, &by_file);
        let changed: Vec<_> = changed.iter().map(|change| change.key.name).collect();
        let expected: &[&str] = match key.name {
            "dns_type" => &[],
            name => &[name],
        };
        assert_eq!(changed, expected);
        tried += 1;
    }
    assert_eq!(tried, 17);
}

#[test]
fn the_sample_that_overrides_has_every_key_that_the_original_refuses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let sample = std::fs::read_to_string(folder.join("dynomite.local.yml")).unwrap();
    for key in KEYS {
        let is_there = sample.contains(&format!("\n#  {}: ", key.name));
        assert_eq!(is_there, key.status == Status::New, "{}", key.name);
    }
    // It has the defaults.
    let default = Pair::new(None).load().settings;
    let without = sample.replace("#  dns_server", "#");
    let uncommented = without.replace("\n#  ", "\n  ");
    assert_eq!(Pair::new(Some(&uncommented)).load().settings, default);
}
