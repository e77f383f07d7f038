//! Configurations an operator may write, good and bad, as `-t` and a start see them.

use dynomite::config::{self, Loaded, Overrides, SeedProvider, StoreKind};
use dynomite::logging::Level;
use dynomite::startup;
use std::path::{Path, PathBuf};

/// The least that loads; `{}` marks where a case puts its own lines.
const BASE: &str = "\
dyn_o_mite:
  listen: 127.0.0.1:8102
  dyn_listen: 127.0.0.1:8101
  stats_listen: 127.0.0.1:22222
  tokens: '1'
  servers:
  - 127.0.0.1:22122:1
";

fn with(lines: &str) -> String {
    format!("{BASE}{lines}")
}

/// The base file with the lines of one key replaced.
fn instead(key: &str, lines: &str) -> String {
    let prefix = format!("  {key}:");
    let mut text = String::new();
    let mut skipping = false;
    for line in BASE.lines() {
        skipping = line.starts_with(&prefix) || (skipping && line.starts_with("  -"));
        if line.starts_with(&prefix) {
            text.push_str(lines);
        }
        if !skipping {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("test.yml");
        std::fs::write(&path, content).unwrap();
        path
    }

    fn test(&self, content: impl AsRef<[u8]>) -> (Vec<String>, i32) {
        startup::test(&self.file(content), &Overrides::default(), &[])
    }
}

fn parse(text: &str) -> Loaded {
    config::parse(text, "test.yml", &Overrides::default())
        .unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

/// The texts of a refusal.
fn refused(text: &str) -> Vec<String> {
    match config::parse(text, "test.yml", &Overrides::default()) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
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
fn bad_files_are_refused_with_the_reason_and_one_verdict() {
    let folder = Folder::new();
    let pem = folder.0.path().join("bad.pem");
    std::fs::write(&pem, "garbage").unwrap();
    let secure = |file: &Path| {
        with(&format!(
            "  secure_server_option: all\n  pem_key_file: {}\n",
            file.display()
        ))
    };
    let cut = format!(
        "; the value is '{}...' (line 8, column 12)",
        "x".repeat(100)
    );
    #[rustfmt::skip]
    let cases: Vec<(&str, String, &str)> = vec![
        ("empty", String::new(), "must contain only 1 document; found 0 documents"),
        ("comments only", "# nothing\n\n".into(), "must contain only 1 document; found 0 documents"),
        ("plain scalar", "hello\n".into(), "has invalid empty \"key:\" at depth 0 (line 1, column 1)"),
        ("list as root", "- a\n- b\n".into(), "has sequence at depth 0 instead of 2 (line 1, column 1)"),
        ("two documents", format!("{BASE}---\n{BASE}"), "must contain only 1 document; found 2 documents"),
        ("root key without mapping", "dyn_o_mite: 5\n".into(), "has invalid mapping \"key:\" at depth 1, keys stand indented below the pool's name, each with a blank after its colon (line 1, column 1)"),
        ("root key with list", "dyn_o_mite:\n- a\n".into(), "has sequence at depth 1 instead of 2 (line 2, column 1)"),
        ("key beside the pool", format!("{BASE}extra: 1\n"), "has invalid mapping \"key:\" at depth 1, keys stand indented"),
        ("flow mapping", "dyn_o_mite: {listen: 1}\n".into(), "conf: flow mapping start token (12) is disallowed, a text that begins with { needs quotes (line 1, column 13)"),
        ("flow mapping as root", "{a: {listen: 1}}\n".into(), "conf: flow mapping start token (12) is disallowed, a text that begins with { needs quotes (line 1, column 1)"),
        ("anchor", with("  rack: &r r1\n"), "conf: anchor token (19) is disallowed (line 8, column 9)"),
        ("anchor on a list", with("  dyn_seeds: &r\n  - h:1:r:d:1\n"), "conf: anchor token (19) is disallowed (line 8, column 14)"),
        ("anchor on a key", with("  &r rack: r1\n"), "conf: anchor token (19) is disallowed (line 8, column 3)"),
        ("alias", with("  rack: &r r1\n  datacenter: *r\n"), "conf: anchor token (19) is disallowed"),
        ("alias that makes the rest unreadable", with("  rack: *r s\n"), "conf: alias token (18) is disallowed, a text that begins with * needs quotes (line 8, column 9)"),
        ("alias of nothing", with("  rack: *r\n"), "conf: alias token (18) is disallowed, a text that begins with * needs quotes (line 8, column 9)"),
        ("tag", with("  timeout: !!int 5\n"), "conf: tag token (20) is disallowed (line 8, column 12)"),
        ("tag that does not fit", with("  timeout: !!int five\n"), "conf: tag token (20) is disallowed (line 8, column 12)"),
        ("anchor after letters of two bytes", with("  env: \u{e4}\u{f6}\n  rack: &r r1\n"), "conf: anchor token (19) is disallowed (line 9, column 9)"),
        ("local tag", with("  rack: !mine r\n"), "conf: tag token (20) is disallowed (line 8, column 9)"),
        ("version directive", format!("%YAML 1.1\n---\n{BASE}"), "conf: version directive token (3) is disallowed (line 1, column 1)"),
        ("tag directive", format!("# x\n%TAG ! tag:x,2000:\n---\n{BASE}"), "conf: tag directive token (4) is disallowed (line 2, column 1)"),
        ("tab indentation", "dyn_o_mite:\n\tlisten: x\n".into(), "conf: failed (err 3) to get the next yaml document"),
        ("bad indentation", "dyn_o_mite:\n  listen: x\n listen: y\n".into(), "conf: failed (err 4) to get the next yaml document"),
        ("no blank after the colon", with("  timeout:5000\n  backlog: 5\n"), "could not find expected ':', while scanning a simple key at line 8 column 3 (line 9, column"),
        ("unclosed quote", with("  rack: 'r\n"), "conf: failed (err 3) to get the next yaml document"),
        ("third level", with("  rack:\n    deep: 1\n"), "has a depth greater than 2 (line 9, column 5)"),
        ("mapping in a list", with("  rack:\n  - deep: 1\n"), "has a depth greater than 2 (line 9, column 5)"),
        ("list in a list", with("  rack:\n  - - deep\n"), "has more than one sequence directive (line 9, column 5)"),
        ("unknown key", with("  bogus_key: 1\n"), "conf: directive \"bogus_key\" is unknown (line 8, column 3)"),
        ("key in wrong case", with("  Timeout: 1\n"), "conf: directive \"Timeout\" is unknown; did you mean \"timeout\"? (line 8, column 3)"),
        ("unknown key first", BASE.replacen("  listen", "  bogus: 1\n  listen", 1), "conf: directive \"bogus\" is unknown (line 2, column 3)"),
        ("merge key", with("  <<: x\n"), "conf: directive \"<<\" is unknown"),
        ("duplicate", with("  timeout: 1\n  timeout: 2\n"), "conf: directive \"timeout\" is a duplicate of line 8 (line 9, column 12)"),
        ("duplicate of 0", with("  timeout: 0\n  timeout: 2\n"), "conf: directive \"timeout\" is a duplicate"),
        ("duplicate of false", with("  preconnect: false\n  preconnect: true\n"), "conf: directive \"preconnect\" is a duplicate"),
        ("duplicate in a list", with("  timeout: [1, 2]\n"), "conf: directive \"timeout\" is a duplicate"),
        ("empty value", with("  rack:\n"), "conf: directive \"rack\" has an empty value (line 8, column 8)"),
        ("empty quotes", with("  rack: ''\n"), "conf: directive \"rack\" has an empty value"),
        ("empty item", with("  dyn_seeds:\n  -\n"), "conf: directive \"dyn_seeds\" has an empty value"),
        ("listen missing", instead("listen", ""), "conf: directive \"listen:\" is missing"),
        ("servers missing", instead("servers", ""), "conf: pool 'dyn_o_mite' has no datastores"),
        ("dyn_listen missing", instead("dyn_listen", ""), "conf: directive \"dyn_listen:\" is missing"),
        ("tokens missing", instead("tokens", ""), "conf: directive \"tokens:\" is missing"),
        ("tokens empty list", instead("tokens", "  tokens: []\n"), "conf: directive \"tokens:\" is missing"),
        ("listen without port", instead("listen", "  listen: 127.0.0.1\n"), "conf: directive \"listen\" has an invalid \"hostname:port\" format string; the value is '127.0.0.1' (line 2, column 11)"),
        ("port 0", instead("listen", "  listen: h:0\n"), "conf: directive \"listen\" has an invalid port in \"hostname:port\" format string"),
        ("port too large", instead("listen", "  listen: h:65536\n"), "has an invalid port in \"hostname:port\" format string"),
        ("port abc", instead("dyn_listen", "  dyn_listen: h:abc\n"), "conf: directive \"dyn_listen\" has an invalid port in \"hostname:port\" format string"),
        ("unknown host", instead("listen", "  listen: no..such.host:1\n"), "address resolution of node 'no..such.host' service '1' failed: "),
        ("unknown host, second line", instead("listen", "  listen: no..such.host:1\n"), "conf: directive \"listen\" has an invalid value: 'no..such.host:1' (line 2, column 11)"),
        ("empty host", instead("listen", "  listen: ':8102'\n"), "conf: directive \"listen\" has an invalid value"),
        ("star host", instead("listen", "  listen: '*:8102'\n"), "conf: directive \"listen\" has an invalid value"),
        ("server without weight", instead("servers", "  servers: h:1\n"), "conf: directive \"servers\" has an invalid \"hostname:port:weight [name]\"or \"/path/unix_socket:weight [name]\" format string"),
        ("seed with four fields", with("  dyn_seeds:\n  - h:8101:r:1\n"), "conf: directive \"dyn_seeds\" has an invalid format must match \"hostname:port:rack:dc:tokens [name]\"; the value is 'h:8101:r:1' (line 9, column 5)"),
        ("seeds without dashes", with("  dyn_seeds:\n    a:8101:r:d:1\n    b:8101:r:d:2\n"), "conf: directive \"dyn_seeds\" has several entries in one: each needs a line of its own that begins with a dash; the value is 'a:8101:r:d:1 b:8101:r:d:2' (line 9, column 5)"),
        ("two listeners in one place", instead("dyn_listen", "  dyn_listen: 127.0.0.1:8102\n"), "conf: directive \"dyn_listen\" is where \"listen\" listens already: 127.0.0.1:8102 (line 3, column 15)"),
        ("two listeners, one everywhere", instead("listen", "  listen: 0.0.0.0:22222\n"), "conf: directive \"stats_listen\" is where \"listen\" listens already: 127.0.0.1:22222"),
        ("two listeners, one by default", instead("stats_listen", "").replace(":8102", ":22222"), "conf: directive \"stats_listen\" is where \"listen\" listens already: 0.0.0.0:22222"),
        ("two listeners at one path", instead("listen", "  listen: /tmp/s\n").replace("127.0.0.1:22222", "/tmp/s"), "conf: directive \"stats_listen\" is where \"listen\" listens already: /tmp/s"),
        ("the node as its own datastore", instead("servers", "  servers: 127.0.0.1:8102:1\n"), "conf: directive \"servers\" is this node itself, see \"listen\": 127.0.0.1:8102:1 (line 6, column 12)"),
        ("the node as its own datastore, everywhere", instead("listen", "  listen: 0.0.0.0:22122\n"), "conf: directive \"servers\" is this node itself, see \"listen\": 127.0.0.1:22122:1"),
        ("number abc", with("  timeout: abc\n"), "conf: directive \"timeout\" is not a number; the value is 'abc' (line 8, column 12)"),
        ("number -1", with("  timeout: -1\n"), "conf: directive \"timeout\" is not a number"),
        ("number 1.5", with("  timeout: 1.5\n"), "conf: directive \"timeout\" is not a number"),
        ("number 0x10", with("  timeout: 0x10\n"), "conf: directive \"timeout\" is not a number"),
        ("number beyond 32 bits", with("  timeout: 4294967297\n"), "conf: directive \"timeout\" is too large a number, the largest is 2147483647; the value is '4294967297' (line 8, column 12)"),
        ("number beyond 31 bits", with("  timeout: 2147483648\n"), "conf: directive \"timeout\" is too large a number"),
        ("yes", with("  preconnect: yes\n"), "conf: directive \"preconnect\" is not \"true\" or \"false\""),
        ("True", with("  preconnect: True\n"), "conf: directive \"preconnect\" is not \"true\" or \"false\""),
        ("data_store 2", with("  data_store: 2\n"), "Invalid datastore in conf file: \"data_store\" must be 0 (redis) or 1 (memcache); the value is '2' (line 8, column 15)"),
        ("hash in wrong case", with("  hash: MURMUR\n"), "conf: directive \"hash\" is not a valid hash; the value is 'MURMUR' (line 8, column 9)"),
        ("murmur3", with("  hash: murmur3\n"), "conf: directive \"hash\" is not a valid hash: murmur3 is a name"),
        ("hash tag of one", with("  hash_tag: '{'\n"), "conf: directive \"hash_tag\" is not a valid hash tag string with two characters"),
        ("consistency", with("  read_consistency: quorum\n"), "conf: directive \"read_consistency:\"must be one of 'DC_ONE' 'DC_QUORUM' 'DC_SAFE_QUORUM' 'DC_EACH_SAFE_QUORUM'"),
        ("consistency prefix", with("  write_consistency: dc_one_foo\n"), "conf: directive \"write_consistency:\"must be one of"),
        ("secure option", with("  secure_server_option: bogus\n"), "conf: directive \"secure_server_option:\"must be one of 'none' 'rack' 'datacenter' 'all'"),
        ("secure option prefix", with("  secure_server_option: rackety\n"), "conf: directive \"secure_server_option:\"must be one of"),
        ("key file missing", secure(Path::new("/no/such.pem")), "Error: file /no/such.pem does not exist (line 9, column 17)"),
        ("key file garbage", secure(&pem), ": it holds no RSA private key in PEM without a pass phrase"),
        ("key file is a directory", secure(Path::new("/")), "Error: could NOT read RSA pem key file at /: not a regular file"),
        ("key file is endless", secure(Path::new("/dev/zero")), "Error: could NOT read RSA pem key file at /dev/zero: not a regular file"),
        ("mbuf_size 100", with("  mbuf_size: 100\n"), "mbuf_size: mbuf chunk size must be between 512 and 512000 bytes"),
        ("mbuf_size 520", with("  mbuf_size: 520\n"), "mbuf_size: mbuf size must be a multiple of 16"),
        ("max_msgs 5", with("  max_msgs: 5\n"), "max_msgs: max allocated messages buffer must be between 100000 and 1000000 messages"),
        ("stats_port 70000", with("  stats_port: 70000\n"), "conf: directive \"stats_port\" has an invalid value: a port is at most 65535; the value is '70000' (line 8, column 15)"),
        ("long value", with(&format!("  timeout: {}\n", "x".repeat(300))), &cut),
        ("connections 300", with("  datastore_connections: 300\n"), "conf: directive \"datastore_connections\" must be between 1 and 255"),
        ("token abc", instead("tokens", "  tokens: abc\n"), "conf: directive \"tokens\" has a token that is not a decimal number"),
        ("token -1", instead("tokens", "  tokens: -1\n"), "conf: directive \"tokens\" has a token that is not a decimal number"),
        ("empty token", instead("tokens", "  tokens: '1,,2'\n"), "conf: directive \"tokens\" has an empty token"),
        ("too many tokens", instead("tokens", &format!("  tokens: {}\n  tokens: 1\n", vec!["1"; 1024].join(","))), "conf: directive \"tokens\" has more than 1024 tokens"),
        ("two pools", format!("{BASE}{}", BASE.replacen("dyn_o_mite", "other", 1)), "has more than one pool; only one is served (line 8, column 1)"),
        ("too large", format!("{BASE}# {}\n", "x".repeat(config::MAX_FILE)), "has more than 1048576 bytes"),
        ("control character", with("  rack: \u{e4}\u{1}b\n"), "conf: failed (err 2) to get the next yaml document: control characters are not allowed (line 8, column 10)"),
    ];
    for (name, text, reason) in cases {
        let (lines, code) = folder.test(&text);
        assert_eq!(code, 1, "{name}: {lines:?}");
        let (last, reasons) = lines.split_last().unwrap();
        assert!(
            last.starts_with("dynomite: configuration file '")
                && last.ends_with("' syntax is invalid"),
            "{name}: {last}"
        );
        assert!(
            reasons.iter().any(|line| line.contains(reason)),
            "{name}: {reasons:?}"
        );
        assert!(
            !reasons.iter().any(|line| line.contains("syntax is")),
            "{name}: {reasons:?}"
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let reason = |path: &Path| {
        let (lines, code) = startup::test(path, &Overrides::default(), &[]);
        assert_eq!((lines.len(), code), (2, 1), "{lines:?}");
        lines[0].clone()
    };
    let missing = folder.0.path().join("none.yml");
    assert_eq!(
        reason(&missing),
        format!(
            "conf: failed to open configuration '{}': No such file or directory",
            missing.display()
        )
    );
    assert!(reason(folder.0.path()).ends_with(": Is a directory"));
    let invalid = folder.file(b"dyn_o_mite:\n  # caf\xe9\n");
    assert_eq!(
        reason(&invalid),
        "conf: failed (err 2) to get the next yaml document: invalid UTF-8 or UTF-16 (line 2, column 8)"
    );
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = "p:\n  timeout: x\n  rack:\n  bogus: 1\n  hash: md4\n  servers: h:1:1\n";
    assert_eq!(
        refused(text),
        [
            "conf: directive \"timeout\" is not a number; the value is 'x' (line 2, column 12)",
            "conf: directive \"rack\" has an empty value (line 3, column 8)",
            "conf: directive \"bogus\" is unknown (line 4, column 3)",
            "conf: directive \"hash\" is not a valid hash; the value is 'md4' (line 5, column 9)",
            "conf: directive \"listen:\" is missing",
            "conf: directive \"dyn_listen:\" is missing",
            "conf: directive \"tokens:\" is missing",
        ]
    );
    let many = with(&"  x_y_z: 1\n".repeat(config::MAX_PROBLEMS + 7));
    let lines = refused(&many);
    assert_eq!(lines.len(), config::MAX_PROBLEMS + 1);
    assert_eq!(lines.last().unwrap(), "conf: and 7 more problems");
}

#[test]
fn the_least_file_gets_the_defaults() {
    let folder = Folder::new();
    let path = folder.file(BASE);
    assert_eq!(
        startup::test(&path, &Overrides::default(), &[]),
        (
            vec![format!(
                "dynomite: configuration file '{}' syntax is valid",
                path.display()
            )],
            0
        )
    );
    let s = parse(BASE).settings;
    assert_eq!(s.pool_name, "dyn_o_mite");
    assert_eq!(s.servers.name, "127.0.0.1:22122");
    assert_eq!(s.tokens[0].value(), 1);
    let millis = [
        s.stats_interval,
        s.gos_interval,
        s.timeout,
        s.server_retry_timeout,
    ];
    assert_eq!(millis.map(|d| d.as_millis()), [30000, 30000, 5000, 10000]);
    assert_eq!(
        (s.backlog, s.client_connections, s.conn_msg_rate),
        (512, 0, 50000)
    );
    assert_eq!((s.mbuf_size, s.max_msgs), (16384, 200_000));
    assert_eq!(
        (
            s.datastore_connections,
            s.local_peer_connections,
            s.remote_peer_connections
        ),
        (1, 1, 1)
    );
    assert!(s.preconnect && s.auto_eject_hosts && !s.enable_gossip && !s.read_repairs_enabled);
    assert_eq!(
        (&*s.datacenter, &*s.rack, &*s.env),
        ("localdc", "localrack", "aws")
    );
    assert_eq!(s.hash.name(), "murmur");
    assert_eq!(s.hash_tag, None);
    assert_eq!(s.read_consistency.to_string(), "DC_ONE");
    assert_eq!(s.secure_server_option.name(), "none");
    assert_eq!(s.pem_key_file, Path::new("conf/dynomite.pem"));
}

#[test]
fn accepted_although_the_original_refuses_or_dies() {
    for (name, text) in [
        ("leading ---", format!("---\n{BASE}")),
        ("trailing ...", format!("{BASE}...\n")),
        ("empty brackets", with("  dyn_seeds: []\n")),
        (
            "list in brackets",
            instead("servers", "  servers: ['127.0.0.1:22122:1']\n"),
        ),
        ("several tokens", instead("tokens", "  tokens: '1, 2,3'\n")),
        (
            "IPv6 in brackets",
            instead("listen", "  listen: '[::1]:8102'\n"),
        ),
        (
            "address of another machine",
            instead("listen", "  listen: 192.0.2.1:8102\n"),
        ),
        ("redis", with("  redis: true\n")),
    ] {
        let folder = Folder::new();
        let (lines, code) = folder.test(&text);
        assert_eq!(code, 0, "{name}: {lines:?}");
    }
    let tokens = parse(&instead("tokens", "  tokens: '1, 2,3'\n"))
        .settings
        .tokens;
    assert_eq!(
        tokens.iter().map(|t| t.value()).collect::<Vec<_>>(),
        [3, 2, 1]
    );
}

#[test]
fn accepted_as_the_original_does() {
    for (name, text) in [
        ("any root key", BASE.replacen("dyn_o_mite", "alpha", 1)),
        ("CR LF", BASE.replace('\n', "\r\n")),
        ("byte order mark", format!("\u{feff}{BASE}")),
        (
            "scalar for a list",
            instead("servers", "  servers: 127.0.0.1:22122:1\n"),
        ),
        ("list for a scalar", with("  timeout:\n  - 5\n")),
        ("quoted key", with("  'timeout': \"5\"\n")),
        ("blank before the colon", with("  timeout : 5\n")),
        ("explicit key", with("  ? timeout\n  : 5\n")),
        ("non-ASCII", with("  rack: r\u{e4}ck # \u{2603}\n")),
        (
            "names of refused YAML in values and comments",
            with(
                "  hash_tag: '{}' # &a *b\n  # - *c {\n  rack: a &b\n  datacenter: \"x: &y *z\"\n",
            ),
        ),
        (
            "0 is unset",
            with("  timeout: 0\n  datastore_connections: 0\n  max_msgs: 0\n"),
        ),
        ("Unix sockets", instead("listen", "  listen: /tmp/a.sock\n")),
        (
            "one port of several addresses",
            instead("dyn_listen", "  dyn_listen: 127.0.0.2:8102\n"),
        ),
        (
            "the node's port on another machine",
            instead("servers", "  servers: 192.0.2.1:8102:1\n")
                .replace("127.0.0.1:8102", "0.0.0.0:8102"),
        ),
    ] {
        parse(&text);
        let folder = Folder::new();
        assert_eq!(folder.test(&text).1, 0, "{name}");
    }
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(BASE.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(Folder::new().test(utf16).1, 0);

    // Values are text, even where YAML has another type for them.
    let odd = parse(&with(
        "  rack: ~\n  datacenter: 0x10\n  env: yes\n  pem_key_file: 22:33\n",
    ));
    let s = odd.settings;
    assert_eq!(
        [
            &*s.rack,
            &*s.datacenter,
            &*s.env,
            &*s.pem_key_file.display().to_string()
        ],
        ["~", "0x10", "yes", "22:33"]
    );
}

/// Finding out whether a word is YAML, and where problems stand, meant reading the file again for each, on
/// the event loop of a node that was to read its configuration again: seconds for a large file, or no place.
#[test]
fn a_huge_file_full_of_oddities_is_read_once() {
    let words = |lines: usize| {
        with(&format!(
            "  rack: |\n{}",
            "    * one & two ! { three\n".repeat(lines)
        ))
    };
    parse(&words(35_000));
    // In the middle of a line they are nothing.
    parse(&with(&format!(
        "  rack: |\n{}",
        "    one * two & three\n".repeat(40_000)
    )));
    let bogus: String = (0..40_000).map(|n| format!("  bogus{n}: 1\n")).collect();
    let lines = refused(&with(&bogus));
    assert_eq!(lines.len(), config::MAX_PROBLEMS + 1);
    assert!(lines[0].contains("(line 8, column 3)"), "{}", lines[0]);
    let last = &lines[config::MAX_PROBLEMS - 1];
    assert!(last.ends_with(" is unknown (line 57, column 3)"), "{last}");
    // Nor does nesting cost anything.
    let nested = with(&format!("  rack: {}\n", "[".repeat(1_000_000)));
    assert_eq!(
        refused(&nested),
        ["conf: 'test.yml' has a depth greater than 2 (line 8, column 71)"]
    );
    // What is refused is found as before, also after a comment.
    for line_end in ["\n", "\r", "\r\n"] {
        let text = with(&format!("  rack: x # y{line_end}  env: &z v\n"));
        let lines = refused(&text);
        assert!(
            lines[0].contains("anchor token (19)"),
            "{line_end:?}: {lines:?}"
        );
    }
}

#[test]
fn odd_but_usable_files_load_with_a_warning() {
    for (name, text, warning) in [
        (
            "several servers",
            instead("servers", "  servers:\n  - a:1:1\n  - b:2:1\n"),
            "conf: directive \"servers\" has 2 entries, but a node has one datastore, only the last is used: b:2:1; ignored: a:1:1 (line 7, column 5)",
        ),
        (
            "weight",
            instead("servers", "  servers: h:1:abc\n"),
            "a weight that is not a number, it is ignored: h:1:abc (line 6, column 12)",
        ),
        (
            "own seed",
            with("  dyn_seeds:\n  - 127.0.0.1:8101:localrack:localdc:1\n"),
            "names this node, the entry is ignored: 127.0.0.1:8101:localrack:localdc:1 (line 9, column 5)",
        ),
        (
            "seed twice",
            with("  dyn_seeds:\n  - h:8101:r:d:1\n  - h:8101:r:d:1 other\n"),
            "names a node twice",
        ),
        (
            "huge token",
            instead("tokens", "  tokens: 12345678901\n"),
            "a token above 4294967295",
        ),
        (
            "several tokens",
            instead("tokens", "  tokens: '1,2'\n"),
            "more than one token",
        ),
        (
            "dyn_port",
            with("  dyn_port: 9\n"),
            "\"dyn_port\" is ignored, peers connect to the port of \"dyn_listen\": 8101 (line 8, column 13)",
        ),
        (
            "gossip",
            with("  enable_gossip: true\n"),
            "gossip has no effect in this version",
        ),
        (
            "zero",
            with("  timeout: 0\n"),
            "conf: directive \"timeout\" is 0, which stands for its default, 5000 (line 8, column 12)",
        ),
        (
            "zero buffers",
            with("  mbuf_size: 0\n"),
            "conf: directive \"mbuf_size\" is 0, which stands for its default, 16384 (line 8, column 14)",
        ),
        (
            "a colon in a name",
            with("  datacenter: a:b\n"),
            "conf: directive \"datacenter\" has a ':', which separates the fields and entries of \"dyn_seeds\": other nodes cannot name this node; the value is 'a:b' (line 8, column 15)",
        ),
        (
            "a blank in a name",
            with("  rack: my rack\n"),
            "conf: directive \"rack\" has a ' ', which separates",
        ),
        (
            "read repair",
            with("  read_repairs_enabled: true\n"),
            "\"read_repairs_enabled\" has no effect in this version",
        ),
        (
            "redis",
            with("  redis: false\n"),
            "******** Field \"redis\" in the conf file is DEPRECATED ********* (line 8, column 3)",
        ),
        (
            "distribution",
            with("  distribution: ketama\n"),
            "******** Field \"distribution\" in the conf file is DEPRECATED *********",
        ),
        (
            "server_connections",
            with("  server_connections: 1\n"),
            "Field \"server_connections\" in",
        ),
        (
            "dyn_secure_listen",
            with("  dyn_secure_listen: x\n"),
            "Field \"dyn_secure_listen\" in",
        ),
        (
            "stats_port",
            with("  stats_port: 1\n"),
            "Field \"stats_port\" in",
        ),
        (
            "seed_provider",
            with("  seed_provider: dns_provider\n"),
            "Field \"seed_provider\" in",
        ),
        (
            "auto_bootstrap",
            format!("{BASE}auto_bootstrap: true\n"),
            "Field \"auto_bootstrap\" in",
        ),
    ] {
        let loaded = parse(&text);
        let warnings = warnings(&loaded);
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains(warning), "{name}: {warnings:?}");
    }
}

#[test]
fn a_zero_that_is_the_default_is_no_warning() {
    for key in ["client_connections", "data_store"] {
        assert_eq!(warnings(&parse(&with(&format!("  {key}: 0\n")))), [""; 0]);
    }
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let path = Path::new("no/such/dynomite.yml");
    let (lines, code) = startup::test(path, &Overrides::default(), &[]);
    let dir = std::env::current_dir().unwrap();
    let expected = format!(
        "conf: failed to open configuration 'no/such/dynomite.yml': No such file or directory; it was looked for in {}, -c names another",
        dir.display()
    );
    assert_eq!((lines[0].as_str(), code), (expected.as_str(), 1));
}

#[test]
fn a_seed_without_an_address_is_a_warning() {
    let folder = Folder::new();
    let path = folder.file(with(
        "  dyn_seeds: [no..such.host:8101:r:d:1, b..b:1:r:d:2, c..c:1:r:d:3, d..d:1:r:d:4]\n",
    ));
    let (warnings, code) = startup::test(&path, &Overrides::default(), &[]);
    assert_eq!(
        (warnings.len(), code),
        (4 + 1, 0),
        "each is named: {warnings:?}"
    );
    assert!(
        warnings[0].starts_with(
            "warning: address resolution of node 'no..such.host' service '8101' failed: "
        ),
        "{warnings:?}"
    );
}

#[test]
fn what_the_original_could_not_turn_off_or_overwrote_is_honoured() {
    let s = parse(&with(
        "  preconnect: false\n  auto_eject_hosts: false\n  client_connections: 7\n  env: network\n",
    ))
    .settings;
    assert!(!s.preconnect && !s.auto_eject_hosts);
    assert_eq!((s.client_connections, &*s.env), (7, "network"));
}

#[test]
fn older_keys_mean_what_they_meant() {
    assert_eq!(
        parse(&with("  redis: false\n")).settings.data_store,
        StoreKind::Memcache
    );
    assert_eq!(
        parse(&with("  redis: true\n")).settings.data_store,
        StoreKind::Redis
    );
    let older = instead(
        "stats_listen",
        "  stats_port: 7\n  seed_provider: dns_provider\n",
    );
    let s = parse(&older).settings;
    assert_eq!(s.stats_listen.target.to_string(), "0.0.0.0:7");
    assert_eq!(s.dyn_seed_provider, SeedProvider::Dns);
}

#[test]
fn seeds_keep_their_order_and_lose_this_node() {
    let s = parse(&with(
        "  dyn_seeds:\n  - h:8101:r:d:5\n  - 127.0.0.1:8101:localrack:localdc:1\n  - 127.0.0.1:8101:localrack:localdc:2\n  - h:8101:r:d:5\n",
    ))
    .settings;
    let texts: Vec<_> = s.dyn_seeds.iter().map(|seed| &*seed.text).collect();
    assert_eq!(
        texts,
        ["h:8101:r:d:5", "127.0.0.1:8101:localrack:localdc:2"]
    );
}

#[test]
fn file_and_command_line() {
    let cli = Overrides {
        mbuf_size: Some(512),
        max_msgs: Some(100_000),
        gossip: true,
        ..Overrides::default()
    };
    let always = |loaded: &Loaded| -> Vec<String> {
        loaded
            .notes
            .iter()
            .filter(|note| note.level == Level::Always)
            .map(|note| note.text.clone())
            .collect()
    };
    let loaded = config::parse(&with("  enable_gossip: false\n"), "f", &cli).unwrap();
    let s = &loaded.settings;
    assert_eq!(
        (s.mbuf_size, s.max_msgs, s.enable_gossip),
        (512, 100_000, true)
    );
    assert_eq!(
        always(&loaded),
        [
            "mbuf_size not in YAML: using deprecated way  512",
            "max_msgs not in YAML: using deprecated way 100000"
        ]
    );
    let loaded =
        config::parse(&with("  mbuf_size: 1024\n  max_msgs: 300000\n"), "f", &cli).unwrap();
    assert_eq!(
        (loaded.settings.mbuf_size, loaded.settings.max_msgs),
        (1024, 300_000)
    );
    assert_eq!(
        always(&loaded),
        [
            "YAML provided mbuf_size: 1024",
            "YAML provided max_msgs: 300000"
        ]
    );
}

#[test]
fn key_files() {
    let folder = Folder::new();
    let path = folder.0.path().join("key.pem");
    let secure = with(&format!(
        "  secure_server_option: Datacenter\n  pem_key_file: {}\n",
        path.display()
    ));
    let mut keys = [1024, 2048].map(|bits| {
        let key = openssl::rsa::Rsa::generate(bits).unwrap();
        key.private_key_to_pem().unwrap()
    });
    std::fs::write(&path, &keys[0]).unwrap();
    let (lines, code) = folder.test(&secure);
    assert_eq!((lines.len(), code), (1, 0), "{lines:?}");

    std::fs::write(&path, &keys[1]).unwrap();
    let (lines, code) = folder.test(&secure);
    assert_eq!((lines.len(), code), (2, 0), "{lines:?}");
    assert!(lines[0].contains("has 2048 bits"), "{lines:?}");

    // A key under a pass phrase is refused, not asked about.
    let key = openssl::rsa::Rsa::generate(1024).unwrap();
    keys[0] = key
        .private_key_to_pem_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret")
        .unwrap();
    std::fs::write(&path, &keys[0]).unwrap();
    assert_eq!(folder.test(&secure).1, 1);
}

#[test]
fn every_key_of_the_table_is_accepted_with_its_default() {
    for key in config::KEYS {
        if key.default.is_empty() || BASE.contains(&format!("  {}:", key.name)) {
            continue;
        }
        parse(&with(&format!("  {}: {}\n", key.name, key.default)));
    }
}
