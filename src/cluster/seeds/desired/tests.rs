use super::*;
use crate::cluster::seeds::read;
use crate::config::Seed;

const SECOND: u64 = 1_000_000;

fn member(text: &str) -> Member {
    Member::from(&Seed::parse(text).unwrap().0)
}

/// Nodes `10.0.0.n`, each alone in rack `rn`.
fn list(nodes: impl IntoIterator<Item = u32>) -> String {
    let entries: Vec<String> = nodes
        .into_iter()
        .map(|n| format!("10.0.0.{n}:8101:r{n}:d:{n}"))
        .collect();
    entries.join("|")
}

struct World {
    desired: Desired,
    now: u64,
}

impl World {
    fn new(fixed: &str) -> World {
        let me = member("10.0.0.1:8101:r1:d:1");
        let fixed = fixed.split('|').filter(|entry| !entry.is_empty());
        World {
            desired: Desired::new(me, fixed.map(member).collect(), GRACE),
            now: 5 * SECOND,
        }
    }

    /// A poll, 30 s after the last.
    fn poll(&mut self, text: &str) -> Decision {
        self.now += 30 * SECOND;
        let me = self.desired.me.clone();
        let list = read(text, &me).map_err(|error| error.to_string());
        self.desired.listed(list, self.now)
    }

    fn fail(&mut self, why: &str) -> Decision {
        self.now += 30 * SECOND;
        self.desired.listed(Err(why.to_owned()), self.now)
    }

    fn hosts(&self) -> Vec<String> {
        let name = |member: &Member| member.name.clone();
        self.desired.members().iter().map(name).collect()
    }
}

fn hosts(nodes: impl IntoIterator<Item = u32>) -> Vec<String> {
    nodes.into_iter().map(|n| format!("10.0.0.{n}")).collect()
}

#[test]
fn item_3_an_unchanged_list_is_no_action() {
    let mut world = World::new("");
    let first = world.poll(&list(1..=4));
    assert_eq!(first.apply.map(|members| members.len()), Some(3));
    assert_eq!(first.notes.len(), 1, "{:?}", first.notes);
    for _ in 0..100 {
        assert_eq!(world.poll(&list(1..=4)), Decision::default());
    }
}

#[test]
fn item_7_rotation_of_records_is_no_change() {
    let mut world = World::new("");
    world.poll(&list([2, 3, 4]));
    for turned in [[3, 4, 2], [4, 2, 3], [4, 3, 2]] {
        assert_eq!(world.poll(&list(turned)), Decision::default());
    }
}

#[test]
fn item_6_a_refused_list_keeps_the_last_and_is_told_of_once_per_change() {
    let mut world = World::new("");
    world.poll(&list(2..=4));
    for (why, again) in [("HTTP 500", false), ("HTTP 500", true), ("timeout", false)] {
        let decision = world.fail(why);
        assert_eq!(decision.apply, None);
        assert!(decision.refused);
        assert_eq!(decision.notes.is_empty(), again, "{why}");
    }
    let bad = world.poll(&(list(2..=4) + "|x"));
    assert!(bad.notes[0].text.contains("'x'"), "{bad:?}");
    assert_eq!(world.hosts(), hosts(2..=4));
    let good = world.poll(&list(2..=4));
    assert_eq!(good.apply, None);
    assert!(good.notes[0].text.contains("good again"), "{good:?}");
    assert_eq!(world.poll(&list(2..=4)), Decision::default());
}

#[test]
fn item_12_a_node_goes_after_the_grace_period_only() {
    let mut world = World::new("");
    world.poll(&list(2..=5));
    let first = world.poll(&list(2..=4));
    assert_eq!(first.apply, None);
    assert!(
        first.notes[0].text.contains("10.0.0.5:8101 r5:d"),
        "{first:?}"
    );
    // 30, 60 and 90 s later it is still there.
    for _ in 0..3 {
        assert_eq!(world.poll(&list(2..=4)), Decision::default());
    }
    let last = world.poll(&list(2..=4));
    assert_eq!(last.apply.map(|members| members.len()), Some(3));
    assert_eq!(world.hosts(), hosts(2..=4));
}

#[test]
fn a_node_that_is_listed_again_stays_and_its_time_begins_anew() {
    let mut world = World::new("");
    world.poll(&list(2..=5));
    for _ in 0..10 {
        assert_eq!(world.poll(&list(2..=4)).notes.len(), 1);
        assert_eq!(world.poll(&list(2..=4)).notes.len(), 0);
        let back = world.poll(&list(2..=5));
        assert!(back.notes[0].text.contains("stays"), "{back:?}");
        assert_eq!(back.apply, None);
    }
    assert_eq!(world.hosts(), hosts(2..=5));
}

#[test]
fn no_node_goes_while_no_list_can_be_had() {
    let mut world = World::new("");
    world.poll(&list(2..=5));
    world.poll(&list(2..=4));
    for _ in 0..100 {
        assert_eq!(world.fail("timeout").apply, None);
    }
    assert_eq!(world.hosts(), hosts(2..=5));
    world.poll(&list(2..=4));
    assert_eq!(world.hosts(), hosts(2..=4));
}

#[test]
fn item_12_a_list_that_would_remove_more_than_half_is_refused_with_an_alert() {
    let mut world = World::new("");
    world.poll(&list(2..=5));
    for (few, level) in [
        (list([2]), Level::Alert),
        (list([1, 9, 8, 7]), Level::Alert),
        (String::new(), Level::Error),
        (list([1]), Level::Alert),
    ] {
        let decision = world.poll(&few);
        assert!(decision.refused, "{few}");
        assert_eq!(decision.apply, None, "{few}");
        assert_eq!(decision.notes.len(), 1, "{few}");
        assert_eq!(decision.notes[0].level, level, "{few}");
        assert_eq!(world.poll(&few).notes, [], "said once");
    }
    assert_eq!(world.hosts(), hosts(2..=5));
    // Half at a time is slow enough to be noticed; not so both halves in one grace period.
    assert!(!world.poll(&list([2, 3])).refused);
    assert!(world.poll(&list([2])).refused);
    for _ in 0..4 {
        world.poll(&list([2, 3]));
    }
    assert_eq!(world.hosts(), hosts([2, 3]));
    assert!(!world.poll(&list([2])).refused);
}

#[test]
fn item_9_a_new_address_moves_one_node_and_keeps_its_place() {
    let three = |twos: &str| {
        ["d1", "d2", "d3"].map(|dc| format!("{}:8101:r:{dc}:0", if dc == "d2" { twos } else { dc }))
    };
    let mut world = World::new("");
    world.poll(&three("a").join("|"));
    let moved = world.poll(&three("b").join("|"));
    assert_eq!(moved.notes, []);
    assert_eq!(world.hosts(), ["d1", "b", "d3"]);
    let members = moved.apply.unwrap();
    assert_eq!(members[1].dc, "d2");
    // A port alone is an address, too (item 11).
    let text = three("b").join("|").replace("b:8101", "b:8111");
    let moved = world.poll(&text).apply.unwrap();
    assert_eq!(moved[1].endpoint.to_string(), "b:8111");
}

#[test]
fn the_seeds_of_the_configuration_stay_and_may_be_moved() {
    let mut world = World::new(&list([2, 3]));
    assert_eq!(world.hosts(), hosts([2, 3]));
    world.poll(&list([4, 5]));
    assert_eq!(world.hosts(), hosts(2..=5));
    world.poll("moved:8101:r3:d:3|10.0.0.4:8101:r4:d:4|10.0.0.5:8101:r5:d:5");
    assert_eq!(world.hosts(), ["10.0.0.2", "moved", "10.0.0.4", "10.0.0.5"]);
    for _ in 0..10 {
        world.poll(&list([4]));
    }
    assert_eq!(world.hosts(), hosts(2..=4));
}

#[test]
fn other_tokens_of_a_known_node_are_no_second_node() {
    let mut world = World::new("");
    world.poll("a:8101:r2:d:5,7");
    let changed = world.poll("a:8101:r2:d:7,5,6").apply.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].tokens.len(), 3);
    // Divided between two nodes, and joined again.
    world.poll("a:8101:r2:d:7|b:8101:r2:d:5,6");
    let mut both = world.hosts();
    both.sort_unstable();
    assert_eq!(both, ["a", "b"]);
    world.poll("a:8101:r2:d:5,6,7");
    assert_eq!(world.hosts(), ["a"]);
}

#[test]
fn the_configuration_may_change_by_less_than_half() {
    let mut world = World::new(&list([2, 3]));
    world.poll(&list([4, 5]));
    let members = |text: &str| text.split('|').map(member).collect::<Vec<_>>();
    let changed = world.desired.reconfigure(members(&list([2, 6]))).unwrap();
    assert_eq!(changed.map(|members| members.len()), Some(4));
    assert_eq!(world.hosts(), hosts([2, 4, 5, 6]));
    let same = world.desired.reconfigure(members(&list([6, 2]))).unwrap();
    assert_eq!(same, None);
    world.poll(&list([4, 5]));
    assert_eq!(world.hosts(), hosts([2, 4, 5, 6]));

    let mut world = World::new(&list([2, 3, 4]));
    let why = world.desired.reconfigure(Vec::new()).unwrap_err();
    assert!(why.contains("3 of 3 other nodes"), "{why}");
    assert_eq!(world.hosts(), hosts([2, 3, 4]));
}

#[test]
fn a_reload_does_not_cut_a_grace_period_short() {
    let mut world = World::new("");
    world.poll(&list(2..=5));
    world.poll(&list(2..=4));
    let changed = world.desired.reconfigure(vec![member("x:1:r9:d:9")]);
    assert_eq!(changed.unwrap().map(|members| members.len()), Some(5));
}
