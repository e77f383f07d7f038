//! The table of keys as the body of a manual page.

use super::keys::{Effect, KEYS, Key, Status};
use std::fmt::Write;

/// What stands before and after the generated part of the manual page.
pub const ROFF_MARKS: (&str, &str) = (
    ".\\\" The keys below are written from the table of keys; a test compares them.",
    ".\\\" End of the keys.",
);

/// The keys as the body of a manual page in man(7) macros.
pub fn roff() -> String {
    let mut page = String::new();
    for (status, title) in [
        (Status::Live, "KEYS"),
        (Status::Inert, "KEYS WITHOUT EFFECT"),
        (Status::Deprecated, "DEPRECATED KEYS"),
        (Status::Older, "KEYS OF OLDER VERSIONS"),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(page, ".SH {title}");
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
