//! The log of a running node.

use crate::process_life::process::{Conf, Node, until};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

fn start(conf: Conf, level: u8) -> Node {
    Node::start_with(conf, |command| {
        command.arg(format!("-v{level}"));
    })
}

#[test]
fn every_line_has_the_originals_layout() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(Conf::new(dir.path()), 11);
    let mut client = node.client();
    client.alive();
    client.ask(&["GET", "k"], "-ERR Storage: ");
    drop(client);
    assert_eq!(node.stop(), Some(0));
    let text = node.log_text();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        let (stamp, rest) = line.split_at(26);
        let shape: String = stamp
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert_eq!(shape, "[9999-99-99 99:99:99.999] ", "{line}");
        let (place, message) = rest.split_once(' ').unwrap();
        let (module, number) = place.split_once(':').unwrap();
        assert!(
            module.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{line}"
        );
        assert!(
            number.parse::<u32>().is_ok() && !message.is_empty(),
            "{line}"
        );
    }
    let banner = text
        .lines()
        .find(|line| line.contains(" started on pid "))
        .unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        banner.contains(&format!(" dynomite-v{version} built for Linux ")),
        "{banner}"
    );
    assert!(
        banner.ends_with(&format!(" started on pid {}", node.pid())),
        "{banner}"
    );
    assert!(text.ends_with(" done, rabbit done\n"));
}

#[test]
fn connections_are_told_with_their_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let address = crate::process_life::process::free_address();
    let mut node = start(Conf::new(dir.path()).set("listen", address), 5);
    node.logged(&format!(
        "<CONN_PROXY listening on '{address}'> inited in redis <POOL 'dyn_o_mite'>"
    ));
    node.logged(&format!(
        "m listening on '{}'",
        node.conf.get("stats_listen")
    ));
    let mut client = node.client();
    client.alive();
    let crate::process_life::process::Client::Tcp(tcp) = &client else {
        panic!()
    };
    let from = format!(" from '{}'>", tcp.local_addr().unwrap());
    let accepted = node.logged(&from);
    assert!(
        accepted.contains(&format!(
            "<CONN_PROXY listening on '{address}'> accepted <CONN_CLIENT "
        )),
        "{accepted}"
    );
    let name = accepted.split_once(" accepted ").unwrap().1.to_owned();
    drop(client);
    node.logged(&format!("{name} recv eof"));
    node.logged(&format!("close {name}"));
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn sighup_opens_the_file_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(Conf::new(dir.path()));
    let rotated = dir.path().join("dynomite.log.1");
    fs::rename(&node.log, &rotated).unwrap();
    node.signal("HUP");
    until("the new file", || node.log.exists().then_some(()));
    node.signal("USR2");
    node.logged("signal 12 (SIGUSR2) received");
    let old = fs::read_to_string(&rotated).unwrap();
    assert!(
        old.contains(" signal 1 (SIGHUP) received, reopening log file"),
        "{old}"
    );
    assert!(!old.contains("SIGUSR2"), "{old}");
    assert_eq!(
        fs::metadata(&node.log).unwrap().permissions().mode() & 0o133,
        0
    );
    assert_eq!(node.stop(), Some(0));
}

/// `logrotate` sent SIGHUP, which reads the configuration again as well.
#[test]
fn sigusr1_opens_the_file_again_and_does_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(Conf::new(dir.path()));
    node.conf.clone().set("timeout", 1234).write();
    let rotated = dir.path().join("dynomite.log.1");
    fs::rename(&node.log, &rotated).unwrap();
    node.signal("USR1");
    until("the new file", || node.log.exists().then_some(()));
    node.signal("USR2");
    node.logged("signal 12 (SIGUSR2) received");
    let old = fs::read_to_string(&rotated).unwrap();
    let line = " signal 10 (SIGUSR1) received, reopening log file\n";
    assert!(old.contains(line), "{old}");
    assert!(!node.log_text().contains("conf: "), "{}", node.log_text());
    // The other one does.
    node.signal("HUP");
    node.logged("conf: directive \"timeout\" is '1234', it was");
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_line_says_how_serious_it_is_if_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    let mut node = Node::start_with(conf, |command| {
        command
            .args(["-m", "1024"])
            .env("DYNOMITE_LOG_SEVERITY", "1");
    });
    for (words, severity) in [
        (" started on pid ", " info: dynomite-v"),
        (
            "command line arguments has been deprecated",
            " warning: -m or",
        ),
        ("connecting.....", " info: <CONN_SERVER"),
        ("close <CONN_SERVER 0 ", " warning: close"),
    ] {
        let line = node.logged(words);
        assert!(line.contains(severity), "{line}");
        let (_, rest) = line.split_at(26);
        let (place, _) = rest.split_once(' ').unwrap();
        assert!(place.contains(':'), "the second field is as ever: {line}");
    }
    assert_eq!(node.stop(), Some(0));
}

/// The C original closed the old file first and never logged again.
#[test]
fn a_file_that_cannot_be_opened_again_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(Conf::new(dir.path()));
    let rotated = dir.path().join("dynomite.log.1");
    fs::rename(&node.log, &rotated).unwrap();
    fs::create_dir(&node.log).unwrap();
    node.signal("HUP");
    let old = || fs::read_to_string(&rotated).unwrap();
    let failed = format!(
        "reopening log file '{}' failed, ignored: Is a directory",
        node.log.display()
    );
    until("the failure in the old file", || {
        old().contains(&failed).then_some(())
    });
    node.signal("USR2");
    until("another line", || {
        old().contains("signal 12 (SIGUSR2) received").then_some(())
    });
    // The next signal tries again.
    fs::remove_dir(&node.log).unwrap();
    node.signal("HUP");
    until("the new file", || node.log.exists().then_some(()));
    assert_eq!(node.stop(), Some(0));
    assert!(node.log_text().ends_with(" done, rabbit done\n"));
}

#[test]
fn signals_change_the_level_within_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(Conf::new(dir.path()), 10);
    node.signal("TTIN");
    node.logged("signal 21 (SIGTTIN) received, up logging level");
    node.logged(" up log level to 11");
    node.signal("TTIN");
    until("the second line", || {
        (node.log_text().matches("(SIGTTIN)").count() == 2).then_some(())
    });
    node.signal("TTOU");
    node.logged("signal 22 (SIGTTOU) received, down logging level");
    node.logged(" down log level to 10");
    assert_eq!(
        node.log_text().matches("up log level").count(),
        1,
        "silent at the bound"
    );
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn errors_are_told_at_level_0_and_connections_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(Conf::new(dir.path()), 0);
    drop(node.client());
    node.client().alive();
    assert_eq!(node.stop(), Some(0));
    let text = node.log_text();
    assert!(!text.contains("CONN_"), "{text}");
    assert!(
        text.contains(" started on pid ") && text.contains("(SIGTERM)"),
        "{text}"
    );
}

/// What clients send is theirs: no key, value or password is written down, and nothing they send
/// can forge a line.
#[test]
fn nothing_that_clients_send_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    // A store that answers rubbish with an escape sequence in it.
    let store = UnixListener::bind(dir.path().join("redis.sock")).unwrap();
    let mut node = start(Conf::new(dir.path()), 11);
    let (mut stream, _) = store.accept().unwrap();
    let mut client = node.client();
    client.send(crate::process_life::process::request(&[
        "SET",
        "sesame-key",
        "sesame-value",
    ]));
    stream.write_all(b"sesame-reply\x1b[2J\r\n").unwrap();
    client.expect("-ERR ");
    drop(client);
    for line in [
        &b"*2\r\n$11\r\nsesame-\x1b[2J\r\n$1\r\nx\r\n"[..],
        b"*3\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n$10\r\nsesame-pwd\r\n",
        b"*1\r\n$x\nsesame\r\n",
        b"sesame \"\x1b\r\n",
        b"GET /sesame HTTP/1.1\r\nHost: sesame\r\n\r\n",
    ] {
        let mut client = node.client();
        client.send(line);
        client.send("\r\n");
        if let crate::process_life::process::Client::Unix(unix) = &client {
            unix.shutdown(std::net::Shutdown::Write).unwrap();
        }
        client.rest();
    }
    assert_eq!(node.stop(), Some(0));
    let text = node.log_text();
    assert!(!text.contains("sesame"), "{text}");
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "{text:?}"
    );
}

#[test]
fn a_journal_is_told_how_serious_a_line_is() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path()).set(
        "servers",
        format!("{}:1", dir.path().join("none").display()),
    );
    let (mut reader, writer) = std::io::pipe().unwrap();
    let meta = fs::metadata("/proc/self/fd/".to_owned() + &fd(&writer).to_string()).unwrap();
    let stream = {
        use std::os::unix::fs::MetadataExt;
        format!("{}:{}", meta.dev(), meta.ino())
    };
    let mut command = conf.command();
    // An empty name is stderr as well.
    command.args(["-o", ""]).env("JOURNAL_STREAM", stream);
    command.stdin(Stdio::null()).stderr(writer);
    let mut process = crate::process_life::process::Process(command.spawn().unwrap());
    drop(command);
    until("the node serves", || {
        crate::process_life::process::Client::connect(conf.get("listen")).ok()
    });
    crate::process_life::process::signal("TERM", process.pid());
    assert_eq!(process.wait().code(), Some(0));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    for (words, priority) in [
        (" started on pid ", "<6>["),
        ("connecting.....", "<6>["),
        (": No such file or directory", "<4>["),
        (" listening on ", "<6>["),
    ] {
        let line = text.lines().find(|line| line.contains(words)).unwrap();
        assert!(line.starts_with(priority), "{line}");
    }
}

fn fd(of: &impl std::os::fd::AsRawFd) -> i32 {
    of.as_raw_fd()
}
