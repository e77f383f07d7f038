//! From the command line to a node that serves, or an exit code and a reason.

use crate::process_life::process::{Conf, DYNOMITE, Node, Outcome, free_address, run};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

fn dynomite(args: &[&str]) -> Outcome {
    run(Command::new(DYNOMITE).args(args))
}

const VERSION: &str = concat!("This is dynomite-v", env!("CARGO_PKG_VERSION"), "\n\n");

#[test]
fn what_is_asked_for_is_told_on_stderr() {
    let describe = include_str!("../data/describe.txt");
    let usage = dynomite::cli::usage();
    for (args, stderr) in [
        (vec!["-V"], VERSION.to_owned()),
        (vec!["--version"], VERSION.to_owned()),
        (vec!["extra", "-V"], VERSION.to_owned()),
        (vec!["-tV"], VERSION.to_owned()),
        (vec!["-h"], format!("{VERSION}{usage}")),
        (vec!["-?"], format!("{VERSION}{usage}")),
        (vec!["-D"], format!("{VERSION}{describe}")),
        (vec!["--describe"], format!("{VERSION}{describe}")),
        (vec!["-D", "-h"], format!("{VERSION}{usage}{describe}")),
    ] {
        let outcome = dynomite(&args);
        assert_eq!(outcome.stderr, stderr, "{args:?}");
        assert_eq!(
            (outcome.code(), outcome.stdout.as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_bad_option_is_told_with_the_usage() {
    for (args, first) in [
        (&["-z"][..], "dynomite: invalid option -- 'z'"),
        (&["-h", "-z"], "dynomite: invalid option -- 'z'"),
        (&["--bogus"], "dynomite: invalid option -- 'bogus'"),
        (
            &["-v", "abc"],
            "dynomite: option -v requires a number, not 'abc'",
        ),
        (&["-o"], "dynomite: option -o requires a file name"),
        (
            &["-m", "513"],
            "dynomite: mbuf chunk size must be a multiple of 16, not '513'",
        ),
        (
            &["-M", "1"],
            "dynomite: max allocated messages buffer must be between 100000 and 1000000 messages, not '1'",
        ),
        (
            &["-x", "abc"],
            "dynomite: option -x requires a non-zero positive number, not 'abc'",
        ),
        (
            &["-s", "22222"],
            "dynomite: option -s was removed; use \"stats_listen:\"",
        ),
    ] {
        let outcome = dynomite(args);
        let expected = format!("{first}\n{}", dynomite::cli::usage());
        assert_eq!(outcome.stderr, expected, "{args:?}");
        assert_eq!(
            (outcome.code(), outcome.stdout.as_str()),
            (Some(1), ""),
            "{args:?}"
        );
    }
}

/// `dynomite -D 2>&1 | head -1` used to end in a panic.
#[test]
fn nobody_listening_on_stderr_is_no_crash() {
    for (args, code) in [("-D", 0), ("-h", 0), ("-z", 1)] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = Command::new(DYNOMITE)
            .arg(args)
            .stderr(full)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{args} into a full disk");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(DYNOMITE)
            .arg(args)
            .stderr(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{args} into a closed pipe");
    }
}

#[test]
fn t_tests_a_configuration_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let outcome = run(conf
        .command()
        .args(["-t", "-d", "-o", "log", "-p", "pid"])
        .current_dir(dir.path()));
    let path = conf.path();
    assert_eq!(
        outcome.stderr,
        format!(
            "dynomite: configuration file '{}' syntax is valid\n",
            path.display()
        )
    );
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (Some(0), ""));
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, [path]);
}

/// Every way a configuration can be unusable: what a line of the reason says.
fn unusable(dir: &Path) -> Vec<(&'static str, Conf, &'static str)> {
    let conf = || Conf::new(dir);
    fs::write(dir.join("bad.pem"), "rubbish").unwrap();
    vec![
        (
            "unknown key",
            conf().set("bogus_key", 1),
            "directive \"bogus_key\" is unknown",
        ),
        (
            "listen missing",
            conf().without("listen"),
            "directive \"listen:\" is missing",
        ),
        (
            "dyn_listen missing",
            conf().without("dyn_listen"),
            "directive \"dyn_listen:\" is missing",
        ),
        (
            "tokens missing",
            conf().without("tokens"),
            "directive \"tokens:\" is missing",
        ),
        (
            "servers missing",
            conf().without("servers"),
            "pool 'dyn_o_mite' has no datastores",
        ),
        (
            "data_store out of range",
            conf().set("data_store", 2),
            "Invalid datastore in conf file",
        ),
        (
            "mbuf_size out of range",
            conf().set("mbuf_size", 100),
            "mbuf chunk size must be between",
        ),
        (
            "no such host",
            conf().set("listen", "no.such.host.invalid:1"),
            "address resolution of node 'no.such.host.invalid' service '1' failed: ",
        ),
        (
            "PEM missing",
            conf()
                .set("secure_server_option", "all")
                .set("pem_key_file", dir.join("no.pem").display()),
            "no.pem does not exist",
        ),
        (
            "PEM unreadable",
            conf()
                .set("secure_server_option", "all")
                .set("pem_key_file", dir.join("bad.pem").display()),
            "Error: could NOT read RSA pem key file at ",
        ),
        (
            "PEM of a size that no node can use",
            conf()
                .set("secure_server_option", "all")
                .set("pem_key_file", new_key(dir, 1536)),
            "the RSA key has 1536 bits, but must have 1024 where a node runs the C original, else 2048 to 4096",
        ),
        (
            "a listener in the place of a file",
            conf().set("listen", dir.join("bad.pem").display()),
            "bad.pem' exists and is not a socket",
        ),
        (
            "an unknown provider",
            conf().set("dyn_seed_provider", "florida"),
            "directive \"dyn_seed_provider\" must be one of 'simple_provider' 'florida_provider' 'dns_provider' 'file_provider'",
        ),
    ]
}

#[test]
fn an_unusable_configuration_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (case, conf, reason) in unusable(dir.path()) {
        let verdict = format!(
            "dynomite: configuration file '{}' syntax is invalid",
            conf.path().display()
        );
        let tested = run(conf.command().arg("-t"));
        let (pid, log) = (dir.path().join("pid"), dir.path().join("log"));
        let started = run(conf.command().arg("-p").arg(&pid));
        for outcome in [&tested, &started] {
            assert_eq!(outcome.code(), Some(1), "{case}: {outcome:?}");
            assert!(
                outcome.stderr.contains(reason),
                "{case}: {}",
                outcome.stderr
            );
            assert_eq!(outcome.stderr.lines().last(), Some(&*verdict), "{case}");
            assert_eq!(outcome.stderr.matches("syntax is").count(), 1, "{case}");
            assert_eq!(outcome.stdout, "", "{case}");
        }
        assert!(
            started.stderr.contains("Failed to create conf!!!"),
            "{case}"
        );
        // With a log file the reason is in it, and still on stderr, where one looks first.
        let logged = run(conf.command().arg("-p").arg(&pid).arg("-o").arg(&log));
        assert_eq!(logged.code(), Some(1), "{case}");
        assert!(logged.stderr.contains(reason), "{case}: {}", logged.stderr);
        assert_eq!(logged.stderr.lines().last(), Some(&*verdict), "{case}");
        assert!(fs::read_to_string(&log).unwrap().contains(reason), "{case}");
        assert!(!pid.exists(), "{case}: a pid file was written");
    }
}

/// A new RSA key in a file; gives its path.
fn new_key(dir: &Path, bits: u32) -> String {
    let path = dir.join(format!("{bits}.pem"));
    let key = openssl::rsa::Rsa::generate(bits).unwrap();
    fs::write(&path, key.private_key_to_pem().unwrap()).unwrap();
    path.display().to_string()
}

/// Much of what a start warned of was not said by `-t`, and RSA keys that `-t` accepted were refused.
#[test]
fn t_and_a_start_give_the_same_warnings() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.pem"), "rubbish").unwrap();
    let conf = || Conf::new(dir.path());
    let secure = |bits| {
        conf()
            .set("secure_server_option", "all")
            .set("pem_key_file", new_key(dir.path(), bits))
    };
    let bad = dir.path().join("bad.pem");
    for (conf, args, variable, warning) in [
        (
            secure(2048),
            &[][..],
            ("", ""),
            "has 2048 bits: nodes that run the C original cannot talk to this node",
        ),
        (
            conf().set("pem_key_file", bad.display()),
            &[],
            ("", ""),
            "nodes that encrypt cannot talk to this node",
        ),
        (
            conf(),
            &["-m", "1024"],
            ("", ""),
            "-m or --mbuf-size command line arguments has been deprecated.",
        ),
        (
            conf(),
            &[],
            ("DYNOMITE_ENABLE_FLUSH", "yes"),
            "DYNOMITE_ENABLE_FLUSH is neither 0 nor 1 and has no effect: yes",
        ),
        (
            conf().set("dyn_seed_provider", "file_provider"),
            &[],
            ("DYNOMITE_SEEDS_INTERVAL_MS", "soon"),
            "DYNOMITE_SEEDS_INTERVAL_MS is not a number of milliseconds",
        ),
    ] {
        let command = || {
            let mut command = conf.command();
            command.args(args);
            if !variable.0.is_empty() {
                command.env(variable.0, variable.1);
            }
            command
        };
        let tested = run(command().arg("-t"));
        assert_eq!(tested.code(), Some(0), "{warning}: {tested:?}");
        let lines: Vec<&str> = tested.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{warning}: {lines:?}");
        assert!(lines[0].starts_with("warning: "), "{lines:?}");
        assert!(lines[0].contains(warning), "{warning}: {lines:?}");
        let mut node = Node::started(conf.clone(), command());
        node.logged(warning);
        assert_eq!(node.stop(), Some(0), "{warning}");
    }
}

#[test]
fn t_warns_of_a_listener_on_an_address_of_another_machine() {
    let dir = tempfile::tempdir().unwrap();
    // RFC 5737: an address that is never assigned.
    let conf = Conf::new(dir.path()).set("listen", "192.0.2.1:8102");
    let tested = run(conf.command().arg("-t"));
    assert_eq!(tested.code(), Some(0));
    let warning = "warning: conf: directive \"listen\" has an address that this machine does not have: 192.0.2.1:8102 (line ";
    assert!(tested.stderr.starts_with(warning), "{}", tested.stderr);
}

/// A start would have warned, or failed, for reasons that the test did not look at.
#[test]
fn t_says_what_a_start_would_say_of_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path()).set("datacenter", "d");
    let seeds = |nodes: &[&str]| {
        let entries: String = nodes.iter().map(|node| format!("\n  - {node}")).collect();
        run(conf.clone().set("dyn_seeds", entries).command().arg("-t"))
    };
    for (nodes, warning) in [
        (
            ["127.1.1.1:1:r:d:5", "127.1.1.2:1:r:d:5"],
            "warning: token 5 is claimed by 127.1.1.1:1 r:d and 127.1.1.2:1 r:d: its keys go to the former\n",
        ),
        (
            ["127.1.1.1:1:r:d:5", "127.1.1.1:1:r:d:6"],
            "warning: 127.1.1.1:1 r:d and 127.1.1.1:1 r:d are different nodes at one address\n",
        ),
    ] {
        let tested = seeds(&nodes);
        assert_eq!(tested.code(), Some(0));
        assert!(tested.stderr.starts_with(warning), "{}", tested.stderr);
    }
    let many: Vec<String> = (0..dynomite::cluster::member::MAX_NODES)
        .map(|n| format!("127.1.1.1:1:r:d:{n}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let tested = seeds(&many);
    assert_eq!(tested.code(), Some(1));
    assert!(
        tested.stderr.contains("nodes are more than the"),
        "{}",
        tested.stderr
    );
}

/// The limit on repeated lines used to hold back all but ten reasons.
#[test]
fn every_reason_is_told_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let conf = (0..30).fold(Conf::new(dir.path()), |conf, n| {
        conf.set(&format!("bogus_{n}"), 1)
    });
    let outcome = run(&mut conf.command());
    assert_eq!(
        outcome.stderr.matches("is unknown").count(),
        30,
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_configuration_that_is_not_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (path, reason) in [
        (dir.path().join("none.yml"), "No such file or directory"),
        (dir.path().to_owned(), "Is a directory"),
    ] {
        for test in [&["-t"][..], &[]] {
            let outcome = run(Command::new(DYNOMITE).args(test).arg("-c").arg(&path));
            let path = path.display();
            let failed = format!("conf: failed to open configuration '{path}': {reason}");
            assert_eq!(outcome.code(), Some(1));
            assert!(outcome.stderr.contains(&failed), "{}", outcome.stderr);
        }
    }
    // Without -c it is a file of the working directory.
    let outcome = run(Command::new(DYNOMITE).arg("-t").current_dir(dir.path()));
    assert_eq!(outcome.code(), Some(1));
    assert!(
        outcome.stderr.contains("'conf/dynomite.yml'"),
        "{}",
        outcome.stderr
    );
}

/// A unit of systemd started a node with a broken file again every second, for ever.
#[test]
fn a_service_manager_can_tell_that_another_start_would_not_help() {
    let dir = tempfile::tempdir().unwrap();
    let broken = || {
        let conf = Conf::new(dir.path()).set("bogus", 1);
        let mut command = conf.command();
        command.env("NOTIFY_SOCKET", dir.path().join("notify"));
        command
    };
    assert_eq!(run(&mut broken()).code(), Some(78));
    // As the original's, for everybody else.
    assert_eq!(run(broken().env_remove("NOTIFY_SOCKET")).code(), Some(1));
}

#[test]
fn a_log_or_pid_file_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let missing = dir.path().join("no/such/file");
    let outcome = run(conf.command().arg("-o").arg(&missing));
    assert_eq!(outcome.code(), Some(1));
    assert_eq!(
        outcome.stderr,
        format!(
            "opening log file '{}' failed: No such file or directory\n",
            missing.display()
        )
    );
    let outcome = run(conf.command().arg("-p").arg(&missing));
    assert_eq!(outcome.code(), Some(1));
    let failed = format!(
        "opening pid file '{}' failed: No such file or directory",
        missing.display()
    );
    assert!(outcome.stderr.contains(&failed), "{}", outcome.stderr);
    assert!(
        outcome.stderr.ends_with(" done, rabbit done\n"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_address_that_cannot_be_bound_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(free_address()).unwrap();
    let taken_addr = taken.local_addr().unwrap().to_string();
    for (key, addr, what, reason) in [
        ("listen", &*taken_addr, "p", "Address already in use"),
        ("dyn_listen", &*taken_addr, "p", "Address already in use"),
        ("stats_listen", &*taken_addr, "m", "Address already in use"),
        // RFC 5737: an address that is never assigned.
        (
            "listen",
            "192.0.2.1:8102",
            "p",
            "Cannot assign requested address",
        ),
        (
            "stats_listen",
            "192.0.2.1:8102",
            "m",
            "Cannot assign requested address",
        ),
    ] {
        let pid = dir.path().join("pid");
        let conf = Conf::new(dir.path()).set(key, addr);
        let outcome = run(conf.command().arg("-p").arg(&pid));
        let why = match reason {
            "Address already in use" => "another process listens there",
            _ => "this machine does not have that address",
        };
        let failed =
            format!("bind on {what} to addr '{addr}' failed: {reason}, see \"{key}\": {why}\n");
        assert_eq!(outcome.code(), Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&failed), "{}", outcome.stderr);
        assert_eq!(
            outcome
                .stderr
                .contains(" Failed to create stats!!! The node does not start"),
            what == "m",
            "{}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.ends_with(" done, rabbit done\n"),
            "{}",
            outcome.stderr
        );
        assert!(!pid.exists(), "the pid file is left behind");
        // Also with a log file, a start by hand shows the reason.
        let log = dir.path().join("log");
        let outcome = run(conf.command().arg("-o").arg(&log));
        assert!(
            outcome.stderr.contains(failed.trim_end()),
            "{}",
            outcome.stderr
        );
        assert!(fs::read_to_string(log).unwrap().contains(&failed));
    }
}

#[test]
fn a_node_runs_without_stdin_stdout_and_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    conf.write();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-", DYNOMITE, "-c"])
        .arg(conf.path())
        .stdin(Stdio::null());
    let mut node = Node::started(conf, shell);
    node.client().alive();
    assert_eq!(node.stop(), Some(0), "{}", node.log_text());
}

#[test]
fn the_limits_are_told_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path())
        .set("mbuf_size", 1024)
        .set("max_msgs", 100_000);
    conf.write();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -Sn 100; exec \"$0\" \"$@\"", DYNOMITE, "-c"])
        .arg(conf.path());
    let mut node = Node::started(conf, shell);
    let limits = node.proc("limits");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let [soft, hard] = files.split_whitespace().skip(3).take(2).collect::<Vec<_>>()[..] else {
        panic!("{files}");
    };
    assert_eq!(soft, hard, "the soft limit is raised");
    node.logged(&format!("{hard} open files"));
    node.logged("97 MiB of buffers (100000 messages of 1024 bytes)");
    assert_eq!(node.stop(), Some(0));
}
