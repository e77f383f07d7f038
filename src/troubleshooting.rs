//! Every error that a client or an operator can see, what it means and what to do: the table behind
//! dynomite-troubleshooting(7).
//!
//! A test looks through the sources for error texts, and fails for one that no row has.

mod client;
mod configuration;
mod log;

use std::fmt::Write;

/// The text before and after the generated part of dynomite-troubleshooting(7).
pub const MARKS: (&str, &str) = (
    ".\\\" The errors below are written from the table of errors; a test compares them.",
    ".\\\" End of the errors.",
);

/// An error text, its meaning and its remedy.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The text, with `...` in place of the parts that vary.
    pub text: &'static str,
    /// Cause.
    pub meaning: &'static str,
    /// Action.
    pub action: &'static str,
}

/// A row of the table.
const fn row(text: &'static str, meaning: &'static str, action: &'static str) -> Row {
    Row {
        text,
        meaning,
        action,
    }
}

/// The sections of the page.
pub const SECTIONS: [(&str, &[Row]); 5] = [
    ("REPLIES OF EVERY NODE", client::COMMON),
    ("REPLIES TO REDIS CLIENTS", client::REDIS),
    ("REPLIES TO MEMCACHED CLIENTS", client::MEMCACHED),
    ("CONFIGURATION AND START", configuration::ROWS),
    ("LOG LINES", log::ROWS),
];

/// The table as the body of a manual page in man(7) macros.
pub fn roff() -> String {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut page = String::new();
    for (title, rows) in SECTIONS {
        // Writing to a string cannot fail.
        let _ = writeln!(page, ".SH {title}");
        for row in rows {
            let _ = writeln!(
                page,
                ".TP\n.B \\&{}\n{}\n.br\n{}",
                escaped(row.text),
                escaped(row.meaning),
                escaped(row.action),
            );
        }
    }
    page
}
