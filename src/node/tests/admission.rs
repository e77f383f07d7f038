//! Connections that say nothing do not keep others out.

use super::limits::message;
use super::{Rig, encoded};
use crate::node::admission::{CRUMBS_US, FIRST_REQUEST_US, QUIET_US};
use crate::node::{ConnId, Kind, Options, limits};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const MEMBERS: [&str; 3] = ["10.0.0.1 d r 0", "10.0.0.2 d r 5", "node-3 d r 9"];
const MEMBER: [u8; 4] = [10, 0, 0, 2];
const STRANGER: [u8; 4] = [192, 0, 2, 7];

fn from(ip: [u8; 4], port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), port))
}

fn rig() -> Rig {
    Rig::new(&MEMBERS, Options::default())
}

impl Rig {
    fn knocks(&mut self, ip: [u8; 4]) -> Option<ConnId> {
        let accepted = self
            .node
            .accepted(Kind::DnodeClient, from(ip, 4000), self.now);
        self.turn();
        accepted.ok()
    }

    /// A connection from this address that asks for something.
    fn knocks_and_asks(&mut self, ip: [u8; 4]) -> Option<ConnId> {
        let peer = self.knocks(ip)?;
        self.offers(peer, &message(1, &encoded("PING")));
        Some(peer)
    }

    fn fill_places(&mut self, ip: [u8; 4]) -> Vec<ConnId> {
        let free = limits::DNODE_CLIENTS - self.node.fronts.peers.len();
        (0..free).filter_map(|_| self.knocks(ip)).collect()
    }
}

/// 4,096 silent connections kept every member out.
#[test]
fn silent_strangers_do_not_lock_members_out() {
    let mut rig = rig();
    let early = rig.knocks(MEMBER).unwrap();
    let strangers = rig.fill_places(STRANGER);
    rig.wait(1000);
    let late = rig.knocks(MEMBER).expect("a member comes back");
    assert_eq!(rig.node.fronts.peers.len(), limits::DNODE_CLIENTS);
    // They reopen what was closed.
    for _ in 0..2 * limits::DNODE_CLIENTS {
        rig.knocks(STRANGER);
    }
    assert!(rig.is_there(early) && rig.is_there(late));
    assert!(!strangers.iter().any(|of| rig.is_there(*of)));
    assert!(rig.node.operator().stats(rig.now).own.peers_evicted > 0);
}

/// Strangers that ask for something lose their places to members all the same.
#[test]
fn busy_strangers_do_not_lock_members_out() {
    let mut rig = rig();
    for _ in 0..limits::DNODE_CLIENTS {
        rig.knocks_and_asks(STRANGER).unwrap();
    }
    assert!(rig.knocks(STRANGER).is_none(), "one of many more");
    assert!(rig.knocks([192, 0, 2, 8]).is_some(), "one of few");
    assert!(rig.knocks(MEMBER).is_some());
    assert_eq!(rig.node.operator().stats(rig.now).own.peers_refused, 1);
}

/// A member behind a translation of addresses, or with several, is a stranger by its address.
#[test]
fn a_member_from_another_address_keeps_its_place_once_it_has_asked() {
    let mut rig = rig();
    rig.fill_places(STRANGER);
    let hidden = rig.knocks_and_asks([198, 51, 100, 1]).expect("a newcomer");
    for _ in 0..2 * limits::DNODE_CLIENTS {
        rig.knocks(STRANGER);
    }
    assert!(rig.is_there(hidden));
}

#[test]
fn a_name_of_a_member_is_known_by_what_it_was_resolved_to() {
    let mut rig = rig();
    let ip = [203, 0, 113, 3];
    let endpoint = rig.node.operator().topology().nodes()[2]
        .member
        .endpoint
        .clone();
    rig.node
        .member_resolved(&endpoint, &[from(ip, 8101).unwrap()]);
    let quiet = rig.knocks(ip).unwrap();
    rig.fill_places(STRANGER);
    rig.wait(FIRST_REQUEST_US / 1000);
    rig.knocks(STRANGER);
    assert!(rig.is_there(quiet));
}

/// When all places are members', the connections that were left behind by one which has restarted go.
#[test]
fn members_that_have_said_nothing_make_room_for_members() {
    let mut rig = rig();
    let asked = rig.knocks_and_asks(MEMBER).unwrap();
    let silent = rig.knocks(MEMBER).unwrap();
    rig.wait(10);
    rig.fill_places(MEMBER);
    assert!(rig.knocks(STRANGER).is_none());
    assert!(rig.knocks(MEMBER).is_some());
    assert!(rig.is_there(asked) && !rig.is_there(silent));
}

#[test]
fn strangers_that_say_nothing_are_closed_when_they_are_many() {
    let mut rig = rig();
    let few: Vec<ConnId> = (0..limits::DNODE_CLIENTS / 4)
        .filter_map(|_| rig.knocks(STRANGER))
        .collect();
    rig.wait_secs(FIRST_REQUEST_US / 1_000_000 + 2);
    assert!(few.iter().all(|of| rig.is_there(*of)));
    let member = rig.knocks(MEMBER).unwrap();
    let last = rig.knocks(STRANGER).unwrap();
    rig.wait_secs(2);
    assert!(!few.iter().any(|of| rig.is_there(*of)));
    assert!(rig.is_there(last) && rig.is_there(member));
}

/// Clients that had connected and said nothing kept others out for as long as they liked.
#[test]
fn clients_that_ask_for_nothing_make_room_for_others() {
    let options = Options {
        client_connections: 3,
        ..Options::default()
    };
    let mut rig = Rig::new(&MEMBERS[..1], options);
    let (silent, dripping, served) = (rig.client(), rig.client(), rig.client());
    rig.asks(served, &["PING"]);
    let is_refused = |rig: &mut Rig| {
        let accepted = rig.node.accepted(Kind::Client, None, rig.now);
        rig.turn();
        accepted.is_err()
    };
    assert!(is_refused(&mut rig));
    for second in 0..CRUMBS_US / 1_000_000 {
        if second == QUIET_US / 1_000_000 {
            assert!(!is_refused(&mut rig));
            assert!(!rig.is_there(silent));
        }
        rig.offers(dripping, b"a");
        rig.wait(1000);
    }
    assert!(!is_refused(&mut rig), "the second has said nothing either");
    assert!(rig.is_there(dripping));
    assert!(!is_refused(&mut rig));
    assert!(!rig.is_there(dripping) && rig.is_there(served));
    assert_eq!(rig.node.operator().stats(rig.now).own.clients_evicted, 3);
}
