//! Command lines and what they become.

use super::*;

fn line(text: &str) -> Result<Command, Failure> {
    // `''` is an empty word.
    let word = |word: &str| OsString::from(if word == "''" { "" } else { word });
    parse(text.split_whitespace().map(word))
}

fn serve(text: &str) -> Options {
    match line(text) {
        Ok(Command::Serve(options)) => options,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn mistakes_have_the_originals_words() {
    for (text, words) in [
        ("-z", "invalid option -- 'z'"),
        ("-tz", "invalid option -- 'z'"),
        ("-y", "invalid option -- 'y'"),
        ("--bogus", "invalid option -- 'bogus'"),
        ("--bogus=1", "invalid option -- 'bogus'"),
        ("--admin-param=1", "invalid option -- 'admin-param'"),
        ("--ver", "invalid option -- 'ver'"),
        ("--v", "invalid option -- 'v'"),
        ("--m", "invalid option -- 'm'"),
        ("--help=1", "invalid option -- 'help'"),
        ("-h -z", "invalid option -- 'z'"),
        ("-o", "option -o requires a file name"),
        ("-c", "option -c requires a file name"),
        ("-p", "option -p requires a file name"),
        ("--conf-file", "option -c requires a file name"),
        ("-v", "option -v requires a number"),
        ("-tv", "option -v requires a number"),
        ("-m", "option -m requires a number"),
        ("-M", "option -M requires a number"),
        ("-x", "invalid option -- 'x'"),
        ("--admin-operation", "invalid option -- 'x'"),
        ("-v abc", "option -v requires a number, not 'abc'"),
        ("-v abc -z", "option -v requires a number, not 'abc'"),
        ("-z -v abc", "invalid option -- 'z'"),
        ("-v -5", "option -v requires a number, not '-5'"),
        ("-v 1 -v x -v 2", "option -v requires a number, not 'x'"),
        ("-v ''", "option -v requires a number, not ''"),
        (
            "-v3000000000",
            "option -v requires a number of at most 2147483647, not '3000000000'",
        ),
        (
            "-v 99999999999",
            "option -v requires a number of at most 2147483647, not '99999999999'",
        ),
        ("-m 0", "option -m requires a non-zero number, not '0'"),
        ("-m abc", "option -m requires a non-zero number, not 'abc'"),
        (
            "-m 511",
            "mbuf chunk size must be between 512 and 512000 bytes, not '511'",
        ),
        (
            "-m 512001",
            "mbuf chunk size must be between 512 and 512000 bytes, not '512001'",
        ),
        (
            "-m 513",
            "mbuf chunk size must be a multiple of 16, not '513'",
        ),
        ("-M 0", "option -M requires a non-zero number, not '0'"),
        (
            "-M --output=x",
            "option -M requires a non-zero number, not '--output=x'",
        ),
        (
            "-M 1",
            "max allocated messages buffer must be between 100000 and 1000000 messages, not '1'",
        ),
        (
            "-x abc",
            "option -x requires a non-zero positive number, not 'abc'",
        ),
        (
            "-x -1",
            "option -x requires a non-zero positive number, not '-1'",
        ),
        ("-s 22222", "option -s was removed; use \"stats_listen:\""),
        ("-s22222", "option -s was removed; use \"stats_listen:\""),
        ("-i", "option -i was removed; use \"stats_interval:\""),
        ("-a x", "option -a was removed; use \"stats_listen:\""),
        (
            "--stats-port=1",
            "option --stats-port was removed; use \"stats_listen:\"",
        ),
    ] {
        let expected = format!("dynomite: {words}");
        assert_eq!(line(text).map_err(|f| f.message), Err(expected), "{text}");
    }
}

#[test]
fn information_wins_over_a_test_and_a_start() {
    let info = |help, version, describe| {
        Ok(Command::Info {
            help,
            version,
            describe,
        })
    };
    for (text, expected) in [
        ("-h", info(true, false, false)),
        ("-?", info(true, false, false)),
        ("--help", info(true, false, false)),
        ("-V", info(false, true, false)),
        ("-tV", info(false, true, false)),
        ("extra -V", info(false, true, false)),
        ("-hD", info(true, false, true)),
        ("--desc --vers", info(false, true, true)),
        ("-v 99999 -V", info(false, true, false)),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
}

#[test]
fn a_test_takes_the_file_and_what_overrides_it() {
    assert_eq!(
        line("-t -d -c f -p q -m1024 -g"),
        Ok(Command::Test {
            conf_file: "f".into(),
            overrides: Overrides {
                mbuf_size: Some(1024),
                max_msgs: None,
                gossip: true,
                ..Overrides::default()
            },
            notes: vec![Note::warn(
                "-m or --mbuf-size command line arguments has been deprecated. Use configuration file."
            )],
        })
    );
}

#[test]
fn options_of_a_start() {
    assert_eq!(serve(""), Options::default());
    assert_eq!(serve("-- -V"), Options::default());
    assert_eq!(serve("a - b"), Options::default());
    assert_eq!(serve("-x 0"), Options::default());
    let given = Options {
        daemonize: true,
        verbosity: 6,
        output: Some("/o".into()),
        conf_file: "/c".into(),
        pid_file: Some("/p".into()),
        admin_operation: 2,
        gossip: true,
        ..Options::default()
    };
    for text in [
        "-d -v 6 -o /o -c /c -p /p -x 2 -g",
        "-dgv6 -o/o -c/c -p/p -x2",
        "--daemonize --verbosity=6 --output /o --conf-file=/c --pid-file=/p --admin-operation=2 --gossip",
        "--da --verb=6 --o=/o --c /c --p /p x --admin=2 --g -- -v 9",
    ] {
        assert_eq!(serve(text), given, "{text}");
    }
    assert_eq!(serve("-v 12").verbosity, 11);
    assert_eq!(serve("-v 2147483647").verbosity, 11);
    assert_eq!(serve("-v3 -v4").verbosity, 4);
    assert_eq!(serve("-o ''").output, None);
    // What follows an option that takes a value is its value, whatever it looks like.
    assert_eq!(serve("-o -x").output, Some("-x".into()));
    assert_eq!(serve("-o --").output, Some("--".into()));
}

#[test]
fn deprecated_sizes_still_work_and_say_so() {
    let options = serve("-d -c /apps/dynomite/conf/dynomite.yml -m16384 -M300000 --output=/l");
    assert_eq!(
        (options.mbuf_size, options.max_msgs),
        (Some(16384), Some(300_000))
    );
    assert_eq!(options.notes.len(), 2);
    assert!(options.notes.iter().all(|n| n.text.contains("deprecated")));
}

#[test]
fn words_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let word = OsString::from_vec(vec![b'-', b'o', 0xff]);
    let failure = parse([word].into_iter()).unwrap_err();
    assert!(failure.message.contains("not valid UTF-8"), "{failure}");
}

#[test]
fn the_usage_names_every_option_in_aligned_columns() {
    let text = usage();
    assert!(
        text.contains("\n  -h, --help              : this help\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  -x, --admin-operation=N : set size of admin operation (default: 0)\n"),
        "{text}"
    );
    let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("  -")).collect();
    assert_eq!(rows.len(), OPTIONS.len());
    assert!(rows.iter().all(|row| row.find(" : ") == Some(25)), "{text}");
    assert!(version_line().starts_with("This is dynomite-v"));
    assert!(version_line().ends_with("\n\n"));
}
