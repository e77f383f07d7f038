//! The configuration file.

use dynomite::config::{self, Overrides};

/// The marks of YAML and some of our keys.
pub const WORDS: &[&[u8]] = &[
    b": ",
    b"\n- ",
    b"\n  ",
    b"\n",
    b"---\n",
    b"...\n",
    b"'",
    b"\"",
    b"|\n",
    b">\n",
    b"&a ",
    b"*a",
    b"!!str ",
    b"%YAML 1.1\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b", ",
    b"? ",
    b"# ",
    b"\t",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"<<: ",
    b"~",
    b"dyn_o_mite:",
    b"listen: ",
    b"tokens: ",
    b"servers:",
    b"dyn_seeds:",
    b"hash_tag: ",
    b"127.0.0.1:8102",
];

/// Any text is accepted or refused with reasons that fit on a line each.
pub fn text(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(problems) = config::parse(&text, "fuzz.yml", &Overrides::default()) {
        assert!(!problems.is_empty(), "refused without a reason");
        for problem in problems {
            let line = problem.to_string();
            assert!(!line.contains('\n'), "a reason of several lines: {line:?}");
        }
    }
}
