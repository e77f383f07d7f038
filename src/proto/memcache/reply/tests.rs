use super::*;
use crate::mbuf::Pool;
use proptest::prelude::*;

fn whole(input: &[u8]) -> Status {
    Parser::default().parse(input, 0)
}

#[test]
fn complete_replies() {
    let longest = format!(
        "VALUE {} 4294967295 3 {}\r\nabc\r\nEND\r\n",
        "k".repeat(250),
        u64::MAX
    );
    for reply in [
        "END\r\n",
        "VALUE k 0 3\r\nabc\r\nEND\r\n",
        "VALUE k 0 0\r\n\r\nEND\r\n",
        "VALUE k 5 5 77\r\nEND\r\n\r\nVALUE k 0 1\r\nx\r\nEND\r\n",
        &longest,
        "VALUE k 0 1\r\nx\r\nSERVER_ERROR out of memory writing get response\r\n",
        "VALUE k 0 1\r\nx\r\nERROR\r\n",
        "STAT pid 5\r\nSTAT version 1.6.18\r\nEND\r\n",
        "STAT x\r\nSERVER_ERROR out of memory\r\n",
        "VA 3\r\nabc\r\n",
        "VA 0 kk t-1 Oxyz\r\n\r\n",
        "HD\r\n",
        "HD f5 t-1 c77 Oabc kkey b\r\n",
        "EN\r\n",
        "EN kk\r\n",
        "NF\r\n",
        "NS O5\r\n",
        "EX\r\n",
        "MN\r\n",
        "STORED\r\n",
        "NOT_STORED\r\n",
        "EXISTS\r\n",
        "NOT_FOUND\r\n",
        "DELETED\r\n",
        "TOUCHED\r\n",
        "OK\r\n",
        "RESET\r\n",
        "VERSION 1.6.18\r\n",
        "0\r\n",
        "18446744073709551615\r\n",
        "ERROR\r\n",
        "ERROR text\r\n",
        "CLIENT_ERROR bad data chunk\r\n",
        "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n",
        "SERVER_ERROR object too large for cache\r\n",
        "SERVER_ERROR\r\n",
    ] {
        let stream = format!("{reply}STORED\r\n");
        assert_eq!(
            whole(stream.as_bytes()),
            Status::Complete(reply.len()),
            "{reply:?}"
        );
        for end in 0..reply.len() {
            let mut parser = Parser::default();
            let cut = parser.parse(&reply.as_bytes()[..end], 0);
            assert_eq!(cut, Status::Incomplete, "{:?}", &reply[..end]);
            assert_eq!(parser.is_idle(), end == 0 || parser.pos == 0);
            for earlier in 0..end {
                let earlier = parser.parse(&reply.as_bytes()[..earlier], 0);
                assert_eq!(earlier, Status::Incomplete);
            }
            let rest = parser.parse(stream.as_bytes(), 0);
            assert_eq!(rest, Status::Complete(reply.len()), "{reply:?} {end}");
            assert!(parser.is_idle() && parser.expected() == 0);
        }
    }
}

#[test]
fn garbage_is_named() {
    for reply in [
        "\r\n",
        "\n",
        " END\r\n",
        "END\n",
        "END \r\n",
        "end\r\n",
        "STORED\n",
        "STORED now\r\n",
        "STORED\rx",
        "-1\r\n",
        "+1\r\n",
        "1 \r\n",
        "1a\r\n",
        "123456789012345678901\r\n",
        "+OK\r\n",
        "-ERR x\r\n",
        "$1\r\nx\r\n",
        "VALUE k 0 1\r\nab\r\n",
        "VALUE k 0 1\r\nx\r\nSTORED\r\n",
        "VALUE k 0 1\r\nx\r\nSTAT x\r\n",
        "VALUE k 0 1\r\nx\r\n1\r\n",
        "VALUE k -1 1\r\n",
        "VALUE\r\n",
        "VA\r\n",
        "VA 1\r\nab\r\n",
        "STAT x\r\nVALUE k 0 1\r\n",
        "STAT x\r\nOK\r\n",
        "STAT x\n",
        "ERRORS\r\n",
        "CLIENT_ERROR a\nb\r\n",
        "SERVER_ERROR a\rb\r\n",
        "HDX\r\n",
        "ME k exp=-1\r\n",
        "BUSY x\r\n",
        "\x01\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert!(
            matches!(whole(reply.as_bytes()), Status::Bad(_)),
            "{reply:?}: {:?}",
            whole(reply.as_bytes())
        );
    }
    let long = format!("SERVER_ERROR {}", "x".repeat(MAX_LINE_LEN));
    assert_eq!(whole(long.as_bytes()), Status::Bad("line too long"));
}

#[test]
fn what_is_missing_of_data_is_known() {
    let mut parser = Parser::default();
    let start = b"VALUE k 0 100\r\n0123456789";
    assert_eq!(parser.parse(start, 0), Status::Incomplete);
    assert_eq!(parser.expected(), 90);
    assert!(!parser.is_idle());
}

#[test]
fn errors_that_say_nothing_about_the_data_are_errors() {
    for (reply, expected) in [
        ("SERVER_ERROR out of memory\r\n", true),
        ("SERVER_ERROR\r\n", true),
        ("ERROR\r\n", true),
        ("ERROR text\r\n", true),
        ("CLIENT_ERROR bad data chunk\r\n", false),
        ("ERRORS\r\n", false),
        ("END\r\n", false),
        ("VALUE ERROR 0 1\r\n", false),
        ("STORED\r\n", false),
        ("", false),
    ] {
        let start = &reply.as_bytes()[..reply.len().min(ERROR_WORD)];
        assert_eq!(is_error(start), expected, "{reply:?}");
    }
}

/// Any reply that memcached could give.
fn any_reply() -> impl Strategy<Value = Vec<u8>> {
    let data = || proptest::collection::vec(any::<u8>(), 0..100);
    let value = ("[!-~]{1,250}", any::<u32>(), any::<Option<u64>>(), data()).prop_map(
        |(key, flags, unique, data)| {
            let unique = unique.map_or(String::new(), |unique| format!(" {unique}"));
            let line = format!("VALUE {key} {flags} {}{unique}\r\n", data.len());
            [line.as_bytes(), &data, b"\r\n"].concat()
        },
    );
    let values = proptest::collection::vec(value, 0..4);
    prop_oneof![
        values.prop_map(|values| [values.concat(), b"END\r\n".to_vec()].concat()),
        proptest::collection::vec("STAT [!-~]{1,20} [ -~]{0,20}\r\n", 1..5)
            .prop_map(|lines| format!("{}END\r\n", lines.concat()).into_bytes()),
        (data(), "( [fkOst][!-~]{0,20}){0,4}").prop_map(|(data, flags)| {
            let line = format!("VA {}{flags}\r\n", data.len());
            [line.as_bytes(), &data, b"\r\n"].concat()
        }),
        "(HD|EN|NF|NS|EX)( [fkOstc][!-~]{0,20}){0,4}\r\n".prop_map(String::into_bytes),
        any::<u64>().prop_map(|n| format!("{n}\r\n").into_bytes()),
        "(CLIENT_ERROR|SERVER_ERROR|VERSION) [ -~]{0,40}\r\n".prop_map(String::into_bytes),
        prop::sample::select(vec!["STORED", "NOT_FOUND", "DELETED", "MN", "ERROR", "OK"])
            .prop_map(|word| format!("{word}\r\n").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn cuts_change_nothing(replies in proptest::collection::vec(any_reply(), 1..6), block in 64usize..200, cut in 1usize..70) {
        let stream = replies.concat();
        let pool = Pool::new(block, 1 << 20);
        let mut data = Chain::new();
        let mut parser = Parser::default();
        let mut got = Vec::new();
        for piece in stream.chunks(cut.min(block)) {
            let mut writer = pool.writer();
            writer.spare()[..piece.len()].copy_from_slice(piece);
            data.push(writer.commit(piece.len()));
            while let Status::Complete(len) = parser.find(&data) {
                got.push(data.split_to(len).to_vec());
            }
        }
        prop_assert_eq!(got, replies);
        prop_assert!(parser.is_idle());
    }

    #[test]
    fn never_panics(junk in proptest::collection::vec(prop_oneof![
        prop::sample::select(vec!["VALUE ", "k ", "VA ", "END", "STAT ", "HD", " ", "\r\n", "\r", "1", "0"])
            .prop_map(|word| word.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 1..3),
    ], 0..60)) {
        let junk = junk.concat();
        let mut parser = Parser::default();
        let mut at = 0;
        while let Status::Complete(len) = parser.parse(&junk[at..], 0) {
            at += len;
        }
    }
}
