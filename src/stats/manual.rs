//! The tables of metric families and alerts as text for readers and for Prometheus.

use super::alerts::{ALERTS, Alert};
use super::families::FAMILIES;
use std::fmt::Write;

/// The lines before and after the generated part of `dynomite-metrics(7)`.
pub const METRICS_MARKS: (&str, &str) = (
    ".\\\" The metrics below are written from the table of families; a test compares them.",
    ".\\\" End of the metrics.",
);

/// The lines before and after the generated part of `dynomite-alerts(7)`.
pub const ALERTS_MARKS: (&str, &str) = (
    ".\\\" The alerts below are written from the table of alerts; a test compares them.",
    ".\\\" End of the alerts.",
);

/// The lines before and after the generated part of the rules for Prometheus.
pub const RULES_MARKS: (&str, &str) = (
    "# The rules below are written from the table of alerts; a test compares them.",
    "# End of the rules.",
);

/// Prefixes of families, and the sections of the page for them.
const SECTIONS: [(&str, &str); 8] = [
    ("dynomite_client_", "CLIENTS"),
    ("dynomite_datastore_", "DATASTORE"),
    ("dynomite_peer_", "PEERS"),
    ("dynomite_inbound_", "PEERS THAT CONNECT TO THIS NODE"),
    ("dynomite_mbuf", "MEMORY"),
    ("dynomite_messages_", "MEMORY"),
    ("process_", "PROCESS"),
    ("dynomite_", "NODE AND REQUESTS"),
];

/// The section of a family.
fn section(name: &str) -> &'static str {
    let row = SECTIONS.iter().find(|(begin, _)| name.starts_with(begin));
    row.map_or("OTHERS", |(_, title)| title)
}

/// The families as the body of a manual page in man(7) macros.
pub fn metrics() -> String {
    let mut page = String::new();
    let mut titles: Vec<&str> = SECTIONS.iter().rev().map(|(_, title)| *title).collect();
    titles.dedup();
    for title in titles {
        // Writing to a string cannot fail.
        let _ = writeln!(page, ".SH {title}");
        for family in FAMILIES.iter().filter(|f| section(f.name) == title) {
            let labels = match family.labels {
                [] => String::new(),
                labels => format!(" {{{}}}", labels.join(", ")),
            };
            let _ = writeln!(
                page,
                ".TP\n.BR {} \"{} ({})\"\n{}",
                roff_text(family.name),
                roff_text(&labels),
                family.kind.word(),
                roff_text(family.help),
            );
        }
    }
    page
}

/// The alerts as the body of a manual page in man(7) macros.
pub fn alerts() -> String {
    let mut page = String::new();
    for (severity, title) in [
        ("critical", "CRITICAL"),
        ("warning", "WARNING"),
        ("info", "INFORMATION"),
    ] {
        let _ = writeln!(page, ".SH {title}");
        for alert in ALERTS.iter().filter(|alert| alert.severity == severity) {
            let Alert {
                name,
                expr,
                lasting,
                meaning,
                action,
                ..
            } = alert;
            let _ = writeln!(
                page,
                ".SS {name}\n.RS 4\n.nf\n{}\n.fi\n.RE\n{}{}\n.PP\n{}",
                roff_text(expr),
                match *lasting {
                    "0m" => String::from(".PP\n"),
                    lasting => format!("For {lasting}.\n.PP\n"),
                },
                roff_text(meaning),
                roff_text(action),
            );
        }
    }
    page
}

/// The alerts as the rules of a group in Prometheus' YAML, indented to stand below `rules:`.
pub fn rules() -> String {
    // A JSON string is a YAML string.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut rules = String::new();
    for alert in ALERTS {
        let _ = write!(
            rules,
            "  - alert: {}\n    expr: {}\n    for: {}\n    labels:\n      severity: {}\n    annotations:\n      summary: {}\n      description: {}\n      action: {}\n",
            alert.name,
            quoted(alert.expr),
            alert.lasting,
            alert.severity,
            quoted(alert.summary),
            quoted(alert.meaning),
            quoted(alert.action),
        );
    }
    rules
}

/// Text that roff shows as it is. A line must not begin with a full stop or an apostrophe.
fn roff_text(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('"', "\\(dq");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_and_alert_stands_on_its_page() {
        let (metrics, alerts, rules) = (metrics(), alerts(), rules());
        for family in FAMILIES {
            let line = format!("\n.BR {} \"", roff_text(family.name));
            assert_eq!(metrics.matches(&line).count(), 1, "{}", family.name);
        }
        for alert in ALERTS {
            for (page, line) in [
                (&alerts, format!(".SS {}\n", alert.name)),
                (&rules, format!("  - alert: {}\n", alert.name)),
            ] {
                assert_eq!(page.matches(&line).count(), 1, "{}", alert.name);
            }
        }
    }

    /// Names of metrics in an expression.
    fn named(expr: &str) -> impl Iterator<Item = &str> {
        expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("dynomite_") || word.starts_with("process_"))
    }

    #[test]
    fn alerts_look_at_what_there_is() {
        for alert in ALERTS {
            for name in named(alert.expr)
                .chain(named(alert.action))
                .chain(named(alert.meaning))
            {
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
                    .unwrap_or(name);
                let exists = FAMILIES.iter().any(|f| f.name == base || f.name == name);
                assert!(exists, "{}: {name}", alert.name);
            }
        }
    }
}
