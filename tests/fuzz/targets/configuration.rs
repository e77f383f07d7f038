//! The configuration file.

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

/// The YAML library below our own reading of the file.
pub fn yaml(input: &[u8]) {
    let _ = serde_yaml::from_slice::<serde_yaml::Value>(input);
}
