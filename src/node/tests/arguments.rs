//! Requests of very many arguments, and such whose number of keys is wrong.

use super::{ME, Rig};
use crate::node::{Options, limits};

const TOO_MANY: &str = "-ERR Dynomite: too many arguments: a request that is split, rewritten or sent to another node has at most 1048576\r\n";

/// Redis takes them since 7.0; here the connection was closed.
#[test]
fn more_than_a_million_arguments_pass_to_the_only_datastore() {
    let line = format!("RPUSH k{}", " v".repeat(limits::ARGUMENTS as usize));
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &[&line]);
    assert_eq!(rig.sees(ME), [line.as_str()]);
    rig.says(ME, ":1048576\r\n");
    assert_eq!(rig.hears(client), ":1048576\r\n");
    // What is looked at argument by argument, or goes to peers, has a limit; the connection lives.
    for (members, line) in [
        (&["a d r 0"][..], line.replace("RPUSH k", "EVAL s 1 k")),
        (&["a d r 0"], line.replace("RPUSH k", "GET")),
        (&["a d r 0", "b d r 2000"], line.clone()),
        (&["a d r1 0", "b d r2 0"], line.clone()),
    ] {
        let mut rig = Rig::new(members, Options::default());
        let client = rig.client();
        rig.asks(client, &[&line]);
        assert_eq!(rig.hears(client), TOO_MANY);
        assert!(rig.node.knows(client));
        assert_eq!(rig.sees(ME), [""; 0]);
        rig.assert_at_rest();
    }
}

/// The words depend on whether the function exists, which only a datastore knows.
#[test]
fn a_function_with_a_wrong_number_of_keys_is_the_datastores_to_refuse() {
    let mut rig = Rig::new(&["a d r 1000", "b d r 3000"], Options::default());
    let client = rig.client();
    for line in [
        "MSETEX x a 1",
        "SUNIONCARD 0 a",
        "TDIGEST.MERGE d 9 a",
        "FCALL f x a",
        "FCALL f -1 a",
        "FCALL_RO f 5 a",
        "FCALL f 5 a b",
    ] {
        rig.asks(client, &[line]);
        assert_eq!(rig.sees(ME), [line]);
        rig.says(ME, "-ERR Function not found\r\n");
        assert_eq!(rig.hears(client), "-ERR Function not found\r\n");
    }
    assert_eq!(rig.sees(1), [""; 0]);
    rig.assert_at_rest();
}
