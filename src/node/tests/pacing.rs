//! A C node is sent no more than it can take, and its clients wait.

use super::{ME, Rig};
use crate::cluster::window::Window;
use crate::node::{ConnId, Options, limits};
use crate::proto::dnode::{Kind, VERSION_ORIGINAL};
use crate::stats::PeerStats;

/// Two racks of one datacenter.
const TWO_RACKS: [&str; 2] = ["a d r1 0", "b d r2 0"];

/// How many messages may be under way to a C node at first.
fn first() -> usize {
    Window::new(5_000_000, 1, 1, 0).size() as usize
}

impl Rig {
    /// A client sends so many writes, a few at a time, and the datastore answers those that reach it. Returns how
    /// many did.
    fn writes(&mut self, client: ConnId, many: usize) -> usize {
        let mut done = 0;
        for _ in 0..many.div_ceil(8) {
            self.asks(client, &["set k v"; 8]);
            done += self.stores();
        }
        done
    }

    /// The datastore answers what it has been asked. Returns how much that was.
    fn stores(&mut self) -> usize {
        let mut done = 0;
        while !self.asked(ME).waiting.is_empty() {
            self.says(ME, "+OK\r\n");
            done += 1;
        }
        done
    }

    /// Messages a node has got and not answered.
    fn owed(&self, node: u16) -> usize {
        self.kinds(node).len()
    }

    /// A C node answers so many, one after the other, and the datastore what comes then. Returns how much that was.
    fn original_says(&mut self, node: u16, many: usize) -> usize {
        let mut done = 0;
        for _ in 0..many {
            self.says_as(node, VERSION_ORIGINAL, "+OK\r\n");
            done += self.stores();
        }
        done
    }

    /// What is told of the first peer.
    fn figures(&mut self) -> PeerStats {
        self.node.operator().peers(self.now).swap_remove(0).stats
    }
}

#[test]
fn a_fast_coordinator_overruns_no_c_node() {
    let mut rig = Rig::beside(&TWO_RACKS, &[1], Options::default());
    let client = rig.client();
    let many = 40 * first();
    let mut done = rig.writes(client, many);
    assert_eq!(rig.owed(1), first());
    // As many wait here; the others have not been read.
    assert!(
        (2 * first()..2 * first() + 64).contains(&done),
        "{done} of {many}"
    );
    // At its pace everything arrives.
    let mut most = 0;
    while rig.owed(1) > 0 {
        rig.now.mono_us += 1000;
        done += rig.original_says(1, 16.min(rig.owed(1)));
        most = most.max(rig.owed(1));
    }
    assert_eq!(done, many);
    // It answers 16,000 in a second, and none waits there much longer than 100 ms.
    assert!(most < 2000, "{most}");
    assert_eq!(rig.hears(client).len(), many * "+OK\r\n".len());
    rig.assert_at_rest();
}

#[test]
fn a_node_of_ours_may_be_asked_any_number() {
    let mut rig = Rig::new(&TWO_RACKS, Options::default());
    let client = rig.client();
    assert_eq!(rig.writes(client, 8000), 8000);
    assert_eq!(rig.owed(1), 8000);
    assert_eq!(rig.figures().window, 0);
}

#[test]
fn clients_wait_a_second_for_a_c_node_that_has_stopped() {
    let mut rig = Rig::beside(&TWO_RACKS, &[1], Options::default());
    let client = rig.client();
    let many = 20 * first();
    let done = rig.writes(client, many);
    assert!(done < many);
    rig.wait(limits::STALLED_US / 1000 - 100);
    assert_eq!(rig.stores(), 0);
    rig.wait(1100);
    assert_eq!(done + rig.stores(), many);
    assert_eq!(rig.owed(1), first(), "it has stopped");
    // When it goes on it gets what was held, and not at once.
    let (mut got, mut most) = (0, 0);
    while rig.owed(1) > 0 {
        rig.now.mono_us += 100;
        rig.original_says(1, 1);
        got += 1;
        most = most.max(rig.owed(1));
    }
    assert_eq!(got, many);
    assert!(most < 2000, "{most}");
    rig.assert_at_rest();
}

#[test]
fn a_c_node_with_much_to_make_up_for_lets_no_client_wait_longer_than_a_second() {
    let mut rig = Rig::beside(&TWO_RACKS, &[1], Options::default());
    let (busy, patient) = (rig.client(), rig.client());
    rig.writes(busy, 2 * first());
    rig.wait(limits::STALLED_US / 1000);
    rig.writes(busy, 20 * first());
    rig.asks(patient, &["set k v"]);
    for _ in 0..5 {
        rig.stores();
        assert_eq!(rig.hears(patient), "+OK\r\n");
        rig.asks(patient, &["set k v"]);
        for _ in 0..10 {
            rig.original_says(1, 1);
            rig.wait(100);
        }
        rig.original_says(1, 1);
    }
    let paused_us = rig.figures().paused_us;
    assert!(paused_us >= 2_000_000, "{paused_us}");
    assert!(rig.owed(1) <= first());
}

#[test]
fn what_is_held_for_a_c_node_is_lost_with_its_connection_and_counted() {
    let mut rig = Rig::beside(&TWO_RACKS, &[1], Options::default());
    let client = rig.client();
    assert_eq!(rig.writes(client, 2 * first()), 2 * first());
    rig.loses(1);
    assert_eq!(rig.figures().dropped as usize, first());
    // Nobody waits for it any more.
    assert_eq!(rig.writes(client, 4 * first()), 4 * first());
    rig.assert_at_rest();
}

#[test]
fn an_operator_sees_who_lets_clients_wait() {
    let mut rig = Rig::beside(&TWO_RACKS, &[1], Options::default());
    assert_eq!(rig.figures().window as usize, first());
    let client = rig.client();
    rig.writes(client, 4 * first());
    let figures = rig.figures();
    assert_eq!((figures.pauses, figures.paused_us), (1, 0));
    assert_eq!(figures.awaited as usize, first());
    rig.wait(400);
    rig.original_says(1, 1);
    assert_eq!(rig.figures().window as usize, first() / 2, "it was late");
    while rig.owed(1) > 0 {
        rig.original_says(1, 1);
    }
    let figures = rig.figures();
    assert!(figures.pauses >= 1);
    assert!(figures.paused_us >= 400_000, "{}", figures.paused_us);
}

/// It would ask to be called at once for ever, as the rate would let the next one go.
#[test]
fn a_full_window_is_no_reason_to_look_at_the_clock() {
    let members = ["a d r1 0", "b e r1 0", "c e r2 0"];
    let mut rig = Rig::beside(&members, &[1, 2], Options::default());
    let client = rig.client();
    rig.writes(client, 2 * first());
    assert_eq!(rig.kinds(1), vec![Kind::Forward; first()]);
    rig.wait(1);
    assert!(rig.node.next_deadline() > rig.now.mono_us);
    rig.original_says(1, 1);
    assert!(rig.owed(1) >= first());
}
