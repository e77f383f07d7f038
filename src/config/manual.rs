//! The table of settings as parts of manual pages.

use super::keys::{Effect, Key, Status};
use super::table::KEYS;
use std::fmt::Write;

/// The lines before and after the generated part of the manual page.
pub const ROFF_MARKS: (&str, &str) = (
    ".\\\" The keys below are written from the table of keys; a test compares them.",
    ".\\\" End of the keys.",
);

/// The text before the keys that the C original does not know.
const NEW: &str = "\
The C original does not start with one of these in its file: put them into the
.I .local
file, see FILES, or set the environment variable whose name is DYNOMITE_ and the key in capitals,
.B DYNOMITE_LOCAL_SCAN
for
.BR local_scan ;
in a variable, 1 stands for true and 0 for false.
";

/// The lines before and after the environment variables in dynomite(8).
pub const VARIABLE_MARKS: (&str, &str) = (
    ".\\\" The variables below are written from the table of settings; a test compares them.",
    ".\\\" End of the variables.",
);

/// The environment variables of keys as a list in man(7) macros.
pub fn variables() -> String {
    let names: Vec<String> = KEYS.iter().filter_map(Key::variable).collect();
    let last = names.len().saturating_sub(1);
    let lines = names.iter().enumerate().map(|(n, name)| match n {
        n if n == last => format!(".BR {name} .\n"),
        _ => format!(".BR {name} ,\n"),
    });
    lines.collect()
}

/// The keys as the body of a manual page in man(7) macros.
pub fn roff() -> String {
    let mut page = String::new();
    for (status, title) in [
        (Status::Live, "KEYS"),
        (Status::New, "KEYS THAT THE C ORIGINAL REFUSES"),
        (Status::Inert, "KEYS WITHOUT EFFECT"),
        (Status::Deprecated, "DEPRECATED KEYS"),
        (Status::Older, "KEYS OF OLDER VERSIONS"),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(page, ".SH {title}");
        if status == Status::New {
            page.push_str(NEW);
        }
        for key in KEYS.iter().filter(|key| key.status == status) {
            let _ = writeln!(page, ".TP\n.B {}", roff_text(key.name));
            let _ = writeln!(page, "{}", roff_text(key.help));
            let _ = writeln!(page, "{}", roff_text(&particulars(key)));
        }
    }
    page
}

/// The value's form, unit and default in one sentence; in another, whether a reload changes it.
fn particulars(key: &Key) -> String {
    let mut words = key.kind.words().to_owned();
    if let Some(first) = words.get_mut(..1)
        && !key.kind.words().starts_with("host")
    {
        first.make_ascii_uppercase();
    }
    for (before, text) in [(": ", key.unit), ("; default ", key.default)] {
        if !text.is_empty() {
            words.push_str(before);
            words.push_str(text);
        }
    }
    words.push('.');
    if key.effect == Effect::Reload {
        words.push_str(" Can change at a reload.");
    }
    words
}

/// Text that roff shows as it is.
fn roff_text(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
