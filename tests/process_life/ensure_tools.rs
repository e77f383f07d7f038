//! `contrib/ensure-tools`, which `make`, `make deps`, `make demo` and `make test` call.

use crate::process_life::process::{Outcome, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A machine on which these programs, by name and script, take the place of the real ones.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(programs: &[(&str, &str)]) -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        // Root, whichever user runs the test; `apt-get` installs nothing and notes how it was called.
        machine.put("id", "echo 0");
        machine.put(
            "apt-get",
            &format!("echo \"$@\" >>{}", machine.calls().display()),
        );
        for (name, script) in programs {
            machine.put(name, script);
        }
        machine
    }

    fn put(&self, name: &str, script: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn calls(&self) -> std::path::PathBuf {
        self.0.path().join("calls")
    }

    /// What was installed so far, as the arguments of `apt-get`.
    fn installed(&self) -> String {
        fs::read_to_string(self.calls()).unwrap_or_default()
    }

    fn ensure(&self, arguments: &[&str]) -> Outcome {
        let path = std::env::var("PATH").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/ensure-tools");
        run(Command::new(script)
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.0.path().display())))
    }
}

/// gcc is there and the C library's headers are not: `command -v cc` says that all is well.
const NO_C_LIBRARY: (&str, &str) = (
    "cc",
    "echo 'stdio.h: No such file or directory' >&2; exit 1",
);

#[test]
fn a_compiler_without_the_c_library_is_missing() {
    let machine = Machine::new(&[NO_C_LIBRARY]);
    let outcome = machine.ensure(&["build"]);
    assert_eq!(outcome.code(), Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("libc6-dev"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("make deps FOR=\"build\""),
        "{outcome:?}"
    );
    assert_eq!(machine.installed(), "", "a check installs nothing");
}

#[test]
fn what_is_missing_is_installed_when_asked_for_and_announced() {
    let machine = Machine::new(&[NO_C_LIBRARY]);
    let outcome = machine.ensure(&["--install", "build"]);
    assert_eq!(outcome.code(), Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains("installing with apt-get: gcc"),
        "{outcome:?}"
    );
    let installed = machine.installed();
    assert!(
        installed.starts_with("install ") && installed.contains(" libc6-dev "),
        "{installed}"
    );
}

#[test]
fn openssl_is_missing_when_a_program_with_it_does_not_link() {
    let real = run(Command::new("sh").args(["-c", "command -v cc"])).stdout;
    let picky = format!(
        "case \"$*\" in *ssl.c*) exit 1 ;; esac\nexec {} \"$@\"",
        real.trim()
    );
    let machine = Machine::new(&[("cc", &picky)]);
    let outcome = machine.ensure(&["build"]);
    assert!(
        outcome.stderr.contains("missing: libssl-dev\n"),
        "{outcome:?}"
    );
}

#[test]
fn a_machine_that_has_everything_is_left_alone() {
    let machine = Machine::new(&[]);
    let outcome = machine.ensure(&["--install", "build"]);
    assert_eq!(outcome.code(), Some(0), "{outcome:?}");
    assert_eq!(machine.installed(), "");
}
