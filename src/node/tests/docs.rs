use super::{ME, Rig};
use crate::node::Options;
use crate::proto::redis::encode::{array, bulk};

/// A reply in RESP2: a bulk string, or `[` its elements `]`.
fn reply(words: &str) -> String {
    fn write<'a>(words: &mut impl Iterator<Item = &'a str>, out: &mut Vec<u8>) -> bool {
        match words.next() {
            None | Some("]") => return false,
            Some("[") => {
                let (mut count, mut inside) = (0, Vec::new());
                while write(words, &mut inside) {
                    count += 1;
                }
                array(out, count);
                out.extend(inside);
            }
            Some(word) => bulk(out, word.as_bytes()),
        }
        true
    }
    let mut out = Vec::new();
    write(&mut words.split(' '), &mut out);
    String::from_utf8(out).unwrap()
}

/// `redis-cli` takes its help from here, and had none.
#[test]
fn command_docs_is_what_the_datastore_says_of_commands_that_are_served() {
    let mut rig = Rig::new(&["a d r 1000", "b d r 3000"], Options::default());
    let client = rig.client();
    for (asked, said, answered) in [
        (
            "COMMAND DOCS get subscribe nope",
            "[ get [ summary Gets ] subscribe [ summary Waits ] ]",
            "[ get [ summary Gets ] ]",
        ),
        (
            "COMMAND DOCS config",
            "[ config [ summary Of since 2.0 subcommands [ config|set [ a b ] config|get [ c d ] ] x y ] ]",
            "[ config [ summary Of since 2.0 subcommands [ config|get [ c d ] ] x y ] ]",
        ),
        ("COMMAND DOCS nope", "[ ]", "[ ]"),
    ] {
        rig.asks(client, &[asked]);
        assert_eq!(rig.sees(ME), [asked]);
        rig.says(ME, &reply(said));
        assert_eq!(rig.hears(client), reply(answered), "{asked}");
    }
    for asked in ["COMMAND DOCS", "COMMAND DOCS DYNO_CONFIG:CONN_CONSISTENCY"] {
        rig.asks(client, &[asked]);
        rig.says(ME, "*0\r\n");
        let heard = rig.hears(client);
        assert!(
            heard.starts_with("*2\r\n$28\r\ndyno_config:conn_consistency\r\n*4\r\n"),
            "{heard}"
        );
    }
    // One before Redis 7.0 says so, and clients go by COMMAND.
    rig.asks(client, &["COMMAND DOCS"]);
    rig.says(ME, "-ERR unknown subcommand\r\n");
    assert_eq!(rig.hears(client), "-ERR unknown subcommand\r\n");
    rig.asks(client, &["HELLO 3"]);
    rig.says(ME, "$22\r\nredis_version:7.0.15\r\n\r\n");
    rig.hears(client);
    rig.asks(client, &["COMMAND DOCS get"]);
    rig.says(
        ME,
        &reply("[ get [ summary Gets arguments [ [ name key flags [ multiple ] ] ] ] ]"),
    );
    assert_eq!(
        rig.hears(client),
        "%1\r\n$3\r\nget\r\n%2\r\n$7\r\nsummary\r\n$4\r\nGets\r\n$9\r\narguments\r\n*1\r\n%2\r\n$4\r\nname\r\n$3\r\nkey\r\n$5\r\nflags\r\n~1\r\n$8\r\nmultiple\r\n"
    );
    rig.assert_at_rest();
}
