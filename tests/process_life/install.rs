//! `make install`.

use crate::process::run;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// `make` with the debug binaries in the place of the release's.
fn make(arguments: &[&str]) {
    let binaries = Path::new(crate::process::DYNOMITE).parent().unwrap();
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
    for (arguments, sbin, bin, etc, share) in [
        (
            &[][..],
            "usr/local/sbin",
            "usr/local/bin",
            "usr/local/etc",
            "usr/local/share",
        ),
        (
            &["prefix=/usr", "sysconfdir=/etc"],
            "usr/sbin",
            "usr/bin",
            "etc",
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
            "usr/share",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let destination = format!("DESTDIR={}", dir.path().display());
        let with = |target| [&[target, &*destination], arguments].concat();
        make(&with("install"));
        let expected: BTreeMap<String, u32> = [
            (format!("{sbin}/dynomite"), 0o755),
            (format!("{bin}/dynomite-hash-tool"), 0o755),
            (format!("{etc}/dynomite/dynomite.yml"), 0o644),
            (format!("{share}/man/man8/dynomite.8"), 0o644),
            (format!("{share}/man/man5/dynomite.yml.5"), 0o644),
            (format!("{share}/man/man7/dynomite-alerts.7"), 0o644),
            (format!("{share}/man/man7/dynomite-metrics.7"), 0o644),
            (format!("{share}/man/man1/dynomite-hash-tool.1"), 0o644),
            (format!("{share}/doc/dynomite/README.md"), 0o644),
            (format!("{share}/doc/dynomite/CHANGELOG.md"), 0o644),
            (format!("{share}/doc/dynomite/LICENSE"), 0o644),
        ]
        .into();
        assert_eq!(files(dir.path()), expected);

        let installed = |path: &str| dir.path().join(path);
        let conf = installed(&format!("{etc}/dynomite/dynomite.yml"));
        let tested = run(Command::new(installed(&format!("{sbin}/dynomite")))
            .arg("-t")
            .arg("-c")
            .arg(&conf));
        assert_eq!(tested.code(), Some(0), "{tested:?}");

        // What the operator changed is kept, by the next version and by its removal.
        fs::write(&conf, "mine").unwrap();
        make(&with("install"));
        assert_eq!(fs::read_to_string(&conf).unwrap(), "mine");
        make(&with("uninstall"));
        assert_eq!(
            files(dir.path()).into_keys().collect::<Vec<_>>(),
            [format!("{etc}/dynomite/dynomite.yml")]
        );
    }
}
