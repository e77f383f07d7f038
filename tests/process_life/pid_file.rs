//! The pid file of a running node.

use crate::process_life::process::{Conf, Node, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn it_names_the_process_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("dynomite.pid");
    for (left_behind, signal) in [(None, "TERM"), (Some("99999999"), "INT")] {
        if let Some(text) = left_behind {
            fs::write(&pid, text).unwrap();
        }
        let mut node = Node::start_with(Conf::new(dir.path()), |command| {
            command.arg("-p").arg(&pid);
        });
        assert_eq!(fs::read_to_string(&pid).unwrap(), node.pid().to_string());
        let mode = fs::metadata(&pid).unwrap().permissions().mode();
        assert_eq!(mode & 0o133, 0, "{mode:o}");
        node.signal(signal);
        assert_eq!(node.wait(), Some(0));
        assert!(!pid.exists());
    }
}

/// The C original let the second instance overwrite the file and remove it when it failed to bind.
#[test]
fn a_second_instance_is_refused_and_leaves_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("dynomite.pid");
    let mut node = Node::start_with(Conf::new(dir.path()), |command| {
        command.arg("-p").arg(&pid);
    });
    let other = tempfile::tempdir().unwrap();
    let outcome = run(Conf::new(other.path()).command().arg("-p").arg(&pid));
    assert_eq!(outcome.code(), Some(1));
    let words = format!(
        "pid file '{}' belongs to running process {}",
        pid.display(),
        node.pid()
    );
    assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(&pid).unwrap(), node.pid().to_string());
    node.client().alive();
    assert_eq!(node.stop(), Some(0));
}
