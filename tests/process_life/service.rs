//! What belongs to a service: unit, init script, logrotate's file, the sidecar's layout. All of it
//! is installed below a directory of the test's own, without root, and run from there.

use crate::process_life::process::{
    Conf, Outcome, Process, free_address, redis_behind, run, signal, until,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An installation in a directory, with a configuration that has a Redis behind it.
struct Installed {
    dir: tempfile::TempDir,
    conf: Conf,
}

impl Installed {
    fn new() -> Installed {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["run", "var/log/dynomite", "work"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let conf = Conf::new(&at("work"));
        let installed = Installed { dir, conf };
        installed.make("install");
        let path = installed.conf.write();
        fs::rename(path, installed.at("etc/dynomite/dynomite.yml")).unwrap();
        let defaults = installed.at("etc/default/dynomite");
        let text = fs::read_to_string(&defaults).unwrap() + "DYNOMITE_USER=" + &user() + "\n";
        fs::write(defaults, text).unwrap();
        installed
    }

    fn make(&self, target: &str) {
        let binaries = Path::new(crate::process_life::process::DYNOMITE)
            .parent()
            .unwrap();
        let root = self.dir.path().display();
        let outcome = run(Command::new("make")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("MAKEFLAGS")
            .arg("-s")
            .arg(target)
            .arg(format!("release={}", binaries.display()))
            .arg(format!("prefix={root}"))
            .arg(format!("initdir={root}/etc/init.d"))
            .arg(format!("logrotatedir={root}/etc/logrotate.d"))
            .arg(format!("localstatedir={root}/var"))
            .arg(format!("runstatedir={root}/run"))
            .arg(format!("sidecardir={root}/apps/dynomite")));
        assert_eq!(outcome.code(), Some(0), "{outcome:?}");
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn init(&self, action: &str) -> Outcome {
        run(Command::new(self.at("etc/init.d/dynomite")).arg(action))
    }

    #[track_caller]
    fn did(&self, action: &str) {
        let outcome = self.init(action);
        assert_eq!(outcome.code(), Some(0), "{action}: {outcome:?}");
    }

    fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.at("run/dynomite/dynomite.pid")).ok()?;
        Some(text.parse().unwrap())
    }

    #[track_caller]
    fn serves(&self) {
        let mut client =
            crate::process_life::process::Client::connect(self.conf.get("listen")).unwrap();
        client.ask(&["SET", "k", "v"], "+OK\r\n");
        client.ask(&["GET", "k"], "$1\r\nv\r\n");
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            signal("KILL", pid);
        }
    }
}

fn user() -> String {
    run(Command::new("id").arg("-un")).stdout.trim().to_owned()
}

pub fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status();
    found.is_ok_and(|status| status.success())
}

#[test]
fn every_file_names_the_places_of_the_installation() {
    let installed = Installed::new();
    let root = installed.dir.path().display().to_string();
    for (file, places) in [
        (
            "lib/systemd/system/dynomite.service",
            &[
                "sbin/dynomite",
                "etc/default/dynomite",
                "etc/dynomite/dynomite.yml",
                "var/log/dynomite",
            ][..],
        ),
        (
            "lib/systemd/system/dynomite@.service",
            &[
                "sbin/dynomite",
                "etc/default/dynomite-%i",
                "etc/dynomite/%i.yml",
                "var/log/dynomite",
            ],
        ),
        (
            "etc/init.d/dynomite",
            &[
                "sbin/dynomite",
                "etc/default/dynomite",
                "etc/dynomite/dynomite.yml",
                "var/log/dynomite",
                "run/dynomite",
            ],
        ),
        (
            "etc/logrotate.d/dynomite",
            &["var/log/dynomite/*.log", "run/dynomite/*.pid"],
        ),
        (
            "lib/tmpfiles.d/dynomite.conf",
            &["var/log/dynomite", "run/dynomite"],
        ),
        ("lib/sysusers.d/dynomite.conf", &["share/dynomite"]),
        ("etc/default/dynomite", &["etc/dynomite/dynomite.yml"]),
    ] {
        let text = installed.read(file);
        for place in places {
            assert!(
                text.contains(&format!("{root}/{place}")),
                "{place} in {file}"
            );
        }
        let left: Vec<&str> = text
            .split(|c: char| !(c.is_ascii_lowercase() || c == '@'))
            .filter(|word| word.len() > 2 && word.starts_with('@') && word.ends_with('@'))
            .collect();
        assert!(left.is_empty(), "{left:?} in {file}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if !has("systemd-analyze") {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    }
    let installed = Installed::new();
    let unit = installed.at("lib/systemd/system/dynomite.service");
    let instance = installed.at("lib/systemd/system/dynomite@east.service");
    fs::copy(
        installed.at("lib/systemd/system/dynomite@.service"),
        &instance,
    )
    .unwrap();
    for unit in [&unit, &instance] {
        let verified = run(Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(unit));
        assert_eq!(verified.code(), Some(0), "{verified:?}");
        assert!(!verified.stderr.contains("dynomite"), "{}", verified.stderr);
    }
    // From 0, the best, to 10; older versions cannot look at a file.
    let exposure_is_at_most = |tenths: &str| {
        let secure = run(Command::new("systemd-analyze")
            .args([
                "security",
                "--offline=yes",
                "--threshold",
                tenths,
                "--no-pager",
            ])
            .arg(&unit));
        let unknown = secure.stderr.contains("unrecognized option");
        assert!(unknown || secure.code() == Some(0), "{secure:?}");
    };
    exposure_is_at_most("12");
    // With what its comment leaves to the operator.
    let text = fs::read_to_string(&unit).unwrap();
    let stricter = "[Service]\nPrivateUsers=yes\nIPAddressDeny=any\nIPAddressAllow=10.0.0.0/8\n";
    fs::write(&unit, text.replacen("[Service]\n", stricter, 1)).unwrap();
    exposure_is_at_most("10");
}

/// It was sent to the process that had the number by then, and HUP ends most programs.
#[test]
fn rotating_logs_signals_nobody_but_a_node() {
    let installed = Installed::new();
    let text = installed.read("etc/logrotate.d/dynomite");
    let (_, script) = text.split_once("postrotate\n").unwrap();
    let (script, _) = script.split_once("endscript").unwrap();
    // Not the part for the service of the machine this runs on.
    let script = &script[script.find("for file").unwrap()..];
    let mut stranger = Process(Command::new("sleep").arg("1000").spawn().unwrap());
    fs::create_dir(installed.at("run/dynomite")).unwrap();
    for (name, text) in [
        ("stale", stranger.pid().to_string()),
        ("empty", String::new()),
        ("odd", "-1".to_owned()),
    ] {
        fs::write(installed.at(&format!("run/dynomite/{name}.pid")), text).unwrap();
    }
    installed.did("start");
    let outcome = run(Command::new("sh").args(["-e", "-c", script]));
    assert_eq!((outcome.code(), &*outcome.stderr), (Some(0), ""));
    let log = || installed.read("var/log/dynomite/dynomite.log");
    until("the node to be told", || {
        log()
            .contains("(SIGUSR1) received, reopening log file")
            .then_some(())
    });
    assert!(stranger.0.try_wait().unwrap().is_none());
    installed.did("stop");
    // A rotation once read a configuration that an editor was still writing.
    assert!(!log().contains("conf: nothing has changed"), "{}", log());
}

#[test]
fn the_init_script_leads_a_node_through_its_life() {
    let installed = Installed::new();
    let _redis = redis_behind(&installed.conf);
    assert_eq!(installed.init("status").code(), Some(3));
    installed.did("stop");
    installed.did("configtest");
    installed.did("try-restart");
    assert_eq!(installed.pid(), None, "try-restart starts nothing");

    // When it returns, the node serves.
    installed.did("start");
    installed.serves();
    installed.did("status");
    let first = installed.pid().unwrap();
    installed.did("start");
    assert_eq!(
        installed.pid(),
        Some(first),
        "a second start changes nothing"
    );

    let log = installed.at("var/log/dynomite/dynomite.log");
    fs::rename(&log, log.with_extension("1")).unwrap();
    installed.did("reload");
    until("a new log file", || log.exists().then_some(()));
    assert_eq!(installed.pid(), Some(first));

    // A wrong configuration does not end the running node.
    let conf = installed.at("etc/dynomite/dynomite.yml");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, good.clone() + "  bogus: 1\n").unwrap();
    for action in [
        "restart",
        "force-reload",
        "reload",
        "configtest",
        "testconf",
    ] {
        let outcome = installed.init(action);
        assert_eq!(outcome.code(), Some(1), "{action}: {outcome:?}");
        assert!(outcome.stderr.contains("bogus"), "{action}: {outcome:?}");
        assert_eq!(installed.pid(), Some(first), "{action}");
    }
    installed.serves();
    fs::write(&conf, good).unwrap();

    installed.did("restart");
    let second = installed.pid().unwrap();
    assert_ne!(second, first);
    installed.serves();
    installed.did("stop");
    assert_eq!(installed.pid(), None);
    assert_eq!(installed.init("nonsense").code(), Some(2));
}

#[test]
fn the_init_script_tells_of_a_start_that_failed_and_of_a_crash() {
    let installed = Installed::new();
    let conf = installed.at("etc/dynomite/dynomite.yml");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, "rubbish").unwrap();
    let outcome = installed.init("start");
    assert_eq!(outcome.code(), Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("syntax is invalid"), "{outcome:?}");
    fs::write(&conf, good).unwrap();

    installed.did("start");
    let pid = installed.pid().unwrap();
    signal("KILL", pid);
    until("status tells", || {
        (installed.init("status").code() == Some(1)).then_some(())
    });
    installed.did("start");
    assert_ne!(installed.pid(), Some(pid));
    installed.did("stop");
}

/// Options and variables in the file that systemd reads too.
#[test]
fn the_environment_file_reaches_the_node() {
    let installed = Installed::new();
    let defaults = installed.at("etc/default/dynomite");
    let log = installed.at("elsewhere.log");
    let text = fs::read_to_string(&defaults).unwrap().replace(
        "DYNOMITE_OPTS=\"\"",
        &format!("DYNOMITE_OPTS=\"-v 7 -o {}\"", log.display()),
    );
    fs::write(&defaults, text + "DYNOMITE_LOCAL_SCAN=1\n").unwrap();
    installed.did("start");
    let environment = fs::read(format!("/proc/{}/environ", installed.pid().unwrap())).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(
        environment.contains("DYNOMITE_LOCAL_SCAN=1\0"),
        "{environment}"
    );
    assert!(log.exists());
    installed.did("stop");
}

/// dynomite-manager starts the node by a script, looks for it in `ps`, and stops it by another.
#[test]
fn the_sidecar_starts_sees_and_stops_a_node() {
    if !has("pgrep") {
        eprintln!("skipped: there is no pgrep");
        return;
    }
    let mut installed = Installed::new();
    // The sidecar's nodes have ports.
    installed.conf = installed.conf.clone().set("listen", free_address());
    let _redis = redis_behind(&installed.conf);
    installed.make("install-sidecar");
    let written = installed.conf.write();
    fs::copy(written, installed.at("apps/dynomite/conf/dynomite.yml")).unwrap();
    let logs = installed.at("logs");
    let script = |name: &str| {
        let mut command = Command::new(installed.at("apps/dynomite/bin").join(name));
        command
            .current_dir("/")
            .env("LOG_DIR", &logs)
            .env("DYN_USER", user());
        for variable in ["MBUF_SIZE", "ALLOC_MSGS", "EC2_INSTANCE_TYPE"] {
            command.env_remove(variable);
        }
        command
    };
    let program = installed
        .at("apps/dynomite/bin/dynomite")
        .display()
        .to_string();
    let pids = || run(Command::new("pgrep").args(["-f", &format!("^{program} ")])).stdout;

    assert_eq!(run(&mut script("kill_dynomite.sh")).code(), Some(0));
    // An instance type that is in no list once made the original's command line wrong.
    let outcome = run(script("launch_dynomite.sh")
        .env("MBUF_SIZE", "32768")
        .env("EC2_INSTANCE_TYPE", "other"));
    assert_eq!(outcome.code(), Some(0), "{outcome:?}");
    installed.serves();
    let pid: u32 = pids().trim().parse().expect("one process by that name");
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let line = String::from_utf8_lossy(&line);
    assert!(
        line.starts_with(&program) && line.contains("\0-m32768\0"),
        "{line}"
    );

    let again = run(&mut script("launch_dynomite.sh"));
    assert_eq!(again.code(), Some(0), "{again:?}");
    assert_eq!(pids().trim(), pid.to_string());

    assert_eq!(run(&mut script("kill_dynomite.sh")).code(), Some(0));
    assert_eq!(pids(), "");
    // The log of the run before is kept.
    let outcome = run(script("launch_dynomite.sh").env("ALLOC_MSGS", "100000"));
    assert_eq!(outcome.code(), Some(0), "{outcome:?}");
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 2);
    assert_eq!(run(&mut script("kill_dynomite.sh")).code(), Some(0));
    assert_eq!(pids(), "");
}
