//! The manual pages and the README say what the program does.
//!
//! `DYNOMITE_WRITE_MANUAL=1 cargo test --test integration manual::` writes the generated parts anew.

use dynomite::config::KEYS;
use dynomite::config::manual::{ROFF_MARKS, roff};
use dynomite::stats::families::FAMILIES;
use dynomite::stats::manual;
use std::path::PathBuf;

/// Compares the part of a file between two marks with what the table says, or writes it.
fn generated(path: &[&str], marks: (&str, &str), keys: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR")].iter().chain(path).collect();
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = marks;
    let (before, rest) = text.split_once(begin).expect("the mark before");
    let (found, after) = rest.split_once(end).expect("the mark after");
    if std::env::var_os("DYNOMITE_WRITE_MANUAL").is_some() {
        std::fs::write(path, format!("{before}{begin}\n{keys}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found.trim_start_matches('\n'),
        keys,
        "run: DYNOMITE_WRITE_MANUAL=1 cargo test --test integration manual::"
    );
}

#[test]
fn the_keys_in_the_manual_are_those_of_the_table() {
    generated(&["man", "dynomite.yml.5"], ROFF_MARKS, &roff());
}

#[test]
fn the_commands_in_the_manual_are_those_of_the_tables() {
    use dynomite::proto::manual::{MARKS, roff};
    generated(&["man", "dynomite-commands.7"], MARKS, &roff());
}

#[test]
fn the_errors_in_the_manual_are_those_of_the_table() {
    use dynomite::troubleshooting::{MARKS, roff};
    generated(&["man", "dynomite-troubleshooting.7"], MARKS, &roff());
}

#[test]
fn every_key_stands_in_the_manual() {
    let roff = roff();
    for key in KEYS {
        assert!(
            roff.contains(&format!("\n.B {}\n", key.name)),
            "{}",
            key.name
        );
    }
}

/// The names of the manual pages, as a reader calls them: `dynomite(8)`.
fn pages() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/man");
    let names = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let page = |name: String| {
        let (page, section) = name.rsplit_once('.').unwrap();
        format!("{page}({section})")
    };
    names.map(page).collect()
}

/// Every word of a text that looks like the name of a page of ours.
fn pages_named_in(text: &str) -> Vec<String> {
    let plain = text.replace("\\-", "-").replace(".BR ", "");
    let mut named = Vec::new();
    for (at, _) in plain.match_indices("dynomite") {
        let rest = &plain[at..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
            .unwrap_or(rest.len());
        let after = rest[end..].trim_start_matches(' ');
        let section = after.strip_prefix('(').and_then(|s| s.split_once(')'));
        if let Some((section, _)) = section
            && section.len() == 1
            && section.starts_with(|c: char| c.is_ascii_digit())
        {
            named.push(format!("{}({section})", &rest[..end]));
        }
    }
    named
}

#[test]
fn the_readme_is_short_and_names_every_page() {
    let readme = text(&["README.md"]);
    assert!(readme.lines().count() < 200);
    for page in pages() {
        assert!(readme.contains(&page), "{page} is not in README.md");
    }
}

#[test]
fn that_scripts_can_leave_racks_different_is_said_wherever_it_is_looked_for() {
    for file in [
        "README.md",
        "CHANGELOG.md",
        "man/dynomite-commands.7",
        "man/dynomite-consistency.7",
    ] {
        let text = text(&[file]).to_lowercase();
        for word in ["scripts", "functions", "chance", "clock", "differ"] {
            assert!(text.contains(word), "{word} is not in {file}");
        }
    }
}

#[test]
fn every_page_that_a_page_names_exists() {
    let pages = pages();
    let mut named = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/man")).unwrap() {
        let path = entry.unwrap().path();
        let manual = std::fs::read_to_string(&path).unwrap();
        for page in pages_named_in(&manual) {
            named += 1;
            assert!(pages.contains(&page), "{} names {page}", path.display());
        }
    }
    assert!(named > 40, "{named}");
}

#[test]
fn mandoc_finds_nothing_wrong_with_a_page() {
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/man")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    match std::process::Command::new("mandoc")
        .args(["-T", "lint", "-W", "warning"])
        .args(pages)
        .output()
    {
        Ok(output) => {
            let found = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{found}");
        }
        Err(_) => println!("mandoc is not installed: the pages were not checked"),
    }
}

#[test]
fn every_option_stands_in_the_manual() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "man", "dynomite.8"]
        .iter()
        .collect();
    let text = std::fs::read_to_string(path).unwrap();
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

#[test]
fn the_variables_in_the_manual_are_those_of_the_table() {
    use dynomite::config::manual::{VARIABLE_MARKS, variables};
    generated(&["man", "dynomite.8"], VARIABLE_MARKS, &variables());
}

#[test]
fn the_metrics_in_the_manual_are_those_of_the_table() {
    let page = ["man", "dynomite-metrics.7"];
    generated(&page, manual::METRICS_MARKS, &manual::metrics());
}

#[test]
fn the_alerts_in_the_manual_are_those_of_the_table() {
    let page = ["man", "dynomite-alerts.7"];
    generated(&page, manual::ALERTS_MARKS, &manual::alerts());
}

#[test]
fn the_alerts_for_prometheus_are_those_of_the_table() {
    let file = ["contrib", "prometheus", "dynomite-alerts.yml"];
    generated(&file, manual::RULES_MARKS, &manual::rules());
}

/// Text of a file of this repository.
fn text(path: &[&str]) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR")].iter().chain(path).collect();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_alerts_are_what_prometheus_takes() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/contrib/prometheus/dynomite-alerts.yml"
    );
    let rules: serde_yaml::Value =
        serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).expect("the rules are YAML");
    let rules = rules["groups"][0]["rules"].as_sequence().unwrap();
    assert_eq!(rules.len(), dynomite::stats::alerts::ALERTS.len());
    for rule in rules {
        for key in ["alert", "expr", "for"] {
            assert!(rule[key].is_string(), "{rule:?}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity));
    }
    match std::process::Command::new("promtool")
        .args(["check", "rules", file])
        .output()
    {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        Err(_) => println!("promtool is not installed: the expressions were not checked"),
    }
}

/// Every expression of a dashboard.
fn expressions(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                        all.push(text.to_owned());
                    }
                    _ => expressions(value, all),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| expressions(item, all)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&text(&["contrib", "grafana", "dynomite.json"])).unwrap();
    let mut all = Vec::new();
    expressions(&dashboard, &mut all);
    assert!(all.len() > 20);
    let mut shown = 0;
    for expression in &all {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|w| w.starts_with("dynomite_") || w.starts_with("process_")) {
            let ends = ["", "_bucket", "_sum", "_count"];
            let bases = ends.iter().filter_map(|end| name.strip_suffix(end));
            let exists = bases
                .clone()
                .any(|base| FAMILIES.iter().any(|f| f.name == base));
            assert!(exists, "{name} in {expression}");
            shown += 1;
        }
    }
    assert!(shown > 20);
}

#[test]
fn every_path_of_the_statistics_port_stands_in_the_manual() {
    let manual = text(&["man", "dynomite.8"]).replace("\\-", "-");
    for route in dynomite::admin::routes::ROUTES {
        let path = route.pattern.trim_end_matches("/*");
        let stands = [format!("\n.B {path}"), format!(", {path}")];
        assert!(
            path == "/" || stands.iter().any(|text| manual.contains(text.as_str())),
            "{path} is not in dynomite(8)"
        );
    }
}
