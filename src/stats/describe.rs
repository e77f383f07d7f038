//! The text of `-D`, `--describe-stats`.

use std::fmt::Write;

use super::table::{Metric, PoolStats, ServerStats};

/// What `-D` prints after the version line, ending in a line feed.
///
/// Two lists, pool then server, an empty line between them. A line is two spaces, the name padded to
/// 20 characters (a longer name runs into what follows), the description in double quotes: the
/// layout of the C original, which scripts parse.
pub fn describe() -> String {
    let mut text = String::with_capacity(6 * 1024);
    list(&mut text, "pool", &PoolStats::TABLE);
    text.push('\n');
    list(&mut text, "server", &ServerStats::TABLE);
    text
}

fn list(text: &mut String, title: &str, table: &[Metric]) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{title} stats:");
    for metric in table {
        let _ = writeln!(text, "  {:<20}\"{}\"", metric.name, metric.description);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_is_the_originals_byte_for_byte() {
        assert_eq!(
            super::describe(),
            include_str!("../../tests/data/describe.txt")
        );
    }
}
