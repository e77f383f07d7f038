use super::{ME, Rig, key_of};
use crate::node::Options;

const CLUSTER: [&str; 2] = ["a d r 1000", "b d r 3000"];
const TWO_RACKS: [&str; 4] = ["a d r1 1000", "b d r1 3000", "x d r2 1000", "y d r2 3000"];

fn denied(option: &str) -> String {
    format!(
        "-ERR {option} option of SORT denied in Cluster mode when keys formed by the pattern may be in different slots. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).\r\n"
    )
}

fn tagging() -> Options {
    Options {
        hash_tag: Some(*b"{}"),
        ..Options::default()
    }
}

/// `SORT … BY` and `GET` read keys of other nodes as if they did not exist, and answered, or stored, so.
#[test]
fn sort_by_a_pattern_whose_keys_other_nodes_may_own_is_refused() {
    for (cluster, options) in [
        (&CLUSTER[..], Options::default()),
        (&CLUSTER[..], tagging()),
        (&TWO_RACKS[..], tagging()),
    ] {
        let mut rig = Rig::new(cluster, options);
        let (here, there) = (key_of(&rig, 0), key_of(&rig, 1));
        let mut lines = vec![
            (format!("SORT {here} BY w_*"), "BY"),
            (format!("SORT {here} BY w_*->field"), "BY"),
            (format!("SORT {here} BY nosort GET o_*"), "GET"),
            (format!("SORT {here} GET # GET *"), "GET"),
            (format!("SORT_RO {here} GET o_*"), "GET"),
            (format!("SORT {here} BY w_* STORE {here}"), "BY"),
            // The element may bring another tag, or the other half of this one.
            (format!("SORT {{{here}}} BY *{{{here}}}"), "BY"),
            (format!("SORT {{{here}}} BY {{{here}*}}"), "BY"),
            (format!("SORT {{{here}}} BY {{}}*"), "BY"),
        ];
        if rig.node.options.hash_tag.is_some() {
            lines.push((format!("SORT {{{here}}} BY {{{there}}}*"), "BY"));
        }
        for (line, option) in lines {
            let client = rig.client();
            rig.asks(client, &[&line]);
            assert_eq!(rig.hears(client), denied(option), "{line}");
            assert!(rig.node.knows(client));
            rig.leaves(client);
        }
        assert_eq!(rig.sees(ME), [""; 0]);
        assert_eq!(rig.sees(1), [""; 0]);
        rig.assert_at_rest();
    }
}

#[test]
fn sort_is_served_where_all_keys_of_its_patterns_are() {
    let served = |rig: &mut Rig, line: &str| {
        let client = rig.client();
        rig.asks(client, &[line]);
        assert_eq!(rig.sees(ME), [line]);
        rig.says(ME, "*0\r\n");
        assert_eq!(rig.hears(client), "*0\r\n");
        rig.leaves(client);
    };
    let mut rig = Rig::new(&CLUSTER, tagging());
    let here = key_of(&rig, 0);
    for line in [
        format!("SORT {here} BY nosort GET # LIMIT 0 5"),
        format!("SORT {here} BY {{{here}}}w_* GET x{{{here}}}*->f"),
        format!("SORT {{{here}}} BY {{{here}}}w_* STORE {{{here}}}d"),
        format!("SORT_RO {here} GET {{{here}}}*"),
    ] {
        served(&mut rig, &line);
    }
    // A rack of one node has all keys, whatever they are called.
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    served(&mut rig, "SORT k BY w_* GET o_* STORE d");
    served(&mut rig, "SORT_RO k BY w_*");
    rig.assert_at_rest();
}
