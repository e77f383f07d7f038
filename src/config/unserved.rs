//! What this version does not serve yet. A node must not look like a replica and be none, so such a
//! configuration is good but cannot be started with.

use super::{Problem, Settings};

/// Why this version does not start with these settings; nothing if it does.
pub fn unserved(settings: &Settings) -> Vec<Problem> {
    let provider = settings.dyn_seed_provider.as_str();
    [
        (
            ["florida_provider", "dns_provider"].contains(&provider),
            format!("conf: directive \"dyn_seed_provider\" asks for other nodes ({provider}), but this version knows only those of dyn_seeds"),
        ),
    ]
    .into_iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, text)| Problem::new(text))
    .collect()
}
