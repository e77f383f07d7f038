//! `dynomite-hash-tool` as its users run it.

use std::io::Write;
use std::process::{Command, Stdio};

/// Exit code, stdout, stderr.
fn run(args: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dynomite-hash-tool"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A tool that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap(),
        output.stdout,
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn tokens(args: &[&str], input: &[u8]) -> String {
    let (code, out, err) = run(args, input);
    assert_eq!((code, err.as_str()), (0, ""));
    String::from_utf8(out).unwrap()
}

#[test]
fn keys_become_murmur_tokens() {
    for (input, expected) in [
        (&b"foo\nbar\n"[..], "3303027599\n516654467\n"),
        (b"foobar", "2884435735\n"),
        (b"foo\r\n", "3078740588\n"),
        (b"\n\nfoo", "0\n0\n3303027599\n"),
        (b"", ""),
    ] {
        assert_eq!(tokens(&[], input), expected, "{input:?}");
    }
    assert_eq!(tokens(&["ignored", "--", "-z"], b"foo\n"), "3303027599\n");
}

#[test]
fn keys_are_bytes() {
    let (code, out, _) = run(&["-k"], b"a\0b\xff\n\n");
    assert_eq!(code, 0);
    let lines: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[0], b"KEY:a\0b\xff");
    assert_eq!(lines[2..], [&b"KEY:"[..], b"0", b""]);
}

#[test]
fn other_hashes() {
    for (name, token) in [
        ("murmur", "3303027599\n"),
        ("one_at_a_time", "596015325\n"),
        ("md5", "3675831724\n"),
        ("crc16", "205303702\n"),
        ("crc32", "3187\n"),
        ("jenkins", "2583187353\n"),
    ] {
        assert_eq!(
            tokens(&[&format!("--hash={name}")], b"foo\n"),
            token,
            "{name}"
        );
    }
}

#[test]
fn files_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("keys"), "foo\n").unwrap();
    std::fs::write(path("tokens"), "something longer that was here before").unwrap();
    assert_eq!(
        tokens(&["-i", &path("keys"), "-o", &path("tokens")], b""),
        ""
    );
    assert_eq!(
        std::fs::read_to_string(path("tokens")).unwrap(),
        "3303027599\n"
    );
    assert_eq!(tokens(&["--keyf=-", "-o-"], b"bar\n"), "516654467\n");

    let (code, out, err) = run(&["-i", &path("none")], b"");
    assert_eq!((code, out.len()), (1, 0));
    assert!(err.contains("could not open input stream"), "{err}");
    let (code, _, err) = run(&["-o", &path("no/such")], b"");
    assert_eq!(code, 1);
    assert!(err.contains("could not open output stream"), "{err}");
}

#[test]
fn help_and_mistakes() {
    let (code, out, err) = run(&["--help"], b"");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with(b"Usage: dynomite-hash-tool "));
    for (args, words) in [
        (&["-z"][..], "invalid option -- 'z'"),
        (&["--bogus"], "invalid option -- 'bogus'"),
        (&["-i"], "requires a value"),
        (&["--hash=murmur3"], "is not a hash this tool computes"),
        (&["--hash", "MD5"], "is not a hash this tool computes"),
    ] {
        let (code, out, err) = run(args, b"");
        assert_eq!((code, out.len()), (22, 0), "{args:?}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
}
