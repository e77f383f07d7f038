//! What a peer that runs the original is sent instead, and what is made of its reply.

use super::{Client, Server, call, fixed, now_secs, shown, state};
use crate::mbuf::{Chain, Pool};
use crate::proto::legacy::memcache::{Form, form, reply};

const KEY: &str = "a2V5"; // `key` in base64

#[test]
fn a_translated_request_is_answered_like_the_original_one() {
    let servers = [Server::start(), Server::start()];
    let mut clients = servers.each_ref().map(Client::of);
    let pool = Pool::new(4096, 1 << 20);
    let mut requests: Vec<String> = [
        "gat 100000 key",
        "gat 0 key",
        "gat -1 key",
        "gat 2592001 key",
        "gats 1000 key",
        "gat 100000 key other key nothing",
        "set key 1 -1 1",
        "append key 1 -1 1",
        "touch key -1",
    ]
    .map(str::to_owned)
    .to_vec();
    for (name, flags) in [
        (
            "mg K",
            "- v|s v f k|k O77 c|Oabc|u v|v T1000|T1000|v T-1|T-1|T0 s|Lx Py v|k|f s v c O1 k u|T+1000|v F5 C9 I M5 J1 D1 k",
        ),
        (
            "ms K 1",
            "- F5 T0|T1000 k|ME k O1|MA F3 T5000|MP O1 k|MR T-1|MS F4294967295|T-1|I|C1 k|C0|ME C1|MR C999 O5|F+5 T+1000|N5 R5 J3 D2 t l h v k",
        ),
        ("md K", "-|k|O5 k|T30 F5 c t v N5 k"),
        (
            "ma K",
            "-|v|v D5 k|MD|M- D100 v|M+ v O7|MI D18446744073709551615 v|k O9|D0 v|v F5 I R5 J5 s f k",
        ),
    ] {
        for flags in flags.split('|') {
            for (key, binary) in [("key", ""), (KEY, " b"), ("a2!V5-", " b")] {
                // A lone `-` stands for no flag at all.
                let flags = flags.trim_start_matches('-').trim();
                let text = format!("{} {flags}{binary}", name.replace('K', key));
                let text = text.replace("  ", " ");
                requests.push(text.trim_end().to_owned());
            }
        }
    }
    let mut hits = 0;
    for text in &requests {
        let stored_binary = text.ends_with(" b");
        let name = if stored_binary { KEY } else { "key" };
        let b = if stored_binary { " b" } else { "" };
        for before in ["nothing", "10", "word", "0"] {
            for client in &mut clients {
                client.ask("flush_all");
                client.ask("delete key");
                if before != "nothing" {
                    let len = before.len();
                    client.ask(&format!("ms {name} {len} F7 T50000{b}\r\n{before}"));
                    client.ask("set other 1 0 2\r\nab");
                }
            }
            let original = call(text);
            let expected = clients[0].send(&original, b"x");
            let mut words = Vec::new();
            let Form::Translated { calls, answer } = form(&original, now_secs(), &mut words) else {
                panic!("{text} is not translated");
            };
            let mut got = Chain::new();
            for (place, classic) in calls.iter().enumerate() {
                assert!(!shown(classic).contains(" -"), "{}", shown(classic));
                let answered = clients[1].send(classic, b"x");
                if place == answer {
                    let mut chain = Chain::new();
                    pool.copy(&answered, &mut chain);
                    got = reply(&original, &chain, &pool).unwrap();
                }
            }
            hits += usize::from(expected.starts_with(b"HD") || expected.starts_with(b"VA"));
            let got = fixed(&got.to_vec());
            assert_eq!(got, fixed(&expected), "{before}; {text}");
            let [one, other] = clients
                .each_mut()
                .map(|client| state(client, "mg key v f t u"));
            assert_eq!(one, other, "{before}; {text}");
        }
    }
    assert!(hits > 100, "{hits}");
}
