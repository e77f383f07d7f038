//! Any text at all as a configuration: it is refused with a reason or it keeps its limits.

use dynomite::config::{self, Overrides};
use proptest::prelude::*;

const BASE: &str = "\
dyn_o_mite:
  listen: 127.0.0.1:8102
  dyn_listen: 127.0.0.1:8101
  stats_listen: 127.0.0.1:22222
  tokens: '1'
  servers:
  - 127.0.0.1:22122:1
";

fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(config::KEYS).prop_map(|key| key.name);
    let value = prop_oneof![
        "[ -~]{0,12}",
        "[0-9]{0,12}",
        "[0-9a-z]{0,6}(:[0-9a-z]{0,6}){0,6}",
        Just("&a *b !c {d: [e]} %f".to_owned()),
        Just("\n  - 1\n  - - 2".to_owned()),
    ];
    (name, value).prop_map(|(name, value)| format!("  {name}: {value}\n"))
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC*") {
        let _ = config::parse(&text, "f", &Overrides::default());
    }

    #[test]
    fn never_panics_on_something_like_yaml(text in "[-a:{}\\[\\]&*!%#'\"|>?, \n\t]{0,60}") {
        let _ = config::parse(&text, "f", &Overrides::default());
    }

    #[test]
    fn near_misses_are_refused_with_a_reason_or_keep_their_limits(
        lines in prop::collection::vec(line(), 0..6)
    ) {
        match config::parse(&format!("{BASE}{}", lines.concat()), "f", &Overrides::default()) {
            Ok(loaded) => {
                let s = loaded.settings;
                prop_assert!((512..=512_000).contains(&s.mbuf_size) && s.mbuf_size % 16 == 0);
                prop_assert!((100_000..=1_000_000).contains(&s.max_msgs));
                prop_assert!(s.datastore_connections > 0 && !s.tokens.is_empty());
                prop_assert!(!s.timeout.is_zero() && s.backlog > 0);
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                prop_assert!(problems.iter().all(|problem| !problem.text.is_empty()));
            }
        }
    }
}
