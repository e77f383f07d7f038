//! Random states under random requests.

use super::control::{FORBIDDEN, REFUSED, alone, set};
use super::*;
use crate::cluster::peer_state::PeerState;

/// What a random operator, a random client and a random datastore do to a node.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Set(u8),
    Write,
    Read,
    Answer,
    LoseStore,
    Wait,
}

fn deeds() -> impl proptest::strategy::Strategy<Value = Vec<Deed>> {
    use proptest::prelude::*;
    let deed = prop_oneof![
        2 => (0u8..4).prop_map(Deed::Set),
        4 => Just(Deed::Write),
        2 => Just(Deed::Read),
        4 => Just(Deed::Answer),
        1 => Just(Deed::LoseStore),
        1 => Just(Deed::Wait),
    ];
    prop::collection::vec(deed, 1..80)
}

proptest::proptest! {
    /// Each request gets one answer, in order; a write gets OK only if the datastore has got it, those the
    /// datastore gets come in their order, and a write is refused only in a state that says so.
    #[test]
    fn whatever_the_states_no_write_is_lost_and_nothing_stalls(deeds in deeds()) {
        let (mut rig, client) = alone();
        let (mut asked, mut sent) = (Vec::new(), Vec::new());
        for deed in deeds {
            match deed {
                Deed::Set(n) => set(&mut rig, crate::node::operator::SETTABLE[usize::from(n)]),
                Deed::Write => {
                    let word = format!("set k {}", asked.len());
                    asked.push((word.clone(), rig.node.operator().state()));
                    rig.asks(client, &[&word]);
                }
                Deed::Read => {
                    asked.push((format!("get {}", asked.len()), rig.node.operator().state()));
                    rig.asks(client, &[&asked.last().unwrap().0.clone()]);
                }
                Deed::Answer => answer_one(&mut rig, &mut sent),
                Deed::LoseStore => {
                    let up = rig.node.operator().stats(rig.now).own.datastore_connections == 1;
                    if up {
                        sent.extend(rig.sees(ME));
                        rig.loses(ME);
                        rig.asked.get_mut(&0).unwrap().waiting.clear();
                    }
                }
                Deed::Wait => rig.wait(1_000),
            }
        }
        // In the end everything is sent and answered.
        set(&mut rig, PeerState::Normal);
        rig.wait(11_000);
        while !rig.asked[&0].waiting.is_empty() {
            answer_one(&mut rig, &mut sent);
        }
        sent.extend(rig.sees(ME));
        let heard = rig.hears(client);
        let replies: Vec<&str> = heard.split_inclusive("\r\n").filter(|line| *line != "v\r\n").collect();
        proptest::prop_assert_eq!(replies.len(), asked.len(), "{:?} {:?}", asked, heard);
        for ((request, state), reply) in asked.iter().zip(replies) {
            let is_write = request.starts_with("set");
            match reply {
                FORBIDDEN => proptest::prop_assert!(
                    *state != PeerState::Normal && !(is_write && *state != PeerState::Standby),
                    "{} in {}", request, state
                ),
                REFUSED => {}
                _ => proptest::prop_assert!(sent.contains(request), "{} was not sent", request),
            }
        }
        let writes: Vec<usize> = sent
            .iter()
            .filter_map(|request| request.strip_prefix("set k ")?.parse().ok())
            .collect();
        proptest::prop_assert!(writes.is_sorted(), "{:?}", writes);
        rig.assert_at_rest();
    }
}

/// The datastore answers its oldest request, if there is one.
fn answer_one(rig: &mut Rig, sent: &mut Vec<String>) {
    sent.extend(rig.sees(ME));
    if rig.node.operator().stats(rig.now).own.datastore_connections == 0 {
        // The node has given the connection up, and everything on it.
        rig.asked.get_mut(&0).unwrap().waiting.clear();
    }
    let Some((_, _, request)) = rig.asked[&0].waiting.front() else {
        return;
    };
    let reply = if request.starts_with("set") {
        "+OK\r\n"
    } else {
        "$1\r\nv\r\n"
    };
    rig.says(ME, reply);
}
