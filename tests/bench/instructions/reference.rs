//! The committed counts.

use super::cases::{CASES, DEPTHS};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Instructions per request, by the name of the case and the depth of the pipeline.
pub type Counts = BTreeMap<(String, usize), u64>;

/// What the file says.
pub struct Reference {
    /// Compiler, C library and processor that it was counted with.
    pub built_with: String,
    pub counts: Counts,
}

const HEAD: &str = "# Instructions per request, with pipelines of 1 and 16 requests.
# Written by: make bench BENCH=instructions RENEW=1
";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bench/instructions/reference.txt")
}

pub fn read() -> Result<Reference, String> {
    let path = path();
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let built_with = lines.next().unwrap_or_default().to_owned();
    let mut counts = Counts::new();
    for line in lines {
        let mut fields = line.split('|').map(str::trim);
        let name = fields.next().unwrap_or_default();
        for depth in DEPTHS {
            let count = fields.next().and_then(|field| field.parse().ok());
            let count = count.ok_or_else(|| format!("{}: {line:?}", path.display()))?;
            counts.insert((name.to_owned(), depth), count);
        }
    }
    Ok(Reference { built_with, counts })
}

pub fn write(built_with: &str, counts: &Counts) -> Result<(), String> {
    let mut text = format!("{HEAD}{built_with}\n");
    for case in CASES {
        let _ = write!(text, "{:<40}", case.name);
        for depth in DEPTHS {
            let count = counts.get(&(case.name.to_owned(), depth));
            let _ = write!(text, " | {:>7}", count.copied().unwrap_or_default());
        }
        text.push('\n');
    }
    let path = path();
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}
