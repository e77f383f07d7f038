//! The manual pages say what the program does.
//!
//! `DYNOMITE_WRITE_MANUAL=1 cargo test --test manual` writes the generated part anew.

use dynomite::config::manual::{ROFF_MARKS, markdown, roff};
use dynomite::config::{KEYS, keys::Status};
use std::path::PathBuf;

fn page(name: &str) -> (PathBuf, String) {
    let path = [env!("CARGO_MANIFEST_DIR"), "man", name].iter().collect();
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn the_keys_in_the_manual_are_those_of_the_table() {
    let (path, text) = page("dynomite.yml.5");
    let (begin, end) = ROFF_MARKS;
    let (before, rest) = text.split_once(begin).expect("the mark before the keys");
    let (keys, after) = rest.split_once(end).expect("the mark after the keys");
    if std::env::var_os("DYNOMITE_WRITE_MANUAL").is_some() {
        let text = format!("{before}{begin}\n{}{end}{after}", roff());
        std::fs::write(path, text).unwrap();
        return;
    }
    assert_eq!(
        keys.trim_start(),
        roff(),
        "run: DYNOMITE_WRITE_MANUAL=1 cargo test --test manual"
    );
}

#[test]
fn every_key_stands_in_the_tables_for_readers() {
    let (roff, markdown) = (roff(), markdown());
    for key in KEYS {
        assert!(
            roff.contains(&format!("\n.B {}\n", key.name)),
            "{}",
            key.name
        );
        let row = format!("| `{}` |", key.name);
        assert_eq!(markdown.contains(&row), key.status == Status::Live, "{row}");
    }
    let columns = |line: &str| line.matches('|').count();
    assert!(
        markdown.lines().all(|line| columns(line) == 5),
        "{markdown}"
    );
}

#[test]
fn every_option_stands_in_the_manual() {
    let (_, text) = page("dynomite.8");
    let plain = text.replace("\\-", "-");
    for line in dynomite::cli::usage().lines() {
        let Some((options, _)) = line.split_once(" : ").or(line.split_once(": ")) else {
            continue;
        };
        for word in options
            .split([' ', ',', '='])
            .filter(|w| w.starts_with('-'))
        {
            assert!(plain.contains(word), "{word} is not in dynomite(8)");
        }
    }
}
