//! dynomite-troubleshooting(7) has every error text that the program can show.

use dynomite::config::StoreKind;
use dynomite::proto::Failure;
use dynomite::troubleshooting::SECTIONS;
use std::path::{Path, PathBuf};

/// Texts shorter than this name nothing by themselves: they carry another text.
const TELLING: usize = 8;

/// Returns true if a row has this fragment of a text.
fn is_listed(fragment: &str) -> bool {
    let mut rows = SECTIONS.iter().flat_map(|(_, rows)| *rows);
    rows.any(|row| row.text.contains(fragment))
}

/// Every source file but those of tests.
fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if [
            "tests",
            "against_redis",
            "side_by_side",
            "troubleshooting",
            "manual",
        ]
        .contains(&name)
        {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The string literals of a source file before its tests, each with the text in front of it on its
/// statement's lines. Comments are left out.
fn literals(source: &str) -> Vec<(String, String)> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (mut found, mut rest, mut before) = (Vec::new(), code.as_str(), String::new());
    while let Some(start) = rest.find('"') {
        before.push_str(&rest[..start]);
        let body = &rest[start + 1..];
        let mut escaped = false;
        let Some(end) = body.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        }) else {
            break;
        };
        // A line that is continued goes on behind its indentation.
        let mut text = String::new();
        for (n, piece) in body[..end].split("\\\n").enumerate() {
            text.push_str(if n == 0 { piece } else { piece.trim_start() });
        }
        found.push((std::mem::take(&mut before), text));
        rest = &body[end + 1..];
    }
    found
}

/// The longest part of a text between what differs, as a reader sees it.
fn longest_fragment(text: &str) -> String {
    let text = text
        .replace("\\r\\n", "")
        .replace("\\\"", "\"")
        .replace("-ERR ", "")
        .replace("-EXECABORT ", "EXECABORT ")
        .replace("SERVER_ERROR ", "");
    let mut fragments = Vec::new();
    let mut rest = text.as_str();
    while let Some((fragment, after)) = rest.split_once('{') {
        fragments.push(fragment);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    fragments.push(rest);
    let longest = fragments.iter().max_by_key(|fragment| fragment.len());
    longest.unwrap().trim().to_owned()
}

/// Returns true if a literal is an error text for a client or an operator.
fn is_error_text(before: &str, text: &str) -> bool {
    let logged = before.rsplit("log_at!(").next().is_some_and(|arguments| {
        let level = arguments.trim();
        before.contains("log_at!(") && matches!(level, "Alert," | "Warn,")
    });
    logged
        || text.starts_with("conf: ")
        || text.contains("Dynomite: ")
        || text.contains("by Dynomite")
        || text.contains("Protocol error")
}

#[test]
fn every_error_text_stands_in_the_manual() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let (mut seen, mut missing) = (0, Vec::new());
    for file in files {
        for (before, text) in literals(&std::fs::read_to_string(&file).unwrap()) {
            let fragment = longest_fragment(&text);
            if !is_error_text(&before, &text) || fragment.len() < TELLING {
                continue;
            }
            seen += 1;
            if !is_listed(&fragment) {
                missing.push(format!("{}: {text}", file.display()));
            }
        }
    }
    assert!(seen > 80, "only {seen} texts were found");
    assert!(missing.is_empty(), "no row has:\n{}", missing.join("\n"));
}

#[test]
fn every_failure_stands_in_the_manual() {
    for failure in Failure::ALL {
        for store in [StoreKind::Redis, StoreKind::Memcache] {
            let line = failure.line(store).trim_end();
            let text = line.trim_start_matches("-ERR ");
            let text = text.trim_start_matches("SERVER_ERROR ");
            let text = text.trim_start_matches("CLIENT_ERROR ");
            let own = line.starts_with("ERROR ");
            let listed = SECTIONS.iter().flat_map(|(_, rows)| *rows);
            let mut listed = listed.filter(|row| row.text.contains(text) || own);
            assert!(listed.next().is_some(), "{line}");
        }
    }
}

#[test]
fn every_row_says_what_it_means_and_what_to_do() {
    for (_, rows) in SECTIONS {
        for row in rows {
            for text in [row.meaning, row.action] {
                assert!(text.ends_with(['.', '?']), "{row:?}");
            }
        }
    }
}
