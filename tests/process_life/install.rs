//! `make install`.

use crate::process_life::process::run;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// `make` with the debug binaries in the place of the release's.
fn make(arguments: &[&str]) {
    let binaries = Path::new(crate::process_life::process::DYNOMITE).parent().unwrap();
    let outcome = run(Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .arg("-s")
        .arg(format!("release={}", binaries.display()))
        .args(arguments));
    assert_eq!(outcome.code(), Some(0), "{outcome:?}");
}

/// Every file below a directory, with its mode.
fn files(below: &Path) -> BTreeMap<String, u32> {
    let (mut found, mut directories) = (BTreeMap::new(), vec![below.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                directories.push(entry.path());
            } else {
                let path = entry
                    .path()
                    .strip_prefix(below)
                    .unwrap()
                    .display()
                    .to_string();
                found.insert(path, meta.permissions().mode() & 0o777);
            }
        }
    }
    found
}

#[test]
fn a_package_has_everything_in_its_place() {
    for (arguments, sbin, bin, etc, lib, share) in [
        (
            &[][..],
            "usr/local/sbin",
            "usr/local/bin",
            "usr/local/etc",
            "usr/local/lib",
            "usr/local/share",
        ),
        (
            &["prefix=/usr", "sysconfdir=/etc"],
            "usr/sbin",
            "usr/bin",
            "etc",
            "usr/lib",
            "usr/share",
        ),
        (
            &[
                "prefix=/usr",
                "sysconfdir=/etc",
                "mandir=/usr/share/man",
                "sbindir=/usr/bin",
            ],
            "usr/bin",
            "usr/bin",
            "etc",
            "usr/lib",
            "usr/share",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let destination = format!("DESTDIR={}", dir.path().display());
        let with = |target| [&[target, &*destination], arguments].concat();
        make(&with("install"));
        let mut expected: BTreeMap<String, u32> = [
            (format!("{sbin}/dynomite"), 0o755),
            (format!("{bin}/dynomite-hash-tool"), 0o755),
            (format!("{etc}/dynomite/dynomite.yml"), 0o644),
            (format!("{share}/doc/dynomite/README.md"), 0o644),
            (format!("{share}/doc/dynomite/CHANGELOG.md"), 0o644),
            (format!("{share}/doc/dynomite/LICENSE"), 0o644),
            (format!("{etc}/default/dynomite"), 0o644),
            (format!("{lib}/systemd/system/dynomite.service"), 0o644),
            (format!("{lib}/systemd/system/dynomite@.service"), 0o644),
            (format!("{lib}/sysusers.d/dynomite.conf"), 0o644),
            (format!("{lib}/tmpfiles.d/dynomite.conf"), 0o644),
            (format!("{share}/dynomite/dynomite-alerts.yml"), 0o644),
            (format!("{share}/dynomite/dynomite-check"), 0o755),
            (format!("{share}/dynomite/dynomite-grafana.json"), 0o644),
            (format!("{share}/dynomite/dynomite-purge"), 0o755),
        ]
        .into();
        // init and logrotate look nowhere else than in /etc.
        let (init, logrotate) = match etc {
            "etc" => ("etc/init.d/dynomite", "etc/logrotate.d/dynomite"),
            _ => (
                "usr/local/share/doc/dynomite/examples/dynomite.init",
                "usr/local/share/doc/dynomite/examples/dynomite.logrotate",
            ),
        };
        expected.insert(init.to_owned(), 0o755);
        expected.insert(logrotate.to_owned(), 0o644);
        for program in ["dynomite", "dynomite-hash-tool"] {
            for place in [
                format!("bash-completion/completions/{program}"),
                format!("zsh/site-functions/_{program}"),
                format!("fish/vendor_completions.d/{program}.fish"),
            ] {
                expected.insert(format!("{share}/{place}"), 0o644);
            }
        }
        for page in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/man")).unwrap() {
            let name = page.unwrap().file_name().into_string().unwrap();
            let (_, section) = name.rsplit_once('.').unwrap();
            expected.insert(format!("{share}/man/man{section}/{name}"), 0o644);
        }
        for sample in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conf")).unwrap() {
            let name = sample.unwrap().file_name().into_string().unwrap();
            expected.insert(format!("{share}/doc/dynomite/examples/{name}"), 0o644);
        }
        assert_eq!(files(dir.path()), expected);

        let installed = |path: &str| dir.path().join(path);
        let conf = installed(&format!("{etc}/dynomite/dynomite.yml"));
        let tested = run(Command::new(installed(&format!("{sbin}/dynomite")))
            .arg("-t")
            .arg("-c")
            .arg(&conf));
        assert_eq!(tested.code(), Some(0), "{tested:?}");

        // What the operator changed is kept, by the next version and by its removal.
        let defaults = installed(&format!("{etc}/default/dynomite"));
        for file in [&conf, &defaults] {
            fs::write(file, "mine").unwrap();
        }
        make(&with("install"));
        for file in [&conf, &defaults] {
            assert_eq!(fs::read_to_string(file).unwrap(), "mine");
        }
        make(&with("uninstall"));
        assert_eq!(
            files(dir.path()).into_keys().collect::<Vec<_>>(),
            [
                format!("{etc}/default/dynomite"),
                format!("{etc}/dynomite/dynomite.yml")
            ]
        );
    }
}

/// Packages take both from files that others edit for other reasons.
#[test]
fn packages_have_the_version_and_the_changelog() {
    let script = |name: &str, arguments: &[&str]| {
        let path = format!("{}/contrib/packages/{name}", env!("CARGO_MANIFEST_DIR"));
        let outcome = run(Command::new(path)
            .args(arguments)
            .env("SOURCE_DATE_EPOCH", "1"));
        assert_eq!((outcome.code(), &*outcome.stderr), (Some(0), ""), "{name}");
        outcome.stdout
    };
    let version = env!("CARGO_PKG_VERSION").replace('-', "~");
    assert_eq!(script("version", &[]).trim(), version);
    let deb = script("changelog", &["deb", "7"]);
    let first = format!("dynomite ({version}-7) unstable; urgency=medium\n\n  * ");
    assert!(deb.starts_with(&first), "{deb}");
    assert!(
        deb.contains("\n\n -- ") && deb.ends_with(" +0000\n\n"),
        "{deb}"
    );
    assert!(deb.lines().all(|line| line.chars().count() <= 80), "{deb}");
    let rpm = script("changelog", &["rpm", "7"]);
    assert!(
        rpm.starts_with("* ") && rpm.contains(&format!(" - {version}-7\n- ")),
        "{rpm}"
    );
}
