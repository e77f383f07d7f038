use super::{ME, Rig, key_of};
use crate::node::Options;

const CLUSTER: [&str; 3] = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";

fn rig(admin_operation: u32) -> Rig {
    let options = Options {
        admin_operation,
        ..Options::default()
    };
    Rig::new(&CLUSTER, options)
}

#[test]
fn in_admin_mode_no_peer_is_connected_to() {
    for mode in [1, 2] {
        let mut rig = rig(mode);
        assert!(rig.is_connected(ME) && !rig.is_connected(1) && !rig.is_connected(2));
        let client = rig.client();
        let (mine, foreign) = (key_of(&rig, ME), key_of(&rig, 1));
        rig.asks(client, &[&format!("SET {mine} v")]);
        rig.says(ME, "+OK\r\n");
        assert_eq!(rig.hears(client), "+OK\r\n");
        rig.asks(client, &[&format!("GET {foreign}")]);
        assert_eq!(rig.hears(client), NOT_CONNECTED);
        rig.wait(60_000);
        assert!(!rig.is_connected(1));
        rig.assert_at_rest();
    }
}

#[test]
fn in_admin_mode_1_a_node_deletes_what_it_owns_and_nothing_else() {
    let mut rig = rig(1);
    let client = rig.client();
    let (mine, foreign) = (key_of(&rig, ME), key_of(&rig, 1));
    for line in [format!("DEL {mine}"), format!("del {mine} {mine}")] {
        rig.asks(client, &[&line]);
        assert_eq!(rig.sees(ME), [line]);
        rig.says(ME, ":1\r\n");
        assert_eq!(rig.hears(client), ":1\r\n");
    }
    for line in [format!("DEL {foreign}"), format!("DEL {mine} {foreign}")] {
        rig.asks(client, &[&line]);
        assert_eq!(
            rig.hears(client),
            "-ERR Dynomite: Invalid request in Dynomite's admin mode\r\n"
        );
        assert_eq!(rig.sees(ME), [""; 0]);
    }
    // Other writes are as before.
    rig.asks(client, &[&format!("UNLINK {foreign}")]);
    assert_eq!(rig.hears(client), NOT_CONNECTED);
    rig.assert_at_rest();
}

#[test]
fn in_other_modes_deletion_is_a_write() {
    let mut rig = rig(2);
    let client = rig.client();
    rig.asks(client, &[&format!("DEL {}", key_of(&rig, 1))]);
    assert_eq!(rig.hears(client), NOT_CONNECTED);
    rig.assert_at_rest();
}
